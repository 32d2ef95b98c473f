"""The output shape of a convolution: on each side the number of windows that fit."""

from itertools import product
from typing import Any

from sympy import Le, Symbol, Tuple, floor

from adamlab.derivations.computation import whole
from adamlab.derivations.derivation import Derivation, Step
from adamlab.interpret.equality import same
from adamlab.layers import conv_output_shape
from adamlab.symbolic.partial import InOrder

SIDE, KERNEL, STRIDE, DILATION = whole("W", "k", "s", "d")
BATCH, HEIGHT, FILTERS = whole("B", "H", "C")
PADDING = Symbol("p", integer=True, nonnegative=True)
SPAN, WINDOW, COUNT = whole("khat", "i", "W'")
COUNT_OF_HEIGHT = Symbol("H'", integer=True)
SPANNED = InOrder(DILATION * (KERNEL - 1), 1)
LAST = InOrder(STRIDE * (WINDOW - 1), SPAN)
FREE = InOrder(SIDE, -SPAN, 2 * PADDING)
FORMULA = InOrder(floor(FREE / STRIDE), 1)

RANGES = range(1, 9), range(1, 5), range(1, 4), range(3), range(1, 3)
ALL = "for all W ≤ {}, k ≤ {}, s ≤ {}, p ≤ {}, d ≤ {}".format(*(numbers[-1] for numbers in RANGES))


def derive() -> Derivation:
    """The output shape of a convolution, (B, W′, H′, C) with W′ = ⌊(W − k̂ + 2p)/s⌋ + 1, from windows to the code."""
    fits: Any = Le(LAST, InOrder(SIDE, 2 * PADDING), evaluate=False)
    solved: Any = Le(WINDOW, InOrder(FREE / STRIDE, 1), evaluate=False)
    cases = [Case(*numbers) for numbers in product(*RANGES)]
    steps = (
        Step(
            "A kernel of k entries that are d apart spans so many places.",
            (SPAN, SPANNED),
            f"places counted, {ALL}: equal",
            all(case.value(SPANNED) == case.places(0)[-1] - case.places(0)[0] + 1 for case in cases),
        ),
        Step(
            "Counted from 1 on the padded side, window i ends at what is on the left; it fits if that is a place.",
            (fits,),
            f"windows laid down place by place, {ALL}: they fit where this says so",
            all(_says_what_fits(fits, case) for case in cases),
        ),
        Step(
            "Both sides divided by the stride, which is positive.",
            (solved,),
            "right minus left of both, with s divided out: equal",
            same((fits.rhs - fits.lhs).doit() / STRIDE, (solved.rhs - solved.lhs).doit()),
        ),
        Step(
            "The number of windows is the greatest whole number among these; where it is below 1, none fits.",
            (COUNT, FORMULA),
            f"windows that fit counted, {ALL}: equal",
            all(max(case.value(FORMULA), 0) == case.count() for case in cases),
        ),
        Step(
            "That is what adamlab.layers.conv_output_shape gives for each side; where none fits it says so.",
            (COUNT, FORMULA),
            f"the function called, {ALL}, for the first side and the second: equal",
            all(case.value(FORMULA) == case.computed() or case.count() == case.computed() == 0 for case in cases),
        ),
        Step(
            "A batch of B inputs of W by H places, under C kernels, is of this shape.",
            (
                Tuple(BATCH, COUNT, COUNT_OF_HEIGHT, FILTERS),
                Tuple(BATCH, FORMULA, FORMULA.xreplace({SIDE: HEIGHT}), FILTERS),
            ),
            f"the function called, {ALL}, with B, C ≤ 3 and H = 9: equal",
            all(case.has_shape() for case in cases if case.count()),
        ),
    )
    return Derivation(
        "conv-shape",
        "The output shape of a convolution",
        "Dumoulin & Visin 2016, A guide to convolution arithmetic for deep learning, relationships 6 and 15",
        "W and H are the sides of the input, padded by p on both ends, W' and H' those of the output; a kernel of k "
        "entries, d apart, moves s places at a time.",
        steps,
        ("W, H, k, s, d, B, C ≥ 1 and p ≥ 0 are whole numbers",),
    )


class Case:
    """One geometry in numbers."""

    def __init__(self, side: int, kernel: int, stride: int, padding: int, dilation: int):
        self.side, self.kernel, self.stride, self.padding, self.dilation = side, kernel, stride, padding, dilation
        self.padded = set(range(side + 2 * padding))
        numbers = {SIDE: side, KERNEL: kernel, STRIDE: stride, PADDING: padding, DILATION: dilation}
        self.numbers = numbers | {SPAN: SPANNED.xreplace(numbers)}

    def value(self, formula: Any) -> Any:
        """The value of a formula in this geometry."""
        return formula.xreplace(self.numbers)

    def places(self, window: int) -> list[int]:
        """The places that a window sees, by number from 0, on the padded side or beyond it."""
        return [self.stride * window + self.dilation * entry for entry in range(self.kernel)]

    def count(self) -> int:
        """The number of windows that see only places on the padded side."""
        return sum(self.padded.issuperset(self.places(window)) for window in range(len(self.padded)))

    def computed(self) -> int | None:
        """The number that the code gives for both sides; None where they differ."""
        numbers = {self._computed(turned) for turned in (False, True)}
        return numbers.pop() if len(numbers) == 1 else None

    def has_shape(self) -> bool:
        """Whether the code gives the tuple of the formulas for a few batches and numbers of kernels."""
        sides = self.value(FORMULA), self.value(FORMULA.xreplace({SIDE: HEIGHT})).xreplace({HEIGHT: 9})
        geometry = (self.kernel, self.kernel), self.stride, self.padding, self.dilation
        return all(
            conv_output_shape((batch, self.side, 9, 1), geometry[0], filters, *geometry[1:]) == (batch, *sides, filters)
            for batch, filters in ((1, 3), (3, 2))
        )

    def _computed(self, turned: bool) -> int:
        pairs = [(self.side, 9), (self.kernel, 1), (self.stride, 1), (self.padding, 0), (self.dilation, 1)]
        sides, kernel, stride, padding, dilation = (pair[::-1] if turned else pair for pair in pairs)
        try:
            return conv_output_shape((1, *sides, 1), kernel, 1, stride, padding, dilation)[2 if turned else 1]
        except ValueError:
            return 0


def _says_what_fits(fits: Any, case: Case) -> bool:
    windows = range(len(case.padded) + 1)
    said = [bool(case.value(fits).xreplace({WINDOW: window + 1})) for window in windows]
    return said == [case.padded.issuperset(case.places(window)) for window in windows]
