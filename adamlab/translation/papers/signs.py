"""Steps by the signs of gradients, as their papers have them."""

import jax.numpy as jnp

from adamlab.translation.papers.steps import Transformation, stepping


def lion(lr, b1, b2, wd) -> Transformation:
    """Chen et al. 2023, Algorithm 2."""

    def step(g, w, t, m):
        return -lr * (jnp.sign(b1 * m + (1 - b1) * g) + wd * w), b2 * m + (1 - b2) * g

    return stepping(step, m=0.0)


def rprop(lr, a, b, low, high) -> Transformation:
    """Riedmiller & Braun 1993, (4) to (7): with Δ_0 = lr, and no adaptation right after a change of sign."""

    def step(g, w, t, size, before, change):
        product = g * before
        size = jnp.clip(size * jnp.where(product > 0, b, jnp.where(product < 0, a, 1.0)), low, high)
        change = jnp.where(product < 0, -change, -size * jnp.sign(g))
        return change, size, jnp.where(product < 0, 0.0, g), change

    return stepping(step, size=lr, before=0.0, change=0.0)
