"""The stability region of an optimizer over learning rate and momentum, with runs on top."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adamlab.plots.stability.axis import headed, product, product_in_full
from adamlab.plots.style import COLORS, describe, legend

BRIGHT = 0.75
"""The rate whose colour is so bright that a white ring on it is not seen."""


def region(stability: xr.Dataset, ax: Axes | None = None) -> Figure:
    """Where an optimizer converges on a quadratic, over η·h and its momentum: by its formula, and by its runs.

    The colour is the spectral radius, where it is below 1; the line is the derived threshold. Each point is a run of
    the optimizer itself, filled where it diverged.

    Args:
        stability: the data of `al.dynamics.region`.
        ax: axes to draw into.
    """
    fig, axes = headed(stability, "where it converges", ax, height=5.0)
    x, y = stability["product"].values, stability.momentum.values
    inside = np.ma.masked_greater_equal(stability.radius.values, 1.0)
    shades: Any = axes.pcolormesh(x, y, inside, cmap="viridis", vmin=0, vmax=1, shading="nearest", rasterized=True)
    fig.colorbar(shades, ax=axes, label="factor per step, ρ")
    edge = np.where(stability.threshold.values <= x[-1], stability.threshold.values, np.nan)
    (line,) = axes.plot(edge, y, color=COLORS[1], lw=2.2, label="threshold, derived from the code")
    runs_x, runs_y = np.meshgrid(stability.run_product.values, stability.run_momentum.values)
    diverged = stability["diverges"].values
    shade = stability.radius.sel(product=stability.run_product, momentum=stability.run_momentum, method="nearest")
    rings = np.where(shade.values < BRIGHT, "white", "0.35")[~diverged].tolist()
    axes.scatter(runs_x[~diverged], runs_y[~diverged], s=9, fc="none", ec=rings, lw=0.7, zorder=3)
    axes.scatter(runs_x[diverged], runs_y[diverged], s=9, color="0.25", lw=0, zorder=3)
    letter = stability.attrs["letter"]
    axes.set(xlim=(0, x[-1]), ylim=(0, 1), xlabel=product_in_full(stability), ylabel=f"momentum, {letter}")
    expected = runs_x > np.interp(runs_y, y, stability.threshold.values)
    others = int(np.sum(expected != diverged))
    dots = {"ls": "none", "marker": "o", "ms": 4}
    converged = Line2D([], [], **dots, mfc="none", mec="0.35", label="a run that converged")
    apart = Line2D([], [], **dots, color="0.25", label="a run that diverged")
    legend(fig, 3, ax, [line, converged, apart])
    if ax is None:
        agree = "as the threshold has it" if not others else f"{others} of them on the other side of the threshold"
        describe(
            fig,
            f"Where {stability.attrs['problem']} converges on a quadratic, over {product(stability)} and {letter}: "
            f"{int(diverged.sum())} of {diverged.size} runs of the optimizer diverged, {agree}.",
        )
    return fig
