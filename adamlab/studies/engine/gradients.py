"""The loss and its gradient for runs side by side: in forward mode, coordinate by coordinate, where there are few."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from adamlab.studies.engine.equations import Read, run
from adamlab.types import Problem, PyTree

FEW = 4
"""The most coordinates of a gradient in forward mode.

In reverse mode the gradient is a sum of padded pieces, which XLA does not vectorize: on Rosenbrock's function a step of
Adam takes twice as long.
"""

EXACT = {
    *("add", "add_any", "broadcast_in_dim", "concatenate", "convert_element_type", "mul", "neg", "reshape", "slice"),
    *("squeeze", "stack", "sub", "transpose"),
}
"""The primitives whose results are exact where their operands are 0 and 1."""

KNOWN = (np.ndarray, np.generic, float, int)
"""The types of values that are known while a program is traced."""

OverRuns = Callable[[Callable[..., Any], Sequence[Any], Any], Callable[..., Any]]
"""Maps a function of one run: `(function, axis of runs in each argument, axis in the results) -> function of all`."""


def over_runs(size: int) -> OverRuns:
    """The map over `size` runs; a single run is computed without an axis of runs, where XLA's products are fastest."""
    if size == 1:
        return _single_run
    return lambda function, in_axes, out_axes: jax.vmap(function, in_axes=tuple(in_axes), out_axes=out_axes)


def is_forward(problem: Problem) -> bool:
    """Whether the loss is differentiated in forward mode: a function of few numbers in one vector that allows it."""
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
        jax.jit(lambda w, key: _forwards(problem, _batch(problem, key), *w)).lower(start, jax.random.key(0))
    except TypeError:  # a loss with a hand-written backward has no forward derivative
        return False
    return True


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
        loss, derivatives = of_runs(batch, *params)
        return loss, jnp.stack(derivatives)

    return forwards


def _forwards(problem: Problem, batch: PyTree, *w: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
    """The loss of one run and its derivative by each coordinate."""

    def loss(*w: jax.Array) -> jax.Array:
        return problem.loss(jnp.stack(w), batch)

    def along(k: int) -> Callable[..., jax.Array]:
        directions = tuple(np.asarray(i == k, x.dtype) for i, x in enumerate(w))
        return lambda *w: jax.jvp(loss, w, directions)[1]

    return loss(*w), [_without_zeros(along(k), *w) for k in range(len(w))]


def _without_zeros(function: Callable[..., jax.Array], *arguments: jax.Array) -> jax.Array:
    """The function's value, but that 0 times anything is 0.

    A coordinate's derivative by another one is such a 0. XLA multiplies by it, since 0 · ∞ is NaN.
    """
    traced = jax.make_jaxpr(function)(*arguments)
    (value,) = run(traced.jaxpr, traced.consts, arguments, _simplified)
    return jnp.asarray(value)


def _simplified(equation: Any, read: Read) -> list[Any] | None:
    """The result of an equation of which an operand is known to be 0 or 1, or all are known; None for all others."""
    name, shape = equation.primitive.name, equation.outvars[0].aval.shape
    if name not in EXACT | {"div"}:
        return None
    operands = [read(x) for x in equation.invars]
    known = [isinstance(x, KNOWN) for x in operands]
    if all(known) and name in EXACT:
        with jax.ensure_compile_time_eval():
            return [np.asarray(equation.primitive.bind(*operands, **equation.params))]
    if name in ("mul", "div") and any(_is_all(x, 0) for x in operands[: 1 if name == "div" else 2]):
        return [np.zeros(shape, equation.outvars[0].aval.dtype)]
    neutral = {"mul": 1, "add": 0, "add_any": 0}
    for x, other in zip(operands, operands[::-1], strict=True) if name in neutral else ():
        if _is_all(x, neutral[name]) and np.shape(other) == shape:
            return [other]
    return [operands[0]] if name == "sub" and _is_all(operands[1], 0) and np.shape(operands[0]) == shape else None


def _is_all(value: Any, number: float) -> bool:
    return isinstance(value, KNOWN) and bool(np.all(value == number))


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
