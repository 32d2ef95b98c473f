"""The fully connected layer."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_vjp
def dense(
    x: Float[Array, "*batch inputs"], weight: Float[Array, "rows columns"], bias: Float[Array, " outputs"]
) -> Float[Array, "*batch outputs"]:
    """y_nj = Σ_i x_ni·W_ij + b_j.

    The backward, since W_ij touches y_nj alone and by x_ni, and b_j every y_nj by 1:

        ∂L/∂W_ij = Σ_n x_ni·∂L/∂y_nj        ∂L/∂b_j = Σ_n ∂L/∂y_nj        ∂L/∂x_ni = Σ_j ∂L/∂y_nj·W_ij

    Source: Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors, equations 1, 6, 7.

    Args:
        x: a row of inputs for every example.
        weight: W, an input a row, an output a column; `y = x @ W` (PyTorch's Linear has it transposed).
        bias: b.

    Raises:
        ValueError: the shapes do not fit.
    """
    if (x.shape[-1], *bias.shape) != weight.shape:
        raise ValueError(
            f"weight must be inputs × outputs and bias outputs; x has {x.shape[-1]} inputs, and they have the shapes "
            f"{weight.shape} and {bias.shape}."
        )
    return _forward(x, weight, bias)[0]


def _forward(x, weight, bias):
    return x @ weight + jnp.broadcast_to(bias, (*x.shape[:-1], *bias.shape)), (x, weight)


def _backward(kept, dy):
    x, weight = kept
    rows, drows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return dy @ weight.T, rows.T @ drows, jnp.sum(drows, axis=0)


dense.defvjp(_forward, _backward)
