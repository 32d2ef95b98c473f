"""Batch normalization, with its running statistics held by the caller."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Statistics(NamedTuple):
    """The mean and the variance of each feature."""

    mean: Float[Array, " features"]
    variance: Float[Array, " features"]


def batch_norm(
    x: Float[Array, "*batch features"],
    gamma: Float[Array, " features"],
    beta: Float[Array, " features"],
    statistics: Statistics | None = None,
    *,
    eps: float = 1e-5,
) -> Float[Array, "*batch features"]:
    """y = γ·x̂ + β with x̂ = (x − E[x])/√(Var[x] + ε), for each feature of the last axis, over all other axes.

    The backward, with i over the N values of a feature, σ = √(Var + ε) and ∂L/∂x̂_i = γ·∂L/∂y_i:

        ∂L/∂γ = Σ_i ∂L/∂y_i·x̂_i        ∂L/∂β = Σ_i ∂L/∂y_i
        ∂L/∂Var = Σ_i ∂L/∂x̂_i·(x_i − E)·(−½)·σ^(−3)
        ∂L/∂E = −Σ_i ∂L/∂x̂_i/σ        (what goes through Var is 0, since Σ_i (x_i − E) = 0)
        ∂L/∂x_i = ∂L/∂x̂_i/σ + ∂L/∂Var·2·(x_i − E)/N + ∂L/∂E/N
                = γ/(N·σ)·(N·∂L/∂y_i − ∂L/∂β − x̂_i·∂L/∂γ)

    With γ = √(Var[x] + ε) and β = E[x] the layer gives back x: it can represent the identity.

    In training the statistics are the batch's own, with Var = Σ(x − E)²/N, and the gradient goes through them. In
    inference they are given, as `update_statistics` collects them, and are constants.

    Source: Ioffe & Szegedy 2015, Batch normalization, Algorithm 1 and the equations of section 3.
    Frameworks differ in ε:
    1e-5 in PyTorch and flax, 1e-3 in Keras.

    Args:
        x: a row of features for each example, or for each place of each image: (B, W, H, C) has the statistics of
            every channel over B, W and H.
        gamma: γ, the scale.
        beta: β, the shift.
        statistics: None in training; in inference those to normalize by.
        eps: ε, added to the variance; a constant.

    Returns:
        y, in the shape of x.
    """
    if statistics is None:
        return _normalized(eps, x, gamma, beta)
    mean, variance = jax.lax.stop_gradient(statistics)
    scale = gamma / jnp.sqrt(variance + eps)
    return x * _like(x, scale) + _like(x, beta - mean * scale)


def batch_statistics(x: Float[Array, "*batch features"]) -> Statistics:
    """E[x] and Var[x] = Σ(x − E)²/N of each feature: what `batch_norm` normalizes a batch by in training."""
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(x, axis=axes)
    return Statistics(mean, jnp.mean((x - _like(x, mean)) ** 2, axis=axes))


def update_statistics(
    running: Statistics, x: Float[Array, "*batch features"], *, decay: float | Float[Array, ""] = 0.9
) -> Statistics:
    """The running statistics after one more batch: r ← decay·r + (1 − decay)·(E[x], N/(N−1)·Var[x]).

    Start from `Statistics(zeros, ones)`. The variance that is kept is the unbiased one, as in Ioffe & Szegedy 2015,
    Algorithm 2, line 10, and PyTorch; flax and Keras keep Σ(x − E)²/N. PyTorch's `momentum` is 1 − decay; its decay is
    0.9, those of flax and Keras 0.99.

    Args:
        running: the statistics so far.
        x: the batch, of at least two values a feature.
        decay: the share of what was.

    Raises:
        ValueError: the batch has only one value a feature, which has no unbiased variance.
    """
    count = x.size // x.shape[-1]
    if count < 2:
        raise ValueError(
            f"the variance of a batch takes at least 2 values a feature; x of shape {x.shape} has {count}."
        )
    mean, variance = batch_statistics(x)
    batch = Statistics(mean, variance * (count / (count - 1)))
    return jax.tree.map(lambda r, b: decay * r + (1 - decay) * b, running, batch)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _normalized(eps, x, gamma, beta):
    return _forward(eps, x, gamma, beta)[0]


def _forward(eps, x, gamma, beta):
    mean, variance = batch_statistics(x)
    sigma = jnp.sqrt(variance + eps)
    x_hat = (x - _like(x, mean)) / _like(x, sigma)
    return _like(x, gamma) * x_hat + _like(x, beta), (x_hat, gamma / sigma)


def _backward(eps, kept, dy):
    x_hat, gamma_over_sigma = kept
    axes = tuple(range(dy.ndim - 1))
    count = dy.size // dy.shape[-1]
    dgamma, dbeta = jnp.sum(dy * x_hat, axis=axes), jnp.sum(dy, axis=axes)
    dx = _like(dy, gamma_over_sigma / count) * (count * dy - _like(dy, dbeta) - x_hat * _like(dy, dgamma))
    return dx, dgamma, dbeta


_normalized.defvjp(_forward, _backward)


def _like(x, feature):
    """A value for each feature at every place of x."""
    return jnp.broadcast_to(feature, x.shape)
