"""Softmax and cross-entropy, over the last axis."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_vjp
def softmax(z: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    """ŷ_i = exp z_i / Σ_k exp z_k, over the last axis.

    The backward, by the quotient rule: ∂ŷ_i/∂z_j = ŷ_i·(δ_ij − ŷ_j), so that

        ∂L/∂z_j = Σ_i ∂L/∂ŷ_i · ŷ_i·(δ_ij − ŷ_j) = ŷ_j·(∂L/∂ŷ_j − Σ_i ∂L/∂ŷ_i·ŷ_i)

    The greatest z is subtracted first, which changes nothing (numerator and denominator shrink alike) and keeps exp
    from overflowing, so that it is right at ±1e4 too. A class masked by z = −∞ has ŷ = 0 and ∂L/∂z = 0, whatever
    ∂L/∂ŷ is; a row with nothing else, or with +∞ in it, is NaN.

    Source: Bridle 1990, Probabilistic interpretation of feedforward classification network outputs.

    Args:
        z: logits, of any float type.

    Returns:
        Probabilities, in the type of z; each row sums to 1.

    >>> import jax.numpy as jnp
    >>> softmax(jnp.array([1e4, 1e4, -jnp.inf])).tolist()
    [0.5, 0.5, 0.0]
    """
    return _softmax_forward(z)[0]


def _softmax_forward(z):
    powers = jnp.exp(z - jnp.max(z, axis=-1, keepdims=True))
    y_hat = powers / jnp.sum(powers, axis=-1, keepdims=True)
    return y_hat, y_hat


def _softmax_backward(y_hat, dy_hat):
    dy_hat = jnp.where(y_hat > 0, dy_hat, jnp.zeros_like(dy_hat))  # what has no probability moves nothing: 0·∞ is 0
    return (y_hat * (dy_hat - jnp.sum(dy_hat * y_hat, axis=-1, keepdims=True)),)


softmax.defvjp(_softmax_forward, _softmax_backward)


def softmax_jacobian(y_hat: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes classes"]:
    """∂ŷ_i/∂z_j = ŷ_i·(δ_ij − ŷ_j) as a matrix, i down and j across, of probabilities ŷ that `softmax` gave.

    It is symmetric, and its rows sum to 0: to add the same number to all logits changes nothing.
    """
    identity = jnp.eye(y_hat.shape[-1], dtype=y_hat.dtype)
    return y_hat[..., :, None] * (jnp.broadcast_to(identity, (*y_hat.shape, y_hat.shape[-1])) - y_hat[..., None, :])


def softmax_cross_entropy(z: Float[Array, "*batch classes"], y: Float[Array, "*labels"]) -> Float[Array, "*batch"]:
    """L = −Σ_i y_i·log ŷ_i with ŷ = softmax(z), over the last axis.

    The backward, by the chain rule through ŷ, where ∂L/∂ŷ_i = −y_i/ŷ_i:

        ∂L/∂z_j = Σ_i −y_i/ŷ_i · ŷ_i·(δ_ij − ŷ_j) = −y_j + ŷ_j·Σ_i y_i = ŷ_j − y_j        where Σ_i y_i = 1
        ∂L/∂y_i = −log ŷ_i

    The division by ŷ_i has cancelled, so that the gradient is small where the answer is right and never infinite. It
    is computed as log ŷ_i = z_i − max z − log Σ_k exp(z_k − max z), which is right at ±1e4 too.

    Labels are probabilities: soft ones, or one-hot (`jax.nn.one_hot`). Labels that do not sum to 1 are taken as they
    are, and then ∂L/∂z_j = ŷ_j·Σ_i y_i − y_j. A class masked by z = −∞ costs nothing where its label is 0, and ∞ where
    it is not; ∂L/∂y is ∞ there. A row masked entirely is NaN, but has no gradient where ∂L is 0, as under a `where`.
    optax.safe_softmax_cross_entropy agrees; optax.softmax_cross_entropy gives NaN where z is −∞ and y is 0.

    Source: Bridle 1990, Probabilistic interpretation of feedforward classification network outputs; Goodfellow, Bengio
    & Courville 2016, Deep Learning, section 6.2.2.3.

    Args:
        z: logits.
        y: labels, probabilities in the shape of z.

    Returns:
        L for every row, in nats; not averaged over the batch.

    Raises:
        ValueError: the labels have another shape than the logits.

    >>> import jax, jax.numpy as jnp
    >>> z, y = jnp.array([0.0, 0.0]), jnp.array([1.0, 0.0])
    >>> jax.grad(softmax_cross_entropy)(z, y).tolist()
    [-0.5, 0.5]
    """
    if y.shape != z.shape:
        raise ValueError(
            f"labels must be probabilities in the shape of z, {z.shape}, not {y.shape}; jax.nn.one_hot makes them of "
            "class numbers."
        )
    return _cross_entropy(z, y)


@jax.custom_vjp
def _cross_entropy(z, y):
    return _cross_entropy_forward(z, y)[0]


def _cross_entropy_forward(z, y):
    shifted = z - jnp.max(z, axis=-1, keepdims=True)
    log_y_hat = shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=-1, keepdims=True))
    terms = jnp.where(y == 0, jnp.zeros_like(y), y * log_y_hat)  # 0·log 0 is 0
    return -jnp.sum(terms, axis=-1), (log_y_hat, y)


def _cross_entropy_backward(kept, dloss):
    log_y_hat, y = kept
    dz = jnp.exp(log_y_hat) * jnp.sum(y, axis=-1, keepdims=True) - y
    dloss = jnp.broadcast_to(dloss[..., None], y.shape)
    return tuple(jnp.where(dloss == 0, dloss, dloss * gradient) for gradient in (dz, -log_y_hat))


_cross_entropy.defvjp(_cross_entropy_forward, _cross_entropy_backward)
