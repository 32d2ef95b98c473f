"""Changes of a single thing, a number, a flag or a constant, that could be all that parts two optimizers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations, product
from math import inf, isclose
from typing import Any

from adamlab.calls import Call
from adamlab.parity.constants import Number, Revised, constants
from adamlab.types import Decay, PyTree

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

GREATEST = 2**31 - 1
"""Greater numbers in the code are the ends of types."""


@dataclass(frozen=True)
class Edit:
    """What takes the place of an optimizer's own numbers, call and constants."""

    numbers: Mapping[str, Any] = field(default_factory=dict)
    call: Call | None = None
    constants: Mapping[Number, Number] = field(default_factory=dict)

    def of(self, subject: Revised) -> Revised:
        """The optimizer after it; itself where nothing changes, so that it need not be read again."""
        return (
            subject
            if self is SAME
            else replace(
                subject,
                call=self.call or subject.call,
                numbers={name: self.numbers.get(name, value) for name, value in subject.numbers.items()},
                constants={**subject.constants, **self.constants},
            )
        )


SAME = Edit()


@dataclass(frozen=True)
class Change:
    """One thing that is changed, on one side or on both.

    Attributes:
        words: the thing, as a difference of the two sides.
        left, right: the edit of each side.
        kind: "number", where the words compare two numbers; "flag"; "neutral", where both sides are left without
            something; or "code".
    """

    words: str
    left: Edit = SAME
    right: Edit = SAME
    kind: str = "code"

    @classmethod
    def on(cls, side: str, words: str, edit: Edit, kind: str = "code") -> "Change":
        """A change of one side alone."""
        return cls(words, edit, SAME, kind) if side == "left" else cls(words, SAME, edit, kind)


@dataclass(frozen=True)
class Side:
    """An optimizer with the numbers that stand in its code.

    Attributes:
        name: "left" or "right".
        subject: the optimizer.
        written: its call with the named numbers written in, so that all are constants of the code.
        constants: the numbers that stand in the code.
        all_constants: the same with the named numbers written in.
    """

    name: str
    subject: Revised
    written: Call
    constants: list[Number]
    all_constants: list[Number]

    @classmethod
    def of(cls, name: str, subject: Revised, gradient: PyTree) -> "Side":
        """The side as it is read for parameters like the gradient."""
        written = subject.call.with_numbers({name: _plain(value) for name, value in subject.numbers.items()})
        closed = constants(replace(subject, call=written), gradient)
        return cls(name, subject, written, constants(subject, gradient), closed)

    @property
    def values(self) -> list[Number]:
        """The sizes of all its numbers, but for 0 and the greatest integers."""
        sizes = [abs(x) for x in (*self.all_constants, *map(as_float, self.subject.numbers.values()))]
        return [x for x in dict.fromkeys(sizes) if 0 < x < GREATEST]

    @property
    def numbers(self) -> list[Number]:
        """Those of the values that are no 1 − b of another."""
        complements = [c for rate in self.all_constants if rate > 0.5 for c in _complements(rate, self.all_constants)]
        kept = [abs(x) for x in self.all_constants if x not in complements]
        return [x for x in self.values if x in kept or x in map(as_float, self.subject.numbers.values())]

    def fresh(self, other: "Side") -> list[Number]:
        """The numbers that the other side has not."""
        return [x for x in self.numbers if x not in other.numbers]

    def alone(self, other: "Side") -> dict[Number, list[Number]]:
        """The constants of its code that the other side has not, by size; those that are no 1 − b first."""
        alone = [c for c in self.constants if c not in other.all_constants and 0 < abs(c) < GREATEST]
        sizes = sorted(dict.fromkeys(map(abs, alone)), key=lambda size: size not in self.numbers)
        return {size: [c for c in alone if abs(c) == size] for size in sizes}


