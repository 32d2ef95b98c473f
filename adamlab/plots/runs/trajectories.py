"""Paths of parameters over a contour of the loss."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from adamlab.analysis import best_settings, of_optimizer
from adamlab.plots.landscapes import contour
from adamlab.plots.style import NothingToDrawError, caption, figure, legend, styles

GREYS = ListedColormap(colormaps["Greys"](np.linspace(0.02, 0.4, 64)))
MARGIN = 0.12


def trajectories(runs: xr.Dataset) -> Figure:
    """Each optimizer's path at its best setting, from the first seed's start or starts, over the contour of the loss.

    Args:
        runs: the dataset of a problem in the plane, with its parameters recorded.

    Raises:
        NothingToDrawError: the problem has not two parameters, or they were not recorded.
    """
    if "y" not in runs.dims or "params" not in runs:
        raise NothingToDrawError(
            f"{runs.attrs['problem']}: trajectories are drawn in the plane; this takes a problem of two parameters "
            'and "params" among record.what.'
        )
    fig, axes = figure(runs, "each optimizer at its best setting", width=7.4, height=5.6)
    looks = styles(runs)
    paths, best = {}, best_settings(runs)
    for label in looks:
        chosen = of_optimizer(best, label)
        paths[label] = chosen.params.values[chosen.seed.values == chosen.seed.values[0]]
        names = [caption(runs, label, chosen), *[None] * len(paths[label])]
        for path, name in zip(paths[label], names, strict=False):
            axes.plot(*path.T, **looks[label], label=name, zorder=3)
            end = path[np.isfinite(path).all(axis=1)][-1]
            axes.plot(*end, "o", ms=6, mec="white", color=looks[label]["color"], zorder=4)
    points = np.concatenate([path for drawn in paths.values() for path in drawn])
    starts = np.unique([path[0] for drawn in paths.values() for path in drawn], axis=0)
    axes.plot(*starts.T, "s", ms=7, mec="white", color="black", label="start", zorder=5)
    axes.plot(*runs.minima.values.T, "*", ms=12, mec="black", color="gold", ls="none", label="minimum", zorder=6)
    if np.isfinite(runs.landscape).any():
        contour(axes, runs, GREYS, "0.45")
    _zoom(axes, runs, starts, np.concatenate([points, runs.minima.values]))
    axes.set(xlabel="$w_1$", ylabel="$w_2$")
    axes.plot([], [], "o", ms=6, color="0.4", label="end")
    legend(fig)
    return fig


def _zoom(axes: Axes, runs: xr.Dataset, starts: np.ndarray, points: np.ndarray):
    """Fit the axes to the paths and minima with a margin, but no further than the problem's domain or the starts."""
    for limit, grid, first, values in (
        (axes.set_xlim, runs.x.values, starts[:, 0], points[:, 0]),
        (axes.set_ylim, runs.y.values, starts[:, 1], points[:, 1]),
    ):
        low, high = min(grid[0], first.min()), max(grid[-1], first.max())
        inside = values[(values >= low) & (values <= high)]
        margin = MARGIN * max(np.ptp(inside), 0.1 * (grid[-1] - grid[0]))
        limit(inside.min() - margin, inside.max() + margin)
