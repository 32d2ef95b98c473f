"""The places of ε: inside or outside the root, ahead of the bias correction or after it."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import mpmath

from adamlab.parity.changes import Edit, Side, as_float, compared
from adamlab.parity.constants import Number, Revised
from adamlab.parity.probe import Probe, is_near

PLACES = {-1: "outside the root", -0.5: "inside the root"}
"""The power of a large ε that an update goes by: outside the root ε divides it, inside the root √ε does."""

ORDERS = {
    1: "ahead of the bias correction on the left, after it on the right",
    -1: "after the bias correction on the left, ahead of it on the right",
}
"""The power of the correction's root √(1 − b^t) that the left's updates are of the right's where ε is large."""

LARGEST = 0.01
"""The greatest constant in the code that is tried as an ε."""

LARGE = 1e30, 1e40
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
    small = [c for c in side.constants if isinstance(c, float) and 0 < c <= LARGEST]
    keys = {"eps": as_float(side.subject.numbers["eps"])} if named else {c: c for c in small}
    able = [Epsilon(value, key, _growth(side.subject, key, probe)) for key, value in keys.items()]
    return [epsilon for epsilon in able if epsilon.growth in PLACES]


def places_in_words(
    left: Revised, right: Revised, ours: Epsilon, theirs: Epsilon, rates: list[Number], probe: Probe
) -> str:
    """The places of two ε, at 0 of which two optimizers agree."""
    besides = "" if ours.value == theirs.value else "; besides, " + compared("ε", ours.value, theirs.value)
    if ours.growth != theirs.growth:
        return f"ε {PLACES[ours.growth]} on the left, {PLACES[theirs.growth]} on the right{besides}"
    ratios = _ratios(ours.at(LARGE[1]).of(left), theirs.at(LARGE[1]).of(right), probe)
    for b, (power, words) in product(rates, ORDERS.items()):
        with mpmath.workdps(probe.digits):
            roots = [mpmath.sqrt(1 - mpmath.mpf(str(b)) ** t) ** power for t in range(1, len(ratios) + 1)]
            if all(r is None or abs(r / root - 1) < 1e-9 for r, root in zip(ratios, roots, strict=True)):
                return f"ε {words}{besides}"
    return "" if besides else "ε stands elsewhere; they agree at ε = 0"


def flipped_place(side: str, subject: Revised, flipped: Revised, probe: Probe) -> str:
    """The place of a side's ε and, as that of its changed form, of the other side's; "" where they are the same."""
    own, other = (PLACES.get(_growth(each, "eps", probe)) for each in (subject, flipped))
    if own is None or other is None or own == other:
        return ""
    left, right = (own, other) if side == "left" else (other, own)
    return f"ε {left} on the left, {right} on the right"


def _growth(subject: Revised, key: str | float, probe: Probe) -> float:
    """The power of ε that the first update goes by, as ε → ∞; 0 where it cannot be read."""
    epsilon = Epsilon(0.0, key, 0.0)
    try:
        first = [probe.updates(epsilon.at(value).of(subject), 1)[0, 0] for value in LARGE]
    except Exception:  # a changed number can make anything of the code
        return 0.0
    with mpmath.workdps(probe.digits):
        usable = all(u and mpmath.isfinite(u) for u in first)
        return round(float(mpmath.log10(abs(first[1] / first[0]))) / 10, 6) if usable else 0.0


def _ratios(left: Revised, right: Revised, probe: Probe) -> list[Any]:
    """The factor of each step between the updates; None where there is none, or more than one."""
    rows = zip(probe.updates(left, probe.steps), probe.updates(right, probe.steps), strict=True)
    with mpmath.workdps(probe.digits):
        quotients = [[a / b for a, b in zip(*pair, strict=True) if b] for pair in rows]
        return [row[0] if row and all(is_near(q, row[0]) for q in row) else None for row in quotients]
