"""Losses, metrics and differences over steps, and final losses over a setting."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.plots.style import NothingToDrawError, caption, figure, legend, styles
from adamlab.studies.analysis import best_setting, difference_by_step, sensitivity_to


def curves(runs: xr.Dataset, what: str = "loss") -> Figure:
    """The median over seeds at each optimizer's best setting, in a band from the least to the greatest seed.

    A run that diverged counts as infinite: where it is the median the line breaks off.

    Args:
        runs: the dataset of a problem.
        what: the recorded quantity: "loss" or a metric such as "test_accuracy".

    Raises:
        NothingToDrawError: that was not recorded.
    """
    if what not in runs or runs[what].dims != ("run", "step"):
        recorded = ", ".join(str(name) for name, values in runs.items() if values.dims == ("run", "step"))
        raise NothingToDrawError(f"{runs.attrs['problem']}: no {what} was recorded over steps; there is {recorded}.")
    seeds = len(np.unique(runs.seed))
    made, axes = figure(runs, f"{what}, each optimizer at its best setting")
    for label, look in styles(runs).items():
        chosen = best_setting(runs, label)
        axes.plot(*_median(chosen[what], "step", "run"), **look, label=caption(runs, label, chosen))
        _band(axes, chosen[what], "step", "run", look["color"])
    _log_where_positive(axes, runs[what].values)
    axes.set(xlabel="step", ylabel=what + (f" (median and range of {seeds} seeds)" if seeds > 1 else ""))
    legend(made)
    return made


def sensitivity(runs: xr.Dataset, setting: str = "learning_rate") -> Figure:
    """The final loss over one setting, all others at their best: median and range over seeds.

    A run that diverged counts as infinite: where the median is, there is no point.

    Args:
        runs: the dataset of a problem.
        setting: the number that is varied.

    Raises:
        NothingToDrawError: no optimizer varies it.
    """
    made, axes = figure(runs, f"final loss over {setting}")
    drawn = []
    for label, look in styles(runs).items():
        over = sensitivity_to(runs, label, setting).final_loss
        if over.sizes["value"] > 1:
            axes.plot(*_median(over, "value", "seed"), marker="o", ms=3.5, **look, label=label)
            _band(axes, over, "value", "seed", look["color"])
            drawn.append(over)
    if not drawn:
        raise NothingToDrawError(f"{runs.attrs['problem']}: no optimizer has more than one {setting}.")
    _log_where_positive(axes, np.concatenate([over.values.ravel() for over in drawn]))
    positive = all((over.value > 0).all() for over in drawn)
    axes.set(xscale="log" if positive else "linear", xlabel=setting, ylabel="final loss")
    legend(made, ncols=3)
    return made


def agreement(runs: xr.Dataset) -> Figure:
    """How far each optimizer of adamlab has gone from Optax's with the same settings: the largest over all its runs.

    Raises:
        NothingToDrawError: the study has no such pair.
    """
    made, axes = figure(runs, "largest difference from Optax's twin")
    over_steps = difference_by_step(runs)
    if not over_steps.sizes["optimizer"]:
        raise NothingToDrawError(f"{runs.attrs['problem']}: there is no adamlab.X and optax.X at the same settings.")
    looks = styles(runs)
    for label in over_steps.optimizer.values:
        values = over_steps.difference.sel(optimizer=label)
        apart = runs.params_difference.values[(runs.optimizer.values == label) & (runs.optax_run.values >= 0)]
        same = " (identical)" if np.nan_to_num(apart).max() == 0 else ""
        axes.plot(runs.step, values.where(values > 0), color=looks[label]["color"], label=f"{label}{same}")
    axes.set(xlabel="step", ylabel=over_steps.attrs["of"], yscale="log")
    legend(made, ncols=3)
    return made


def _median(values: xr.DataArray, along: str, over: str) -> tuple[np.ndarray, np.ndarray]:
    """The line's points; none where the median is infinite."""
    median = values.where(np.isfinite(values), np.inf).median(over)
    return values[along].values, median.where(np.isfinite(median)).values


def _band(axes: Axes, values: xr.DataArray, along: str, over: str, color: str):
    _, median = _median(values, along, over)
    finite = values.where(np.isfinite(values) & xr.DataArray(np.isfinite(median), dims=along))
    axes.fill_between(values[along], finite.min(over), finite.max(over), alpha=0.15, lw=0, color=color)


def _log_where_positive(axes: Axes, values: np.ndarray):
    finite = values[np.isfinite(values)]
    positive = finite[finite > 0]
    if positive.size and finite.min() >= 0 and positive.max() > 20 * positive.min():
        axes.set_yscale("log", nonpositive="mask")
