"""Integers of a width in formulas: closed forms and unrolled steps of random expressions are what JAX computes."""

import math
import operator
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax import lax
from mpmath import mpf, workdps
from sympy import Integer, Piecewise, Symbol

import adamlab as al
from adamlab.errors import InputError
from adamlab.interpret.jaxpr import UnreadableError
from adamlab.interpret.sympy_primitives import Mod
from tests.fuzzing.formulas import value_of
from tests.symbolic.examples import transformation

TYPES = ("int8", "uint8", "int16", "uint32")
STEPS = 24
GRADIENTS = np.where(np.arange(STEPS) % 3 == 1, -1.5, 0.5)

UNROLLED = {f"g_{t}": mpf(g) for t, g in enumerate(GRADIENTS, 1)}
INDEXED = {("g", t): mpf(g) for t, g in enumerate(GRADIENTS, 1)}

Whole = Callable[[Any, Any], Any]
"""Gives an integer of a step's number, which has that integer's type, and of the gradient."""


def constants(dtype: str) -> st.SearchStrategy[Whole]:
    """Constants of the type, small ones more often."""
    low, high = (int(x) for x in (np.iinfo(dtype).min, np.iinfo(dtype).max))
    numbers = st.one_of(st.integers(max(low, -9), 9), st.integers(low, high))
    return numbers.map(lambda n: lambda t, g: jnp.asarray(n, t.dtype))


def expressions(dtype: str) -> st.SearchStrategy[Whole]:
    """Expressions of the type in the step's number and the sign of the gradient."""

    def unary(f: Callable[[Any], Any], a: Whole) -> Whole:
        return lambda t, g: f(a(t, g))

    def binary(f: Callable[[Any, Any], Any], a: Whole, b: Whole) -> Whole:
        return lambda t, g: f(a(t, g), b(t, g))

    def cases(a: Whole, b: Whole) -> Whole:
        return lambda t, g: jnp.where(g > 0, a(t, g), b(t, g))

    def where_compared(f: Callable[[Any, Any], Any], a: Whole, b: Whole) -> Whole:
        return lambda t, g: jnp.where(f(a(t, g), b(t, g)), t, b(t, g))

    def by(f: Callable[[Any, Any], Any], a: Whole, n: int) -> Whole:
        return lambda t, g: f(a(t, g), jnp.asarray(n, t.dtype))

    def larger(parts: st.SearchStrategy[Whole]) -> st.SearchStrategy[Whole]:
        return st.one_of(
            st.builds(unary, st.sampled_from([jnp.negative, jnp.invert, jnp.abs, jnp.sign]), parts),
            st.builds(binary, st.sampled_from([jnp.add, jnp.subtract, jnp.multiply]), parts, parts),
            st.builds(by, st.sampled_from([jnp.remainder, lax.rem]), parts, st.integers(1, 9)),
            st.builds(cases, parts, constants(dtype)),
            st.builds(
                where_compared, st.sampled_from([operator.eq, operator.ne, operator.lt]), parts, constants(dtype)
            ),
        )

    return st.recursive(st.one_of(st.just(lambda t, g: t), constants(dtype)), larger, max_leaves=5)


def by_step(of: Callable[[Any, Any], Any]) -> Any:
    """An optimizer whose update is a function of the step's number and of the gradient."""

    def update(g: Any, count: Any, w: Any = None) -> tuple[Any, Any]:
        return of(count + 1, g), count + 1

    return transformation(lambda w: jnp.zeros([], jnp.int32), update)


