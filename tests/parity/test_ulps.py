"""Ulps and bits against numbers that anyone can count."""

import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mpf

from adamlab.parity.families import FAMILIES, gradients
from adamlab.parity.ulps import differing_bits, error_in_ulps, spacing

FLOATS = ["float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", [1.0, 0.75, -3.0, 1000.0, 2.0**-10, 1.9999])
def test_spacing_is_that_of_the_floats(dtype, value):
    float_ = jnp.dtype(dtype).type(value)
    following = float(np.nextafter(abs(float_), jnp.dtype(dtype).type(np.inf)))
    assert float(spacing(mpf(float(float_)), dtype)) == following - abs(float(float_))


def test_errors_are_counted_in_floats():
    unit = np.float32(1)
    assert error_in_ulps(float(unit), mpf(1), "float32") == 0
    assert error_in_ulps(float(np.nextafter(unit, np.float32(2))), mpf(1), "float32") == 1
    assert error_in_ulps(1.0, mpf(1) + mpf(2) ** -24, "float32") == 0.5
    assert error_in_ulps(0.0, mpf(10) ** -60, "float32") < 1e-20  # what XLA flushes to zero
    assert error_in_ulps(float("inf"), mpf(10) ** 60, "float32") == 0
    assert error_in_ulps(float("inf"), mpf(-10) ** 61, "float32") == np.inf
    assert error_in_ulps(float("nan"), mpf(1), "float32") == np.inf
    assert error_in_ulps(float("nan"), mpf("nan"), "float32") == 0


def test_bits_are_counted_one_by_one():
    left = np.array([1.0, 1.0, np.nan, 0.0], np.float32)
    right = np.array([1.0, 1.5, -np.nan, -0.0], np.float32)
    assert differing_bits(left, right).tolist() == [0, 1, 0, 1]
    assert differing_bits(left, right.astype(np.float64)).tolist() == [64] * 4


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_are_finite_and_the_same_for_every_type(dtype):
    narrow = gradients(list(FAMILIES), 60, dtype)
    wide = gradients(list(FAMILIES), 60, "float64")
    for name, g in narrow.items():
        assert np.isfinite(g.astype(float)).all()
        assert g[0].size == np.prod(FAMILIES[name].shape)
        largest = float(jnp.finfo(dtype).max)
        np.testing.assert_array_equal(g, np.clip(wide[name], -largest, largest).astype(g.dtype))


def test_a_family_is_the_same_alone_and_among_others():
    np.testing.assert_array_equal(
        gradients(["spiked"], 60, "float32")["spiked"], gradients(list(FAMILIES), 60, "float32")["spiked"]
    )
