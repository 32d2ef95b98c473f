"""The deep quadratic and the regression with heavy tails: data, losses and minima by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from adamlab import problems
from adamlab.problems.stochastic import deep_quadratic, heavy_tails
from tests.computing import sample_of

pytestmark = pytest.mark.optimized(False)


def test_the_deep_quadratic_is_its_formula(x64, rng):
    problem, w = problems.get("quadratic_deep"), rng.normal(size=100)
    hessian = np.asarray(jax.hessian(problem.objective)(jnp.array(w)))
    curvatures = np.sort(np.linalg.eigvalsh(hessian))
    assert ((curvatures > 0) & (curvatures < 1)).sum() == 90
    assert ((curvatures > 30) & (curvatures < 60)).sum() == 10
    assert np.abs(hessian - np.diag(np.diag(hessian))).max() > 1  # it is turned
    _, rotation, train, test = deep_quadratic._data(100, 1000, 0.6, 42)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(100), atol=1e-12)
    for told, examples in ((problem.objective, train @ rotation), (problem.metrics["test_loss"], test @ rotation)):
        losses = [0.5 * (w - x) @ hessian @ (w - x) for x in examples]
        assert float(told(jnp.array(w))) == pytest.approx(np.mean(losses), rel=1e-10)
        assert examples.std() == pytest.approx(0.6, rel=0.01)
    batch = sample_of(problem)(jax.random.key(0), 1)
    losses = [0.5 * (w - x) @ hessian @ (w - x) for x in np.asarray(batch) @ rotation]
    assert float(problem.loss(jnp.array(w), batch)) == pytest.approx(np.mean(losses), rel=1e-10)
    np.testing.assert_allclose(problem.minima[0], (train @ rotation).mean(axis=0), atol=1e-14)
    np.testing.assert_allclose(jax.grad(problem.objective)(jnp.array(problem.minima[0])), 0, atol=1e-12)
    np.testing.assert_array_equal(problem.start(jax.random.key(0)), 1.0)


def test_the_heavy_tails_are_those_of_students_t(x64, rng):
    problem, w = problems.get("heavy_tailed_regression", examples=10_000, dim=3), rng.normal(size=3)
    x, y, truth = heavy_tails._data(1.5, 3, 10_000, 0)
    assert scipy.stats.kstest(y - x @ truth, scipy.stats.t(1.5).cdf).pvalue > 1e-3
    assert scipy.stats.kstest(y - x @ truth, scipy.stats.t(3).cdf).pvalue < 1e-3
    assert float(problem.objective(jnp.array(w))) == pytest.approx(0.5 * np.mean((x @ w - y) ** 2), rel=1e-12)
    np.testing.assert_allclose(problem.minima[0], np.linalg.solve(x.T @ x, x.T @ y), rtol=1e-9)
    assert float(problem.metrics["error"](jnp.array(w))) == pytest.approx(np.linalg.norm(w - truth), rel=1e-12)
    features, targets = sample_of(problem)(jax.random.key(0), 1)
    rows = [int(np.flatnonzero((x == row).all(axis=1))[0]) for row in np.asarray(features)]
    np.testing.assert_array_equal(targets, y[rows])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("quadratic_deep", {"batch_size": 1001}, "batch_size must be from 1 to 1000, not 1001"),
        ("quadratic_deep", {"dim": 1}, "dim must be from 2 to 1000, not 1"),
        ("quadratic_deep", {"dim": 1000, "examples": 1001}, "examples must be at most 1,000 where dim is 1000"),
        ("heavy_tailed_regression", {"degrees": 0.1}, "degrees must be from 0.5 to"),
        ("heavy_tailed_regression", {"examples": 5}, "examples must be from 10 to"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        problems.get(name, **options)
