"""Python's integers in the place of JAX's, which have a width and wrap, as XLA computes them on a CPU."""

import operator
from collections.abc import Callable
from functools import cache
from typing import Any

import jax.numpy as jnp

BEYOND = 1 << 64
"""An integer beyond all types."""


def wrapped(number: int, dtype: Any) -> int:
    """The integer of a type that a number wraps to."""
    least, greatest = range_of_type(dtype)
    return (number - least) % (greatest - least + 1) + least


def saturated(number: int, dtype: Any) -> int:
    """The integer of a type that is closest to a number."""
    least, greatest = range_of_type(dtype)
    return min(max(number, least), greatest)


@cache
def range_of_type(dtype: Any) -> tuple[int, int]:
    """The least and the greatest integer of a type."""
    info = jnp.iinfo(dtype)
    return int(info.min), int(info.max)


def _divide(a: int, b: int) -> int:
    """The quotient rounded towards 0; −1, which has all bits set, where b is 0."""
    quotient = abs(a) // abs(b) if b else 1
    return quotient if b and (a < 0) == (b < 0) else -quotient


def _remainder(a: int, b: int) -> int:
    return a - b * _divide(a, b)


def _bits(number: int, dtype: Any) -> int:
    """The bits of a number as an unsigned integer."""
    return number % (1 << jnp.iinfo(dtype).bits)


def _shift(number: int, by: int, dtype: Any) -> int:
    """The distance of a shift, which is unsigned; all distances beyond the width do the same."""
    return min(_bits(by, dtype), jnp.iinfo(dtype).bits)


def _shift_left(a: int, by: int, dtype: Any) -> int:
    return a << _shift(a, by, dtype)


def _shift_right_logical(a: int, by: int, dtype: Any) -> int:
    return _bits(a, dtype) >> _shift(a, by, dtype)


def _shift_right_arithmetic(a: int, by: int, dtype: Any) -> int:
    bits = jnp.iinfo(dtype).bits
    return wrapped(a, f"int{bits}") >> _shift(a, by, dtype)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "and": operator.and_,
    "clz": lambda a, dtype: jnp.iinfo(dtype).bits - _bits(a, dtype).bit_length(),
    "integer div": _divide,
    "integer rem": _remainder,
    "not": lambda a: not a if isinstance(a, bool) else ~a,
    "or": operator.or_,
    "population_count": lambda a, dtype: _bits(a, dtype).bit_count(),
    "shift_left": _shift_left,
    "shift_right_arithmetic": _shift_right_arithmetic,
    "shift_right_logical": _shift_right_logical,
    "xor": operator.xor,
}
"""Primitives of integers and booleans; their results have still to wrap."""
