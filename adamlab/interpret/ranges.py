"""Ranges: bounds of formulas, and the steps at which one is within them or keeps its sign."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial, reduce
from itertools import product
from types import MappingProxyType
from typing import Any

import mpmath
from sympy import Abs, Add, Max, Min, Mul, Piecewise, Pow, Symbol, ceiling, floor, oo, sign, sympify

from adamlab.interpret.evaluation import evaluate
from adamlab.interpret.signs import HIGHEST_POWER, is_nonnegative, is_positive
from adamlab.interpret.sympy_primitives import COMPARE, Mod
from adamlab.types import Formula

Bounds = tuple[Any, Any]
"""The least and the greatest of the numbers that something can be; they may be infinite."""

ANY: Bounds = (-oo, oo)
"""The bounds of what nothing is known of."""

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


def first_zero(e: Formula, t: Symbol) -> int | None:
    """The first step at which a formula is 0, or may be for all that is known; None where it is 0 at no step."""
    after, _ = settling(e, t, "==")
    if after is None:
        return next((k for k in range(1, TRIED_STEPS + 1) if at_step(e, t, k) == 0), TRIED_STEPS + 1)
    return after - 1 or None


def at_step(e: Formula, t: Symbol, k: int) -> Any:
    """The value of a formula in t alone at a step."""
    with mpmath.workdps(DIGITS):
        return evaluate(e, {t: mpmath.mpf(k)})


def wrapped_formula(value: Formula, low: int, high: int, bounds: Bounds | None = None) -> Formula:
    """An integer formula that wraps around at its type's bounds, as often for all numbers between its own bounds."""
    width = high - low + 1
    turns = {(bound - low) // width for bound in bounds or ()}
    return value - turns.pop() * width if len(turns) == 1 else Mod(value - low, width) + low


@lru_cache(maxsize=1024)
def steps_within(value: Formula, t: Symbol, low: int, high: int, since: int) -> tuple[int, int]:
    """The first and the last step, since one, at which an integer is between its bounds, as it is at all between."""
    at = partial(at_step, value, t)

    def within(k: int) -> bool:
        return low <= at(k) <= high

    if not _is_monotone(value, t):
        shown, tried = last_within(value, t, low, high, since), range(since, since + TRIED_STEPS)
        return since, shown if shown >= tried[-1] else next((k for k in tried if not within(k)), tried.stop) - 1
    first = max(since, _first(lambda k: at(k) >= low if at(1) <= at(LAST) else at(k) <= high))
    outside = _first(lambda k: k >= first and not within(k))
    return first, outside - 1 if not within(outside) else LAST


def last_within(value: Formula, t: Symbol, low: int, high: int, since: int) -> int:
    """The last step up to which an integer is between its bounds, whatever else it depends on; 0 if unknown."""

    def leaves(last: int) -> bool:
        bounds = range_of(value, {t: (since, max(since, last))})
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


def range_of(e: Any, symbols: Mapping[Any, Bounds] = MappingProxyType({})) -> Bounds | None:
    """Bounds of what a formula can be, the tightest ones for many integers; None where they are not plain.

    Args:
        e: the formula.
        symbols: bounds of symbols.
    """
    bounds = _bounds_of(e, symbols)
    return bounds if all(sympify(bound).is_finite for bound in bounds) else None


def _bounds_of(e: Any, symbols: Mapping[Any, Bounds]) -> Bounds:
    """Bounds of what a formula can be, infinite ones where none are plain."""
    if e in symbols:
        return symbols[e]
    if e.is_Number:
        return (e, e) if e.is_finite else ANY
    of_kind = next((function for kind, function in _BOUNDS.items() if isinstance(e, kind)), None)
    if of_kind is None:
        return (0 if e.is_Symbol and e.is_nonnegative else -oo), oo
    parts: Any = e.args
    values = [case for case, _ in parts] if isinstance(e, Piecewise) else parts
    return of_kind(e, [_bounds_of(value, symbols) for value in values])


def _bounds_of_power(e: Pow, parts: Sequence[Bounds]) -> Bounds:
    base, n = parts[0], e.exp
    if n.is_Integer and 0 < n <= HIGHEST_POWER:
        low, high = reduce(_bounds_of_product, [base] * int(n))
        return (max(low, 0) if n.is_even else low), high
    if n == -1 and base[0] > 0:
        return 1 / sympify(base[1]), 1 / sympify(base[0])
    return (0 if is_nonnegative(e) else -oo), oo


def _bounds_of_product(a: Bounds, b: Bounds) -> Bounds:
    ends = [x * y if x != 0 and y != 0 else 0 for x, y in product(a, b)]
    return min(ends), max(ends)


def _bounds_of_remainder(e: Formula, parts: Sequence[Bounds]) -> Bounds:
    number, divisor = e.args
    (low, high), (_, limit) = parts
    last = limit - int(bool(number.is_integer and divisor.is_integer))
    return (0, min(high, last) if low >= 0 else last) if is_nonnegative(divisor) else ANY


def _bounds_of_sign(e: Formula, parts: Sequence[Bounds]) -> Bounds:
    low, high = map(sign, parts[0])
    return (max(low, 0) if is_nonnegative(e.args[0]) else low), high


_BOUNDS: dict[Any, Callable[[Any, Sequence[Bounds]], Bounds]] = {
    Add: lambda e, parts: (sum(low for low, _ in parts), sum(high for _, high in parts)),
    Mul: lambda e, parts: reduce(_bounds_of_product, parts),
    Pow: _bounds_of_power,
    Mod: _bounds_of_remainder,
    sign: _bounds_of_sign,
    Abs: lambda e, parts: (max(parts[0][0], -parts[0][1], 0), max(-parts[0][0], parts[0][1])),
    Piecewise: lambda e, parts: (min(low for low, _ in parts), max(high for _, high in parts)),
    Max: lambda e, parts: (max(low for low, _ in parts), max(high for _, high in parts)),
    Min: lambda e, parts: (min(low for low, _ in parts), min(high for _, high in parts)),
    (floor, ceiling): lambda e, parts: (e.func(parts[0][0]), e.func(parts[0][1])),
}
"""The bounds of formulas of each kind by those of their parts, of cases without their conditions."""


def truth_by_sign(relation: str, difference: Formula) -> bool | None:
    """The truth of a relation by the sign of the sides' difference, without any assumption; None if unknown."""
    if difference == 0:
        return relation in ("==", "<=", ">=")
    if is_nonnegative(difference) and (relation in ("<", ">=") or is_positive(difference)):
        return relation in (">", ">=", "!=")
    if is_nonnegative(-difference) and (relation in (">", "<=") or is_positive(-difference)):
        return relation in ("<", "<=", "!=")
    return None


def truth_by_range(
    relation: str, difference: Formula, symbols: Mapping[Any, Bounds] = MappingProxyType({})
) -> bool | None:
    """The truth of a relation by bounds of the sides' difference, given those of symbols; None if they do not tell."""
    bounds = _bounds_of(difference, symbols)
    truths = {bool(COMPARE[relation](bound, 0)) for bound in bounds}
    is_one_sided = bool(bounds[0] > 0 or bounds[1] < 0) or relation not in ("==", "!=")
    return truths.pop() if len(truths) == 1 and is_one_sided else None
