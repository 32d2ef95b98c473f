"""Gradients over the root of their squares, summed or averaged, as their papers have them."""

import jax.numpy as jnp

from adamlab.translation.papers.steps import Transformation, stepping


def adagrad(lr, e) -> Transformation:
    """Duchi, Hazan & Singer 2011, Figure 1: the diagonal proximal matrix δI + diag(s), with δ = e."""

    def step(g, w, t, total):
        total = total + g**2
        return -lr * g / (e + jnp.sqrt(total)), total

    return stepping(step, total=0.0)


def rmsprop(lr, a) -> Transformation:
    """Tieleman & Hinton 2012, lecture 6e: the gradient divided by the root of MeanSquare."""

    def step(g, w, t, v):
        v = a * v + (1 - a) * g**2
        return -lr * g / jnp.sqrt(v), v

    return stepping(step, v=0.0)


def graves(lr, a, m, e) -> Transformation:
    """Graves 2013, (38) to (41), with one rate for both averages."""

    def step(g, w, t, n, mean, d):
        n, mean = a * n + (1 - a) * g**2, a * mean + (1 - a) * g
        d = m * d - lr * g / jnp.sqrt(n - mean**2 + e)
        return d, n, mean, d

    return stepping(step, n=0.0, mean=0.0, d=0.0)


def adadelta(r, e) -> Transformation:
    """Zeiler 2012, Algorithm 1."""

    def step(g, w, t, e_g, e_x):
        e_g = r * e_g + (1 - r) * g**2
        x = -jnp.sqrt(e_x + e) / jnp.sqrt(e_g + e) * g
        return x, e_g, r * e_x + (1 - r) * x**2

    return stepping(step, e_g=0.0, e_x=0.0)
