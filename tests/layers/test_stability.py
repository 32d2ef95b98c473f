"""Softmax and cross-entropy where exp overflows, and with classes masked away; exact values by mpmath."""

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


def exact(z, y):
    """ŷ, L and ∂L/∂z in 60 digits, without any trick."""
    with mpmath.workdps(10**4):  # exp(−2e4) has 8686 zeros after the point
        powers = [mpmath.exp(mpmath.mpf(x)) for x in z]
        y_hat = [p / sum(powers) for p in powers]
        loss = -sum(mpmath.mpf(t) * mpmath.log(p) for t, p in zip(y, y_hat, strict=True) if t)
        total = sum(map(mpmath.mpf, y))
        return [list(map(float, y_hat)), float(loss), [float(p * total - t) for p, t in zip(y_hat, y, strict=True)]]


@pytest.mark.parametrize("z", ROWS.values(), ids=list(ROWS))
@pytest.mark.parametrize("y", LABELS.values(), ids=list(LABELS))
def test_right_at_any_size(dtype, z, y):
    unit = float(jnp.finfo(dtype).eps)
    z, y = np.asarray(z, dtype), np.asarray(y, dtype)
    y_hat, loss, gradient = exact(z.tolist(), y.tolist())
    np.testing.assert_allclose(softmax(jnp.asarray(z)), y_hat, rtol=8 * unit, atol=float(jnp.finfo(dtype).tiny))
    found, dz = jax.value_and_grad(softmax_cross_entropy)(jnp.asarray(z), jnp.asarray(y))
    assert float(found) == pytest.approx(loss, rel=8 * unit, abs=8 * unit)
    np.testing.assert_allclose(dz, gradient, rtol=0, atol=8 * unit)


@pytest.mark.parametrize("z", ROWS.values(), ids=list(ROWS))
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_the_gradient_of_softmax_is_right_at_any_size(dtype, z, size):
    unit = float(jnp.finfo(dtype).eps)
    dy = size * np.array([1.0, -0.5, 0.25])
    y_hat, *_ = exact(np.asarray(z, dtype).tolist(), [1.0, 0.0, 0.0])
    expected = [y * (d - np.dot(dy, y_hat)) for d, y in zip(dy, y_hat, strict=True)]
    (found,) = jax.vjp(softmax, jnp.asarray(z, dtype))[1](jnp.asarray(dy, dtype))
    np.testing.assert_allclose(found, expected, rtol=0, atol=8 * unit * size)


@pytest.mark.parametrize("y", [[0.0, 0.3, 0.7], [0.0, 1.0, 0.0]])
def test_masked_classes_are_as_if_they_were_not_there(dtype, y):
    z = jnp.array([-jnp.inf, 0.5, 2.0])
    y = jnp.array(y)
    np.testing.assert_array_equal(softmax(z), jnp.append(jnp.zeros(1), softmax(z[1:])))
    loss, dz = jax.value_and_grad(softmax_cross_entropy)(z, y)
    others, dothers = jax.value_and_grad(softmax_cross_entropy)(z[1:], y[1:])
    assert loss == others
    np.testing.assert_array_equal(dz, jnp.append(jnp.zeros(1), dothers))
    through = jax.grad(lambda z: jnp.sum(softmax(z) * jnp.arange(3.0)))(z)
    assert through[0] == 0.0
    assert jnp.isfinite(through).all()


def test_an_infinite_slope_on_a_masked_class_is_no_slope():
    def entropy(z):
        return softmax_cross_entropy(z, softmax(z))

    z = jnp.array([-jnp.inf, 0.5, 2.0])
    found, others = (jax.grad(entropy)(row) for row in (z, z[1:]))
    np.testing.assert_allclose(found, jnp.append(jnp.zeros(1), others), rtol=1e-6)


def test_a_row_that_is_left_out_has_no_gradient():
    z = jnp.array([[-jnp.inf, -jnp.inf], [0.5, 2.0]])
    counts = jnp.array([False, True])

    def loss(z):
        return jnp.sum(jnp.where(counts, softmax_cross_entropy(z, jnp.array([[0.0, 1.0]] * 2)), 0.0))

    np.testing.assert_array_equal(jax.grad(loss)(z)[0], [0.0, 0.0])
    assert jnp.isfinite(jax.grad(loss)(z)).all()


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
    found, dz = jax.value_and_grad(softmax_cross_entropy)(z, y)
    assert float(found) == pytest.approx(loss, rel=1e-15)
    np.testing.assert_allclose(dz, gradient, atol=1e-15)
