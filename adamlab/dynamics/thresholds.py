"""The number up to which a polynomial stays stable: certified where all others are numbers, or as a formula."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sympy import (
    Integer,
    Min,
    Poly,
    PolynomialError,
    Rational,
    Symbol,
    cancel,
    count_ops,
    factor_list,
    fraction,
    oo,
    sqrt,
)
from sympy import together as as_fraction
from sympy.polys.polyerrors import CoercionFailed

from adamlab.dynamics.jury import Condition, always_holds, at, is_stable, tidy
from adamlab.errors import InputError
from adamlab.interpret.signs import Rate, is_positive
from adamlab.symbolic.notation.printing import text
from adamlab.types import Formula

WIDTH = Rational(1, 10**24)
"""The width that the interval around a threshold is narrowed to, relative to the threshold."""

DRAWS = 24
"""The drawn settings at which candidates for a formula are held against certified thresholds."""

LONGEST = 80
"""The most operations of a formula that is worth showing."""


class NoThresholdError(InputError):
    """A step whose coefficients are no fractions of polynomials, so that no root of theirs can be isolated."""


@dataclass(frozen=True)
class Threshold:
    """A formula, and whether it is proved, by the signs of the other conditions, or held against drawn settings."""

    formula: Formula
    is_proved: bool


def certified(
    factors: Sequence[Poly], conditions: Sequence[Condition], x: Symbol, numbers: Mapping[Symbol, Any]
) -> Any:
    """The largest number so that the polynomials are stable at every smaller x > 0; ∞ where they always are.

    The first root of a condition is isolated by Sturm's theorem, and a point before it is decided by Jury's table, both
    in exact rationals; the result is a rational within 1e-24, relative, of the threshold. It is 0 where small x are not
    stable either.

    Raises:
        NoThresholdError: a condition is no fraction of polynomials in x with rational coefficients.
    """
    crossings = [root for c in conditions for root in _first_roots(c.formula.xreplace(dict(numbers)), x)]
    first = min(crossings, default=oo)
    inside = Integer(1) if first is oo else first / 2
    stable = all(is_stable(row) for row in at(factors, {**numbers, x: inside}))
    return first if stable else Integer(0)


def _first_roots(e: Formula, x: Symbol) -> list[Any]:
    """The first root above 0 of the numerator and of the denominator."""
    roots = []
    for side in fraction(as_fraction(cancel(e))):
        try:
            polynomial = Poly(side, x, domain="QQ").sqf_part()
        except (PolynomialError, CoercionFailed) as error:
            raise NoThresholdError(
                f"no threshold of {x.name} can be certified, since what decides it, {text(e)}, is no fraction of "
                f"polynomials in {x.name} with rational coefficients."
            ) from error
        if polynomial.eval(0) == 0:
            polynomial = polynomial.quo(Poly(x, x, domain="QQ"))
        isolated: Any = polynomial.intervals(inf=0) if polynomial.degree() > 0 else []
        if isolated:
            (low, high), _ = isolated[0]
            for _ in range(2):  # the second time by the root's own size
                if low != high:
                    low, high = polynomial.refine_root(low, high, eps=WIDTH * high)
            roots.append((low + high) / 2)
    return roots


def as_formula(factors: Sequence[Poly], conditions: Sequence[Condition], x: Symbol) -> Threshold | None:
    """The threshold in terms of the other numbers; None where no formula was found.

    Where a single condition can fail, and does so beyond some x, that x is the formula. Else candidates are the
    solutions of single conditions, and the least of these; the formula is the candidate that is the certified threshold
    at all drawn settings, or not above 0 where no small x is stable.
    """
    failing = [c for c in conditions if not always_holds(c)]
    is_whole = all(p.degree() <= 2 for p in factors)  # then the conditions are not just those that can fail first
    if is_whole and len(failing) == 1 and _is_upper_bound(failing[0].formula, x):
        return Threshold(next(iter(_solutions(failing[0].formula, x)), Integer(0)), True)
    candidates = list(dict.fromkeys(root for c in failing for root in _solutions(c.formula, x)))
    candidates = [e for e in candidates if count_ops(e) <= LONGEST]
    others: list[Any] = sorted(
        {s for p in factors for s in p.as_expr().free_symbols} - {x, *(p.gen for p in factors)}, key=str
    )
    drawing = random.Random(20150507)
    settings = [{s: _drawn(s, drawing) for s in others} for _ in range(DRAWS)]
    try:
        thresholds = [certified(factors, conditions, x, numbers) for numbers in settings]
    except NoThresholdError:
        return None
    if len({str(threshold) for threshold in thresholds}) == 1 and thresholds[0] in (oo, 0):
        return Threshold(thresholds[0], is_whole and not failing)
    if oo in thresholds:
        return None
    values = [[_real(e, numbers) for e in candidates] for numbers in settings]
    positive = [k for k in range(len(candidates)) if all(row[k] > 0 for row in values)]
    least = [Min(*(candidates[k] for k in positive))] if len(positive) > 1 else []
    for candidate, sizes in [
        *zip(candidates, zip(*values, strict=True), strict=True),
        *((e, [min(row[k] for k in positive) for row in values]) for e in least),
    ]:
        if all(_fits(size, threshold) for size, threshold in zip(sizes, thresholds, strict=True)):
            return Threshold(candidate, False)
    return None


def _is_upper_bound(e: Formula, x: Symbol) -> bool:
    """Whether e > 0 is x < a for some a: it is linear in x, and falls."""
    above, below = fraction(as_fraction(e))
    if not above.is_polynomial(x):
        return False
    polynomial = Poly(above, x)
    return polynomial.degree() == 1 and is_positive(below) and is_positive(-polynomial.LC())


def _solutions(e: Formula, x: Symbol) -> list[Formula]:
    """The roots in x, but for 0, of the factors of a formula that are linear or quadratic in x."""
    listed: Any = factor_list(fraction(as_fraction(e))[0])
    roots = []
    for part, _ in listed[1]:
        try:
            coefficients = Poly(part, x).all_coeffs()
        except PolynomialError:
            continue
        if len(coefficients) == 2 and coefficients[1] != 0:
            roots.append(tidy(-coefficients[1] / coefficients[0]))
        if len(coefficients) == 3:
            a, b, c = coefficients
            root = sqrt(b**2 - 4 * a * c)
            roots += [(-b + root) / (2 * a), (-b - root) / (2 * a)]
    return roots


def _drawn(symbol: Symbol, drawing: random.Random) -> Any:
    """A rate in (0, 1), near its ends too, or a positive number of any size from 1e-3 to 1e3."""
    if isinstance(symbol, Rate):
        return Rational(drawing.choice([drawing.randint(1, 99), drawing.randint(1, 9), drawing.randint(91, 99)]), 100)
    return Rational(f"{10 ** drawing.uniform(-3, 3):.4g}")


def _real(e: Formula, numbers: Mapping[Symbol, Any]) -> float:
    """The value of a formula; NaN where it is not real."""
    value = e.xreplace(dict(numbers)).evalf(40)
    return float(value) if value.is_real else float("nan")


def _fits(value: float, threshold: Any) -> bool:
    """Whether the value of a formula is the threshold; or not above 0 where that is 0."""
    return not value > 0 if threshold == 0 else abs(value - float(threshold)) <= 1e-12 * float(threshold)
