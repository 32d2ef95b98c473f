"""Pictures of readings: what the gradients of the past weigh in a state."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from adamlab.analysis.readings import GENERAL, weight_rows
from adamlab.plots.style import COLORS, DASHES, NothingToDrawError, figure, legend

POWERS = {1: "the gradient", 2: "the squared gradient"}


def weights(readings: xr.Dataset) -> Figure:
    """What the gradient of so many steps ago is multiplied by in a state, for each value of its numbers.

    The legend says what all the weights that are shown come to, and how fast they fade.

    Args:
        readings: the dataset of a config of readings.

    Raises:
        NothingToDrawError: no state is a weighted sum of gradients, or numbers that its weights depend on are open.
    """
    drawn = readings.isel(setting=np.flatnonzero(readings.power.values))
    if not drawn.sizes["setting"]:
        of = int(readings.reading_of.values[0])
        name = f"{readings.state.values[of]} of {readings.label.values[of]}"
        raise NothingToDrawError(f"readings: there are no weights in {name}: {readings.note.values[0]}.")
    made, axes = figure(readings, "what a gradient of the past weighs", height=5.0)
    for i, (values, row) in enumerate(zip(drawn.weight.values, weight_rows(readings).to_dict("records"), strict=True)):
        numbers = [f"{name} {row[name]:.7g}" for name in readings.attrs["settings"] if np.isfinite(row[name])]
        label = ", ".join([f"{row['label']}: {row['state']}", *numbers])
        told = f"the last {row['gradients']} weigh {row['sum']:.3g}, halved after {row['halved_after']}"
        color, dashes = COLORS[i % len(COLORS)], DASHES[i // len(COLORS) % len(DASHES)]
        axes.plot(drawn.lag, values, color=color, ls=dashes, lw=1.6, label=f"{label} ({told})")
    powers = {int(power) for power in drawn.power.values}
    what = POWERS.get(powers.pop(), "the gradient's power") if len(powers) == 1 else "the gradient or its square"
    axes.set(xlabel="steps ago, t − i", ylabel=f"weight of {what}")
    if np.nanmin(drawn.weight.values) > 0:
        axes.set_yscale("log")
    _write_formulas(made, drawn)
    legend(made, ncols=1)
    return made


def _write_formulas(made: Figure, drawn: xr.Dataset):
    """The closed form of what is drawn, inside the axes where there is one alone."""
    if len(set(drawn.reading_of.values.tolist())) == 1:
        formula = drawn.latex.sel(step=GENERAL).values[int(drawn.reading_of.values[0])]
        made.axes[0].text(0.98, 0.97, f"${formula}$", transform=made.axes[0].transAxes, ha="right", va="top")
