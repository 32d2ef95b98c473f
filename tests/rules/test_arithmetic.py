"""Sums of two floats with what their rounding left out, beside fractions."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

import adamlab as al
from adamlab.arithmetic import two_sum


def test_a_sum_and_what_it_leaves_out_are_exact(rng):
    """Whichever of the two is the greater, and of whatever signs."""
    a, b = (rng.normal(size=500) * 10.0 ** rng.integers(-12, 12, 500) for _ in range(2))
    a, b = jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32)
    total, rest = jax.jit(two_sum)(a, b)
    np.testing.assert_array_equal(total, a + b)
    sums = [
        [Fraction(float(x)) + Fraction(float(y)) for x, y in zip(*pair, strict=True)]
        for pair in ((a, b), (total, rest))
    ]
    assert sums[0] == sums[1]
    assert np.count_nonzero(rest) > 400
    assert (np.abs(a) < np.abs(b)).any()


def test_a_sum_beyond_all_floats_leaves_out_nothing():
    """∞ − ∞ would be a NaN that stays: an Adagrad whose sum has overflowed stands still."""
    most = jnp.float32(3e38)
    assert [float(x) for x in two_sum(most, most)] == [float("inf"), 0.0]
    transform = al.adagrad(0.1, compensated=True)
    state = transform.init(most)
    for g in (1e30, 1.0, -2.0):
        u, state = transform.update(jnp.float32(g), state)
        assert float(u) == 0.0
