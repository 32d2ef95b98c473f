"""Equations evaluated in another way: derivatives in which nothing is multiplied by a direction's zeros."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adamlab.studies.engine.equations import derivatives, run


def gradient(function, *point):
    return np.array(jax.jit(lambda *w: derivatives(function, *w))(*point))


@pytest.mark.parametrize(
    "function", [lambda x, y: jnp.sqrt(jnp.abs(x)) + y**2, lambda x, y: jnp.sqrt(jnp.sum(jnp.stack([x, x]))) + y**2]
)
def test_an_infinite_derivative_leaves_those_by_other_coordinates_alone(function):
    wanted = jax.grad(function, (0, 1))(0.0, 3.0)
    assert not np.isfinite(wanted[0])
    np.testing.assert_array_equal(gradient(function, 0.0, 3.0), np.array(wanted))


@pytest.mark.parametrize("zero", [0.0, np.float32(0), np.zeros(2, np.float32)])
def test_what_a_function_multiplies_by_0_itself_is_nan_where_it_is_infinite(zero):
    def function(x, y):
        return jnp.sum(zero * jnp.sqrt(x)) + y**2

    wanted = np.array(jax.grad(function, (0, 1))(0.0, 3.0))
    assert np.isnan(wanted).tolist() == [True, False]
    np.testing.assert_array_equal(gradient(function, 0.0, 3.0), wanted)


def test_a_function_that_tells_of_its_values_has_derivatives():
    def function(x):
        jax.debug.print("{}", x)
        return x**3

    assert gradient(function, 2.0) == [12.0]


def test_equations_are_evaluated_in_the_context_that_they_were_traced_in():
    def draw():
        with jax.threefry_partitionable(False):  # which is not the default
            return jax.random.normal(jax.random.key(0), (3,))

    traced = jax.make_jaxpr(draw)()
    (drawn,) = run(traced.jaxpr, traced.consts, [])
    np.testing.assert_array_equal(drawn, draw())
    assert (np.array(drawn) != np.array(jax.random.normal(jax.random.key(0), (3,)))).any()
