"""Optimizers against each other: performance profiles, ranks, and the worth of tuning."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from adamlab.analysis import critical_difference, performance_profiles, steps_to, tuning_budget
from adamlab.analysis import ranks as ranks_of
from adamlab.analysis.comparing.instances import Results, datasets
from adamlab.analysis.rows import recorded
from adamlab.analysis.scores import sign
from adamlab.plots.lines import Scale
from adamlab.plots.runs.choice import require_criterion
from adamlab.plots.style import (
    NothingToDrawError,
    describe,
    figure,
    legend,
    name_lines,
    name_twins,
    named_of,
    same_twins,
    shown,
    styles,
)
from adamlab.plots.words import best_of, listing, number, shortened

LABEL = 2.2
"""The width in inches of the longest name beside ranks."""


def profiles(
    results: Results,
    target: float | int | None = None,
    what: str = "loss",
    by: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Performance profiles: how often each optimizer, at its best setting, needs at most k times the fewest steps.

    After Dolan & Moré 2002: the value at k = 1 is how often the optimizer is the fastest, the value at the right how
    often it reaches the target at all.

    Args:
        results: the dataset of a problem, or several by name.
        target: the value to reach; by default that of the recorded `steps_to_target`.
        what: the quantity that should reach it.
        by: the criterion of the best setting, such as "steps_to_target".
        ax: axes to draw into.

    Raises:
        NothingToDrawError: no steps to a target were recorded and no target is given, or no run reached the target.
    """
    problems = datasets(results)
    for name, runs in problems.items():
        if target is None and "steps_to_target" not in runs:
            raise NothingToDrawError(f'{name}: give a target, or put "steps_to_target" among record.what.')
        if what not in recorded(runs):
            raise NothingToDrawError(f"{name}: no {what} was recorded over steps as one number.")
        require_criterion(name, runs, by)
    cost = None if target is None else lambda runs: steps_to(runs, target, what)
    shares = performance_profiles(problems, cost, by)
    problem = shares.attrs["problem"]
    if not shares.profile.values.any():
        raise NothingToDrawError(f"{problem}: no run reached the target.")
    reached = "the target" if target is None else f"{what} {target:g}"
    fig, axes = figure(shares, f"steps to {reached}, each optimizer at its best setting", ax=ax)
    factors = np.append(shares.factor.values, max(1.05 * shares.factor.values[-1], 2.0))
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    count = f"{shares.sizes['instance']} {_unit(problems)}"
    axes.set(xlabel="steps, times the fewest", ylabel=f"share of {count}", ylim=(-0.02, 1.02))
    looks, lines, first = _looks(problems), [], next(iter(problems.values()))
    shares_of = {label: shares.profile.sel(optimizer=label).values for label in looks}
    names = name_twins(first, {label: label for label in looks}, same_twins(first, shares_of))
    for label, look in looks.items():
        profile = shares_of[label]
        lines += axes.step(factors, np.append(profile, profile[-1]), where="post", **look, label=names[label])
    name_lines(fig, ax, lines)
    if ax is None:
        fastest, last = (best_of({label: each[i] for label, each in shares_of.items()}, -1, _percent) for i in (0, -1))
        describe(
            fig,
            f"Performance profiles on {problem}: the share of {count} in which each optimizer at its best setting "
            f"reaches {reached} within so many times the fewest steps; {listing(fastest)} "
            f"{'is' if len(fastest) == 1 else 'are'} the fastest in {_percent(shares_of[fastest[0]][0])}, and "
            f"{listing(last)} get{'s' * (len(last) == 1)} there most often, in {_percent(shares_of[last[0]][-1])}.",
        )
    return fig


