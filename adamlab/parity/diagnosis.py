"""Why two optimizers differ, in words: what would have to change for their exact readings to agree."""

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
    """Whether the two take the same steps on a few ordinary gradients."""
    return _Exactly(digits).agree(left, right)


def difference_in_words(left: Subject, right: Subject, digits: int) -> str:
    """Of two that part on ordinary gradients: the smallest change found that makes them agree, or where they part."""
    exactly = _Exactly(digits)
    return next(
        words
        for words in (
            _other_numbers(left, right, exactly),
            _other_flags(left, right, exactly),
            _a_factor(left, right, exactly),
            _other_places(left, right, exactly),
            _the_first_step(left, right, exactly),
        )
        if words
    )


class _Exactly:
    """Readings over the probe, and whether two of them agree."""

    def __init__(self, digits: int):
        self.digits = digits

    def updates(self, subject: Subject, gradients: np.ndarray = PROBE) -> np.ndarray:
        return exact_updates(subject, gradients, WEIGHTS, self.digits)

    def agree(self, left: Subject, right: Subject) -> bool:
        """Whether all updates are the same, and are steps at all."""
        with mpmath.workdps(self.digits):
            pairs = list(zip(self.updates(left).flat, self.updates(right).flat, strict=True))
            moves = any(a and mpmath.isfinite(a) for a, _ in pairs)
            return moves and all(_is_near(a, b) for a, b in pairs)


def _is_near(a: Any, b: Any) -> bool:
    return (mpmath.isnan(a) and mpmath.isnan(b)) or abs(a - b) <= SAME * max(abs(a), abs(b))


def _with_numbers(subject: Subject, numbers: Mapping[str, Any]) -> Subject:
    return replace(subject, numbers={name: numbers.get(name, value) for name, value in subject.numbers.items()})


def _other_numbers(left: Subject, right: Subject, exactly: _Exactly) -> str:
    if not exactly.agree(left, _with_numbers(right, left.numbers)):
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


def _other_flags(left: Subject, right: Subject, exactly: _Exactly) -> str:
    for side, here, there in (("left", left, right), ("right", right, left)):
        for flag, value, flipped in _flipped(here):
            equal = _with_numbers(flipped, there.numbers)
            alike = exactly.agree(flipped, there)
            if not alike and not exactly.agree(equal, there):
                continue
            has, needs = str(value).lower(), str(not value).lower()
            words = f"{flag} is {has} on the {side}, and the other side is as with {needs}"
            if flag == "eps_in_sqrt":
                words = _place_of_eps(left, right, exactly)
            return words if alike else f"{words}; besides, {_numbers_that_differ(left, right)}"
    return ""


def _other_places(left: Subject, right: Subject, exactly: _Exactly) -> str:
    """Which numbers have to be 0 for the two to agree."""
    present = [name for name in NEUTRAL if name in left.numbers or name in right.numbers]
    for count in (1, 2):
        for names in combinations(present, count):
            neutral = dict.fromkeys(names, 0.0)
            if exactly.agree(_with_numbers(left, neutral), _with_numbers(right, neutral)):
                if names == ("eps",):
                    return _place_of_eps(left, right, exactly)
                at = ", ".join(f"{name} = 0" for name in names)
                return f"{' and '.join(NEUTRAL[name] for name in names)}; they agree at {at}"
    return ""


def _place_of_eps(left: Subject, right: Subject, exactly: _Exactly) -> str:
    """An ε outside the root divides the update by ε as it grows, one inside it by √ε."""
    places = [_growth(side, exactly) for side in (left, right)]
    words = {-1: "outside the root", -0.5: "inside the root"}
    if places[0] != places[1] and set(places) <= set(words):
        return f"ε {words[places[0]]} on the left, {words[places[1]]} on the right"
    return "ε stands elsewhere, ahead of the bias correction or after it; they agree at eps = 0"


def _growth(subject: Subject, exactly: _Exactly) -> float:
    """The power of ε that the first update goes by, as ε → ∞."""
    first = [exactly.updates(_with_numbers(subject, {"eps": eps}), PROBE[:1])[0, 0] for eps in (1e30, 1e40)]
    with mpmath.workdps(exactly.digits):
        return round(float(mpmath.log10(abs(first[1] / first[0]))) / 10, 6) if all(first) else 0.0


def _a_factor(left: Subject, right: Subject, exactly: _Exactly) -> str:
    """Whether the two are the same but for a factor, constant or of the step."""
    with mpmath.workdps(exactly.digits):
        here, there = exactly.updates(left), exactly.updates(right)
        ratios = [[a / b for a, b in zip(*rows, strict=True) if b] for rows in zip(here, there, strict=True)]
        if any(a and not b for a, b in zip(here.flat, there.flat, strict=True)):
            return ""
        if not all(_is_near(ratio, row[0]) for row in ratios for ratio in row):
            return ""
        factors = [row[0] for row in ratios if row]
        if all(_is_near(factor, factors[0]) for factor in factors):
            return f"the left is {mpmath.nstr(factors[0], 6)} times the right"
        shown = ", ".join(str(mpmath.nstr(factor, 4)) for factor in factors[:3])
        return f"the left is the right times a factor of the step alone, {shown} …: a schedule or a bias correction"


def _the_first_step(left: Subject, right: Subject, exactly: _Exactly) -> str:
    with mpmath.workdps(exactly.digits):
        for t, (here, there) in enumerate(zip(exactly.updates(left), exactly.updates(right), strict=True), start=1):
            if not all(_is_near(a, b) for a, b in zip(here, there, strict=True)):
                if any(mpmath.isnan(u) for u in [*here, *there]):
                    side = "left" if any(map(mpmath.isnan, here)) else "right"
                    return f"the {side} is not a number from step {t} on"
                worst = max(abs(a - b) / max(abs(a), abs(b)) for a, b in zip(here, there, strict=True) if a != b)
                return f"they part at step {t}, by a relative {mpmath.nstr(worst, 3)}"
    return "they part only beyond the first steps, or on gradients out of the ordinary"
