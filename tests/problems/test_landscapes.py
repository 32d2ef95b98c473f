"""Landscapes are the objective, point by point, over the domain."""

import subprocess
import sys
from functools import cache, partial

import chex
import jax
import numpy as np
import pytest
import xarray as xr

import adamlab as al
from adamlab.errors import InputError
from adamlab.problems import PROBLEMS, get
from adamlab.problems.functions import problem_of
from adamlab.problems.landscapes import GRID, landscape
from tests.programs import in_one_program

HOMES = {f"adamlab.problems.{module}" for module in ("valleys", "quadratics", "many_minima", "online")}
DRAWN = [name for name, make in PROBLEMS.items() if make.__module__ in HOMES]  # the others may need data


@cache
def landscapes() -> dict[str, xr.Dataset]:
    """The landscapes of all problems in float64."""
    with jax.enable_x64(True):
        return {name: landscape(name) for name in DRAWN}


def test_every_value_is_the_objective_at_its_point(x64, rng):
    indices = {name: rng.integers(GRID, size=(20, len(get(name).domain))) for name in DRAWN}
    points, values = {}, {}
    for name, data in landscapes().items():
        for bounds, axis in zip(get(name).domain, "xy", strict=False):
            np.testing.assert_allclose(data[axis], np.linspace(*bounds, GRID), rtol=1e-12, atol=1e-12)
        axes = [data[axis].values for axis in "xy"[: len(get(name).domain)]]
        points[name] = [np.stack([axis[i] for axis, i in zip(axes, indices[name].T, strict=True)], axis=1)]
        values[name] = data.landscape.values[tuple(indices[name].T[::-1])]
    objectives = {name: partial(jax.lax.map, get(name).objective) for name in DRAWN}
    # Side by side the same sum may be contracted: some ulps of the largest term, which is 2e5 at most.
    chex.assert_trees_all_close(values, in_one_program(objectives)(points), rtol=1e-13, atol=1e-10)


def test_minima_are_the_problems_and_nothing_is_lower():
    for name, data in landscapes().items():
        problem = get(name)
        np.testing.assert_array_equal(data.minima, problem.minima)
        assert data.minima.dims == ("minimum", "dim")
        assert problem.minimum is not None
        assert float(data.landscape.min()) >= problem.minimum - 1e-12, name


def test_rows_are_y_and_columns_x(x64):
    plane = landscape(problem_of("slope", lambda w: w[0] + 100 * w[1], [0.0, 0.0], domain=[(0.0, 1.0), (0.0, 2.0)]))
    assert plane.landscape.dims == ("y", "x")
    np.testing.assert_allclose(plane.landscape.values[:, 0], np.linspace(0, 200, GRID), atol=1e-12)
    np.testing.assert_allclose(plane.landscape.values[0], np.linspace(0, 1, GRID), atol=1e-12)
    assert plane.minima.shape == (0, 2)
    line = landscape(problem_of("line", lambda w: w[0] ** 2, [0.0], domain=[(-1.0, 1.0)], minima=[[0.0]]))
    assert line.landscape.dims == ("x",)
    np.testing.assert_allclose(line.landscape, np.linspace(-1, 1, GRID) ** 2, atol=1e-12)
    assert line.minima.values.tolist() == [[0.0]]


def test_options_are_the_problems():
    steep, flat = (landscape("quadratic", condition=condition) for condition in (100.0, 4.0))
    # At (0, 1.5) the value is ½·condition·1.5².
    assert [float(data.landscape.sel(x=0.0, y=1.5, method="nearest")) for data in (steep, flat)] == pytest.approx(
        [112.5, 4.5]
    )
    assert flat.attrs == {"of": "problem", "problem": "quadratic", "source": get("quadratic").source}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("quadratic", {"dim": 3}, r"^quadratic: .* one or two parameters; this problem has 3 parameters\.$"),
        ("least_squares", {}, r"^least_squares: .* this problem has 10 parameters and no domain\.$"),
        ("beal", {}, 'did you mean "beale"'),
    ],
)
def test_other_problems_are_refused(name, options, message):
    with pytest.raises(InputError, match=message):
        landscape(name, **options)


def test_types_are_those_of_the_moment(dtype):
    assert landscape("beale").landscape.dtype == dtype


def test_problems_load_without_xarray():
    code = "import sys; import adamlab.problems, adamlab.problems.landscapes; print('xarray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_landscape_is_compiled_once_for_all_its_points():
    @chex.assert_max_traces(1)
    def function(w: jax.Array) -> jax.Array:
        assert w.shape == (2,)
        return w[0] * w[1]

    chex.clear_trace_counter()
    plane = landscape(problem_of("counted", function, [0.0, 0.0], domain=[(0.0, 1.0), (0.0, 1.0)]))
    assert float(plane.landscape[-1, -1]) == 1.0


def test_a_studys_dataset_has_it():
    config = {
        "name": "two",
        "steps": 1,
        "problem": [{"name": "beale", "label": "sharp"}, {"name": "reddi"}, {"name": "quadratic", "dim": 3}],
        "optimizer": [{"name": "adamlab.sgd", "learning_rate": 0.1}],
    }
    tree = al.run(config)
    for child, name in (("sharp", "beale"), ("reddi", "reddi")):
        runs, alone = tree[child].to_dataset(), landscape(name)
        assert (runs.attrs["of"], runs.attrs["problem"]) == ("runs", child)
        for variable in alone.variables:
            xr.testing.assert_equal(runs[variable].variable, alone[variable].variable)
    assert not {"landscape", "minima", "x"} & {*tree["quadratic"].to_dataset().variables}
