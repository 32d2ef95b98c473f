"""The difference of two optimizers in words: the change that makes their exact readings agree."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import combinations, islice, product

import mpmath
import numpy as np

from adamlab.interpret.programs import Subject
from adamlab.parity.changes import (
    Change,
    Sides,
    borrowed_in_order,
    borrowed_numbers,
    compared,
    equal_arguments,
    equal_numbers,
    other_constants,
    other_flags,
    sums_for_averages,
    without_constants,
    without_numbers,
)
from adamlab.parity.constants import Revised, revisable
from adamlab.parity.places import epsilons, flipped_place, is_epsilon, places_in_words
from adamlab.parity.probe import Probe, is_near

GRADIENTS = np.array([[0.5, -3.0], [2.0, 0.25], [-1.0, 0.125], [0.75, 1.0], [0.0, -2.0], [1.5, 0.5]])
"""Gradients (steps, columns) without a symmetry."""

WEIGHTS = np.array([0.5, -3.0])

SIDES = (0, 1, "left"), (1, 0, "right")

ELSEWHERE = "; on other gradients something else parts them"

PAIRS = 60
"""The most pairs of changes that are tried."""


def ordinary(digits: int) -> Probe:
    """A probe with a few ordinary gradients."""
    return Probe(GRADIENTS, WEIGHTS, digits)


def difference_in_words(left: Subject, right: Subject, probe: Probe, check: Probe) -> str:
    """The smallest change that makes two optimizers agree, or else the step where they part.

    Args:
        left: the optimizer on the left, with its numbers.
        right: the same.
        probe: gradients on which they part, few enough to be read many times.
        check: more gradients, on which they have to agree after the change, too.
    """
    search = _Search(left, right, probe, check)
    return search.cause() or parting_in_words(left, right, probe)


class _Search:
    """The search for changes that explain a difference."""

    def __init__(self, left: Subject, right: Subject, probe: Probe, check: Probe):
        self.probe, self.check = probe, check
        self._partial = ""
        self.sides = Sides.of(revisable(left), revisable(right), probe.row(0))

    def cause(self) -> str:
        """The first explanation in words, from the smallest and most natural on; "" where there is none."""
        sides, equal = self.sides, tuple(equal_numbers(self.sides))
        flags, borrowed = list(other_flags(sides)), list(borrowed_numbers(sides))
        constants = list(other_constants(sides))
        return (
            self._first([equal])
            or self._first(_each([*flags, *equal_arguments(sides), *borrowed], equal))
            or self._first(_each(sums_for_averages(sides), equal))
            or self._first(_each(constants, equal))
            or self._factor()
            or self._places([(), equal])
            or self._first(_each([*without_numbers(sides, 1), *without_constants(sides)], equal))
            or self._first(borrowed_in_order(sides))
            or self._first((flag, *group) for flag, group in product(flags, borrowed_in_order(sides)))
            or self._first(_each(without_numbers(sides, 2), equal))
            or self._first((*equal, *pair) for pair in islice(combinations([*flags, *borrowed], 2), PAIRS))
            or self._first(islice(combinations(constants, 2), PAIRS))
            or self._places((*equal, change) for change in without_numbers(sides, 1))
            or self._partial
        )

    def _first(self, candidates: Iterable[tuple[Change, ...]]) -> str:
        for changes in candidates:
            if self.probe.is_spent:
                return ""
            if changes and self._explain(changes):
                return self._told(self._needed(changes))
        return ""

    def _factor(self) -> str:
        """The factor that is all the difference, if it is so on all gradients."""
        left, right = self.sides.left.subject, self.sides.right.subject
        told = a_factor(left, right, self.probe)
        if told and not a_factor(left, right, self.check):
            self._partial = self._partial or f"{told}{ELSEWHERE}"
            return ""
        return told

    def _explain(self, changes: tuple[Change, ...]) -> bool:
        return self._agree(*self.sides.after(changes), lambda: self._told(changes))

    def _agree(self, left: Revised, right: Revised, told: Callable[[], str]) -> bool:
        """Whether two optimizers agree on all gradients; what is told of those that do so on the probe's is kept."""
        try:
            if not (self.probe.agree(left, right) and self.probe.moves(left)):
                return False
            if self.check.agree(left, right):
                return True
        except Exception:  # a changed number can make anything of the code
            return False
        self._partial = self._partial or f"{told()}{ELSEWHERE}"
        return False

    def _needed(self, changes: tuple[Change, ...]) -> tuple[Change, ...]:
        """The changes without those that can be spared."""
        for change in changes:
            fewer = tuple(other for other in changes if other is not change)
            if fewer and self._explain(fewer):
                return self._needed(fewer)
        return changes

    def _places(self, bases: Iterable[tuple[Change, ...]]) -> str:
        """The places of ε, if they are all that parts the sides after some changes."""
        sides, probe = self.sides, self.probe
        pairs = product(epsilons(sides.left, probe), epsilons(sides.right, probe))
        pairs = sorted(pairs, key=lambda pair: pair[0].value != pair[1].value)
        rates = [x for x in dict.fromkeys([*sides.left.values, *sides.right.values]) if x < 1]
        for base, (ours, theirs) in product(bases, pairs):
            if probe.is_spent:
                return ""
            left, right = sides.after(base)
            words = partial(places_in_words, left, right, ours, theirs, rates, probe)
            if self._agree(ours.at(0.0).of(left), theirs.at(0.0).of(right), words) and words():
                return f"{words()}; besides, {self._told(base)}" if base else words()
        return ""

    def _told(self, changes: tuple[Change, ...]) -> str:
        numbers = ", ".join(self._words(change) for change in changes if change.kind == "number")
        others = " and ".join(self._words(change) for change in changes if change.kind != "number")
        if not others:
            return f"the same with equal numbers, {numbers}"
        return f"{others}; besides, {numbers}" if numbers else others

    def _words(self, change: Change) -> str:
        if change.kind == "flag" and change.words.startswith("eps_in_sqrt"):
            side, edit = (self.sides.left, change.left) if change.left.call else (self.sides.right, change.right)
            return flipped_place(side.name, side.subject, edit.of(side.subject), self.probe) or change.words
        if change.kind == "number" and len(change.left.constants) == 1:
            ((c, other),) = change.left.constants.items()
            if is_epsilon(c, self.sides.left.subject, self.probe):
                return compared("ε", c, other)
        return change.words


