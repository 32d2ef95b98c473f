"""Plans: what a reader computes of a program, and what it leaves out."""

from unittest.mock import Mock

import jax
import jax.numpy as jnp
import numpy as np
from mpmath import mpf

from adamlab.interpret.arrays import each, objects
from adamlab.interpret.jaxpr import Reader, trace
from adamlab.interpret.mpmath_algebra import ELEMENTWISE, Exact
from adamlab.interpret.plans import Plan


def primitives(plan):
    return [step.equations[0].primitive.name for step in plan.steps]


def test_calls_are_put_in_line_and_what_is_repeated_is_left_out():
    twice = trace(lambda x, y: jax.jit(jnp.multiply)(x, y) + jax.jit(jnp.multiply)(x, y), 1.0, 1.0)
    assert primitives(Plan(twice.jaxpr)) == ["mul", "add"]
    other_order = trace(lambda x, y: x / y + y / x, 1.0, 1.0)
    assert primitives(Plan(other_order.jaxpr)) == ["div", "div", "add"]


def test_a_case_that_is_not_selected_is_not_computed_and_one_that_is_needed_elsewhere_is(monkeypatch):
    sine, cosine = Mock(return_value=mpf(2)), Mock(return_value=mpf(3))
    algebra = Exact()
    monkeypatch.setitem(ELEMENTWISE, "sin", sine)
    monkeypatch.setitem(ELEMENTWISE, "cos", cosine)
    program = trace(lambda x: jnp.where(x > 0, jnp.sin(x), jnp.cos(x)), 1.0)
    reader = Reader(algebra)
    assert [reader.read(program, mpf(x)).item() for x in (1, -1)] == [2, 3]
    assert (sine.call_count, cosine.call_count) == (1, 1)
    both = trace(lambda x: jnp.where(x > 0, (s := jnp.sin(x)), jnp.cos(x)) + s, 1.0)
    assert Reader(algebra).read(both, mpf(-1)).item() == 5


def test_each_entry_of_an_array_has_its_case():
    program = trace(lambda x: jnp.where(x > 0, 2 * x, 3 * x), jnp.zeros(2))
    assert list(Reader(Exact()).read(program, each(mpf, np.array([1, -1])))) == [2, -3]


def test_what_is_moved_for_a_case_that_is_not_selected_is_left_out_too():
    program = trace(lambda x, y: jnp.where(x > 0, jnp.flip(2 * y), 3 * y), 1.0, jnp.zeros(2))
    read = Reader(Exact()).read
    assert [list(read(program, mpf(x), each(mpf, np.array([1, 2])))) for x in (1, -1)] == [[4, 2], [3, 6]]


def test_a_renamed_result_is_renamed_for_what_comes_after_it_alone():
    program = trace(lambda x: ((y := 2 * x), y + 1, x), 1.0)
    renamed = Reader(Exact()).read(program, mpf(1), rename={0: lambda _: objects(mpf(10))})
    assert [value.item() for value in renamed] == [10, 11, 1]
