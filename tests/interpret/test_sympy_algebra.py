"""Formulas read off functions, with numbers put in afterwards, against JAX; and how conditions are settled."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sympy import Abs, Max, Min, Ne, Piecewise, Rational, S, Symbol, cos, lambdify, log, pi, sqrt

from adamlab.interpret.arrays import Values
from adamlab.interpret.jaxpr import Reader, UnreadableError, trace
from adamlab.interpret.signs import Rate
from adamlab.interpret.sympy_algebra import Formulas
from tests.interpret.test_jaxpr import FUNCTIONS, MATRIX, VECTOR, computed

b, t, x = Rate("b"), Symbol("t", integer=True, positive=True), Symbol("x", real=True)

NUMERIC_ONLY = {
    *("finite", "nan", "argmin", "slices", "while", "complex", "sigmoids", "whole powers"),
    *("batched while", "interpolation", "sorting", "order of nan", "places of extremes", "long rows"),
}
"""Functions of the walker's tests that want numbers: infinities, positions of extremes, loops that go by a value."""


def symbols_like(values: np.ndarray, letter: str) -> Values:
    named = np.empty(values.shape, object)
    for entry in np.ndindex(*values.shape):
        named[entry] = Symbol("_".join([letter, *map(str, entry)]), real=True)
    return named


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - NUMERIC_ONLY))
def test_formulas_have_the_values_of_jax(x64, name):
    with jax.numpy_rank_promotion("allow"):
        program = trace(FUNCTIONS[name], MATRIX, VECTOR)
    algebra, arguments = Formulas(), (symbols_like(MATRIX, "x"), symbols_like(VECTOR, "y"))
    formulas = jax.tree.leaves(Reader(algebra).read(program, *arguments))
    names = [s for argument in arguments for s in argument.flat]
    numbers = [n for values in (MATRIX, VECTOR) for n in values.flat]
    for ours, theirs in zip(formulas, computed()[name], strict=True):
        full = [algebra.in_full(e) for e in ours.flat]
        values = np.array(lambdify(names, full, "mpmath")(*map(float, numbers)), object)
        np.testing.assert_allclose(values.astype(float).reshape(theirs.shape), theirs, rtol=1e-12)


def read(function, *arguments, algebra=None):
    program = trace(function, *([1.0] * len(arguments)))
    values = (np.array(a, object) for a in arguments)
    return Reader(algebra or Formulas()).read(program, *values).item()


def test_cases_that_are_the_same_formula_need_no_condition():
    assert read(lambda c, x: jnp.where(c > 0.5, x - (1 - c) * x, c * x), 1 - b, x) in (x * (1 - b), (1 - b) * x)
    assert read(lambda b, x: jnp.where(b > 0.5, 1 - b**2, -jnp.expm1(2 * jnp.log(b))) * x, b, x).free_symbols - {x}


def test_each_algebra_gets_the_assumptions_of_a_program_that_is_read_again():
    program, value = trace(lambda x: jnp.where(x != 0, 2 / x, 0.0), 1.0), np.array(x, object)
    for algebra in (Formulas(), Formulas()):
        reader = Reader(algebra)
        assert {reader.read(program, value).item() for _ in range(2)} == {2 / x}
        assert [*algebra.assumptions] == [Ne(x, 0)]


def test_what_a_case_asks_again_is_settled_in_it():
    def function(c, x):
        small = jnp.where(c > 0.5, 0.5, c)
        return jnp.where(c > 0.5, c * x, small * x)

    assert read(function, b, x) == b * x


def test_a_condition_that_fails_at_single_points_is_assumed_by_name():
    algebra = Formulas()
    assert read(lambda x: jnp.where(x**2 > 0, 1 / x, 0.0), x, algebra=algebra) == 1 / x
    assert list(algebra.assumptions) == [Ne(x**2, 0)]
    assert read(lambda x: jnp.where(x == 3, 0.0, x), x, algebra=algebra) == x
    assert Ne(x - 3, 0) in algebra.assumptions


def test_a_condition_that_makes_no_difference_is_not_assumed():
    algebra = Formulas()
    assert read(lambda x: jnp.where(x == 3, x, x), x, algebra=algebra) == x
    assert not algebra.assumptions


def test_a_sign_is_never_assumed_to_differ_from_a_number():
    """sign(x) is −1 on half of all x: no single point."""
    assert read(lambda x: jnp.where(jnp.sign(x) == -1, 2.0, 3.0), x).has(Piecewise)


