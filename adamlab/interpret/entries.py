"""The entries of an array of parameters, and whether they depend on each other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from adamlab.interpret.arrays import Values, each
from adamlab.interpret.jaxpr import Program, Reader
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
