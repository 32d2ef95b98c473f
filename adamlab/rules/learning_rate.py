"""The last part of every optimizer: the step against the gradient, of size η or η_t."""

from typing import Any

import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from adamlab.arithmetic import Leaf
from adamlab.lifting import Transform, lift
from adamlab.types import Schedule, rule


@rule(optax.EmptyState)
def identity_rule(g: Leaf, w: Leaf | None, s: Any):
    """u = g."""
    return g, s


@rule(optax.EmptyState)
def scale_rule(g: Leaf, w: Leaf | None, s: Any, *, step_size):
    """u = step_size · g."""
    return step_size * g, s


@rule(optax.ScaleByScheduleState)
def schedule_rule(g: Leaf, w: Leaf | None, s: Any, *, step_size):
    """u = step_size_t · g, with the schedule's value in the type of g."""
    return jnp.asarray(step_size, dtype=g.dtype) * g, s


def identity(*, arithmetic: str = "accurate") -> Transform:
    """The updates as they come, as `optax.identity`; it holds an optional part's place in a chain."""
    return lift(identity_rule, arithmetic=arithmetic)


def scale_by_learning_rate(
    learning_rate: ArrayLike | Schedule | None = None, *, flip_sign: bool = True, arithmetic: str = "accurate"
) -> Transform:
    """u = −η·g, as `optax.scale_by_learning_rate`.

    Args:
        learning_rate: η, a scalar, or a schedule of the number of finished updates (0 at the first); None leaves
            the updates as they are.
        flip_sign: whether to descend; False gives u = η·g.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.
    """
    sign = -1 if flip_sign else 1
    if learning_rate is None:
        return identity(arithmetic=arithmetic)
    if callable(learning_rate):
        return lift(schedule_rule, arithmetic=arithmetic, step_size=lambda count: sign * learning_rate(count))
    return lift(scale_rule, arithmetic=arithmetic, step_size=sign * learning_rate)
