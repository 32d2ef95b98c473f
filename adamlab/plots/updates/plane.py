"""Pictures in the plane of two parameters: the run that is shown, the contours under it, and the part of the plane."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from adamlab.analysis import best_settings, of_optimizer, optimizers
from adamlab.errors import nearest
from adamlab.plots.landscapes import contour
from adamlab.plots.runs.trajectories import GREYS
from adamlab.plots.style import NothingToDrawError

MARGIN = 0.15
"""What is left free on each side, as a share of the extent of the points."""

LEAST = 0.1
"""The least side of the part that is shown, as a share of the domain."""


def require_plane(data: xr.Dataset, picture: str, *recorded: str) -> None:
    """Raise NothingToDrawError unless the problem has two parameters and a domain, and the quantities were recorded."""
    name = data.attrs["problem"]
    if "y" not in data.dims:
        raise NothingToDrawError(f"{name}: {picture} takes a problem of two parameters with a domain, such as beale.")
    lacking = [quantity for quantity in recorded if quantity not in data]
    if lacking:
        quoted = ", ".join(f'"{quantity}"' for quantity in lacking)
        raise NothingToDrawError(f"{name}: {picture} takes {quoted} among record.what.")


def first_run(runs: xr.Dataset, label: str) -> xr.Dataset:
    """The run of an optimizer at its best setting from the first seed's first start, a dataset of a single run."""
    return of_optimizer(best_settings(runs), label).isel(run=[0])


def chosen_optimizer(runs: xr.Dataset, optimizer: str | None) -> str:
    """The label of the optimizer that was asked for, or of the first.

    Raises:
        NothingToDrawError: it has no runs.
    """
    labels = optimizers(runs)
    if optimizer is not None and optimizer not in labels:
        problem = runs.attrs["problem"]
        raise NothingToDrawError(f'{problem}: no optimizer has the label "{optimizer}"; {nearest(optimizer, labels)}')
    return labels[0] if optimizer is None else optimizer


def ground(axes: Axes, data: xr.Dataset) -> None:
    """Draw the contours of the loss in greys, where it is finite anywhere."""
    if np.isfinite(data.landscape).any():
        contour(axes, data, GREYS, "0.45")
    axes.set(xlabel="$w_1$", ylabel="$w_2$")


def show_part(axes: Axes, data: xr.Dataset, points: np.ndarray, always: np.ndarray) -> None:
    """Fit the axes to points with a margin, but no further than the domain, and to those that are shown in any case."""
    sides = ((axes.set_xlim, data.x.values), (axes.set_ylim, data.y.values))
    for i, (set_limits, grid) in enumerate(sides):
        low, high = min(grid[0], always[:, i].min()), max(grid[-1], always[:, i].max())
        values = np.concatenate([points[:, i], always[:, i]])
        inside = values[(values >= low) & (values <= high)]
        middle, half = (inside.min() + inside.max()) / 2, np.ptp(inside) / 2 * (1 + 2 * MARGIN)
        half = max(half, LEAST / 2 * (grid[-1] - grid[0]))
        set_limits(max(middle - half, low), min(middle + half, high))
