"""Problems on the handwritten digits that scikit-learn ships: 1797 real images of 8 × 8 pixels, ten classes."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from adamlab.types import Problem

MOST_IN_A_BATCH = 1797


class Examples(NamedTuple):
    """Images, flat and scaled to [0, 1], with their labels."""

    x: Float[Array, "n 64"]
    y: Int[Array, " n"]


def digits_softmax(batch_size: int = 64, test_share: float = 0.2) -> Problem:
    """Softmax regression: 64 pixels to ten classes, cross-entropy, from W = 0, b = 0.

    The split into training and test images is the same for every run. The minibatches are drawn from the run's seed,
    uniformly with replacement. The recorded loss is that of all training images.

    Args:
        batch_size: images in a minibatch.
        test_share: the share of images that is held out, in (0, 1).

    Raises:
        ModuleNotFoundError: scikit-learn, which ships the images, is not installed.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must be between 0 and 1, not {test_share}.")
    if not 1 <= batch_size <= MOST_IN_A_BATCH:
        raise ValueError(f"batch_size must be from 1 to {MOST_IN_A_BATCH}, not {batch_size}.")
    images, labels, is_test = _digits(test_share)

    def split(test: bool) -> Examples:
        chosen = is_test == test
        return Examples(jnp.asarray(images[chosen], float), jnp.asarray(labels[chosen]))

    def logits(params, x):
        return x @ params["W"] + params["b"][None, :]

    def loss(params, batch: Examples):
        return optax.softmax_cross_entropy_with_integer_labels(logits(params, batch.x), batch.y).mean()

    def accuracy(params, batch: Examples):
        return jnp.mean(jnp.argmax(logits(params, batch.x), axis=-1) == batch.y, dtype=float)

    def sample(key, t) -> Examples:
        train = split(test=False)
        rows = jax.random.randint(key, (batch_size,), 0, len(train.y), jnp.int32)
        return Examples(train.x[rows], train.y[rows])

    return Problem(
        "digits_softmax",
        loss=loss,
        start=lambda key: {"W": jnp.zeros((64, 10), float), "b": jnp.zeros(10, float)},
        objective=lambda params: loss(params, split(test=False)),
        sample=sample,
        metrics={
            "test_loss": lambda params: loss(params, split(test=True)),
            "train_accuracy": lambda params: accuracy(params, split(test=False)),
            "test_accuracy": lambda params: accuracy(params, split(test=True)),
        },
        source="Alpaydin & Kaynak 1998, Optical recognition of handwritten digits, as shipped by scikit-learn",
    )


@cache
def _digits(test_share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The digits come with scikit-learn, which is not installed: pip install 'adamlab[data]'."
        ) from error
    images, labels = load_digits(return_X_y=True)
    _, test = train_test_split(np.arange(len(labels)), test_size=test_share, stratify=labels, random_state=0)
    is_test = np.zeros(len(labels), bool)
    is_test[test] = True
    return np.asarray(images) / 16, np.asarray(labels, np.int32), is_test
