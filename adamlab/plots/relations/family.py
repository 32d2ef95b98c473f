"""The family graph of optimizers: edges from the general to the special optimizer, with the condition."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from adamlab.plots.picture import Picture
from adamlab.plots.relations.graph_layout import Key, Layers, layered
from adamlab.plots.style import COLORS, NothingToDrawError

BLUE, VERMILION, *_ = COLORS

DASHED = (0, (5, 2.5))
"""The dash pattern of limits: points drawn, points left out."""

LOOKS: dict[str, tuple[str, Any, str]] = {
    "exact": (BLUE, "-", "is, step by step"),
    "limit": (BLUE, DASHED, "goes to, in a limit"),
    "refuted": (VERMILION, "-", "≠  is not"),
    "unknown": ("0.5", ":", "?  undecided"),
}
"""The look of each kind of edge: colour, dashes, and the text of the legend."""

NAME, CONDITION, LINE, TIP = 10.5, 8.0, 1.3, 6.5
"""Sizes in points: letters of names, letters of conditions, lines, and their tips."""

BOX_HEIGHT, PADDING, DISTANCE, MARGIN, HEAD = 0.36, 0.13, 0.30, 0.30, 0.55
"""Sizes in inches: height and inner margin of boxes, distance between rows, outer margin, height of the heading."""

LEAST = 6.5
"""The least width of a picture in inches, so that its heading fits."""


@dataclass(frozen=True)
class _Plan:
    """The positions of everything in the picture, in inches from the lower left.

    Attributes:
        layers: the layered graph.
        boxes: the width of each box.
        heights: the height of each row.
        middles: the vertical middle of each row.
    """

    layers: Layers
    boxes: Mapping[str, float]
    heights: list[float]
    middles: list[float]

    def at(self, place: Key) -> tuple[float, float]:
        """The middle of a place."""
        return self.layers.x[place], self.middles[self.layers.row_of[place]]


def family(relations: Iterable[Mapping[str, Any]]) -> Figure:
    """A graph of optimizers, each above its special cases, with an edge for each condition.

    Args:
        relations: rows of `adamlab.relations.verdict_rows`. These of their columns are used: `general` and `special`,
            the names of the two optimizers; `condition`; `status`; `limit`, which is empty for a relation that holds
            step by step. Rows without names are left out.

    Raises:
        NothingToDrawError: no row has names.
    """
    rows = [row for row in relations if row["general"]]
    if not rows:
        raise NothingToDrawError("relations: none of them is about one optimizer that becomes another.")
    captions = [_caption(row) for row in rows]
    plan = _planned(rows, captions)
    fig, axes = _sheet(plan)
    for row, caption, label, chain, ends in zip(
        rows, captions, plan.layers.labels, plan.layers.chains, _ends(plan), strict=True
    ):
        _draw_arrow(axes, row, _path(chain, ends, plan), (ends[1], plan.at(row["special"])[1] + BOX_HEIGHT / 2))
        color, _, _ = LOOKS[_kind(row)]
        white = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        _write(axes, plan.at(label), caption, CONDITION, color=color, zorder=3, linespacing=1.0, bbox=white)
    for name in plan.boxes:
        _draw_box(axes, name, plan)
    _write_heading(fig, {_kind(row) for row in rows})
    return fig


def _kind(row: Mapping[str, Any]) -> str:
    if row["status"] != "proved":
        return row["status"]
    return "limit" if row["limit"] else "exact"


def _caption(row: Mapping[str, Any]) -> str:
    """The condition with its mark, a line for each part."""
    mark = {"refuted": "≠  ", "unknown": "?  "}.get(_kind(row), "")
    return mark + row["condition"].replace(", ", ",\n")


def _planned(rows: list[Mapping[str, Any]], captions: list[str]) -> _Plan:
    names = list(dict.fromkeys(name for row in rows for name in (row["general"], row["special"])))
    boxes = {name: width + 2 * PADDING for name, (width, _) in zip(names, _sizes(names, NAME), strict=True)}
    sizes = _sizes(captions, CONDITION)
    layers = layered([(row["general"], row["special"]) for row in rows], [width for width, _ in sizes], boxes)
    heights = [BOX_HEIGHT] * len(layers.rows)
    for r in range(1, len(heights), 2):
        texts = (height for label, (_, height) in zip(layers.labels, sizes, strict=True) if layers.row_of[label] == r)
        heights[r] = max(texts, default=0.0)
    bottoms = [MARGIN + sum(heights[:r]) + r * DISTANCE for r in range(len(heights))]
    return _Plan(layers, boxes, heights, [low + height / 2 for low, height in zip(bottoms, heights, strict=True)])


def _sizes(texts: list[str], size: float) -> list[tuple[float, float]]:
    """The width and height of each text, in inches."""
    scratch = Figure(dpi=72)
    renderer = FigureCanvasAgg(scratch).get_renderer()
    drawn = [scratch.text(0, 0, text, fontsize=size, linespacing=1.0, parse_math=False) for text in texts]
    extents = [text.get_window_extent(renderer) for text in drawn]
    return [(extent.width / 72, extent.height / 72) for extent in extents]


def _sheet(plan: _Plan) -> tuple[Figure, Axes]:
    """A figure just large enough for the plan, and its axes in inches."""
    right = max(plan.layers.x[place] + plan.boxes.get(str(place), 1.0) / 2 for place in plan.layers.x)
    width, height = max(right + 2 * MARGIN, LEAST), plan.middles[-1] + BOX_HEIGHT / 2 + MARGIN + HEAD
    fig = Picture(figsize=(width, height), dpi=120)
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-MARGIN, width - MARGIN), ylim=(0, height))
    axes.set_axis_off()
    return fig, axes


def _ends(plan: _Plan) -> list[tuple[float, float]]:
    """The x of each edge at its upper and its lower box; edges of a box are side by side in their neighbours' order."""
    chains, x = plan.layers.chains, plan.layers.x
    ends = [[0.0, 0.0] for _ in chains]
    for name, width in plan.boxes.items():
        for end, neighbour in ((0, 1), (-1, -2)):
            edges = [k for k, chain in enumerate(chains) if chain[end] == name]
            edges.sort(key=lambda k, neighbour=neighbour: x[chains[k][neighbour]])
            for i, k in enumerate(edges):
                ends[k][end] = x[name] + 0.7 * width * ((i + 0.5) / len(edges) - 0.5)
    return [(start, stop) for start, stop in ends]


