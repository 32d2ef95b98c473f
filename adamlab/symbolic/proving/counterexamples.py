"""Small numbers on which two optimizers part, looked for and confirmed by running both exactly."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from itertools import cycle
from typing import Any

import mpmath
import numpy as np

from adamlab.interpret.oracle import ExactTrajectory, Trial, read_exactly, run_together
from adamlab.interpret.programs import Subject
from adamlab.symbolic.letters import G, T

DIGITS = 50
"""The digits in which counterexamples are looked for."""

FINE = 400
"""The digits in which a difference is confirmed."""

NEAR = mpmath.mpf(10) ** -30
"""The relative distance below which exact updates are the same; their cancellations cost less than 20 digits."""

GRADIENTS: tuple[tuple[str, ...], ...] = (
    ("1", "2"),
    ("2", "-1", "3"),
    ("-1", "3", "0.5", "2", "-2", "1"),
    ("0.01", "-0.02", "0.03", "0.01"),
    ("100", "-300", "200", "100"),
    ("-30000", "20000", "-10000", "1"),
    ("1", "-1", "2", "1", "3", "-2", "1", "2", "-1", "1", "2", "3"),
)
"""Sequences to try, none with a zero."""

WITH_ZEROS: tuple[tuple[str, ...], ...] = (("0", "1", "2"), ("1", "0", "0", "2"))

NOT_0, NOT_THE_LAST, NOT_TURNED = (
    "no gradient is 0",
    "no gradient is that of the step before",
    "no gradient is minus that of the step before",
)

SPECIAL: dict[str, tuple[tuple[str, ...], ...]] = {
    NOT_0: WITH_ZEROS,
    NOT_THE_LAST: (("-3", "-3", "2", "2"),),
    NOT_TURNED: (("-3", "3", "1", "-1"),),
}
"""Sequences of gradients at single points, each with the assumption that they do not occur."""

SPECIAL_POINTS = {G[T]: NOT_0, G[T - 1] - G[T]: NOT_THE_LAST, G[T - 1] + G[T]: NOT_TURNED}
"""What is 0 at these points."""

ARRAYS: tuple[tuple[tuple[str, ...], ...], ...] = ((("1", "-2"), ("3", "1"), ("-1", "0.5")),)
"""Gradients of an array of parameters, to see whether its entries depend on each other."""

MOST_SHOWN, FEW = 16, 4
"""The most gradients of a counterexample that are shown, and how many are shown of more."""

DISTANCES = ("1e-20", "1e-40")
"""The distances of numbers from their limits, the farther and the nearer."""

FALLING = mpmath.mpf(10) ** -3
"""A gap that falls with a power of the distance, the sixth root or a higher one, falls to less than this fraction."""

START = "1"
"""The value that parameters start from."""

LOSSES = ("1", "3", "2")
"""The losses that `update` is told, in turn."""

RATES = (("0.5", "0.25", "0.75", "0.125"), ("0.9", "0.99", "0.8", "0.95"))
"""Values of decay rates, in turn; a row for each trial."""

OTHERS = (("1", "2", "3", "0.5", "5"), ("0.1", "0.5", "0.2", "0.3", "0.7"))
"""Values of other numbers, in the same trials."""


@dataclass(frozen=True)
class Counterexample:
    """Numbers on which two optimizers part: all that is needed to run both again with `al.exact`.

    Attributes:
        hyper: the numbers, as decimals, by name.
        gradients: the gradient of each step up to that at which they part.
        params: the parameter's start.
        step: the step at which the updates differ.
        left, right: the two updates at that step.
    """

    hyper: Mapping[str, str]
    gradients: list[Any]
    params: Any
    step: int
    left: Any
    right: Any

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON; the updates as decimals of 20 digits."""
        shown = {side: mpmath.nstr(getattr(self, side), 20) for side in ("left", "right")}
        return {
            "hyper": dict(self.hyper),
            "gradients": self.gradients,
            "params": self.params,
            "step": self.step,
            **shown,
        }

    def __str__(self):
        numbers = ", ".join(f"{name} = {value}" for name, value in self.hyper.items())
        shown = _told_apart(self.left, self.right)
        few = [*self.gradients[:FEW], "…", self.gradients[-1]] if len(self.gradients) > MOST_SHOWN else self.gradients
        gradients = ", ".join(map(str, few))
        return (
            f"with {numbers + ', ' if numbers else ''}w = {self.params} and gradients {gradients} "
            f"the update at step {self.step} is {shown[0]} on the left and {shown[1]} on the right"
        )


