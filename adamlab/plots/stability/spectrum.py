"""Convergence along the eigen-directions of a quadratic, measured and predicted."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adamlab.plots.lines import Scale
from adamlab.plots.stability.axis import headed
from adamlab.plots.style import describe, legend
from adamlab.plots.words import number

LEAST = 1e-16
"""The smallest distance that is drawn, in units of the start."""

DOTS = 25
"""About how many points of a measured line are marked."""


def spectrum(stability: xr.Dataset, ax: Axes | None = None) -> Figure:
    """The distance from a quadratic's minimum along each eigen-direction: dots of a run, on lines that were predicted.

    Args:
        stability: the data of `al.dynamics.spectrum`.
        ax: axes to draw into.
    """
    fig, axes = headed(stability, "along eigen-directions", ax)
    steps, letter = stability.step.values, "ĥ" if bool(stability.is_preconditioned) else "h"
    values = {name: np.maximum(stability[name].values, LEAST) for name in ("measured", "predicted")}
    scale = Scale(float(min(np.nanmin(each) for each in values.values())))
    colors = colormaps["viridis"](np.linspace(0.0, 0.9, stability.sizes["curvature"]))
    every = max(1, len(steps) // DOTS)
    handles, told = [], []
    for i, (h, radius) in enumerate(zip(stability.curvature.values, stability.radius.values, strict=True)):
        color = tuple(colors[i])
        name = f"{letter} = {number(h)}: ρ = {radius:.4g}"
        handles.append(scale.draw(axes, steps, values["predicted"][i], {"color": color, "lw": 1.2}, name))
        dots = {"color": color, "ls": "none", "marker": "o", "ms": 3.5}
        axes.plot(steps[::every], values["measured"][i][::every], **dots)
        told.append(f"{number(radius)} for {letter} = {number(h)}")
    axes.set(xlabel="step", ylabel="distance from the minimum, in units of the start")
    scale.apply(axes, float(max(np.nanmax(each) for each in values.values())))
    dot = Line2D([], [], color="0.3", ls="none", marker="o", ms=3.5, label="dots: a run of the optimizer")
    legend(fig, 3, ax, [*handles, dot])
    if ax is None:
        measured, predicted = stability.measured.values, stability.predicted.values
        apart = np.nanmax(np.abs(measured - predicted) / np.maximum(predicted, 1.0))
        ended = bool(np.isnan(measured).any())
        until, unit = (" until the run was too far away", ", or of a larger distance,") if ended else ("", "")
        describe(
            fig,
            f"The distance of {stability.attrs['problem']} from a quadratic's minimum along each eigen-direction over "
            f"{int(steps[-1])} steps, measured{until} and predicted, at most {apart:.1g} of the start{unit} "
            f"apart. The factor per step: {', '.join(told)}.",
        )
    return fig
