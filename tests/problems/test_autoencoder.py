"""The variational auto-encoder against its loss in NumPy and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from adamlab.problems.data import images
from tests.problems.nets import NETS, batch_of, displaced, negative_elbo, recorded


@pytest.fixture
def problem():
    return NETS["digits_vae"](batch_size=9, hidden=7, latent=3)


def drawn(key, count):
    return np.asarray(jax.random.normal(key, (count, 3), jnp.float32), float)


@pytest.mark.slow
def test_the_loss_is_the_negative_elbo(x64, problem):
    params, batch = displaced(problem), batch_of(problem)
    expected = negative_elbo(params, np.asarray(batch.x).reshape(9, 64), drawn(batch.key, 9))
    assert float(problem.loss(params, batch)) == pytest.approx(expected, rel=1e-12)


def test_what_is_recorded_has_the_same_noise_always(x64, problem):
    params, data = displaced(problem), images.load("digits")
    told, key = recorded(problem, params), jax.random.split(jax.random.key(0), 1)[0]
    for pixels, name in ((data.train_images, "loss"), (data.test_images, "test_loss")):
        rows = np.asarray(pixels, float).reshape(-1, 64) / 16
        assert told[name] == pytest.approx(negative_elbo(params, rows, drawn(key, len(rows))), rel=1e-12)


def test_the_gradient_is_that_of_central_differences(x64, problem, rng):
    params, batch = displaced(problem), batch_of(problem)
    x, noise = np.asarray(batch.x).reshape(9, 64), drawn(batch.key, 9)
    flat, unravel = ravel_pytree(params)
    gradient = ravel_pytree(jax.jit(jax.grad(problem.loss))(params, batch))[0]
    h = 1e-3
    for _ in range(5):
        way = rng.normal(size=flat.size) / np.sqrt(flat.size)
        before2, before, after, after2 = (negative_elbo(unravel(flat + k * h * way), x, noise) for k in (-2, -1, 1, 2))
        slope = (before2 - 8 * before + 8 * after - after2) / (12 * h)
        # It errs by h⁴/30 times the fifth derivative, of size 10, and by the value's roundings, some 1e-14, over h.
        assert float(gradient @ way) == pytest.approx(slope, abs=1e-10)


@pytest.mark.slow
def test_noise_and_minibatch_come_of_keys_of_their_own(problem):
    params, batch, other = displaced(problem), batch_of(problem), batch_of(problem, seed=4)
    loss = jax.jit(problem.loss)
    assert float(loss(params, batch)) != float(loss(params, batch._replace(key=other.key)))
    assert (jax.random.key_data(batch.key) != jax.random.key_data(jax.random.key(3))).any()
