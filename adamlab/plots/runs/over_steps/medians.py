"""Medians over seeds with their bands: what is drawn of each optimizer, and how far a picture reaches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from adamlab.analysis import of_optimizer, optimizers
from adamlab.analysis.scores import sign
from adamlab.plots.lines import HIGHEST, Scale, hidden
from adamlab.plots.style import DASHES, caption, name_twins, same_twins, styles, twins

WILD = 1e3
"""A run that ends at so many times its start has diverged for the picture, which is cut off above all others."""


@dataclass(frozen=True)
class Median:
    """An optimizer's median of a quantity, or its mean, in a band.

    Attributes:
        label: the optimizer.
        name: its label with the numbers of its setting.
        column: the quantity.
        x: the steps, epochs or seconds.
        values: the finite values (run, step).
        middle: the median; NaN where it is infinite.
        low: the lower end of the band.
        high: the upper end of the band.
    """

    label: str
    name: str
    column: str
    x: np.ndarray
    values: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray


def steps_per(over: str, runs: xr.Dataset) -> float:
    """The steps in a step, in an epoch, or in a second of the runs of an optimizer, of which half took less."""
    if over == "seconds":
        return float(runs.step.values[-1] / np.median(runs.seconds.values))
    return float(runs.attrs["steps_per_epoch"]) if over == "epoch" else 1.0


def x_label(over: str) -> str:
    """The label of the x axis."""
    return "seconds per run" if over == "seconds" else over


def medians_of(
    runs: xr.Dataset,
    best: xr.Dataset,
    column: str,
    per: Callable[[xr.Dataset], float] = lambda runs: 1.0,
    statistics: xr.Dataset | None = None,
) -> list[Median]:
    """The median of each optimizer that has the quantity.

    From where a run diverged on, its value is the worst there is. Steps at which nothing is recorded are left out.

    Args:
        runs: the dataset of a problem, for names.
        best: the runs of each optimizer's setting.
        column: the quantity, of one number after each step.
        per: the steps in a unit of the x axis, of the runs of an optimizer.
        statistics: means with standard errors, from `adamlab.analysis.over_seeds`, to take instead.
    """
    medians = []
    for i, label in enumerate(optimizers(best)):
        chosen = of_optimizer(best, label)
        values, since, steps = chosen[column].values.astype(float), chosen.diverged_at.values, chosen.step.values
        broken = np.isinf(values) | ((since[:, None] >= 0) & (steps >= since[:, None]))
        values = np.where(broken, sign(column) * np.inf, values)
        kept = ~np.isnan(values).all(axis=0)
        values = values[:, kept]
        finite = drawable(values)
        if not np.isfinite(finite).any():
            continue
        if statistics is None:
            middle, low, high = drawable(np.nanmedian(values, axis=0)), np.fmin.reduce(finite), np.fmax.reduce(finite)
        else:
            middle, error = drawable(statistics["mean"].values[i][kept]), statistics.standard_error.values[i][kept]
            low, high = middle - error, middle + error
        ends = (np.where(np.isnan(middle), np.nan, end) for end in (low, high))
        name = caption(runs, label, chosen)
        medians.append(Median(label, name, column, steps[kept] / per(chosen), finite, middle, *ends))
    return medians


def drawable(values: np.ndarray) -> np.ndarray:
    """The values with NaN for those that cannot be drawn."""
    return np.where(np.abs(values) <= HIGHEST, values, np.nan)


def draw_medians(
    axes: Axes, runs: xr.Dataset, columns: Sequence[str], medians: Sequence[Median]
) -> tuple[list[Line2D], list[Line2D]]:
    """Draw medians in their bands: the lines with names, and the entries that a legend needs beside them.

    Several quantities differ by their dashes, and twins that coincide are left out there.
    """
    several, looks = len(columns) > 1, styles(runs)
    drawn = {m.label: np.stack([m.x, m.middle]) for m in medians if m.column == columns[0]}
    same = same_twins(runs, drawn)
    scale = Scale.of(*(each for median in medians for each in (median.middle, median.low, median.high)))
    names = name_twins(runs, {median.label: median.name for median in medians}, same)
    lines = []
    for median in medians:
        look, dash = looks[median.label], columns.index(median.column)
        if several and median.label in same:
            continue
        if several:
            look = {"color": look["color"], "lw": 1.6, "ls": DASHES[dash % len(DASHES)]}
        name = f"_{median.name}" if dash else names[median.label]
        lines.append(scale.draw(axes, median.x, median.middle, look, name))
        scale.fill(axes, median.x, median.low, median.high, look["color"])
    limit = limit_of([median.values for median in medians])
    highest = np.nanmax([np.nanmax(median.high, initial=-np.inf) for median in medians], initial=-np.inf)
    scale.apply(axes, min(highest, limit))
    dashes = [Line2D([], [], color="0.3", lw=1.6, ls=DASHES[i % len(DASHES)], label=n) for i, n in enumerate(columns)]
    marks = _cut(axes, medians, looks, limit) if highest > limit else []
    if not several:
        _name_hidden(axes, medians, lines, {*twins(runs).items()})
    return lines, [*(dashes if several else []), *marks]


def limit_of(values: Sequence[np.ndarray]) -> float:
    """The greatest value that the picture has to show, of several optimizers' (run, step): wild runs go beyond it."""
    tame, starts = 0.0, 0.0
    for sizes in map(np.abs, values):
        first = np.array([row[np.isfinite(row)][:1].sum() for row in sizes])
        calm = sizes[:, -1] <= WILD * first  # of a run that diverged the last value is NaN
        starts = max(starts, first.max(initial=0.0))
        tame = max(tame, np.nanmax(sizes[calm], initial=0.0))
    return tame or WILD * starts or np.inf


