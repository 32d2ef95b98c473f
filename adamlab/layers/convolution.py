"""Convolution of images, and the shape of what comes out."""

from collections.abc import Sequence
from functools import partial
from typing import SupportsIndex

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from adamlab.layers.windows import Padding, Sides, put_back, require_images, seen_at, whole_numbers, windows


def conv_output_shape(
    input_shape: Sequence[SupportsIndex],
    kernel_size: Sides,
    out_channels: SupportsIndex,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
) -> tuple[int, int, int, int]:
    """(B, W, H, C_in) → (B, ⌊(W − k₁ + 2p₁)/s₁⌋ + 1, ⌊(H − k₂ + 2p₂)/s₂⌋ + 1, C_out).

    Along each side the first window starts at −p, and the o-th of them at s·(o − 1) − p. It fits as long as it ends
    by W + p: s·(o − 1) + k ≤ W + 2p. The greatest such o is ⌊(W − k + 2p)/s⌋ + 1. With dilation d a kernel of k entries
    spans d·(k − 1) + 1 places, which stands for k.

    Source: Dumoulin & Visin 2016, A guide to convolution arithmetic for deep learning, relationships 6 and 15.

    Args:
        input_shape: (B, W, H, C_in).
        kernel_size: (k₁, k₂), or one number for both; so for all that follow.
        out_channels: C_out.
        stride: (s₁, s₂), how far a window is from the next.
        padding: (p₁, p₂), zeros put on both ends of each side; or "VALID", none, or "SAME", as many as give ⌈W/s₁⌉ by
            ⌈H/s₂⌉ places, of which an odd one stands at the end.
        dilation: (d₁, d₂), how far an entry of the kernel is from the next.

    Raises:
        ValueError: a number is out of its range, or no window fits.

    >>> conv_output_shape((32, 28, 28, 1), (5, 5), 16, stride=2, padding=1)
    (32, 13, 13, 16)
    """
    shape = whole_numbers(input_shape, 4, least=0)
    channels = whole_numbers((out_channels,), 1, least=1)
    if shape is None:
        raise ValueError(f"input_shape must be 4 whole numbers (B, W, H, C_in); got {input_shape!r}.")
    if channels is None:
        raise ValueError(f"out_channels must be a whole number, at least 1; got {out_channels!r}.")
    sides = shape[1], shape[2]
    rows, columns = windows(kernel_size, stride, padding, dilation, sides=sides, called="kernel_size").counts(sides)
    return shape[0], rows, columns, channels[0]


def conv2d(
    x: Float[Array, "*images"],
    kernel: Float[Array, "*kernel"],
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
) -> Float[Array, "B W_out H_out C_out"]:
    """y_bijo = Σ_a Σ_c Σ_κ x_(b, s₁i + d₁a − p₁, s₂j + d₂c − p₂, κ)·K_acκo, with x = 0 beyond its edges.

    (A cross-correlation, as in every framework: the kernel is not turned round.) Each output is a product of the
    kernel with the window of x that it sees. So with the windows as rows of a matrix P (im2col), y = P·K, and

        ∂L/∂K = Pᵀ·∂L/∂y, which is ∂L/∂K_acκo = Σ_b Σ_i Σ_j x_(b, s₁i + d₁a − p₁, s₂j + d₂c − p₂, κ)·∂L/∂y_bijo
        ∂L/∂P = ∂L/∂y·Kᵀ, and ∂L/∂x_bwhκ is the sum of ∂L/∂P over all windows, and places in them, that see x_bwhκ:
        ∂L/∂x_bwhκ = Σ ∂L/∂y_bijo·K_acκo over i, j, a, c with s₁i + d₁a − p₁ = w and s₂j + d₂c − p₂ = h, and over o

    Everything is a product of matrices, which on a CPU runs as fast as its convolutions, and does so under `jax.vmap`;
    it takes longer to compile the more places a window has.

    Source: LeCun et al. 1989, Backpropagation applied to handwritten zip code recognition; for the matrix Chellapilla,
    Puri & Simard 2006, High performance convolutional neural networks for document processing, section 3.

    Args:
        x: images (B, W, H, C_in).
        kernel: (k₁, k₂, C_in, C_out).
        stride: (s₁, s₂), or one number for both; so for all that follow.
        padding: (p₁, p₂), zeros put on both ends of each side; or "VALID", none, or "SAME", as many as give ⌈W/s₁⌉ by
            ⌈H/s₂⌉ places, of which an odd one stands at the end.
        dilation: (d₁, d₂), how far an entry of the kernel is from the next.

    Returns:
        Of the shape that `conv_output_shape` tells.

    Raises:
        ValueError: x or the kernel has not four axes, their channels differ, a number is out of its range, or no
            window fits.
    """
    require_images(x)
    if kernel.ndim != 4:
        raise ValueError(f"the kernel must be (k₁, k₂, C_in, C_out); got an array of shape {kernel.shape}.")
    if x.shape[-1] != kernel.shape[-2]:
        raise ValueError(f"x has {x.shape[-1]} channels and the kernel {kernel.shape[-2]}; they must be as many.")
    k1, k2, _, _ = kernel.shape
    sides = x.shape[1], x.shape[2]
    return _conv2d(windows((k1, k2), stride, padding, dilation, sides=sides), x, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _conv2d(geometry, x, kernel):
    return _forward(geometry, x, kernel)[0]


def _forward(geometry, x, kernel):
    return _patches(geometry, x) @ _as_matrix(kernel), (x, kernel)


def _backward(geometry, kept, dy):
    x, kernel = kept
    patches = _patches(geometry, x)  # again, which costs nothing where both are in one program
    dkernel = patches.reshape(-1, patches.shape[-1]).T @ dy.reshape(-1, dy.shape[-1])
    dpatches = dy @ _as_matrix(kernel).T
    places = geometry.size[0] * geometry.size[1]
    return put_back(geometry, jnp.split(dpatches, places, axis=-1), x.shape), dkernel.reshape(kernel.shape)


_conv2d.defvjp(_forward, _backward)


def _patches(geometry, x):
    """P: what the window at every place of the output sees, (B, W_out, H_out, k₁·k₂·C_in)."""
    return jnp.concatenate(seen_at(geometry, x), axis=-1)


def _as_matrix(kernel):
    """K: (k₁·k₂·C_in, C_out)."""
    return kernel.reshape(-1, kernel.shape[-1])
