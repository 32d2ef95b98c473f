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


def labels_of(runs: xr.Dataset) -> list[str]:
    """The labels of the optimizers that have results.

    Raises:
        NothingToDrawError: none has any.
    """
    labels = optimizers(runs)
    if not labels:
        raise NothingToDrawError(f"{runs.attrs['problem']}: no run is done yet.")
    return labels


def first_run(runs: xr.Dataset, label: str) -> xr.Dataset:
    """The run of an optimizer at its best setting from the first seed's first start, a dataset of a single run."""
    return of_optimizer(best_settings(runs), label).isel(run=[0])


def chosen_optimizer(runs: xr.Dataset, optimizer: str | None) -> str:
    """The label of the optimizer that was asked for, or of the first.

    Raises:
        NothingToDrawError: it has no runs.
    """
    labels = labels_of(runs)
    if optimizer is not None and optimizer not in labels:
        problem = runs.attrs["problem"]
        raise NothingToDrawError(f'{problem}: no optimizer has the label "{optimizer}"; {nearest(optimizer, labels)}')
    return labels[0] if optimizer is None else optimizer


def ground(axes: Axes, data: xr.Dataset, low: np.ndarray, high: np.ndarray) -> None:
    """Draw the contours of the loss between two corners in greys, where it is finite anywhere, and fit the axes."""
    cells = [float(data[name][1] - data[name][0]) for name in "xy"]
    sides = zip("xy", low, high, cells, strict=True)
    seen = data[["landscape"]].sel({name: slice(start - cell, stop + cell) for name, start, stop, cell in sides})
    if np.isfinite(seen.landscape).any() and min(seen.landscape.shape) > 1:
        contour(axes, seen, GREYS, "0.45")
    axes.set(xlabel="$w_1$", ylabel="$w_2$", xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def corners(data: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The lower left and the upper right corner of the domain."""
    low, high = (np.array([float(data.x[i]), float(data.y[i])]) for i in (0, -1))
    return low, high


def window(data: xr.Dataset, points: np.ndarray, always: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners around points with a margin, but no further than the domain and the points that are always shown."""
    low, high = corners(data)
    least = LEAST / 2 * (high - low)
    low, high = np.minimum(low, always.min(axis=0)), np.maximum(high, always.max(axis=0))
    points = np.concatenate([points, always])
    inside = np.where((points >= low) & (points <= high), points, np.nan)
    first, last = np.nanmin(inside, axis=0), np.nanmax(inside, axis=0)
    half = np.maximum((last - first) / 2 * (1 + 2 * MARGIN), least)
    return np.maximum((first + last) / 2 - half, low), np.minimum((first + last) / 2 + half, high)
