"""Windows that slide over images: their number, their contents, and contents put back."""

import operator
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple, SupportsIndex

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from adamlab.layers.precision import wide

Pair = tuple[int, int]

Sides = SupportsIndex | Sequence[SupportsIndex]
"""A number for each of the two sides, or one for both."""


Padding = Sides | str
"""Zeros on both ends of each side: a number, one for each side, or "SAME" or "VALID"."""


class Windows(NamedTuple):
    """The geometry of windows on an image, a number for each of its two sides; of padding its zeros at both ends."""

    size: Pair
    stride: Pair
    padding: tuple[Pair, Pair]
    dilation: Pair

    def counts(self, sides: Pair) -> Pair:
        """The number of windows that fit along each side, ⌊(W − k + 2p)/s⌋ + 1.

        Raises:
            ValueError: none does.
        """
        first, second = (self._count(axis, side) for axis, side in enumerate(sides))
        return first, second

    def _count(self, axis: int, side: int) -> int:
        before, after = self.padding[axis]
        span = self.dilation[axis] * (self.size[axis] - 1) + 1
        if span > side + before + after:
            raise ValueError(
                f"no output is left along axis {axis + 1}: a window that spans {span} does not fit into "
                f"{side} + {before} + {after} places. Take a smaller window, or pad more."
            )
        return (side - span + before + after) // self.stride[axis] + 1


def windows(
    size: Sides, stride: Sides, padding: Padding = 0, dilation: Sides = 1, *, sides: Pair = (0, 0), called: str = "size"
) -> Windows:
    """Windows on an image of these sides, with one number for both, or one for each.

    Args:
        size: how many places of the image a window sees.
        stride: how far a window is from the next.
        padding: zeros on both ends of each side; "VALID" is none, "SAME" as many as give ⌈side / stride⌉ windows, of
            which an odd one stands at the end.
        dilation: how far a place that a window sees is from the next.
        sides: those of the image, which "SAME" depends on.
        called: what messages name the size.

    Raises:
        ValueError: a number is out of its range.
    """
    given = ((called, size), ("stride", stride), ("dilation", dilation))
    sizes, strides, dilations = (_pair(name, numbers, 1) for name, numbers in given)
    return Windows(sizes, strides, _zeros(padding, sizes, strides, dilations, sides), dilations)


def _zeros(padding: Padding, size: Pair, stride: Pair, dilation: Pair, sides: Pair) -> tuple[Pair, Pair]:
    """The zeros ahead of and behind each side."""
    if not isinstance(padding, str):
        first, second = _pair("padding", padding, 0)
        return (first, first), (second, second)
    if padding.upper() not in ("SAME", "VALID"):
        raise ValueError(f'padding must be one whole number or two, at least 0, or "SAME" or "VALID"; got {padding!r}.')
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, size, strict=True)]
    needed = [max(0, (-(-n // s) - 1) * s + span - n) for n, s, span in zip(sides, stride, spans, strict=True)]
    first, second = needed if padding.upper() == "SAME" else (0, 0)
    return (first // 2, first - first // 2), (second // 2, second - second // 2)


def seen_at(geometry: Windows, x: Float[Array, "B W H C"]) -> list[Float[Array, "B W_out H_out C"]]:
    """The contents of all windows at each place within them, row by row."""
    padded = jnp.pad(x, ((0, 0), *geometry.padding, (0, 0)))
    rows, columns = geometry.counts((x.shape[1], x.shape[2]))
    (s1, s2), (d1, d2) = geometry.stride, geometry.dilation
    return [
        padded[:, d1 * a : d1 * a + s1 * (rows - 1) + 1 : s1, d2 * c : d2 * c + s2 * (columns - 1) + 1 : s2]
        for a, c in product(*map(range, geometry.size))
    ]


def put_back(
    geometry: Windows, seen: list[Float[Array, "B W_out H_out C"]], shape: tuple[int, ...]
) -> Float[Array, "B W H C"]:
    """The transpose of `seen_at`: values at the places of windows, added up where those see the same place of x."""
    _, width, height, _ = shape
    _, rows, columns, _ = seen[0].shape
    (s1, s2), ((p1, _), (p2, _)), (d1, d2) = geometry.stride, geometry.padding, geometry.dilation
    dtype = wide(seen[0].dtype)
    total = jnp.zeros(shape, dtype)
    for part, (a, c) in zip(seen, product(*map(range, geometry.size)), strict=True):
        down = (d1 * a - p1, width + p1 - d1 * a - s1 * (rows - 1) - 1, s1 - 1)
        across = (d2 * c - p2, height + p2 - d2 * c - s2 * (columns - 1) - 1, s2 - 1)
        total = total + jax.lax.pad(part.astype(dtype), jnp.zeros((), dtype), [(0, 0, 0), down, across, (0, 0, 0)])
    return total.astype(seen[0].dtype)


def require_images(x: Any) -> None:
    """Raise ValueError unless x is a batch of images."""
    if x.ndim != 4:
        raise ValueError(f"images must be (B, W, H, C); got an array of shape {x.shape}.")


def whole_numbers(numbers: Any, count: int, least: int) -> tuple[int, ...] | None:
    """The numbers as Python's own; None unless they are `count` whole numbers, each at least `least`."""
    try:
        whole = [operator.index(n) for n in numbers if not isinstance(n, bool)]
    except TypeError:
        return None
    fits = len(whole) == len(numbers) == count and all(n >= least for n in whole)
    return tuple(whole) if fits else None


def _pair(name: str, numbers: Any, least: int) -> Pair:
    both = whole_numbers(numbers if hasattr(numbers, "__len__") else (numbers, numbers), 2, least)
    if both is None:
        raise ValueError(f"{name} must be one whole number or two, at least {least}; got {numbers!r}.")
    return both[0], both[1]
