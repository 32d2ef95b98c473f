"""The eigenvalues of a step as the learning rate grows."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from adamlab.plots.stability.axis import headed, product, product_in_full
from adamlab.plots.style import COLORS, describe
from adamlab.plots.words import number

FARTHEST = 1.5
"""The greatest coordinate that is drawn."""


def eigenvalues(stability: xr.Dataset, ax: Axes | None = None) -> Figure:
    """The eigenvalues of an optimizer's step on a quadratic in the complex plane, coloured by η·h, in the unit circle.

    A ring marks each where the steps begin to diverge.

    Args:
        stability: the data of `al.dynamics.eigenvalues`.
        ax: axes to draw into.
    """
    fig, axes = headed(stability, "eigenvalues of a step", ax, width=6.0, height=5.2)
    x, threshold = stability["product"].values, float(stability.threshold)
    real, imaginary = stability["real"].values, stability["imaginary"].values
    axes.add_patch(Circle((0, 0), 1.0, fc="0.96", ec="0.4", lw=1.0, zorder=0))
    for side in (axes.axhline, axes.axvline):
        side(0.0, color="0.85", lw=0.6, zorder=1)
    drawn: Any = None
    for root in range(real.shape[1]):
        drawn = axes.scatter(real[:, root], imaginary[:, root], c=x, s=9, lw=0, cmap="viridis", zorder=3)
    if threshold <= x[-1]:
        at = int(np.argmin(np.abs(x - threshold)))
        edge = np.abs(real[at] + 1j * imaginary[at]) > 1 - 10 / len(x)
        look = {"s": 90, "fc": "none", "ec": COLORS[1], "lw": 1.6, "zorder": 4}
        axes.scatter(real[at][edge], imaginary[at][edge], **look)
    extent = min(max(1.1, np.abs(real).max() * 1.05, np.abs(imaginary).max() * 1.05), FARTHEST)
    axes.set(
        xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal", xlabel="real part", ylabel="imaginary part"
    )
    if drawn is not None:
        fig.colorbar(drawn, ax=axes, label=product_in_full(stability), shrink=0.85)
    if ax is None:
        ends = f"which they leave at {number(threshold)}" if np.isfinite(threshold) else "which they never leave"
        ends = "in which they are never all" if threshold == 0 else ends
        describe(
            fig,
            f"The {real.shape[1]} eigenvalues of a step of {stability.attrs['problem']} on a quadratic as "
            f"{product(stability)} grows to {number(x[-1])}, in the unit circle, {ends}.",
        )
    return fig
