"""Ends of ranges: best settings with the least or the greatest number that was tried, where others may be better."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.analysis.rows import optimizers
from adamlab.analysis.settings import setting_scores

RATES = {"b1", "b2", "b3", "beta3", "adam_b1", "adam_b2", "decay", "decay_rate", "momentum", "rho", "beta"}
"""The arguments that are decay rates, beyond 1 of which there is nothing to try."""


def range_ends(runs: xr.Dataset, by: str | None = None) -> pd.DataFrame:
    """The numbers of best settings that lie at an end of the values that were tried, where there are values beyond it.

    Numbers end at 0, and decay rates and their complements at 1 too. Where settings inside the range are as good as the
    best, nothing is told, nor where the best diverged.

    Args:
        runs: the dataset of a problem; where it has stages, the runs of "tuning" count.
        by: what settings are compared by, see `adamlab.analysis.score`.

    Returns:
        A row for each such number: the `optimizer`, the number's name as `setting`, its `value`, the `end`, "largest"
        or "smallest", and a `note` in words.
    """
    table = setting_scores(runs, by)
    rows = [row for label in optimizers(runs) for row in _ends(table, label)]
    return pd.DataFrame(rows, columns=["optimizer", "setting", "value", "end", "note"])


def _ends(table: xr.Dataset, label: str) -> Iterator[dict[str, object]]:
    mine = table.isel(setting=np.flatnonzero(table.optimizer.values == label))
    scores = np.stack([mine.score.values, mine.tie.values], axis=1)
    least = min(map(tuple, scores.tolist()))
    if not np.isfinite(least[1]):
        return
    best = (scores == least).all(axis=1)
    given = {name: mine[name].values for name in table.attrs["settings"] if not np.isnan(mine[name].values).any()}
    for name, values in given.items():
        low, high = values.min(), values.max()
        if low == high or f"1-{name}" in given:  # a decay by its complement is told as it was given
            continue
        last_part = name.rpartition(".")[2].removeprefix("1-")
        for end, value, barrier in (("smallest", low, 0.0), ("largest", high, 1.0 if last_part in RATES else np.inf)):
            if (values[best] == value).all() and value != barrier:
                note = f"{name} = {value:g} is the {end} that was tried"
                yield {"optimizer": label, "setting": name, "value": float(value), "end": end, "note": note}
