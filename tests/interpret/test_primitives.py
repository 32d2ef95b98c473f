"""The meaning of each elementwise primitive against JAX itself in float64, at special values and at plain ones."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from mpmath import mpc, mpf, workdps
from sympy import Rational, S, Symbol

from adamlab.interpret import mpmath_algebra
from adamlab.interpret.arrays import each, objects
from adamlab.interpret.integers import OPERATIONS
from adamlab.interpret.jaxpr import Reader, UnreadableError, trace
from adamlab.interpret.lanes import Doubles, Lanes
from adamlab.interpret.mpmath_algebra import Exact
from adamlab.interpret.sympy_algebra import Formulas

INF, NAN = np.inf, np.nan
PLAIN = [0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 0.3, -1.7, 5.5, -7.25, 1e-9]
REALS = np.array([NAN, INF, -INF, *PLAIN])
LEFT, RIGHT = (side.ravel() for side in np.meshgrid(REALS, REALS))
SOME = 5
"""Formulas are evaluated at every fifth pair of numbers."""

COMPLEX = np.array([-1, 2, -0.5, 1j, -2j, 1 + 2j, -3.5 + 0.25j, 0.3 - 0.7j, 1e-3], complex)

UNARY = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "ceil", "cos", "cosh", "digamma", "erf",
    "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "is_finite", "lgamma", "log", "log1p", "logistic", "neg",
    "round", "rsqrt", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh",
]  # fmt: skip
BINARY = [
    "add", "atan2", "div", "eq", "ge", "gt", "le", "lt", "max", "min", "mul", "ne", "pow", "rem", "sub",
]  # fmt: skip
ONLY_REAL = [
    "acos", "acosh", "asin", "asinh", "atanh", "cbrt", "ceil", "digamma", "erf", "erf_inv", "erfc", "floor",
    "is_finite", "lgamma", "round",
]  # fmt: skip
"""Functions of reals only, or cut along the axes, where the side is a convention."""

OF_COMPLEX = [*(name for name in UNARY if name not in ONLY_REAL), "conj", "imag", "real"]
COMPLEX_PAIRS = ["add", "sub", "mul", "div", "pow", "ne"]

REAL_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(lax, name) for name in [*UNARY, *BINARY]},
    "round to even": lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN),
    **{f"integer_pow {k}": partial(lambda k, x: lax.integer_pow(x, k), k) for k in (0, 2, 3, -1, -2)},
    "clamp below 1.5": lambda a, b: lax.clamp(a, b, 1.5),
    "clamp above 0.25": lambda a, b: lax.clamp(0.25, a, b),
}
COMPLEX_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(lax, name) for name in OF_COMPLEX},
    **{
        name: partial(lambda name, z: getattr(lax, name)(z, z[::-1]), name)
        for name in ["add", "sub", "mul", "div", "pow", "ne"]
    },
    **{f"integer_pow {k}": partial(lambda k, z: lax.integer_pow(z, k), k) for k in (2, -1)},
    "conj of reals": lambda z: lax.conj(z.real),
    "sqrt of reals": lambda z: jnp.sqrt(z.real.astype(complex)),
    "real part": lambda z: lax.convert_element_type(lax.real(z * 1j), float),
    "reductions": lambda z: jnp.stack([jnp.sum(z), jnp.prod(z), jnp.dot(z, z), jnp.mean(z)]),
    "out of bounds": lambda z: jnp.take(z, jnp.array([9, 1])),
}


def arguments(name: str) -> tuple[np.ndarray, ...]:
    return (LEFT, RIGHT) if name in BINARY or name.startswith("clamp") else (REALS,)


@cache
def computed() -> dict[str, np.ndarray]:
    """The values of all functions by JAX, in one program."""
    with jax.enable_x64(True):

        def program(values: dict[str, tuple[np.ndarray, ...]], z):
            real = {name: function(*values[name]) for name, function in REAL_FUNCTIONS.items()}
            return real | {f"complex {name}": function(z) for name, function in COMPLEX_FUNCTIONS.items()}

        given = {name: arguments(name) for name in REAL_FUNCTIONS}
        return {name: np.asarray(values) for name, values in jax.jit(program)(given, COMPLEX).items()}


def assert_equal(ours: np.ndarray, theirs: np.ndarray):
    assert ours.shape == theirs.shape
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-300)


def test_all_elementwise_primitives_are_tested():
    tested = {name.split()[0] for name in REAL_FUNCTIONS} | set(OF_COMPLEX) | set(OPERATIONS)
    assert set(mpmath_algebra.ELEMENTWISE) - tested == {"add_any", "complex", "le_to", "lt_to"}
    assert set(Formulas().elementwise) - tested == {
        "add_any", "complex", *(f"complex {name}" for name in ["div", "log", "pow", "rsqrt", "sqrt"]),
    }  # fmt: skip


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("name", REAL_FUNCTIONS)
def test_exact_values_are_those_of_jax(x64, name):
    with workdps(50):
        values = Reader(Exact()).read(
            trace(REAL_FUNCTIONS[name], *arguments(name)), *(each(mpf, a) for a in arguments(name))
        )
    assert_equal(values.astype(float), computed()[name].astype(float))


def test_rows_of_doubles_have_the_values_of_jax(x64):
    wrong = []
    for name, function in REAL_FUNCTIONS.items():
        rows = [objects(Lanes(a)) for a in arguments(name)]
        scalars = [jax.ShapeDtypeStruct((), np.dtype(float)) for _ in rows]
        with np.errstate(all="ignore"):
            values = Reader(Doubles()).read(trace(function, *scalars), *rows).item().row
        theirs = computed()[name]
        if not np.allclose(values.astype(float), theirs.astype(float), rtol=1e-9, atol=1e-15, equal_nan=True):
            wrong.append(name)
    assert wrong == []


def in_sympy(x: float) -> Any:
    return {"nan": S.NaN, "inf": S.Infinity, "-inf": S.NegativeInfinity}.get(str(x)) or Rational(x)


@pytest.mark.parametrize("name", REAL_FUNCTIONS)
def test_formulas_of_numbers_have_the_values_of_jax(x64, name):
    given = [a[::SOME] if len(a) > len(REALS) else a for a in arguments(name)]
    formulas = Reader(Formulas()).read(trace(REAL_FUNCTIONS[name], *given), *(each(in_sympy, a) for a in given))
    expected = computed()[name].astype(float)
    assert_equal(formulas.astype(float), expected[::SOME] if len(expected) > len(REALS) else expected)


@pytest.mark.parametrize("name", COMPLEX_FUNCTIONS)
def test_complex_values_are_those_of_jax_and_stay_complex(x64, name):
    with workdps(50):
        values = Reader(Exact()).read(trace(COMPLEX_FUNCTIONS[name], COMPLEX), each(mpc, COMPLEX.astype(object)))
    expected = computed()[f"complex {name}"]
    assert_equal(values.astype(complex), expected.astype(complex))
    if expected.dtype != bool:
        assert {type(value) for value in values.flat} == {mpc if expected.dtype == complex else mpf}


def test_the_order_of_complex_numbers_is_not_read(x64):
    with pytest.raises(UnreadableError, match="complex numbers have no order"):
        Reader(Exact()).read(trace(jnp.sort, COMPLEX), each(mpc, COMPLEX.astype(object)))


WHOLE_TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
ON_INTEGERS = [
    "abs", "add", "and", "div", "max", "min", "mul", "neg", "not", "or", "rem", "sign", "sub", "xor", "shift_left",
    "shift_right_arithmetic", "shift_right_logical", "population_count", "clz", "square", "eq", "lt", "ge",
]  # fmt: skip
ONE_OPERAND = {"abs", "neg", "not", "sign", "population_count", "clz", "square"}


def integers(dtype: str) -> np.ndarray:
    info = np.iinfo(dtype)
    low, high = int(info.min), int(info.max)
    return np.array(
        [low, low + 1, high, high - 1, high // 2 + 1, 0, 1, 2, 5, -1 if low else 7, info.bits - 1, info.bits], dtype
    )


def of_integers(a: Any, b: Any) -> dict[str, Any]:
    names = {name: f"bitwise_{name}" if name in ("and", "not", "or", "xor") else name for name in ON_INTEGERS}
    operations = {name: getattr(lax, names[name]) for name in ON_INTEGERS}
    if jnp.issubdtype(a.dtype, jnp.unsignedinteger):
        del operations["abs"]
    values = {name: f(a) if name in ONE_OPERAND else f(a, b) for name, f in operations.items()}
    others = {to: a.astype(to) for to in [*WHOLE_TYPES, "float64", "bool"]}
    rows = a.reshape(12, 12)
    many = {
        "cube": a**3, "sum": jnp.sum(rows, 0, dtype=a.dtype), "prod": jnp.prod(rows, 1, dtype=a.dtype),
        "cumsum": jnp.cumsum(a, dtype=a.dtype), "cumprod": jnp.cumprod(b, dtype=a.dtype), "dot": rows @ rows,
        "iota": lax.iota(a.dtype, 300), "scattered": jnp.zeros(3, a.dtype).at[jnp.array([0, 0, 2] * 48)].add(a),
        "after": (a + b) > a, "shifted by two": (a + a) >> 1, "scan": lax.scan(lambda c, x: (c * 3 + x, c), a[5], a),
        "floor": a // b, "modulo": a % b, "all": lax.reduce_and(rows, (0,)), "odd": lax.reduce_xor(rows, (1,)),
        "taken": jnp.take(a, jnp.array([999, 3])), "greatest": jnp.max(rows, 1), "places": jnp.argmax(rows, 1),
    }  # fmt: skip
    return values | others | many


@pytest.mark.one_case_in(8)
@pytest.mark.parametrize("dtype", WHOLE_TYPES)
def test_integers_have_the_width_of_jax(x64, dtype):
    pairs = [side.ravel() for side in np.meshgrid(integers(dtype), integers(dtype))]
    theirs = jax.jit(of_integers)(*pairs)
    program = trace(of_integers, *pairs)
    for algebra in (Exact(), Formulas()):
        ours = Reader(algebra).read(program, *(a.astype(object) for a in pairs))
        for name, expected in theirs.items():
            for values, numbers in zip(jax.tree.leaves(ours[name]), jax.tree.leaves(expected), strict=True):
                whole = numbers.dtype == bool or np.issubdtype(numbers.dtype, np.integer)
                assert not whole or {type(x) for x in values.flat} <= {int, bool}, (name, algebra)
                np.testing.assert_array_equal(values.astype(numbers.dtype), numbers, f"{name} of {dtype}")


@pytest.mark.parametrize("dtype", WHOLE_TYPES)
def test_floats_become_the_integers_that_jax_makes_of_them(x64, dtype):
    floats = np.array([300.0, -1.5, 1e20, -1e20, NAN, INF, -INF, 255.9, -0.5, -129.0, 3e9, -3e9, 2.0**63, 0.7])
    expected = np.asarray(jax.jit(lambda x: x.astype(dtype))(floats))
    for algebra, number in ((Exact(), mpf), (Formulas(), in_sympy)):
        values = Reader(algebra).read(trace(lambda x: x.astype(dtype), floats), each(number, floats))
        assert values.tolist() == expected.tolist()


def test_a_whole_number_in_symbols_is_told_where_its_bits_are_asked_for():
    n = np.array(Symbol("n", integer=True), object)
    for function in (lambda n: n << 1, lambda n: n & 3, lambda n: n ^ 3, lax.population_count):
        with pytest.raises(UnreadableError, match="its integers depend on what is read"):
            Reader(Formulas()).read(trace(function, 1), n)
