"""Lines with bands: logarithmic axes with a place for zero, few points, and labels at the lines' ends."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from adamlab.plots.words import power, width

HIGHEST = 1e30
"""The highest value that is drawn: a run beyond it does not recover, and Matplotlib cannot scale axes to it."""

MOST_POINTS = 1000
"""About how many pixels a picture is wide; a line keeps the least and the greatest value in each."""

MOST_AT_ENDS, WIDEST_AT_END, SIZE = 8, 2.6, 8.0
"""The most labels at the ends of lines, the width of the widest in inches, and the size of their letters in points."""

SAME = 0.004
"""The distance, as a share of the axes' height, below which a line hides another."""


@dataclass(frozen=True)
class Scale:
    """The scale of an axis of values.

    Attributes:
        floor: the place of zeros on a logarithmic axis, the least positive value; None on a plain axis.
    """

    floor: float | None

    @classmethod
    def of(cls, *values: Any) -> "Scale":
        """The scale: logarithmic where no value is negative and the greatest is many times the least positive one."""
        flat = np.concatenate([np.ravel(np.asarray(each, float)) for each in values] or [np.zeros(0)])
        finite = flat[np.abs(flat) <= HIGHEST]
        positive = finite[finite > 0]
        is_log = positive.size and finite.min() >= 0 and positive.max() > 20 * positive.min()
        return cls(float(positive.min()) if is_log else None)

    def raised(self, values: np.ndarray) -> np.ndarray:
        """The values with zeros, and the ends of bands below them, at the floor."""
        return values if self.floor is None else np.where(values < self.floor, self.floor, values)

    def draw(self, axes: Axes, x: np.ndarray, y: np.ndarray, look: Mapping[str, Any], label: str) -> Line2D:
        """Draw a line, with an open marker at the floor where it is zero: at single points, or where zeros begin."""
        x, y = np.asarray(x), np.where(np.abs(y) <= HIGHEST, y, np.nan)
        kept = thinned(y)
        (line,) = axes.plot(x[kept], self.raised(y[kept]), **look, label=label)
        zeros = np.flatnonzero((y == 0) & (np.append(1, y[:-1]) != 0 if "marker" not in look else True))
        if self.floor is not None and zeros.size:
            at = np.full(zeros.size, self.floor)
            axes.plot(x[zeros], at, "o", mfc="white", mec=line.get_color(), ms=5.5, zorder=4, clip_on=False)
        return line

    def fill(self, axes: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray, color: Any) -> None:
        """Draw a band; it ends at the floor."""
        low, high = (np.where(np.abs(end) <= HIGHEST, end, np.nan) for end in (low, high))
        kept = np.union1d(thinned(low), thinned(high))
        ends = self.raised(low[kept]), self.raised(high[kept])
        axes.fill_between(np.asarray(x)[kept], ends[0], ends[1], alpha=0.15, lw=0, color=color)

    def apply(self, axes: Axes, highest: float) -> None:
        """Set the y axis to the scale; with a note where zeros are, if any are drawn."""
        if self.floor is None:
            return
        log_axis(axes, "y", self.floor, highest)
        if any(line.get_markerfacecolor() == "white" for line in axes.get_lines()):
            note = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "bottom", "ha": "right"}
            axes.annotate("○ is 0", (1, self.floor), (0, 4), fontsize=SIZE, color="0.3", **note)


