"""Recurrences solved for every t, beside loops over numbers: what is solved is right, and nothing else is solved."""

from typing import Any

import pytest
import sympy
from sympy import Abs, IndexedBase, Integer, Max, Rational, Symbol, expand, sqrt

from adamlab.interpret.signs import Rate
from adamlab.symbolic.letters import INDICES, T
from adamlab.symbolic.solving.recurrences import Recurrence, written_out

b = Rate("b")
c = Symbol("c", positive=True)
before, s = Symbol("before", real=True), Symbol("s", real=True)
g: Any = IndexedBase("g", real=True)

Sum: Any = sympy.Sum

NUMBERS = {b: Rational(3, 4), c: Rational(1, 3), s: Rational(-5, 2)}
GRADIENTS = [Rational(n, 7) for n in (0, -3, 5, 2, -9, 8, -1)]  # from g₀, which is 0, on

SOLVED: list[tuple[Any, Any]] = [
    (b * before + (1 - b) * g[T] ** 2, Integer(0)),
    (b * before + g[T], s),
    (before + c, Integer(0)),
    (before + c, s),
    (b * before + c, s),
    (before + g[T], s),
    ((1 - 1 / T) * before + g[T] / T, Integer(0)),
    (c * g[T], s),
    (Max(b * before, Abs(g[T])), Integer(0)),
    (Max(before, g[T]), s),
    (Max(before, c), Integer(0)),
    (Max(before, -Abs(g[T])), -c),
]
"""Recurrences, and starts, that have a closed form."""

OTHERS: list[tuple[Any, Any]] = [
    (before / 2 + T * g[T], Integer(1)),
    (Max(-before, g[T]), s),
    (Max(b * before, c), 3 * c),
    (Max(b * before, g[T]), s),
    (Max(b * before, g[T]), Integer(0)),
    (Max(b * before - c, g[T]), Integer(1)),
    (Max(b * before, before - c), Integer(1)),
    (before**2 + g[T], Integer(0)),
    (g[T] * before + c, Integer(1)),
    (T * before + g[T], Integer(1)),
    (sqrt(before**2 + g[T] ** 2), Integer(0)),
    (Abs(b * before + g[T]), Integer(0)),
]
"""Those that may be left as they are."""


def at_numbers(e: Any) -> Any:
    return e.xreplace({g[k]: value for k, value in enumerate(GRADIENTS)}).subs(NUMBERS)


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize("origin", [0, 2])
@pytest.mark.parametrize(("e", "start"), [*SOLVED, *OTHERS], ids=str)
def test_closed_forms_are_the_steps_one_by_one(e, start, origin):
    form = Recurrence(e, before, start, origin).solved()
    if form is None:
        assert (e, start) in OTHERS
        return
    value = at_numbers(start)
    for t in range(origin + 1, len(GRADIENTS)):
        value = at_numbers(e.xreplace({before: value}).subs(T, t))
        assert float(at_numbers(form.subs(T, t).doit())) == pytest.approx(float(value), abs=1e-12), t


def test_sums_within_sums_are_written_out():
    i, j = INDICES[:2]
    total: Any = Sum(b**i * Sum(g[j], (j, 1, i)), (i, 1, T)) + Sum(g[j], (j, 1, i), (i, 1, T))
    totals = [sum(GRADIENTS[1 : k + 1]) for k in (1, 2, 3)]
    expected = sum(b**k * x + x for k, x in enumerate(totals, start=1))
    assert expand(written_out(total, 3).xreplace({g[k]: x for k, x in enumerate(GRADIENTS)}) - expected) == 0
    assert written_out(total, 0) == 0
