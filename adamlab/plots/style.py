"""The common style of all pictures: the figure, colours that colour-blind readers can tell apart, names, legends."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adamlab.analysis import optimizers
from adamlab.errors import InputError
from adamlab.plots.fonts import add_families
from adamlab.plots.lines import HIGHEST, label_ends
from adamlab.plots.picture import Picture
from adamlab.plots.words import letter, number, shortened, width

# Okabe & Ito 2008, without the yellow, which is too pale on white paper.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


DASHES = ("-", ":", "-.", (0, (9, 3)), (0, (9, 2, 1, 2, 1, 2)), (0, (1, 4)))


MOST_LACKING = 12
"""The most signs that are told to have no font."""

SIZE, HANDLE, ROW = 8.0, 0.45, 0.165
"""Of a legend: the size of its letters in points; the width of a line with its gaps, and a row's height, in inches."""


class NothingToDrawError(InputError):
    """Raised where a dataset lacks the quantities that a picture shows."""


def figure(
    runs: xr.Dataset, title: str, *, width: float = 7.0, height: float = 4.6, ax: Axes | None = None
) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes, or the axes that were given; headed by the problem's name."""
    size = 9.0 if ax else 11.0
    if ax is None:
        ax = Picture(figsize=(width, height), layout="constrained", dpi=120).add_subplot()
    fig = figure_of(ax)
    head(ax, f"{runs.attrs['problem']}: {title}", size)
    return fig, ax


def figure_of(ax: Axes) -> Figure:
    """The figure that axes are in."""
    fig = ax.get_figure(root=True)
    assert fig is not None
    return fig


