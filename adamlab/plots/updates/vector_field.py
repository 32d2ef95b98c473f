"""The field of an optimizer's steps over the plane: where it would go from each point."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

from adamlab.errors import cut
from adamlab.plots.style import COLORS, NothingToDrawError, describe, figure, figure_of, legend
from adamlab.plots.updates.plane import corners, ground, require_plane

PALE = "#F2C48D"
"""The colour of the broad arrows underneath."""

LENGTH = 0.8
"""The length of an arrow, as a share of the distance of two points."""


def vector_field(data: xr.Dataset, settled: bool = False, ax: Axes | None = None) -> Figure:
    """The direction of an optimizer's first step from each point over the contour; its length is the arrow's colour.

    Args:
        data: a dataset of `adamlab.problems.field`.
        settled: whether to draw the steps that it settles to under each point's gradient, too.
        ax: axes to draw on; by default those of a new figure.

    Raises:
        NothingToDrawError: the problem has not two parameters, or no step is finite and other than zero.
    """
    require_plane(data, "a vector field", "first")
    problem, spec = data.attrs["problem"], cut(data.attrs["optimizer"], 50)
    lengths = np.linalg.norm(data["first"].values, axis=-1)
    moves = lengths[np.isfinite(lengths) & (lengths > 0)]
    if not moves.size:
        raise NothingToDrawError(f"{problem}: {spec} takes no step that can be drawn.")
    if ax is None:
        fig, axes = figure(data, f"the first step of {spec}", width=7.2, height=5.8)
        axes.title.set_parse_math(False)
    else:
        fig, axes = figure_of(ax), ax
    ground(axes, data, *corners(data))
    if settled:  # under the others, since they often have the same direction
        _draw_arrows(axes, data, "settled", color=PALE, width=0.009)
        axes.plot([], [], color=PALE, lw=5, label="direction after many steps under the same gradient")
    least, greatest = np.quantile(moves, [0.02, 0.98])
    if greatest > 1.01 * least:
        norm = LogNorm(least, greatest) if greatest > 20 * least else Normalize(least, greatest)
        arrows = _draw_arrows(axes, data, "first", cmap="plasma", norm=norm)
        fig.colorbar(arrows, ax=axes, extend="both", label="length of the first step")
        said = f"most lengths are from {least:.3g} to {greatest:.3g}"
    else:
        _draw_arrows(axes, data, "first", color=COLORS[0])
        said = f"all of them of length {greatest:.3g}"
        axes.plot([], [], color=COLORS[0], lw=2, label=f"first step, everywhere of length {greatest:.3g}")
    axes.plot(*data.minima.values.T, "*", ms=12, mec="black", color="gold", ls="none", zorder=4, label="minimum")
    legend(fig) if ax is None else axes.legend(fontsize=8)
    if ax is None:
        describe(fig, f"The directions of {spec}'s first steps from points all over {problem}; {said}.")
    return fig


def _draw_arrows(axes: Axes, data: xr.Dataset, name: str, width: float = 0.004, **how: Any) -> Quiver:
    """Arrows from each point, as long as the grid has place for; where a step is zero or not finite there is none."""
    points, updates = data.points.values.reshape(-1, 2), data[name].values.reshape(-1, 2)
    spacing = np.ptp(points, axis=0) / (np.array([data.sizes["column"], data.sizes["row"]]) - 1)
    cells = np.linalg.norm(updates / spacing, axis=1)
    moves = np.isfinite(cells) & (cells > 0)
    arrows = LENGTH * updates[moves] / cells[moves, None]
    lengths = [] if "color" in how else [np.linalg.norm(updates[moves], axis=1)]
    scale = {"angles": "xy", "scale_units": "xy", "scale": 1.0, "width": width, "zorder": 3}
    return axes.quiver(*points[moves].T, *arrows.T, *lengths, **scale, **how)
