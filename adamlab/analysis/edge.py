"""The edge of stability: how near the sharpness of runs stays to the threshold that their steps have."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.analysis.rows import diverged, finished

SHARPNESS, THRESHOLD = "preconditioned_sharpness", "stability_threshold"
"""The quantities that are compared."""

NEAR = 0.25
"""The greatest distance of the ratio from 1 at the edge."""


def edge_rows(runs: xr.Dataset) -> pd.DataFrame:
    """How each run stands to the edge of stability, in the order of the runs.

    The ratio is that of the preconditioned sharpness to the threshold. A run comes to the edge at the first recorded
    step after its start with a ratio of 1 or more, and what counts from then on is the last half of the recorded steps:
    it stays at the edge where their median is within `NEAR` of 1.

    Args:
        runs: the dataset of a problem; it has no rows unless both quantities were recorded.

    Returns:
        The columns `optimizer` and `spec`; `state`, which is "at the edge", "off it", "below it", "diverged", or
        "unknown" where no ratio above 0 was recorded, as of an optimizer without a threshold; `reached`, the first step
        at the edge, −1 where there is none; and `ratio`, the median of the part that counts, of runs below the edge the
        largest, of the last two kinds NaN.
    """
    kept = finished(runs)
    rows = [_row(kept.isel(run=i)) for i in range(kept.sizes["run"])] if {SHARPNESS, THRESHOLD} <= set(runs) else []
    return pd.DataFrame(rows, columns=["optimizer", "spec", "state", "reached", "ratio"])


def _row(run: xr.Dataset) -> Mapping[str, Any]:
    thresholds = run[THRESHOLD].values
    known = (
        np.isfinite(run[SHARPNESS].values) & (thresholds > 0) & (run.step.values > 0)
    )  # at none of 0 do steps converge
    ratios, steps = run[SHARPNESS].values[known] / thresholds[known], run.step.values[known]
    named = {"optimizer": str(run.optimizer.values), "spec": str(run.spec.values)}
    if diverged(run) or not ratios.size:
        return named | {"state": "diverged" if diverged(run) else "unknown", "reached": -1, "ratio": np.nan}
    beyond = np.flatnonzero(ratios >= 1)
    if not beyond.size:
        return named | {"state": "below it", "reached": -1, "ratio": ratios.max()}
    ratio = float(np.median(ratios[(beyond[0] + len(ratios)) // 2 :]))
    state = "at the edge" if abs(ratio - 1) <= NEAR else "off it"
    return named | {"state": state, "reached": int(steps[beyond[0]]), "ratio": ratio}
