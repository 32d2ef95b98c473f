"""Curves of all settings of a sweep: thin lines, coloured by a number."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from adamlab.analysis import of_optimizer, optimizers, over_seeds
from adamlab.errors import InputError
from adamlab.plots.lines import Scale
from adamlab.plots.runs.over_steps.medians import cut_axes, drawable, limit_of, x_label
from adamlab.plots.style import NothingToDrawError, describe, figure, panels, same_twins
from adamlab.plots.words import letter, listing, number

MOST_PANELS = 12
"""The most optimizers whose settings are drawn."""


def draw_all_settings(
    runs: xr.Dataset, what: str, setting: str | None, over: str, per: Callable[[xr.Dataset], float], ax: Axes | None
) -> Figure:
    """The medians of all settings, in a panel for each optimizer; twins that coincide have one panel.

    Args:
        runs: the dataset of a problem.
        what: a quantity of one number after each step.
        setting: the number that colours the lines; None: the first that has several values.
        over: the name of the x axis.
        per: the steps in a unit of the x axis, of the runs of an optimizer.
        ax: axes to draw into, for a single optimizer.
    """
    problem = runs.attrs["problem"]
    swept = [name for name in runs.attrs["settings"] if len({*runs[name].values[~np.isnan(runs[name].values)]}) > 1]
    if not swept or setting not in (None, *swept):
        raise NothingToDrawError(f"{problem}: no {setting or 'number'} has several values.")
    name = setting or swept[0]
    statistics = over_seeds(runs, what, quantiles=(0.5,), per_setting=True)
    numbers, medians = statistics[name].values, statistics.quantiles.values[0]
    lines_of = {label: np.flatnonzero(statistics.optimizer.values == label) for label in optimizers(runs)}
    same = same_twins(runs, {label: medians[rows] for label, rows in lines_of.items()})
    labels = [label for label in lines_of if label not in same]
    if ax is not None and len(labels) > 1:
        remedy = "give those of one optimizer, as al.analysis.of_optimizer does"
        raise InputError(f"ax: all settings of several optimizers take a panel each; {remedy}.")
    fig, places = _places(runs, what, labels, over, ax)
    given = numbers[np.isfinite(numbers)]
    is_log = given.min() > 0 and given.max() > 20 * given.min()
    shades = ScalarMappable((LogNorm if is_log else Normalize)(given.min(), given.max()), colormaps["viridis_r"])
    drawn = medians[np.concatenate([lines_of[label] for label in labels[: len(places)]])]
    scale, limit, highest = Scale.of(drawn), limit_of([drawable(drawn)]), np.nanmax(drawable(drawn), initial=-np.inf)
    for place, label in zip(places, labels, strict=False):
        x = runs.step.values / per(of_optimizer(runs, label))
        for row in lines_of[label]:
            known = np.isfinite(numbers[row])
            look = {"color": shades.to_rgba(numbers[row]) if known else "0.6", "lw": 0.9, "solid_capstyle": "butt"}
            kept = ~np.isnan(medians[row])
            label_of = f"{letter(name)} {number(numbers[row])}" if known else label
            scale.draw(place, x[kept], medians[row][kept], look, label_of)
        scale.apply(place, min(highest, limit))
    for place in places if highest > limit else ():  # once all is drawn, since they share the axis
        cut_axes(place, limit)
    bar = fig.colorbar(shades, ax=places, format="{x:g}")
    bar.ax.set_title(letter(name), fontsize=10)
    if ax is None:
        others = f"; {len(labels) - len(places)} further optimizers are left out" if len(labels) > len(places) else ""
        describe(
            fig,
            f"{what} over {over.removesuffix('s')}s on {problem}, the median of the runs of each of {len(drawn)} "
            f"settings of {listing(labels[: len(places)])}, coloured by {letter(name)} from {number(given.min())} to "
            f"{number(given.max())}{others}.",
        )
    return fig


def _places(runs: xr.Dataset, what: str, labels: list[str], over: str, ax: Axes | None) -> tuple[Figure, list[Axes]]:
    title = f"{what}, the median of each setting"
    if len(labels) == 1:
        fig, axes = figure(runs, f"{title} of {labels[0]}", ax=ax)
        axes.set(xlabel=x_label(over), ylabel=what)
        return fig, [axes]
    return panels(runs, title, labels[:MOST_PANELS], x_label(over), share_y=True)
