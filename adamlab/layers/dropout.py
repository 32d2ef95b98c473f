"""Dropout."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


def dropout(x: Float[Array, "*shape"], key: Key[Array, ""], rate: float) -> Float[Array, "*shape"]:
    """y = x·m/(1 − rate), where each m is 0 with probability `rate` and 1 otherwise, so that E[y] = x.

    The backward: ∂L/∂x = ∂L/∂y·m/(1 − rate), the same mask; the layer is linear once the mask is drawn, so that this
    is the layer itself. In inference it is left out.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, section 4; scaled in training as every
    framework does, where the paper scales weights in inference (section 10).

    Args:
        x: anything.
        key: the mask is drawn from it.
        rate: the probability that an entry is dropped, in [0, 1).

    Raises:
        ValueError: the rate is not in [0, 1).
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout's rate must be at least 0 and below 1, not {rate}.")
    kept = jax.random.bernoulli(key, 1 - rate, x.shape)
    return _masked(x, jnp.where(kept, jnp.asarray(1 / (1 - rate), x.dtype), jnp.zeros((), x.dtype)))


@jax.custom_vjp
def _masked(x, scale):
    return _forward(x, scale)[0]


def _forward(x, scale):
    return x * scale, scale


def _backward(scale, dy):
    return dy * scale, None


_masked.defvjp(_forward, _backward)
