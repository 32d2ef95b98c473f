"""Losses, metrics and differences over steps, and final losses over a setting."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.analysis import best_settings, difference_by_step, of_optimizer, over_seeds, sensitivity_to
from adamlab.analysis.rows import recorded
from adamlab.analysis.scores import criterion
from adamlab.plots.style import HIGHEST, NothingToDrawError, caption, figure, legend, shown, styles


def curves(runs: xr.Dataset, what: str = "loss", mean: bool = False) -> Figure:
    """The median over seeds at each optimizer's best setting, in a band from the least to the greatest seed.

    A run that diverged counts as infinite: where it is the median the line breaks off.

    Args:
        runs: the dataset of a problem.
        what: the recorded quantity: "loss" or a metric such as "test_accuracy".
        mean: whether to draw the mean in a band of its standard error; it breaks off where any run diverged.

    Raises:
        NothingToDrawError: that was not recorded.
    """
    if what not in recorded(runs):
        there = ", ".join(recorded(runs))
        raise NothingToDrawError(f"{runs.attrs['problem']}: no {what} was recorded over steps; there is {there}.")
    best = best_settings(runs)
    over = over_seeds(runs, what)
    made, axes = figure(runs, f"{what}, each optimizer at its best setting")
    for i, (label, look) in enumerate(styles(runs).items()):
        chosen = of_optimizer(best, label)
        name = caption(runs, label, chosen)
        if mean:
            _mean(axes, over.isel(optimizer=i), look, name)
        else:
            _median(axes, chosen[what].where(np.isfinite(chosen[what]), np.inf), "step", "run", look, name)
    _log_where_positive(axes, best[what].values)
    count, drawn = int(over["count"].max()), "mean ± standard error" if mean else "median and range"
    told = f" ({drawn} of {count} {'runs' if 'start' in runs else 'seeds'})" if count > 1 else ""
    axes.set(xlabel="step", ylabel=what + told)
    legend(made)
    return made


def sensitivity(runs: xr.Dataset, setting: str = "learning_rate") -> Figure:
    """What settings are compared by, the final loss as a rule, over one of their numbers, all others at their best.

    Median and range over seeds. A run that diverged counts as infinite: where the median is, there is no point.

    Args:
        runs: the dataset of a problem.
        setting: the number that is varied.

    Raises:
        NothingToDrawError: no optimizer varies it.
    """
    by = criterion(runs)
    told = by.replace("_", " ", 1)
    made, axes = figure(runs, f"{told} over {setting}")
    drawn = []
    for label, look in styles(runs).items():
        over = sensitivity_to(runs, label, setting)[by]
        if over.sizes["value"] > 1:
            _median(axes, over, "value", "instance", look | {"marker": "o", "ms": 3.5}, label)
            drawn.append(over)
    if not drawn:
        raise NothingToDrawError(f"{runs.attrs['problem']}: no optimizer has more than one {setting}.")
    _log_where_positive(axes, np.concatenate([over.values.ravel() for over in drawn]))
    positive = all((over.value > 0).all() for over in drawn)
    axes.set(xscale="log" if positive else "linear", xlabel=setting, ylabel=told)
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


def _median(axes: Axes, values: xr.DataArray, along: str, over: str, look: dict[str, Any], label: str):
    """The median, where it is finite, in the range of the finite runs."""
    median = shown(values.median(over))
    drawn = shown(values).where(~np.isnan(median))
    axes.plot(values[along], median, **look, label=label)
    axes.fill_between(values[along], drawn.min(over), drawn.max(over), alpha=0.15, lw=0, color=look["color"])


def _mean(axes: Axes, over: xr.Dataset, look: dict[str, Any], label: str):
    """The mean, where it is finite, and its standard error on both sides, where there is one."""
    mean, error = shown(over["mean"]), over.standard_error
    axes.plot(over.step, mean, **look, label=label)
    axes.fill_between(over.step, mean - error, mean + error, alpha=0.15, lw=0, color=look["color"])


def _log_where_positive(axes: Axes, values: np.ndarray):
    finite = values[np.abs(values) <= HIGHEST]
    positive = finite[finite > 0]
    if positive.size and finite.min() >= 0 and positive.max() > 20 * positive.min():
        axes.set_yscale("log", nonpositive="mask")
