"""The rate of convergence over the learning rate, for several optimizers."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.plots.stability.axis import headed, product, product_in_full
from adamlab.plots.style import COLORS, DASHES, describe, name_lines
from adamlab.plots.words import number

SAME = 1e-6
"""The difference of two rates that are as good as equal."""

TOP = 1.3
"""The highest rate that is drawn."""


def rates(stability: xr.Dataset, ax: Axes | None = None) -> Figure:
    """The factor by which each optimizer comes closer to a quadratic's minimum with each step, over η·h.

    Below 1 it converges; a dot marks the fastest, a cross where it begins to diverge.

    Args:
        stability: the data of `al.dynamics.rates`.
        ax: axes to draw into.
    """
    fig, axes = headed(stability, "how fast optimizers converge, or diverge", ax)
    x, lines, told = stability["product"].values, [], []
    axes.axhline(1.0, color="0.6", lw=0.8)
    for i, (title, threshold) in enumerate(zip(stability.optimizer.values, stability.threshold.values, strict=True)):
        y = stability.radius.values[i]
        look = {"color": COLORS[i % len(COLORS)], "ls": DASHES[i // len(COLORS) % len(DASHES)], "lw": 1.6}
        lines += axes.plot(x, np.where(y <= TOP, y, np.nan), **look, label=str(title))
        if threshold <= x[-1]:
            axes.plot(threshold, 1.0, "x", ms=6, mew=1.6, color=look["color"], zorder=4)
        if threshold == 0:
            told.append(f"{title} at no rate, however small")
            continue
        best = int(np.flatnonzero(y <= y.min() + SAME)[0])  # the first of a plateau
        axes.plot(x[best], y[best], "o", ms=5, mec="white", color=look["color"], zorder=4, clip_on=False)
        ends = f"up to {number(threshold)}" if np.isfinite(threshold) else "at every rate"
        within = "" if best + 1 < len(x) else "as far as is shown "
        told.append(f"{title} {ends}, {within}fastest at {number(x[best])} with {number(y[best])}")
    axes.set(xlim=(0, x[-1]), ylim=(0, TOP), xlabel=product_in_full(stability), ylabel="factor per step, ρ")
    name_lines(fig, ax, lines)
    if ax is None:
        describe(
            fig,
            f"The factor by which the distance to a quadratic's minimum changes with each step, over "
            f"{product(stability)}; below 1 an optimizer converges, which it does: {'; '.join(told)}.",
        )
    return fig
