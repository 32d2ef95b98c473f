"""Tables of readings: a row for each formula, and a row for each weighted sum of gradients."""

import numpy as np
import pandas as pd
import xarray as xr

GENERAL = "t"
"""The step of a formula that holds for every t."""


def formula_rows(readings: xr.Dataset) -> pd.DataFrame:
    """A row for each formula: the state of an optimizer, the step, and the formula in every format."""
    columns = ["label", "spec", "state", "step", "text", "latex", "mathml", "assumptions", "solved"]
    return readings[["text", "latex", "mathml"]].to_dataframe().reset_index().reindex(columns=columns)


def formula_summary(readings: xr.Dataset) -> pd.DataFrame:
    """The rows of summary.csv: those of `formula_rows` without the MathML."""
    return formula_rows(readings).drop(columns="mathml")


def weight_rows(readings: xr.Dataset) -> pd.DataFrame:
    """A row for each setting of a weighted sum: how much its gradients weigh together, and how fast that fades.

    Columns: `label`, `state`, each number, `gradients` (how many the weights are of), their `sum`, and `halved_after`,
    the steps after which a gradient weighs at most half of what the latest does.
    """
    table = []
    for setting in np.flatnonzero(readings.power.values):
        reading = int(readings.reading_of.values[setting])
        weights = readings.weight.values[setting]
        weights = weights[np.isfinite(weights)]
        halved = np.flatnonzero(np.abs(weights) <= np.abs(weights[0]) / 2)
        table.append(
            {
                "label": readings.label.values[reading],
                "state": readings.state.values[reading],
                **{name: float(readings[name].values[setting]) for name in readings.attrs["settings"]},
                "gradients": len(weights),
                "sum": float(weights.sum()),
                "halved_after": str(halved[0]) if len(halved) else f"more than {len(weights) - 1}",
            }
        )
    return pd.DataFrame(table)
