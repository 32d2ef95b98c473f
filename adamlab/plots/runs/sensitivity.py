"""Sensitivity: the score over one number, in panels by one or two others."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adamlab.analysis import optimizers, sensitivity_to
from adamlab.analysis.rows import finished
from adamlab.analysis.scores import sign
from adamlab.errors import InputError
from adamlab.plots.lines import Scale, log_axis
from adamlab.plots.runs.choice import missed, require_criterion
from adamlab.plots.runs.over_steps.medians import drawable
from adamlab.plots.style import (
    NothingToDrawError,
    describe,
    figure,
    legend,
    name_twins,
    named_of,
    panels,
    same_twins,
    styles,
)
from adamlab.plots.words import best_of, letter, listing, number

MOST_PANELS = 12
"""The most panels of a picture."""


def sensitivity(
    runs: xr.Dataset,
    setting: str = "learning_rate",
    panels: str | Sequence[str] | None = None,
    by: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """The criterion of the best setting, usually the final loss, over one number, with all others at their best.

    Each point is the median over seeds, in a band of their range. A run that diverged counts as infinite: an infinite
    median is a cross at the top. A ring is around each optimizer's best, with an arrow where that is at the end of the
    values that were tried.

    Args:
        runs: the dataset of a problem.
        setting: the number that is varied.
        panels: a second number, each value of which has a panel; or two, for a row and a column of panels by value.
        by: the criterion, see `adamlab.analysis.score`; by default the dataset's.
        ax: axes to draw into.

    Raises:
        NothingToDrawError: no optimizer varies a number, or the results lack the criterion.
        InputError: panels are to be drawn into single axes, are of the number that is varied, or of more than two.
    """
    problem = runs.attrs["problem"]
    require_criterion(problem, runs, by)
    by_numbers = [panels] if isinstance(panels, str) else list(panels or ())
    if by_numbers and ax is not None:
        raise InputError("ax: panels take a figure of their own; leave out ax or panels.")
    if setting in by_numbers:
        raise InputError(f"panels: expected another number than {setting!r}, which is on the axis.")
    if len(by_numbers) > 2 or len({*by_numbers}) < len(by_numbers):
        raise InputError(f"panels: expected one number or two different ones, not {listing(by_numbers)}.")
    parts = _by_values(runs, by_numbers) if by_numbers else {"": runs}
    scores = {part: _scores(runs_of, setting, by) for part, runs_of in parts.items()}
    scores = {part: of for part, of in scores.items() if of}
    if not scores:
        raise NothingToDrawError(f"{problem}: no optimizer has more than one {setting}.")
    name = str(next(iter(next(iter(scores.values())).values())).name)
    title = f"{name.replace('_', ' ', 1)} over {letter(setting)}"
    columns = len(np.unique(_values(runs, by_numbers[1]))) if len(by_numbers) == 2 else None
    fig, places = _places(runs, title, [*scores], letter(setting), columns, ax)
    drawn = [each for of in scores.values() for each in of.values()]
    everything = np.concatenate([np.ravel(each) for each in drawn])
    scale = Scale.of(everything)
    is_log = all((each.value > 0).all() for each in drawn)
    lines, marks = [], []
    for place, of in zip(places, scores.values(), strict=True):
        lines, marks = _draw(place, runs, of, scale, name)
        scale.apply(place, float(np.nanmax(drawable(everything), initial=1.0)))
        if is_log:
            log_axis(place, "x", *_span(drawn))
    if len(places) == 1:
        places[0].set(xlabel=letter(setting), ylabel=name.replace("_", " ", 1))
    else:
        fig.supylabel(name.replace("_", " ", 1), fontsize=10)
    legend(fig, 3, ax, [*named_of(lines), *marks])
    if ax is None:
        describe(fig, _sentence(runs, scores, setting, by_numbers, name))
    return fig


def _values(runs: xr.Dataset, name: str) -> np.ndarray:
    """The values of a number in finished runs, of which there must be several."""
    runs = finished(runs)
    values = np.unique(runs[name].values) if name in runs.attrs["settings"] else np.zeros(0)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        raise NothingToDrawError(f"{runs.attrs['problem']}: no optimizer has more than one {name}.")
    return values


def _by_values(runs: xr.Dataset, names: Sequence[str]) -> dict[str, xr.Dataset]:
    """The finished runs by the values of one or two numbers."""
    values = [_values(runs, name) for name in names]
    if (count := math.prod(map(len, values))) > MOST_PANELS:
        raise NothingToDrawError(
            f"{runs.attrs['problem']}: {listing(names)} {'has' if len(names) == 1 else 'have'} {count} values, and a "
            f"picture at most {MOST_PANELS} panels."
        )
    runs, parts = finished(runs), {}
    for chosen in product(*values):
        here = np.all([runs[name].values == value for name, value in zip(names, chosen, strict=True)], axis=0)
        head = ", ".join(f"{letter(name)} {number(value)}" for name, value in zip(names, chosen, strict=True))
        parts[head] = runs.isel(run=np.flatnonzero(here))
    return parts


def _scores(runs: xr.Dataset, setting: str, by: str | None) -> dict[str, xr.DataArray]:
    """The scores (value, instance) of each optimizer that has several values."""
    scores = {}
    for label in optimizers(runs):
        data = sensitivity_to(runs, label, setting, by)
        if data.sizes["value"] > 1:
            scores[label] = data[data.attrs["by"]]
    return scores


def _places(
    runs: xr.Dataset, title: str, heads: Sequence[str], x: str, columns: int | None, ax: Axes | None
) -> tuple[Figure, list[Axes]]:
    if heads == [""]:
        fig, axes = figure(runs, title, ax=ax)
        return fig, [axes]
    return panels(runs, title, heads, x, share_y=True, columns=columns)


def _span(drawn: Sequence[xr.DataArray]) -> tuple[float, float]:
    values = np.concatenate([each.value.values for each in drawn])
    return float(values.min()), float(values.max())


def _draw(
    axes: Axes, runs: xr.Dataset, scores: Mapping[str, xr.DataArray], scale: Scale, by: str
) -> tuple[list[Line2D], list[Line2D]]:
    """Draw each optimizer's line: the lines, and what a legend explains beside them."""
    looks, lines, marks = styles(runs), [], {}
    medians = {label: values.median("instance").values for label, values in scores.items()}
    same = same_twins(runs, medians)
    names = name_twins(runs, {label: label for label in scores}, same)
    failed = 0
    for label, values in scores.items():
        x, y, color = values.value.values, medians[label], looks[label]["color"]
        finite = drawable(values.values)
        gone = np.isnan(drawable(y))[:, None]
        lines.append(scale.draw(axes, x, y, looks[label] | {"marker": "o", "ms": 3.5}, names[label]))
        band = np.where(gone, np.nan, finite)
        scale.fill(axes, x, np.fmin.reduce(band, axis=1), np.fmax.reduce(band, axis=1), color)
        if label in same:
            continue
        bad = np.flatnonzero(np.isinf(y))
        if bad.size:
            at = 0.985 - 0.035 * (failed % 6)  # side by side, since many fail at the same values
            failed += 1
            axes.plot(
                x[bad], np.full(bad.size, at), "x", ms=5, mew=1.4, color=color, transform=axes.get_xaxis_transform()
            )
            marks["x"] = Line2D(
                [], [], marker="x", ls="none", color="0.4", label=f"half of the runs or more {missed(by)}"
            )
        _mark_best(axes, x, y, _best(y, sign(by)), scale, color, marks)
    return lines, [*marks.values()]


