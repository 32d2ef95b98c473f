"""Floats that stand in code, as the numbers that were meant: decimals, fractions, roots, multiples of π; else exactly.

A form is taken for what was meant where it rounds to this very float, and is so short that chance cannot explain it.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import mpmath

BITS_PER_DIGIT = math.log2(10)

DOUBLE, FLOAT = 53, 24
"""The bits of a double and of a float32."""


@dataclass(frozen=True)
class Constant:
    """The real number ratio·of^power, or the root of its size with its sign.

    Attributes:
        ratio: the rational factor.
        of: the name of the other factor: "1", "pi", "e", "log 2", "log 10", or "inf" or "nan", which are no reals.
        power: of the other factor, 1 or −1.
        is_root: whether the number is a square root.
    """

    ratio: Fraction
    of: str = "1"
    power: int = 1
    is_root: bool = False


def meant_by(number: Any) -> Constant:
    """The constant that a float of any type in the code stands for."""
    value = float(number)
    if not math.isfinite(value):
        return Constant(Fraction(-1 if value < 0 else 1), "nan" if math.isnan(value) else "inf")
    if value == 0:
        return Constant(Fraction(0))
    info = jnp.finfo(number.dtype if hasattr(number, "dtype") else float)
    ulp = max(math.frexp(value)[1] - 1, int(info.minexp)) - int(info.nmant)
    constant = _meant_by_size(abs(value), ulp)
    return constant if value > 0 else replace(constant, ratio=-constant.ratio)


@lru_cache(maxsize=8192)
def _meant_by_size(value: float, ulp: int) -> Constant:
    """The constant that a positive float with a last place of 2^ulp stands for."""
    exact = Fraction(value)
    places = int(exact / Fraction(2) ** ulp)
    bits = places.bit_length()
    odd = places // (places & -places)
    most_digits = int((bits - 1) / BITS_PER_DIGIT)  # decimals of so many digits are all told apart
    few_digits = most_digits - 3
    written = _decimal(value, ulp, most_digits)
    if odd == 1 or (written and odd**3 < 10 ** written[1]):  # few bits, as of 3·2^−70
        return Constant(exact)
    if not written and bits == DOUBLE and odd.bit_length() <= FLOAT:
        return _meant_by_size(value, ulp + DOUBLE - FLOAT)  # a float32 that was widened
    if written and (few_digits <= 0 or written[1] <= few_digits):
        return Constant(written[0])
    if value < 0.25 and (1 - exact) * 2**bits % 1 == 0 and (rate := _decimal(1 - value, -bits, few_digits)):
        return Constant(1 - rate[0])  # 1 − 0.999; up from a quarter it cannot be told from sums such as 0.1 + 0.2
    return _form(value, places, ulp) or Constant(written[0] if written else exact)


def _decimal(value: float, ulp: int, most_digits: int) -> tuple[Fraction, int] | None:
    """The shortest decimal that rounds to a float, and its digits; None where it takes too many."""
    exact, half = Fraction(value), Fraction(2) ** (ulp - 1)
    is_even = exact / half % 4 == 0
    for digits in range(1, most_digits + 1):
        decimal = Fraction(f"{value:.{digits - 1}e}")
        if abs(decimal - exact) < half or (is_even and abs(decimal - exact) == half):
            return decimal, digits
    return None


def _ratio(constant: Any) -> Fraction:
    with mpmath.workdps(60):
        return Fraction(int(mpmath.nint(constant * 10**50)), 10**50)


FACTORS = {
    "1": Fraction(1),
    "pi": _ratio(mpmath.pi),
    "e": _ratio(mpmath.e),
    "log 2": _ratio(mpmath.ln2),
    "log 10": _ratio(mpmath.ln10),
}
"""The factors that a constant can have, to 50 digits, more than any float's."""

FORMS = [
    Constant(Fraction(1)),
    Constant(Fraction(1), is_root=True),
    *(Constant(Fraction(1), of, power) for of in ("pi", "e", "log 2", "log 10") for power in (1, -1)),
    *(Constant(Fraction(1), "pi", power, is_root=True) for power in (1, -1)),
]


def _form(value: float, places: int, ulp: int) -> Constant | None:
    """The simplest form of a positive float, which is 2^ulp times so many places; None where none is short."""
    bits = places.bit_length()
    best, least = None, 2 ** (bits / 2 - 2.5)  # among all pairs with a product below, few fit a float by chance
    for form in FORMS:
        limit = least if form == FORMS[0] else min(least, 2 ** (bits / 2 - 5.5))  # there are about 2³ other forms
        simplest = _simplest_ratio(form, 2 * places - 1, 2 * places + 1, ulp - 1, limit)
        if simplest is None and form.of == "pi" and bits == DOUBLE:
            near = _simplest_ratio(form, 2 * places - 3, 2 * places + 3, ulp - 1, limit)
            simplest = near if near and _computed(replace(form, ratio=near[0])) == value else None
        if simplest is not None:
            best, least = replace(form, ratio=simplest[0]), simplest[1]
    return best


def _computed(constant: Constant) -> float:
    """The multiple of π, or its root, as floats give it; rounded twice, it can be the second nearest to the number."""
    p, q = constant.ratio.as_integer_ratio()
    multiple = p * math.pi / q if constant.power == 1 else p / (q * math.pi)
    return math.sqrt(multiple) if constant.is_root else multiple


def _simplest_ratio(form: Constant, low: int, high: int, exponent: int, limit: float) -> tuple[Fraction, int] | None:
    """The ratio p/q·10^n of a form between low·2^exponent and high·2^exponent with the least p·q, below a limit."""
    if limit < 1:
        return None
    up, down = (FACTORS[form.of] ** -form.power).as_integer_ratio()
    power = 2 if form.is_root else 1
    low, high = low**power * up, high**power * up
    up, down = (1 << max(exponent * power, 0)), down << max(-exponent * power, 0)
    low, high = low * up, high * up
    size, reach = math.log10(low) - math.log10(down), math.log10(limit)
    best = None
    for n in range(math.floor(size - reach), math.ceil(size + reach) + 1):
        shift_up, shift_down = 10 ** max(-n, 0), 10 ** max(n, 0)
        between = _simplest_between(low * shift_up, high * shift_up, down * shift_down, limit)
        if between is not None:
            p, q = between
            best, limit = (Fraction(p * shift_down, q * shift_up), p * q), p * q
    return best


def _simplest_between(low: int, high: int, below: int, limit: float) -> tuple[int, int] | None:
    """The fraction p/q with the least p and q between low/below and high/below, where p·q < limit."""
    a, b, c, d = low, below, high, below
    p, q, before_p, before_q = 1, 0, 0, 1
    while True:
        whole = a // b
        if (whole + 1) * d < c:  # the next integer lies between
            p, q = (whole + 1) * p + before_p, (whole + 1) * q + before_q
            return (p, q) if p * q < limit else None
        p, q, before_p, before_q = whole * p + before_p, whole * q + before_q, p, q
        if p * q >= limit:
            return None
        a, b, c, d = d, c - whole * d, b, a - whole * b  # 1 over what is left of both
