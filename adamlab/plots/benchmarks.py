"""Optimizers against each other: performance profiles, ranks, and what tuning is worth."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adamlab.analysis import performance_profiles, steps_to, tuning_budget
from adamlab.analysis import ranks as ranks_of
from adamlab.analysis.instances import Results, datasets
from adamlab.analysis.scores import criterion
from adamlab.errors import InputError
from adamlab.plots.style import NothingToDrawError, figure, legend, shown, styles


def profiles(results: Results, target: float | int | None = None, what: str = "loss") -> Figure:
    """How often each optimizer, at its best setting, reaches a target within so many times the fewest steps.

    Performance profiles (Dolan & Moré 2002): at factor 1 how often it is the fastest, at the right how often it gets
    there at all.

    Args:
        results: the dataset of a problem, or several by name.
        target: the value to be reached; by default that of the recorded `steps_to_target`.
        what: the quantity that is to reach it.

    Raises:
        NothingToDrawError: no steps to a target were recorded and no target is given, or no run reached it.
    """
    problems = datasets(results)
    for name, runs in problems.items():
        if target is None and "steps_to_target" not in runs:
            raise NothingToDrawError(f'{name}: give a target, or put "steps_to_target" among record.what.')
        if what not in runs:
            raise NothingToDrawError(f"{name}: no {what} was recorded over steps.")
    over = performance_profiles(problems, None if target is None else lambda runs: steps_to(runs, target, what))
    if not over.profile.values.any():
        raise NothingToDrawError(f"{over.attrs['problem']}: no run reached the target.")
    reached = "the target" if target is None else f"{what} {target:g}"
    made, axes = figure(over, f"steps to {reached}, each optimizer at its best setting")
    factors = np.append(over.factor.values, max(1.05 * over.factor.values[-1], 2.0))
    for label, look in _looks(problems).items():
        shares = over.profile.sel(optimizer=label).values
        axes.step(factors, np.append(shares, shares[-1]), where="post", **look, label=label)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    count = over.sizes["instance"]
    axes.set(xlabel="steps, times the fewest", ylabel=f"share of {count} {_unit(problems)}", ylim=(-0.02, 1.02))
    legend(made, ncols=3)
    return made


def ranks(results: Results, by: str | None = None) -> Figure:
    """Each optimizer's mean rank over seeds and problems, 1 being the best, in its 95 % bootstrap interval.

    Args:
        results: the dataset of a problem, or several by name.
        by: what is compared: "final_X" or "best_X" of a recorded X; by default what settings are compared by.

    Raises:
        NothingToDrawError: there is one optimizer, or that was not recorded.
    """
    problems = datasets(results)
    for name, runs in problems.items():
        _require_criterion(name, runs, by)
    over = ranks_of(problems, by)
    over = over.isel(optimizer=np.argsort(-over.mean_rank.values, kind="stable"))
    labels = over.optimizer.values.tolist()
    if len(labels) == 1:
        raise NothingToDrawError(f"{over.attrs['problem']}: ranks take two optimizers; there is {labels[0]} alone.")
    told = over.attrs["by"].replace("_", " ", 1)
    made, axes = figure(over, f"mean rank of {len(labels)} by {told}", height=1.6 + 0.32 * len(labels))
    looks = _looks(problems)
    for place, label in enumerate(labels):
        mine = over.isel(optimizer=place)
        color = looks[label]["color"]
        axes.plot([mine.low, mine.high], [place, place], color=color, lw=3, alpha=0.4, solid_capstyle="butt")
        axes.plot(mine.mean_rank, place, "o", color=color, ms=6)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.set(xlabel=f"mean rank over {over.sizes['instance']} {_unit(problems)}, 95 % bootstrap interval")
    axes.set_xlim(0.9, len(labels) + 0.1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return made


def budget(runs: xr.Dataset, by: str | None = None) -> Figure:
    """The best score to be expected after so many random trials of an optimizer's settings, in a band of quartiles.

    Dotted is the median. Where all of the trials can diverge the expectation is infinite: there is no line.

    Args:
        runs: the dataset of a problem.
        by: what is compared: "final_X" or "best_X" of a recorded X; by default what settings are compared by.

    Raises:
        NothingToDrawError: no optimizer has two settings, or that was not recorded.
    """
    name = runs.attrs["problem"]
    _require_criterion(name, runs, by)
    over = tuning_budget(runs, by).map(shown, keep_attrs=True)
    if over.settings.max() < 2:
        raise NothingToDrawError(f"{name}: no optimizer has two settings to choose from.")
    told = over.attrs["by"].replace("_", " ", 1)
    made, axes = figure(over, f"{told} of the best of k random settings")
    for label, look in styles(runs).items():
        mine = over.sel(optimizer=label)
        low, median, high = mine.best_quantiles.values
        axes.plot(over.trials, mine.expected_best, **look, label=f"{label}, {mine.settings:.0f} settings")
        axes.plot(over.trials, median, color=look["color"], lw=1.0, ls=":")
        axes.fill_between(over.trials, low, high, color=look["color"], alpha=0.15, lw=0)
    if (over.best_quantiles.min() > 0) and over.best_quantiles.max() > 20 * over.best_quantiles.min():
        axes.set_yscale("log")
    axes.set(xscale="log", xlabel="trials k", ylabel=f"best {told}: mean, median, quartiles")
    legend(made)
    return made


def _looks(problems: dict[str, xr.Dataset]):
    """How to draw each optimizer, as on the first of the problems that has it."""
    return {label: look for runs in reversed(problems.values()) for label, look in styles(runs).items()}


def _unit(problems: dict[str, xr.Dataset]) -> str:
    """What an instance is."""
    alone = len(problems) == 1 and not any("start" in runs for runs in problems.values())
    return "seeds" if alone else "runs"


def _require_criterion(name: str, runs: xr.Dataset, by: str | None):
    try:
        criterion(runs, by)
    except InputError as error:
        raise NothingToDrawError(f"{name}: {error}") from error