def test_other_conditions_are_cases():
    e = read(lambda x: jnp.where(x > 1, x, 2 * x), x)
    assert e == Piecewise((x, x > 1), (2 * x, True))
    assert (e.subs(x, 3), e.subs(x, Rational(1, 2))) == (3, 1)
    assert read(lambda x: (x > 1).astype(float) + 1, x).subs(x, 2) == 2


def test_conditions_in_the_step_are_taken_as_they_are_later_on():
    algebra = Formulas(t)
    e = read(lambda t, x: jnp.where(t < 10, x, jnp.where(t <= 12, 2 * x, 3 * x)), t, x, algebra=algebra)
    assert (e, algebra.first_step) == (3 * x, 13)
    algebra = Formulas(t)
    assert (
        read(lambda t, x: jnp.where(t < 2147483647, jnp.maximum(t - 1, 1) * x, x), t, x, algebra=algebra) == (t - 1) * x
    )
    assert algebra.first_step == 2


def test_maxima_are_decided_where_signs_are_known():
    assert read(lambda x: jnp.maximum(x**2, 0.0), x) == x**2
    assert read(lambda x: jnp.maximum(x, 0.0), x) == Max(x, 0)
    assert read(lambda x: jnp.clip(jnp.abs(x), -1.0), x) == Abs(x)


def test_constants_are_the_decimals_that_were_meant():
    algebra = Formulas()
    assert read(lambda x: x * 0.1 + 0.5 + jnp.float32(0.7), x, algebra=algebra) == x / 10 + Rational(1, 2) + Rational(
        7, 10
    )
    assert algebra.constants == {Rational(1, 10), Rational(7, 10)}
    assert read(lambda x: jnp.cos(jnp.pi * x), x) == cos(pi * x)


def test_complements_have_short_names():
    algebra = Formulas()
    e = read(lambda b, x: jnp.sqrt(x**2 / (1 - b**3)), b, x, algebra=algebra)
    assert list(algebra.complements.values()) == [1 - b**3]
    assert algebra.in_full(e) == Abs(x) / sqrt(1 - b**3)
    assert read(lambda b, x: (1 - (1 - b)) * x, b, x) == b * x


def test_a_random_draw_stops_by_name():
    with pytest.raises(UnreadableError, match="random"):
        read(lambda x: x * jax.random.normal(jax.random.key(0)), x)


def test_a_loop_that_goes_by_a_value_stops():
    with pytest.raises(UnreadableError, match="while"):
        read(lambda x: jax.lax.while_loop(lambda c: c < 3, lambda c: c + x, x), x)


def test_what_wants_numbers_and_gets_symbols_is_told():
    for function in (
        lambda y: -jnp.sort(y),
        lambda y: -jnp.argmax(y),
        lambda y: jax.lax.top_k(y, 2)[0],
        lambda y: y[y.astype(int)],
        lambda y: y.at[y.astype(int)].add(1.0),
        lambda y: jax.lax.dynamic_slice(y, (y[0].astype(int),), (2,)),
        lambda y: y.at[:].apply(jnp.round),
    ):
        with pytest.raises(
            UnreadableError, match=r"cannot read the primitive '[\w-]+', at .*:\d+.* depends? on what is read|known"
        ):
            Reader(Formulas()).read(trace(function, VECTOR), symbols_like(VECTOR, "y"))


def test_two_symbols_are_sorted_by_their_extremes():
    y = symbols_like(VECTOR[:2], "y")
    low, high = Reader(Formulas()).read(trace(jnp.sort, VECTOR[:2]), y)
    assert (low, high) == (Min(*y), Max(*y))
    assert Reader(Formulas()).read(trace(jnp.sort, VECTOR[:1]), y[:1]).item() == y[0]


def test_what_is_undefined_for_all_reals_is_not_a_number():
    assert read(lambda x: jnp.sqrt(-jnp.abs(x) - 1), x) is S.NaN
    assert read(lambda x: jnp.log(-1 - x**2), x) is S.NaN
    assert read(lambda x: jax.lax.rsqrt(-1 - x**2), x) is S.NaN
    assert read(lambda x: (-1 - x**2) ** 0.5, x) is S.NaN


def test_constants_are_exact_in_symbols():
    algebra = Formulas()
    e = read(lambda x: x * 2.0**24 * (1 / 3) * np.sqrt(2) * 2.0**-24 * (2 * np.pi) * math.log(2), x, algebra=algebra)
    assert e == 2 * pi * sqrt(2) * log(2) * x / 3
    assert algebra.constants == {Rational(1, 3), Rational(1, 2**24)}