def _mark_best(
    axes: Axes, x: np.ndarray, y: np.ndarray, best: np.ndarray, scale: Scale, color: Any, marks: dict[str, Line2D]
):
    """Draw a ring around each best point, and an arrow beside it where it is at the end of the range."""
    if not best.size:
        return
    heights = scale.raised(y)
    axes.plot(x[best], heights[best], "o", ms=9, mfc="none", mec=color, mew=1.4, zorder=4)
    marks["o"] = Line2D([], [], marker="o", ls="none", ms=8, mfc="none", mec="0.4", label="best")
    if end := _end(y, best):
        side = 1 if end == "largest" else -1
        look = {"color": color, "fontsize": 12, "va": "center", "ha": "left" if side > 0 else "right"}
        arrow, at = "→" if side > 0 else "←", (x[best[0]], heights[best[0]])
        axes.annotate(arrow, at, (6 * side, 0), textcoords="offset points", annotation_clip=False, **look)
        words = "best is the smallest or largest that was tried"
        marks[">"] = Line2D([], [], marker=">", ls="none", ms=5, color="0.4", label=words)


def _best(medians: np.ndarray, direction: int) -> np.ndarray:
    """The numbers of the values with the best median, and with those that are shown like it."""
    drawn = {str(i): float(median) for i, median in enumerate(drawable(medians)) if np.isfinite(median)}
    return np.sort(np.array(best_of(drawn, direction), int))


def _end(medians: np.ndarray, best: np.ndarray) -> str:
    """The end, "smallest" or "largest", where its value alone is the best of several that were tried; else nothing."""
    tried = np.flatnonzero(~np.isnan(medians))
    if len(best) != 1 or len(tried) < 2:
        return ""
    return {tried[0]: "smallest", tried[-1]: "largest"}.get(best[0], "")


def _sentence(
    runs: xr.Dataset, scores: Mapping[str, Mapping[str, xr.DataArray]], setting: str, panels: Sequence[str], name: str
) -> str:
    least: dict[str, float] = {}
    ends: dict[str, tuple[str, str]] = {}
    failed: dict[str, None] = {}
    for part, of in scores.items():
        for label, values in of.items():
            medians = values.median("instance").values
            if np.isinf(medians).any():
                failed[label] = None
            best = _best(medians, sign(name))
            if best.size:
                where = f"{letter(setting)} {listing([number(value) for value in values.value.values[best]])}"
                at = f"{label} at {where}" + (f" and {part}" if part else "")
                least[at] = sign(name) * float((sign(name) * medians[best]).min())
                ends[at] = label, _end(medians, best)
    second = f", a panel for each {listing([letter(each) for each in panels])}" if panels else ""
    sentence = (
        f"{name.replace('_', ' ', 1)} on {runs.attrs['problem']} over {letter(setting)}{second}, "
        "each optimizer's median at the best of its other numbers"
    )
    firsts = best_of(least, sign(name))
    if len(firsts) > 1:
        sentence += f": {listing(firsts)} are best, with {number(least[firsts[0]])}"
    elif firsts:
        label, end = ends[firsts[0]]
        sentence += f": {label} is best, {number(least[firsts[0]])}{firsts[0].removeprefix(label)}"
        sentence += f", the {end} value that was tried" if end else ""
    if failed:
        sentence += f"; of {listing([*failed])} half of the runs or more {missed(name)} at some values"
    return f"{sentence[0].upper()}{sentence[1:]}."
