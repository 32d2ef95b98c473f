"""Assumptions tried on numbers: what fails on more than single points must not be assumed.

States start where the optimizer starts them, gradients are drawn without a pattern, small ones and large ones.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf
from sympy import Indexed, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from adamlab.interpret.evaluation import evaluate
from adamlab.interpret.signs import Complement, Rate

DIGITS = 40
"""The digits computed with."""

MORE_DIGITS = 400
"""The digits in which a difference of formulas is confirmed, since terms may cancel."""

STEPS = 12
"""The steps of a trial."""

SCALES = ((0, 0), (0, 0), (-9, 9), (5, 9), (-9, -5), (0, 2))
"""The range of the gradients' powers of 10, for each trial."""

SIGNS = (0, 1, -1)
"""The gradients' sign in a trial, in turn: any, all positive, all negative."""


POINTS = 2
"""The points at which two formulas are compared."""

WHOLE_NUMBERS = 6, 12
"""The range of steps and other whole numbers at these: sums to t − 4 have terms, and few of them."""

LATEST = 500
"""The latest start of a sum that is tried, since sums from 1 then have at least as many terms."""

CLEAR = 1e-8
"""The relative distance from which two formulas differ; what rounding makes of equal ones is far less."""

UNTOLD = (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError)
"""What is raised where a formula has no meaning in numbers."""


class Draws:
    """Numbers for a trial: gradients, losses and the numbers left open."""

    def __init__(self, trial: int):
        self.trial, self._rng = trial, np.random.default_rng(trial)

    def number(self, symbol: Symbol) -> Any:
        """A number from the domain of a symbol."""
        return mpf(self._rng.uniform(0.05, 0.95) if isinstance(symbol, Rate) else 10 ** self._rng.uniform(-2, 1))

    def gradient(self) -> Any:
        """A gradient, or a parameter's start."""
        low, high = SCALES[self.trial % len(SCALES)]
        sign = SIGNS[self.trial // 2 % len(SIGNS)] or self._rng.choice([-1, 1])
        return mpf(sign * self._rng.uniform(0.1, 1) * 10 ** self._rng.uniform(low, high))

    def loss(self) -> Any:
        """A loss."""
        return mpf(self._rng.uniform(0.5, 2))


def draws() -> Iterator[Draws]:
    """The draws of every trial."""
    return map(Draws, range(len(SCALES)))


def holds(condition: Any, values: Mapping[Any, Any]) -> bool:
    """Whether a condition holds on these numbers; where it cannot be told on numbers it is said to hold."""
    try:
        return bool(evaluate(condition, values))
    except UNTOLD:
        return True


class _Point(dict[Any, Any]):
    """A number for each symbol, and for each x[1], x[2] …, drawn from its domain when it is asked for."""

    def __init__(self, seed: int, first: int):
        super().__init__()
        self._rng, self._first = np.random.default_rng(seed), first

    def __contains__(self, e: Any) -> bool:
        return e.is_Symbol or (isinstance(e, Indexed) and all(k.is_Integer for k in e.indices))

    def __missing__(self, e: Any) -> Any:
        self[e] = mpf(self._drawn(e))
        return self[e]

    def _drawn(self, e: Any) -> float:
        if isinstance(e, (Rate, Complement)):
            return self._rng.uniform(0.05, 0.95)
        if e.is_integer:
            return float(self._first + self._rng.integers(*WHOLE_NUMBERS))
        size = 10 ** self._rng.uniform(-1, 1)
        is_negative = e.is_nonpositive or (not e.is_nonnegative and self._rng.random() < 0.5)
        return -size if is_negative else size


def _latest_start(e: Any) -> int:
    """The number that the last of its sums starts from, ahead of which an equation of sums need not hold."""
    starts = [low for part in e.atoms(ExprWithLimits) for _, low, *_ in part.limits]
    return max([int(low) for low in starts if low.is_Integer], default=0)


@lru_cache(maxsize=4096)
def differ(left: Any, right: Any) -> bool:
    """Whether two formulas are clearly apart at a point, so that they cannot be the same; a proof takes far longer."""
    return all(_are_apart(left, right, digits) for digits in (DIGITS, MORE_DIGITS))


def _are_apart(left: Any, right: Any, digits: int) -> bool:
    first = max(map(_latest_start, (left, right)))
    if first > LATEST:
        return False
    with mpmath.workdps(digits), suppress(*UNTOLD):
        for seed in range(POINTS):
            point = _Point(seed, first)
            a, b = evaluate(left, point), evaluate(right, point)
            if mpmath.isfinite(a) and mpmath.isfinite(b) and abs(a - b) > CLEAR * max(abs(a), abs(b)):
                return True
    return False


def broken(conditions: Any, values: Callable[[Draws], Iterator[Mapping[Any, Any]]]) -> dict[Any, set[int]]:
    """The steps, from 1, at which each condition fails in any trial, for the values that a trial has at each step."""
    steps: dict[Any, set[int]] = {condition: set() for condition in conditions}
    if not steps:
        return steps
    with mpmath.workdps(DIGITS):
        for draw in draws():
            with suppress(*UNTOLD):
                for t, known in enumerate(values(draw), start=1):
                    for condition, failed in steps.items():
                        if not holds(condition, known):
                            failed.add(t)
    return steps
