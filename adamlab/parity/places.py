"""The places of ε: inside or outside the root, ahead of the bias correction or after it."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import mpmath

from adamlab.parity.changes import Edit, Side, as_float, compared
from adamlab.parity.constants import Number, Revised
from adamlab.parity.probe import Probe

PLACES = {-1: "outside the root", -0.5: "inside the root"}
"""The power of a large ε that an update goes by: outside the root ε divides it, inside the root √ε does."""

ORDERS = {
    1: "ahead of the bias correction on the left, after it on the right",
    -1: "after the bias correction on the left, ahead of it on the right",
}
"""The power of the correction's root √(1 − b^t) that the left's updates are of the right's where ε is large."""

LARGEST = 0.01
"""The greatest constant in the code that is tried as an ε."""

LARGE = 1e15, 1e20
"""Two that are large enough to be all that counts."""


@dataclass(frozen=True)
class Epsilon:
    """What can be the ε of an optimizer: the number of this name, or a constant of its code.

    Attributes:
        value: its value.
        key: its name; or the constant itself.
        growth: the power of ε that the first update goes by, as ε → ∞.
    """

    value: float
    key: str | float
    growth: float

    def at(self, value: float) -> Edit:
        """Another value in its place."""
        return Edit({self.key: value}) if isinstance(self.key, str) else Edit(constants={self.key: value})


def epsilons(side: Side, probe: Probe) -> list[Epsilon]:
    """What can be the ε of a side, by how its updates shrink where it grows."""
    named = "eps" in side.subject.numbers
    keys = {"eps": as_float(side.subject.numbers["eps"])} if named else {c: c for c in side.constants if _is_small(c)}
    able = [Epsilon(value, key, _growth(side.subject, key, probe)) for key, value in keys.items()]
    return [epsilon for epsilon in able if epsilon.growth in PLACES]


def is_epsilon(constant: Number, subject: Revised, probe: Probe) -> bool:
    """Whether a constant of an optimizer's code does what an ε does: its updates shrink as it grows."""
    return _is_small(constant) and _growth(subject, constant, probe) in PLACES


def places_in_words(
    left: Revised, right: Revised, ours: Epsilon, theirs: Epsilon, rates: list[Number], probe: Probe
) -> str:
    """The places of two ε, at 0 of which two optimizers agree."""
    besides = "" if ours.value == theirs.value else "; besides, " + compared("ε", ours.value, theirs.value)
    if ours.growth != theirs.growth:
        return f"ε {PLACES[ours.growth]} on the left, {PLACES[theirs.growth]} on the right{besides}"
    ratios = _ratios(ours.at(LARGE[1]).of(left), theirs.at(LARGE[1]).of(right), probe)
    told = [(t, ratio) for t, ratio in enumerate(ratios, start=1) if ratio is not None]
    for b, (power, words) in product(rates, ORDERS.items()):
        with mpmath.workdps(probe.digits):
            if told and all(_is_close(ratio, mpmath.sqrt(1 - mpmath.mpf(str(b)) ** t) ** power) for t, ratio in told):
                return f"ε {words}{besides}"
    return "" if besides else "ε stands elsewhere; they agree at ε = 0"


def flipped_place(side: str, subject: Revised, flipped: Revised, probe: Probe) -> str:
    """The place of a side's ε and, as that of its changed form, of the other side's; "" where they are the same."""
    own, other = (PLACES.get(_growth(each, "eps", probe)) for each in (subject, flipped))
    if own is None or other is None or own == other:
        return ""
    left, right = (own, other) if side == "left" else (other, own)
    return f"ε {left} on the left, {right} on the right"


def _is_small(number: Number) -> bool:
    return isinstance(number, float) and 0 < number <= LARGEST


def _growth(subject: Revised, key: str | float, probe: Probe) -> float:
    """The power of ε that the first update goes by, as ε → ∞; 0 where it cannot be read or does not grow with g.

    What twice the gradient adds is measured: all of it where ε outweighs the root, and nothing of a weight decay.
    """
    epsilon = Epsilon(0.0, key, 0.0)
    try:
        large = [epsilon.at(value).of(subject) for value in LARGE]
        twice, once = ([reading.updates(side, 1)[0, 0] for side in large] for reading in (probe.doubled, probe))
    except Exception:  # a changed number can make anything of the code
        return 0.0
    with mpmath.workdps(probe.digits):
        more = [a - b for a, b in zip(twice, once, strict=True)]
        usable = all(u and mpmath.isfinite(u) for u in more)
        return round(float(mpmath.log(abs(more[1] / more[0]), LARGE[1] / LARGE[0])), 6) if usable else 0.0


def _ratios(left: Revised, right: Revised, probe: Probe) -> list[Any]:
    """The factor of each step between what twice the gradients add to the updates; None where it is no single one."""
    with mpmath.workdps(probe.digits):
        added = [probe.doubled.updates(side, probe.steps) - probe.updates(side, probe.steps) for side in (left, right)]
        quotients = [[a / b for a, b in zip(*rows, strict=True) if b] for rows in zip(*added, strict=True)]
        return [row[0] if row and all(_is_close(q, row[0]) for q in row) else None for row in quotients]


def _is_close(a: Any, b: Any) -> bool:
    """Whether two numbers are the same but for what is left of the root beside a large ε."""
    return abs(a - b) <= 1e-9 * abs(b)
