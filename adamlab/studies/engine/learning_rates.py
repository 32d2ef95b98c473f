"""The learning rate of a step, read off the optimizer's spec."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from adamlab.calls import Call
from adamlab.types import PyTree


def learning_rate(template: Call, numbers: Mapping[str, Any], state: PyTree, t: Any) -> jax.Array:
    """The learning rate that step t, from 1, was taken with: the number, or the schedule's value; NaN without any.

    Where the state counts the steps of its schedule, as under `optax.MultiSteps`, it is that count that matters.
    """
    rate = _rate(template.with_numbers(numbers))
    if isinstance(rate, Call):
        rate = rate.build()
    if callable(rate):
        counts = [node.count for node in jax.tree.leaves(state, is_leaf=_is_schedules) if _is_schedules(node)]
        rate = rate((counts[0] if counts else jnp.asarray(t)) - 1)
    return jnp.asarray(jnp.nan if rate is None else rate, float)


def _rate(value: Any) -> Any:
    """The first `learning_rate` of a call or of the calls inside it, None where there is none."""
    if isinstance(value, Call):
        bound = value.bound()
        return bound["learning_rate"] if "learning_rate" in bound else _rate(tuple(bound.values()))
    inner = value if isinstance(value, (tuple, list)) else ()
    return next((rate for rate in map(_rate, inner) if rate is not None), None)


def _is_schedules(node: Any) -> bool:
    return isinstance(node, optax.ScaleByScheduleState)
