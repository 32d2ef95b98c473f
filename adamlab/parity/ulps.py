"""Distances between numbers, in bits and in units in the last place."""

from functools import cache
from math import inf, isinf, isnan
from typing import Any

import jax.numpy as jnp
import mpmath
import numpy as np
from mpmath import libmp, mp, mpf

SAME = 1e-30
"""Two exact readings of 50 digits that differ by less, relative to the larger, are the same number."""


def differing_bits(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The number of bits in which entries of one type differ; two NaNs are the same."""
    if left.dtype != right.dtype:
        return np.full(left.shape, 8 * max(left.itemsize, right.itemsize))
    word = f"u{left.itemsize}"
    bits = np.bitwise_count(np.ascontiguousarray(left).view(word) ^ np.ascontiguousarray(right).view(word))
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return np.where(np.isnan(left) & np.isnan(right), 0, bits)


def spacing(exact: Any, dtype: str) -> Any:
    """The distance between neighbouring floats at an exact value; below the least normal number, that number.

    XLA flushes subnormal numbers to zero on a CPU, so they count as 0 here.
    """
    return mpmath.ldexp(1, _last_place(exact, dtype))


def _last_place(exact: Any, dtype: str) -> int:
    """The power of two that is the spacing."""
    least, stored = _type(dtype)
    _, mantissa, exponent, bits = exact._mpf_
    size = exponent + bits
    return size - 1 - stored if mantissa and size >= least else least - 1


@cache
def _type(dtype: str) -> tuple[int, int]:
    """The size of a type's least normal number 2^(size − 1), and the bits that are stored of a mantissa."""
    kind = jnp.finfo(dtype)
    return int(kind.minexp) + 1, int(kind.nmant)


@cache
def overflow(dtype: str) -> Any:
    """The least number that rounds to infinity, half an ulp above the largest float."""
    with mpmath.workdps(50):
        largest = mpf(float(jnp.finfo(dtype).max))
        return largest + spacing(largest, dtype) / 2


def error_in_ulps(value: float, exact: Any, dtype: str) -> float:
    """The distance of a value from the exact one, in floats of the type; ∞ where one alone is finite in it."""
    number = exact._mpf_
    if number == libmp.fnan or isnan(value):
        return 0.0 if number == libmp.fnan and isnan(value) else inf
    overflows = libmp.mpf_ge(libmp.mpf_abs(number), overflow(dtype)._mpf_)
    if overflows or isinf(value):
        return 0.0 if overflows and isinf(value) and (value > 0) == (exact > 0) else inf
    distance = libmp.mpf_sub(libmp.from_float(value), number, mp.prec, "n")
    return abs(libmp.to_float(libmp.mpf_shift(distance, -_last_place(exact, dtype)), rnd="n"))


def errors_in_ulps(values: np.ndarray, exact: np.ndarray, dtype: str) -> np.ndarray:
    """`error_in_ulps` of every entry, as float64."""
    return np.asarray(np.frompyfunc(lambda v, e: error_in_ulps(float(v), e, dtype), 2, 1)(values, exact), float)
