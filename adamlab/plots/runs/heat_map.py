"""The heat map of a score over two swept numbers."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure

from adamlab.analysis import optimizers, pair_scores
from adamlab.analysis.scores import criterion, sign
from adamlab.errors import InputError, cut
from adamlab.plots.picture import Picture
from adamlab.plots.runs.choice import missed
from adamlab.plots.style import COLORS, HIGHEST, NothingToDrawError, describe, figure_of
from adamlab.plots.words import letter, listing, number

FULL = 0.5
"""The least share of cells that have a setting, for cells to be drawn; of fewer each setting is a point."""

WORSE = 10.0
"""How many times what a quantity was at the start is the worst that has a colour of its own."""

LEAST = 1e-16
"""The least score that has a colour of its own, as a share of the greatest."""

MOST_TICKS = 12
"""The most values that all have a tick."""

EVEN = 0.05
"""How much distances or ratios may differ to be called equal, as a share."""

MOST_NUMBERS = 64
"""The most cells with their numbers written in."""


def heat_map(
    runs: xr.Dataset, x: str | None = None, y: str | None = None, by: str | None = None, ax: Axes | None = None
) -> Figure:
    """The score over two swept numbers, all others at their best: a panel for each optimizer that has both.

    A cell is the median over seeds. The best is ringed; where half of the runs or more diverged, or did not reach the
    target that they are compared by, the cell is hatched. Values in equal ratios stand on a logarithmic axis, in
    equal distances on a linear one, and others side by side. Settings of a random or Sobol design are points.

    Args:
        runs: the dataset of a problem.
        x: the number along the horizontal axis; by default the first that an optimizer has several values of.
        y: the number along the vertical axis; by default the next.
        by: the criterion, see `adamlab.analysis.score`; by default that of the best setting.
        ax: axes to draw the first panel on alone; by default those of a new figure.

    Raises:
        NothingToDrawError: no optimizer has several values of both numbers, or the results lack the criterion.
    """
    problem = runs.attrs["problem"]
    try:
        name = criterion(runs, by)
    except InputError as error:
        raise NothingToDrawError(f"{problem}: {error}") from error
    swept = {label: _swept(runs, label) for label in optimizers(runs)}
    pairs = {label: pair for label, own in swept.items() if (pair := _pair(own, x, y))}
    if not pairs:
        asked = " and ".join(f"of {each}" for each in (x, y) if each) or "of two numbers"
        known = ", ".join(dict.fromkeys(each for own in swept.values() for each in own)) or "none"
        raise NothingToDrawError(f"{problem}: no optimizer has several values {asked}; swept here: {known}.")
    pairs = dict([*pairs.items()][: 1 if ax else None])
    grids = {label: pair_scores(runs, label, *pair, by) for label, pair in pairs.items()}
    fig, panels = _panels(len(grids)) if ax is None else (figure_of(ax), [ax])
    norm, beyond = _norm(runs, name, np.concatenate([grid[name].values.ravel() for grid in grids.values()]))
    shades = colormaps["viridis_r"] if sign(name) < 0 else colormaps["viridis"]  # the better, the darker
    said, drawn, lost = [], None, f"half of the runs or more {missed(name)}"
    for axes, (label, grid) in zip(panels, grids.items(), strict=True):
        drawn, best = _draw(axes, grid, name, norm, shades)
        axes.set(**dict(zip(("xlabel", "ylabel"), map(letter, pairs[label]), strict=True)))
        axes.set_title(cut(label, 40), fontsize=10, parse_math=False)
        told = f"best at {best}" if best else f"{lost} everywhere"
        said.append(f"{label} over {' and '.join(map(letter, pairs[label]))}: {told}")
    words = name.replace("_", " ", 1)
    if drawn is not None:
        fig.colorbar(drawn, ax=panels, label=words, extend=beyond)
    if ax is None:
        fig.suptitle(f"{problem}: {words}, median over seeds; hatched or ×: {lost}", fontsize=11)
        describe(fig, f"{words} on {problem}, medians over seeds; {'; '.join(said)}.")
    return fig


def _swept(runs: xr.Dataset, label: str) -> list[str]:
    """The numbers that an optimizer has several values of; of a decay and its complement the latter."""
    mine = runs.optimizer.values == label
    names = [name for name in runs.attrs["settings"] if len(np.unique(runs[name].values[mine])) > 1]
    return [name for name in names if f"1-{name}" not in names]


def _pair(swept: list[str], x: str | None, y: str | None) -> tuple[str, str] | None:
    """The two numbers: those asked for, others the first of an optimizer's; None where it does not have them."""
    others = [name for name in swept if name not in (x, y)]
    pair = (x or next(iter(others), ""), y or next(iter(others[x is None :]), ""))
    return pair if {*pair} <= {*swept} and pair[0] != pair[1] else None


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(count, 3 if count != 4 else 2)
    rows = -(-count // columns)
    fig = Picture(figsize=(1.4 + 3.6 * columns, 0.8 + 3.3 * rows), layout="constrained", dpi=120)
    panels = list(np.ravel(fig.subplots(rows, columns, squeeze=False)))
    for unused in panels[count:]:
        unused.remove()
    return fig, panels[:count]


def _norm(runs: xr.Dataset, name: str, values: np.ndarray) -> tuple[Normalize, str]:
    """The scale of the colours, logarithmic over many decades, and at which ends values lie beyond it.

    Beyond lie zeros on a logarithmic scale, and what is far worse than it was at the start.
    """
    finite = values[np.abs(values) <= HIGHEST]
    if not finite.size:
        return Normalize(0, 1), "neither"
    low, high = finite.min(), finite.max()
    if sign(name) > 0 and name.partition("_")[2] in runs:
        start = float(runs[name.partition("_")[2]].isel(step=0).median())
        high = min(high, max(WORSE * start, low)) if start > 0 else high
    is_log = low >= 0 and high > 20 * np.min(finite[finite > 0], initial=np.inf)
    low = max(finite[finite > 0].min(), LEAST * high) if is_log else low
    ends = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    norm = LogNorm(low, high) if is_log else Normalize(low, high if high > low else low + 1.0)
    return norm, ends[bool(finite.min() < low), bool(finite.max() > high)]


def _draw(axes: Axes, grid: xr.Dataset, name: str, norm: Normalize, shades: Colormap) -> tuple[Any, str]:
    """Draw cells, or points where few cells have a setting; return what has the colours, and the best in words."""
    values = grid[name].values
    (xs, x_edges), (ys, y_edges) = (_place(axes, side, grid[side].values) for side in "xy")
    sound = np.abs(values) <= HIGHEST
    rows, columns = np.nonzero(sound)
    lost = np.nonzero(~sound & ~np.isnan(values))
    colors = np.clip(values, norm.vmin, norm.vmax)  # a zero has no place on a logarithmic scale
    is_full = np.mean(~np.isnan(values)) >= FULL
    if is_full:
        shown = axes.pcolormesh(x_edges, y_edges, np.ma.array(colors, mask=~sound), norm=norm, cmap=shades)
        hatched = np.ma.array(np.ones_like(values), mask=sound | np.isnan(values))
        axes.pcolor(x_edges, y_edges, hatched, cmap="Greys", vmin=0, vmax=5, hatch="////", edgecolor="0.45", lw=0)
        if values.size <= MOST_NUMBERS:
            for row, column in zip(rows, columns, strict=True):
                tone = _tone(shades(norm(colors[row, column])))
                text = {"ha": "center", "va": "center", "fontsize": 6.5, "color": tone, "zorder": 6}
                axes.text(xs[column], ys[row], f"{values[row, column]:.2g}", **text)
    else:
        look = {"norm": norm, "cmap": shades, "s": 40, "edgecolor": "0.3", "lw": 0.5, "clip_on": False}
        shown = axes.scatter(xs[columns], ys[rows], c=colors[sound], **look)
        axes.plot(xs[lost[1]], ys[lost[0]], "x", ms=6, color="0.45")
    if not rows.size:
        return shown, ""
    shown_values = [number(value) for value in values[sound]]
    least = int(np.argmin(sign(name) * values[sound]))
    best = [i for i, text in enumerate(shown_values) if text == shown_values[least]]
    size = 24 if is_full else 12
    for color, width in (("white", 4), (COLORS[1], 2)):
        axes.plot(
            xs[columns[best]], ys[rows[best]], "o", ms=size, mfc="none", mec=color, mew=width, zorder=5, clip_on=False
        )
    at = [f"({number(grid.x.values[columns[i]])}, {number(grid.y.values[rows[i]])})" for i in best]
    return shown, f"{listing(at)} with {shown_values[least]}"


def _tone(color: tuple[float, float, float, float]) -> str:
    """Black or white, whichever can be read on a colour."""
    return "black" if np.dot(color[:3], (0.299, 0.587, 0.114)) > 0.5 else "white"


def _place(axes: Axes, side: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where values stand on an axis, and the edges of their cells; sets the axis' scale, limits and ticks."""
    gaps, few = np.diff(values), len(values) <= MOST_TICKS
    ratios = np.diff(np.log(values)) if values.min() > 0 else np.zeros(1)
    in_ratios = values.min() > 0 and np.ptp(ratios) < EVEN * ratios.mean() and values.max() > 3 * values.min()
    is_log = in_ratios or (not few and values.min() > 0 and values.max() > 20 * values.min())
    is_linear = np.ptp(gaps) < EVEN * gaps.mean() or not few
    places = values if is_log or is_linear else np.arange(len(values), dtype=float)
    edges = np.exp(_edges(np.log(places))) if is_log else _edges(places)
    axes.set(**{f"{side}scale": "log" if is_log else "linear", f"{side}lim": (edges[0], edges[-1])})
    if few:
        axis = axes.xaxis if side == "x" else axes.yaxis
        axis.set_ticks(places, [number(value) for value in values], fontsize=7)
        axis.set_ticks([], minor=True)
    return places, edges


def _edges(places: np.ndarray) -> np.ndarray:
    """The middles between places, and as far beyond the ends."""
    middles = (places[:-1] + places[1:]) / 2
    return np.concatenate([[2 * places[0] - middles[0]], middles, [2 * places[-1] - middles[-1]]])
