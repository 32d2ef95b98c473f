"""The updates of an optimizer over families of gradients: as it runs, and exactly."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adamlab.parity.families import FAMILIES

CONTEXTS = ("jit", "scan", "eager")
LAYOUTS = ("tree", "leaf")


def laid_out(gradients: Mapping[str, np.ndarray], layout: str) -> Any:
    """Gradients by family as one tree with time first: an array of its shape for each family, or one long vector."""
    if layout == "leaf":
        return np.concatenate(list(gradients.values()), axis=1)
    return {name: g.reshape(len(g), *FAMILIES[name].shape) for name, g in gradients.items()}


def parameters(gradients: Any) -> Any:
    """The parameters for rules that look at them, in the gradients' types: both signs, several scales."""
    return jax.tree.map(lambda g: np.resize([0.5, -3.0, 0.01], g.shape[1:]).astype(g.dtype), gradients)


def run(transform: optax.GradientTransformation, gradients: Any, context: str) -> Any:
    """The updates of all steps, time first, with the parameters held where they are."""
    params = jax.device_put(parameters(gradients))
    update = optax.with_extra_args_support(transform).update

    def step(state, g):
        u, state = update(g, state, params)
        return state, u

    state = transform.init(params)
    if context == "scan":
        return jax.jit(lambda s, gs: jax.lax.scan(step, s, gs)[1])(state, jax.tree.map(jnp.asarray, gradients))
    steps, updates = len(jax.tree.leaves(gradients)[0]), []
    advance, as_array = (jax.jit(step), np.asarray) if context == "jit" else (step, jnp.asarray)
    for t in range(steps):
        # Cut by NumPy, since JAX takes longer for a row than for a step.
        state, u = advance(state, jax.tree.map(lambda g, t=t: as_array(g[t]), gradients))
        updates.append(u)
    return jax.tree.map(lambda *us: np.stack([np.asarray(u) for u in us]), *updates)


def by_family(updates: Any, gradients: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Updates (steps, columns) by family, from either layout."""
    if isinstance(updates, Mapping):
        return {name: np.asarray(updates[name]).reshape(gradients[name].shape) for name in gradients}
    ends = np.cumsum([g.shape[1] for g in gradients.values()])[:-1]
    return dict(zip(gradients, np.split(np.asarray(updates), ends, axis=1), strict=True))