def ranks(results: Results, by: str | None = None, ax: Axes | None = None) -> Figure:
    """Each optimizer's mean rank over seeds and problems, where 1 is the best, with its 95 % bootstrap interval.

    Grey is what lies within Nemenyi's critical difference of the best: those in it are not told apart from it.

    Args:
        results: the dataset of a problem, or several by name.
        by: the criterion, see `adamlab.analysis.score`; by default that of the best setting.
        ax: axes to draw into.

    Raises:
        NothingToDrawError: the results have one optimizer alone, or lack the criterion.
    """
    problems = datasets(results)
    for name, runs in problems.items():
        require_criterion(name, runs, by)
    table = ranks_of(problems, by)
    table = table.isel(optimizer=np.argsort(-table.mean_rank.values, kind="stable"))
    labels = table.optimizer.values.tolist()
    if len(labels) == 1:
        raise NothingToDrawError(f"{table.attrs['problem']}: ranks take two optimizers; there is {labels[0]} alone.")
    title = f"mean rank of {len(labels)} by {_name(table.attrs['by'])}"
    fig, axes = figure(table, title, height=1.8 + 0.32 * len(labels), ax=ax)
    looks = _looks(problems)
    for height, label in enumerate(labels):
        row, color = table.isel(optimizer=height), looks[label]["color"]
        axes.plot([row.low, row.high], [height, height], color=color, lw=3, alpha=0.4, solid_capstyle="butt")
        axes.plot(row.mean_rank, height, "o", color=color, ms=6)
    axes.set_yticks(
        range(len(labels)), [shortened(label, LABEL, 9.0) for label in labels], parse_math=False, fontsize=9
    )
    count, best = table.sizes["instance"], float(table.mean_rank[-1])
    ties = sum(len(np.unique(column)) < len(column) for column in table["rank"].values.T)
    told = f"n = {count} {_unit(problems)}, " + (f"ties in {ties}" if ties else "no ties")
    axes.set(xlabel=f"mean rank and 95 % bootstrap interval; {told}")
    axes.set_xlim(0.9, len(labels) + 0.1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    behind = labels[:-1][::-1]
    if len(labels) > 2:
        difference = critical_difference(len(labels), count)
        label = f"within Nemenyi's critical difference of the best, {number(difference)}"
        axes.axvspan(best, min(best + difference, len(labels) + 0.1), color="0.92", lw=0, zorder=0, label=label)
        legend(fig, 1, ax)
        behind = [name for name in behind if float(table.mean_rank.sel(optimizer=name)) < best + difference]
    if ax is None:
        firsts = best_of(dict(zip(labels, table.mean_rank.values.tolist(), strict=True)))
        behind = [name for name in behind if name not in firsts]
        it = "it" if len(firsts) == 1 else "them"
        near = f"{listing(behind)} not told apart from {it}" if len(labels) > 2 and behind else ""
        are_first = f"{listing(firsts)} {'is' if len(firsts) == 1 else 'are'} first with {number(best)}"
        are_equal = f"{listing(firsts)} have the same, {number(best)}"
        describe(
            fig,
            f"Mean ranks by {_name(table.attrs['by'])} over {count} {_unit(problems)} of {table.attrs['problem']}, "
            f"with bootstrap intervals: {are_equal if len(firsts) == len(labels) else are_first}"
            + (f", {near} by Nemenyi's critical difference" if near else "")
            + (f"; ties in {ties}" if ties else "")
            + ".",
        )
    return fig


def budget(runs: xr.Dataset, by: str | None = None, ax: Axes | None = None) -> Figure:
    """The expected best score after k random trials of an optimizer's settings, with a band of quartiles.

    The dotted line is the median. The expectation is infinite, and has no line, where all k trials can diverge.

    Args:
        runs: the dataset of a problem.
        by: the criterion, see `adamlab.analysis.score`; by default that of the best setting.
        ax: axes to draw into.

    Raises:
        NothingToDrawError: no optimizer has two settings, or the results lack the criterion.
    """
    problem = runs.attrs["problem"]
    require_criterion(problem, runs, by)
    scores = tuning_budget(runs, by).map(shown, keep_attrs=True)
    if scores.settings.max() < 2:
        raise NothingToDrawError(f"{problem}: no optimizer has two settings to choose from.")
    name = _name(scores.attrs["by"])
    fig, axes = figure(scores, f"{name} of the best of k random settings", ax=ax)
    scale, trials, lines, ends = Scale.of(scores.expected_best, scores.best_quantiles), scores.trials.values, [], {}
    names = {label: f"{label}, {scores.settings.sel(optimizer=label):.0f} settings" for label in styles(runs)}
    means = {label: scores.expected_best.sel(optimizer=label).values for label in names}
    names = name_twins(runs, names, same_twins(runs, means))
    for label, look in styles(runs).items():
        row = scores.sel(optimizer=label)
        low, median, high = row.best_quantiles.values
        expected = means[label]
        lines.append(scale.draw(axes, trials, expected, look, names[label]))
        scale.draw(axes, trials, median, {"color": look["color"], "lw": 1.0, "ls": ":"}, "_median")
        scale.fill(axes, trials, low, high, look["color"])
        known = np.flatnonzero(np.isfinite(expected))
        if known.size:
            ends[label] = (float(expected[known[-1]]), int(trials[known[-1]]))
    highest = np.nanmax([scores.expected_best.max(), scores.best_quantiles.max()])
    scale.apply(axes, float(highest))
    axes.set(xscale="log", xlabel="trials k", ylabel=f"best {name}: mean, median, quartiles")
    ticks = (m * 10**k for k in range(8) for m in (1, 2, 5))
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if tick <= trials[-1]]))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    legend(fig, 2, ax, named_of(lines))
    if ax is None:
        best = best_of({label: value for label, (value, _) in ends.items()}, sign(scores.attrs["by"]))
        told = f": {_reached(best, ends)}" if best else ""
        describe(
            fig,
            f"The {name} on {problem} to be expected of the best of k random settings of each optimizer, "
            f"in a band of quartiles{told}.",
        )
    return fig


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _reached(best: Sequence[str], ends: Mapping[str, tuple[float, int]]) -> str:
    """What the best get to after how many trials, each of those that tie."""
    if len(best) == 1:
        return f"{best[0]} gets to {number(ends[best[0]][0])} after {ends[best[0]][1]}"
    return f"{listing([f'{label} after {ends[label][1]}' for label in best])} get to {number(ends[best[0]][0])}"


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
