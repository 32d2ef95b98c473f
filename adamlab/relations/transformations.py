"""Transformations for the sides of statements that a spec cannot write.

Such a side is a factory: its named arguments are its numbers, and `library` says whose optimizers it is made of.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax

from adamlab.lifting import lift
from adamlab.types import Rule

Transformation = optax.GradientTransformation


def descend(rule: Rule, learning_rate: Any, **hyper: Any) -> Transformation:
    """Descend by a rule: −η times its update; η can be a schedule."""
    return optax.chain(lift(rule, **hyper), optax.scale_by_learning_rate(learning_rate))


def scheduled(make: Callable[[Any], Transformation]) -> Transformation:
    """The optimizer `make(t)` at step t, for numbers that change where Optax takes no schedule.

    Its state has the same form for every t.
    """

    def init(params):
        return jnp.zeros((), jnp.int32), make(1.0).init(params)

    def update(updates, state, params=None):
        t = optax.safe_increment(state[0])
        updates, inner = make(jnp.asarray(t, float)).update(updates, state[1], params)
        return updates, (t, inner)

    return optax.GradientTransformation(init, update)


def state_of(transformation: Transformation, read: Callable[[Any], Any]) -> Transformation:
    """A quantity read off a transformation's state after each step, in place of its update."""

    def update(updates, state, params=None):
        _, state = transformation.update(updates, state, params)
        return read(state), state

    return optax.GradientTransformation(transformation.init, update)
