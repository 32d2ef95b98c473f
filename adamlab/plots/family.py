"""The family of optimizers: who becomes whom, and under what condition."""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from adamlab.plots.layers import Key, Layers, layered
from adamlab.plots.style import COLORS, NothingToDrawError

BLUE, VERMILION, *_, BLACK = COLORS

LOOKS: dict[str, tuple[str, Any, str]] = {
    "exact": (BLUE, "-", "is, step by step"),
    "limit": (BLUE, (0, (5, 2.5)), "goes to, in a limit"),
    "refuted": (VERMILION, "-", "≠  is not"),
    "unknown": ("0.5", ":", "?  undecided"),
}
"""How an edge is drawn, and what that says."""

BOX, LABEL = 10.5, 8.0
"""Sizes of letters."""

BOX_HEIGHT, LABEL_HEIGHT, DISTANCE, MARGIN, PADDING = 0.36, 0.34, 0.30, 0.30, 0.13
"""In inches: of rows with boxes and with labels, between rows, around the picture, and within boxes."""


def family(relations: Iterable[Mapping[str, Any]]) -> Figure:
    """A graph of optimizers, each above what it becomes; where there are several conditions, an edge for each.

    Args:
        relations: rows as `adamlab.relations.verdict_rows` gives them, of which are used `general` and `special`, the
            names of the two optimizers, `condition`, `status`, and `limit`, which is empty for what holds step by step.
            Rows without a name are left out.

    Raises:
        NothingToDrawError: no row has names.
    """
    rows = [row for row in relations if row["general"]]
    if not rows:
        raise NothingToDrawError("relations: none of them is about one optimizer that becomes another.")
    captions = [_caption(row) for row in rows]
    names = list(dict.fromkeys(name for row in rows for name in (row["general"], row["special"])))
    widths = dict(zip(names, _widths(names, BOX), strict=True))
    boxes = {name: width + 2 * PADDING for name, width in widths.items()}
    places = layered([(row["general"], row["special"]) for row in rows], _widths(captions, LABEL), boxes)
    made, axes = _sheet(places, boxes)
    middles, ends = _middles(places), _ends(places, boxes)
    for row, caption, chain, label, xs in zip(rows, captions, places.chains, places.labels, ends, strict=True):
        color, dashes, _ = LOOKS[_kind(row)]
        line = {"color": color, "ls": dashes, "lw": 1.3, "arrowstyle": "-|>", "mutation_scale": 11}
        axes.add_patch(FancyArrowPatch(path=_way(chain, xs, places, middles), **line))
        _write(axes, places.x[label], middles[places.row_of[label]], caption, color)
    for name, width in boxes.items():
        _box(axes, places.x[name], middles[places.row_of[name]], name, width)
    _legend(made, {_kind(row) for row in rows})
    return made


def _kind(row: Mapping[str, Any]) -> str:
    if row["status"] != "proved":
        return row["status"]
    return "limit" if row["limit"] else "exact"


def _caption(row: Mapping[str, Any]) -> str:
    """The condition, in lines of a part each where it has parts."""
    mark = {"refuted": "≠  ", "unknown": "?  "}.get(_kind(row), "")
    return mark + row["condition"].replace(", ", ",\n")


def _widths(texts: list[str], size: float) -> list[float]:
    """How broad texts are, in inches."""
    scratch = Figure(dpi=72)
    renderer = FigureCanvasAgg(scratch).get_renderer()
    drawn = [scratch.text(0, 0, text, fontsize=size, parse_math=False) for text in texts]
    return [text.get_window_extent(renderer).width / 72 for text in drawn]


def _middles(places: Layers) -> list[float]:
    """The height of each row's middle above the bottom."""
    found, bottom = [], MARGIN
    for r in range(len(places.rows)):
        height = _height(r)
        found.append(bottom + height / 2)
        bottom += height + DISTANCE
    return found


def _height(row: int) -> float:
    return LABEL_HEIGHT if row % 2 else BOX_HEIGHT


def _sheet(places: Layers, boxes: Mapping[str, float]) -> tuple[Figure, Axes]:
    """A figure just large enough, whose axes measure inches."""
    width = max(x + boxes.get(str(place), 0.6) / 2 for place, x in places.x.items()) + MARGIN
    height = _middles(places)[-1] + BOX_HEIGHT / 2 + MARGIN + 0.35
    made = Figure(figsize=(width + MARGIN, height), dpi=120)
    axes = made.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-MARGIN, width), ylim=(0, height))
    axes.set_axis_off()
    return made, axes


def _ends(places: Layers, boxes: Mapping[str, float]) -> list[tuple[float, float]]:
    """Where each edge leaves its upper box and reaches its lower one, side by side in the order in which they come."""
    found = [[0.0, 0.0] for _ in places.chains]
    for name, width in boxes.items():
        for end, beside in ((0, 1), (-1, -2)):
            mine = [k for k, chain in enumerate(places.chains) if chain[end] == name]
            mine.sort(key=lambda k, beside=beside: places.x[places.chains[k][beside]])
            for i, k in enumerate(mine):
                found[k][end] = places.x[name] + 0.7 * width * ((i + 0.5) / len(mine) - 0.5)
    return [(start, stop) for start, stop in found]


def _way(chain: list[Key], ends: tuple[float, float], places: Layers, middles: list[float]) -> Path:
    """Straight down through every row, and in a soft turn from row to row."""
    start, stop = ends
    xs = [start, *(places.x[place] for place in chain[1:-1]), stop]
    rows = [places.row_of[place] for place in chain]
    points, codes = [(start, middles[rows[0]] - _height(rows[0]) / 2)], [Path.MOVETO]
    for x, row in zip(xs[1:], rows[1:], strict=True):
        (before, level), top = points[-1], middles[row] + _height(row) / 2
        points += [(before, (level + top) / 2), (x, (level + top) / 2), (x, top), (x, top - _height(row))]
        codes += [Path.CURVE4] * 3 + [Path.LINETO]
    return Path(points[:-1], codes[:-1])  # the last row is the lower box itself


def _write(axes: Axes, x: float, y: float, text: str, color: str):
    axes.text(
        x,
        y,
        text,
        fontsize=LABEL,
        color=color,
        ha="center",
        va="center",
        parse_math=False,
        zorder=3,
        linespacing=1.0,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
    )


def _box(axes: Axes, x: float, y: float, name: str, width: float):
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2 + 0.06, y - BOX_HEIGHT / 2 + 0.06),
            width - 0.12,
            BOX_HEIGHT - 0.12,
            boxstyle="round,pad=0.06,rounding_size=0.09",
            facecolor="0.94",
            edgecolor=BLACK,
            lw=1.0,
            zorder=4,
        )
    )
    axes.text(x, y, name, fontsize=BOX, ha="center", va="center", parse_math=False, zorder=5)


def _legend(made: Figure, kinds: set[str]):
    lines = [Line2D([], [], color=c, ls=d, lw=1.3, label=says) for kind, (c, d, says) in LOOKS.items() if kind in kinds]
    made.legend(handles=lines, loc="upper right", ncols=len(lines), fontsize=LABEL + 1, frameon=False)
