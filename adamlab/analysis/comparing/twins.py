"""Twins: runs of adamlab and of Optax at the same settings, and how far they went apart."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import optax
import pandas as pd
import xarray as xr

from adamlab.analysis.rows import diverged, finished, instance_names, optimizers
from adamlab.calls import Call, SpecError, arguments
from adamlab.specs import parse
from adamlab.types import Decay


def with_agreement(runs: xr.Dataset) -> xr.Dataset:
    """Add to every run of `adamlab.X` its distance from the run of `optax.X` with the same settings and seed.

    Returns:
        The dataset with `optax_run`, that run's number, −1 where there is none; `params_difference`, the largest
        difference in a parameter, at any recorded step where those are kept and at the end; `loss_difference`, the
        largest in a recorded loss. Where only one of the two diverged the difference is infinite. It is NaN where
        both did, since ever larger numbers say nothing, and where there is no such run. Runs that are not done have
        no twin and are no run's twin, nor have those of optimizers that are not known where the dataset is read.
    """
    counterparts = _counterparts(runs)
    ours = np.flatnonzero(counterparts >= 0)
    theirs = counterparts[ours]
    columns = {"params_difference": ("params", "final_params"), "loss_difference": ("loss",)}
    added: dict[str, Any] = {"optax_run": ("run", counterparts)}
    for column, names in columns.items():
        largest = np.full(runs.sizes["run"], np.nan)
        apart = [_apart(runs[name].values[ours], runs[name].values[theirs]) for name in names if name in runs]
        largest[ours] = np.max([gap.max(axis=tuple(range(1, gap.ndim))) for gap in apart], axis=0)
        largest[ours[diverged(runs).values[ours] & diverged(runs).values[theirs]]] = np.nan
        added[column] = ("run", largest)
    return runs.assign(added)


def agreement(runs: xr.Dataset) -> pd.DataFrame:
    """The distance of each optimizer from its twin in Optax.

    Columns: their labels, pairs of `runs`, pairs that `both_diverged`, pairs `identical` in all that was recorded, and
    the largest `params_difference` and `loss_difference` of the pairs that did not diverge.
    """
    ours = np.flatnonzero(runs.optax_run.values >= 0)
    table = pd.DataFrame(
        {
            "adamlab": runs.optimizer.values[ours],
            "optax": runs.optimizer.values[runs.optax_run.values[ours]],
            "params_difference": runs.params_difference.values[ours],
            "loss_difference": runs.loss_difference.values[ours],
        }
    )
    table["identical"] = (table.params_difference == 0) & (table.loss_difference == 0)
    groups = table.groupby(["adamlab", "optax"], sort=False)
    return groups.agg(
        runs=("params_difference", "size"),
        both_diverged=("params_difference", lambda differences: int(differences.isna().sum())),
        identical=("identical", "sum"),
        params_difference=("params_difference", "max"),
        loss_difference=("loss_difference", "max"),
    ).reset_index()


def difference_by_step(runs: xr.Dataset) -> xr.Dataset:
    """The largest `difference` over the runs of each optimizer with a twin in Optax, after each recorded step.

    Of the parameters where they were recorded, of the loss elsewhere; the attribute `of` says which.
    """
    name = "params" if "params" in runs else "loss"
    rows = {}
    for label in optimizers(runs):
        ours = np.flatnonzero((runs.optimizer.values == label) & (runs.optax_run.values >= 0))
        ours = ours[~np.isnan(runs.params_difference.values[ours])]
        if len(ours):
            pair = runs[name].values[ours], runs[name].values[runs.optax_run.values[ours]]
            rows[label] = _apart(*pair).reshape(len(ours), runs.sizes["step"], -1).max(axis=(0, 2))
    return xr.Dataset(
        {"difference": (("optimizer", "step"), np.array(list(rows.values())).reshape(-1, runs.sizes["step"]))},
        {"optimizer": list(rows), "step": runs.step},
        {"of": "largest difference in a parameter" if name == "params" else "largest difference in the loss"},
    )


def _counterparts(runs: xr.Dataset) -> np.ndarray:
    """The number of Optax's run for each run of adamlab, −1 where there is none.

    The settings of an optimizer differ in the numbers alone that the dataset has as coordinates: one spec of each
    label is read, and the runs are joined by their numbers.
    """
    numbered = finished(runs.coords.to_dataset().assign_coords(number=("run", np.arange(runs.sizes["run"]))))
    tables: dict[str, dict[str, list[pd.DataFrame]]] = {"adamlab": {}, "optax": {}}
    for label in optimizers(runs):
        mine = numbered.isel(run=np.flatnonzero(numbered.optimizer.values == label))
        try:
            call = parse(str(mine.spec.values[0]))
        except SpecError:
            continue  # of another version of Optax, or the user's own, which this process does not know
        if call.library in tables:
            form, table = _numbers(call, mine)
            tables[call.library].setdefault(form, []).append(table)
    counterparts = np.full(runs.sizes["run"], -1)
    for form, ours in tables["adamlab"].items():
        if form in tables["optax"]:
            theirs = pd.concat(tables["optax"][form]).sort_values("number")
            keys = [name for name in theirs if name != "number"]
            pairs = pd.concat(ours).merge(theirs.drop_duplicates(keys), on=keys, suffixes=("", "_theirs"))
            counterparts[pairs.number.to_numpy()] = pairs.number_theirs.to_numpy()
    return counterparts


def _numbers(call: Call, runs: xr.Dataset) -> tuple[str, pd.DataFrame]:
    """An optimizer's form, the same for either library and any way of writing it, and its numbers in every run."""
    parts = dict(_parts(call))
    is_number = {path: type(value) in (int, float) for path, value in parts.items()}
    form = str(sorted((path, "a number" if is_number[path] else str(value)) for path, value in parts.items()))
    swept = {path for path in call.numbers() if path in runs.attrs["settings"]}
    columns = {
        path: runs[path].values if path in swept else float(parts[path]) for path in sorted(parts) if is_number[path]
    }
    which = [*instance_names(runs), *(["stage"] if "stage" in runs else [])]
    same = {f"the run's {name}": runs[name].values for name in which}
    return form, pd.DataFrame({"number": runs.number.values} | same | columns)


def _parts(call: Call, ahead: str = "") -> Iterator[tuple[str, Any]]:
    """All arguments by their paths, schedules' as "learning_rate.init", with the defaults filled in.

    Of an optimizer of ours without the arguments that Optax does not have, which leave the formula as it is.
    """
    short = call.name.rpartition(".")[-1]
    twin = getattr(optax, short, None) if call.library == "adamlab" else None
    shared = arguments(twin) if twin else call.bound()
    yield ahead, short
    for name, value in call.bound().items():
        if name in shared:
            path = f"{ahead}.{name}" if ahead else name
            plain = value.rate if isinstance(value, Decay) else value
            yield from _parts(value, path) if isinstance(value, Call) else [(path, plain)]


def _apart(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """|ours − theirs|; 0 where neither is finite, infinite where only one is."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where(~np.isfinite(ours) & ~np.isfinite(theirs), 0, np.abs(ours - theirs))
    return np.where(np.isnan(difference), np.inf, difference)
