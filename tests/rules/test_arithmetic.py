"""Sums of two floats with what their rounding left out, beside fractions."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

import adamlab as al
from adamlab.arithmetic import AccurateArithmetic, two_sum
from adamlab.types import Decay


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


def test_a_share_is_one_minus_the_decimal_that_was_written(x64):
    """In binary 1 − 0.999 is 9e-16 off, of which the first second moment would be."""
    transform = al.scale_by_adam(b2=0.999)
    _, state = transform.update(jnp.ones(()), transform.init(jnp.zeros(())))
    assert float(state.nu) == 0.001


def test_what_a_small_decay_leaves_has_all_its_digits():
    """1e-6 of a state is not the state less 0.999999 of it; and of an infinite one it is infinite."""
    shrink = AccurateArithmetic(AccurateArithmetic.numbers(Decay(1e-6)), None).shrink
    np.testing.assert_allclose(shrink(jnp.float32(3.0)), np.float32(3e-6), rtol=2e-7)
    assert float(shrink(jnp.float32(np.inf))) == np.inf
    transform = al.scale_by_adamax(b2=1e-6, eps=0.0)
    state = transform.init(jnp.zeros(()))
    for g in (3.0, 1e-9):
        _, state = transform.update(jnp.float32(g), state)
    np.testing.assert_allclose(state.nu, np.float32(3e-6), rtol=2e-7)
