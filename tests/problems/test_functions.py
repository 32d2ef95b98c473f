"""Test functions against the literature's values, finite differences, and searches for lower points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from adamlab import problems
from adamlab.errors import InputError

pytestmark = pytest.mark.optimized(False)

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


def at(problem, point):
    return float(problem.objective(jnp.array(point)))


@pytest.mark.parametrize(("name", "point", "value"), KNOWN)
def test_value_is_the_known_one(x64, name, point, value):
    assert at(problems.get(name), point) == pytest.approx(value, rel=1e-12, abs=0)


@pytest.mark.parametrize("dim", [2, 5])
def test_rosenbrock_is_that_of_scipy(x64, rng, dim):
    problem, w = problems.get("rosenbrock", dim=dim), rng.normal(size=dim)
    assert at(problem, w) == pytest.approx(scipy.optimize.rosen(w), rel=1e-12)
    np.testing.assert_allclose(jax.grad(problem.objective)(jnp.array(w)), scipy.optimize.rosen_der(w), rtol=1e-11)


@pytest.mark.parametrize("name", ["ackley", "styblinski_tang", "rastrigin"])
def test_in_more_dimensions_a_point_of_equal_coordinates_is_known_from_one(x64, name):
    single, five = problems.get(name, dim=1), problems.get(name, dim=5)
    expected = at(single, [0.7]) * (1 if name == "ackley" else 5)  # Ackley's takes means, the others take sums
    assert at(five, [0.7] * 5) == pytest.approx(expected, rel=1e-13)
    assert at(five, five.minima[0]) == pytest.approx(five.minimum, rel=1e-12)


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient_is_that_of_central_differences(x64, rng, name):
    problem, h = problems.get(name), 1e-4
    low, high = np.array(problem.domain).T
    for w in rng.uniform(low, high, size=(10, 2)):
        wide, narrow = (
            np.array([at(problem, w + e) - at(problem, w - e) for e in step * np.eye(2)]) / (2 * step)
            for step in (h, h / 2)
        )
        # Halving h takes ¾ of the truncation error away, which is c·h² + …, so the difference bounds what is left; a
        # value is off by some hundred roundings of its terms.
        tolerance = np.abs(wide - narrow) + 200 * np.finfo(float).eps * (1 + abs(at(problem, w))) / h
        assert (np.abs(jax.grad(problem.objective)(jnp.array(w)) - narrow) <= tolerance).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_minima_are_stationary_with_the_least_value(x64, name):
    problem = problems.get(name)
    assert problem.minima
    for minimum in problem.minima:
        assert at(problem, minimum) == pytest.approx(problem.minimum, rel=1e-12, abs=1e-20)
        gradient = jax.grad(problem.objective)(jnp.array(minimum))
        # The minimizer is off by an ulp at most, which the curvatures, up to some 1000, turn into a slope.
        assert float(jnp.abs(gradient).max()) < 1e-12


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize("name", SMOOTH)
def test_curvature_at_the_minima_is_positive(x64, name):
    problem = problems.get(name)
    for minimum in problem.minima:
        assert (np.linalg.eigvalsh(jax.hessian(problem.objective)(jnp.array(minimum))) > 0).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_point_of_the_domain_is_lower(x64, name):
    problem = problems.get(name)
    x, y = (np.linspace(*bounds, 401) for bounds in problem.domain)
    points = jnp.array(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    assert problem.minimum is not None
    assert float(jax.vmap(problem.objective)(points).min()) >= problem.minimum - 1e-12


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("name", ["saddle", "himmelblau", "branin"])
def test_searches_from_everywhere_find_all_the_minima_and_no_others(x64, rng, name):
    problem = problems.get(name)
    assert problem.minimum is not None
    value_and_gradient = jax.jit(jax.value_and_grad(problem.objective))
    ends = set()
    for w in rng.uniform(*np.array(problem.domain).T, size=(40, 2)):
        end = scipy.optimize.minimize(
            lambda x: tuple(map(np.asarray, value_and_gradient(x))), w, jac=True, bounds=problem.domain
        )
        if end.fun < problem.minimum + 1e-6:
            distances = np.linalg.norm(np.array(problem.minima) - end.x, axis=1)
            assert distances.min() < 1e-2
            ends.add(int(distances.argmin()))
    assert ends == set(range(len(problem.minima)))


def test_ackleys_corner_has_a_gradient_of_zero_and_no_nan(dtype):
    problem = problems.get("ackley")
    gradient = jax.jit(jax.grad(problem.objective))
    np.testing.assert_array_equal(gradient(jnp.zeros(2)), 0.0)
    for tiny in (1e-8, 1e-18, 1e-30, 1e-300):  # the last squares to 0
        slope = gradient(jnp.array([tiny, 0.0], float))
        assert np.isfinite(slope).all()
        assert 0 <= slope[0] <= 4 / np.sqrt(2) * (1 + 1e-5)  # 20 · 0.2 / √2, the slope of the cone


def test_the_ravines_curvature_is_the_same_along_both_axes(x64):
    hessian = jax.hessian(problems.get("ravine", condition=40.0).objective)(jnp.array([0.3, -0.2]))
    assert hessian[0, 0] == hessian[1, 1]
    assert np.linalg.cond(hessian) == pytest.approx(40.0, rel=1e-12)


@pytest.mark.parametrize(("name", "condition"), [("booth", 9.0), ("matyas", 25.0), ("quadratic", 100.0)])
def test_condition_number_is_the_one_that_is_told(x64, name, condition):
    hessian = jax.hessian(problems.get(name).objective)(jnp.array([0.3, -0.2]))
    assert np.linalg.cond(hessian) == pytest.approx(condition, rel=1e-12)


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
    noise = jax.vmap(problem.sample, (0, None))(jax.random.split(jax.random.key(0), many), 1)
    gradients = np.asarray(jax.vmap(jax.grad(problem.loss), (None, 0))(w, noise), float)
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


@pytest.mark.parametrize("name", ["rosenbrock", "beale"])
def test_start_has_the_value_that_the_literature_gives(x64, name):
    """Moré, Garbow & Hillstrom 1981, whose known values are the first of each function above."""
    problem = problems.get(name, spread=0.0)
    expected = next(value for known, _, value in KNOWN if known == name)
    assert at(problem, problem.start(jax.random.key(0))) == pytest.approx(expected, rel=1e-12)


def test_starts_are_displaced_to_every_side_by_the_spread():
    many, spread = 4000, 0.25
    moved, still = (problems.get("quadratic", dim=many, spread=s).start(jax.random.key(0)) for s in (spread, 0.0))
    numbers = np.asarray(moved - still, float) / spread
    # Five standard errors of a mean and of a variance of normal numbers.
    assert abs(numbers.mean()) < 5 / many**0.5
    assert abs(numbers.var() - 1) < 5 * (2 / many) ** 0.5


@pytest.mark.parametrize(("name", "options", "message"), OUT_OF_RANGE)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        problems.get(name, **options)


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