def panels(
    runs: xr.Dataset, title: str, heads: Sequence[str], x: str, share_y: bool = False, columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure under the problem's name of axes with heads of their own, which share the x axis and its label."""
    count = len(heads)
    columns = columns or min(count, 3 if count in (3, 5, 6) or count > 8 else 2)
    rows = -(-count // columns)
    fig = Picture(figsize=(min(3.8 * columns, 9.6), 0.5 + 2.5 * rows), layout="constrained", dpi=120)
    axes = fig.subplots(rows, columns, squeeze=False, sharex=True, sharey=share_y).ravel().tolist()
    fig.suptitle(f"{runs.attrs['problem']}: {title}", fontsize=11, parse_math=False)
    for i, place in enumerate(axes):
        if i >= count:
            place.set_visible(False)
        else:
            head(place, shortened(heads[i], fig.get_figwidth() / columns - 0.4, 9.0), 9.0)
        if i < count <= i + columns:
            place.tick_params(labelbottom=True)
            place.set_xlabel(x)
    return fig, axes[:count]


def in_place_of(ax: Axes, rows: int, columns: int, **how: Any) -> list[Axes]:
    """Axes in rows and columns that take the place of given ones, for pictures of several panels.

    Raises:
        InputError: the given ones are not in a grid.
    """
    place = ax.get_subplotspec()
    if place is None:
        raise InputError("ax: expected axes in a grid, as `Figure.subplots` makes them, since this picture has panels.")
    ratios = {name: how.pop(name) for name in ("width_ratios",) if name in how}
    ax.remove()
    return np.ravel(place.subgridspec(rows, columns, **ratios).subplots(squeeze=False, **how)).tolist()


def head(axes: Axes, title: str, size: float = 11.0) -> None:
    """Set the title of axes, and take away the frame that is above and beside nothing."""
    axes.set_title(title, fontsize=size, y=1.0, parse_math=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def describe(fig: Figure, sentence: str) -> None:
    """Give a figure the sentence that says what it shows; it is the caption in a report, and its alternative text.

    Texts in letters that the pictures' font lacks get another where there is any; else the sentence says so.
    """
    lacking = add_families(fig)
    note = f" Signs that no font here has are drawn as boxes: {', '.join(lacking[:MOST_LACKING])}." if lacking else ""
    fig.set_label(f"{sentence}{note}")


def twins(runs: xr.Dataset) -> dict[str, str]:
    """Of each optimizer of Optax's the label of adamlab's at the same settings, if it was run."""
    ours = np.flatnonzero(runs.optax_run.values >= 0)
    pairs = zip(runs.optimizer.values[ours], runs.optimizer.values[runs.optax_run.values[ours]], strict=True)
    return {str(theirs): str(label) for label, theirs in dict.fromkeys(pairs)}


def styles(runs: xr.Dataset) -> dict[str, dict[str, Any]]:
    """The style of each optimizer; Optax's twin is a thin dashed line over adamlab's broad one, in the same colour."""
    labels, twin_of = optimizers(runs), twins(runs)
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
    """The optimizer's label with the chosen runs' values of all swept numbers: "adam, η 0.1"."""
    is_own = runs.optimizer.values == label
    swept = [name for name in runs.attrs["settings"] if len(np.unique(runs[name].values[is_own])) > 1]
    return ", ".join([label, *(f"{letter(name)} {number(float(chosen[name][0]))}" for name in swept)])


def same_twins(runs: xr.Dataset, values: Mapping[str, np.ndarray]) -> list[str]:
    """The optimizers of Optax's whose values are those of their twins, to the eye."""
    pairs = [(theirs, ours) for theirs, ours in twins(runs).items() if theirs in values and ours in values]
    return [
        theirs
        for theirs, ours in pairs
        if values[theirs].shape == values[ours].shape
        and np.allclose(values[theirs], values[ours], rtol=1e-2, atol=0, equal_nan=True)
    ]


def name_twins(runs: xr.Dataset, names: Mapping[str, str], same: Iterable[str]) -> dict[str, str]:
    """The names by optimizer; those of Optax that coincide with their twins are named with them: "adamlab/optax.adam".

    Args:
        runs: the dataset of a problem.
        names: the name of each optimizer's line, which begins with the optimizer's label.
        same: the optimizers of Optax's whose lines coincide with their twins'.

    Returns:
        The names; those that are named with their twins begin with an underscore, which no legend shows.
    """
    named, twin_of = dict(names), twins(runs)
    for theirs in same:
        ours = twin_of[theirs]
        if names[ours].removeprefix(ours) == names[theirs].removeprefix(theirs):
            rest = names[ours].removeprefix("adamlab")
            together = f"adamlab/optax{rest}" if names[theirs] == f"optax{rest}" else f"{ours} and {names[theirs]}"
            named[ours], named[theirs] = together, f"_{names[theirs]}"
    return named


def shown(values: xr.DataArray) -> xr.DataArray:
    """The values with NaN for those that cannot be drawn."""
    return values.where(abs(values) <= HIGHEST)


def legend(fig: Figure, ncols: int = 2, ax: Axes | None = None, handles: Sequence[Artist] | None = None):
    """Draw a legend below the axes, or inside of those that were given, in as many columns as fit.

    Labels that are wider than the figure are shortened in the middle. A label with dollar signs is text, no formula.

    Args:
        fig: the figure.
        ncols: the most columns.
        ax: axes that were given for the picture.
        handles: what is named; by default all that has a label.
    """
    if handles is None:
        handles = [artist for axes in ([ax] if ax else fig.axes) for artist in axes.get_legend_handles_labels()[0]]
    labels = {str(handle.get_label()): handle for handle in reversed(handles)}
    labels = dict(reversed(labels.items()))
    if not labels:
        return
    room = fig.get_figwidth() - 0.3
    widths = [HANDLE + width(label, SIZE) for label in labels]
    fitting = [n for n in range(min(ncols, len(labels)), 1, -1) if _total(widths, n) <= room]
    columns = fitting[0] if fitting and ax is None else 1
    texts = [shortened(label, room - HANDLE, SIZE) for label in labels]
    look: dict[str, Any] = {"fontsize": SIZE, "frameon": False}
    rows = -(-len(labels) // columns)
    if ax is None:
        fig.set_size_inches(fig.get_figwidth(), fig.get_figheight() + ROW * max(0, rows - 3))
        drawn = fig.legend([*labels.values()], texts, loc="outside lower center", ncols=columns, **look)
    else:
        drawn = ax.legend(
            [*labels.values()], texts, loc="best", **look | {"fontsize": 7, "frameon": True}, edgecolor="none"
        )
    for text in drawn.get_texts():
        text.set_parse_math(False)


def name_lines(fig: Figure, ax: Axes | None, lines: Sequence[Line2D], others: Sequence[Artist] = ()) -> None:
    """Name the lines of a picture at their right ends where that fits, and all else in a legend."""
    named = named_of(lines)
    at_ends = ax is None and len(fig.axes) == 1 and label_ends(fig.axes[0], named)
    legend(fig, 3, ax, [*others] if at_ends else [*named, *others])


def named_of(lines: Iterable[Line2D]) -> list[Line2D]:
    """The lines that a legend shows."""
    return [line for line in lines if not str(line.get_label()).startswith("_")]


def _total(widths: Sequence[float], columns: int) -> float:
    """The width of a legend of so many columns, which are filled one after the other, the first ones longer."""
    return sum(max(column) + 0.15 for column in np.array_split(np.asarray(widths), columns))
