"""Weight decay: a share of the parameter joins the update. Ahead of a rule it is L2, after it it is decoupled."""

from collections.abc import Callable
from typing import Any

import jax
import optax
from jax.typing import ArrayLike

from adamlab.arithmetic import Leaf
from adamlab.lifting import lift
from adamlab.masks import required_flags
from adamlab.rules.learning_rate import identity
from adamlab.types import PyTree, Rule, Schedule

# Optax keeps this type to itself; an initial state tells it.
_WeightDecaySchedule: Any = type(jax.eval_shape(optax.add_decayed_weights(lambda count: count).init, 0.0))

Mask = PyTree | Callable[[PyTree], PyTree]
"""A tree of booleans, True where to decay, or a function from the updates' tree to one."""


def _decay(g: Leaf, w: Leaf, s: Any, *, weight_decay):
    """u = g + λ·w."""
    return g + weight_decay * w, s


decay_rule = Rule(_decay, optax.EmptyState, needs_params=True)
scheduled_decay_rule = Rule(_decay, _WeightDecaySchedule, needs_params=True)


def add_decayed_weights(
    weight_decay: ArrayLike | Schedule = 0.0, mask: Mask | None = None, *, arithmetic: str = "accurate"
) -> optax.GradientTransformationExtraArgs:
    """Add λ times the parameter: u = g + λ·w, as `optax.add_decayed_weights`.

    Args:
        weight_decay: λ, a scalar or a schedule of the number of finished updates. With a Python 0 the updates stay as
            they are, and no parameters are needed.
        mask: which leaves to decay: a tree of booleans, or a function from the updates' tree to one; None decays all.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.

    Raises:
        ValueError: `update` is called without the parameters.
        InputError: a leaf of the mask is no truth value.
    """
    if isinstance(weight_decay, (int, float)) and weight_decay == 0:
        decay = identity(arithmetic=arithmetic)
    else:
        rule = scheduled_decay_rule if callable(weight_decay) else decay_rule
        decay = lift(rule, arithmetic=arithmetic, weight_decay=weight_decay)
    return decay if mask is None else optax.masked(decay, required_flags(mask))