def _each(changes: Iterable[Change], equal: tuple[Change, ...]) -> Iterator[tuple[Change, ...]]:
    """Each change alone, and then each with all numbers equal."""
    changes = list(changes)
    yield from ((change,) for change in changes)
    if equal:
        yield from ((change, *equal) for change in changes)


def a_factor(left: Subject, right: Subject, probe: Probe) -> str:
    """The factor, constant or of the step, that is all the difference between two optimizers, in words."""
    ours, theirs = probe.updates(left, probe.steps), probe.updates(right, probe.steps)
    with mpmath.workdps(probe.digits):
        pairs = list(zip(ours.flat, theirs.flat, strict=True))
        if not all(mpmath.isfinite(a) and mpmath.isfinite(b) and bool(a) == bool(b) for a, b in pairs):
            return ""
        ratios = [[a / b for a, b in zip(*rows, strict=True) if b] for rows in zip(ours, theirs, strict=True)]
        if not all(is_near(ratio, row[0]) for row in ratios for ratio in row):
            return ""
        factors = [row[0] for row in ratios if row]
        if not factors:
            return ""
        if all(is_near(factor, factors[0]) for factor in factors):
            return f"the left is {_factor(factors[0], 6)} times the right"
        first = next(i for i, factor in enumerate(factors) if not is_near(factor, factors[0]))
        shown = ", ".join(_factor(factor, 4) for factor in factors[max(first - 1, 0) :][:3])
        return f"the left is the right times a factor of the step alone, {'' if first < 2 else '… '}{shown} …"


def _factor(number, digits: int) -> str:
    """A factor, or its distance from 1 where it would be told as 1."""
    shown = str(mpmath.nstr(number, digits))
    if shown != "1.0" or number == 1:
        return shown
    return f"1 {'+' if number > 1 else '-'} {mpmath.nstr(abs(number - 1), 3)}"


def parting_in_words(left: Subject, right: Subject, probe: Probe) -> str:
    """The first step at which two optimizers part, and by how much."""
    rows = zip(probe.updates(left, probe.steps), probe.updates(right, probe.steps), strict=True)
    with mpmath.workdps(probe.digits):
        for t, (ours, theirs) in enumerate(rows, start=1):
            apart = [(a, b) for a, b in zip(ours, theirs, strict=True) if not is_near(a, b)]
            for side, _, name in SIDES:
                if any(mpmath.isnan(pair[side]) for pair in apart):
                    return f"the {name} is not a number at step {t}, and the other side is"
            for side, other, name in SIDES:
                if apart and all(not pair[side] and pair[other] for pair in apart):
                    return f"the {name} is 0 at step {t}, and the other side is not"
            if apart:
                worst = max(_distance(a, b) for a, b in apart)
                return f"they part at step {t}, by a relative {mpmath.nstr(worst, 3)}"
    return ""


def _distance(a, b):
    finite = mpmath.isfinite(a) and mpmath.isfinite(b)
    return abs(a - b) / max(abs(a), abs(b)) if finite else mpmath.inf