@dataclass(frozen=True)
class Sides:
    """Two optimizers, side by side."""

    left: Side
    right: Side

    @classmethod
    def of(cls, left: Revised, right: Revised, gradient: PyTree) -> "Sides":
        """Both as they are read for parameters like the gradient."""
        return cls(Side.of("left", left, gradient), Side.of("right", right, gradient))

    def both(self) -> list[tuple[Side, Side]]:
        """Each side with the other; the right first, which is the reference more often."""
        return [(self.right, self.left), (self.left, self.right)]

    def after(self, changes: Iterable[Change]) -> tuple[Revised, Revised]:
        """The two optimizers after some changes."""
        left, right = self.left.subject, self.right.subject
        for change in changes:
            left, right = change.left.of(left), change.right.of(right)
        return left, right


def equal_numbers(sides: Sides) -> Iterator[Change]:
    """Each number that has the same name on both sides and another value, as on the left."""
    ours, theirs = sides.left.subject.numbers, sides.right.subject.numbers
    for name in ours:
        if name in theirs and as_float(ours[name]) != as_float(theirs[name]):
            yield Change(compared(name, ours[name], theirs[name]), right=Edit({name: _rate(ours[name])}), kind="number")


def other_flags(sides: Sides) -> Iterator[Change]:
    """Each flag with the value that it has not."""
    for side in (sides.left, sides.right):
        for name, value in side.subject.call.arguments.items():
            if isinstance(value, bool):
                has, needs = str(value).lower(), str(not value).lower()
                words = f"{name} is {has} on the {side.name}, and the other side is as with {needs}"
                yield Change.on(side.name, words, Edit(call=_with(side.subject.call, name, not value)), "flag")


def equal_arguments(sides: Sides) -> Iterator[Change]:
    """Each whole number, text or schedule that has the same name on both sides, as on the left."""
    ours, theirs = sides.left.subject, sides.right.subject
    for name, value in ours.call.arguments.items():
        given = theirs.call.arguments.get(name, value)
        if type(value) is type(given) and type(value) in (int, str) and value != given:
            yield Change(compared(name, value, given), right=Edit(call=_with(theirs.call, name, value)), kind="number")


def borrowed_numbers(sides: Sides) -> Iterator[Change]:
    """Each named number that the other side has not, as one of the numbers there."""
    for side, other in sides.both():
        for name, number in product(_to_borrow(side, other), dict.fromkeys([*other.fresh(side), *other.values])):
            yield _borrowed(side, name, number)


def borrowed_in_order(sides: Sides) -> Iterator[tuple[Change, ...]]:
    """Several named numbers at once, as numbers of the other side that are ordered by size as they are."""
    for side, other in sides.both():
        fresh = sorted(other.fresh(side))
        names = sorted(_to_borrow(side, other), key=lambda name, side=side: as_float(side.subject.numbers[name]))
        for count in range(2, len(names) + 1):
            for some, numbers in product(combinations(names, count), combinations(fresh, count)):
                yield tuple(_borrowed(side, *pair) for pair in zip(some, numbers, strict=True))


def without_numbers(sides: Sides, count: int) -> Iterator[Change]:
    """So many numbers that do nothing at 0, each 0 on both sides."""
    ours, theirs = sides.left.subject.numbers, sides.right.subject.numbers
    present = [name for name in NEUTRAL if as_float(ours.get(name, 0)) or as_float(theirs.get(name, 0))]
    for chosen in combinations(present, count):
        neutral = Edit(dict.fromkeys(chosen, 0.0))
        at = ", ".join(f"{name} = 0" for name in chosen)
        words = f"{' and '.join(NEUTRAL[name] for name in chosen)}; they agree at {at}"
        yield Change(words, neutral, neutral, "neutral")


