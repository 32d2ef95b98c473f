"""Steps by the signs of gradients, as their papers have them."""

import jax.numpy as jnp

from adamlab.translation.papers.steps import Transformation, stepping


def lion(lr, b1, b2, wd) -> Transformation:
    """Chen et al. 2023, Algorithm 2."""

    def step(g, w, t, m):
        return -lr * (jnp.sign(b1 * m + (1 - b1) * g) + wd * w), b2 * m + (1 - b2) * g

    return stepping(step, m=0.0)


def _resized(size, product, a, b, low, high):
    """The size of a step, by the product of the gradient with the one before."""
    return jnp.clip(size * jnp.where(product > 0, b, jnp.where(product < 0, a, 1.0)), low, high)


def rprop(lr, a, b, low, high) -> Transformation:
    """Riedmiller & Braun 1993, (4) to (7): with Δ_0 = lr, and no adaptation right after a change of sign."""

    def step(g, w, t, size, before, change):
        size = _resized(size, g * before, a, b, low, high)
        turned = g * before < 0
        change = jnp.where(turned, -change, -size * jnp.sign(g))
        return change, size, jnp.where(turned, 0.0, g), change

    return stepping(step, size=lr, before=0.0, change=0.0)


def rprop_without_going_back(lr, a, b, low, high) -> Transformation:
    """Rprop with no step where the sign changes."""

    def step(g, w, t, size, before):
        size = _resized(size, g * before, a, b, low, high)
        g = jnp.where(g * before < 0, 0.0, g)
        return -size * jnp.sign(g), size, g

    return stepping(step, size=lr, before=0.0)


def rprop_a_step_late(lr, a, b, low, high) -> Transformation:
    """The same with each step taken one gradient later, unless the sign changes there."""

    def step(g, w, t, size, change):
        product = g * change
        size = jnp.where(product == 0, size, _resized(size, product, a, b, low, high))
        waiting = jnp.where(product < 0, 0.0, size * jnp.sign(g))
        return -jnp.where(product < 0, 0.0, change), size, waiting

    return stepping(step, size=lr, change=0.0)
