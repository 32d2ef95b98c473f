"""Pictures of readings: the weights of past gradients in a state."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from adamlab.analysis.readings import GENERAL, weight_rows
from adamlab.plots.style import COLORS, DASHES, NothingToDrawError, figure, legend

POWERS = {1: "the gradient", 2: "the squared gradient"}


def weights(readings: xr.Dataset) -> Figure:
    """The weight of past gradients in a state, over their age in steps, for each value of the state's numbers.

    The legend tells the sum of all weights that are shown, and how fast they fade.

    Args:
        readings: the dataset of a config of readings.

    Raises:
        NothingToDrawError: no state is a weighted sum of gradients, or its weights depend on numbers without a value.
    """
    drawn = readings.isel(setting=np.flatnonzero(readings.power.values))
    if not drawn.sizes["setting"]:
        reading = int(readings.reading_of.values[0])
        name = f"{readings.state.values[reading]} of {readings.label.values[reading]}"
        raise NothingToDrawError(f"readings: there are no weights in {name}: {readings.note.values[0]}.")
    fig, axes = figure(readings, "what a gradient of the past weighs", height=5.0)
    for i, (values, row) in enumerate(zip(drawn.weight.values, weight_rows(readings).to_dict("records"), strict=True)):
        numbers = [f"{name} {row[name]:.7g}" for name in readings.attrs["settings"] if np.isfinite(row[name])]
        label = ", ".join([f"{row['label']}: {row['state']}", *numbers])
        summary = f"the last {row['gradients']} weigh {row['sum']:.3g}, halved after {row['halved_after']}"
        color, dashes = COLORS[i % len(COLORS)], DASHES[i // len(COLORS) % len(DASHES)]
        axes.plot(drawn.lag, values, color=color, ls=dashes, lw=1.6, label=f"{label} ({summary})")
    powers = {int(power) for power in drawn.power.values}
    what = POWERS.get(powers.pop(), "the gradient's power") if len(powers) == 1 else "the gradient or its square"
    axes.set(xlabel="steps ago, t − i", ylabel=f"weight of {what}")
    if np.nanmin(drawn.weight.values) > 0:
        axes.set_yscale("log")
    _write_formula(fig, drawn)
    legend(fig, ncols=1)
    return fig


def _write_formula(fig: Figure, drawn: xr.Dataset):
    """Write the closed form inside the axes, if a single state is drawn."""
    if len(set(drawn.reading_of.values.tolist())) == 1:
        formula = drawn.latex.sel(step=GENERAL).values[int(drawn.reading_of.values[0])]
        fig.axes[0].text(0.98, 0.97, f"${formula}$", transform=fig.axes[0].transAxes, ha="right", va="top")
