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


def test_a_label_on_a_masked_class_costs_infinitely_much():
    z = jnp.array([-jnp.inf, 0.0])
    assert softmax_cross_entropy(z, jnp.array([0.1, 0.9])) == jnp.inf


def test_labels_that_do_not_sum_to_1_are_taken_as_they_are(x64):
    z, y = jnp.array([0.3, -1.0, 0.2]), jnp.array([0.5, 2.0, 0.25])
    _, loss, gradient = exact(z.tolist(), y.tolist())
    found, dz = jax.value_and_grad(softmax_cross_entropy)(z, y)
    assert float(found) == pytest.approx(loss, rel=1e-15)
    np.testing.assert_allclose(dz, gradient, atol=1e-15)
