"""Test functions against the literature's values, finite differences, and searches for lower points."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from adamlab import problems
from adamlab.errors import InputError
from tests.programs import in_one_program

FUNCTIONS = [
    "rosenbrock",
    "beale",
    "saddle",
    "quadratic",
    "noisy_quadratic",
    "ravine",
    "booth",
    "matyas",
    "himmelblau",
    "branin",
    "rastrigin",
    "ackley",
    "styblinski_tang",
]
SMOOTH = [name for name in FUNCTIONS if name != "ackley"]

KNOWN = [  # value by hand
    ("rosenbrock", (-1.2, 1.0), 24.2),
    ("beale", (1.0, 1.0), 14.203125),
    ("beale", (0.0, 0.0), 14.203125),
    ("saddle", (1.0, 0.0), 0.5),
    ("saddle", (1.0, -2.0), 0.5 + 4.0 - 2.0),
    ("quadratic", (3.0, 0.2), 0.5 * (9.0 + 100 * 0.04)),
    ("noisy_quadratic", (3.0, 0.2), 0.5 * (9.0 + 100 * 0.04)),
    ("ravine", (1.0, 1.0), 4.0),
    ("ravine", (1.0, -1.0), 0.4),
    ("ravine", (2.0, 0.0), 4.4),
    ("booth", (0.0, 0.0), 74.0),
    ("booth", (1.0, 1.0), 20.0),
    ("booth", (-10.0, -10.0), 37.0**2 + 35.0**2),
    ("matyas", (1.0, 1.0), 0.04),
    ("matyas", (10.0, -10.0), 100.0),
    ("himmelblau", (0.0, 0.0), 170.0),
    ("himmelblau", (1.0, -1.0), 146.0),
    ("branin", (0.0, 0.0), 55.602112642270262),
    ("branin", (np.pi, 12.275), 100.39788735772974),
    ("rastrigin", (1.0, 2.0), 5.0),
    ("rastrigin", (0.5, 0.0), 20.25),
    ("ackley", (0.0, 0.0), 0.0),
    ("ackley", (1.0, 1.0), 3.6253849384403627),  # 20·(1 − e^−0.2)
    ("ackley", (0.5, 0.5), 20 - 20 * np.exp(-0.1) + np.e - np.exp(-1)),
    ("styblinski_tang", (1.0, 1.0), -10.0),
    ("styblinski_tang", (-2.0, 3.0), 0.5 * (16 - 64 - 10) + 0.5 * (81 - 144 + 15)),
]

OUT_OF_RANGE = [
    ("rosenbrock", {"dim": 1}, r"dim must be from 2 to 1e\+06, not 1"),
    ("quadratic", {"condition": 0.5}, r"condition must be from 1 to 1e\+12, not 0\.5"),
    ("noisy_quadratic", {"batch_size": 0}, r"batch_size must be from 1 to 1e\+12, not 0"),
    ("noisy_quadratic", {"dim": 1}, r"dim must be from 2 to"),
    ("ravine", {"condition": 0}, r"condition must be from 1 to"),
    ("rastrigin", {"dim": 0}, r"dim must be from 1 to"),
    ("ackley", {"dim": 0}, r"dim must be from 1 to"),
    ("styblinski_tang", {"dim": 0}, r"dim must be from 1 to"),
    *[(name, {"spread": -0.1}, r"spread must be from 0 to 1e\+06, not -0\.1") for name in FUNCTIONS],
]


PROBLEMS = {name: problems.get(name) for name in FUNCTIONS}

values_at = in_one_program({name: jax.vmap(problem.objective) for name, problem in PROBLEMS.items()})
gradients_at = in_one_program({name: jax.vmap(jax.grad(problem.objective)) for name, problem in PROBLEMS.items()})
lowest_at = in_one_program(
    {name: lambda points, f=problem.objective: jax.vmap(f)(points).min() for name, problem in PROBLEMS.items()}
)
curvatures_at = in_one_program({name: jax.vmap(jax.hessian(PROBLEMS[name].objective)) for name in SMOOTH})
"""All functions, each at points of its own, by name."""


def minima(names=FUNCTIONS) -> dict[str, list[np.ndarray]]:
    return {name: [np.array(PROBLEMS[name].minima, float)] for name in names}


def test_values_are_the_known_ones(x64):
    points = {name: [np.array([point for known, point, _ in KNOWN if known == name])] for name in FUNCTIONS}
    expected = {name: np.array([value for known, _, value in KNOWN if known == name]) for name in FUNCTIONS}
    chex.assert_trees_all_close(values_at(points), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dim", [2, 5])
def test_rosenbrock_is_that_of_scipy(x64, rng, dim):
    problem, w = problems.get("rosenbrock", dim=dim), rng.normal(size=dim)
    value, gradient = jax.jit(jax.value_and_grad(problem.objective))(w)
    assert float(value) == pytest.approx(scipy.optimize.rosen(w), rel=1e-12)
    np.testing.assert_allclose(gradient, scipy.optimize.rosen_der(w), rtol=1e-11)


@pytest.mark.parametrize("name", ["ackley", "styblinski_tang", "rastrigin"])
def test_in_more_dimensions_a_point_of_equal_coordinates_is_known_from_one(x64, name):
    line, five = problems.get(name, dim=1), problems.get(name, dim=5)
    values = in_one_program({"line": line.objective, "five": five.objective, "least": five.objective})(
        {"line": [np.array([0.7])], "five": [np.full(5, 0.7)], "least": [np.array(five.minima[0])]}
    )
    times = 1 if name == "ackley" else 5  # Ackley's takes means, the others take sums
    assert float(values["five"]) == pytest.approx(float(values["line"]) * times, rel=1e-13)
    assert float(values["least"]) == pytest.approx(five.minimum, rel=1e-12)


def test_gradients_are_those_of_central_differences(x64, rng):
    h, starts = 1e-4, {name: np.array(problem.domain).T for name, problem in PROBLEMS.items()}
    starts = {name: rng.uniform(low, high, size=(10, 2)) for name, (low, high) in starts.items()}
    moves = np.array([np.zeros(2), *(sign * step * e for step in (h, h / 2) for sign in (1, -1) for e in np.eye(2))])
    values = values_at({name: [(w[:, None] + moves).reshape(-1, 2)] for name, w in starts.items()})
    gradients = gradients_at({name: [w] for name, w in starts.items()})
    offenders = []
    for name in FUNCTIONS:
        around = values[name].reshape(10, len(moves))
        wide, narrow = (
            (around[:, k : k + 2] - around[:, k + 2 : k + 4]) / (2 * step) for k, step in ((1, h), (5, h / 2))
        )
        # Halving h takes ¾ of the truncation error away, which is c·h² + …, so the difference bounds what is left; a
        # value is off by some hundred roundings of its terms.
        tolerance = np.abs(wide - narrow) + 200 * np.finfo(float).eps * (1 + np.abs(around[:, :1])) / h
        offenders += [name] * (np.abs(gradients[name] - narrow) > tolerance).any()
    assert offenders == []


def test_minima_are_stationary_with_the_least_value(x64):
    assert all(PROBLEMS[name].minima for name in FUNCTIONS)
    expected = {name: np.full(len(points), PROBLEMS[name].minimum) for name, (points,) in minima().items()}
    chex.assert_trees_all_close(values_at(minima()), expected, rtol=1e-12, atol=1e-20)
    # The minimizer is off by an ulp at most, which the curvatures, up to some 1000, turn into a slope.
    slopes = {name: float(np.abs(gradient).max()) for name, gradient in gradients_at(minima()).items()}
    assert {name: slope for name, slope in slopes.items() if not slope < 1e-12} == {}


def test_curvature_at_the_minima_is_positive(x64):
    least = {name: np.linalg.eigvalsh(hessian).min() for name, hessian in curvatures_at(minima(SMOOTH)).items()}
    assert {name: curvature for name, curvature in least.items() if not curvature > 0} == {}


def test_no_point_of_the_domain_is_lower(x64):
    sides = {name: [np.linspace(*bounds, 401) for bounds in problem.domain] for name, problem in PROBLEMS.items()}
    grids = {name: np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2) for name, (x, y) in sides.items()}
    below = {
        name: PROBLEMS[name].minimum - least for name, least in lowest_at({n: [g] for n, g in grids.items()}).items()
    }
    assert {name: depth for name, depth in below.items() if not depth <= 1e-12} == {}


@pytest.mark.parametrize("name", ["saddle", "himmelblau", "branin"])
def test_searches_from_everywhere_find_all_the_minima_and_no_others(x64, rng, name):
    problem = problems.get(name)
    assert problem.minimum is not None
    value_and_gradient = jax.jit(jax.value_and_grad(problem.objective))
    reached = set()
    for w in rng.uniform(*np.array(problem.domain).T, size=(40, 2)):
        end = scipy.optimize.minimize(
            lambda x: tuple(map(np.asarray, value_and_gradient(x))), w, jac=True, bounds=problem.domain
        )
        if end.fun < problem.minimum + 1e-6:
            distances = np.linalg.norm(np.array(problem.minima) - end.x, axis=1)
            assert distances.min() < 1e-2
            reached.add(int(distances.argmin()))
    assert reached == set(range(len(problem.minima)))


def test_ackleys_corner_has_a_gradient_of_zero_and_no_nan(dtype):
    problem = problems.get("ackley")
    gradient = jax.jit(jax.grad(problem.objective))
    np.testing.assert_array_equal(gradient(jnp.zeros(2)), 0.0)
    for tiny in (1e-8, 1e-18, 1e-30, 1e-300):  # the last squares to 0
        slope = gradient(jnp.array([tiny, 0.0], float))
        assert np.isfinite(slope).all()
        assert 0 <= slope[0] <= 4 / np.sqrt(2) * (1 + 1e-5)  # 20 · 0.2 / √2, the slope of the cone


def test_the_ravines_curvature_is_the_same_along_both_axes(x64):
    hessian = jax.jit(jax.hessian(problems.get("ravine", condition=40.0).objective))(jnp.array([0.3, -0.2]))
    assert hessian[0, 0] == hessian[1, 1]
    assert np.linalg.cond(hessian) == pytest.approx(40.0, rel=1e-12)


def test_condition_numbers_are_those_that_are_told(x64):
    hessians = curvatures_at({name: [np.array([[0.3, -0.2]])] for name in SMOOTH})
    told = {"booth": 9.0, "matyas": 25.0, "quadratic": 100.0}
    assert {name: np.linalg.cond(hessians[name][0]) for name in told} == pytest.approx(told, rel=1e-12)


def test_the_saddle_holds_gradient_descent_on_the_ridge_only():
    step = jax.jit(lambda w: w - 0.1 * jax.grad(problems.get("saddle").objective)(w))
    on, off = (
        problems.get("saddle", spread=0.0).start(jax.random.key(0)),
        problems.get("saddle").start(jax.random.key(0)),
    )
    for _ in range(300):
        on, off = step(on), step(off)
    np.testing.assert_allclose(on, [0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(np.abs(off), [0.0, 1.0], atol=1e-6)


def test_noise_of_the_gradient_has_the_curvature_as_its_variance(dtype):
    problem = problems.get("noisy_quadratic", condition=9.0, batch_size=4, dim=3)
    w, many = jnp.array([1.0, -2.0, 0.5]), 4000
    assert problem.sample is not None
    noise = jax.jit(jax.vmap(problem.sample, (0, None)))(jax.random.split(jax.random.key(0), many), 1)
    gradients = np.asarray(jax.jit(jax.vmap(jax.grad(problem.loss), (None, 0)))(w, noise), float)
    variances = np.array([1.0, 3.0, 9.0]) / 4
    # Standard errors of a mean and of a variance of normal numbers; five of them are never reached by chance.
    np.testing.assert_array_less(
        np.abs(gradients.mean(axis=0) - np.array([1.0, -6.0, 4.5])), 5 * np.sqrt(variances / many)
    )
    np.testing.assert_array_less(np.abs(gradients.var(axis=0) / variances - 1), 5 * np.sqrt(2 / many))
    assert noise.dtype == dtype
    assert float(problem.objective(w)) == pytest.approx(0.5 * (1 + 3 * 4 + 9 * 0.25), rel=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_start_is_displaced_by_the_seed_and_the_spread(name, dtype):
    first, again, other = (problems.get(name).start(jax.random.key(seed)) for seed in (0, 0, 1))
    assert first.dtype == dtype
    with jax.enable_x64(dtype == "float32"):  # the same start in the other float type
        np.testing.assert_allclose(problems.get(name).start(jax.random.key(0)), first, rtol=1e-5)
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    still = problems.get(name, spread=0.0)
    np.testing.assert_array_equal(still.start(jax.random.key(0)), still.start(jax.random.key(1)))
    low, high = np.array(still.domain).T
    assert ((low <= np.asarray(first)) & (np.asarray(first) <= high)).all()


def refusal(name, options) -> str:
    try:
        problems.get(name, **options)
    except ValueError as error:
        return str(error)
    return ""


def test_options_out_of_range_are_refused():
    refusals = [(refusal(name, options), message) for name, options, message in OUT_OF_RANGE]
    assert [(told, message) for told, message in refusals if not re.search(message, told)] == []


def test_an_option_is_checked_by_name():
    with pytest.raises(InputError, match="quadratic has no argument 'cond'; did you mean \"condition\""):
        problems.get("quadratic", cond=3)
    with pytest.raises(InputError, match=r"rosenbrock: dim must be .*, not 2\.5"):
        problems.get("rosenbrock", dim=2.5)
    assert problems.get("rosenbrock", dim=np.int64(3)).dimension == 3


def test_a_family_is_named_whole():
    with pytest.raises(InputError, match="did you mean one of digits_softmax, digits_mlp, digits_conv, digits_vae"):
        problems.get("digits")
    with pytest.raises(InputError, match='did you mean "styblinski_tang"'):
        problems.get("styblinski-tang")


def test_unknown_problem_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match='did you mean "rosenbrock"'):
        problems.get("rosenbrok")
