"""Paths of parameters over a contour of the loss."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.figure import Figure

from adamlab.plots.style import NothingToDrawError, caption, figure, styles
from adamlab.studies.analysis import best_setting, optimizers

LEVELS = 22
MARGIN = 0.12


def trajectories(runs: xr.Dataset) -> Figure:
    """Each optimizer's path at its best setting, from the first seed's start, over the contour of the loss.

    Args:
        runs: the dataset of a problem in the plane, with its parameters recorded.

    Raises:
        NothingToDrawError: the problem is not in the plane, or its parameters were not recorded.
    """
    if "landscape" not in runs or "params" not in runs:
        raise NothingToDrawError(
            f"{runs.attrs['problem']}: trajectories are drawn in the plane; this takes a problem of two parameters "
            'and "params" among record.what.'
        )
    made, axes = figure(runs, "each optimizer at its best setting", width=7.4, height=5.6)
    looks = styles(runs)
    paths = {}
    for label in optimizers(runs):
        chosen = best_setting(runs, label).isel(run=0)
        paths[label] = chosen.params.values
        axes.plot(*paths[label].T, **looks[label], label=caption(label, best_setting(runs, label)), zorder=3)
        end = paths[label][np.isfinite(paths[label]).all(axis=1)][-1]
        axes.plot(*end, "o", ms=6, mec="white", color=looks[label]["color"], zorder=4)
    start = next(iter(paths.values()))[0]
    axes.plot(*start, "s", ms=7, mec="white", color="black", label="start", zorder=5)
    axes.plot(*runs.minima.values.T, "*", ms=12, mec="black", color="gold", ls="none", label="minimum", zorder=6)
    _contour(axes, runs)
    _zoom(axes, runs, np.concatenate([*paths.values(), runs.minima.values]))
    axes.set(xlabel="$w_1$", ylabel="$w_2$")
    made.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return made


def _contour(axes, runs: xr.Dataset):
    # Levels by quantile: they follow a valley's floor as well as its walls, on any scale of the loss.
    levels = np.unique(np.quantile(runs.landscape, np.linspace(0, 1, LEVELS) ** 2))
    shades = colormaps["Greys"](np.linspace(0.02, 0.4, len(levels) - 1))
    axes.contourf(runs.x, runs.y, runs.landscape, levels=levels, colors=list(shades), zorder=0)
    axes.contour(runs.x, runs.y, runs.landscape, levels=levels, colors="0.55", linewidths=0.5, zorder=1)


def _zoom(axes, runs: xr.Dataset, points: np.ndarray):
    """The paths and minima with a margin, but no further than the problem's domain."""
    for limit, grid, values in (
        (axes.set_xlim, runs.x.values, points[:, 0]),
        (axes.set_ylim, runs.y.values, points[:, 1]),
    ):
        inside = values[(values >= grid[0]) & (values <= grid[-1])]
        margin = MARGIN * max(np.ptp(inside), 0.1 * (grid[-1] - grid[0])) if len(inside) else 0
        low, high = (inside.min() - margin, inside.max() + margin) if len(inside) else (grid[0], grid[-1])
        limit(max(low, grid[0]), min(high, grid[-1]))
