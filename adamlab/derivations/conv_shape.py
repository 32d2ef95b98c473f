"""How many windows of a convolution fit."""

from itertools import product
from typing import Any

from sympy import Le, Symbol, floor

from adamlab.derivations.computation import whole
from adamlab.derivations.derivation import DEFINITION, Derivation, Step
from adamlab.interpret.equality import same
from adamlab.layers import conv_output_shape

SIDE, KERNEL, STRIDE, DILATION = whole("W", "k", "s", "d")
PADDING = Symbol("p", integer=True, nonnegative=True)
SPAN, WINDOW, COUNT = whole("khat", "i", "O")
FORMULA = floor((SIDE - SPAN + 2 * PADDING) / STRIDE) + 1

RANGES = range(1, 13), range(1, 5), range(1, 5), range(4), range(1, 4)

ALL = "for all W ≤ {}, k ≤ {}, s ≤ {}, p ≤ {}, d ≤ {}".format(*(r[-1] for r in RANGES))


def derive() -> Derivation:
    """O = ⌊(W − k̂ + 2p)/s⌋ + 1, from where windows start to the code."""
    last_place = STRIDE * (WINDOW - 1) + SPAN
    fits: Any = Le(last_place, SIDE + 2 * PADDING, evaluate=False)
    solved: Any = Le(WINDOW, (SIDE - SPAN + 2 * PADDING) / STRIDE + 1, evaluate=False)
    is_equivalent = same((fits.rhs - fits.lhs) / STRIDE, solved.rhs - solved.lhs)
    steps = (
        Step(
            "A kernel of k entries that are d apart spans so many places.",
            (SPAN, DILATION * (KERNEL - 1) + 1),
            DEFINITION,
        ),
        Step(
            "Counted from the padding's first place, window i ends here; it fits if that is within the padded side.",
            (fits,),
            DEFINITION,
        ),
        Step(
            "Both sides divided by the stride, which is positive.",
            (solved,),
            "right minus left of both, with s divided out: equal",
            is_equivalent,
        ),
        Step(
            "The number of windows is the greatest whole number among these.",
            (COUNT, FORMULA),
            f"windows counted one by one, {ALL}: equal wherever one fits",
            all(_formula_counts(*numbers) for numbers in _cases()),
        ),
        Step(
            "That is what adamlab.layers.conv_output_shape gives for each side.",
            (COUNT, FORMULA),
            f"the function called, {ALL}: equal wherever one fits",
            all(_code_counts(*numbers) for numbers in _cases()),
        ),
    )
    source = "Dumoulin & Visin 2016, A guide to convolution arithmetic for deep learning, relationships 6 and 15"
    return Derivation("conv-shape", "The output shape of a convolution", source, steps)


def _cases() -> list[tuple[int, ...]]:
    return [case for case in product(*RANGES) if _counted(*case)]


def _counted(side: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Windows put down one after the other for as long as their last entry lies within."""
    windows = 0
    while windows * stride + dilation * (kernel - 1) < side + 2 * padding:
        windows += 1
    return windows


def _formula_counts(side: int, kernel: int, stride: int, padding: int, dilation: int) -> bool:
    span = dilation * (kernel - 1) + 1
    value = FORMULA.subs({SIDE: side, SPAN: span, STRIDE: stride, PADDING: padding})
    return value == _counted(side, kernel, stride, padding, dilation)


def _code_counts(side: int, kernel: int, stride: int, padding: int, dilation: int) -> bool:
    shape = conv_output_shape((1, side, 9, 1), (kernel, 1), 1, (stride, 1), (padding, 0), (dilation, 1))
    return shape[1] == _counted(side, kernel, stride, padding, dilation)