def cut_axes(axes: Axes, limit: float) -> float:
    """Let the y axis end a little above a limit, and give back where."""
    low, high = axes.get_ylim()
    is_log = axes.get_yscale() == "log"
    top = limit * (3 if is_log else 1.1)
    axes.set_ylim(low if is_log else max(low, -top), min(high, top))
    return top


def _cut(axes: Axes, medians: Sequence[Median], looks: Mapping[str, Any], limit: float) -> list[Line2D]:
    """Cut the picture off above the limit, with a mark where a line leaves it, and the legend's entry for the marks."""
    top, marks = cut_axes(axes, limit), []
    for median in medians:
        beyond = np.flatnonzero(np.abs(median.middle) > top)
        if beyond.size:
            y = top if median.middle[beyond[0]] > 0 else -top
            x = _crossing(axes, median, int(beyond[0]), y)
            axes.plot(x, y, "^" if y > 0 else "v", ms=6, color=looks[median.label]["color"], clip_on=False)
            marks = [Line2D([], [], marker="^", ls="none", color="0.4", label="goes beyond the picture")]
    return marks


def _crossing(axes: Axes, median: Median, i: int, y: float) -> float:
    """The x at which the drawn line to point i passes y."""
    if i == 0:
        return float(median.x[0])
    points = np.array([[median.x[i - 1], median.middle[i - 1]], [median.x[i], y], [median.x[i], median.middle[i]]])
    (x, before), (_, at), (end, after) = axes.transScale.transform(points)
    return float(x + (end - x) * (at - before) / (after - before))


def _name_hidden(axes: Axes, medians: Sequence[Median], lines: Sequence[Line2D], pairs: set[tuple[str, str]]):
    """Add to the name of a line that another one hides which that is; of twins, the broad one shows beneath."""
    for i, j in hidden(axes, lines).items():
        above, below = medians[j].label, medians[i].label
        if not {(above, below), (below, above)} & pairs and not str(lines[i].get_label()).startswith("_"):
            lines[i].set_label(f"{lines[i].get_label()} (under {above})")
