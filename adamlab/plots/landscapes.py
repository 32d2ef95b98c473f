"""Pictures of the function itself: contours with a colour bar, or a line for a single parameter."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adamlab.analysis import finished
from adamlab.plots.style import COLORS, NothingToDrawError, describe, figure, legend
from adamlab.plots.words import number

MOST_LEVELS = 20
ROUND = [1, 2, 5, 10]


def landscape(data: xr.Dataset, ax: Axes | None = None) -> Figure:
    """The function over its domain, as contours or as a line, with its minima and the starts of runs.

    Contours are at round values; where a few values are high and most are low, in steps 1, 2, 5, 10, …, since even
    steps would leave the valleys empty. Where the function is not finite nothing is drawn.

    Args:
        data: a dataset of `adamlab.problems.landscape`, or of a problem's runs.
        ax: axes to draw into.

    Raises:
        NothingToDrawError: the problem has more than two parameters, or no domain, or is nowhere finite.
    """
    require_landscape(data)
    line = data.landscape.ndim == 1
    fig, axes = figure(data, "the function", width=6.6, height=4.4 if line else 5.8, ax=ax)
    if line:
        axes.plot(data.x, data.landscape, color=COLORS[0], lw=1.8)
        axes.set(xlabel="w₁", ylabel="loss")
    else:
        drawn = contour(axes, data, colormaps["viridis"], "white", labelled=True)
        bar = fig.colorbar(drawn, ax=axes, label="loss", ticks=drawn.levels, format="{x:g}")
        bar.ax.tick_params(labelsize=8)
        axes.set(xlabel="w₁", ylabel="w₂")
        axes.set_box_aspect(1)
    _mark_points(axes, data)
    legend(fig, 2, ax)
    if ax is None:
        describe(fig, _sentence(data))
    return fig


def _sentence(data: xr.Dataset) -> str:
    values, name = data.landscape.values[np.isfinite(data.landscape.values)], data.attrs["problem"]
    over = " and ".join(
        f"{letter} from {number(float(data[axis][0]))} to {number(float(data[axis][-1]))}"
        for letter, axis in (("w₁", "x"), ("w₂", "y"))
        if axis in data.landscape.dims
    )
    minima = data.sizes.get("minimum", 0)
    marked = "no known minimum" if not minima else "its minimum" if minima == 1 else f"its {minima} minima"
    return f"The function {name} over {over}, from {number(values.min())} to {number(values.max())}, with {marked}."


def require_landscape(data: xr.Dataset) -> None:
    """Raise NothingToDrawError unless the dataset has a landscape, somewhere finite."""
    name = data.attrs["problem"]
    if "landscape" not in data:
        raise NothingToDrawError(
            f"{name}: a function is drawn over one or two parameters; this problem has more, or no domain to draw."
        )
    if not np.isfinite(data.landscape).any():
        raise NothingToDrawError(f"{name}: the function is not finite anywhere in its domain.")


def contour(axes: Axes, data: xr.Dataset, shades: Colormap, lines: str, labelled: bool = False) -> ContourSet:
    """Filled contours of a landscape over the plane, with their lines.

    Args:
        axes: the axes to draw on.
        data: a dataset with a `landscape` over y and x, somewhere finite.
        shades: the colours from the lowest values to the highest; each step between two levels has its own.
        lines: the colour of the lines.
        labelled: whether every other line tells its value.
    """
    values = np.ma.masked_invalid(data.landscape.values)
    levels = round_levels(values.compressed())
    colors = list(shades(np.linspace(0, 1, len(levels) + 1)))
    drawn = axes.contour(
        data.x, data.y, values, levels=levels, colors=lines, linestyles="solid", linewidths=0.4, alpha=0.7, zorder=1
    )
    if labelled:
        drawn.clabel(levels[1::2], fontsize=6, fmt="%g", inline_spacing=2)
    return axes.contourf(data.x, data.y, values, levels=levels, colors=colors, extend="both", zorder=0)


def round_levels(values: np.ndarray) -> np.ndarray:
    """Round levels between the least and the greatest value; or around these, if fewer than two lie between them.

    Positive values over several decades have levels at 1, 2 and 5 of each decade. Otherwise the levels are even; or,
    where most values are low, closer together the lower they are.
    """
    low, high = values.min(), values.max()
    if low >= 0 and high > 100 * np.quantile(values, 0.01):
        low = np.quantile(values[values > 0], 0.002)
        decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high))
        levels = (decades[:, None] * [1, 2, 5]).ravel()
    elif np.median(values) - low > (high - low) / 3:
        levels = np.asarray(MaxNLocator(MOST_LEVELS, steps=ROUND).tick_values(low, high))
    else:
        fine = np.asarray(MaxNLocator(5 * MOST_LEVELS, steps=ROUND).tick_values(low, high))
        wanted = low + (high - low) * np.linspace(0, 1, MOST_LEVELS) ** 2
        levels = fine[np.unique(np.abs(fine[None, :] - wanted[:, None]).argmin(axis=1))]
    inside = levels[(levels > low) & (levels < high)]
    if len(inside) < 2:
        return np.asarray(MaxNLocator(2).tick_values(low, high))
    return inside[:: -(-len(inside) // MOST_LEVELS)]


def _mark_points(axes: Axes, data: xr.Dataset):
    """Mark minima and starts, uncut even at the edge of the domain; the axes grow to those outside."""
    starts, minima = _starts(data), _minima(data)
    marks = (
        (starts, {"label": "start", "marker": "s", "ms": 5, "mec": "white", "color": "black"}),
        (minima, {"label": "minimum", "marker": "*", "ms": 13, "mec": "black", "color": "gold"}),
    )
    for points, look in marks:
        if len(points):
            axes.plot(*points.T, ls="none", clip_on=False, zorder=3, **look)
    if data.landscape.ndim == 2:
        points = np.concatenate([starts, minima, [[data.x[0], data.y[0]], [data.x[-1], data.y[-1]]]])
        axes.set(xlim=(points[:, 0].min(), points[:, 0].max()), ylim=(points[:, 1].min(), points[:, 1].max()))


def _starts(data: xr.Dataset) -> np.ndarray:
    """The starts of runs, a row each: two parameters, or a single parameter and its loss."""
    if "params" not in data:
        return np.zeros((0, 2))
    done = finished(data)
    starts = done.params.values[:, 0]
    return np.unique(starts if data.landscape.ndim == 2 else np.stack([starts[:, 0], done.loss[:, 0]], axis=1), axis=0)


def _minima(data: xr.Dataset) -> np.ndarray:
    """The minima, a row each, as the starts; the loss of a minimum is interpolated on the grid."""
    minima = data.minima.values
    if data.landscape.ndim == 2:
        return minima
    x = minima[:, 0].astype(data.x.dtype)
    return np.stack([x, np.interp(x, data.x, data.landscape, left=np.nan, right=np.nan)], axis=1)
