"""Tables of a dataset: standings, a row for each run, verdicts."""

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.analysis.ends import range_ends
from adamlab.analysis.rows import diverged, finished, instance_names, optimizers, recorded
from adamlab.analysis.scores import best_loss, criterion, measured, sign
from adamlab.analysis.settings import best_settings, setting_scores


def standings(runs: xr.Dataset, by: str | None = None) -> pd.DataFrame:
    """Each optimizer at its best setting: median, least and greatest of the criterion over seeds; best first.

    The criterion is the final loss, unless `by` or the dataset says otherwise, see `adamlab.analysis.score`. The column
    `n` is the number of runs that these are of, `settings` the budget, how many settings the best was chosen from;
    `runs` and `diverged` count all of the optimizer's finished runs, at every setting. `at_end` says which numbers of
    the best setting are the least or the greatest that were tried, see `range_ends`. The criterion's name is the
    table's attribute `by`.
    """
    runs, by = finished(runs), criterion(runs, by)
    best = best_settings(runs, by)
    judged = measured(best, by).values
    compared = setting_scores(runs, by).optimizer.values
    ends = range_ends(runs, by).groupby("optimizer").note.agg("; ".join)
    rows = []
    for label in optimizers(best):
        mine = diverged(runs).values[runs.optimizer.values == label]
        chosen = best.optimizer.values == label
        rows.append(
            {
                "optimizer": label,
                "median": float(np.median(judged[chosen])),
                "least": float(judged[chosen].min()),
                "greatest": float(judged[chosen].max()),
                "n": int(chosen.sum()),
                "settings": int((compared == label).sum()),
                "runs": len(mine),
                "diverged": int(mine.sum()),
                "spec": best.spec.values[chosen][0],
                "at_end": ends.get(label, ""),
            }
        )
    table = pd.DataFrame(rows).sort_values("median", kind="stable", ignore_index=True, ascending=sign(by) > 0)
    table.attrs["by"] = by
    table.attrs["percent"] = ["median", "least", "greatest"] if sign(by) < 0 else []
    return table


def summary(runs: xr.Dataset) -> pd.DataFrame:
    """One row a finished run: problem, optimizer, settings, what was recorded at the end, distance from Optax."""
    runs = finished(runs)
    names = [name for name in ("stage", *instance_names(runs)) if name in runs]
    finals = [name for name in recorded(runs) if name != "loss"]
    columns = {
        "problem": runs.attrs["problem"],
        "optimizer": runs.optimizer.values,
        "spec": runs.spec.values,
        **{name: runs[name].values for name in [*names, *runs.attrs["settings"]]},
        "steps": int(runs.step[-1]),
        "final_loss": runs.loss.isel(step=-1).values,
        "best_loss": best_loss(runs).values,
        **{f"final_{name}": runs[name].isel(step=-1).values for name in finals},
        **({"steps_to_target": runs.steps_to_target.values} if "steps_to_target" in runs else {}),
        "diverged": diverged(runs).values,
        "diverged_at": runs.diverged_at.values,
        "optax_params_difference": runs.params_difference.values,
        "optax_loss_difference": runs.loss_difference.values,
    }
    return pd.DataFrame(columns)


def total_bits(comparisons: xr.Dataset) -> np.ndarray:
    """The bits that differ in each comparison, over the families that it asks for; those of the others are −1."""
    return comparisons.differing_bits.clip(min=0).sum("family").values


def verdicts(comparisons: xr.Dataset) -> pd.DataFrame:
    """Each comparison in a line: its label, the bits that differ and from which step on, the verdict, the two sides."""
    first = comparisons.first_difference.where(comparisons.first_difference > 0)
    columns = {name: comparisons[name].values for name in ("label", "dtype", "context", "layout")}
    settings = {name: comparisons[name].values for name in comparisons.attrs["settings"]}
    results = {
        "differing_bits": total_bits(comparisons),
        "from_step": ["" if np.isnan(step) else str(int(step)) for step in first.min("family").values],
        "verdict": comparisons.verdict.values,
        "left": comparisons.left.values,
        "right": comparisons.right.values,
    }
    return pd.DataFrame(columns | settings | results)
