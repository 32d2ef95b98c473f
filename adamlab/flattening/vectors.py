"""A tree of arrays as vectors, one of each type of number."""

import math
from functools import cache, partial
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from adamlab.errors import InputError, cut
from adamlab.masks import path_of
from adamlab.types import PyTree

MANY = 32
"""The least number of arrays whose slices are compiled together."""


class Layout:
    """Where the arrays of a tree stand in its vectors; equal ones are one object, so that comparing them costs nothing.

    Attributes:
        structure: of the tree.
        shapes: of its arrays.
        dtypes: of its arrays.
        kinds: the types that occur, one for each vector.
    """

    def __init__(self, structure: Any, shapes: tuple[tuple[int, ...], ...], dtypes: tuple[Any, ...]):
        self.structure, self.shapes, self.dtypes = structure, shapes, dtypes
        self.kinds = tuple(dict.fromkeys(dtypes))

    def members(self, kind: Any) -> list[int]:
        """The numbers of the arrays that a vector holds, in its order."""
        return [i for i, dtype in enumerate(self.dtypes) if dtype == kind]

    def path(self, member: int) -> str:
        """The path of an array in the tree, as "dense/kernel"."""
        numbered = self.structure.unflatten(range(len(self.shapes)))
        return path_of(jax.tree_util.tree_leaves_with_path(numbered)[member][0])

    def size(self, kind: Any) -> int:
        """The number of entries of a vector."""
        return sum(math.prod(self.shapes[i]) for i in self.members(kind))

    def vectors(self, vectors: Any) -> dict[Any, Any]:
        """The vectors by their types."""
        return dict(zip(self.kinds, vectors, strict=True))

    def __reduce__(self):
        return layout_of, (self.structure, self.shapes, self.dtypes)

    def __deepcopy__(self, _):
        return self


@cache
def layout_of(structure: Any, shapes: tuple[tuple[int, ...], ...], dtypes: tuple[Any, ...]) -> Layout:
    """The one layout of such a tree."""
    return Layout(structure, shapes, dtypes)


@jax.tree_util.register_pytree_with_keys_class
class Ravelled:
    """A tree of arrays as vectors: a pytree whose leaves are these. `ravel` makes it.

    Attributes:
        vectors: the arrays of each type, one after the other.
        layout: where they stand.
    """

    def __init__(self, vectors: tuple[Any, ...], layout: Layout):
        self.vectors, self.layout = vectors, layout

    @property
    def tree(self) -> PyTree:
        """The tree of arrays again."""
        layout, leaves = self.layout, {}
        for kind, vector in layout.vectors(self.vectors).items():
            members = layout.members(kind)
            parts = _parts(vector, tuple(math.prod(layout.shapes[i]) for i in members))
            leaves |= {i: part.reshape(layout.shapes[i]) for i, part in zip(members, parts, strict=True)}
        return layout.structure.unflatten([leaves[i] for i in range(len(layout.shapes))])

    def tree_flatten_with_keys(self):
        """The vectors with their types for keys."""
        keys = (jax.tree_util.GetAttrKey(kind.name) for kind in self.layout.kinds)
        return list(zip(keys, self.vectors, strict=True)), self.layout

    def tree_flatten(self):
        """The vectors."""
        return self.vectors, self.layout

    @classmethod
    def tree_unflatten(cls, layout: Layout, vectors: Any) -> "Ravelled":
        """The inverse of `tree_flatten`; takes whatever JAX puts in place of the vectors."""
        return cls(tuple(vectors), layout)

    def __repr__(self):
        sizes = ", ".join(f"{self.layout.size(kind)} × {kind.name}" for kind in self.layout.kinds)
        return f"Ravelled({sizes or 'nothing'}; {len(self.layout.shapes)} arrays)"


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _parts(vector: jax.Array, sizes: tuple[int, ...]) -> list[jax.Array]:
    """The parts of a vector, of which sizes are given.

    XLA compiles a kernel of 16 ms for each slice of its own, but for slices from places that it does not know, which
    come out of a condition here, one for all of the same size.
    """
    is_compiled = isinstance(vector, Tracer) and jax.default_backend() == "cpu"
    if not is_compiled or len(sizes) < MANY or vector.shape != (sum(sizes),) or vector.size >= 2**31:
        return list(jax.lax.split(vector, sizes))
    ends = [*accumulate(sizes)]
    places = jax.lax.cond(
        jax.lax.optimization_barrier(jnp.bool_(True)),
        lambda: [jnp.int32(end - size) for end, size in zip(ends, sizes, strict=True)],
        lambda: [jnp.int32(0)] * len(sizes),
    )
    return [jax.lax.dynamic_slice(vector, (place,), (size,)) for place, size in zip(places, sizes, strict=True)]


@_parts.defjvp
def _tangents_of_parts(sizes: tuple[int, ...], primals: Any, tangents: Any) -> tuple[Any, Any]:
    """Known places, so that the gradient is joined from its parts in one kernel."""
    (vector,), (direction,) = primals, tangents
    return _parts(vector, sizes), list(jax.lax.split(direction, sizes))


def ravel(tree: PyTree) -> Any:
    """Make vectors of a tree of arrays, one of each type of number, as a `Ravelled`; `.tree` is the tree.

    >>> ravel({"w": jnp.ones((2, 2)), "b": jnp.zeros(2)})
    Ravelled(6 × float32; 2 arrays)

    Raises:
        InputError: a leaf is no array and no number.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    arrays = [_array(*leaf) for leaf in leaves]
    layout = layout_of(structure, tuple(x.shape for x in arrays), tuple(x.dtype for x in arrays))
    parts = ([arrays[i].ravel() for i in layout.members(kind)] for kind in layout.kinds)
    return Ravelled(tuple(jnp.concatenate(part) for part in parts), layout)


def _array(path: tuple, leaf: Any) -> jax.Array:
    try:
        return jnp.asarray(leaf, jnp.result_type(leaf))
    except (TypeError, ValueError):
        where = f' at "{path_of(path)}"' if path else ""
        raise InputError(
            f"ravel: expected arrays and numbers, and got {cut(repr(leaf), 60)}{where}; keep what is none beside them, "
            "as equinox.partition does."
        ) from None


def unravel(tree: PyTree) -> PyTree:
    """Make trees of all that is ravelled in a tree, such as the state of a flat optimizer."""
    return jax.tree.map(lambda node: node.tree if is_ravelled(node) else node, tree, is_leaf=is_ravelled)


def is_ravelled(node: Any) -> bool:
    """Whether a node of a tree is one that `ravel` made."""
    return isinstance(node, Ravelled)