def _path(chain: list[Key], ends: tuple[float, float], plan: _Plan) -> Path:
    """The path of an edge: straight down through every row, with a curve between two rows."""
    xs = [ends[0], *(plan.layers.x[place] for place in chain[1:-1]), ends[1]]
    rows = [plan.layers.row_of[place] for place in chain]
    points, codes = [(xs[0], plan.middles[rows[0]] - plan.heights[rows[0]] / 2)], [Path.MOVETO]
    for x, row in zip(xs[1:], rows[1:], strict=True):
        (before, level), top = points[-1], plan.middles[row] + plan.heights[row] / 2
        turn = (level + top) / 2
        points += [(before, turn), (x, turn), (x, top), (x, top - plan.heights[row])]
        codes += [Path.CURVE4] * 3 + [Path.LINETO]
    return Path(points[:-1], codes[:-1])  # the last row is the lower box itself


def _draw_arrow(axes: Axes, row: Mapping[str, Any], path: Path, tip: tuple[float, float]):
    color, dashes, _ = LOOKS[_kind(row)]
    axes.add_patch(PathPatch(path, fill=False, color=color, ls=DASHED if row["limit"] else dashes, lw=LINE))
    x, y = tip
    axes.plot(x, y + TIP / 144, "v", ms=TIP, mew=0, color=color, zorder=3)  # the tip ends at y


def _write(axes: Axes, at: tuple[float, float], text: str, size: float, **more: Any):
    axes.text(*at, text, fontsize=size, ha="center", va="center", parse_math=False, **more)


def _draw_box(axes: Axes, name: str, plan: _Plan):
    (x, y), width, corner = plan.at(name), plan.boxes[name], 0.09
    corners = (x - width / 2 + corner, y - BOX_HEIGHT / 2 + corner), width - 2 * corner, BOX_HEIGHT - 2 * corner
    look = {"boxstyle": f"round,pad={corner}", "facecolor": "0.94", "edgecolor": "black", "zorder": 4}
    axes.add_patch(FancyBboxPatch(*corners, **look))
    _write(axes, (x, y), name, NAME, zorder=5)


def _write_heading(fig: Figure, kinds: set[str]):
    width, height = fig.get_size_inches()
    left, top = MARGIN / width, 1 - 0.15 / height
    fig.text(left, top, "Each optimizer above what it becomes", fontsize=11, va="top")
    lines = [
        Line2D([], [], color=c, ls=d, lw=LINE, label=text) for kind, (c, d, text) in LOOKS.items() if kind in kinds
    ]
    legend = fig.legend(
        handles=lines,
        loc="upper left",
        bbox_to_anchor=(left, top - 0.22 / height),
        borderpad=0.0,
        borderaxespad=0.0,
        ncols=len(lines),
        fontsize=CONDITION + 1,
        frameon=False,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
