"""Constants of the code: what is meant by a float, by forms that a person may have written, and by none."""

import math
from fractions import Fraction

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from adamlab.interpret.constants import meant_by
from adamlab.interpret.mpmath_algebra import Exact
from adamlab.interpret.sympy_algebra import Formulas

ROOT = math.sqrt


@pytest.mark.parametrize(
    "decimal",
    [
        "0.1",
        "1e-8",
        "0.999",
        "0.9999999",
        "1e-30",
        "6.25e-4",
        "0.044715",
        "1e23",
        "1e22",
        "123456.789",
        "1e300",
        "1e-310",
    ],
)
def test_a_double_is_the_decimal_that_it_was_written_as(decimal):
    assert meant_by(float(decimal)).ratio == Fraction(decimal)
    assert meant_by(-float(decimal)).ratio == -Fraction(decimal)


@pytest.mark.parametrize(
    ("dtype", "decimals"),
    [
        ("float32", ["0.1", "0.999", "1e-8", "0.00015", "16777.5", "1e-30"]),
        ("float16", ["0.1", "0.999", "0.05", "3.14", "1e-3"]),
        ("bfloat16", ["0.1", "0.9", "0.99", "1e-8", "0.05", "1e30"]),
    ],
)
def test_a_shorter_float_is_a_decimal_of_its_own_type(dtype, decimals):
    for decimal in decimals:
        assert meant_by(np.asarray(decimal, float).astype(jnp.dtype(dtype))[()]).ratio == Fraction(decimal)


def test_a_float32_that_was_widened_is_still_what_was_meant():
    assert meant_by(float(np.float32(0.1))).ratio == Fraction(1, 10)
    assert meant_by(float(np.float32(1 / 3))).ratio == Fraction(1, 3)
    for number in (1 - 2.0**-20, 3 * 2.0**-70, float(np.float32(math.exp(0.3)))):
        assert meant_by(number).ratio == Fraction(number)


@given(st.integers(-1000, 900))
def test_a_power_of_two_is_itself(exponent):
    assert meant_by(2.0**exponent).ratio == Fraction(2) ** exponent
    assert meant_by(3 * 2.0**exponent).ratio == 3 * Fraction(2) ** exponent


@given(st.integers(1, 10**9), st.integers(-20, 6))
def test_short_decimals_are_always_meant(digits, exponent):
    assert meant_by(float(f"{digits}e{exponent}")).ratio == Fraction(f"{digits}e{exponent}")


@pytest.mark.parametrize(
    "number",
    [
        0.1 + 0.2, 0.9**7, math.exp(0.3), 1.1 * 1.1, math.sin(1), math.nextafter(ROOT(2), 2),
        math.nextafter(math.pi, 0), math.nextafter(1 / 3, 0), 1 / 3 + 2**-54, 1234567.0000000002, (1 + ROOT(5)) / 2,
        float(np.finfo(float).max), float(np.finfo(np.float32).max), float(np.finfo(float).eps), 5e-324,
        2.0**60 + 2**10,
    ],
)  # fmt: skip
def test_any_other_float_is_itself(number):
    constant = meant_by(number)
    assert (constant.ratio, constant.of, constant.is_root) == (Fraction(number), "1", False)


def test_what_seems_to_be_computed_is_rarely_taken_for_a_form(rng):
    numbers = np.exp(rng.normal(size=400) * 4)
    constants = [meant_by(x) for x in numbers]
    assert all(c.of == "1" and not c.is_root for c in constants)
    assert sum(c.ratio != Fraction(x) for c, x in zip(constants, numbers, strict=True)) < 60  # 15 digits by chance


FORMS = {
    "1/3": 1 / 3, "2/3": 2 / 3, "1/7": 1 / 7, "1/3000": 1e-3 / 3, "1/60000": 1 / 60000, "7/180": 7 / 180,
    "1/1000": 1 - 0.999, "1/10**7": 1 - 0.9999999, "1/10": 1 - 0.9,
    "sqrt(2)": ROOT(2), "sqrt(2)/2": ROOT(0.5), "sqrt(5)": ROOT(5), "sqrt(3)/2": ROOT(3) / 2,
    "1/sqrt(1000)": ROOT(1e-3), "-sqrt(2)": -ROOT(2),
    "pi": math.pi, "2*pi": 2 * math.pi, "-2*pi": -2 * math.pi, "pi/2": math.pi / 2, "3*pi/4": 3 * math.pi / 4,
    "pi/180": math.pi / 180, "180/pi": 180 / math.pi, "1/pi": 1 / math.pi,
    "sqrt(2/pi)": ROOT(2 / math.pi), "sqrt(2*pi)": ROOT(2 * math.pi), "sqrt(pi)/2": ROOT(math.pi) / 2,
    "E": math.e, "log(2)": math.log(2), "log(10)": math.log(10), "1/log(2)": 1 / math.log(2),
}  # fmt: skip
"""Formulas in SymPy, with their floats."""


@pytest.mark.parametrize("formula", FORMS)
def test_forms_are_read_in_as_many_digits_as_asked(formula):
    constant, expected = meant_by(FORMS[formula]), sympy.sympify(formula)
    assert sympy.simplify(Formulas().number(constant) - expected) == 0
    with mpmath.workdps(50):
        number = mpmath.mpf(str(sympy.N(expected, 60)))
        assert abs(Exact().number(constant) - number) < mpmath.mpf(10) ** -48 * abs(number)


@pytest.mark.parametrize("formula", ["1/3", "2/3", "1/7", "sqrt(2)", "2*pi", "sqrt(2/pi)", "log(2)"])
def test_forms_are_read_in_float32_too(formula):
    assert meant_by(np.float32(FORMS[formula])) == meant_by(FORMS[formula])


def test_infinities_and_nan_are_themselves():
    assert Exact().number(meant_by(-np.inf)) == -mpmath.inf
    assert mpmath.isnan(Exact().number(meant_by(np.float32("nan"))))
    assert Formulas().number(meant_by(np.inf)) is sympy.S.Infinity
    assert Formulas().number(meant_by(np.nan)) is sympy.S.NaN
    assert Formulas().number(meant_by(0.0)) == Exact().number(meant_by(-0.0)) == 0
