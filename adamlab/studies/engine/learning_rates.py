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

    Where the state counts the steps of its schedule, as under `optax.MultiSteps`, or keeps the rate, as that of
    `optax.inject_hyperparams`, this is what matters.
    """
    injected = [node.hyperparams for node in jax.tree.leaves(state, is_leaf=_is_injected) if _is_injected(node)]
    if injected:
        return jnp.asarray(injected[0]["learning_rate"], float)
    rate = _rate(template.with_numbers(numbers))
    if isinstance(rate, Call):
        rate = rate.build()
    if callable(rate):
        counts = [node.count for node in jax.tree.leaves(state, is_leaf=_is_schedules) if _is_schedules(node)]
        rate = rate(jnp.maximum((counts[0] if counts else jnp.asarray(t)) - 1, 0))
    return jnp.asarray(jnp.nan if rate is None else rate, float)


def _rate(value: Any) -> Any:
    """The first `learning_rate`, or `lr`, of a call or of the calls inside it, None where there is none."""
    if isinstance(value, Call):
        bound = value.bound()
        return next((bound[name] for name in ("learning_rate", "lr") if name in bound), _rate(tuple(bound.values())))
    inner = value if isinstance(value, (tuple, list)) else ()
    return next((rate for rate in map(_rate, inner) if rate is not None), None)


def _is_injected(node: Any) -> bool:
    return "learning_rate" in (getattr(node, "hyperparams", None) or {})


def _is_schedules(node: Any) -> bool:
    return isinstance(node, optax.ScaleByScheduleState)
