"""Scores: one number for each run, by which runs are compared."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from adamlab.analysis.rows import diverged, finished, recorded
from adamlab.errors import InputError, nearest

DEFAULT = "final_loss"

STEPS = "steps_to_target"


def scored(runs: xr.Dataset) -> list[str]:
    """The criteria that runs can be compared by: "final_X" and "best_X" of every X recorded over steps, and `STEPS`."""
    return [*criteria(recorded(runs)), *([STEPS] if STEPS in runs else [])]


def criteria(names: Iterable[str]) -> list[str]:
    """The criteria that quantities recorded over steps give; a regret is least at the start, where it is 0."""
    return [f"{which}_{name}" for name in names for which in ("final", "best") if (which, name) != ("best", "regret")]


def criterion(runs: xr.Dataset, by: str | None = None) -> str:
    """The criterion that runs are compared by: the one asked for, the dataset's attribute `by`, or "final_loss".

    Raises:
        InputError: that was not recorded.
    """
    by = runs.attrs.get("by", DEFAULT) if by is None else by
    if by not in scored(runs):
        raise InputError(f'runs cannot be compared by "{by}"; {nearest(str(by), scored(runs))}')
    return by


def sign(name: str) -> int:
    """The sign of a score: −1 for a quantity that is better when greater, an "accuracy" by its name; else 1."""
    return -1 if name.endswith("accuracy") else 1


def measured(runs: xr.Dataset, by: str | None = None) -> xr.DataArray:
    """The quantity that runs are compared by (run,), as it was recorded; see `score` for the arguments.

    Of a run that diverged, or where the quantity is no number, the worst there is: ∞, or −∞ of an accuracy. The steps
    to the target are ∞ where it was never reached; whether the run diverged later does not matter.
    """
    runs, by = finished(runs), criterion(runs, by)
    if by == STEPS:
        return runs[STEPS].astype(float).where(runs[STEPS] >= 0, np.inf)
    which, _, name = by.partition("_")
    last = runs[name].isel(step=-1)
    values = (last if which == "final" else best_of(runs, name)).values.astype(float)
    sound = np.isfinite(values) & ~diverged(runs).values
    worst = sign(name) * np.inf
    return last.drop_vars("step", errors="ignore").copy(data=np.where(sound, values, worst)).rename(by)


def score(runs: xr.Dataset, by: str | None = None) -> xr.DataArray:
    """The score of each run (run,), by which runs are compared; lower is better.

    Args:
        runs: the dataset of a problem.
        by: "final_X" or "best_X" (the best one recorded), X being "loss" or another quantity recorded over steps, or
            "steps_to_target"; by default the dataset's attribute `by`, or "final_loss". An accuracy counts with its
            sign turned.

    Returns:
        The score of each finished run; ∞ where it diverged, the quantity is no number, or the target was not reached.

    Raises:
        InputError: that was not recorded.
    """
    by = criterion(runs, by)
    return (sign(by) * measured(runs, by)).rename("score")


def best_loss(runs: xr.Dataset) -> xr.DataArray:
    """The least finite loss that was recorded of each finished run (run,), NaN where none was finite."""
    return best_of(finished(runs), "loss")


def best_of(runs: xr.Dataset, name: str) -> xr.DataArray:
    """The best finite value of a recorded quantity (run,), NaN where none was finite."""
    finite = runs[name].where(np.isfinite(runs[name]))
    return finite.max("step") if sign(name) < 0 else finite.min("step")
