"""Any function of arrays, and its backward, read as formulas."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from sympy import Symbol, sympify

from adamlab.interpret.arrays import Values, each
from adamlab.interpret.jaxpr import Reader, trace
from adamlab.interpret.sympy_algebra import Formulas
from adamlab.types import PyTree


def symbols(letter: str, *shape: int, **assumptions: bool) -> Values:
    """An array of symbols, real unless told otherwise: z_1, z_2 …; a_1_1, a_1_2 … of a matrix, counted from 1."""
    names = np.empty(shape, object)
    for entry in np.ndindex(shape):
        names[entry] = Symbol("_".join([letter, *(str(i + 1) for i in entry)]), **({"real": True} | assumptions))
    return names


def read(function: Callable[..., PyTree], *arguments: PyTree, algebra: Formulas | None = None) -> PyTree:
    """Evaluate a function on arrays of SymPy's expressions.

    Args:
        function: of arrays, anything that JAX can trace.
        *arguments: trees of arrays of expressions or numbers.
        algebra: receives the assumptions that had to be made.

    Returns:
        The tree that the function returns, with arrays of expressions.

    Raises:
        UnreadableError: the function has a primitive that has no meaning for formulas; it is named.
    """
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(np.shape(x), np.dtype("float64")), arguments)
    formulas = jax.tree.map(lambda x: each(sympify, np.asarray(x, object)), arguments)
    algebra = algebra or Formulas()
    # Traced as an object of its own: JAX remembers traces by function, whatever has changed about it since.
    result = Reader(algebra).read(trace(partial(function), *shapes), *formulas)
    return jax.tree.map(lambda x: each(algebra.resolved, x), result)


def pulled_back(function: Callable[..., Any], *arguments: Values, cotangent: Values) -> tuple[Values, ...]:
    """∂L/∂x for every argument x of a function y as its backward computes it, for a given ∂L/∂y."""
    return read(lambda dy, *xs: jax.vjp(function, *xs)[1](dy), cotangent, *arguments)
