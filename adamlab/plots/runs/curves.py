"""Losses, metrics and differences over steps, and final losses over a setting."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.analysis import best_settings, difference_by_step, of_optimizer, over_seeds, sensitivity_to
from adamlab.analysis.rows import recorded
from adamlab.analysis.scores import criterion
from adamlab.errors import InputError
from adamlab.plots.style import HIGHEST, NothingToDrawError, caption, figure, legend, shown, styles

OVER = ("step", "epoch")
"""What curves can be drawn over."""


def curves(runs: xr.Dataset, what: str = "loss", mean: bool = False, over: str = "step") -> Figure:
    """The median over seeds at each optimizer's best setting, with a band from the least to the greatest value.

    A run that diverged counts as infinite: where the median is infinite, the line breaks off.

    Args:
        runs: the dataset of a problem.
        what: the recorded quantity: "loss" or a metric such as "test_accuracy".
        mean: whether to draw the mean with a band of its standard error; it breaks off where any run diverged.
        over: "step" or "epoch", the steps divided by those that take as many examples as there are.

    Raises:
        NothingToDrawError: the quantity was not recorded, or the problem's batches are not of a data set.
        InputError: it cannot be drawn over that.
    """
    if over not in OVER:
        raise InputError(f'curves are drawn over "step" or "epoch", not {over!r}')
    if over == "epoch" and "steps_per_epoch" not in runs.attrs:
        raise NothingToDrawError(f"{runs.attrs['problem']}: it has no epochs, since it draws no batches of a data set.")
    if what not in recorded(runs):
        valid = ", ".join(recorded(runs))
        raise NothingToDrawError(f"{runs.attrs['problem']}: no {what} was recorded over steps; there is {valid}.")
    if over == "epoch":
        runs = runs.assign_coords(step=runs.step / runs.attrs["steps_per_epoch"])
    best = best_settings(runs)
    statistics = over_seeds(runs, what)
    fig, axes = figure(runs, f"{what}, each optimizer at its best setting")
    for i, (label, look) in enumerate(styles(runs).items()):
        chosen = of_optimizer(best, label)
        name = caption(runs, label, chosen)
        if mean:
            _draw_mean(axes, statistics.isel(optimizer=i), look, name)
        else:
            _draw_median(axes, chosen[what].where(np.isfinite(chosen[what]), np.inf), "step", "run", look, name)
    _log_where_positive(axes, best[what].values)
    count, drawn = int(statistics["count"].max()), "mean ± standard error" if mean else "median and range"
    suffix = f" ({drawn} of {count} {'runs' if 'start' in runs else 'seeds'})" if count > 1 else ""
    axes.set(xlabel=over, ylabel=what + suffix)
    legend(fig)
    return fig


def sensitivity(runs: xr.Dataset, setting: str = "learning_rate") -> Figure:
    """The criterion of the best setting, usually the final loss, over one number, with all others at their best.

    Each point is the median over seeds, in a band of their range. A run that diverged counts as infinite: an infinite
    median has no point.

    Args:
        runs: the dataset of a problem.
        setting: the number that is varied.

    Raises:
        NothingToDrawError: no optimizer varies it.
    """
    by = criterion(runs)
    name = by.replace("_", " ", 1)
    fig, axes = figure(runs, f"{name} over {setting}")
    drawn = []
    for label, look in styles(runs).items():
        scores = sensitivity_to(runs, label, setting)[by]
        if scores.sizes["value"] > 1:
            _draw_median(axes, scores, "value", "instance", look | {"marker": "o", "ms": 3.5}, label)
            drawn.append(scores)
    if not drawn:
        raise NothingToDrawError(f"{runs.attrs['problem']}: no optimizer has more than one {setting}.")
    _log_where_positive(axes, np.concatenate([scores.values.ravel() for scores in drawn]))
    positive = all((scores.value > 0).all() for scores in drawn)
    axes.set(xscale="log" if positive else "linear", xlabel=setting, ylabel=name)
    legend(fig, ncols=3)
    return fig


def agreement(runs: xr.Dataset) -> Figure:
    """The largest difference over all runs between each optimizer of adamlab and its twin of Optax, step by step.

    Twins have the same settings. Steps without any difference have no point.

    Raises:
        NothingToDrawError: the study has no such pair.
    """
    fig, axes = figure(runs, "largest difference from Optax's twin")
    differences = difference_by_step(runs)
    if not differences.sizes["optimizer"]:
        raise NothingToDrawError(f"{runs.attrs['problem']}: there is no adamlab.X and optax.X at the same settings.")
    looks = styles(runs)
    for label in differences.optimizer.values:
        values = differences.difference.sel(optimizer=label)
        final = runs.params_difference.values[(runs.optimizer.values == label) & (runs.optax_run.values >= 0)]
        # The curve may be of losses: equal losses are not enough, the parameters have to be equal as well.
        same = " (identical)" if np.nan_to_num(final).max() == 0 else ""
        axes.plot(runs.step, values.where(values > 0), color=looks[label]["color"], label=f"{label}{same}")
    axes.set(xlabel="step", ylabel=differences.attrs["of"], yscale="log")
    legend(fig, ncols=3)
    return fig


def _draw_median(axes: Axes, values: xr.DataArray, along: str, over: str, look: dict[str, Any], label: str):
    """Draw the median, where it is finite, in a band of the range of the finite runs."""
    median = shown(values.median(over))
    drawn = shown(values).where(~np.isnan(median))
    axes.plot(values[along], median, **look, label=label)
    axes.fill_between(values[along], drawn.min(over), drawn.max(over), alpha=0.15, lw=0, color=look["color"])


def _draw_mean(axes: Axes, statistics: xr.Dataset, look: dict[str, Any], label: str):
    """Draw the mean, where it is finite, in a band of its standard error."""
    mean, error = shown(statistics["mean"]), statistics.standard_error
    axes.plot(statistics.step, mean, **look, label=label)
    axes.fill_between(statistics.step, mean - error, mean + error, alpha=0.15, lw=0, color=look["color"])


def _log_where_positive(axes: Axes, values: np.ndarray):
    finite = values[np.abs(values) <= HIGHEST]
    positive = finite[finite > 0]
    if positive.size and finite.min() >= 0 and positive.max() > 20 * positive.min():
        axes.set_yscale("log", nonpositive="mask")
