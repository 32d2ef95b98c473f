"""The field of an optimizer's steps over the plane: where it would go from each point."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from adamlab.errors import cut
from adamlab.plots.style import COLORS, NothingToDrawError, describe, figure
from adamlab.plots.updates.plane import ground, require_plane

LENGTH = 0.8
"""The length of an arrow, as a share of the distance of two points."""


def vector_field(data: xr.Dataset, settled: bool = False, ax: Axes | None = None) -> Figure:
    """The direction of an optimizer's first step from each point over the contour; its length is the arrow's colour.

    Args:
        data: a dataset of `adamlab.problems.field`.
        settled: whether to draw the steps that it settles to under each point's gradient, too, in orange.
        ax: axes to draw on; by default those of a new figure.

    Raises:
        NothingToDrawError: the problem has not two parameters, or no step is finite.
    """
    require_plane(data, "a vector field", "first")
    spec = cut(data.attrs["optimizer"], 60)
    fig, axes = figure(data, f"the first step of {spec}", width=7.2, height=5.8) if ax is None else (ax.figure, ax)
    axes.title.set_parse_math(False)
    lengths = np.linalg.norm(data["first"].values, axis=-1)
    moves = np.isfinite(lengths) & (lengths > 0)
    if not moves.any():
        raise NothingToDrawError(f"{data.attrs['problem']}: {spec} takes no step from any point.")
    ground(axes, data)
    if settled:
        _arrows(axes, data, "settled", color=COLORS[1], width=0.0025, zorder=2, label="settled")
    least, greatest = lengths[moves].min(), lengths[moves].max()
    differ = greatest > 1.01 * least
    norm = LogNorm(least, greatest) if greatest > 20 * least else Normalize(0, greatest)
    how = {"array": lengths, "norm": norm, "cmap": "plasma"} if differ else {"color": COLORS[0]}
    arrows = _arrows(axes, data, "first", width=0.004, zorder=3, label="first", **how)
    said = f"all of length {greatest:.3g}"
    if differ:
        fig.colorbar(arrows, ax=axes, label="length of the step")
        said = f"of lengths from {least:.3g} to {greatest:.3g}"
    if not differ:
        axes.set_xlabel(f"$w_1$   (all steps have the length {greatest:.3g})")
    if len(data.minima):
        axes.plot(*data.minima.values.T, "*", ms=12, mec="black", color="gold", ls="none", zorder=4)
    axes.set(xlim=(data.x[0], data.x[-1]), ylim=(data.y[0], data.y[-1]))
    describe(fig, f"The directions of {spec}'s first steps from points all over {data.attrs['problem']}, {said}.")
    return fig
