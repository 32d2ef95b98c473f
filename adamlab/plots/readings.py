"""Pictures of readings: the weights of past gradients in a state."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.analysis.readings import GENERAL, weight_rows
from adamlab.plots.lines import Scale
from adamlab.plots.style import COLORS, DASHES, NothingToDrawError, describe, figure, legend
from adamlab.plots.words import letter, number

POWERS = {1: "the gradient", 2: "the squared gradient"}

FADED = 1e-2
"""The picture ends where weights are so small a part of what the latest gradients weigh."""

STATES = {"mu": "m", "nu": "v"}
"""The letters of the papers, by the names of states."""


def weights(readings: xr.Dataset, ax: Axes | None = None) -> Figure:
    """The weight of past gradients in a state, over their age in steps, for each value of the state's numbers.

    A dot marks where a gradient weighs half as much as the latest. The legend tells the sum of all weights shown.

    Args:
        readings: the dataset of a config of readings.
        ax: axes to draw into.

    Raises:
        NothingToDrawError: no state is a weighted sum of gradients, or its weights depend on numbers without a value.
    """
    drawn = readings.isel(setting=np.flatnonzero(readings.power.values))
    if not drawn.sizes["setting"]:
        reading = int(readings.reading_of.values[0])
        name = f"{readings.state.values[reading]} of {readings.label.values[reading]}"
        raise NothingToDrawError(f"readings: there are no weights in {name}: {readings.note.values[0]}.")
    fig, axes = figure(readings, "what a gradient of the past weighs", height=5.0, ax=ax)
    scale = Scale(float(np.nanmin(drawn.weight))) if np.nanmin(drawn.weight) > 0 else Scale(None)
    told = []
    for i, (values, row) in enumerate(zip(drawn.weight.values, weight_rows(readings).to_dict("records"), strict=True)):
        numbers = [f"{letter(n)} {number(row[n])}" for n in readings.attrs["settings"] if np.isfinite(row[n])]
        label = ", ".join([f"{row['label']}: {STATES.get(row['state'], row['state'])}", *numbers])
        constant = np.nanmin(values) == np.nanmax(values) != 0
        age = "all alike" if constant else f"half as much after {row['halved_after']}"
        color, dashes = COLORS[i % len(COLORS)], DASHES[i // len(COLORS) % len(DASHES)]
        name = f"{label} (the last {row['gradients']} weigh {row['sum']:.3g}, {age})"
        scale.draw(axes, drawn.lag.values, values, {"color": color, "ls": dashes, "lw": 1.6}, name)
        if row["halved_after"].isdigit() and not constant:
            half = int(row["halved_after"])
            axes.plot(half, values[half], "o", ms=5, mec="white", color=color, zorder=4)
        told.append(f"{label}, {age}")
    powers = {int(power) for power in drawn.power.values}
    what = POWERS.get(powers.pop(), "the gradient's power") if len(powers) == 1 else "the gradient or its square"
    axes.set(xlabel="steps ago, t − i", ylabel=f"weight of {what}")
    scale.apply(axes, float(np.nanmax(drawn.weight)))
    latest = np.nanmin(np.abs(drawn.weight.values[:, 0]))
    if scale.floor is not None and scale.floor < FADED * latest:
        axes.set_ylim(FADED * latest, 2 * np.nanmax(drawn.weight.values))
    _write_formula(axes, drawn)
    legend(fig, 1, ax)
    if ax is None:
        describe(
            fig,
            f"The weight of {what} of so many steps ago, up to {int(drawn.lag[-1]):,}, in a state: {'; '.join(told)}.",
        )
    return fig


def _write_formula(axes: Axes, drawn: xr.Dataset):
    """Write the closed form inside the axes, if a single state is drawn."""
    if len(set(drawn.reading_of.values.tolist())) == 1:
        formula = drawn.latex.sel(step=GENERAL).values[int(drawn.reading_of.values[0])]
        axes.text(0.98, 0.97, f"${formula}$", transform=axes.transAxes, ha="right", va="top")
