"""Images as nets see them: minibatches, and means over a whole part of the data."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Key, UInt8

from adamlab.problems.data.images import WHOLE, Images
from adamlab.problems.data.sampling import epochs, minibatches
from adamlab.problems.functions import require
from adamlab.types import Sampler

AT_ONCE = WHOLE
"""Images of a part that are computed at a time; larger parts, all of OpenML's, are a whole number of times as large."""

Value = Float[Array, ""]


class Examples(NamedTuple):
    """Images with pixels in [0, 1], their labels, and the key that a noisy net draws its noise from."""

    x: Float[Array, "n H W C"]
    y: Int[Array, " n"]
    key: Key[Array, ""] | None = None


class Part(NamedTuple):
    """The training or the test part of a data set, in bytes as it is kept."""

    pixels: UInt8[np.ndarray, "n H W C"]
    labels: Int[np.ndarray, " n"]
    scale: int

    def examples(self, pixels: UInt8[Array, "rows H W C"], labels: Int[Array, " rows"]) -> Examples:
        """Some rows of it in floats."""
        return Examples(jnp.asarray(pixels, float) / self.scale, labels)


def training_part(data: Images) -> Part:
    """The part to train on."""
    return Part(data.train_images, data.train_labels, data.scale)


def test_part(data: Images) -> Part:
    """The part that is held out."""
    return Part(data.test_images, data.test_labels, data.scale)


def validation_part(data: Images) -> Part | None:
    """The part that settings are compared on, where there is one."""
    return Part(*data.validation, data.scale) if data.validation else None


def sampler(data: Images, size: int, *, replacement: bool = True, noisy: bool = False) -> Sampler:
    """Minibatches of the training part, whose batches are `Examples`.

    Args:
        data: the images.
        size: images in a minibatch.
        replacement: whether they are drawn uniformly with replacement; otherwise by epoch, see `sampling.epochs`.
        noisy: whether a batch brings a key along.

    Raises:
        ValueError: the size is not from 1 to the number of training images.
    """
    require("batch_size", size, 1, len(data.train_labels))
    part = training_part(data)
    draw = (minibatches if replacement else epochs)(part[:2], size, with_key=noisy)

    def sample(key: jax.Array, t: ArrayLike) -> Examples:
        batch = draw(key, t)
        (pixels, labels), for_noise = batch if noisy else (batch, None)
        return part.examples(pixels, labels)._replace(key=for_noise)

    return replace(draw, draw=sample)


def mean_over(part: Part, quantity: Callable[[Examples], Value]) -> Value:
    """The mean of a quantity over a whole part, of which no more than a piece is in memory as floats.

    Args:
        part: the images.
        quantity: a mean over some of them; the key it is given is the same at every call, and another for each piece.

    Raises:
        ValueError: the part is large and not a whole number of pieces of one size.
    """
    count = len(part.labels)
    pieces = max(1, count // AT_ONCE)
    if count % pieces:
        raise ValueError(
            f"expected fewer than {2 * AT_ONCE} images in a part, or a multiple of {AT_ONCE}; "
            f"got {count}, which {pieces} pieces of one size do not make up."
        )
    keys = jax.random.split(jax.random.key(0), pieces)
    if pieces == 1:
        whole = part.examples(jnp.asarray(part.pixels), jnp.asarray(part.labels))
        return quantity(whole._replace(key=keys[0]))

    def of_piece(piece) -> Value:
        pixels, labels, key = piece
        return quantity(part.examples(pixels, labels)._replace(key=key))

    cut = [jnp.asarray(rows).reshape(pieces, -1, *rows.shape[1:]) for rows in (part.pixels, part.labels)]
    return jnp.mean(jax.lax.map(of_piece, (*cut, keys)))


def some_of(part: Part) -> Float[Array, "some H W C"]:
    """`AT_ONCE` of a part's images, evenly spaced, or all where there are fewer than twice as many."""
    step = max(1, len(part.labels) // AT_ONCE)
    # XLA would compute in advance, while it compiles, all that it can of images that are constants.
    pixels = jax.lax.optimization_barrier(jnp.asarray(part.pixels[::step]))
    return part.examples(pixels, jnp.asarray(part.labels[::step])).x
