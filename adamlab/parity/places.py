"""The places of ε: inside or outside the root, ahead of the bias correction or after it."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import mpmath

from adamlab.parity.changes import Edit, Sides, as_float
from adamlab.parity.constants import Revised
from adamlab.parity.probe import Probe, is_near

PLACES = {-1: "outside the root", -0.5: "inside the root"}
"""The power of a large ε that an update goes by: outside the root ε divides it, inside the root √ε does."""

ORDERS = {
    1: "ahead of the bias correction on the left, after it on the right",
    -1: "after the bias correction on the left, ahead of it on the right",
}
"""The power of the correction's root √(1 − b^t) that the left's updates are of the right's where ε is large."""

GREATEST = 0.01
"""The greatest constant in the code that is tried as an ε."""

LARGE = 1e30, 1e40
"""Two that are large enough to be all that counts."""

AtEpsilon = Callable[[float], Revised]
"""An optimizer at an ε."""


def other_places(sides: Sides, probe: Probe) -> str:
    """The places of ε in words, named or a constant of the code, if they are all that parts the two sides; else ""."""
    ours, theirs = _epsilons(sides.left, sides.lefts), _epsilons(sides.right, sides.rights)
    ours, theirs = ([e for e in side if growth(e[1], probe) in PLACES] for side in (ours, theirs))
    for (value, left), (other, right) in sorted(product(ours, theirs), key=lambda pair: pair[0][0] != pair[1][0]):
        if probe.agree(left(0.0), right(0.0)):
            besides = "" if value == other else f"; besides, ε is {value} on the left, {other} on the right"
            return f"{_told(left, right, probe, _numbers(sides))}{besides}"
    return ""


def flipped_place(side: str, subject: Revised, flipped: Revised, probe: Probe) -> str:
    """The place of a side's ε and, as that of its changed form, of the other side's; "" where they are the same."""
    own, other = (PLACES.get(growth(_at(each, "eps"), probe)) for each in (subject, flipped))
    if own is None or other is None or own == other:
        return ""
    left, right = (own, other) if side == "left" else (other, own)
    return f"ε {left} on the left, {right} on the right"


def growth(at: AtEpsilon, probe: Probe) -> float:
    """The power of ε that the first update goes by, as ε → ∞."""
    try:
        first = [probe.updates(at(eps), 1)[0, 0] for eps in LARGE]
    except Exception:  # a changed number can make anything of the code
        return 0.0
    with mpmath.workdps(probe.digits):
        usable = all(u and mpmath.isfinite(u) for u in first)
        return round(float(mpmath.log10(abs(first[1] / first[0]))) / 10, 6) if usable else 0.0


def _told(left: AtEpsilon, right: AtEpsilon, probe: Probe, numbers: list[float]) -> str:
    places = [PLACES[growth(side, probe)] for side in (left, right)]
    if places[0] != places[1]:
        return f"ε {places[0]} on the left, {places[1]} on the right"
    ratios = _ratios(left(LARGE[1]), right(LARGE[1]), probe)
    for b, (power, words) in product(numbers, ORDERS.items()):
        with mpmath.workdps(probe.digits):
            roots = [mpmath.sqrt(1 - mpmath.mpf(str(b)) ** t) ** power for t in range(1, len(ratios) + 1)]
            if all(r is None or abs(r / root - 1) < 1e-9 for r, root in zip(ratios, roots, strict=True)):
                return f"ε {words}"
    return "ε stands elsewhere; they agree at eps = 0"


def _ratios(left: Revised, right: Revised, probe: Probe) -> list[Any]:
    """The factor of each step between the updates; None where there is none, or more than one."""
    rows = zip(probe.updates(left, probe.steps), probe.updates(right, probe.steps), strict=True)
    with mpmath.workdps(probe.digits):
        quotients = [[a / b for a, b in zip(*pair, strict=True) if b] for pair in rows]
        return [row[0] if row and all(is_near(q, row[0]) for q in row) else None for row in quotients]


def _epsilons(subject: Revised, own: list[float]) -> Iterator[tuple[float, AtEpsilon]]:
    """What can be an ε, with its value: the number of this name, or else a small constant of the code."""
    if "eps" in subject.numbers:
        yield as_float(subject.numbers["eps"]), _at(subject, "eps")
        return
    for c in own:
        if isinstance(c, float) and 0 < c <= GREATEST:
            yield c, _at(subject, c)


def _at(subject: Revised, epsilon: str | float) -> AtEpsilon:
    def at(value: float) -> Revised:
        edit = Edit({epsilon: value}) if isinstance(epsilon, str) else Edit(constants={epsilon: value})
        return edit.of(subject)

    return at


def _numbers(sides: Sides) -> list[float]:
    """The numbers of both sides that can be a rate."""
    named = [as_float(x) for side in (sides.left, sides.right) for x in side.numbers.values()]
    return [x for x in dict.fromkeys([*named, *sides.lefts, *sides.rights]) if 0 < x < 1]
