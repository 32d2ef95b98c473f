"""Pooling: one value for each window of an image, channel by channel."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from adamlab.layers.precision import wide
from adamlab.layers.windows import Sides, put_back, require_images, seen_at, windows


def max_pool(
    x: Float[Array, "*images"], size: Sides = 2, stride: Sides | None = None
) -> Float[Array, "B W_out H_out C"]:
    """y_bijκ = the greatest x_(b, s₁i + a, s₂j + c, κ) over the places (a, c) of a window.

    The backward: all of ∂L/∂y goes to the place that was the greatest, and where several were, to the first of them,
    row by row (as XLA and PyTorch; TensorFlow on a GPU may choose otherwise). Where windows overlap it adds up.

    Source: Ranzato, Huang, Boureau & LeCun 2007, Unsupervised learning of invariant feature hierarchies, section 2.

    Args:
        x: images (B, W, H, C).
        size: (k₁, k₂) of a window, or one number for both.
        stride: (s₁, s₂), how far a window is from the next; by default its size. What is left over at the far edges is
            not seen.

    Raises:
        ValueError: x has not four axes, a number is out of its range, or no window fits.
    """
    require_images(x)
    return _max_pool(windows(size, size if stride is None else stride), x.shape, x)


def mean_pool(
    x: Float[Array, "*images"], size: Sides = 2, stride: Sides | None = None
) -> Float[Array, "B W_out H_out C"]:
    """y_bijκ = Σ_a Σ_c x_(b, s₁i + a, s₂j + c, κ)/(k₁·k₂).

    The backward: ∂L/∂y/(k₁·k₂) goes to every place of the window, and adds up where windows overlap.

    Source: LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document recognition, section II.A.

    Args:
        x: as for `max_pool`, and so are size and stride.
        size: (k₁, k₂).
        stride: (s₁, s₂).

    Raises:
        ValueError: x has not four axes, a number is out of its range, or no window fits.
    """
    require_images(x)
    return _mean_pool(windows(size, size if stride is None else stride), x.shape, x)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _max_pool(geometry, shape, x):
    return _max_forward(geometry, shape, x)[0]


def _max_forward(geometry, shape, x):
    y, *others = seen_at(geometry, x)
    winner = jnp.zeros(y.shape, jnp.int32)  # kept: in the backward y == x could miss it by another rounding
    for place, value in enumerate(others, start=1):
        better = (value > y) | jnp.isnan(value)  # NaN wins, and stays
        y, winner = jnp.where(better, value, y), jnp.where(better, place, winner)
    return y, winner


def _max_backward(geometry, shape, winner, dy):
    places = range(geometry.size[0] * geometry.size[1])
    return (put_back(geometry, [jnp.where(winner == place, dy, jnp.zeros_like(dy)) for place in places], shape),)


_max_pool.defvjp(_max_forward, _max_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _mean_pool(geometry, shape, x):
    return _mean_forward(geometry, shape, x)[0]


def _mean_forward(geometry, shape, x):
    mean = sum(seen_at(geometry, x.astype(wide(x.dtype)))) / (geometry.size[0] * geometry.size[1])
    return mean.astype(x.dtype), None


def _mean_backward(geometry, shape, _, dy):
    places = geometry.size[0] * geometry.size[1]
    return (put_back(geometry, [dy / places] * places, shape),)


_mean_pool.defvjp(_mean_forward, _mean_backward)
