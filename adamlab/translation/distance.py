"""How far apart the updates of two optimizers are in their first steps."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adamlab.calls import Call
from adamlab.translation.matching import has_open_numbers, masks

SIZES = (1.0, 1e-6)
"""The sizes of gradients at which two optimizers are measured against each other."""


def in_words(left: Call, right: Call) -> Iterator[str]:
    """How much the updates differ in the first steps; nothing where numbers are open or masks in use."""
    if any(has_open_numbers(call) or masks(call) for call in (left, right)):
        return
    for size in SIZES:
        apart = relative(left, right, size)
        yield (
            f"for gradients of size {size:g} the updates differ by {apart[0]:.2g} of their size at step 1, "
            f"{apart[9]:.2g} at step 10, {apart[99]:.2g} at step 100."
        )


def relative(left: Call, right: Call, size: float) -> np.ndarray:
    """The median difference of the updates at each of 100 steps, in units of the left one's median size."""
    with jax.enable_x64(True):
        gradients = jnp.asarray(size * np.random.default_rng(0).normal(size=(100, 16)))
        u, v = (_updates(call, gradients) for call in (left, right))
    scale = np.median(np.abs(u), axis=1)
    return np.median(np.abs(u - v), axis=1) / np.where(scale > 0, scale, 1.0)


def _updates(call: Call, gradients: Any) -> np.ndarray:
    transform = optax.with_extra_args_support(call.build())
    w = jnp.ones(gradients.shape[1])

    def step(carry: Any, g: Any) -> Any:
        u, state = transform.update(g, carry[1], carry[0])
        return (optax.apply_updates(carry[0], u), state), u

    return np.asarray(jax.lax.scan(step, (w, transform.init(w)), gradients)[1])
