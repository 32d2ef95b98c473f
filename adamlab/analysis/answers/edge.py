"""The answer about the edge of stability: who comes to it, and how near the sharpness stays to the threshold."""

from collections.abc import Iterable, Mapping

import pandas as pd
import xarray as xr

from adamlab.analysis.answers.words import counted, listed
from adamlab.analysis.edge import edge_rows


def answer_at_the_edge(problems: Mapping[str, xr.Dataset]) -> Iterable[str]:
    """How many runs stay at the edge, by how much they differ from it, and what the others do; nothing unless recorded.

    Args:
        problems: the datasets by problem.
    """
    rows = pd.concat([edge_rows(runs) for runs in problems.values()], ignore_index=True)
    rows = rows[rows.state != "unknown"]
    if rows.empty:
        return
    by_state = dict(iter(rows.groupby("state")))
    staying = by_state.get("at the edge")
    if staying is None:
        yield f"None of {counted(len(rows), 'run')} stays at the edge of stability."
    else:
        ratios = staying.groupby("optimizer", sort=False).ratio
        parts = [f"{label} {_range(values)}" for label, values in ratios]
        each = f": {listed(parts, most=len(parts))}" if len(parts) > 1 else ""
        yield (
            f"{len(staying)} of {counted(len(rows), 'run')} come to the edge of stability and stay there, the median "
            f"of the preconditioned sharpness at {_range(staying.ratio)} times the threshold read off the code{each}."
        )
    below, off = by_state.get("below it"), by_state.get("off it")
    if below is not None:
        who = listed([*below.optimizer.unique()])
        yield f"{counted(len(below), 'run')} stayed below it, at most at {below.ratio.max():.2f} of it ({who})."
    if off is not None:
        who = listed([*off.optimizer.unique()])
        yield f"{counted(len(off), 'run')} came to it and went on at {_range(off.ratio)} times the threshold ({who})."


def _range(ratios: pd.Series) -> str:
    """The least and the greatest ratio, to two digits behind the point."""
    low, high = f"{ratios.min():.2f}", f"{ratios.max():.2f}"
    return low if low == high else f"{low} to {high}"
