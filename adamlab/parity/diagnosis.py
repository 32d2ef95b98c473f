"""The difference of two optimizers in words: the change that makes their exact readings agree."""

from collections.abc import Iterator
from itertools import combinations, islice

import mpmath
import numpy as np

from adamlab.interpret.programs import Subject
from adamlab.parity.changes import (
    Change,
    Sides,
    borrowed_in_order,
    borrowed_numbers,
    equal_numbers,
    other_constants,
    other_flags,
    sums_for_averages,
    without_constants,
    without_numbers,
)
from adamlab.parity.constants import revisable
from adamlab.parity.places import flipped_place, other_places
from adamlab.parity.probe import Probe, is_near

GRADIENTS = np.array([[0.5, -3.0], [2.0, 0.25], [-1.0, 0.125], [0.75, 1.0], [0.0, -2.0], [1.5, 0.5]])
"""Gradients (steps, columns) without a symmetry."""

WEIGHTS = np.array([0.5, -3.0])

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
    return search.cause() or parting_in_words(search.sides.left, search.sides.right, probe)


class _Search:
    """The search for changes that explain a difference."""

    def __init__(self, left: Subject, right: Subject, probe: Probe, check: Probe):
        self.probe, self.check = probe, check
        self.sides = Sides.of(revisable(left), revisable(right), probe.row(0))

    def cause(self) -> str:
        """The first explanation in words, from the smallest and most natural on; "" where there is none."""
        sides, equal = self.sides, tuple(equal_numbers(self.sides))
        named = [*other_flags(sides), *borrowed_numbers(sides)]
        sums = list(sums_for_averages(sides))
        hidden = [*without_numbers(sides, 1), *other_constants(sides), *without_constants(sides)]
        few = [*islice(borrowed_numbers(sides), 12), *other_flags(sides)]
        return (
            self._first([equal])
            or self._first(_each(named, equal))
            or self._first(_each(sums, equal))
            or a_factor(sides.left, sides.right, self.probe)
            or self._place()
            or self._first(_each(hidden, equal))
            or self._first(borrowed_in_order(sides))
            or self._first(_each(without_numbers(sides, 2), equal))
            or self._first(islice(((*equal, *pair) for pair in combinations(few, 2)), PAIRS))
            or self._first(islice(combinations(hidden, 2), PAIRS))
        )

    def _first(self, candidates) -> str:
        for changes in candidates:
            if self.probe.is_spent:
                return ""
            if changes and self._explain(changes):
                return self._told(self._needed(changes))
        return ""

    def _explain(self, changes: tuple[Change, ...]) -> bool:
        left, right = self.sides.after(changes)
        try:
            return self.probe.agree(left, right) and self.probe.moves(left) and self.check.agree(left, right)
        except Exception:  # a changed number can make anything of the code
            return False

    def _needed(self, changes: tuple[Change, ...]) -> tuple[Change, ...]:
        """The changes without those that can be spared."""
        for change in changes:
            fewer = tuple(other for other in changes if other is not change)
            if fewer and self._explain(fewer):
                return self._needed(fewer)
        return changes

    def _place(self) -> str:
        return "" if self.probe.is_spent else other_places(self.sides, self.probe)

    def _told(self, changes: tuple[Change, ...]) -> str:
        numbers = ", ".join(change.words for change in changes if change.kind == "number")
        others = " and ".join(self._words(change) for change in changes if change.kind != "number")
        if not others:
            return f"the same with equal numbers, {numbers}"
        return f"{others}; besides, {numbers}" if numbers else others

    def _words(self, change: Change) -> str:
        if change.kind == "flag" and change.words.startswith("eps_in_sqrt"):
            side, subject = ("left", self.sides.left) if change.left.call else ("right", self.sides.right)
            edit = change.left if side == "left" else change.right
            return flipped_place(side, subject, edit.of(subject), self.probe) or change.words
        return change.words


def _each(changes, equal: tuple[Change, ...]) -> Iterator[tuple[Change, ...]]:
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
        shown = ", ".join(_factor(factor, 4) for factor in factors[:3])
        return f"the left is the right times a factor of the step alone, {shown} …"


def _factor(number, digits: int) -> str:
    """A factor, or its distance from 1 where it would be told as 1."""
    shown = mpmath.nstr(number, digits)
    if shown != "1.0" or number == 1:
        return shown
    return f"1 {'+' if number > 1 else '-'} {mpmath.nstr(abs(number - 1), 3)}"


def parting_in_words(left: Subject, right: Subject, probe: Probe) -> str:
    """The first step at which two optimizers part, and by how much."""
    rows = zip(probe.updates(left, probe.steps), probe.updates(right, probe.steps), strict=True)
    with mpmath.workdps(probe.digits):
        for t, (ours, theirs) in enumerate(rows, start=1):
            apart = [(a, b) for a, b in zip(ours, theirs, strict=True) if not is_near(a, b)]
            for side, other, words in ((0, 1, "left"), (1, 0, "right")):
                if any(mpmath.isnan(pair[side]) and not mpmath.isnan(pair[other]) for pair in apart):
                    return f"the {words} is not a number from step {t} on"
            if apart:
                worst = max(_distance(a, b) for a, b in apart)
                return f"they part at step {t}, by a relative {mpmath.nstr(worst, 3)}"
    return ""


def _distance(a, b):
    finite = mpmath.isfinite(a) and mpmath.isfinite(b)
    return abs(a - b) / max(abs(a), abs(b)) if finite else mpmath.inf
