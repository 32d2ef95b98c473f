"""Batch normalization, with its running statistics held by the caller."""

from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from adamlab.layers.precision import wide


class Statistics(NamedTuple):
    """The mean and the variance of each feature."""

    mean: Float[Array, " features"]
    variance: Float[Array, " features"]


def batch_norm(
    x: Float[Array, "*batch features"],
    gamma: Float[Array, " scales"],
    beta: Float[Array, " shifts"],
    statistics: Statistics | None = None,
    *,
    eps: float | Float[Array, ""] = 1e-5,
) -> Float[Array, "*batch features"]:
    """y = γ·x̂ + β with x̂ = (x − E[x])/√(Var[x] + ε), for each feature of the last axis, over all other axes.

    The backward, with i over the N values of a feature, σ = √(Var + ε) and ∂L/∂x̂_i = γ·∂L/∂y_i:

        ∂L/∂γ = Σ_i ∂L/∂y_i·x̂_i        ∂L/∂β = Σ_i ∂L/∂y_i
        ∂L/∂Var = Σ_i ∂L/∂x̂_i·(x_i − E)·(−½)·σ^(−3) = ∂L/∂ε, of which every feature has one
        ∂L/∂E = −Σ_i ∂L/∂x̂_i/σ        (what goes through Var is 0, since Σ_i (x_i − E) = 0)
        ∂L/∂x_i = ∂L/∂x̂_i/σ + ∂L/∂Var·2·(x_i − E)/N + ∂L/∂E/N
                = γ/(N·σ)·(N·∂L/∂y_i − ∂L/∂β − x̂_i·∂L/∂γ)

    With γ = √(Var[x] + ε) and β = E[x] the layer gives back x: it can represent the identity.

    In training the statistics are the batch's own, with Var = Σ(x − E)²/N, and the gradient goes through them. In
    inference they are given, and the gradient goes through them as far as they depend on anything: those that
    `update_statistics` collects are constants, so that ∂L/∂x_i = ∂L/∂x̂_i/σ.

    Computed in float32 or wider, whatever the type of x. Where N is 1, or all values are the same, y is β; with ε = 0
    it is NaN there.

    Source: Ioffe & Szegedy 2015, Batch normalization, Algorithm 1 and the equations of section 3. Frameworks differ
    in ε: 1e-5 in PyTorch and flax, 1e-3 in Keras.

    Args:
        x: a row of features for each example, or for each place of each image: (B, W, H, C) has the statistics of
            every channel over B, W and H.
        gamma: γ, the scale.
        beta: β, the shift.
        statistics: None in training; in inference those to normalize by.
        eps: ε, added to the variance.

    Returns:
        y, in the shape and type of x.

    Raises:
        ValueError: γ or β has not one number for each feature.
    """
    if not gamma.shape == beta.shape == x.shape[-1:]:
        raise ValueError(
            f"gamma and beta must have a number for each of the {x.shape[-1]} features, "
            f"not the shapes {gamma.shape} and {beta.shape}."
        )
    eps = jnp.asarray(eps, wide(x.dtype))
    if statistics is None:
        return _normalized(x, gamma, beta, eps)
    mean, variance = (s.astype(eps.dtype) for s in statistics)
    return _scaled(x, gamma, beta, _standardized(x, mean, jnp.sqrt(variance + eps)))


def batch_statistics(x: Float[Array, "*batch features"]) -> Statistics:
    """E[x] and Var[x] = Σ(x − E)²/N of each feature, in float32 or wider: what training normalizes a batch by."""
    axes = tuple(range(x.ndim - 1))
    x = x.astype(wide(x.dtype))
    mean = jnp.mean(x, axis=axes)
    return Statistics(mean, jnp.mean((x - _like(x, mean)) ** 2, axis=axes))


def update_statistics(
    running: Statistics, x: Float[Array, "*batch features"], *, decay: float | Float[Array, ""] = 0.9
) -> Statistics:
    """The running statistics after one more batch, as constants: r ← decay·r + (1 − decay)·(E[x], N/(N−1)·Var[x]).

    Start from `Statistics(zeros, ones)`. The variance that is kept is the unbiased one, as in Ioffe & Szegedy 2015,
    Algorithm 2, line 10, and PyTorch; flax and Keras keep Σ(x − E)²/N. PyTorch's `momentum` is 1 − decay; its decay is
    0.9, those of flax and Keras 0.99.

    Args:
        running: the statistics so far, whose types are kept.
        x: the batch, of at least two values a feature.
        decay: the share of what was, in [0, 1].

    Raises:
        ValueError: the batch has only one value a feature, which has no unbiased variance.
    """
    count = prod(x.shape[:-1])
    if count < 2:
        raise ValueError(
            f"the variance of a batch takes at least 2 values a feature; x of shape {x.shape} has {count}."
        )
    mean, variance = batch_statistics(x)
    batch = Statistics(mean, variance * (count / (count - 1)))

    def after(r, b):
        share = jnp.asarray(decay, b.dtype)
        return (share * r.astype(b.dtype) + (1 - share) * b).astype(r.dtype)

    return jax.lax.stop_gradient(jax.tree.map(after, running, batch))


@jax.custom_vjp
def _normalized(x, gamma, beta, eps):
    return _forward(x, gamma, beta, eps)[0]


def _forward(x, gamma, beta, eps):
    mean, variance = batch_statistics(x)
    sigma = jnp.sqrt(variance + eps)
    x_hat = _standardized(x, mean, sigma)
    return _scaled(x, gamma, beta, x_hat), (x_hat, gamma, sigma)


def _standardized(x, mean, sigma):
    return (x.astype(sigma.dtype) - _like(x, mean)) / _like(x, sigma)


def _scaled(x, gamma, beta, x_hat):
    return (_like(x, gamma).astype(x_hat.dtype) * x_hat + _like(x, beta).astype(x_hat.dtype)).astype(x.dtype)


def _backward(kept, dy):
    x_hat, gamma, sigma = kept
    dtype, axes, count = dy.dtype, tuple(range(dy.ndim - 1)), prod(dy.shape[:-1])
    dy = dy.astype(x_hat.dtype)
    dgamma, dbeta = jnp.sum(dy * x_hat, axis=axes), jnp.sum(dy, axis=axes)
    scale = gamma.astype(x_hat.dtype) / sigma
    dx = _like(dy, scale) * (dy - _like(dy, dbeta / count) - x_hat * _like(dy, dgamma / count))
    deps = -jnp.sum(scale * dgamma / sigma) / 2
    return dx.astype(dtype), dgamma.astype(gamma.dtype), dbeta.astype(gamma.dtype), deps


_normalized.defvjp(_forward, _backward)


def _like(x, feature):
    """A value for each feature at every place of x."""
    return jnp.broadcast_to(feature, x.shape)
