"""The loss and its gradient for runs side by side: in forward mode, coordinate by coordinate, where there are few."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from adamlab.studies.engine.equations import derivatives, largest_arrays
from adamlab.types import Problem, PyTree

FEW = 4
"""The most coordinates of a gradient in forward mode.

In reverse mode the gradient is a sum of padded pieces, which XLA does not vectorize: on Rosenbrock's function a step of
Adam takes twice as long.
"""

OverRuns = Callable[[Callable[..., Any], Sequence[Any], Any], Callable[..., Any]]
"""Maps a function of one run: `(function, axis of runs in each argument, axis in the results) -> function of all`."""


def over_runs(size: int) -> OverRuns:
    """The map over `size` runs; a single run is computed without an axis of runs, where XLA's products are fastest."""
    if size == 1:
        return _single_run
    return lambda function, in_axes, out_axes: jax.vmap(function, in_axes=tuple(in_axes), out_axes=out_axes)


def is_forward(problem: Problem) -> bool:
    """Whether the loss is differentiated in forward mode: a function of few numbers in one vector that allows it.

    A loss of another float type than the parameters' does not: its derivatives forwards would be rounded to that.
    """
    start = jax.eval_shape(problem.start, jax.random.key(0))
    if (
        problem.side_by_side is not None
        or problem.state is not None
        or not hasattr(start, "shape")
        or start.ndim != 1
        or start.size > FEW
    ):
        return False
    try:
        forwards = jax.jit(lambda w, key: _forwards(problem, _batch(problem, key), *w))
        loss, _ = forwards.lower(start, jax.random.key(0)).out_info
    except TypeError:  # a loss with a hand-written backward has no forward derivative
        return False
    return loss.dtype == start.dtype


def largest_array(problem: Problem, size: int) -> int:
    """The size of the largest array in the losses of so many runs, data included, which runs share."""

    def loss() -> jax.Array:
        key = jax.random.key(0)
        batch = _batch(problem, key)
        return problem.loss(problem.start(key), batch if problem.state is None else (batch, problem.state(key)))

    data, computed = largest_arrays(loss)
    return max(data, size * computed)


def loss_and_gradient(
    problem: Problem, axis: int, batch_axis: int | None, over: OverRuns
) -> Callable[[PyTree, PyTree], tuple[Any, PyTree]]:
    """The function `(params, batch) -> (loss, gradient)` of runs along an axis of the parameters, first in the loss.

    `batch_axis` is None where the runs share their batch.
    """
    if axis == 0:
        return over(jax.value_and_grad(problem.loss), (0, batch_axis), 0)

    def forwards(params: jax.Array, batch: PyTree) -> tuple[jax.Array, jax.Array]:
        coordinates = (0,) * len(params)
        of_runs = over(lambda batch, *w: _forwards(problem, batch, *w), (batch_axis, *coordinates), 0)
        loss, gradient = of_runs(batch, *params)
        return loss, jnp.stack(gradient)

    return forwards


def _forwards(problem: Problem, batch: PyTree, *w: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
    """The loss of one run and its derivative by each coordinate."""

    def loss(*w: jax.Array) -> jax.Array:
        return problem.loss(jnp.stack(w), batch)

    return loss(*w), derivatives(loss, *w)


def _batch(problem: Problem, key: jax.Array) -> PyTree:
    return None if problem.sample is None else problem.sample(key, jnp.int32(1))


def _single_run(function: Callable[..., Any], in_axes: Sequence[Any], out_axes: Any) -> Callable[..., Any]:
    def of_single_run(*arguments):
        values = [
            x if axis is None else jax.tree.map(lambda leaf: leaf[0], x)
            for axis, x in zip(in_axes, arguments, strict=True)
        ]
        return _with_axis(function(*values), out_axes)

    return of_single_run


def _with_axis(results: Any, axes: Any) -> Any:
    if isinstance(axes, tuple):
        return tuple(_with_axis(result, axis) for result, axis in zip(results, axes, strict=True))
    return jax.tree.map(lambda leaf: jnp.expand_dims(leaf, axes), results)
