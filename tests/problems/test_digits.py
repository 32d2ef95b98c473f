"""Softmax regression on the real digits."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from adamlab import problems
from adamlab.problems.digits import _digits


@pytest.fixture
def weights(rng):
    return {"W": jnp.array(0.1 * rng.normal(size=(64, 10))), "b": jnp.array(0.1 * rng.normal(size=10))}


def test_every_image_is_in_one_of_the_two_parts():
    images, labels, is_test = _digits(0.2)
    real_images, real_labels = load_digits(return_X_y=True)
    np.testing.assert_array_equal(images * 16, real_images)
    np.testing.assert_array_equal(labels, real_labels)
    assert is_test.sum() == 360
    assert np.bincount(labels[is_test]).min() >= 34  # stratified


def test_loss_and_accuracy_are_those_of_a_plain_softmax(x64, weights):
    images, labels, is_test = _digits(0.2)
    scores = images @ np.asarray(weights["W"]) + np.asarray(weights["b"])
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    losses = -np.log(probabilities[np.arange(len(labels)), labels])
    right = scores.argmax(axis=1) == labels
    problem = problems.get("digits_softmax")
    assert float(problem.objective(weights)) == pytest.approx(losses[~is_test].mean(), rel=1e-12)
    assert float(problem.metrics["test_loss"](weights)) == pytest.approx(losses[is_test].mean(), rel=1e-12)
    assert float(problem.metrics["test_accuracy"](weights)) == pytest.approx(right[is_test].mean())
    assert float(problem.metrics["train_accuracy"](weights)) == pytest.approx(right[~is_test].mean())


def test_minibatches_are_rows_of_the_training_part(x64, weights):
    images, labels, is_test = _digits(0.2)
    problem = problems.get("digits_softmax", batch_size=32)
    assert problem.sample is not None
    batch = problem.sample(jax.random.key(3), 1)
    train = {(row.tobytes(), label) for row, label in zip(images[~is_test], labels[~is_test], strict=True)}
    assert all((np.asarray(x).tobytes(), int(y)) in train for x, y in zip(batch.x, batch.y, strict=True))
    other = problem.sample(jax.random.key(4), 1)
    assert not np.array_equal(batch.x, other.x)
    batches = [problem.sample(jax.random.key(i), 1) for i in range(200)]
    mean = np.mean([float(problem.loss(weights, batch)) for batch in batches])
    assert mean == pytest.approx(float(problem.objective(weights)), rel=0.02)


def test_training_reaches_what_logistic_regression_reaches():
    problem = problems.get("digits_softmax")
    w = problem.start(jax.random.key(0))
    step = jax.jit(lambda w: jax.tree.map(lambda x, g: x - 2.0 * g, w, jax.grad(problem.objective)(w)))
    for _ in range(500):
        w = step(w)
    images, labels, is_test = _digits(0.2)
    fitted = LogisticRegression(max_iter=2000).fit(images[~is_test], labels[~is_test])
    assert float(problem.metrics["test_accuracy"](w)) >= fitted.score(images[is_test], labels[is_test]) - 0.01


def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch):
    _digits.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'adamlab\[data\]'"):
        problems.get("digits_softmax")


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"test_share must be between 0 and 1, not 1\.5"):
        problems.get("digits_softmax", test_share=1.5)
    with pytest.raises(ValueError, match="batch_size must be from 1 to 1797, not 0"):
        problems.get("digits_softmax", batch_size=0)
