"""Instances: a problem with a seed and a start, on which optimizers stand side by side."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.analysis.rows import instance_names, optimizers
from adamlab.analysis.settings import best_settings
from adamlab.errors import InputError

Results = xr.Dataset | xr.DataTree | Mapping[str, xr.Dataset]
"""The dataset of one problem, or those of several by name."""


def datasets(results: Results) -> dict[str, xr.Dataset]:
    """The datasets of the problems, by name."""
    if isinstance(results, xr.DataTree) and results.children:
        return {name: child.to_dataset() for name, child in results.children.items()}
    if isinstance(results, xr.DataTree):
        return datasets(results.to_dataset())
    return {results.attrs["problem"]: results} if isinstance(results, xr.Dataset) else dict(results)


def by_instance(
    results: Results, value: Callable[[xr.Dataset], xr.DataArray], by: str | None = None
) -> tuple[xr.DataArray, str]:
    """One number for each optimizer on each instance, at its best setting for the instance's problem.

    Args:
        results: one problem or several.
        value: gives the number of each run of a dataset.
        by: what the settings are chosen by, see `adamlab.analysis.score`.

    Returns:
        The numbers (optimizer, instance), of the instances that all optimizers have results on, with the coordinates
        `problem`, `seed` and, where there are several, `start` of an instance; and a name for the problems together.

    Raises:
        InputError: there is no such instance.
    """
    problems = datasets(results)
    tables = [_table(name, best_settings(runs, by), value) for name, runs in problems.items()]
    labels = list(dict.fromkeys(label for runs in problems.values() for label in optimizers(runs)))
    table = pd.concat(tables).reindex(columns=labels).dropna() if tables else pd.DataFrame()
    if table.empty:
        raise InputError("no problem and seed has a result of every optimizer; compare fewer optimizers.")
    has_start = any("start" in runs for runs in problems.values())
    names = ["problem", "seed", *(["start"] if has_start else [])]
    coordinates = {name: ("instance", table.index.get_level_values(name).to_numpy()) for name in names}
    numbers = xr.DataArray(table.to_numpy().T, {"optimizer": labels, **coordinates}, ("optimizer", "instance"))
    return numbers, next(iter(problems)) if len(problems) == 1 else f"{len(problems)} problems"


def _table(problem: str, chosen: xr.Dataset, value: Callable[[xr.Dataset], xr.DataArray]) -> pd.DataFrame:
    """A row an instance, a column an optimizer; NaN where a run is missing, ∞ where its number is NaN."""
    names = instance_names(chosen)
    frame = pd.DataFrame({name: chosen[name].values for name in names}).assign(problem=problem)
    if "start" not in names:
        frame["start"] = 0
    numbers = np.asarray(value(chosen).values, float)
    frame["optimizer"], frame["number"] = chosen.optimizer.values, np.where(np.isnan(numbers), np.inf, numbers)
    return frame.groupby(["problem", "seed", "start", "optimizer"], sort=False).number.first().unstack("optimizer")
