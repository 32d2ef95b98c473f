"""The picture of a function shows its values at round levels, its minima and the starts of runs, where they are."""

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from matplotlib.contour import ContourSet

import adamlab as al
from adamlab.plots import NothingToDrawError
from adamlab.plots.files import draw
from adamlab.plots.landscapes import MOST_LEVELS, round_levels
from adamlab.problems import get
from adamlab.problems.landscapes import landscape
from tests.plots.written import unwritten
from tests.problems.test_landscapes import DRAWN

pytestmark = pytest.mark.optimized(False)

PLANE = [name for name in DRAWN if len(get(name).domain) == 2]

grid = cache(landscape)
"""Each landscape is computed once in float32."""


@pytest.fixture(scope="module")
def tree():
    return al.run(
        {
            "name": "starts",
            "steps": 2,
            "seeds": 3,
            "problem": [{"name": "beale"}, {"name": "reddi"}, {"name": "quadratic", "dim": 3}],
            "optimizer": [{"name": "adamlab.sgd", "learning_rate": [0.001, 0.0001]}],
        }
    )


def marks(figure) -> dict[str, Any]:
    """What is marked, by its label in the legend."""
    lines = {str(line.get_label()): line for line in figure.axes[0].get_lines()}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [n for n in lines if not n.startswith("_")]
    return {name: line.get_xydata().tolist() for name, line in lines.items() if not name.startswith("_")}


def contours(figure) -> tuple[ContourSet, ContourSet]:
    """The filled contours and their lines."""
    lines, filled = [drawn for drawn in figure.axes[0].collections if isinstance(drawn, ContourSet)]
    assert (lines.filled, filled.filled) == (False, True)
    return filled, lines


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize("name", PLANE)
def test_contours_fill_the_domain_and_follow_the_function(name):
    data, problem = grid(name), get(name)
    figure = al.plots.landscape(data)
    filled, lines = contours(figure)
    axes, bar = figure.axes
    np.testing.assert_allclose([axes.get_xlim(), axes.get_ylim()], problem.domain, rtol=1e-6)
    assert filled.extend == "both"
    np.testing.assert_array_equal(filled.levels, lines.levels)
    assert 8 <= len(list(filled.levels)) <= MOST_LEVELS
    assert [float(text.get_text().replace("−", "-")) for text in bar.get_yticklabels()] == pytest.approx(filled.levels)
    assert marks(figure)["minimum"] == pytest.approx(np.array(problem.minima))
    assert unwritten(figure) == []


def test_lines_are_where_the_function_has_their_value(x64):
    _, lines = contours(al.plots.landscape(landscape("himmelblau")))
    objective = get("himmelblau").objective
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        values = [float(objective(jnp.array(point))) for point in np.asarray(path.vertices)[::40]]
        # A line is interpolated between points 1/30 apart, and the curvature is at most 12·5² − 42 < 300 in either
        # direction: off by at most ⅛·300·(1/30)² each, twice.
        assert np.abs(np.array(values) - level).max() < 2 * 300 / 8 / 30**2


def test_a_line_shows_a_function_of_one_parameter(x64):
    data = landscape("rastrigin", dim=1)
    figure = al.plots.landscape(data)
    line, _ = figure.axes[0].get_lines()
    np.testing.assert_array_equal(line.get_xydata(), np.stack([data.x, data.landscape], axis=1))
    assert marks(figure) == {"minimum": [pytest.approx([0.0, 0.0], abs=1e-12)]}
    assert figure.axes[0].get_ylabel() == "loss"


def test_runs_show_the_start_of_each_seed(tree):
    beale = tree["beale"].to_dataset()
    shown = marks(al.plots.landscape(beale))
    assert list(shown) == ["start", "minimum"]
    starts = beale.params.values[:3, 0]
    assert sorted(shown["start"]) == sorted(starts.tolist())
    reddi = tree["reddi"].to_dataset()
    shown = np.array(marks(al.plots.landscape(reddi))["start"])
    np.testing.assert_array_equal(shown[:, 0], np.unique(reddi.params.values[:3, 0, 0]))
    np.testing.assert_allclose(shown[:, 1], shown[:, 0] / 3, rtol=1e-6)  # the mean slope is (3 − 2)/3


def test_a_line_marks_what_is_at_and_beyond_its_ends(tree):
    """The value at a minimum outside is not known, and at a start it is the recorded loss."""
    reddi = tree["reddi"].to_dataset()
    assert marks(al.plots.landscape(reddi))["minimum"] == [pytest.approx([-1.0, -1 / 3])]
    outside = reddi.assign(minima=(("minimum", "dim"), [[-2.0]]), params=reddi.params + 5, loss=reddi.loss + 7)
    shown = marks(al.plots.landscape(outside))
    assert np.isnan(shown["minimum"][0][1])
    starts = np.unique(reddi.params.values[:3, 0, 0])
    np.testing.assert_allclose(shown["start"], np.stack([starts + 5, starts / 3 + 7], axis=1), rtol=1e-6)


