"""Dropout."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


def dropout(x: Float[Array, "*shape"], key: Key[Array, ""], rate: float) -> Float[Array, "*shape"]:
    """y = x·m/(1 − rate), where each m is 0 with probability `rate` and 1 otherwise, so that E[y] = x.

    The backward: ∂L/∂x = ∂L/∂y·m/(1 − rate), the same mask; the layer is linear once the mask is drawn, so that this
    is the layer itself. In inference it is left out.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, Dropout: a simple way to prevent neural
    networks from overfitting, section 4; scaled in training, as in section 10 and in every framework.

    Args:
        x: anything.
        key: the mask is drawn from it.
        rate: the probability that an entry is dropped, in [0, 1); a Python number.

    Raises:
        ValueError: the rate is not in [0, 1).
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout's rate must be at least 0 and below 1, not {rate}.")
    share = 1 - rate
    # Drawn in float32 always, so that a key means the same mask in either float type.
    return _masked(share, x, jax.random.bernoulli(key, jnp.float32(share), x.shape))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _masked(share, x, kept):
    return _forward(share, x, kept)[0]


def _forward(share, x, kept):
    return jnp.where(kept, x / share, jnp.zeros_like(x)), kept


def _backward(share, kept, dy):
    return jnp.where(kept, dy / share, jnp.zeros_like(dy)), None


_masked.defvjp(_forward, _backward)
