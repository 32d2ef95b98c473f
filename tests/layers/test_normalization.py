"""Batch normalization's two modes, its running statistics, and the identity in it."""

from typing import Any

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adamlab.layers import Statistics, batch_norm, batch_statistics, update_statistics


def test_it_can_be_the_identity(x64, rng):
    x = rng.normal(3.0, [2.0, 0.1, 30.0], size=(6, 5, 3))
    mean, variance = x.mean((0, 1)), x.var((0, 1))
    normalized = jax.jit(lambda x, gamma, beta, eps: (batch_norm(x, gamma, beta), batch_norm(x, gamma, beta, eps=eps)))
    np.testing.assert_allclose(normalized(x, np.sqrt(variance + 1e-5), mean, 0.5)[0], x, rtol=1e-13)
    np.testing.assert_allclose(normalized(x, np.sqrt(variance + 0.5), mean, 0.5)[1], x, rtol=1e-13)


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


def test_inference_by_the_batch_s_own_statistics_is_training_in_its_gradient_too(x64, rng):
    x, gamma, beta, dy = (jnp.asarray(rng.normal(size=shape)) for shape in ((6, 2), (2,), (2,), (6, 2)))

    @jax.jit
    def computed(x):
        y, backward = jax.vjp(lambda x: batch_norm(x, gamma, beta, batch_statistics(x)), x)
        return y, backward(dy)[0]

    y, dx = computed(x)
    expected, gradient = in_double(x, dy, np.asarray(gamma))
    np.testing.assert_allclose(y, expected + np.asarray(beta), rtol=1e-12)
    np.testing.assert_allclose(dx, gradient, rtol=1e-11)


def test_running_statistics_are_constants(x64, rng):
    x, gamma, beta = (jnp.asarray(rng.normal(size=shape)) for shape in ((6, 2), (2,), (2,)))
    start = Statistics(jnp.zeros(2), jnp.ones(2))

    def inferred(x):
        return jnp.sum(batch_norm(x, gamma, beta, update_statistics(start, x)))

    variance = 0.9 + 0.1 * np.asarray(x).var(0, ddof=1)
    expected = np.tile(np.asarray(gamma) / np.sqrt(variance + 1e-5), (6, 1))
    np.testing.assert_allclose(jax.jit(jax.grad(inferred))(x), expected, rtol=1e-12)


def test_running_statistics_come_to_be_those_of_the_population(x64, rng):
    running = Statistics(jnp.zeros(2), jnp.ones(2))
    update, weights = jax.jit(lambda running, x: update_statistics(running, x, decay=0.8)), np.zeros(0)
    batches = [rng.normal([1.0, -2.0], [3.0, 0.5], size=(4, 2)) for _ in range(60)]
    for batch in batches:
        running = update(running, batch)
        weights = np.append(0.8 * weights, 0.2)
    left = 0.8 ** len(batches)
    means = np.array([batch.mean(0) for batch in batches])
    variances = np.array([batch.var(0, ddof=1) for batch in batches])
    np.testing.assert_allclose(running.mean, weights @ means, rtol=1e-12)
    np.testing.assert_allclose(running.variance, left + weights @ variances, rtol=1e-12)


def test_one_value_has_no_variance():
    with pytest.raises(ValueError, match=r"at least 2 values a feature; x of shape \(1, 3\) has 1"):
        update_statistics(Statistics(jnp.zeros(3), jnp.ones(3)), jnp.ones((1, 3)))


def in_double(x, dy, gamma: Any = 3.0):
    """y and ∂L/∂x in NumPy's doubles."""
    x, dy = np.asarray(x, float), np.asarray(dy, float)
    sigma = np.sqrt(x.var(0) + 1e-5)
    x_hat = (x - x.mean(0)) / sigma
    return gamma * x_hat, gamma / sigma * (dy - dy.mean(0) - x_hat * (dy * x_hat).mean(0))


@jax.jit
def forward_and_backward(x, gamma, beta, dy):
    y, backward = jax.vjp(batch_norm, x, gamma, beta)
    return y, backward(dy)[0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(("rows", "size"), [(80_000, 1.0), (64, 400.0)])
def test_many_and_large_halves_do_not_overflow(rng, dtype, rows, size):
    x = jnp.asarray(size * rng.normal(size=(rows, 1)), dtype)
    dy = jnp.asarray(rng.normal(size=(rows, 1)), dtype)
    gamma, beta = jnp.full(1, 3.0, dtype), jnp.zeros(1, dtype)
    y, dx = forward_and_backward(x, gamma, beta, dy)
    expected, gradient = in_double(x, dy)
    unit = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(y, float), expected, rtol=unit, atol=unit)
    np.testing.assert_allclose(np.asarray(dx, float), gradient, rtol=unit, atol=unit * np.abs(gradient).max())


def test_inference_is_as_accurate_as_training(rng):
    x = jnp.asarray(1e4 + 0.05 * rng.normal(size=(1000, 1)), jnp.float32)
    plain = np.asarray(x, float)
    known = Statistics(jnp.asarray(plain.mean(0), jnp.float32), jnp.asarray(plain.var(0), jnp.float32))
    exact = (plain - np.asarray(known.mean, float)) / np.sqrt(np.asarray(known.variance, float) + 1e-5)
    np.testing.assert_allclose(batch_norm(x, jnp.ones(1), jnp.zeros(1), known), exact, rtol=1e-6)


def test_running_statistics_keep_their_type():
    running = Statistics(jnp.zeros(2, jnp.bfloat16), jnp.ones(2, jnp.bfloat16))
    assert {s.dtype for s in update_statistics(running, jnp.ones((3, 2)))} == {jnp.dtype("bfloat16")}


@pytest.mark.parametrize(("gamma", "beta"), [(jnp.ones(1), jnp.ones(3)), (jnp.ones(3), jnp.ones(1))])
def test_a_feature_has_a_scale_and_a_shift(gamma, beta):
    with pytest.raises(ValueError, match=r"gamma and beta must have a number for each of the 3 features"):
        batch_norm(jnp.ones((4, 3)), gamma, beta)


def test_eps_can_be_swept(x64, rng):
    x, gamma, beta = jnp.asarray(rng.normal(size=(5, 2))), jnp.ones(2), jnp.zeros(2)
    normalized = jax.jit(lambda eps: batch_norm(x, gamma, beta, eps=eps))
    swept = jax.jit(jax.vmap(normalized))(jnp.array([1e-5, 0.5]))
    np.testing.assert_allclose(swept[1], normalized(0.5), rtol=1e-14)
