"""Test functions against the literature's values and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from adamlab import problems

FUNCTIONS = ["rosenbrock", "beale", "himmelblau", "rastrigin", "quadratic"]

KNOWN = [  # value by hand
    ("rosenbrock", (-1.2, 1.0), 24.2),
    ("beale", (1.0, 1.0), 14.203125),
    ("beale", (0.0, 0.0), 14.203125),
    ("himmelblau", (0.0, 0.0), 170.0),
    ("himmelblau", (1.0, -1.0), 9 * 9 + 0 + 11 * 11 - 9 * 9 + 25 - 11 * 11 + 11 * 11),
    ("rastrigin", (1.0, 2.0), 5.0),
    ("rastrigin", (0.5, 0.0), 20.25),
    ("quadratic", (3.0, 0.2), 0.5 * (9.0 + 100 * 0.04)),
]


@pytest.mark.parametrize(("name", "point", "value"), KNOWN)
def test_value_is_the_known_one(x64, name, point, value):
    assert float(problems.get(name).objective(jnp.array(point))) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("dim", [2, 5])
def test_rosenbrock_is_that_of_scipy(x64, rng, dim):
    problem, w = problems.get("rosenbrock", dim=dim), rng.normal(size=dim)
    assert float(problem.objective(jnp.array(w))) == pytest.approx(scipy.optimize.rosen(w), rel=1e-12)
    np.testing.assert_allclose(jax.grad(problem.loss)(jnp.array(w), None), scipy.optimize.rosen_der(w), rtol=1e-11)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient_is_that_of_central_differences(x64, rng, name):
    problem = problems.get(name)
    low, high = np.array(problem.domain).T
    for w in rng.uniform(low, high, size=(5, 2)):
        difference = scipy.optimize.approx_fprime(w, lambda x: float(problem.objective(jnp.array(x))), 1e-7)
        np.testing.assert_allclose(
            jax.grad(problem.loss)(jnp.array(w), None), np.asarray(difference), rtol=1e-4, atol=1e-3
        )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_minima_are_stationary_with_value_zero(x64, name):
    problem = problems.get(name)
    assert problem.minima
    for minimum in problem.minima:
        w = jnp.array(minimum)
        assert float(problem.objective(w)) < 1e-20
        assert float(jnp.abs(jax.grad(problem.objective)(w)).max()) < 1e-10
        assert (np.linalg.eigvalsh(jax.hessian(problem.objective)(w)) > 0).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_start_is_displaced_by_the_seed_and_the_spread(name, dtype):
    first, again, other = (problems.get(name).start(jax.random.key(seed)) for seed in (0, 0, 1))
    assert first.dtype == dtype
    with jax.enable_x64(dtype == "float32"):  # the same start in the other float type
        np.testing.assert_allclose(problems.get(name).start(jax.random.key(0)), first, rtol=1e-6)
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    still = problems.get(name, spread=0.0)
    np.testing.assert_array_equal(still.start(jax.random.key(0)), still.start(jax.random.key(1)))


def test_unknown_problem_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match='did you mean "rosenbrock"'):
        problems.get("rosenbrok")
    with pytest.raises(ValueError, match=r"dim must be from 2 to 1e\+06, not 1"):
        problems.get("rosenbrock", dim=1)
