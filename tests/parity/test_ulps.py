"""Ulps and bits against numbers that anyone can count."""

import jax.numpy as jnp
import mpmath
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


WORDS = {"float16": "u2", "bfloat16": "u2", "float32": "u4", "float64": "u8"}


@pytest.mark.parametrize("dtype", FLOATS)
def test_bits_differ_as_their_words_do(dtype):
    rng, word = np.random.default_rng(0), np.dtype(WORDS[dtype])
    top = 1 << 8 * word.itemsize
    infinity = int(np.array(np.inf, jnp.dtype(dtype)).view(word))
    nans = [infinity + 1, infinity + 2, top // 2 + infinity + 1, top - 1]
    special = [0, top // 2, 1, infinity, top // 2 + infinity, *nans]
    words = [*special, *(int(x) for x in rng.integers(0, top, 40, dtype=np.uint64, endpoint=False))]
    left, right = (np.array(x, word) for x in zip(*((a, b) for a in words for b in words), strict=True))

    def is_nan(x):
        return x % (top // 2) > infinity

    expected = [
        0 if is_nan(a) and is_nan(b) else (a ^ b).bit_count()
        for a, b in zip(map(int, left), map(int, right), strict=True)
    ]
    assert differing_bits(left.view(jnp.dtype(dtype)), right.view(jnp.dtype(dtype))).tolist() == expected


def floats_around(dtype):
    """Every float16 or bfloat16 that is normal and positive; of the wider types those around the powers of two."""
    kind = jnp.dtype(dtype)
    if kind.itemsize == 2:
        every = np.arange(int(np.array(np.inf, kind).view(np.uint16)), dtype=np.uint16).view(kind)
    else:
        powers = np.ldexp(kind.type(1), np.arange(jnp.finfo(kind).minexp, jnp.finfo(kind).maxexp)).astype(kind)
        every = np.sort(np.concatenate([powers, *(np.nextafter(powers, kind.type(to)) for to in (0, np.inf))]))
    wide = every.astype(float)
    return wide[wide >= float(jnp.finfo(dtype).smallest_normal)]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_neighbours_are_one_ulp_apart(dtype):
    floats = floats_around(dtype)[::31]
    following = np.nextafter(floats.astype(jnp.dtype(dtype)), jnp.dtype(dtype).type(np.inf)).astype(float)
    for x, up in zip(floats, following, strict=True):
        if np.isfinite(up):
            assert error_in_ulps(up, mpf(x), dtype) == error_in_ulps(-up, -mpf(x), dtype) == 1
            assert error_in_ulps(x, (mpf(x) + mpf(up)) / 2, dtype) == 0.5
            down = 0.5 if np.frexp(up)[0] == 0.5 else 1  # below a power of two floats are twice as dense
            assert error_in_ulps(x, mpf(up), dtype) == down


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_are_twice_as_dense_below_a_power_of_two(dtype):
    for x in floats_around(dtype):
        float_ = jnp.dtype(dtype).type(x)
        below = float(np.nextafter(float_, jnp.dtype(dtype).type(0)))
        if np.frexp(x)[0] == 0.5 and below >= float(jnp.finfo(dtype).smallest_normal):
            assert error_in_ulps(below, mpf(x), dtype) == 0.5
            assert error_in_ulps(x, mpf(below), dtype) == 1


@pytest.mark.parametrize("dtype", FLOATS)
@mpmath.workdps(50)
def test_what_rounds_to_infinity_is_infinite(dtype):
    kind = jnp.dtype(dtype).type
    largest = float(jnp.finfo(dtype).max)
    ulp = largest - float(np.nextafter(kind(largest), kind(0)))
    half = mpf(largest) + mpf(ulp) / 2
    for sign in (1, -1):
        assert error_in_ulps(sign * np.inf, sign * half, dtype) == 0
        assert error_in_ulps(sign * largest, sign * half, dtype) == np.inf
        assert error_in_ulps(sign * largest, sign * (half - mpf(ulp) / 4), dtype) == 0.25
        assert error_in_ulps(sign * np.inf, sign * (half - mpf(ulp) / 4), dtype) == np.inf
        assert error_in_ulps(sign * np.inf, -sign * half, dtype) == np.inf
        assert error_in_ulps(sign * np.inf, sign * mpf("inf"), dtype) == 0
        assert error_in_ulps(0.0, sign * mpf("inf"), dtype) == np.inf


@pytest.mark.parametrize("dtype", FLOATS)
def test_subnormal_numbers_count_as_zero_of_the_least_normal(dtype):
    least = float(jnp.finfo(dtype).smallest_normal)
    for part in (0, 0.25, 0.75):
        assert error_in_ulps(0.0, mpf(part * least), dtype) == part
        assert error_in_ulps(least, mpf(part * least), dtype) == 1 - part
    assert error_in_ulps(0.0, mpf(least), dtype) == 2.0 ** jnp.finfo(dtype).nmant


@pytest.mark.parametrize(
    ("value", "exact"), [(np.nan, 1), (1.0, "nan"), (np.nan, "inf"), (np.inf, "nan"), (0.0, "nan")]
)
def test_nan_on_one_side_alone_is_infinitely_far(value, exact):
    assert error_in_ulps(value, mpf(exact), "float32") == np.inf


def test_another_seed_draws_other_gradients():
    first, second = (gradients(list(FAMILIES), 30, "float32", seed) for seed in (0, 1))
    for name in FAMILIES:
        same = np.array_equal(first[name], second[name])
        assert same == (name == "constant")
    again = gradients(list(FAMILIES), 30, "float32", 1)
    assert all(np.array_equal(second[name], again[name]) for name in FAMILIES)
