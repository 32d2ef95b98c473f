"""The common style of all pictures: the figure, colours that colour-blind readers can tell apart, names."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.analysis import optimizers
from adamlab.errors import InputError
from adamlab.plots.picture import Picture

# Okabe & Ito 2008, without the yellow, which is too pale on white paper.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


DASHES = ("-", ":", "-.")


HIGHEST = 1e30
"""The highest value that is drawn: a run beyond it does not recover, and Matplotlib cannot scale axes to it."""


class NothingToDrawError(InputError):
    """Raised where a dataset lacks the quantities that a picture shows."""


def figure(runs: xr.Dataset, title: str, *, width: float = 7.0, height: float = 4.6) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes, headed by the problem's name."""
    fig = Picture(figsize=(width, height), layout="constrained", dpi=120)
    axes = fig.add_subplot()
    axes.set_title(f"{runs.attrs['problem']}: {title}", fontsize=11)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return fig, axes


def describe(fig: Figure, sentence: str) -> None:
    """Give a figure the sentence that says what it shows; it is the caption in a report, and its alternative text."""
    fig.set_label(sentence)


def styles(runs: xr.Dataset) -> dict[str, dict[str, Any]]:
    """The style of each optimizer; Optax's twin is a thin dashed line over adamlab's broad one, in the same colour."""
    labels = optimizers(runs)
    ours = np.flatnonzero(runs.optax_run.values >= 0)
    pairs = zip(runs.optimizer.values[ours], runs.optimizer.values[runs.optax_run.values[ours]], strict=True)
    twin_of = {theirs: label for label, theirs in dict.fromkeys(pairs)}
    own = [label for label in labels if label not in twin_of]
    colors = {label: COLORS[i % len(COLORS)] for i, label in enumerate(own)}
    dashes = {label: DASHES[i // len(COLORS) % len(DASHES)] for i, label in enumerate(own)}
    looks: dict[str, dict[str, Any]] = {
        label: {"color": colors[label], "lw": 1.6, "ls": dashes[label]} for label in own
    }
    for label, ours in twin_of.items():
        looks[ours] |= {"lw": 4, "alpha": 0.4}
        looks[label] = {"color": colors[ours], "lw": 1.2, "ls": (0, (4, 2))}
    return {label: looks[label] for label in labels}


def caption(runs: xr.Dataset, label: str, chosen: xr.Dataset) -> str:
    """The optimizer's label with the chosen runs' values of all swept numbers: "adam, learning_rate 0.1"."""
    is_own = runs.optimizer.values == label
    swept = [name for name in runs.attrs["settings"] if len(np.unique(runs[name].values[is_own])) > 1]
    return ", ".join([label, *(f"{name} {float(chosen[name][0]):.7g}" for name in swept)])


def shown(values: xr.DataArray) -> xr.DataArray:
    """The values with NaN for those that cannot be drawn."""
    return values.where(abs(values) <= HIGHEST)


def legend(fig: Figure, ncols: int = 2):
    """Draw a legend below the axes; a label with dollar signs is text, not a formula."""
    drawn = fig.legend(loc="outside lower center", ncols=ncols, fontsize=8, frameon=False)
    for text in drawn.get_texts():
        text.set_parse_math(False)
