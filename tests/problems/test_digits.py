"""Softmax regression on the real digits."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from sklearn.linear_model import LogisticRegression

from adamlab import problems
from adamlab.problems.data import images
from tests.computing import sample_of

pytestmark = pytest.mark.optimized(False)


@pytest.fixture
def weights(rng):
    return {"W": jnp.array(0.1 * rng.normal(size=(64, 10))), "b": jnp.array(0.1 * rng.normal(size=10))}


@pytest.fixture
def digits():
    """Both parts as plain arrays of doubles, with their labels: (images, labels) for training and for test."""
    data = images.load("digits")
    flat = [part.reshape(len(part), 64) / 16 for part in (data.train_images, data.test_images)]
    return list(zip(flat, (data.train_labels, data.test_labels), strict=True))


def test_loss_and_accuracy_are_those_of_a_plain_softmax(x64, weights, digits):
    problem = problems.get("digits_softmax")
    told = ((problem.objective, "train_accuracy"), (problem.metrics["test_loss"], "test_accuracy"))
    for (pixels, labels), (loss, accuracy) in zip(digits, told, strict=True):
        scores = pixels @ np.asarray(weights["W"]) + np.asarray(weights["b"])
        probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        losses = -np.log(probabilities[np.arange(len(labels)), labels])
        right = scores.argmax(axis=1) == labels
        assert float(loss(weights)) == pytest.approx(losses.mean(), rel=1e-12)
        assert float(problem.metrics[accuracy](weights)) == pytest.approx(right.mean())


def test_the_gradient_is_that_of_a_plain_softmax(x64, weights):
    """Xᵀ(softmax − onehot)/n, and the mean over the batch for the biases."""
    problem = problems.get("digits_softmax", batch_size=32)
    assert problem.sample is not None
    batch = problem.sample(jax.random.key(3), 1)
    pixels = np.asarray(batch.x).reshape(32, 64)
    errors = scipy.special.softmax(pixels @ np.asarray(weights["W"]) + np.asarray(weights["b"]), axis=1)
    errors[np.arange(32), batch.y] -= 1
    gradient = jax.jit(jax.grad(problem.loss))(weights, batch)
    # Sums of some hundred terms below 1: each rounding is 1e-16.
    np.testing.assert_allclose(gradient["W"], pixels.T @ errors / 32, rtol=0, atol=1e-14)
    np.testing.assert_allclose(gradient["b"], errors.mean(axis=0), rtol=0, atol=1e-14)


def test_minibatches_are_rows_of_the_training_part(x64, weights, digits):
    problem = problems.get("digits_softmax", batch_size=32)
    draw, loss = jax.jit(sample_of(problem), static_argnums=1), jax.jit(problem.loss)
    batch = draw(jax.random.key(3), 1)
    train = {(row.tobytes(), label) for row, label in zip(*digits[0], strict=True)}
    assert all((np.asarray(x).tobytes(), int(y)) in train for x, y in zip(batch.x, batch.y, strict=True))
    assert not np.array_equal(batch.x, draw(jax.random.key(4), 1).x)
    mean = np.mean([float(loss(weights, draw(jax.random.key(i), 1))) for i in range(200)])
    assert mean == pytest.approx(float(problem.objective(weights)), rel=0.02)


def test_training_reaches_what_logistic_regression_reaches(digits):
    problem = problems.get("digits_softmax")
    w = problem.start(jax.random.key(0))
    step = jax.jit(lambda w: jax.tree.map(lambda x, g: x - 2.0 * g, w, jax.grad(problem.objective)(w)))
    for _ in range(500):
        w = step(w)
    train, test = digits
    fitted = LogisticRegression(max_iter=2000).fit(*train)
    assert float(problem.metrics["test_accuracy"](w)) >= fitted.score(*test) - 0.01


def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch, tmp_path):
    images.load.cache_clear()
    monkeypatch.setenv("ADAMLAB_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'adamlab\[data\]'"):
        problems.get("digits_softmax")


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"test_share must be from 0\.01 to 0\.99, not 1\.5"):
        problems.get("digits_softmax", test_share=1.5)
    with pytest.raises(ValueError, match="batch_size must be from 1 to 1437, not 0"):
        problems.get("digits_softmax", batch_size=0)
