"""The arguments of a function that each of its results depends on."""

from collections.abc import Callable

import jax
from jax.extend.core import Literal

from adamlab.types import PyTree


def dependence(function: Callable[..., PyTree], *arguments: PyTree) -> list[frozenset[int]]:
    """The argument leaves that each leaf of a result may depend on, by their numbers.

    Results of a program inside the function, such as a loop or a jitted function, count as depending on all its inputs.

    Args:
        function: a function of trees of arrays.
        *arguments: trees, whose leaves need only have shapes and types.
    """
    jaxpr = jax.make_jaxpr(function)(*arguments).jaxpr
    known = {variable: frozenset([i]) for i, variable in enumerate(jaxpr.invars)}

    def behind(atoms) -> frozenset[int]:
        return frozenset().union(*(known.get(atom, ()) for atom in atoms if not isinstance(atom, Literal)))

    for equation in jaxpr.eqns:
        known |= dict.fromkeys(equation.outvars, behind(equation.invars))
    return [behind([atom]) for atom in jaxpr.outvars]
