"""Gradient, moments and effective rate of an optimizer over the steps of a run."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.plots.picture import Picture
from adamlab.plots.style import COLORS, HIGHEST, NothingToDrawError, caption, describe, figure_of, in_place_of
from adamlab.plots.updates.plane import chosen_optimizer, first_run

MOST_COORDINATES = 4
"""The most coordinates that are drawn where none is asked for."""

PARTS = (
    ("gradients", "gradient $g$", False),
    ("m_hat", r"momentum $\hat m$", False),
    ("m", "momentum $m$", False),
    ("v_hat", r"root of squares $\sqrt{\hat v}$", True),
    ("v", r"root of squares $\sqrt{v}$", True),
    ("effective_learning_rate", "effective rate", False),
)
"""The quantities with their labels, from the top down, and whether the root is drawn."""


def moments(
    runs: xr.Dataset, optimizer: str | None = None, coordinate: int | None = None, ax: Axes | None = None
) -> Figure:
    """An optimizer's gradient, momentum, root of squares and effective learning rate over steps, at its best setting.

    Those of them that were recorded and that the optimizer has stand one below the other, from the first seed.

    Args:
        runs: the dataset of a problem with some of "gradients", "m_hat", "v_hat" (or "m", "v") and
            "effective_learning_rate" recorded.
        optimizer: its label; by default that of the first.
        coordinate: the number of a parameter, from 1; by default the first four are drawn.
        ax: axes of a grid, whose place the panels take.

    Raises:
        NothingToDrawError: none of them was recorded, or there is no such optimizer or coordinate.
    """
    label = chosen_optimizer(runs, optimizer)
    chosen = first_run(runs, label)
    values = {name: chosen[name].values[0] for name, *_ in PARTS if name in chosen}
    values = {name: array for name, array in values.items() if np.isfinite(array).any()}
    problem = runs.attrs["problem"]
    if not {*values} - {"gradients"}:
        wanted = '"gradients", "m_hat", "v_hat" and "effective_learning_rate"'
        raise NothingToDrawError(f"{problem}: {label} has no moments here; put {wanted} among record.what.")
    count = next(iter(values.values())).shape[1]
    if coordinate is not None and not 1 <= coordinate <= count:
        raise NothingToDrawError(f"{problem}: it has the coordinates 1 to {count}, not {coordinate}.")
    drawn = [*range(min(count, MOST_COORDINATES))] if coordinate is None else [coordinate - 1]
    parts = [part for part in PARTS if part[0] in values and not {part[0], f"{part[0]}_hat"} <= values.keys()]
    if ax is None:
        fig = Picture(figsize=(7.0, 1.0 + 1.6 * len(parts)), layout="constrained", dpi=120)
        panels = np.ravel(fig.subplots(len(parts), 1, sharex=True, squeeze=False)).tolist()
    else:
        fig, panels = figure_of(ax), in_place_of(ax, len(parts), 1, sharex=True)
    for axes, (name, words, is_root) in zip(panels, parts, strict=True):
        lines = np.sqrt(np.abs(values[name])) if is_root else values[name]
        _draw(axes, runs.step.values, np.where(np.abs(lines) <= HIGHEST, lines, np.nan), drawn)
        axes.set_ylabel(words, fontsize=9)
    panels[0].set_title(f"{problem}: {caption(runs, label, chosen)}", fontsize=11, parse_math=False)
    panels[-1].set_xlabel("step")
    if len(drawn) > 1:
        panels[0].legend(fontsize=8, ncols=len(drawn), frameon=False)
    words = ", ".join(name.replace("_", " ") for name, *_ in parts)
    which = ", ".join(f"w{i + 1}" for i in drawn)
    seed, last = int(chosen.seed[0]), int(runs.step[-1])
    if ax is None:
        describe(fig, f"{label} on {problem} over {last:,} steps from seed {seed}: {words} of {which}.")
    return fig


def _draw(axes: Axes, steps: np.ndarray, lines: np.ndarray, coordinates: list[int]):
    """Draw the lines of some coordinates, on a logarithmic axis where they are positive over more than a decade."""
    shown = lines[:, coordinates]
    finite = shown[np.isfinite(shown)]
    if finite.size and finite.min() > 0 and finite.max() > 20 * finite.min():
        axes.set_yscale("log")
    elif finite.size and finite.min() < 0 < finite.max():
        axes.axhline(0, color="0.7", lw=0.8, zorder=0)
    for i in coordinates:
        look: dict[str, Any] = {"color": COLORS[i % len(COLORS)], "lw": 1.4}
        axes.plot(steps, lines[:, i], **look, label=f"$w_{{{i + 1}}}$")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
