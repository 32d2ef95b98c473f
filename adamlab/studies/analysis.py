"""What can be read off a dataset of runs: pure functions, Dataset in, Dataset or table out."""

from typing import Any

import numpy as np
import optax
import pandas as pd
import xarray as xr

from adamlab.calls import Call, arguments
from adamlab.specs import parse


def final_loss(runs: xr.Dataset) -> xr.DataArray:
    """The loss after the last step (run,); infinite where a run diverged."""
    return runs.loss.isel(step=-1).where(~diverged(runs), np.inf)


def best_loss(runs: xr.Dataset) -> xr.DataArray:
    """The least loss that was recorded (run,), NaN where none was finite."""
    finite = runs.loss.where(np.isfinite(runs.loss))
    return finite.min("step")


def diverged(runs: xr.Dataset) -> xr.DataArray:
    """Whether a parameter or the loss became infinite or NaN (run,)."""
    return runs.diverged_at >= 0


def optimizers(runs: xr.Dataset) -> list[str]:
    """The labels of the optimizers, in the config's order."""
    return list(dict.fromkeys(runs.optimizer.values.tolist()))


def best_setting(runs: xr.Dataset, optimizer: str) -> xr.Dataset:
    """The runs, one a seed, of the optimizer's setting whose median final loss over seeds is least."""
    mine = runs.isel(run=np.flatnonzero(runs.optimizer.values == optimizer))
    scores = final_loss(mine).to_series().groupby(mine.spec.values, sort=False).median()
    return mine.isel(run=np.flatnonzero(mine.spec.values == scores.idxmin()))


def standings(runs: xr.Dataset) -> pd.DataFrame:
    """Each optimizer at its best setting: the median, least and greatest final loss over seeds; best first.

    The columns `runs` and `diverged` count all of the optimizer's runs, at every setting.
    """
    table = []
    for label in optimizers(runs):
        mine = diverged(runs).values[runs.optimizer.values == label]
        chosen = best_setting(runs, label)
        losses = final_loss(chosen)
        table.append(
            {
                "optimizer": label,
                "spec": chosen.spec.values[0],
                "median": float(losses.median()),
                "least": float(losses.min()),
                "greatest": float(losses.max()),
                "runs": len(mine),
                "diverged": int(mine.sum()),
            }
        )
    return pd.DataFrame(table).sort_values("median", kind="stable", ignore_index=True)


def sensitivity_to(runs: xr.Dataset, optimizer: str, setting: str) -> xr.Dataset:
    """`final_loss` (value, seed) over one setting, for each of its values at the best of the other settings.

    A run that diverged has an infinite loss. Where the optimizer does not have the setting, `value` is empty.
    """
    mine = runs.isel(run=np.flatnonzero(runs.optimizer.values == optimizer))
    given = mine[setting].values if setting in runs.attrs["settings"] else np.array([])
    values = np.unique(given[np.isfinite(given)])
    chosen = [best_setting(mine.isel(run=np.flatnonzero(given == value)), optimizer) for value in values]
    rows = np.array([final_loss(best).values for best in chosen]).reshape(len(values), -1 if chosen else 0)
    return xr.Dataset({"final_loss": (("value", "seed"), rows)}, {"value": values}, {"setting": setting})


def with_agreement(runs: xr.Dataset) -> xr.Dataset:
    """Adds to every run of `adamlab.X` how far it went from the run of `optax.X` with the same settings and seed.

    Returns:
        The dataset with `optax_run`, that run's number, −1 where there is none; `params_difference`, the largest
        difference in a parameter, at any recorded step where those are kept and at the end; `loss_difference`, the
        largest in a recorded loss. Where only one of the two diverged the difference is infinite. It is NaN where
        both did, on their way through ever larger numbers, and where there is no such run.
    """
    counterparts = _counterparts(runs)
    ours = np.flatnonzero(counterparts >= 0)
    theirs = counterparts[ours]
    columns = {"params_difference": ("params", "final_params"), "loss_difference": ("loss",)}
    added: dict[str, Any] = {"optax_run": ("run", counterparts)}
    for column, names in columns.items():
        largest = np.full(runs.sizes["run"], np.nan)
        apart = [_apart(runs[name].values[ours], runs[name].values[theirs]) for name in names if name in runs]
        largest[ours] = np.max([one.max(axis=tuple(range(1, one.ndim))) for one in apart], axis=0)
        largest[ours[diverged(runs).values[ours] & diverged(runs).values[theirs]]] = np.nan
        added[column] = ("run", largest)
    return runs.assign(added)


