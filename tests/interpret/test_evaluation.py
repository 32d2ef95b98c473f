"""Formulas on numbers: as SymPy evaluates them where they are real, and NaN where floats are NaN."""

from typing import Any

import mpmath
import pytest
from mpmath import mpf, workdps
from sympy import (
    Abs,
    IndexedBase,
    Max,
    Min,
    Mod,
    Ne,
    Piecewise,
    Rational,
    Sum,
    Symbol,
    ceiling,
    cos,
    exp,
    floor,
    log,
    pi,
    sign,
    sqrt,
)

from adamlab.interpret.domains import OnDomain, on_domain, requirements
from adamlab.interpret.evaluation import evaluate

x, y = Symbol("x", real=True), Symbol("y", real=True)
t, i = Symbol("t", integer=True, positive=True), Symbol("i", integer=True, positive=True)
g: Any = IndexedBase("g", real=True)

FORMULAS = [
    x * y - x / y + Rational(1, 3),
    Abs(x) ** Rational(3, 2) + exp(y) * log(Abs(x)) + cos(x) * pi,
    Max(x, y, 0) - Min(x, y) + sign(x) * floor(y) - ceiling(x) + Mod(y, 3),
    Piecewise((x, x > y), (y**2, Ne(x, y)), (0, True)),
]


@pytest.mark.parametrize("e", FORMULAS, ids=range(len(FORMULAS)))
def test_formulas_have_the_values_that_sympy_has(e):
    with workdps(40):
        for a, b in [("0.7", "-2.3"), ("-1.5", "0.4"), ("3.1", "2.9")]:
            expected = e.subs({x: Rational(a), y: Rational(b)}).evalf(40)
            assert mpmath.almosteq(evaluate(e, {x: mpf(a), y: mpf(b)}), mpf(str(expected)), 1e-35)


def test_sums_run_over_the_gradients():
    gradients = {g[k]: mpf(k) ** 2 for k in range(1, 5)}
    assert evaluate(Sum(2 ** (i - t) * g[i], (i, 1, t)), {t: 4, **gradients}) == mpf(1 + 2 * 4 + 4 * 9 + 8 * 16) / 8


def test_what_cancels_is_0():
    with workdps(40):
        third = mpf(1) / 3
        assert evaluate(x + y - Rational(1, 3), {x: third / 2, y: third / 2}) == 0
        assert evaluate(x + y - Rational(1, 3), {x: third / 2, y: third / 2 + mpf("1e-20")}) != 0


def test_roots_of_negatives_are_no_numbers():
    root: Any = OnDomain(sqrt(x), x)
    assert mpmath.isnan(evaluate(root**2, {x: mpf(-1)}))
    assert evaluate(root**2, {x: mpf(2)}) == pytest.approx(2)
    assert mpmath.isnan(evaluate(x**y, {x: mpf(-1), y: mpf("0.5")}))
    assert on_domain(root**2) == x


def test_a_case_asks_for_its_own_domain_alone():
    guarded = Piecewise((OnDomain(sqrt(x), x), x > y), (y, True))
    (needed,) = requirements(guarded)
    for a, b, fine in [(-1, -2, False), (-1, 0, True), (4, 0, True)]:
        assert evaluate(needed, {x: mpf(a), y: mpf(b)}) is fine
