"""The rectifier."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_vjp
def relu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """y = max(x, 0).

    The backward: ∂L/∂x = ∂L/∂y where x > 0, else 0. At x = 0, where there is no derivative, it is 0, as in JAX,
    PyTorch and TensorFlow.

    Source: Nair & Hinton 2010, Rectified linear units improve restricted Boltzmann machines.
    """
    return _forward(x)[0]


def _forward(x):
    y = jnp.maximum(x, 0)
    return y, y


def _backward(y, dy):
    return (jnp.where(y > 0, dy, jnp.zeros_like(dy)),)


relu.defvjp(_forward, _backward)