def agreement(runs: xr.Dataset) -> pd.DataFrame:
    """How far each optimizer is from its twin in Optax.

    Columns: their labels, pairs of `runs`, pairs that `both_diverged`, pairs `identical` in all that was recorded, and
    the largest `params_difference` and `loss_difference` of the pairs that did not diverge.
    """
    ours = runs.isel(run=np.flatnonzero(runs.optax_run.values >= 0))
    table = pd.DataFrame(
        {
            "adamlab": ours.optimizer.values,
            "optax": runs.optimizer.values[ours.optax_run.values],
            "params_difference": ours.params_difference.values,
            "loss_difference": ours.loss_difference.values,
        }
    )
    groups = table.groupby(["adamlab", "optax"], sort=False)
    return groups.agg(
        runs=("params_difference", "size"),
        both_diverged=("params_difference", lambda differences: int(differences.isna().sum())),
        identical=("params_difference", lambda differences: int((differences == 0).sum())),
        params_difference=("params_difference", "max"),
        loss_difference=("loss_difference", "max"),
    ).reset_index()


def difference_by_step(runs: xr.Dataset) -> xr.Dataset:
    """For each optimizer with a twin in Optax, the largest `difference` over its runs after each recorded step.

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


def summary(runs: xr.Dataset) -> pd.DataFrame:
    """One row a run: problem, optimizer, settings, final and best loss, whether it diverged, distance from Optax."""
    settings = {name: runs[name].values for name in runs.attrs["settings"]}
    metrics = {f"final_{name}": runs[name].isel(step=-1).values for name in runs.attrs["metrics"]}
    columns = {
        "problem": runs.attrs["problem"],
        "optimizer": runs.optimizer.values,
        "spec": runs.spec.values,
        "seed": runs.seed.values,
        **settings,
        "steps": int(runs.step[-1]),
        "final_loss": runs.loss.isel(step=-1).values,
        "best_loss": best_loss(runs).values,
        **metrics,
        "diverged": diverged(runs).values,
        "diverged_at": runs.diverged_at.values,
        "optax_params_difference": runs.params_difference.values,
        "optax_loss_difference": runs.loss_difference.values,
    }
    return pd.DataFrame(columns)


def verdicts(comparisons: xr.Dataset) -> pd.DataFrame:
    """Each comparison in a line: what was compared, the bits that differ, the first step where they do, the verdict."""
    first = comparisons.first_difference.where(comparisons.first_difference > 0)
    columns = {name: comparisons[name].values for name in ("label", "left", "right", "dtype", "context", "layout")}
    settings = {name: comparisons[name].values for name in comparisons.attrs["settings"]}
    found = {
        "differing_bits": comparisons.differing_bits.sum("family").values,
        "from_step": ["" if np.isnan(step) else str(int(step)) for step in first.min("family").values],
        "verdict": comparisons.verdict.values,
    }
    return pd.DataFrame(columns | settings | found)


def _counterparts(runs: xr.Dataset) -> np.ndarray:
    calls = {spec: parse(spec) for spec in dict.fromkeys(runs.spec.values.tolist())}
    settings = {spec: _same_settings(call) for spec, call in calls.items()}
    rows = list(zip(runs.spec.values.tolist(), runs.seed.values.tolist(), strict=True))
    theirs: dict[tuple[str, int], int] = {}
    for i, (spec, seed) in enumerate(rows):
        if calls[spec].library == "optax":
            theirs.setdefault((settings[spec], seed), i)
    twins = [theirs.get((settings[s], seed), -1) if calls[s].library == "adamlab" else -1 for s, seed in rows]
    return np.array(twins, np.int64)


def _same_settings(call: Call) -> str:
    """The call in a form that is the same for the same optimizer, whoever made it and however it was written.

    Of ours without the arguments that Optax does not have, which leave the formula as it is.
    """
    twin = getattr(optax, call.name.rpartition(".")[-1], None) if call.library == "adamlab" else None
    shared = arguments(twin) if twin else call.bound()
    bound = {name: value for name, value in call.bound().items() if name in shared}
    written = {
        name: _same_settings(value) if isinstance(value, Call) else float(value) if type(value) is int else value
        for name, value in bound.items()
    }
    return f"{call.name.rpartition('.')[-1]}({sorted((name, str(value)) for name, value in written.items())})"


def _apart(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """|ours − theirs|; 0 where neither is finite, infinite where only one is."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where(~np.isfinite(ours) & ~np.isfinite(theirs), 0, np.abs(ours - theirs))
    return np.where(np.isnan(difference), np.inf, difference)
