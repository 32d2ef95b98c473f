"""Comparison of settings: each optimizer's best, and how much one number of it matters."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.analysis.rows import EVALUATION, finished, first_of, instance_names, is_tuning, of_optimizer, setting_of
from adamlab.analysis.scores import DEFAULT, STEPS, criterion, measured, score, sign


def setting_scores(runs: xr.Dataset, by: str | None = None) -> xr.Dataset:
    """The score of every setting: the median over its runs, which are its seeds and starts; the least is the best.

    Args:
        runs: the dataset of a problem; where it has stages, the runs of "tuning" count.
        by: see `adamlab.analysis.score`.

    Returns:
        `score`, the number of `runs`, and what breaks a `tie` (setting,), with the coordinates `optimizer`, `spec` and
        the numbers it sets; in the order in which settings first appear. A tie in the steps to a target is broken by
        the median final loss, any other by that order.
    """
    runs, by = finished(runs), criterion(runs, by)
    rows = np.flatnonzero(is_tuning(runs))
    codes = pd.factorize(setting_of(runs)[rows])[0]
    scores = pd.Series(score(runs, by).values[rows]).groupby(codes)
    medians = scores.median().to_numpy()
    ties = pd.Series(score(runs, DEFAULT).values[rows]).groupby(codes).median().to_numpy() if by == STEPS else medians
    names = ["optimizer", "spec", *runs.attrs["settings"]]
    first = rows[first_of(codes)]
    return xr.Dataset(
        {
            "score": ("setting", medians),
            "tie": ("setting", ties),
            "runs": ("setting", scores.size().to_numpy()),
        },
        {name: ("setting", runs[name].values[first]) for name in names},
        {"problem": runs.attrs["problem"], "settings": runs.attrs["settings"], "by": by},
    )


def best_in_groups(table: xr.Dataset, groups: np.ndarray) -> dict[Any, int]:
    """The number of the best setting of each group, in the order in which groups first appear.

    Args:
        table: scores, from `setting_scores`.
        groups: the group of every setting; those of NaN are in none.
    """
    order = np.lexsort([table.tie.values, table.score.values])
    best = dict(zip(groups[order[::-1]].tolist(), order[::-1].tolist(), strict=True))
    return {group: best[group] for group in dict.fromkeys(groups[~pd.isna(groups)].tolist())}


def best_settings(runs: xr.Dataset, by: str | None = None) -> xr.Dataset:
    """The runs of each optimizer's best setting, the one of the least median score, see `setting_scores`.

    Without stages these are the very runs that the setting was chosen on, so that they flatter it, the more the more
    settings and the fewer seeds there were. Where it has runs of the stage "evaluation", on seeds that it was not
    chosen on, those are given back instead.

    Args:
        runs: the dataset of a problem.
        by: what settings are compared by, see `adamlab.analysis.score`; where there was an evaluation, they were chosen
            already, by the dataset's attribute `by`.

    Returns:
        A dataset like `runs`: of each optimizer in turn one run a seed, and start where there are several.
    """
    runs = finished(runs)
    evaluated = "stage" in runs and (runs.stage.values == EVALUATION).any()
    table = setting_scores(runs, None if evaluated else by)
    chosen = best_in_groups(table, table.optimizer.values)
    labels, specs, tuning = runs.optimizer.values, runs.spec.values, is_tuning(runs)
    kept = [np.zeros(0, int)]
    for label, setting in chosen.items():
        mine = np.flatnonzero((labels == label) & (specs == table.spec.values[setting]))
        fresh = mine[runs.stage.values[mine] == EVALUATION] if "stage" in runs else mine[:0]
        kept.append(fresh if fresh.size else mine[tuning[mine]])
    return runs.isel(run=np.concatenate(kept))


def best_setting(runs: xr.Dataset, optimizer: str, by: str | None = None) -> xr.Dataset:
    """The runs of one optimizer's best setting, as `best_settings` has them."""
    return of_optimizer(best_settings(runs, by), optimizer)


def sensitivity_to(runs: xr.Dataset, optimizer: str, setting: str, by: str | None = None) -> xr.Dataset:
    """The criterion over one number of an optimizer, for each of its values at the best of the others.

    Args:
        runs: the dataset of a problem; where it has stages, the runs of "tuning" count.
        optimizer: its label.
        setting: the number's name.
        by: see `adamlab.analysis.score`.

    Returns:
        A variable named as the criterion, such as `final_loss` (value, instance), over the `value` of the number; an
        instance is a `seed`, with a `start` where there are several. Of a run that diverged ∞ (−∞ of an accuracy); NaN
        where a run is missing. `value` is empty where the optimizer does not have the number.
    """
    mine = of_optimizer(runs, optimizer)
    mine, by = mine.isel(run=np.flatnonzero(is_tuning(mine))), criterion(runs, by)
    table = setting_scores(mine, by)
    given = table[setting].values if setting in runs.attrs["settings"] else np.full(table.sizes["setting"], np.nan)
    best = best_in_groups(table, given)
    rows = np.flatnonzero(np.isin(setting_of(mine), [*best.values()]))
    names = instance_names(mine)
    columns = {"value": given[setting_of(mine)[rows]], "measured": measured(mine, by).values[rows]}
    frame = pd.DataFrame(columns | {name: mine[name].values[rows] for name in names})
    grid = frame.groupby(["value", *names]).measured.first().unstack(names)
    return xr.Dataset(
        {by: (("value", "instance"), grid.to_numpy())},
        {"value": grid.index.to_numpy()}
        | {name: ("instance", grid.columns.get_level_values(name).to_numpy()) for name in names},
        {"setting": setting, "by": by},
    )


def pair_scores(runs: xr.Dataset, optimizer: str, x: str, y: str, by: str | None = None) -> xr.Dataset:
    """The criterion over two numbers of an optimizer, at the best of the others: the median over seeds and starts.

    Args:
        runs: the dataset of a problem; where it has stages, the runs of "tuning" count.
        optimizer: its label.
        x: the name of a number.
        y: the name of another.
        by: see `adamlab.analysis.score`.

    Returns:
        A variable named as the criterion, such as `final_loss` (y, x), over the values of the two numbers: ∞ (−∞ of an
        accuracy) where most runs diverged, NaN where no setting has both values. It is empty where the optimizer does
        not have both numbers.
    """
    by = criterion(runs, by)
    table = setting_scores(of_optimizer(runs, optimizer), by)
    has_both = {x, y} <= {*runs.attrs["settings"]}
    columns = {"x": table[x].values, "y": table[y].values} if has_both else {"x": [], "y": []}
    frame = pd.DataFrame(columns | {"score": table.score.values if has_both else []}).dropna(subset=["x", "y"])
    grid = frame.groupby(["y", "x"]).score.min().unstack("x")
    values = sign(by) * grid.to_numpy(dtype=float)
    return xr.Dataset(
        {by: (("y", "x"), values)}, {"y": grid.index.to_numpy(), "x": grid.columns.to_numpy()}, {"by": by}
    )
