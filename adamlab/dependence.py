"""Which results of a function depend on which of its arguments."""

from collections.abc import Callable

import jax
from jax.extend.core import Literal

from adamlab.types import PyTree


def dependence(function: Callable[..., PyTree], *arguments: PyTree) -> list[frozenset[int]]:
    """For each leaf of the result the numbers of the argument leaves that it may depend on.

    What is computed inside another program, such as a loop, is taken to depend on all that goes in.

    Args:
        function: a function of trees of arrays.
        *arguments: whose leaves need only have shapes and types.
    """
    jaxpr = jax.make_jaxpr(function)(*arguments).jaxpr
    known = {variable: frozenset([i]) for i, variable in enumerate(jaxpr.invars)}

    def behind(atoms) -> frozenset[int]:
        return frozenset().union(*(known.get(atom, ()) for atom in atoms if not isinstance(atom, Literal)))

    for equation in jaxpr.eqns:
        known |= dict.fromkeys(equation.outvars, behind(equation.invars))
    return [behind([atom]) for atom in jaxpr.outvars]
