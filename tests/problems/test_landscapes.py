"""Landscapes are the objective, point by point, over the domain."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import adamlab as al
from adamlab.errors import InputError
from adamlab.problems import PROBLEMS, get
from adamlab.problems.functions import problem_of
from adamlab.problems.landscapes import GRID, landscape

HOMES = ("adamlab.problems.surfaces.", "adamlab.problems.stochastic.online")
DRAWN = [name for name, make in PROBLEMS.items() if make.__module__.startswith(HOMES)]  # the others may need data


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize("name", DRAWN)
def test_every_value_is_the_objective_there(x64, rng, name):
    problem, grid = get(name), landscape(name)
    for bounds, axis in zip(problem.domain, "xy", strict=False):
        np.testing.assert_allclose(grid[axis], np.linspace(*bounds, GRID), rtol=1e-12, atol=1e-12)
    for at in rng.integers(GRID, size=(20, len(problem.domain))):
        point = dict(zip("xy", at, strict=False))
        w = jnp.array([float(grid[axis][i]) for axis, i in point.items()])
        # Compiled in one program the same sum may be contracted: some ulps of the largest term, which is 2e5 at most.
        assert float(grid.landscape.isel(point)) == pytest.approx(float(problem.objective(w)), rel=1e-13, abs=1e-10)


@pytest.mark.parametrize("name", DRAWN)
def test_minima_are_the_problems_and_nothing_is_lower(x64, name):
    problem, grid = get(name), landscape(name)
    np.testing.assert_array_equal(grid.minima, problem.minima)
    assert grid.minima.dims == ("minimum", "dim")
    assert problem.minimum is not None
    assert float(grid.landscape.min()) >= problem.minimum - 1e-12


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
    assert [float(drawn.landscape.sel(x=0.0, y=1.5, method="nearest")) for drawn in (steep, flat)] == pytest.approx(
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
    traced = []

    def function(w: jax.Array) -> jax.Array:
        traced.append(w.shape)
        return w[0] * w[1]

    landscape(problem_of("counted", function, [0.0, 0.0], domain=[(0.0, 1.0), (0.0, 1.0)]))
    assert traced == [(2,)]


@pytest.mark.optimized(False)
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
