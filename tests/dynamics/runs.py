"""Runs of compiled optimizers on quadratics of many curvatures, in one program for each optimizer."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adamlab.interpret.programs import state_names
from adamlab.specs import parse

STEPS = 1200
START = 1e-15
"""So small that squared gradients leave a held second moment as it is."""


def growth(
    spec: str,
    rate: str,
    rates: np.ndarray,
    curvatures: np.ndarray,
    numbers: Mapping[str, float],
    held: Mapping[str, Any],
) -> np.ndarray:
    """The size late in each run over that in its middle; `held` are values of state fields to begin with."""

    def run(eta, h):
        transform = optax.with_extra_args_support(parse(spec).build({**numbers, rate: eta}))
        w = jnp.asarray(START)
        state = transform.init(w)
        leaves = jax.tree.leaves(state)
        named = zip(state_names(state), leaves, strict=True)
        begun = [jnp.asarray(held[name], leaf.dtype) if name in held else leaf for name, leaf in named]

        def step(carry, _):
            w, state = carry
            u, state = transform.update(h * w, state, w, value=jnp.zeros(()))
            return (w + u, state), jnp.abs(w)

        _, sizes = jax.lax.scan(step, (w, jax.tree.unflatten(jax.tree.structure(state), begun)), length=STEPS)
        return jnp.max(sizes[-STEPS // 4 :]) / jnp.max(sizes[STEPS // 2 : STEPS * 3 // 4])

    with jax.enable_x64(True):
        return np.asarray(jax.jit(jax.vmap(run))(jnp.asarray(rates), jnp.asarray(curvatures)))