def _told_apart(left: Any, right: Any) -> list[str]:
    """Two numbers in as many digits as it takes to tell them apart."""
    shown: list[str] = []
    for digits in (10, 20, DIGITS):
        shown = [str(mpmath.nstr(x, digits)) if isinstance(x, mpmath.mpf) else str(x) for x in (left, right)]
        if shown[0] != shown[1]:
            break
    return shown


def find(left: Subject, right: Subject, rates: Collection[str], sequences: Sequence[Any]) -> Counterexample | None:
    """The first of some small numbers and sequences of gradients on which the two part; None if all agree."""
    names = list(dict.fromkeys([*left.numbers, *right.numbers]))
    trials = [(hyper, gradients) for hyper in _assignments(names, rates) for gradients in sequences]
    for hyper, gradients in _suspicious(left, right, trials):
        if counterexample := confirmed(left, right, hyper, gradients):
            return counterexample
    return None


def confirmed(
    left: Subject, right: Subject, hyper: Mapping[str, str], gradients: Sequence[Any]
) -> Counterexample | None:
    """The first step at which the two part on these numbers in exact arithmetic; None where they agree."""
    for t, a, b in _partings(left, right, hyper, gradients):
        return Counterexample(used(left, right, hyper), list(gradients[:t]), START, t, a, b)
    return None


def apart_in_the_limit(
    left: Subject,
    right: Subject,
    rates: Collection[str],
    limit: Mapping[str, Any],
    sequences: Sequence[Any] = GRADIENTS[:3],
) -> Counterexample | None:
    """Numbers near their limits on which the two stay apart; None where every gap falls as the numbers come nearer."""
    names = list(dict.fromkeys([*left.numbers, *right.numbers]))
    for hyper in _assignments(names, rates):
        for gradients in sequences:
            far, near = (
                hyper | {name: _near(target, distance) for name, target in limit.items()} for distance in DISTANCES
            )
            gaps = {t: abs(a - b) for t, a, b in _partings(left, right, far, gradients)}
            for t, a, b in _partings(left, right, near, gradients):
                if abs(a - b) > FALLING * gaps.get(t, 0):
                    return Counterexample(used(left, right, near), list(gradients[:t]), START, t, a, b)
    return None


def apart_short_of_the_limit(
    left: Subject, right: Subject, rates: Collection[str], limit: Mapping[str, Any]
) -> Counterexample | None:
    """Numbers at the farther distance from their limits on which the two part; None if none were found."""
    names = list(dict.fromkeys([*left.numbers, *right.numbers]))
    numbers = {name: _near(target, DISTANCES[0]) for name, target in limit.items()}
    searches = (
        confirmed(left, right, hyper | numbers, gradients)
        for hyper in _assignments(names, rates)
        for gradients in GRADIENTS[:3]
    )
    return next((counterexample for counterexample in searches if counterexample), None)


def _near(target: Any, distance: str) -> str:
    """A number at that distance from its limit 0, 1 or ∞."""
    with localcontext(prec=2 * DIGITS):  # or else 1 − 1e-40 would be 1
        near = {0: Decimal(distance), 1: 1 - Decimal(distance)}.get(target, 1 / Decimal(distance))
    return f"{near:f}"


