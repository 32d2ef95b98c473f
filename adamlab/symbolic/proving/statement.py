"""The statement that two optimizers take the same steps, as `al.prove` is asked it, before anything is decided."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

from sympy import Max, Symbol, oo

from adamlab.errors import InputError, nearest
from adamlab.interpret.equality import same
from adamlab.interpret.programs import Subject, as_call, names_in
from adamlab.symbolic.general_step import Step, general_step
from adamlab.symbolic.open_optimizer import PAIR, SHAPES, OpenOptimizer, Optimizer, left_open, rates_in
from adamlab.symbolic.proving.counterexamples import (
    GRADIENTS,
    Counterexample,
    apart_in_the_limit,
    apart_short_of_the_limit,
    find,
)
from adamlab.symbolic.proving.invariants import Side
from adamlab.symbolic.proving.wide_search import find_late, find_widely
from adamlab.symbolic.solving.limits import PLACES
from adamlab.symbolic.unrolling import Unrolled, unroll_open
from adamlab.types import Formula

MOST_GIVEN = 32
"""The most first steps that a statement can be about, since they are written out."""

MOST_ENTRIES = 6
"""The most entries of an array that is tried on numbers."""

RISING = "rising"
"""The value given for a state that is a running maximum whose every new value is the greatest."""


@dataclass(frozen=True)
class Statement:
    """Two optimizers that are said to take the same steps, for all gradients and all numbers left open.

    Attributes:
        left, right: the optimizers; equal names are the same number.
        limit: the numbers that go to 0, 1 or ∞, each with its target, in order; the left's updates then go to the
            right's. For t it is the ratio of the updates that goes to 1.
        steps: the number of first steps that the statement is about; None for every step.
        rising: the states that are running maxima whose every new value is the greatest.
        rates: the names of the numbers that are decay rates on either side.
    """

    left: OpenOptimizer
    right: OpenOptimizer
    limit: Mapping[str, Formula]
    steps: int | None
    rising: tuple[str, ...]
    rates: frozenset[str]
    _written_out: dict[int, tuple[Unrolled, Unrolled]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, left: Optimizer, right: Optimizer, limit: Mapping[str, Any], given: Mapping[str, Any]) -> "Statement":
        """The statement in the terms of `al.prove`.

        Raises:
            SpecError, InputError: a name that neither side has, or a side that cannot be read.
        """
        targets = {name: _target(name, value) for name, value in limit.items()}
        steps = _steps(given.get("t"))
        rising = tuple(name for name, value in given.items() if value == RISING and name != "t")
        numbers = {name: value for name, value in given.items() if name not in (*rising, "t")}
        calls = [as_call(side) for side in (left, right)]
        _require_known(numbers, {name for call in calls for name in names_in(call)})
        fixed = [{n: v for n, v in numbers.items() if n in names_in(call)} for call in calls]
        # Opened twice: a number that is a decay rate on one side is so on both, and letters are given once for both.
        subjects = [left_open(call, own) for call, own in zip(calls, fixed, strict=True)]
        rates = frozenset(name for subject in subjects for name in rates_in(subject))
        names = {name for subject in subjects for name in subject.numbers}
        first, second = (
            OpenOptimizer.of(call, own, rates=rates, among=names) for call, own in zip(calls, fixed, strict=True)
        )
        statement = cls(first, second, targets, steps, rising, rates)
        _require_known(targets, {*statement.hyper, "t"})
        return statement

    @property
    def optimizers(self) -> tuple[OpenOptimizer, OpenOptimizer]:
        """The left and the right."""
        return self.left, self.right

    @property
    def subjects(self) -> tuple[Subject, Subject]:
        """The left and the right as calls with their numbers apart."""
        return self.left.subject, self.right.subject

    @property
    def hyper(self) -> dict[str, Symbol]:
        """The symbols of the numbers that are open on either side, by name."""
        return {**self.left.hyper, **self.right.hyper}

    @property
    def is_about_every_step(self) -> bool:
        """Whether it is about every step t, and in no limit."""
        return self.steps is None and not self.limit

    @cached_property
    def sides(self) -> tuple[Side, Side]:
        """The general steps of both with their closed forms; the right's states are marked with a prime.

        Raises:
            InputError: one has no general step, or a state said to be rising is unknown or no running maximum.
            UnreadableError: the code uses a primitive without a meaning in formulas.
        """
        left, right = (self._general_step(optimizer) for optimizer in self.optimizers)
        _require_known(self.rising, {*left.recurrences, *right.recurrences}, "state")
        return Side(left), Side(right, "'")

    @property
    def early(self) -> int:
        """The number of first steps that are not as the general one, on either side."""
        return max(first for side in self.sides for first in side.step.first.values()) - 1

    @property
    def last(self) -> int:
        """The last step before an integer of either side gets out of its type's range."""
        return min(side.step.algebra.last_step for side in self.sides)

    def is_same_program_on_arrays(self) -> bool:
        """Whether both sides are the same computation with the same numbers, on parameters of every shape."""
        return all(map(self.is_same_program, SHAPES))

    def is_same_program(self, shape: tuple[int, ...]) -> bool:
        """Whether both sides are the same computation with the same numbers, on parameters of a shape."""
        if self.left.numbers != self.right.numbers:
            return False
        try:
            left, right = (optimizer.on_shape(shape).programs for optimizer in self.optimizers)
        except InputError:
            return False
        return left.init.is_same_as(right.init) and left.update.is_same_as(right.update)

    @property
    def one_sided(self) -> dict[str, list[str]]:
        """The numbers that are open on one side alone, by side."""
        left, right = self.left.hyper, self.right.hyper
        names = {"left": [n for n in left if n not in right], "right": [n for n in right if n not in left]}
        return {side: listed for side, listed in names.items() if listed}

    @cached_property
    def is_coupled(self) -> bool:
        """Whether entries of an array depend on each other on either side.

        Raises:
            InputError: a side does not run on arrays, or it cannot be read.
        """
        return any(optimizer.is_coupled() for optimizer in self.optimizers)

    @cached_property
    def shapes_apart(self) -> list[tuple[int, ...]]:
        """The shapes of arrays for which the code of either side is another one than for a single number.

        Raises:
            InputError: a side does not run on arrays of some shape.
        """
        return list(dict.fromkeys(shape for optimizer in self.optimizers for shape in optimizer.shapes_apart()))

    def runs_on(self, shape: tuple[int, ...]) -> bool:
        """Whether both sides run on parameters of a shape."""
        try:
            return all(optimizer.on_shape(shape) for optimizer in self.optimizers)
        except InputError:
            return False

    @cached_property
    def _shapes_to_try(self) -> list[tuple[int, ...]]:
        """A single number, an array of two, and small arrays for which the code is another one."""
        try:
            apart = self.shapes_apart
        except InputError:
            apart = []
        small = [shape for shape in apart if prod(shape) <= MOST_ENTRIES]
        return [(), *filter(self.runs_on, dict.fromkeys([PAIR, *small]))]

    @cached_property
    def misread(self) -> str:
        """The side whose code does something else where its numbers are floats, as in a run; empty where none does."""
        sides = {"the left": self.left, "the right": self.right}
        return next((name for name, side in sides.items() if not side.reads_as_it_runs()), "")

    @property
    def unnamed(self) -> list[str]:
        """The numbers without a value that a side's code branches on, so that it can be read at single values only."""
        return [
            name
            for side in self.optimizers
            for name in side.programs.constants
            if side.subject.numbers[name] is None and name not in side.subject.defaults
        ]

    def counterexample_on_many(self, steps: int | None = None) -> Counterexample | None:
        """Numbers on which the two part in any of many trials, with a single number or a small array."""
        searches = (find_widely(*self.subjects, self.rates, shape, steps) for shape in self._shapes_to_try)
        return next((counterexample for counterexample in searches if counterexample), None)

    def counterexample_within(self, steps: int) -> Counterexample | None:
        """Numbers on which the two part within many steps; on arrays where their entries depend on each other."""
        try:
            shapes = [(), PAIR] if self.is_coupled else [()]
        except InputError:
            shapes = [()]
        searches = (find_late(*self.subjects, self.rates, steps, shape) for shape in shapes)
        return next((counterexample for counterexample in searches if counterexample), None)

    def counterexample(self, sequences: Sequence[Any]) -> Counterexample | None:
        """Numbers on which the two part, on any of these sequences of gradients; None if none were found."""
        return find(*self.subjects, self.rates, sequences)

    def counterexample_in_the_limit(self, sequences: Sequence[Any] = GRADIENTS[:3]) -> Counterexample | None:
        """Numbers close to their limits on which the two stay apart; None if none were found."""
        return apart_in_the_limit(*self.subjects, self.rates, self.limit, sequences)

    def counterexample_short_of_the_limit(self) -> Counterexample | None:
        """Numbers close to their limits on which the two part, however little; None if none were found."""
        return apart_short_of_the_limit(*self.subjects, self.rates, self.limit)

    def agrees_written_out(self, count: int) -> bool:
        """Whether the formulas of the first updates are shown to be equal."""
        left, right = self.written_out(count)
        return all(same(a, b) for a, b in zip(left.plain_updates, right.plain_updates, strict=True))

    def written_out(self, count: int) -> tuple[Unrolled, Unrolled]:
        """The first steps of both as formulas."""
        if count not in self._written_out:
            left, right = (unroll_open(optimizer, count) for optimizer in self.optimizers)
            self._written_out[count] = left, right
        return self._written_out[count]

    def _general_step(self, optimizer: OpenOptimizer) -> Step:
        """The general step, with its new value in place of each running maximum that rises."""
        step = general_step(optimizer)
        for name in self.rising:
            if (e := step.recurrences.get(name)) is None:
                continue
            new = [a for a in e.args if a != step.before(name)] if isinstance(e, Max) else []
            if len(new) != 1:
                title = optimizer.subject.title
                raise InputError(f"{name} of {title} is no running maximum, and cannot be given as rising.")
            step = replace(step, recurrences={**step.recurrences, name: new[0]})
        return step


def _target(name: str, value: Any) -> Formula:
    target = PLACES.get(str(value))
    if target is None or (name == "t" and target != oo):
        to = "oo" if name == "t" else "0, 1 or oo"
        raise InputError(f"the limit of {name} must be {to}, not {value!r}.")
    return target


def _steps(value: Any) -> int | None:
    if value is not None and (type(value) is not int or not 1 <= value <= MOST_GIVEN):
        raise InputError(f"t must be given as a whole number from 1 to {MOST_GIVEN}, not {value!r}.")
    return value


def _require_known(names: Collection[str], valid: Collection[str], what: str = "number"):
    for name in names:
        if name not in valid:
            raise InputError(f"neither side has a {what} {name!r}; {nearest(name, sorted(valid))}")
