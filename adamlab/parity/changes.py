"""Changes of a single thing, a number, a flag or a constant in the code, that could be all that parts two optimizers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations, product
from math import isclose
from typing import Any

from adamlab.calls import Call
from adamlab.parity.constants import Revised, constants
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

@dataclass(frozen=True)
class Edit:
    """What takes the place of an optimizer's own numbers, call and constants."""

    numbers: Mapping[str, Any] = field(default_factory=dict)
    call: Call | None = None
    constants: Mapping[float, float] = field(default_factory=dict)

    def of(self, subject: Revised) -> Revised:
        """The optimizer after it."""
        return replace(
            subject,
            call=self.call or subject.call,
            numbers={name: self.numbers.get(name, value) for name, value in subject.numbers.items()},
            constants={**subject.constants, **self.constants},
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
class Sides:
    """Two optimizers with the constants of their code.

    Attributes:
        left, right: the optimizers.
        lefts, rights: the numbers that stand in the code of each.
        gradient: a gradient that they are read for.
    """

    left: Revised
    right: Revised
    lefts: list[float]
    rights: list[float]
    gradient: PyTree

    @classmethod
    def of(cls, left: Revised, right: Revised, gradient: PyTree) -> "Sides":
        """The sides as they are read for parameters like the gradient."""
        return cls(left, right, constants(left, gradient), constants(right, gradient), gradient)

    def both(self) -> list[tuple[str, Revised, list[float], str, Revised, list[float]]]:
        """Each side with its constants, and the other with its own."""
        right, left = ("right", self.right, self.rights), ("left", self.left, self.lefts)
        return [(*right, *left), (*left, *right)]

    def after(self, changes: tuple[Change, ...]) -> tuple[Revised, Revised]:
        """The two optimizers after some changes."""
        left, right = self.left, self.right
        for change in changes:
            left, right = change.left.of(left), change.right.of(right)
        return left, right


def equal_numbers(sides: Sides) -> Iterator[Change]:
    """Each number that has the same name on both sides and another value, as on the left."""
    ours, theirs = sides.left.numbers, sides.right.numbers
    for name in ours:
        if name in theirs and as_float(ours[name]) != as_float(theirs[name]):
            yield Change(_compared(name, ours[name], theirs[name]), right=Edit({name: _rate(ours[name])}), kind="number")


def other_flags(sides: Sides) -> Iterator[Change]:
    """Each flag with the value that it has not; a whole number or a choice with the other side's."""
    for side, subject, _, _, other, _ in sides.both():
        for name, value in subject.call.arguments.items():
            if isinstance(value, bool):
                has, needs = str(value).lower(), str(not value).lower()
                words = f"{name} is {has} on the {side}, and the other side is as with {needs}"
                yield Change.on(side, words, Edit(call=_with(subject.call, name, not value)), "flag")
    ours, theirs = sides.left.call, sides.right.call
    for name, value in ours.arguments.items():
        given = theirs.arguments.get(name, value)
        if type(value) is type(given) and isinstance(value, (int, str)) and not isinstance(value, bool):
            if value != given:
                yield Change(_compared(name, value, given), right=Edit(call=_with(theirs, name, value)), kind="number")


def borrowed_numbers(sides: Sides) -> Iterator[Change]:
    """Each named number that the other side has not, as one of the numbers there."""
    for side, subject, own, _, other, others in sides.both():
        known, foreign = _values(subject, own), _values(other, others)
        fresh = [value for value in foreign if value not in known]
        for name, value in subject.numbers.items():
            if name in other.numbers or as_float(value) in foreign:
                continue
            for number in dict.fromkeys([*fresh, *foreign]):
                words = _compared(name, *((number, value) if side == "right" else (value, number)))
                yield Change.on(side, words, Edit({name: number}), "number")


def borrowed_in_order(sides: Sides) -> Iterator[tuple[Change, ...]]:
    """Several named numbers at once, as numbers of the other side that are ordered by size as they are."""
    for side, subject, own, _, other, others in sides.both():
        known, foreign = _values(subject, own), _values(other, others)
        fresh = sorted(value for value in foreign if value not in known)
        named = [name for name, value in subject.numbers.items() if value and as_float(value) not in foreign]
        named = sorted((name for name in named if name not in other.numbers), key=lambda n: as_float(subject.numbers[n]))
        for count in range(2, len(named) + 1):
            for names, numbers in product(combinations(named, count), combinations(fresh, count)):
                pairs = [(name, subject.numbers[name], number) for name, number in zip(names, numbers, strict=True)]
                yield tuple(
                    Change.on(
                        side,
                        _compared(name, *((number, value) if side == "right" else (value, number))),
                        Edit({name: number}),
                        "number",
                    )
                    for name, value, number in pairs
                )


def without_numbers(sides: Sides, count: int) -> Iterator[Change]:
    """So many named numbers, each 0 on both sides."""
    names = dict.fromkeys([*NEUTRAL, *sides.left.numbers, *sides.right.numbers])
    present = [
        name for name in names if any(as_float(side.numbers.get(name, 0)) for side in (sides.left, sides.right))
    ]
    for chosen in combinations(present, count):
        neutral = Edit(dict.fromkeys(chosen, 0.0))
        at = ", ".join(f"{name} = 0" for name in chosen)
        words = f"{' and '.join(NEUTRAL.get(name, name) for name in chosen)}; they agree at {at}"
        yield Change(words, neutral, neutral, "neutral")


def sums_for_averages(sides: Sides) -> Iterator[Change]:
    """Each average a·b + (1 − a)·c as the sum a·b + c, and as b + c."""
    for side, subject, _, other_side, _, _ in sides.both():
        written = subject.call.with_numbers({name: as_decay(value) for name, value in subject.numbers.items()})
        own = constants(replace(subject, call=written), sides.gradient)
        for rate in own:
            complements = [c for c in own if 0 < c < 1 and c != rate and isclose(c, 1 - rate, rel_tol=1e-12)]
            for c in complements:
                words = f"the {side} averages with {rate} and {_short(c)}, the {other_side} adds up"
                yield Change.on(side, f"{words} with {rate} and 1", Edit(call=written, constants={c: 1.0}))
                yield Change.on(side, f"{words} with 1 and 1", Edit(call=written, constants={c: 1.0, rate: 1.0}))


def other_constants(sides: Sides) -> Iterator[Change]:
    """Each constant that stands in the left's code alone, as one that stands in the right's alone."""
    ours = _alone(sides.lefts, _values(sides.right, sides.rights))
    theirs = _alone(sides.rights, _values(sides.left, sides.lefts))
    for c, d in product(ours, theirs):
        words = f"{_short(abs(c))} stands in the left's code, {_short(abs(d))} in the right's"
        new = abs(d) if c > 0 else -abs(d)
        yield Change(words, Edit(constants={c: new}), kind="number")
        for complement in (x for x in sides.lefts if 0 < c < 1 and isclose(x, 1 - c, rel_tol=1e-12)):
            yield Change(words, Edit(constants={c: new, complement: 1 - new}), kind="number")


def without_constants(sides: Sides) -> Iterator[Change]:
    """Each constant that stands in the code of one side alone, as 0."""
    for side, _, own, _, other, others in sides.both():
        for c in _alone(own, _values(other, others)):
            words = f"{_short(abs(c))} stands in the {side}'s code; they agree where it is 0"
            yield Change.on(side, words, Edit(constants={c: 0.0}))


def as_float(value: Any) -> float:
    """A number as it was given, a text or a decay included, as a float."""
    if isinstance(value, Decay):
        return float(value.rate)
    return float(Fraction(value)) if isinstance(value, str) else float(value)


def as_decay(value: Any) -> Any:
    """A number as a float, a decay as it is."""
    return value if isinstance(value, Decay) else as_float(value)


def _rate(value: Any) -> Any:
    """A number in a form that every optimizer takes."""
    return as_float(value) if isinstance(value, Decay) else value


def _compared(name: str, left: Any, right: Any) -> str:
    return f"{name} is {_short(left)} on the left, {_short(right)} on the right"


def _short(number: Any) -> str:
    """A number as it is written; a float in the digits that a person would have given it."""
    return repr(float(f"{number:.15g}")) if isinstance(number, float) else str(number)


def _with(call: Call, name: str, value: Any) -> Call:
    return Call(call.name, call.factory, {**call.arguments, name: value})


def _values(subject: Revised, own: list[float]) -> list[float]:
    """The sizes of an optimizer's numbers, named and not, but for 0 and the greatest integers."""
    sizes = [abs(x) for x in (*own, *map(as_float, subject.numbers.values()))]
    return [x for x in dict.fromkeys(sizes) if 0 < x < 2**31 - 1]


def _alone(own: list[float], others: list[float]) -> list[float]:
    return [c for c in own if 0 < abs(c) < 2**31 - 1 and abs(c) not in others]
