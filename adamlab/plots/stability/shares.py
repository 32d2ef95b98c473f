"""The shares of past gradients in an update."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.plots.lines import thinned
from adamlab.plots.stability.axis import headed
from adamlab.plots.style import COLORS, DASHES, describe, name_lines
from adamlab.plots.words import number


def shares(influence: xr.Dataset, ax: Axes | None = None) -> Figure:
    """How much of an update comes from the gradient of so many steps ago, for several optimizers.

    A dot marks the mean age of the gradients in the update.

    Args:
        influence: the data of `al.dynamics.shares`.
        ax: axes to draw into.
    """
    fig, axes = headed(influence, "what drives the update", ax)
    age, lines, told = influence.age.values, [], []
    axes.axhline(0.0, color="0.6", lw=0.8)
    for i, title in enumerate(influence.optimizer.values):
        y = influence.share.values[i]
        look = {"color": COLORS[i % len(COLORS)], "ls": DASHES[i // len(COLORS) % len(DASHES)], "lw": 1.6}
        kept = thinned(y)
        lines += axes.plot(age[kept], y[kept], **look, label=str(title), marker="." if len(age) <= 60 else "")
        mean, half = float(influence.mean_age[i]), float(influence.half_life[i])
        if 0 <= mean <= age[-1]:
            axes.plot(mean, np.interp(mean, age, y), "o", ms=6, mec="white", color=look["color"], zorder=4)
        ages = [f"{name} {number(x)}" for name, x in (("half-life", half), ("mean age", mean)) if not np.isnan(x)]
        told.append(f"{title}: {number(100 * y[0])} % from the latest{''.join(f', {text}' for text in ages)}")
    axes.set(xlabel="steps ago, k", ylabel="share of the update", xlim=(-0.02 * age[-1] - 0.1, age[-1] + 0.5))
    name_lines(fig, ax, lines)
    if ax is None:
        describe(
            fig,
            f"The share of the gradient of k steps ago in the update of step {influence.attrs['t']:,}, second moments "
            f"held and all gradients the same: {'; '.join(told)}.",
        )
    return fig
