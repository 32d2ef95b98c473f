"""Statistics over seeds at each step: means and their errors, quantiles, and the steps to a target."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from adamlab.analysis.rows import finished, first_of, is_tuning, recorded, setting_of
from adamlab.analysis.scores import criterion, sign
from adamlab.analysis.settings import best_settings
from adamlab.errors import InputError, nearest


def over_seeds(
    runs: xr.Dataset,
    what: str = "loss",
    quantiles: Sequence[float] = (0.25, 0.5, 0.75),
    by: str | None = None,
    per_setting: bool = False,
) -> xr.Dataset:
    """Mean, standard error and quantiles of a recorded quantity over the seeds (and starts) of a setting.

    From the step where a run diverged on, and wherever the quantity is infinite, it counts as the worst there is: ∞, or
    −∞ of an accuracy. Leaving such runs out would flatter optimizers that diverge. A NaN before that, such as the norm
    of the gradient at the start, is no value and left out.

    Args:
        runs: the dataset of a problem.
        what: the quantity: "loss", a metric, or another that was recorded over steps.
        quantiles: which ones, in [0, 1].
        by: what each optimizer's best setting is chosen by, see `adamlab.analysis.score`.
        per_setting: whether to give every setting, on the runs of "tuning" where there are stages.

    Returns:
        `mean`, `standard_error`, `count`, of how many runs (optimizer × step), and `quantiles` (quantile × optimizer ×
        step); over `setting` in place of optimizer where all are asked for. The standard error is
        s / √n with s² = Σ (x − x̄)² / (n − 1); it is NaN of a single run, and where the mean is infinite. Quantiles
        between two runs are interpolated as NumPy does it (Hyndman & Fan 1996, definition 7); next to ∞ they are ∞.

    Raises:
        InputError: that was not recorded.
    """
    if what not in recorded(runs):
        raise InputError(f'no "{what}" was recorded over steps; {nearest(what, recorded(runs))}')
    chosen = finished(runs) if per_setting else best_settings(runs, by)
    rows = np.flatnonzero(is_tuning(chosen)) if per_setting else np.arange(chosen.sizes["run"])
    codes = setting_of(chosen)[rows]
    codes = np.unique(codes, return_inverse=True)[1]
    first = rows[first_of(codes)]
    values = _stacked(_or_worst(chosen, what)[rows], codes)
    count = (~np.isnan(values)).sum(axis=1)
    over = "setting" if per_setting else "optimizer"
    names = ["optimizer", "spec", *runs.attrs["settings"]]
    mean, error = _mean_and_error(values, count)
    return xr.Dataset(
        {
            "mean": ((over, "step"), mean),
            "standard_error": ((over, "step"), error),
            "quantiles": (("quantile", over, "step"), _quantiles(values, count, np.asarray(quantiles, float))),
            "count": ((over, "step"), count),
        },
        {"step": runs.step.values, "quantile": np.asarray(quantiles, float)}
        | {name: (over, chosen[name].values[first]) for name in names},
        {"problem": runs.attrs["problem"], "what": what, "by": criterion(runs, by)},
    )


def steps_to(runs: xr.Dataset, target: float | int, what: str = "loss") -> xr.DataArray:
    """The first recorded step after which a quantity was at most the target (an accuracy: at least), −1 where none was.

    It sees the recorded steps alone, and so may be later than the recorded variable `steps_to_target`, or −1 where that
    is not; where every step is recorded they are the same.

    Args:
        runs: the dataset of a problem.
        target: the value to be reached.
        what: the quantity: "loss", a metric, or another that was recorded over steps.

    Returns:
        The step of each finished run (run,).

    Raises:
        InputError: that was not recorded.
    """
    if what not in recorded(runs):
        raise InputError(f'no "{what}" was recorded over steps; {nearest(what, recorded(runs))}')
    runs = finished(runs)
    values = runs[what].values
    reached = values >= target if sign(what) < 0 else values <= target
    steps = np.where(reached.any(axis=1), runs.step.values[reached.argmax(axis=1)], -1)
    return xr.DataArray(steps, {name: c for name, c in runs.coords.items() if c.dims == ("run",)}, ("run",), "steps_to")


def _or_worst(runs: xr.Dataset, what: str) -> np.ndarray:
    """The quantity (run, step) in double; its worst value where it is infinite or the run has diverged."""
    values, since = runs[what].values.astype(float), runs.diverged_at.values[:, None]
    broken = np.isinf(values) | ((since >= 0) & (runs.step.values[None, :] >= since))
    return np.where(broken, sign(what) * np.inf, values)


def _stacked(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The rows of each code side by side (code, row, step), sorted, with NaN at the end where there are fewer."""
    count = np.bincount(codes)
    order = np.argsort(codes, kind="stable")
    place = np.arange(len(codes)) - np.repeat(np.cumsum(count) - count, count)
    table = np.full((len(count), count.max(initial=0), values.shape[1]), np.nan)
    table[codes[order], place] = values[order]
    return np.sort(table, axis=1)


def _mean_and_error(values: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        mean = np.nansum(values, axis=1) / count
        squares = (values - mean[:, None, :]) ** 2
        variance = np.where(np.isfinite(mean), np.nansum(squares, axis=1), np.nan) / (count - 1)
        return mean, np.sqrt(variance / count)


def _quantiles(values: np.ndarray, count: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The quantiles (quantile, code, step) of sorted values (code, row, step) with NaN at the end."""
    quantiles = np.empty((len(wanted), *count.shape))
    for i, q in enumerate(wanted):
        place = q * np.maximum(count - 1, 0)
        below, above = (
            np.take_along_axis(values, at(place).astype(int)[:, None], axis=1)[:, 0] for at in (np.floor, np.ceil)
        )
        share = place - np.floor(place)
        with np.errstate(invalid="ignore"):
            between = (1 - share) * below + share * above
            # At an infinite value itself, share 0, this would be 0·∞, a NaN.
            quantiles[i] = np.where((below == above) | (share == 0), below, between)
    return quantiles
