"""Limits as the steps go on: settled by what powers of rates and of t do, and by nothing that gradients could undo."""

from typing import Any

import pytest
from sympy import IndexedBase, Integer, Piecewise, Rational, S, Sum, sqrt

from adamlab.interpret.equality import same
from adamlab.interpret.signs import Rate
from adamlab.symbolic.letters import INDICES, T
from adamlab.symbolic.proving.late_steps import in_late_steps, settled_in_late_steps
from adamlab.symbolic.solving.limits import NoLimitError

b, c = Rate("b"), Rate("c")
i = INDICES[0]
g: Any = IndexedBase("g", real=True)
TOTAL = Sum(b ** (T - i) * g[i], (i, 1, T))


LIMITS = [
    (1 - b**T, 1),
    (T * b**T, 0),
    (T**3 * b ** (2 * T) + c**T * b**T, 0),
    (b ** (T + 1) + c**T + 3, 3),
    ((2 * T + b**T) / (3 * T - 1), Rational(2, 3)),
    (T / (T**2 + 1), 0),
    (sqrt((1 - b**T) * (4 + T * c**T)), 2),
    (1 / sqrt(1 - b**T), 1),
    ((1 - T * b**T / (1 - b**T)) / (1 - b**T), 1),
    (Rational(9, 10) ** T * T, 0),
    (b / (1 - b), b / (1 - b)),
    (TOTAL * (1 - b**T) / TOTAL, 1),
    (TOTAL * sqrt(g[T] ** 2 + 1) * (1 - b**T) / (TOTAL * sqrt(g[T] ** 2 + 1)), 1),
]


def test_limits():
    assert [e for e, limit in LIMITS if not same(in_late_steps(e), Integer(1) * limit)] == []


@pytest.mark.parametrize(
    "formula",
    [
        T,  # no limit
        b**T / c**T,  # whichever is greater
        (-1) ** T,
        sqrt(T * b**T),  # a root of what goes to 0
        (T + b**T) / (b**T + c**T),  # 0 below
        1 + b**T * g[T],  # the gradients may grow as b^(−t)
        b**T * TOTAL,
        g[T],
    ],
)
def test_what_is_not_settled_has_no_limit(formula):
    with pytest.raises(NoLimitError):
        in_late_steps(formula)


@pytest.mark.parametrize(
    ("condition", "settled"),
    [
        (5 - T * b**T >= 4, 1),
        (5 - T * b**T < 4, 2),
        (T * b**T > 0, None),  # it goes to the very point
        (1 / (1 - b) > 3, None),  # it depends on the rate
        (g[T] > 0, None),
        (S.true, 1),
    ],
)
def test_cases_are_settled_by_where_their_conditions_go(condition, settled):
    cases = Piecewise((g[T], condition), (2 * g[T], True), evaluate=False)
    assert settled_in_late_steps(3 * cases) == (3 * cases if settled is None else 3 * settled * g[T])


def test_a_case_ahead_that_stays_open_leaves_all_open():
    cases = Piecewise((1, g[T] > 0), (2, b**T < 1), (3, True))
    assert settled_in_late_steps(cases) == cases