def _partings(
    left: Subject, right: Subject, hyper: Mapping[str, str], gradients: Sequence[Any]
) -> list[tuple[int, Any, Any]]:
    """The steps with each two entries of their updates that are not the same.

    In many more digits the entries have to be as far apart: where they cancel to 0, they differ by rounding alone.
    """
    rough = _pairs(left, right, hyper, gradients, DIGITS)
    if not any(_apart(a, b) for _, a, b in rough):
        return []
    fine = _pairs(left, right, hyper, gradients, FINE)
    return [
        parting
        for parting, (_, a, b) in zip(fine, rough, strict=True)
        if _apart(a, b) and _apart(*parting[1:]) and not abs(parting[1] - parting[2]) <= abs(a - b) / 2
    ]


def _suspicious(left: Subject, right: Subject, trials: Sequence[Trial]) -> Sequence[Trial]:
    """The trials in which the two part, all run at once; where that cannot be done, all trials."""
    shapes = [np.shape(gradients[0]) for _, gradients in trials]
    parted: set[int] = set()
    try:
        for shape in dict.fromkeys(shapes):
            places = [k for k, own in enumerate(shapes) if own == shape]
            alike, start = [trials[k] for k in places], np.full(shape, START, object)
            updates = [run_together(side, alike, start, LOSSES, DIGITS) for side in (left, right)]
            parted |= {k for k, a, b in zip(places, *updates, strict=True) if any(map(_apart, a, b))}
    except Exception:  # whatever a foreign optimizer makes of numbers; a single trial may come to be read
        return trials
    return [trial for k, trial in enumerate(trials) if k in parted]


def _pairs(
    left: Subject, right: Subject, hyper: Mapping[str, str], gradients: Sequence[Any], digits: int
) -> list[tuple[int, Any, Any]]:
    """The steps with each entry of the left's update and that of the right's."""
    updates = [run(side, hyper, gradients, digits).updates for side in (left, right)]
    steps = enumerate(zip(*updates, strict=True), start=1)
    return [(t, a, b) for t, pair in steps for a, b in zip(*map(_entries, pair), strict=True)]


def used(left: Subject, right: Subject, hyper: Mapping[str, str]) -> dict[str, str]:
    """The numbers that are open on a side, by name."""
    return {n: v for n, v in hyper.items() if any(n in s.numbers and s.numbers[n] is None for s in (left, right))}


def run(subject: Subject, hyper: Mapping[str, str], gradients: Sequence[Any], digits: int = DIGITS) -> ExactTrajectory:
    """The optimizer run in exact numbers, with `hyper` for those that are open, on losses that go up and down."""
    numbers = {name: hyper[name] if value is None else value for name, value in subject.numbers.items()}
    params = np.full(np.shape(gradients[0]), START, object) if np.ndim(gradients[0]) else START
    rows = [np.array(g, object) if np.ndim(g) else g for g in gradients]
    return read_exactly(
        replace(subject, numbers=numbers), rows, params, [LOSSES[t % len(LOSSES)] for t in range(len(rows))], digits
    )


def _assignments(names: Sequence[str], rates: Collection[str]) -> Iterator[dict[str, str]]:
    """The trials: a value for each name."""
    for row, others in zip(RATES, OTHERS, strict=True):
        next_rate, next_other = cycle(row), cycle(others)
        yield {name: next(next_rate if name in rates else next_other) for name in names}


def _entries(update: Any) -> list[Any]:
    return list(np.asarray(update, object).flat)


def _apart(a: Any, b: Any) -> bool:
    """Whether two numbers are not the same; NaN is the same as NaN alone."""
    if not (mpmath.isfinite(a) and mpmath.isfinite(b)):
        return bool(mpmath.isnan(a) != mpmath.isnan(b) or (not mpmath.isnan(a) and a != b))
    return bool(abs(a - b) > NEAR * max(abs(a), abs(b)))
