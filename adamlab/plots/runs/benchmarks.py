"""Optimizers against each other: performance profiles, ranks, and the worth of tuning."""

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


def profiles(results: Results, target: float | int | None = None, what: str = "loss", by: str | None = None) -> Figure:
    """Performance profiles: how often each optimizer, at its best setting, needs at most k times the fewest steps.

    After Dolan & Moré 2002: the value at k = 1 is how often the optimizer is the fastest, the value at the right how
    often it reaches the target at all.

    Args:
        results: the dataset of a problem, or several by name.
        target: the value to reach; by default that of the recorded `steps_to_target`.
        what: the quantity that should reach it.
        by: the criterion of the best setting, such as "steps_to_target".

    Raises:
        NothingToDrawError: no steps to a target were recorded and no target is given, or no run reached the target.
    """
    problems = datasets(results)
    for name, runs in problems.items():
        if target is None and "steps_to_target" not in runs:
            raise NothingToDrawError(f'{name}: give a target, or put "steps_to_target" among record.what.')
        if what not in runs:
            raise NothingToDrawError(f"{name}: no {what} was recorded over steps.")
        _require_criterion(name, runs, by)
    cost = None if target is None else lambda runs: steps_to(runs, target, what)
    shares = performance_profiles(problems, cost, by)
    if not shares.profile.values.any():
        raise NothingToDrawError(f"{shares.attrs['problem']}: no run reached the target.")
    reached = "the target" if target is None else f"{what} {target:g}"
    fig, axes = figure(shares, f"steps to {reached}, each optimizer at its best setting")
    factors = np.append(shares.factor.values, max(1.05 * shares.factor.values[-1], 2.0))
    for label, look in _looks(problems).items():
        profile = shares.profile.sel(optimizer=label).values
        axes.step(factors, np.append(profile, profile[-1]), where="post", **look, label=label)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    count = shares.sizes["instance"]
    axes.set(xlabel="steps, times the fewest", ylabel=f"share of {count} {_unit(problems)}", ylim=(-0.02, 1.02))
    legend(fig, ncols=3)
    return fig


def ranks(results: Results, by: str | None = None) -> Figure:
    """Each optimizer's mean rank over seeds and problems, where 1 is the best, with its 95 % bootstrap interval.

    Args:
        results: the dataset of a problem, or several by name.
        by: the criterion, see `adamlab.analysis.score`; by default that of the best setting.

    Raises:
        NothingToDrawError: the results have one optimizer alone, or lack the criterion.
    """
    problems = datasets(results)
    for name, runs in problems.items():
        _require_criterion(name, runs, by)
    table = ranks_of(problems, by)
    table = table.isel(optimizer=np.argsort(-table.mean_rank.values, kind="stable"))
    labels = table.optimizer.values.tolist()
    if len(labels) == 1:
        raise NothingToDrawError(f"{table.attrs['problem']}: ranks take two optimizers; there is {labels[0]} alone.")
    title = f"mean rank of {len(labels)} by {_name(table.attrs['by'])}"
    fig, axes = figure(table, title, height=1.6 + 0.32 * len(labels))
    looks = _looks(problems)
    for height, label in enumerate(labels):
        row, color = table.isel(optimizer=height), looks[label]["color"]
        axes.plot([row.low, row.high], [height, height], color=color, lw=3, alpha=0.4, solid_capstyle="butt")
        axes.plot(row.mean_rank, height, "o", color=color, ms=6)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.set(xlabel=f"mean rank over {table.sizes['instance']} {_unit(problems)}, 95 % bootstrap interval")
    axes.set_xlim(0.9, len(labels) + 0.1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return fig


def budget(runs: xr.Dataset, by: str | None = None) -> Figure:
    """The expected best score after k random trials of an optimizer's settings, with a band of quartiles.

    The dotted line is the median. The expectation is infinite, and has no line, where all k trials can diverge.

    Args:
        runs: the dataset of a problem.
        by: the criterion, see `adamlab.analysis.score`; by default that of the best setting.

    Raises:
        NothingToDrawError: no optimizer has two settings, or the results lack the criterion.
    """
    problem = runs.attrs["problem"]
    _require_criterion(problem, runs, by)
    scores = tuning_budget(runs, by).map(shown, keep_attrs=True)
    if scores.settings.max() < 2:
        raise NothingToDrawError(f"{problem}: no optimizer has two settings to choose from.")
    name = _name(scores.attrs["by"])
    fig, axes = figure(scores, f"{name} of the best of k random settings")
    for label, look in styles(runs).items():
        row = scores.sel(optimizer=label)
        low, median, high = row.best_quantiles.values
        axes.plot(scores.trials, row.expected_best, **look, label=f"{label}, {row.settings:.0f} settings")
        axes.plot(scores.trials, median, color=look["color"], lw=1.0, ls=":")
        axes.fill_between(scores.trials, low, high, color=look["color"], alpha=0.15, lw=0)
    if (scores.best_quantiles.min() > 0) and scores.best_quantiles.max() > 20 * scores.best_quantiles.min():
        axes.set_yscale("log")
    axes.set(xscale="log", xlabel="trials k", ylabel=f"best {name}: mean, median, quartiles")
    legend(fig)
    return fig


def _looks(problems: dict[str, xr.Dataset]):
    """The style of each optimizer, taken from the first problem that has it."""
    return {label: look for runs in reversed(problems.values()) for label, look in styles(runs).items()}


def _name(by: str) -> str:
    """A criterion in words: "final loss"."""
    return by.replace("_", " ", 1)


def _unit(problems: dict[str, xr.Dataset]) -> str:
    """The word for the instances of a single problem, or of several."""
    alone = len(problems) == 1 and not any("start" in runs for runs in problems.values())
    return "seeds" if alone else "runs"


def _require_criterion(name: str, runs: xr.Dataset, by: str | None):
    try:
        criterion(runs, by)
    except InputError as error:
        raise NothingToDrawError(f"{name}: {error}") from error
