"""A paper's step as a transformation."""

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

Transformation = optax.GradientTransformation


def stepping(step: Callable[..., Any], **begin: ArrayLike) -> Transformation:
    """The transformation whose step gives the change of the parameter and the next values of what it keeps.

    Args:
        step: a function of the gradient, the parameter, the number of the step from 1 on, and what it keeps.
        **begin: by name, the values of what it keeps ahead of the first step.
    """
    kind: Any = namedtuple("Kept", ["count", *begin])

    def init(params: Any) -> Any:
        starts = (jax.tree.map(lambda w, x=x: jnp.full_like(w, x), params) for x in begin.values())
        return kind(jnp.zeros((), jnp.int32), *starts)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = optax.safe_increment(state.count)
        change, *kept = step(updates, params, jnp.asarray(count, float), *state[1:])
        return change, kind(count, *kept)

    return optax.GradientTransformation(init, update)
