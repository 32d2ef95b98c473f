"""Series and limits against numbers near the limit."""

import itertools
from typing import Any

import jax.numpy as jnp
import pytest
import sympy
from sympy import (
    Abs,
    IndexedBase,
    Integer,
    Max,
    Min,
    Piecewise,
    Rational,
    Sum,
    Symbol,
    ceiling,
    exp,
    oo,
    sign,
    sqrt,
    symbols,
)

import adamlab as al
from adamlab.interpret.equality import same
from adamlab.interpret.signs import Rate
from adamlab.symbolic.letters import T
from adamlab.symbolic.maximum import Maximum
from adamlab.symbolic.proving.late_steps import in_late_steps
from adamlab.symbolic.solving.limits import DELTA, NoLimitError, exceptions_of_limit, limit_of, series
from tests.symbolic.examples import transformation

b = Rate("b")
eps = Symbol("eps", positive=True)
x, y = symbols("x y", real=True)
i = Symbol("i", integer=True, positive=True)
g: Any = IndexedBase("g", real=True)
discounted = Sum(b ** (T - i) * g[i] ** 2, (i, 1, T))

LIMITS = [
    ((1 - b) / (1 - b**T), b, 1, 1 / T),
    (discounted, b, 1, Sum(g[i] ** 2, (i, 1, T))),
    ((1 - b) * discounted / (1 - b**T), b, 1, Sum(g[i] ** 2, (i, 1, T)) / T),
    (sqrt((1 - b) * discounted / (1 - b**T)), b, 1, sqrt(Sum(g[i] ** 2, (i, 1, T)) / T)),
    ((1 - b**T - T * (1 - b)) / (1 - b) ** 2, b, 1, -T * (T - 1) / 2),
    (discounted, b, 0, g[T] ** 2),
    (eps * x / (sqrt(y**2) + eps), eps, oo, x),
    (x / (sqrt(y**2) + eps), eps, 0, x / Abs(y)),
    (Max(x * eps, y * eps + 1) / eps, eps, oo, Max(x, y)),
    (sign(x * eps + x**2 * eps**2), eps, 0, sign(x)),
    (Maximum(b ** (T - i) * Abs(g[i]), (i, 1, T)), b, 1, Maximum(Abs(g[i]), (i, 1, T))),
    (Max(Min(x, eps), -eps), eps, oo, x),
    (Max(x, eps * y), eps, 0, Max(x, 0)),
    (eps * Max(x / eps, -1 / eps), eps, 0, Max(x, -1)),
    (eps * Max(x / eps, -1 / eps, y), eps, 0, Max(x, 0)),
    ((Abs(x + y * eps) - Abs(x)) / eps, eps, 0, y * sign(x)),
    (Min(x, y + 1 / eps), eps, 0, x),
    (sign(b + Abs(x)), b, 1, Integer(1)),
    (sign(x * (b + Abs(y)) + 1 - b), b, 1, sign(x)),
]


def test_limits_are_seen():
    assert [e for e, symbol, value, limit in LIMITS if not same(limit_of(e, symbol, value), limit)] == []


def test_limits_are_what_numbers_come_near_to():
    """A check of the expectations themselves, by numbers alone."""
    near = {0: Rational(1, 10**12), 1: 1 - Rational(1, 10**12), oo: Integer(10**12)}
    point = {x: Rational(7, 3), y: Rational(-5, 4), g[1]: Integer(2), g[2]: Rational(-3, 2), g[3]: Rational(1, 3)}
    far = []
    for e, symbol, value, limit in LIMITS:
        sides = [side.subs(T, 3).doit().xreplace(point) for side in (e.xreplace({symbol: near[value]}), limit)]
        if not abs(sides[0].evalf(40) - sides[1].evalf(40)) < 1e-9:
            far.append(e)
    assert far == []


TRAPS: list[tuple[Any, Symbol, Any]] = [
    (Max(x / eps, y), eps, 0),
    (Max(x, eps * y) / eps, eps, 0),
    (Min(1 / eps, x / eps, y), eps, 0),
    (Min(1, eps * y) / eps, eps, 0),
    (y / (Max(x, 0) + eps), eps, 0),
    (sign(Max(x, 0) - eps), eps, 0),
    (Abs(x - eps), eps, 0),
    (Abs(x - y * eps) / eps, eps, oo),
    (sign(y - x * eps), eps, oo),
    ((1 / b - sum((1 - b) ** k for k in range(5))) / (1 - b) ** 5, b, 1),
    *((Max(x, (1 / b - sum((1 - b) ** k for k in range(4))) / (1 - b) ** n), b, 1) for n in (3, 4, 5)),
    (Sum(b ** (i - 1) * g[i], (i, 1, T)), b, 0),
    (Sum(b ** (T - i) * g[i], (i, 1, T)) / b, b, 0),
    (b ** (T - 1) * x, b, 0),
    (x / b, b, 0),
    ((x**eps) ** (1 / eps), eps, oo),
    ((Abs(x) ** eps + Abs(y) ** eps) ** (1 / eps), eps, oo),
    (sqrt(x**2 + eps) - x, eps, 0),
    (sqrt(x**2 * eps**2 + y * eps) - Abs(x) * eps, eps, oo),
    (sign(b + sign(x)), b, 1),
    (sign(sign(x) + b * sign(y)), b, 1),
    (sign(b * Sum(sign(g[i]), (i, 1, T)) + 1 - b), b, 1),
    (eps / (Sum(sign(g[i]), (i, 1, T)) + eps), eps, 0),
    (eps / (Abs(x) + x + eps), eps, 0),
    (sign(Abs(x) - x - eps), eps, 0),
    (sign((sign(x) + 1) * (y + eps) - eps), eps, 0),
    (Max(x, 0) / eps + 1, eps, 0),
    (eps / (g[T - 1] ** 2 + eps), eps, 0),
    (sign(g[T - 1] + eps), eps, 0),
    (b / (b + Max(x, 0)), b, 0),
    (b * Max(x / b, 1), b, 0),
    (sign(Max(x, 0) - b), b, 0),
    (sign(b**2 * x + b**3 * y), b, 0),
    (ceiling(b) * x, b, 0),
    (Piecewise((x, b + x > 0), (y, True)), b, 0),
]
"""Formulas that have one limit at some points and another at others, or none; or whose terms cancel for long."""


