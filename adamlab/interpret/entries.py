"""The entries of an array of parameters: whether they depend on each other, and whether shapes share their code."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from adamlab.interpret.arrays import Values, each
from adamlab.interpret.jaxpr import REDUCTIONS, Program, Reader
from adamlab.interpret.lanes import Doubles
from adamlab.types import PyTree

NONE: frozenset[int] = frozenset()
"""The sources of what depends on no entry."""


class Sources(Doubles):
    """The algebra of dependence: a number is the set of the entries, by their places, that it may depend on.

    Numbers of the code stay doubles and integers, so that loops of a known length can be read.
    """

    @property
    def elementwise(self) -> Mapping[str, Callable[..., Any]]:
        """The meaning of every elementwise primitive: what depends on several sets depends on their union."""
        return ELEMENTWISE

    def whole(self, number: Any) -> Any:
        """A number as an integer."""
        return number if isinstance(number, frozenset) else super().whole(number)

    def symbolic_in_width(self, value: Any, dtype: Any) -> Any:
        """An integer, which depends on the same entries when it wraps."""
        return value if isinstance(value, frozenset) else super().symbolic_in_width(value, dtype)

    def select(self, which: Any, cases: Sequence[Any]) -> Any:
        """The case at a known index; else anything that the index and the cases depend on."""
        return _union(which, *cases) if isinstance(which, frozenset) else super().select(which, cases)


def _union(*values: Any) -> frozenset[int]:
    return NONE.union(*map(_sources, values))


def _sources(value: Any) -> frozenset[int]:
    return value if isinstance(value, frozenset) else NONE


def _of_sets(on_numbers: Callable[..., Any]) -> Callable[..., Any]:
    def evaluate(*values: Any, **parameters: Any) -> Any:
        known = not any(isinstance(value, frozenset) for value in values)
        return on_numbers(*values, **parameters) if known else _union(*values)

    return evaluate


ELEMENTWISE = {name: _of_sets(meaning) for name, meaning in Doubles().elementwise.items()}


def are_coupled(init: Program, update: Program, numbers: PyTree, shape: tuple[int, ...]) -> bool:
    """Whether any entry of an update, at any step, may depend on other entries than its own.

    Args:
        init: the program of `init(numbers, params)`.
        update: that of `update(numbers, gradient, state, params, value)`.
        numbers: a tree like that of the numbers which the programs were traced for.
        shape: that of the parameters.

    Raises:
        UnreadableError: where something goes, or how often, depends on what is read.
    """
    reader = Reader(Sources())
    numbers = jax.tree.map(lambda _: NONE, numbers)
    own: Values = np.empty(shape, object)
    for place, entry in enumerate(np.ndindex(shape)):
        own[entry] = frozenset([place])
    leaves = [each(_sources, leaf) for leaf in jax.tree.leaves(reader.read(init, numbers, own))]
    structure = jax.tree.structure(init.shapes)
    while True:
        u, state = reader.read(update, numbers, own, jax.tree.unflatten(structure, leaves), own, NONE)
        if not all(each(lambda mine, given: _sources(given) <= mine, own, u).flat):
            return True
        after = [each(_union, before, leaf) for before, leaf in zip(leaves, jax.tree.leaves(state), strict=True)]
        if all(map(np.array_equal, leaves, after)):
            return False
        leaves = after


def outline(program: Program) -> Any:
    """A program without its shapes: what each equation computes of which operands, and where the results come from.

    Code that computes the same on every entry of an array has the same outline whatever the shape is.
    """
    return _outline(program.jaxpr)


def _outline(part: Any) -> Any:
    """The outline of a program within an equation's parameters; of others what does not speak of shapes."""
    if isinstance(part, ClosedJaxpr):
        return _outline_of(part.jaxpr, part.consts)
    if isinstance(part, Jaxpr):
        return _outline_of(part, ())
    if isinstance(part, (list, tuple)) and any(isinstance(element, (ClosedJaxpr, Jaxpr)) for element in part):
        return tuple(map(_outline, part))
    return part if isinstance(part, (bool, int, float, str, np.dtype)) else None


def _outline_of(jaxpr: Jaxpr, constants: Sequence[Any]) -> tuple[Any, ...]:
    """The equations with a number for each value; a value that is only given another shape keeps its number."""
    numbers: dict[Any, Any] = {v: k for k, v in enumerate([*jaxpr.constvars, *jaxpr.invars])}
    numbers |= {v: _number_of(value) for v, value in zip(jaxpr.constvars, constants, strict=False)}

    def sources(operands: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(_number_of(x.val) if isinstance(x, Literal) else numbers[x] for x in operands)

    equations: list[Any] = []
    for equation in jaxpr.eqns:
        name, operands = equation.primitive.name, sources(equation.invars)
        if name in RESHAPINGS:
            numbers[equation.outvars[0]] = operands[0]
            continue
        numbers |= {v: (len(equations), k) for k, v in enumerate(equation.outvars)}
        parameters = {key: _outline(value) for key, value in equation.params.items() if key not in OF_TYPES}
        if name in REDUCTIONS:
            left_over: Any = equation.outvars[0].aval
            parameters["axes"] = bool(left_over.shape)
        equations.append((name, operands, parameters))
    return equations, sources(jaxpr.outvars)


def _number_of(value: Any) -> str:
    """A constant as it is written; an array of equal entries is as the entry."""
    array = np.asarray(value)
    is_uniform = array.size and (array == array.flat[0]).all()
    return str(array.flat[0]) if is_uniform else f"{array.shape} {array.tolist()}"


RESHAPINGS = {"broadcast_in_dim", "expand_dims", "reshape", "squeeze"}
"""Primitives that only give entries another shape."""

OF_TYPES = {"weak_type"}
"""Parameters that say nothing of what is computed."""