def sums_for_averages(sides: Sides) -> Iterator[Change]:
    """Each average a·b + (1 − a)·c as the sum a·b + c; then each as b + c."""
    averages = [
        (side, other, rate, c)
        for side, other in sides.both()
        for rate in sorted(side.all_constants, reverse=True)
        for c in _complements(rate, side.all_constants)
    ]
    for kept in (True, False):
        for side, other, rate, c in averages:
            sums = f"{rate if kept else 1} and 1"
            words = f"the {side.name} averages with {short(rate)} and {short(c)}, the {other.name} adds up with {sums}"
            ones = {c: 1.0} if kept else {c: 1.0, rate: 1.0}
            yield Change.on(side.name, words, Edit(call=side.written, constants=ones))


def other_constants(sides: Sides) -> Iterator[Change]:
    """Each constant that stands in the left's code alone, as one that stands in the right's alone."""
    for (c, signed), d in product(sides.left.alone(sides.right).items(), sides.right.alone(sides.left)):
        words = f"{short(c)} in the left's code is {short(d)} in the right's"
        for complement in (None, *(_complements(c, sides.left.constants) if d < 1 else [])):
            edit = {x: d if x > 0 else -d for x in signed} | ({} if complement is None else {complement: 1 - d})
            yield Change(words, Edit(constants=edit), kind="number")


def without_constants(sides: Sides) -> Iterator[Change]:
    """Each constant of the code as 0: one of both sides, which may have a name, or of one alone; as ∞ if it bounds."""
    for side, other in sides.both():
        for c, signed in side.alone(other).items():
            words = f"{short(c)} stands in the {side.name}'s code; they agree where it is"
            yield Change.on(side.name, f"{words} 0", Edit(constants=dict.fromkeys(signed, 0.0)))
            yield Change.on(side.name, f"{words} infinite", Edit(constants={x: inf * x for x in signed}))
    in_code = {abs(x) for x in (*sides.left.constants, *sides.right.constants)}
    for c in sides.left.values:
        if c in sides.right.values and c in in_code:
            words = f"{short(c)} stands elsewhere; they agree where it is 0 on both sides"
            yield Change(words, _without(sides.left, c), _without(sides.right, c))


def as_float(value: Any) -> float:
    """A number as it was given, a text or a decay included, as a float."""
    if isinstance(value, Decay):
        return float(value.rate)
    return float(Fraction(value)) if isinstance(value, str) else float(value)


def compared(name: str, left: Any, right: Any) -> str:
    """A number of either side, in words."""
    return f"{name} is {short(left)} on the left, {short(right)} on the right"


def short(number: Any) -> str:
    """A number as it is written; a float in the digits that a person would have given it."""
    return repr(float(f"{number:.15g}")) if isinstance(number, float) else str(number)


def _to_borrow(side: Side, other: Side) -> list[str]:
    """The names of numbers that the other side has neither by name nor by value."""
    numbers = {name: as_float(value) for name, value in side.subject.numbers.items()}
    return [name for name, x in numbers.items() if name not in other.subject.numbers and x not in other.numbers]


def _borrowed(side: Side, name: str, number: Number) -> Change:
    pair = number, side.subject.numbers[name]
    return Change.on(
        side.name, compared(name, *(pair if side.name == "right" else pair[::-1])), Edit({name: number}), "number"
    )


def _without(side: Side, number: Number) -> Edit:
    """The side with a number as 0, wherever it stands."""
    names = [name for name, value in side.subject.numbers.items() if as_float(value) == number]
    return Edit(dict.fromkeys(names, 0.0), constants={number: 0.0, -number: 0.0})


def _complements(rate: Number, own: Iterable[Number]) -> list[Number]:
    return [c for c in own if 0 < rate < 1 and c != rate and isclose(c, 1 - rate, rel_tol=1e-12)]


def _plain(value: Any) -> Any:
    """A number as a float, a decay as it is."""
    return value if isinstance(value, Decay) else as_float(value)


def _rate(value: Any) -> Any:
    """A number in a form that every optimizer takes."""
    return as_float(value) if isinstance(value, Decay) else value


def _with(call: Call, name: str, value: Any) -> Call:
    return Call(call.name, call.factory, {**call.arguments, name: value})
