"""The difference of two optimizers in words: the change that would make their exact readings agree."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import mpmath
import numpy as np

from adamlab.calls import Call
from adamlab.interpret.oracle import exact_updates
from adamlab.interpret.programs import Subject
from adamlab.parity.ulps import SAME

PROBE = np.array([[0.5, -3.0], [2.0, 0.25], [-1.0, 0.125], [0.75, 1.0], [0.0, -2.0], [1.5, 0.5]])
"""Gradients (steps, columns) without a symmetry."""

WEIGHTS = np.array([0.5, -3.0])

NEUTRAL = {
    "eps": "ε",
    "eps_root": "the ε inside the root",
    "initial_accumulator_value": "the start of the accumulator",
    "initial_scale": "the start of the second moment",
    "weight_decay": "the weight decay",
    "momentum": "the momentum",
    "b1": "the first moment",
}
"""Numbers that do nothing at 0, and what they stand for."""


def agree_on_probe(left: Subject, right: Subject, digits: int) -> bool:
    """Whether two optimizers take the same steps on a few ordinary gradients."""
    return _Probe(digits).agree(left, right)


def difference_in_words(left: Subject, right: Subject, digits: int) -> str:
    """The smallest change that would make two optimizers agree on ordinary gradients, or the step where they part."""
    probe = _Probe(digits)
    return next(
        words
        for words in (
            _other_numbers(left, right, probe),
            _other_flags(left, right, probe),
            _a_factor(left, right, probe),
            _other_places(left, right, probe),
            _the_first_step(left, right, probe),
        )
        if words
    )


class _Probe:
    """The exact readings over the probe's gradients."""

    def __init__(self, digits: int):
        self.digits = digits

    def updates(self, subject: Subject, gradients: np.ndarray = PROBE) -> np.ndarray:
        return exact_updates(subject, gradients, WEIGHTS, self.digits)

    def agree(self, left: Subject, right: Subject) -> bool:
        """Whether all updates of two optimizers are the same, and any is a step at all."""
        with mpmath.workdps(self.digits):
            pairs = list(zip(self.updates(left).flat, self.updates(right).flat, strict=True))
            moves = any(a and mpmath.isfinite(a) for a, _ in pairs)
            return moves and all(_is_near(a, b) for a, b in pairs)


def _is_near(a: Any, b: Any) -> bool:
    return (mpmath.isnan(a) and mpmath.isnan(b)) or abs(a - b) <= SAME * max(abs(a), abs(b))


def _with_numbers(subject: Subject, numbers: Mapping[str, Any]) -> Subject:
    return replace(subject, numbers={name: numbers.get(name, value) for name, value in subject.numbers.items()})


def _other_numbers(left: Subject, right: Subject, probe: _Probe) -> str:
    if not probe.agree(left, _with_numbers(right, left.numbers)):
        return ""
    return f"the same with equal numbers, {_numbers_that_differ(left, right)}"


def _numbers_that_differ(left: Subject, right: Subject) -> str:
    others = [n for n, value in left.numbers.items() if n in right.numbers and right.numbers[n] != value]
    return ", ".join(
        f"{name} is {left.numbers[name]} on the left, {right.numbers[name]} on the right" for name in others
    )


def _flipped(subject: Subject) -> Iterator[tuple[str, bool, Subject]]:
    """Each flag with the value that it has, and the subject with the other value."""
    call = subject.call
    for name, value in call.arguments.items():
        if isinstance(value, bool):
            yield name, value, replace(subject, call=Call(call.name, call.factory, {**call.arguments, name: not value}))


def _other_flags(left: Subject, right: Subject, probe: _Probe) -> str:
    for side, subject, other in (("left", left, right), ("right", right, left)):
        for flag, value, flipped in _flipped(subject):
            equal = _with_numbers(flipped, other.numbers)
            alike = probe.agree(flipped, other)
            if not alike and not probe.agree(equal, other):
                continue
            has, needs = str(value).lower(), str(not value).lower()
            words = f"{flag} is {has} on the {side}, and the other side is as with {needs}"
            if flag == "eps_in_sqrt":
                words = _place_of_eps(left, right, probe)
            return words if alike else f"{words}; besides, {_numbers_that_differ(left, right)}"
    return ""


def _other_places(left: Subject, right: Subject, probe: _Probe) -> str:
    """The numbers that have to be 0 for two optimizers to agree, in words."""
    present = [name for name in NEUTRAL if name in left.numbers or name in right.numbers]
    for count in (1, 2):
        for names in combinations(present, count):
            neutral = dict.fromkeys(names, 0.0)
            if probe.agree(_with_numbers(left, neutral), _with_numbers(right, neutral)):
                if names == ("eps",):
                    return _place_of_eps(left, right, probe)
                at = ", ".join(f"{name} = 0" for name in names)
                return f"{' and '.join(NEUTRAL[name] for name in names)}; they agree at {at}"
    return ""


def _place_of_eps(left: Subject, right: Subject, probe: _Probe) -> str:
    """The place of ε on either side, in words: outside the root a large ε divides the update by ε, inside it by √ε."""
    places = [_growth(side, probe) for side in (left, right)]
    words = {-1: "outside the root", -0.5: "inside the root"}
    if places[0] != places[1] and set(places) <= set(words):
        return f"ε {words[places[0]]} on the left, {words[places[1]]} on the right"
    return "ε stands elsewhere, ahead of the bias correction or after it; they agree at eps = 0"


def _growth(subject: Subject, probe: _Probe) -> float:
    """The power of ε that the first update goes by, as ε → ∞."""
    first = [probe.updates(_with_numbers(subject, {"eps": eps}), PROBE[:1])[0, 0] for eps in (1e30, 1e40)]
    with mpmath.workdps(probe.digits):
        return round(float(mpmath.log10(abs(first[1] / first[0]))) / 10, 6) if all(first) else 0.0


def _a_factor(left: Subject, right: Subject, probe: _Probe) -> str:
    """The factor, constant or of the step, that is all the difference between two optimizers, in words."""
    with mpmath.workdps(probe.digits):
        ours, theirs = probe.updates(left), probe.updates(right)
        ratios = [[a / b for a, b in zip(*rows, strict=True) if b] for rows in zip(ours, theirs, strict=True)]
        if any(a and not b for a, b in zip(ours.flat, theirs.flat, strict=True)):
            return ""
        if not all(_is_near(ratio, row[0]) for row in ratios for ratio in row):
            return ""
        factors = [row[0] for row in ratios if row]
        if all(_is_near(factor, factors[0]) for factor in factors):
            return f"the left is {mpmath.nstr(factors[0], 6)} times the right"
        shown = ", ".join(str(mpmath.nstr(factor, 4)) for factor in factors[:3])
        return f"the left is the right times a factor of the step alone, {shown} …: a schedule or a bias correction"


def _the_first_step(left: Subject, right: Subject, probe: _Probe) -> str:
    with mpmath.workdps(probe.digits):
        for t, (ours, theirs) in enumerate(zip(probe.updates(left), probe.updates(right), strict=True), start=1):
            if not all(_is_near(a, b) for a, b in zip(ours, theirs, strict=True)):
                if any(mpmath.isnan(u) for u in [*ours, *theirs]):
                    side = "left" if any(map(mpmath.isnan, ours)) else "right"
                    return f"the {side} is not a number from step {t} on"
                worst = max(abs(a - b) / max(abs(a), abs(b)) for a, b in zip(ours, theirs, strict=True) if a != b)
                return f"they part at step {t}, by a relative {mpmath.nstr(worst, 3)}"
    return "they part only beyond the first steps, or on gradients out of the ordinary"
