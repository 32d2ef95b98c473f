"""Problems made of a function and a start, as the test functions and the problems of users are."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from adamlab.types import Problem, PyTree

TOGETHER = 8
"""The number of runs side by side of problems with matrix products, which round otherwise where it is another."""

FEW_TOGETHER = 2
"""The same of nets with ten thousand parameters or more: those of eight runs leave the processor's cache."""

MOST_DIMENSIONS = 10**6
"""The greatest `dim` of a test function."""
MOST_SEED = 2**32 - 1
"""The greatest seed of data."""
MOST_SPREAD = 1e6
"""The greatest displacement of a start."""

Point = Float[Array, "dim"]
Value = Float[Array, ""]


def problem_of(
    name: str,
    loss: Callable[..., Any],
    start: PyTree,
    *,
    spread: int | float = 0.0,
    sample: Callable[[jax.Array, ArrayLike], PyTree] | None = None,
    objective: Callable[..., jax.Array] | None = None,
    state: Callable[[jax.Array], PyTree] | None = None,
    project: Callable[[PyTree], PyTree] | None = None,
    metrics: Mapping[str, Callable[..., jax.Array]] = MappingProxyType({}),
    minima: Sequence[Sequence[int | float]] = (),
    minimum: int | float | None = None,
    domain: Sequence[Sequence[int | float]] = (),
    side_by_side: int | None = None,
    data: int = 0,
    source: str = "",
) -> Problem:
    """A problem made of a function.

    Args:
        name: as it stands in the registry.
        loss: `w -> scalar`; `(w, batch) -> scalar` where there is a `sample`; and `(w, state, batch) -> (scalar,
            state)` where there is a state as well.
        start: the parameters that runs start around, as `numeric` reads them; or a function `key -> params`.
        spread: the standard deviation of the normal displacement that a run's seed gives a start of numbers; 0 starts
            all runs at the same point. Where there is a constraint, the start is then projected.
        sample: `(key, t) -> batch`, the batch of step t, from 1.
        objective: `w -> scalar`, what is recorded; by default the loss, where there is no `sample`.
        state: `key -> state`, what is carried from step to step beside the parameters, from the key of the start.
        project: `w -> w`, back into the feasible set.
        metrics: further scalars of the parameters, by name.
        minima: the known minimizers.
        minimum: the least value of the objective.
        domain: the (low, high) of each dimension to be drawn.
        side_by_side: how many runs are computed at a time.
        data: how many numbers were drawn for its data, which bounds the problems of a config.
        source: where the function comes from.

    Raises:
        ValueError: the spread is out of range.
        TypeError: there is a sample and no objective.
    """
    if objective is None and sample is not None:
        raise TypeError("a loss of a batch needs an objective, a function of the parameters alone")
    begin = start if callable(start) else displaced(numeric(start), spread)
    feasible = project or (lambda params: params)
    return Problem(
        name,
        loss=_of_batch(loss, sample is not None, state is not None),
        start=lambda key: _in_floats(feasible(begin(key))),
        objective=loss if objective is None else objective,
        sample=sample,
        state=None if state is None else lambda key: _in_floats(state(key)),
        next_state=None if state is None else lambda w, given: _in_floats(loss(w, given[1], given[0])[1]),
        project=None if project is None else lambda params: _in_floats(feasible(params)),
        metrics=dict(metrics),
        minima=tuple(tuple(map(float, point)) for point in minima),
        minimum=None if minimum is None else float(minimum),
        domain=tuple((float(low), float(high)) for low, high in domain),
        side_by_side=side_by_side,
        data=data,
        source=source,
    )


def _of_batch(loss: Callable[..., Any], has_sample: bool, has_state: bool) -> Callable[[PyTree, PyTree], jax.Array]:
    """The loss as a function of the parameters and a batch, or of a batch and a state."""
    if has_state:
        return lambda w, given: loss(w, given[1], given[0])[0]
    return loss if has_sample else lambda w, batch: loss(w)


def _in_floats(params: PyTree) -> PyTree:
    """Floats in the run's own float type, whatever a user's function made of them."""
    return jax.tree.map(lambda x: x.astype(float) if jnp.issubdtype(x.dtype, jnp.floating) else x, params)


def numeric(start: PyTree) -> PyTree:
    """Parameters given as numbers, their leaves NumPy arrays: a list of numbers is one array.

    Raises:
        ValueError, TypeError: a leaf is not numeric, or a list of lists is no array.
    """

    def read(leaf):
        array = np.asarray(leaf)
        if not (jnp.issubdtype(array.dtype, jnp.floating) or jnp.issubdtype(array.dtype, jnp.integer)):
            raise TypeError(f"expected numbers; got {leaf!r}")
        return array.astype(float)

    return jax.tree.map(read, start, is_leaf=_is_list_of_numbers)


def displaced(start: PyTree, spread: int | float) -> Callable[[jax.Array], PyTree]:
    """The start as a function of the run's key.

    Args:
        start: a tree of NumPy arrays.
        spread: the standard deviation of the normal displacement of every number.
    """
    if not 0 <= spread <= MOST_SPREAD:
        raise ValueError(f"spread must be from 0 to {MOST_SPREAD:g}, not {spread}.")

    def begin(key):
        flat, unravel = ravel_pytree(jax.tree.map(lambda leaf: jnp.asarray(leaf, float), start))
        return unravel(flat + spread * normal(key, flat.size))

    return begin


def normal(key: jax.Array, size: int) -> Point:
    """Independent standard normal numbers, drawn in float32 always: a seed means the same in either float type."""
    return jax.random.normal(key, (size,), jnp.float32).astype(float)


def require(name: str, value: int | float, least: int | float, most: int | float) -> None:
    """Raise ValueError where an option is out of its range."""
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least:g} to {most:g}, not {value}.")


def _is_list_of_numbers(node: PyTree) -> bool:
    leaves = jax.tree.leaves(node)
    return type(node) in (list, tuple) and bool(leaves) and all(isinstance(leaf, (int, float)) for leaf in leaves)
