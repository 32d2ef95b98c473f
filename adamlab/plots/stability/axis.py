"""What pictures of stability share: their heads, and the axis of learning rate times curvature."""

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.plots.style import figure
from adamlab.plots.words import shortened
from adamlab.plots.words import width as length

HEAD = 11.0
"""The size of a head's letters in points."""


def headed(
    data: xr.Dataset, title: str, ax: Axes | None, *, width: float = 7.0, height: float = 4.6
) -> tuple[Figure, Axes]:
    """An empty figure whose head fits into it, or the axes that were given."""
    room = width - 1.0 - length(f": {title}", HEAD)
    name = shortened(data.attrs["problem"], room, HEAD)
    return figure(data.assign_attrs(problem=name), title, width=width, height=height, ax=ax)


def product(data: xr.Dataset) -> str:
    """The label of the axis."""
    return "η·ĥ" if bool(data.is_preconditioned.any()) else "η·h"


def product_in_full(data: xr.Dataset) -> str:
    """The label of the axis with its meaning."""
    held = data.is_preconditioned.values
    if not held.any():
        return "learning rate × curvature, η·h"
    if held.all():
        return "learning rate × preconditioned curvature, η·ĥ with ĥ = h/P held"
    return "learning rate × curvature, η·h; of adaptive optimizers preconditioned, ĥ = h/P held"
