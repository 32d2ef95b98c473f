"""The runs that count, and the groups that they form."""

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.errors import InputError, nearest

TUNING, EVALUATION = "tuning", "evaluation"
"""The stages of a study that compares settings on some seeds and reports the best on fresh ones."""


def finished(runs: xr.Dataset) -> xr.Dataset:
    """The runs that are `done`; all runs of a dataset without such a variable."""
    if "done" not in runs or runs.done.values.all():
        return runs
    return runs.isel(run=np.flatnonzero(runs.done.values))


def diverged(runs: xr.Dataset) -> xr.DataArray:
    """Whether a parameter or the loss became infinite or NaN (run,)."""
    return runs.diverged_at >= 0


def optimizers(runs: xr.Dataset) -> list[str]:
    """The labels of the optimizers that have results, in the config's order."""
    return list(dict.fromkeys(finished(runs).optimizer.values.tolist()))


def of_optimizer(runs: xr.Dataset, optimizer: str) -> xr.Dataset:
    """The finished runs of one optimizer.

    Raises:
        InputError: it has none.
    """
    runs = finished(runs)
    mine = np.flatnonzero(runs.optimizer.values == optimizer)
    if not mine.size:
        raise InputError(f'there are no runs of an optimizer "{optimizer}"; {nearest(optimizer, optimizers(runs))}')
    return runs.isel(run=mine)


def recorded(runs: xr.Dataset) -> list[str]:
    """The names of the quantities that were recorded as one number after each recorded step."""
    return [str(name) for name in runs.data_vars if runs.variables[name].dims == ("run", "step")]


def over_steps(runs: xr.Dataset) -> list[str]:
    """The names of all quantities that were recorded after each recorded step, vectors too."""
    return [str(name) for name in runs.data_vars if runs.variables[name].dims[:2] == ("run", "step")]


def is_tuning(runs: xr.Dataset) -> np.ndarray:
    """Whether a run counts where settings are compared (run,): every run does, or those of the stage "tuning"."""
    return runs.stage.values == TUNING if "stage" in runs else np.ones(runs.sizes["run"], bool)


def setting_of(runs: xr.Dataset) -> np.ndarray:
    """The number of each run's setting (run,), from 0 in the order in which settings first appear."""
    labels, specs = (pd.factorize(runs[name].values.astype(object))[0] for name in ("optimizer", "spec"))
    # One code for each pair: the same spec under two labels is two settings.
    return pd.factorize(labels * (specs.max(initial=0) + 1) + specs)[0]


def first_of(codes: np.ndarray) -> np.ndarray:
    """The first run of each number that `setting_of` gave."""
    return np.unique(codes, return_index=True)[1]


def instance_names(runs: xr.Dataset) -> list[str]:
    """The coordinates that tell an instance of a problem: the seed, and the start where there are several."""
    return [name for name in ("seed", "start") if name in runs]
