"""Softmax and cross-entropy where exp overflows, and with classes masked away; exact values by mpmath."""

from functools import cache

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from adamlab.layers import softmax, softmax_cross_entropy

ROWS = {
    "large": [1e4, 1e4 - 1, -1e4],
    "small": [-1e4, -1e4 + 3, -1e4 + 2],
    "both ends": [1e4, -1e4, 0.0],
    "near": [1e-4, 0.0, -1e-4],
    "certain": [50.0, 0.0, 0.0],
}
LABELS = {"one-hot": [0.0, 1.0, 0.0], "soft": [0.2, 0.5, 0.3], "even": [1 / 3, 1 / 3, 1 / 3]}


softmax_of = jax.jit(softmax)
loss_and_gradient = jax.jit(jax.value_and_grad(softmax_cross_entropy))


def digits(z) -> int:
    """60, and as many as there are zeros in exp of the largest difference: 8686 of exp(−2e4)."""
    return 60 + int((max(z) - min(z)) / np.log(10))


@cache
def probabilities(*z):
    """ŷ in many digits, without any trick."""
    with mpmath.workdps(digits(z)):
        powers = [mpmath.exp(mpmath.mpf(x)) for x in z]
        return [p / sum(powers) for p in powers]


@cache
def logarithms(*z):
    with mpmath.workdps(digits(z)):
        return [mpmath.log(p) for p in probabilities(*z)]


def exact(z, y):
    """ŷ, L and ∂L/∂z, rounded once."""
    with mpmath.workdps(digits(z)):
        y_hat, total = probabilities(*z), sum(map(mpmath.mpf, y))
        loss = -sum(mpmath.mpf(t) * log for t, log in zip(y, logarithms(*z), strict=True) if t)
        return [list(map(float, y_hat)), float(loss), [float(p * total - t) for p, t in zip(y_hat, y, strict=True)]]


@pytest.mark.parametrize("z", ROWS.values(), ids=list(ROWS))
@pytest.mark.parametrize("y", LABELS.values(), ids=list(LABELS))
def test_right_at_any_size(dtype, z, y):
    unit = float(jnp.finfo(dtype).eps)
    z, y = np.asarray(z, dtype), np.asarray(y, dtype)
    y_hat, loss, gradient = exact(z.tolist(), y.tolist())
    np.testing.assert_allclose(softmax_of(z), y_hat, rtol=8 * unit, atol=float(jnp.finfo(dtype).tiny))
    value, dz = loss_and_gradient(z, y)
    assert float(value) == pytest.approx(loss, rel=8 * unit, abs=8 * unit)
    np.testing.assert_allclose(dz, gradient, rtol=0, atol=8 * unit)


pulled_back = jax.jit(lambda z, dy: jax.vjp(softmax, z)[1](dy)[0])


@pytest.mark.parametrize("z", ROWS.values(), ids=list(ROWS))
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_the_gradient_of_softmax_is_right_at_any_size(dtype, z, size):
    unit = float(jnp.finfo(dtype).eps)
    z, dy = np.asarray(z, dtype), size * np.array([1.0, -0.5, 0.25])
    y_hat = np.array(probabilities(*z.tolist()), float)
    expected = [y * (d - np.dot(dy, y_hat)) for d, y in zip(dy, y_hat, strict=True)]
    np.testing.assert_allclose(pulled_back(z, dy.astype(dtype)), expected, rtol=0, atol=8 * unit * size)


@pytest.mark.parametrize("y", [[0.0, 0.3, 0.7], [0.0, 1.0, 0.0]])
def test_masked_classes_are_as_if_they_were_not_there(dtype, y):
    z, y = np.array([-np.inf, 0.5, 2.0], dtype), np.array(y, dtype)
    np.testing.assert_array_equal(softmax_of(z), np.append(0, softmax_of(z[1:])))
    loss, dz = loss_and_gradient(z, y)
    others, dothers = loss_and_gradient(z[1:], y[1:])
    assert loss == others
    np.testing.assert_array_equal(dz, np.append(0, dothers))
    through = jax.jit(jax.grad(lambda z: jnp.sum(softmax(z) * jnp.arange(3.0))))(z)
    assert through[0] == 0.0
    assert jnp.isfinite(through).all()


def test_an_infinite_slope_on_a_masked_class_is_no_slope():
    def entropy(z):
        return softmax_cross_entropy(z, softmax(z))

    z = jnp.array([-jnp.inf, 0.5, 2.0])
    gradient, others = (jax.jit(jax.grad(entropy))(row) for row in (z, z[1:]))
    np.testing.assert_allclose(gradient, np.append(0, others), rtol=1e-6)


def test_a_row_that_is_left_out_has_no_gradient():
    z = jnp.array([[-jnp.inf, -jnp.inf], [0.5, 2.0]])
    counts = jnp.array([False, True])

    def loss(z):
        return jnp.sum(jnp.where(counts, softmax_cross_entropy(z, jnp.array([[0.0, 1.0]] * 2)), 0.0))

    gradient = jax.jit(jax.grad(loss))(z)
    np.testing.assert_array_equal(gradient[0], [0.0, 0.0])
    assert jnp.isfinite(gradient).all()


@pytest.mark.parametrize("labels", [jnp.array([0, 2, 1]), jnp.ones((3, 1)), jnp.ones((1, 3))])
def test_labels_of_another_shape_are_refused(labels):
    with pytest.raises(ValueError, match=r"labels must be probabilities in the shape of z, \(3, 3\), not .*one_hot"):
        softmax_cross_entropy(jnp.eye(3), labels.astype(float))


def test_a_label_on_a_masked_class_costs_infinitely_much():
    z = jnp.array([-jnp.inf, 0.0])
    assert softmax_cross_entropy(z, jnp.array([0.1, 0.9])) == jnp.inf


def test_labels_that_do_not_sum_to_1_are_taken_as_they_are(x64):
    z, y = jnp.array([0.3, -1.0, 0.2]), jnp.array([0.5, 2.0, 0.25])
    _, loss, gradient = exact(z.tolist(), y.tolist())
    value, dz = loss_and_gradient(z, y)
    assert float(value) == pytest.approx(loss, rel=1e-15)
    np.testing.assert_allclose(dz, gradient, atol=1e-15)