@example(("uint8", lambda t, g: (300 * g).astype(t.dtype)))
@example(("int8", lambda t, g: (-300 * g).astype(t.dtype) * t))
@example(("uint8", lambda t, g: (300 - 30 * t.astype(float)).astype(t.dtype)))
@example(("int8", lambda t, g: jnp.sqrt(9 * g).astype(t.dtype)))
@example(("int8", lambda t, g: lax.div(jnp.int8(100), t - 3)))
@example(("int8", lambda t, g: lax.rem(jnp.int8(100), t - 3)))
@example(("int32", lambda t, g: lax.rem(t, g.astype(t.dtype))))
@example(("int32", lambda t, g: lax.div(t, g.astype(t.dtype))))
@example(("uint8", lambda t, g: -t))
@example(("uint8", lambda t, g: ~t))
@example(("uint8", lambda t, g: t // 3 * 50))
@example(("int8", lambda t, g: jnp.abs(t % 5 - 9) * 15))
@example(("uint8", lambda t, g: -(t % 3 + 1)))
@example(("uint8", lambda t, g: t % 7 * 50))
@example(("uint8", lambda t, g: -jnp.where(g > 0, jnp.uint8(1), jnp.uint8(2))))
@example(("uint8", lambda t, g: t % 1 - 1))
@example(("uint8", lambda t, g: t * jnp.where(g > 0, t, jnp.uint8(0))))
@example(("int32", lambda t, g: t % 5 * 3 % 5))
@example(("int8", lambda t, g: t % 3 * -(t % 5) * 20))
@example(("uint8", lambda t, g: -(jnp.abs(2 * g).astype(t.dtype) + 1)))
@example(("int8", lambda t, g: jnp.sign(t % 3 - 1) * t))
@example(("int8", lambda t, g: jnp.where(t % 3 - 1 == 0, t, jnp.int8(3))))
@example(("int8", lambda t, g: lax.rem(jnp.where(g > 0, t, jnp.int8(0)), jnp.int8(6))))
@given(st.sampled_from(TYPES).flatmap(lambda dtype: st.tuples(st.just(dtype), expressions(dtype))))
@settings(max_examples=40)
def test_an_integer_is_told_as_it_wraps(case: tuple[str, Whole]):
    dtype, whole = case

    def optimizer() -> Any:
        return by_step(lambda t, g: whole(t.astype(dtype), g).astype(float))

    with jax.enable_x64(True):
        each = jax.jit(jax.vmap(lambda t, g: whole(t.astype(dtype), g).astype(float)))
        computed = each(jnp.arange(1, STEPS + 1, dtype=jnp.int32), jnp.asarray(GRADIENTS)).tolist()
    _told(lambda: al.closed_form(optimizer), computed)
    _told(lambda: al.unroll(optimizer, steps=6), computed)


def _told(read: Callable[[], Any], computed: list[float]) -> None:
    """Hold the updates that a reading tells against those that were computed, as far as it says."""
    try:
        told = read()
    except (InputError, UnreadableError):
        return
    assumed = "\n".join(told.assumptions)
    assert "false" not in assumed.lower()
    first = max([1, *map(int, re.findall(r"t ≥ (\d+)", assumed))])
    last = min([len(computed), *map(int, re.findall(r"t ≤ (\d+)", assumed))])
    assert last >= 1, told
    formulas = told.updates if isinstance(told.updates, list | tuple) else [told.updates] * len(computed)
    for t, formula in list(enumerate(formulas, 1))[first - 1 : last]:
        with workdps(60):
            value = value_of(formula, {"t": mpf(t), **UNROLLED}, INDEXED)
        assert value == computed[t - 1], (told, t, computed[t - 1])


@pytest.mark.parametrize(
    "whole", [lambda t: t // 3, lambda t: -t // 3, lambda t: 100 // t, lambda t: 3 % t, lambda t: t // 3 % 2]
)
def test_an_integer_that_never_wraps_is_not_said_to(whole):
    assert al.closed_form(lambda: by_step(lambda t, g: whole(t) * g)).assumptions == ("t < 2³¹",)


def test_the_lower_bound_of_a_root_is_known():
    f = al.closed_form(lambda: by_step(lambda t, g: jnp.sqrt(g * g + 1).astype(jnp.int8).astype(float)))
    assert f.assumptions == ("t < 2³¹",)


def test_an_integer_that_is_not_monotone_wraps_where_its_bounds_do():
    f = al.closed_form(lambda: by_step(lambda t, g: (t - 5) ** 2 * g))
    assert f"t ≤ {5 + math.isqrt(2**31 - 1)}, beyond which an integer of the code wraps" in f.assumptions


@pytest.mark.parametrize("grown", [jnp.maximum, jnp.add, lambda n, on: n * (1 - on) + on])
def test_the_range_of_a_small_integer_is_known_and_not_assumed(grown):
    def update(g, n, w=None):
        return n * g, grown(n, (g > 1).astype(n.dtype))

    u = al.unroll(lambda: transformation(lambda w: jnp.zeros([], jnp.uint8), update), steps=4)
    assert u.assumptions == ()


X = Symbol("x", integer=True, positive=True)


@pytest.mark.parametrize(
    "whole",
    [3 * Mod(X, 5), 50 * Mod(X, 7), Mod(X, 3) * Mod(X, 7) - 4, Mod(Mod(X, 9), 4), Piecewise((4, X > 8), (0, True))],
)
@pytest.mark.parametrize("divisor", [5, 6, 8, 256])
def test_a_remainder_is_none_of_those_that_sympy_gets_wrong(whole, divisor):
    # SymPy 1.14 has 3·mod(x, 5) for the first by 5, mod(3·mod(x, 5)², 8) by 8, and 0 for the last by 6.
    formula = Mod(whole, divisor)
    for n in range(1, 30):
        value = whole.subs(X, Integer(n))
        assert formula.subs(X, Integer(n)) == int(value) % divisor
