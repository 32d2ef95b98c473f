"""Losses, metrics and differences over steps, and final losses over a setting."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.plots.style import NothingToDrawError, caption, figure, styles
from adamlab.studies.analysis import best_setting, difference_by_step, sensitivity_to


def curves(runs: xr.Dataset, what: str = "loss") -> Figure:
    """The median over seeds at each optimizer's best setting, in a band from the least to the greatest seed.

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
        values = chosen[what].where(np.isfinite(chosen[what]))
        axes.plot(runs.step, values.median("run"), **look, label=caption(label, chosen))
        axes.fill_between(runs.step, values.min("run"), values.max("run"), alpha=0.15, lw=0, color=look["color"])
    _log_where_positive(axes, runs[what].values)
    axes.set(xlabel="step", ylabel=what + (f" (median and range of {seeds} seeds)" if seeds > 1 else ""))
    made.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return made


def sensitivity(runs: xr.Dataset, setting: str = "learning_rate") -> Figure:
    """The final loss over one setting, all others at their best: median and range over seeds; diverged runs left out.

    Args:
        runs: the dataset of a problem.
        setting: the number that is varied.

    Raises:
        NothingToDrawError: no optimizer varies it.
    """
    made, axes = figure(runs, f"final loss over {setting}")
    drawn = []
    for label, look in styles(runs).items():
        over = sensitivity_to(runs, label, setting)
        if over.sizes[setting] > 1:
            axes.plot(over[setting], over.final_loss.median("seed"), "o", ms=3.5, **look, label=label)
            axes.fill_between(
                over[setting],
                over.final_loss.min("seed"),
                over.final_loss.max("seed"),
                alpha=0.15,
                lw=0,
                color=look["color"],
            )
            drawn.append(over)
    if not drawn:
        raise NothingToDrawError(f"{runs.attrs['problem']}: no optimizer has more than one {setting}.")
    _log_where_positive(axes, np.concatenate([over.final_loss.values.ravel() for over in drawn]))
    positive = all((over[setting] > 0).all() for over in drawn)
    axes.set(xscale="log" if positive else "linear", xlabel=setting, ylabel="final loss")
    made.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
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
        same = "" if (values > 0).any() else " (identical)"
        axes.plot(runs.step, values.where(values > 0), color=looks[label]["color"], label=f"{label}{same}")
    axes.set(xlabel="step", ylabel=over_steps.attrs["of"], yscale="log")
    made.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return made


def _log_where_positive(axes: Axes, values: np.ndarray):
    finite = values[np.isfinite(values)]
    positive = finite[finite > 0]
    if positive.size and finite.min() >= 0 and positive.max() > 20 * positive.min():
        axes.set_yscale("log", nonpositive="mask")
