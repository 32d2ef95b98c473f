"""A maximum over an index: written out where its ends are numbers, and substituted into."""

from typing import Any

import pytest
from sympy import Abs, IndexedBase, Integer, Max, S, Sum, Symbol

from adamlab.symbolic.maximum import Maximum

b = Symbol("b", positive=True)
i, t = (Symbol(letter, integer=True, positive=True) for letter in "it")
g: Any = IndexedBase("g", real=True)
AMAX = Maximum(b ** (t - i) * Abs(g[i]), (i, 1, t))
"""Adamax's second moment."""


def test_it_is_written_out_where_both_ends_are_numbers():
    assert AMAX.subs(t, 3).doit() == Max(b**2 * Abs(g[1]), b * Abs(g[2]), Abs(g[3]))


def test_it_stays_as_it_is_while_an_end_is_open():
    assert AMAX.doit() == AMAX


def test_its_greatest_term_is_taken_not_the_last():
    values = {1: 2, 2: -7, 3: 5}
    written = Maximum(Abs(g[i]), (i, 1, t)).subs(t, 3).doit()
    assert written.subs({g[k]: Integer(value) for k, value in values.items()}) == 7


@pytest.mark.parametrize(("low", "high", "indices"), [(1, 1, [1]), (2, 4, [2, 3, 4]), (0, 1, [0, 1])])
def test_both_ends_are_included(low, high, indices):
    assert Maximum(g[i], (i, low, high)).doit() == Max(*(g[k] for k in indices))


@pytest.mark.parametrize(("body", "least"), [(Abs(g[i]), S.Zero), (g[i], S.NegativeInfinity)])
def test_of_no_terms_it_is_the_least_that_a_term_can_be(body, least):
    assert Maximum(body, (i, 1, 0)).doit() == least


def test_what_is_inside_is_written_out_too():
    within = Symbol("j", integer=True)
    sums = Maximum(Sum(g[within], (within, 1, i)), (i, 1, 2))
    assert sums.doit() == Max(g[1], g[1] + g[2])
    assert Maximum(Sum(g[within], (within, 1, 2)), (i, 1, t)).doit() == Maximum(g[1] + g[2], (i, 1, t))


def test_the_index_is_bound_and_cannot_be_substituted():
    assert AMAX.free_symbols >= {b, t}
    assert i not in AMAX.free_symbols
    assert AMAX.subs(i, 5) == AMAX