def test_no_limit_is_claimed_that_numbers_do_not_come_near_to():
    near = {0: Rational(1, 10**30), 1: 1 - Rational(1, 10**30), oo: Integer(10) ** 30}
    claimed, far = 0, []
    for e, symbol, value in TRAPS:
        try:
            limit = limit_of(e, symbol, value)
        except NoLimitError:
            continue
        claimed += 1
        for t, signs in itertools.product((1, 2, 3), itertools.product((1, -1), repeat=2)):
            point = {x: Rational(7, 3) * signs[0], y: Rational(5, 4) * signs[1], g[0]: Integer(0)}
            point |= {g[1]: Integer(2), g[2]: Rational(-3, 2), g[3]: Rational(1, 3)}
            sides = [side.subs(T, t).doit().subs(point) for side in (e.xreplace({symbol: near[value]}), limit)]
            value_near, claim = (side.evalf(60) for side in sides)
            if value_near != claim and not abs(value_near - claim) < 1e-9:
                far.append((e, limit, t, signs))
    assert far == []
    assert claimed > 3


EXCEPTIONS: list[tuple[Any, Symbol, Any]] = [
    (sign(x + eps), eps, 0),
    (x**2 / (x**2 + eps), eps, 0),
    (Abs(x + sign(x) * eps) / (Abs(x) + eps), eps, 0),
    (sign(b * y + (1 - b) * x), b, 0),
    (sign(x * eps + y), eps, oo),
]
"""Formulas that go to their limit but where x = 0."""


@pytest.mark.parametrize("case", EXCEPTIONS, ids=str)
def test_points_at_which_a_limit_is_another_are_told(case):
    e, symbol, value = case
    limit = limit_of(e, symbol, value)
    assert exceptions_of_limit(e, symbol, value, limit) == [x]
    near = {0: Rational(1, 10**30), oo: Integer(10) ** 30}[value]
    for at, differ in ((0, True), (2, False), (-2, False)):
        sides = [side.xreplace({symbol: near, x: Integer(at), y: Integer(3)}) for side in (e, limit)]
        assert (abs(sides[0].evalf(40) - sides[1].evalf(40)) > 1e-9) == differ


def test_points_at_which_a_limit_has_no_value_are_not_told():
    for e in (x / (sqrt(y**2) + eps), sign(x) / (1 + eps)):
        assert exceptions_of_limit(e, eps, 0, limit_of(e, eps, 0)) == []


def test_a_series_has_the_coefficients_of_a_taylor_series():
    e = sqrt(1 + x**2 * DELTA) / (1 - DELTA) ** T + DELTA * (1 - DELTA) ** (T - 2)
    expansion, at_five = series(e), e.subs(T, 5)
    for k in range(4):
        expected = sympy.diff(at_five, DELTA, k).subs(DELTA, 0) / sympy.factorial(k)
        assert sympy.expand(expansion[k].subs(T, 5) - expected) == 0


def test_a_pole_has_a_negative_power_and_an_infinite_value():
    assert series(1 / DELTA + 1).lead == -1
    assert series(eps / DELTA).value == oo
    assert series(-eps / DELTA).value == -oo
    assert limit_of(1 / (1 - b), b, 1) == oo


@pytest.mark.parametrize(
    ("e", "reason"),
    [
        (Piecewise((DELTA, x > DELTA), (x, True)), "has no series"),
        (x ** (T * DELTA), "exponent"),
        (exp(1 / DELTA), "has no series"),
        (sqrt(DELTA) + DELTA, "not whole numbers apart"),
    ],
    ids=str,
)
def test_what_has_no_series_says_so(e, reason):
    with pytest.raises(NoLimitError, match=reason):
        series(e)


def test_a_sum_of_sums_has_no_limit_here_and_that_is_said():
    """A sum of momentum averages, which at a decay of 0 is the sum of the gradients."""

    def sums(lr, b1=0.5):
        def update(g, state, w: Any = None):
            z = b1 * state[0] + g
            return -lr * (z + state[1]), (z, z + state[1])

        return transformation(lambda w: (jnp.zeros_like(w), jnp.zeros_like(w)), update)

    verdict = al.prove(sums, "optax.sgd(lr)", limit={"b1": 0})
    assert verdict.status == "unknown"
    assert "a sum of sums" in str(verdict)


def test_late_steps():
    rho = 2 / (1 - b) - 1
    rho_t = rho - 2 * T * b**T / (1 - b**T)
    assert in_late_steps(rho_t / rho) == 1
    with pytest.raises(NoLimitError):
        in_late_steps(T * x)
    with pytest.raises(NoLimitError):
        in_late_steps(b**T * g[T])
