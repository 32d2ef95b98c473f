"""Ranges: bounds of formulas, and the steps at which one is within them or keeps its sign."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import lru_cache, partial, reduce
from itertools import product
from types import MappingProxyType
from typing import Any

import mpmath
from sympy import Abs, Add, Max, Min, Mul, Piecewise, Pow, Symbol, ceiling, floor, sign

from adamlab.interpret.evaluation import evaluate
from adamlab.interpret.signs import HIGHEST_POWER, is_nonnegative, is_positive
from adamlab.interpret.sympy_primitives import COMPARE, Mod
from adamlab.types import Formula

TRIED_STEPS = 1000
"""The steps that are tried one by one where an integer's range over all steps is not plain."""

DIGITS = 60
"""The digits in which conditions in t are decided."""

LAST = 2**31 - 1
"""The last step: no run gets that far, and counts of 32 bits end there."""

STEPPED = (sign, floor, ceiling, Mod, Piecewise, Max, Min)
"""Functions that take a value on more than single points: that they do not take it must not be assumed."""


@lru_cache(maxsize=1024)
def settling(difference: Formula, t: Symbol, relation: str) -> tuple[int | None, bool]:
    """The first step from which a formula stays in a relation to 0, or stays out of it, and which; None if unknown."""
    if not _is_monotone(difference, t):
        return None, False
    at, last = partial(at_step, difference, t), at_step(difference, t, LAST)
    if relation in ("==", "!="):
        zero = _first(lambda k: bool(at(k) * last >= 0))
        return (zero + 1 if at(zero) == 0 else 1), relation == "!="
    later = COMPARE[relation](last, 0)
    return _first(lambda k: COMPARE[relation](at(k), 0) == later), later


def at_step(e: Formula, t: Symbol, k: int) -> Any:
    """The value of a formula in t alone at a step."""
    with mpmath.workdps(DIGITS):
        return evaluate(e, {t: mpmath.mpf(k)})


def wrapped_formula(value: Formula, low: int, high: int, bounds: tuple[Any, Any] | None = None) -> Formula:
    """An integer formula that wraps around at its type's bounds, as often for all numbers between its own bounds."""
    width = high - low + 1
    turns = {(bound - low) // width for bound in bounds or ()}
    return value - turns.pop() * width if len(turns) == 1 else Mod(value - low, width) + low


@lru_cache(maxsize=1024)
def steps_within(value: Formula, t: Symbol, low: int, high: int) -> tuple[int, int]:
    """The first and the last step at which an integer is between its bounds, as it is at all steps between."""
    at = partial(at_step, value, t)

    def within(k: int) -> bool:
        return low <= at(k) <= high

    if not _is_monotone(value, t):
        return 1, next((k for k in range(TRIED_STEPS) if not within(k + 1)), TRIED_STEPS)
    first = _first(lambda k: at(k) >= low if at(1) <= at(LAST) else at(k) <= high)
    outside = _first(lambda k: k >= first and not within(k))
    return first, outside - 1 if not within(outside) else LAST


def last_within(value: Formula, t: Symbol, low: int, high: int) -> int:
    """The last step up to which an integer is between its bounds, whatever else it depends on; 0 if that is unknown."""

    def leaves(last: int) -> bool:
        bounds = range_of(value, {t: (1, last)})
        return bounds is None or bool(bounds[0] < low or bounds[1] > high)

    return _first(leaves) - 1 if leaves(LAST) else LAST


def _is_monotone(e: Formula, t: Symbol) -> bool:
    if e.has(*STEPPED, Abs):
        return False
    slope = e.diff(t)
    return is_nonnegative(slope) or is_nonnegative(-slope)


def _first(holds: Callable[[int], bool]) -> int:
    """The first step at which something holds that holds ever after; the last step where it never does."""
    return 1 + bisect_left(range(1, LAST), True, key=holds)


def range_of(e: Any, symbols: Mapping[Any, tuple[Any, Any]] = MappingProxyType({})) -> tuple[Any, Any] | None:
    """Bounds of what a formula can be, the tightest ones for many integers; None where they are not plain.

    Args:
        e: the formula.
        symbols: bounds of symbols.
    """
    if e.is_Number:
        return (e, e) if e.is_finite else None
    if e in symbols:
        return symbols[e]
    if isinstance(e, sign):
        return -int(not is_nonnegative(e.args[0])), 1
    parts: Any = e.args
    if isinstance(e, Mod) and parts[1].is_Integer and parts[1].is_positive:
        return 0, parts[1] - int(bool(parts[0].is_integer))
    if isinstance(e, Piecewise):
        parts = [case for case, _ in parts]
    elif isinstance(e, Abs):
        parts = [*parts, -parts[0]]
    elif isinstance(e, Pow) and parts[1].is_Integer and 0 < parts[1] <= HIGHEST_POWER:
        parts = [parts[0]] * int(parts[1])
    elif not isinstance(e, (Add, Mul)):
        return None
    ranges = [range_of(part, symbols) for part in parts]
    if None in ranges:
        return None
    bounds: Any = ranges
    if isinstance(e, Add):
        return sum(low for low, _ in bounds), sum(high for _, high in bounds)
    if isinstance(e, (Mul, Pow)):
        return reduce(_range_of_product, bounds)
    least, greatest = min(low for low, _ in bounds), max(high for _, high in bounds)
    return max(least, 0) if isinstance(e, Abs) else least, greatest


def _range_of_product(a: tuple[Any, Any], b: tuple[Any, Any]) -> tuple[Any, Any]:
    ends = [x * y for x, y in product(a, b)]
    return min(ends), max(ends)


def truth_by_sign(relation: str, difference: Formula) -> bool | None:
    """The truth of a relation by the sign of the sides' difference, without any assumption; None if unknown."""
    if difference == 0:
        return relation in ("==", "<=", ">=")
    if is_nonnegative(difference) and (relation in ("<", ">=") or is_positive(difference)):
        return relation in (">", ">=", "!=")
    if is_nonnegative(-difference) and (relation in (">", "<=") or is_positive(-difference)):
        return relation in ("<", "<=", "!=")
    return None


def truth_by_range(relation: str, difference: Formula) -> bool | None:
    """The truth of a relation by bounds of the sides' difference; None if they do not tell."""
    bounds = range_of(difference)
    truths = {bool(COMPARE[relation](bound, 0)) for bound in bounds} if bounds else set()
    is_one_sided = bounds is not None and (bounds[0] > 0 or bounds[1] < 0 or relation not in ("==", "!="))
    return truths.pop() if len(truths) == 1 and is_one_sided else None
