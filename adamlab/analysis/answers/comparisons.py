"""The answer of comparisons: how many are bit-identical, and how far the others are apart."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from adamlab.analysis.answers.words import counted

IDENTICAL, SAME, DIFFERENT = "bit-identical", "same formula", "different formulas"
"""The kinds of comparisons, as `al.compare` calls them; another is "different bits"."""


def answer_of_comparisons(comparisons: xr.Dataset) -> str:
    """The answer in sentences."""
    kinds = comparisons.kind.values
    total = len(kinds)
    identical = int((kinds == IDENTICAL).sum())
    first = f"{identical} of {counted(total, 'comparison')} {'is' if identical == 1 else 'are'} bit-identical."
    return " ".join(
        [first, *_rounded(comparisons, kinds), *_different(comparisons, kinds), *_others(comparisons, kinds)]
    )


def _rounded(comparisons: xr.Dataset, kinds: np.ndarray) -> Iterable[str]:
    """The comparisons that differ by rounding alone, and how far they are apart."""
    mine = np.flatnonzero(kinds == SAME)
    if not mine.size:
        return
    apart = comparisons.apart_max.isel(comparison=mine).max("family").values
    where = ""
    if np.isfinite(apart).any():
        furthest = int(mine[np.nanargmax(np.where(np.isfinite(apart), apart, np.nan))])
        where = f": at most {np.nanmax(apart[np.isfinite(apart)]):.3g} ulp apart ({_name(comparisons, furthest)})"
    yield f"{len(mine)} {_have(mine)} the same formula, rounded differently{where}."


def _different(comparisons: xr.Dataset, kinds: np.ndarray) -> Iterable[str]:
    """The comparisons of different formulas, and the nearest of them."""
    mine = np.flatnonzero(kinds == DIFFERENT)
    if not mine.size:
        return
    gaps = comparisons.gap.isel(comparison=mine).max("family", skipna=False).values if "gap" in comparisons else None
    nearest = ""
    if gaps is not None and len(mine) > 1 and np.isfinite(gaps).any():
        k = int(np.nanargmin(np.where(np.isfinite(gaps), gaps, np.nan)))
        nearest = f"; the nearest has a largest relative gap of {gaps[k]:.3g} ({_name(comparisons, int(mine[k]))})"
    yield f"{len(mine)} {_have(mine)} different formulas{nearest}."


def _others(comparisons: xr.Dataset, kinds: np.ndarray) -> Iterable[str]:
    """The comparisons that differ in bits, by whether anything was read exactly."""
    others = np.flatnonzero(~np.isin(kinds, [IDENTICAL, SAME, DIFFERENT]))
    was_read = np.zeros(others.size, bool)
    if "left_median" in comparisons:
        was_read = np.isfinite(comparisons.left_median.values[others]).any(axis=1)
    if beyond := int(was_read.sum()):
        have, leave = ("has", "leaves") if beyond == 1 else ("have", "leave")
        yield f"{beyond} {have} the same formula in exact numbers, but {leave} the range of numbers of the type."
    if unread := int((~was_read).sum()):
        yield f"{unread} {'differs' if unread == 1 else 'differ'} in bits, and no formula could be compared."


def _have(mine: np.ndarray) -> str:
    return "has" if len(mine) == 1 else "have"


def _name(comparisons: xr.Dataset, k: int) -> str:
    """A comparison by its label, its type and its numbers."""
    names = comparisons.attrs["settings"]
    given = [name for name in names if f"1-{name}" not in names and np.isfinite(comparisons[name].values[k])]
    numbers = [f"{name} {comparisons[name].values[k]:.6g}" for name in given]
    return ", ".join([str(comparisons["label"].values[k]), str(comparisons["dtype"].values[k]), *numbers])
