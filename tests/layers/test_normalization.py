"""Batch normalization's two modes, its running statistics, and the identity in it."""

from typing import Any

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adamlab.layers import Statistics, batch_norm, batch_statistics, update_statistics


def test_it_can_be_the_identity(x64, rng):
    x = jnp.asarray(rng.normal(3.0, [2.0, 0.1, 30.0], size=(6, 5, 3)))
    mean, variance = x.mean((0, 1)), x.var((0, 1))
    np.testing.assert_allclose(batch_norm(x, jnp.sqrt(variance + 1e-5), mean), x, rtol=1e-13)
    np.testing.assert_allclose(batch_norm(x, jnp.sqrt(variance + 0.5), mean, eps=0.5), x, rtol=1e-13)


def test_what_comes_out_has_mean_beta_and_deviation_gamma(x64, rng):
    y = batch_norm(jnp.asarray(rng.normal(5, 3, size=(50, 2))), jnp.array([2.0, -0.5]), jnp.array([7.0, 0.0]), eps=0.0)
    np.testing.assert_allclose(y.mean(0), [7.0, 0.0], atol=1e-13)
    np.testing.assert_allclose(y.std(0), [2.0, 0.5], rtol=1e-13)


def test_inference_is_that_of_flax(x64, rng):
    x = jnp.asarray(rng.normal(size=(4, 3, 5, 2)))
    gamma, beta, mean, variance = (jnp.asarray(rng.uniform(0.5, 2, size=2)) for _ in range(4))
    theirs: Any = flax.linen.BatchNorm(use_running_average=True, epsilon=1e-5, dtype=jnp.float64).apply(
        {"params": {"scale": gamma, "bias": beta}, "batch_stats": {"mean": mean, "var": variance}}, x
    )
    np.testing.assert_allclose(batch_norm(x, gamma, beta, Statistics(mean, variance)), theirs, rtol=1e-12)


def test_inference_by_the_batch_s_own_statistics_is_training_without_their_gradient(x64, rng):
    x, gamma, beta = (jnp.asarray(rng.normal(size=shape)) for shape in ((6, 2), (2,), (2,)))

    def inferred(x):
        return batch_norm(x, gamma, beta, batch_statistics(x))

    np.testing.assert_allclose(inferred(x), batch_norm(x, gamma, beta), rtol=1e-12)
    sigma = np.sqrt(np.asarray(x).var(0) + 1e-5)
    gradient = jax.grad(lambda x: jnp.sum(inferred(x)))(x)
    np.testing.assert_allclose(gradient, np.tile(np.asarray(gamma) / sigma, (6, 1)), rtol=1e-12)


def test_running_statistics_come_to_be_those_of_the_population(x64, rng):
    running = Statistics(jnp.zeros(2), jnp.ones(2))
    weights = np.zeros(0)
    batches = [rng.normal([1.0, -2.0], [3.0, 0.5], size=(4, 2)) for _ in range(60)]
    for batch in batches:
        running = update_statistics(running, jnp.asarray(batch), decay=0.8)
        weights = np.append(0.8 * weights, 0.2)
    left = 0.8 ** len(batches)
    means = np.array([batch.mean(0) for batch in batches])
    variances = np.array([batch.var(0, ddof=1) for batch in batches])
    np.testing.assert_allclose(running.mean, weights @ means, rtol=1e-12)
    np.testing.assert_allclose(running.variance, left + weights @ variances, rtol=1e-12)


def test_one_value_has_no_variance():
    with pytest.raises(ValueError, match=r"at least 2 values a feature; x of shape \(1, 3\) has 1"):
        update_statistics(Statistics(jnp.zeros(3), jnp.ones(3)), jnp.ones((1, 3)))
