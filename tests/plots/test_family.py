"""The family's graph: what its rows say is in it, and nothing in it stands in another's way."""

from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.transforms import Bbox

from adamlab.plots.relations.family import family
from adamlab.plots.relations.graph_layout import layered
from adamlab.plots.style import NothingToDrawError
from adamlab.relations import RELATIONS
from tests.plots.written import svg

BLUE, VERMILION, GREY = "#0072b2", "#d55e00", "#808080"


def row(general: str, special: str, condition: str, status: str = "proved", limit: Any = None) -> dict[str, Any]:
    return {"general": general, "special": special, "condition": condition, "status": status, "limit": limit or {}}


SMALL = [
    row("Adam", "RMSProp", "β₁ = 0"),
    row("Adam", "Adagrad", "β₁ = 0, β₂ → 1", limit={"b2": "1"}),
    row("RMSProp", "Adagrad", "β₂ → 1", "refuted", {"b2": "1"}),
    row("RMSProp", "Adagrad", "β₂ = 1 − 1/t"),
    row("QHAdam", "NAdam", "ν₁ = $β₁$", "refuted"),
    row("Adam", "Lion", "never", "unknown"),
    row("", "", ""),
]
WHOLE = [
    row(r.general, r.special, r.condition, "proved" if r.holds else "refuted", r.limit) for r in RELATIONS.values()
]
ROWS = {"small": SMALL, "whole": WHOLE}


@cache
def drawn(which: str):
    """The figure's texts, boxes and arrows, with the renderer that measures them."""
    figure = family(ROWS[which])
    (axes,) = figure.axes
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    arrows = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
    return figure, renderer, axes.texts, boxes, arrows


def extents(artists, renderer) -> list[Bbox]:
    return [artist.get_window_extent(renderer) for artist in artists]


def points_along(arrow: PathPatch) -> np.ndarray:
    """Many points of an arrow's line, on the screen."""
    path = arrow.get_transform().transform_path(arrow.get_path())
    return np.concatenate([curve(np.linspace(0, 1, 50)) for curve, _ in _curves(path)])


def _curves(path: Any):
    return ((curve, code) for curve, code in path.iter_bezier() if len(curve.control_points) > 1)


def test_every_name_stands_once_and_every_condition_too():
    _, _, texts, boxes, arrows = drawn("small")
    shown = [text.get_text() for text in texts]
    assert sorted(shown) == sorted(
        [
            *("Adam", "RMSProp", "Adagrad", "QHAdam", "NAdam", "Lion"),
            *("β₁ = 0", "β₁ = 0,\nβ₂ → 1", "≠  β₂ → 1", "β₂ = 1 − 1/t", "≠  ν₁ = $β₁$", "?  never"),
        ]
    )
    assert (len(boxes), len(arrows)) == (6, 6)


def test_colours_say_what_is_proved_and_dashes_what_is_a_limit():
    _, _, _, _, arrows = drawn("small")
    looks = [(to_hex(arrow.get_edgecolor()), str(arrow.get_linestyle()) == "-") for arrow in arrows]
    assert looks == [(BLUE, True), (BLUE, False), (VERMILION, False), (BLUE, True), (VERMILION, True), (GREY, False)]


def test_the_legend_tells_the_looks_that_the_picture_has_and_no_others():
    def looks(artists, color_of: Any) -> set[tuple[str, bool]]:
        """Colours, and whether lines are dashed, which refuted ones are in a limit, and are no less refuted."""
        colors = [to_hex(color_of(artist)) for artist in artists]
        dashed = [str(artist.get_linestyle()) != "-" for artist in artists]
        return {(color, dash and color != VERMILION) for color, dash in zip(colors, dashed, strict=True)}

    for rows in (*([named] for named in SMALL if named["general"]), SMALL):
        figure = family(rows)
        arrows = [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]
        (legend,) = figure.legends
        told = legend.get_lines()
        assert looks(told, Line2D.get_color) == looks(arrows, PathPatch.get_edgecolor)
        assert len(told) == len(looks(told, Line2D.get_color))


@pytest.mark.parametrize("which", ROWS)
def test_boxes_and_labels_are_clear_of_each_other(which):
    figure, renderer, texts, boxes, _ = drawn(which)
    labels = texts[: len(texts) - len(boxes)]
    names = texts[len(labels) :]
    everything = extents([*labels, *boxes], renderer)
    for extent, other in combinations(everything, 2):
        assert not extent.overlaps(other)
    for name, box in zip(extents(names, renderer), extents(boxes, renderer), strict=True):
        assert box.x0 < name.x0 < name.x1 < box.x1
        assert box.y0 < name.y0 < name.y1 < box.y1
    heading = extents([*figure.texts, *figure.legends], renderer)
    assert not heading[0].overlaps(heading[1])
    for extent in everything:
        assert not any(extent.overlaps(other) for other in heading)
        assert figure.bbox.x0 < extent.x0 < extent.x1 < figure.bbox.x1
        assert figure.bbox.y0 < extent.y0 < extent.y1 < figure.bbox.y1


@pytest.mark.parametrize("which", ROWS)
def test_lines_run_through_their_own_label_and_through_nothing_else(which):
    _, renderer, texts, boxes, arrows = drawn(which)
    labels = extents(texts[: len(arrows)], renderer)
    for k, arrow in enumerate(arrows):
        line = points_along(arrow)
        meets = [i for i, label in enumerate(labels) if label.count_contains(line)]
        assert meets == [k], texts[k].get_text()
        for box in extents(boxes, renderer):
            within = Bbox.from_extents(box.x0 + 1, box.y0 + 1, box.x1 - 1, box.y1 - 1)
            assert not within.count_contains(line), texts[k].get_text()


@pytest.mark.parametrize("which", ROWS)
def test_arrows_lead_down_from_one_to_the_other(which):
    _, renderer, texts, boxes, arrows = drawn(which)
    named = [(r["general"], r["special"]) for r in ROWS[which] if r["general"]]
    extent = dict(zip([text.get_text() for text in texts[len(arrows) :]], extents(boxes, renderer), strict=True))
    for (general, special), arrow in zip(named, arrows, strict=True):
        line = points_along(arrow)
        (x0, y0), (x1, y1) = line[0], line[-1]
        upper, lower = extent[general], extent[special]
        assert upper.x0 < x0 < upper.x1
        assert lower.x0 < x1 < lower.x1
        assert y0 == pytest.approx(upper.y0, abs=3)
        assert y1 == pytest.approx(lower.y1, abs=3)
        assert upper.y0 > lower.y1


@pytest.mark.slow
def test_the_same_rows_make_the_same_picture():
    first, second = (svg(family(WHOLE)) for _ in range(2))
    assert first == second
    assert svg(family(SMALL)) != svg(family(SMALL[::-1]))


def test_rows_without_names_make_no_picture():
    with pytest.raises(NothingToDrawError, match="none of them is about one optimizer that becomes another"):
        family([row("", "", "")])


def test_a_circle_has_no_top():
    with pytest.raises(ValueError, match="go round in a circle"):
        layered([("a", "b"), ("b", "c"), ("c", "a")], [1.0, 1.0, 1.0], {"a": 1.0, "b": 1.0, "c": 1.0})


def test_boxes_stand_above_all_that_they_become():
    layers = layered([("a", "c"), ("a", "b"), ("b", "c")], [0.5] * 3, {"a": 1.0, "b": 1.0, "c": 1.0})
    assert [layers.row_of[name] for name in "abc"] == [4, 2, 0]
    assert {len(chain) for chain in layers.chains} == {5, 3}
    assert all(layers.row_of[label] % 2 for label in layers.labels)