def test_a_minimum_at_the_end_is_marked_whatever_its_rounding():
    data = landscape("rastrigin", dim=1)  # float32(−5.12) is not −5.12
    ended = data.assign(minima=(("minimum", "dim"), [[-5.12]]))
    assert marks(al.plots.landscape(ended))["minimum"][0][1] == float(data.landscape[0])


def test_runs_without_recorded_parameters_show_no_start(tree):
    assert list(marks(al.plots.landscape(tree["beale"].to_dataset().drop_vars("params")))) == ["minimum"]


def test_the_picture_reaches_to_what_is_outside_the_domain(tree):
    beale = tree["beale"].to_dataset()
    far = beale.assign(params=beale.params + xr.DataArray([10.0, 0.0], dims="dim"))
    axes, _ = al.plots.landscape(far).axes
    assert axes.get_xlim() == (-4.5, float(far.params[:, 0, 0].max()))
    assert axes.get_ylim() == (-4.5, 4.5)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.linspace(0, 10, 1000), np.arange(0.5, 10, 0.5)),
        (10.0 ** np.linspace(-2, 2, 1000), [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]),
        (np.full(9, 3.0), None),
        (np.zeros(9), None),
        (np.array([1.0, 1.0 + 1e-15]), None),
        (np.array([0.0] * 99 + [1.0]), None),
        (np.array([-1e30, 1e-30, 1e30]), None),
        (10.0 ** np.linspace(-300, 300, 1000), None),
    ],
)
def test_levels_are_round_and_rise(values, expected):
    levels = round_levels(values)
    assert 2 <= len(levels) <= MOST_LEVELS
    assert (np.diff(levels) > 0).all()
    if expected is not None:
        np.testing.assert_allclose(levels, expected)


def test_levels_are_close_where_most_values_are():
    values = np.linspace(0, 1, 1000) ** 3 - 0.5
    steps = np.diff(round_levels(values))
    assert steps[0] < steps[-1] / 3


@pytest.mark.parametrize("constant", [0.0, -2.5, 1e6])
def test_a_constant_function_is_drawn(constant):
    data = grid("beale")
    figure = al.plots.landscape(data.assign(landscape=data.landscape * 0 + constant))
    filled, lines = contours(figure)
    levels = np.asarray(filled.levels)
    assert levels[0] < constant < levels[-1]
    (area,) = [path.get_extents() for path in filled.get_paths() if np.size(path.vertices)]  # all is of one colour
    np.testing.assert_allclose([area.intervalx, area.intervaly], get("beale").domain, rtol=1e-6)
    assert not any(np.size(path.vertices) for path in lines.get_paths())
    assert unwritten(figure) == []


def test_where_the_function_is_not_finite_nothing_is_drawn():
    data = grid("beale")
    holed = data.assign(landscape=data.landscape.where(data.x > 0.01, np.nan).where(data.y < 4, np.inf))
    filled, _ = contours(al.plots.landscape(holed))
    reached = np.concatenate([np.asarray(path.vertices).reshape(-1, 2) for path in filled.get_paths()])
    assert reached.min(axis=0) == pytest.approx([0.03, -4.5], abs=1e-3)
    assert reached.max(axis=0) == pytest.approx([4.5, 3.99], abs=1e-3)


def test_what_cannot_be_drawn_is_told(tree):
    with pytest.raises(NothingToDrawError, match=r"^quadratic: a function is drawn over one or two parameters"):
        al.plots.landscape(tree["quadratic"].to_dataset())
    data = grid("beale")
    with pytest.raises(NothingToDrawError, match=r"^beale: the function is not finite anywhere"):
        al.plots.landscape(data.assign(landscape=data.landscape * np.nan))
    with pytest.raises(NothingToDrawError, match="a problem of two parameters"):
        al.plots.trajectories(tree["reddi"].to_dataset())


def test_trajectories_are_drawn_where_the_function_is_not_finite(tree):
    runs = tree["beale"].to_dataset()
    (axes,) = al.plots.trajectories(runs.assign(landscape=runs.landscape * np.nan)).axes
    assert not axes.collections


def test_files_are_the_same_each_time(tree, tmp_path):
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for file in (first, second):
        draw(tree, "beale", "landscape", [file])
    assert first.read_bytes() == second.read_bytes()


def test_every_landscape_has_a_picture():
    assert {"beale", "reddi"} <= {*DRAWN}
    others = [name for name in DRAWN if name not in PLANE]  # those of the plane are drawn above
    assert {name: unwritten(al.plots.landscape(grid(name))) for name in others} == {name: [] for name in others}
