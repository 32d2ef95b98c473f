"""Words for criteria, amounts, differences and lists of names."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from adamlab.analysis.scores import STEPS, sign

MOST_NAMES = 4
"""The most names of a list that are written out."""

MOST_SIGNS = 90
"""The most signs of these names, beyond the first."""


def listed(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """The names with commas and an "and"; of a long list the first ones, and how many others there are."""
    fitting = sum(length <= MOST_SIGNS for length in accumulate(map(len, names)))
    most = max(1, min(most, fitting))
    written = list(names) if len(names) <= most else [*names[: max(1, most - 1)]]
    if others := len(names) - len(written):
        written.append(counted(others, "other"))
    return written[0] if len(written) == 1 else f"{', '.join(written[:-1])} and {written[-1]}"


def number(value: float | int | np.number) -> str:
    """A number to three significant digits; just below 1, as a decay is, three digits of what it lacks."""
    value = float(value)
    if 0.9 < value < 1:
        return f"{1 - float(f'{1 - value:.3g}'):.16g}"
    return f"{value:.3g}"


def counted(count: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is 1."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def in_words(by: str) -> str:
    """A criterion in words, such as "final test accuracy"."""
    return "number of steps to the target" if by == STEPS else by.replace("_", " ")


def amount(by: str, value: float) -> str:
    """A value of a criterion: an accuracy in percent, steps as a whole number, others to three digits."""
    if sign(by) < 0:
        return f"{100 * value:.1f} %"
    return f"{value:,.0f}" if by == STEPS else f"{value:.3g}"


def behind(by: str, best: float, other: float) -> str:
    """The difference of a value from the best: a ratio of numbers above 0, points of accuracies, else a difference."""
    if sign(by) < 0:
        return f"{100 * (best - other):.1f} percentage points less"
    if best > 0 and other / best < 1.1:
        return f"{100 * (other / best - 1):.2g} % more"
    if best > 0:
        return f"{other / best:.3g} times as {'many' if by == STEPS else 'much'}"
    return f"{other - best:.3g} more"