def log_axis(axes: Axes, which: str, low: float, high: float) -> None:
    """Make an axis logarithmic, with its ticks in plain letters, which are set in a fraction of a formula's time."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    decades = np.log10(high / low)
    axis.set_major_locator(LogLocator(numticks=9))
    axis.set_major_formatter(FuncFormatter(_tick))
    if decades < 3:
        axis.set_minor_locator(LogLocator(subs=(2, 5) if decades > 1 else (2, 3, 5, 7)))
        axis.set_minor_formatter(FuncFormatter(_tick) if decades < 2 else NullFormatter())
        axis.set_tick_params(which="minor", labelsize=SIZE)
    else:
        axis.set_minor_locator(NullLocator())


def _tick(value: float, _: Any = None) -> str:
    exponent = round(np.log10(value)) if value > 0 else 0
    whole = value > 0 and np.isclose(value, 10.0**exponent, atol=0)
    return power(exponent) if whole and abs(exponent) > 3 else f"{value:g}"


def thinned(values: np.ndarray) -> np.ndarray:
    """The numbers of the points that a line keeps: the least, the greatest and a NaN of each pixel, and the ends."""
    count = len(values)
    if count <= 2 * MOST_POINTS:
        return np.arange(count)
    kept = [0, count - 1]
    for part in np.array_split(np.arange(count), MOST_POINTS):
        finite = part[np.isfinite(values[part])]
        if finite.size:
            kept += [finite[values[finite].argmin()], finite[values[finite].argmax()]]
        if finite.size < part.size:
            kept.append(part[~np.isfinite(values[part])][0])
    return np.unique(kept)


def heights(axes: Axes, line: Line2D) -> np.ndarray:
    """The heights of a line's points as shares of the axes' height, NaN where it has none."""
    y = np.asarray(line.get_ydata(), float)
    points = np.stack([np.full(len(y), axes.get_xlim()[0]), y], axis=1)
    return (axes.transScale + axes.transLimits).transform(points)[:, 1]


def hidden(axes: Axes, lines: Sequence[Line2D]) -> dict[int, int]:
    """The lines that another one, drawn later, hides from end to end: the number of either."""
    drawn = [heights(axes, line) for line in lines]
    under = {}
    for i, below in enumerate(drawn):
        for j in range(i + 1, len(drawn)):
            same_x = np.array_equal(lines[i].get_xdata(), lines[j].get_xdata())
            if same_x and np.isfinite(below).any():
                apart = np.abs(np.where(np.isnan(below) & np.isnan(drawn[j]), 0, below - drawn[j]))
                if apart.max() < SAME:
                    under[i] = j
    return under


def label_ends(axes: Axes, lines: Sequence[Line2D]) -> bool:
    """Write the labels beside the right ends of their lines, if there are few and they are short.

    Returns:
        Whether they were written. Labels are moved apart as little as it takes, each with a thin line to its own end.
    """
    labels = [str(line.get_label()) for line in lines]
    right = max((float(np.max(line.get_xdata())) for line in lines), default=0.0)
    ends = [_end(line) for line in lines]
    room = max((width(label, SIZE) for label in labels), default=0.0)
    if not 0 < len(lines) <= MOST_AT_ENDS or room > WIDEST_AT_END or any(x < right for x, _ in ends):
        return False
    fig = axes.get_figure(root=True)
    assert fig is not None
    fig.set_size_inches(fig.get_figwidth() + 0.6 * room, fig.get_figheight())
    axes.margins(x=0.02)
    axes.autoscale_view()
    at = (axes.transScale + axes.transLimits).transform(np.array(ends))
    least = 1.35 * SIZE / 72 / (0.8 * fig.get_figheight())
    places = [*_apart(at[:, 1], least)]
    leaders = [[at[i], (1.02, height)] for i, height in places]
    look = {"colors": [lines[i].get_color() for i, _ in places], "linewidths": 0.8, "clip_on": False}
    axes.add_artist(LineCollection(leaders, transform=axes.transAxes, **look))
    for i, height in places:
        axes.text(1.03, height, labels[i], fontsize=SIZE, va="center", transform=axes.transAxes, parse_math=False)
    return True


def _apart(heights: np.ndarray, least: float) -> Iterator[tuple[int, float]]:
    """The numbers of heights from the lowest on, each with the height where its label stands so far from the others."""
    order = np.argsort(heights, kind="stable")
    places = heights[order]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + least)
    places[-1] = min(places[-1], 1.0)
    for i in range(len(places) - 2, -1, -1):
        places[i] = min(places[i], places[i + 1] - least)
    yield from zip(order.tolist(), places.tolist(), strict=True)


def _end(line: Line2D) -> tuple[float, float]:
    """The last point of a line that has a height."""
    x, y = (np.asarray(values, float) for values in (line.get_xdata(), line.get_ydata()))
    finite = np.flatnonzero(np.isfinite(y))
    return (float(x[finite[-1]]), float(y[finite[-1]])) if finite.size else (-np.inf, 0.0)
