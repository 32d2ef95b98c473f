"""Classifiers of images, trained by cross-entropy or by squared errors.

Softmax regression is plain JAX and Optax, the others are made of `adamlab.layers`. What is recorded is without noise
and on whole parts of the data: the loss on all training images, and `test_loss`, `train_accuracy` and `test_accuracy`;
`validation_loss` and `validation_accuracy` where a validation part is held out of the training images.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from adamlab import layers
from adamlab.problems.data.batches import (
    Examples,
    Part,
    mean_over,
    sampler,
    some_of,
    test_part,
    training_part,
    validation_part,
)
from adamlab.problems.data.images import Images
from adamlab.problems.functions import FEW_TOGETHER, TOGETHER, require
from adamlab.problems.networks.starts import MOST_UNITS, Dense, affine, glorot, he
from adamlab.types import Problem, PyTree

Pictures = Float[Array, "n H W C"]
Logits = Float[Array, "n classes"]


class Net(NamedTuple):
    """A classifier.

    Attributes:
        start: `key -> params`.
        train: the logits of a batch in training.
        infer: `params -> (images -> logits)`: what the net has become.
        noisy: whether `train` uses the batch's key.
    """

    start: Callable[[jax.Array], PyTree]
    train: Callable[[PyTree, Examples], Logits]
    infer: Callable[[PyTree], Callable[[Pictures], Logits]]
    noisy: bool = False


ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {"relu": layers.relu, "tanh": jnp.tanh}
"""What is applied to hidden layers, by name."""


class Block(NamedTuple):
    """A convolution without bias, since batch norm's β is one, and the normalization after it."""

    kernel: Float[Array, "3 3 C_in C_out"]
    gamma: Float[Array, " C_out"]
    beta: Float[Array, " C_out"]


def softmax(data: Images, batch_size: int = 64, replacement: bool = True) -> Problem:
    """Softmax regression of images: pixels to classes, cross-entropy, from W = 0, b = 0.

    The minibatches are drawn from the run's seed. The recorded loss is that of all training images.

    Args:
        data: the images.
        batch_size: images in a minibatch.
        replacement: whether minibatches are drawn with replacement; otherwise every epoch shuffles the images anew.
    """

    def logits(params: Dense, x: Pictures) -> Logits:
        return _flat(x) @ params["W"] + params["b"][None, :]

    def start(key) -> Dense:
        return affine(jnp.zeros((data.train_images[0].size, data.classes), float))

    net = Net(start, lambda params, batch: logits(params, batch.x), lambda params: lambda x: logits(params, x))
    # Optax's cross-entropy: ours rounds otherwise, and this problem's results are to stay what they were, bit for bit.
    return _classifier("softmax", data, batch_size, replacement, net, optax.softmax_cross_entropy_with_integer_labels)


def mlp(
    data: Images,
    batch_size: int = 64,
    hidden: int = 128,
    dropout: int | float = 0.5,
    replacement: bool = True,
    activation: str = "relu",
    loss: str = "cross_entropy",
) -> Problem:
    """A multilayer net of images: two hidden layers of rectifiers with dropout, softmax, from He's normal weights.

    The minibatches and what is dropped are drawn from the run's seed. What is recorded, on all images, is the net
    without dropout.

    Source: Srivastava et al. 2014, Dropout; with two hidden layers as in Kingma & Ba 2015, section 6.2.

    Args:
        data: the images.
        batch_size: images in a minibatch.
        replacement: whether minibatches are drawn with replacement; otherwise every epoch shuffles the images anew.
        hidden: units in each hidden layer.
        dropout: the share of each hidden layer's units that is dropped, in [0, 1).
        activation: "relu", or "tanh", which has a second derivative and starts from Glorot's weights.
        loss: "cross_entropy", or "squared", half the squared distance of the logits from the label's unit vector.
    """
    require("hidden", hidden, 1, MOST_UNITS)
    activate, cost = _chosen("activation", activation, ACTIVATIONS), _chosen("loss", loss, LOSSES)
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, not {dropout}.")

    def start(key) -> list[Dense]:
        first, second, last = jax.random.split(key, 3)
        draw = he if activation == "relu" else glorot
        weights = [
            draw(first, data.train_images[0].size, hidden),
            draw(second, hidden, hidden),
            glorot(last, hidden, data.classes),
        ]
        return [affine(weight) for weight in weights]

    def logits(params: list[Dense], x: Pictures, key: jax.Array | None = None) -> Logits:
        *inner, last = params
        h = _flat(x)
        for i, layer in enumerate(inner):
            h = activate(layers.dense(h, layer["W"], layer["b"]))
            h = h if key is None else layers.dropout(h, jax.random.fold_in(key, i), float(dropout))
        return layers.dense(h, last["W"], last["b"])

    net = Net(
        start,
        lambda params, batch: logits(params, batch.x, batch.key),
        lambda params: lambda x: logits(params, x),
        noisy=True,
    )
    return _classifier("mlp", data, batch_size, replacement, net, cost, side_by_side=FEW_TOGETHER)


def conv(
    data: Images,
    batch_size: int = 64,
    channels: int = 16,
    replacement: bool = True,
    activation: str = "relu",
    loss: str = "cross_entropy",
) -> Problem:
    """A convolutional net of images: twice (3 × 3 convolution, batch norm, rectifier, 2 × 2 max pool), then softmax.

    In training batch norm goes by the minibatch. What is recorded is the net in inference: every normalization goes
    by the statistics of training images (2000 of them, evenly spaced, or all if there are fewer than 4000) under
    these very parameters, layer by layer from the first, so that all of it is a function of the parameters alone, and
    is differentiated as that. The minibatches are drawn from the run's seed.

    Source: LeCun et al. 1998, Gradient-based learning applied to document recognition; Ioffe & Szegedy 2015, Batch
    normalization, section 3.2, and Algorithm 2 for inference.

    Args:
        data: the images.
        batch_size: images in a minibatch.
        replacement: whether minibatches are drawn with replacement; otherwise every epoch shuffles the images anew.
        channels: of the first convolution; the second has twice as many.
        activation: "relu", or "tanh", which has a second derivative.
        loss: "cross_entropy", or "squared", half the squared distance of the logits from the label's unit vector.
    """
    require("channels", channels, 1, MOST_UNITS)
    activate, cost = _chosen("activation", activation, ACTIVATIONS), _chosen("loss", loss, LOSSES)
    height, width, colours = data.train_images.shape[1:]
    features = (height // 4) * (width // 4) * 2 * channels

    def start(key) -> dict[str, list[Block] | Dense]:
        first, second, last = jax.random.split(key, 3)
        kernels = [he(first, 3, 3, colours, channels), he(second, 3, 3, channels, 2 * channels)]
        blocks = [Block(kernel, jnp.ones(kernel.shape[-1]), jnp.zeros(kernel.shape[-1])) for kernel in kernels]
        return {"blocks": blocks, "last": affine(glorot(last, features, data.classes))}

    def convolved(
        params: PyTree, x: Pictures, statistics: list[layers.Statistics] | None = None
    ) -> tuple[Logits, list[layers.Statistics]]:
        """The logits, normalized by given statistics or by the images' own, and the latter in every block."""
        seen = []
        for i, block in enumerate(params["blocks"]):
            x = layers.conv2d(x, block.kernel, padding=1)
            seen.append(layers.batch_statistics(x))
            x = layers.batch_norm(x, block.gamma, block.beta, None if statistics is None else statistics[i])
            x = layers.max_pool(activate(x))
        return layers.dense(_flat(x), params["last"]["W"], params["last"]["b"]), seen

    def infer(params) -> Callable[[Pictures], Logits]:
        _, seen = convolved(params, some_of(training_part(data)))
        return lambda x: convolved(params, x, seen)[0]

    net = Net(start, lambda params, batch: convolved(params, batch.x)[0], infer)
    return _classifier("conv", data, batch_size, replacement, net, cost, side_by_side=1)


def _classifier(
    name: str,
    data: Images,
    batch_size: int,
    replacement: bool,
    net: Net,
    cross_entropy: Callable[[Logits, Int[Array, " n"]], Float[Array, " n"]],
    side_by_side: int = TOGETHER,
) -> Problem:
    def loss(params: PyTree, batch: Examples) -> jax.Array:
        return cross_entropy(net.train(params, batch), batch.y).mean()

    def mean_loss(params: PyTree, part: Part) -> jax.Array:
        logits = net.infer(params)
        return mean_over(part, lambda examples: cross_entropy(logits(examples.x), examples.y).mean())

    def accuracy(params: PyTree, part: Part) -> jax.Array:
        logits = net.infer(params)
        return mean_over(part, lambda some: jnp.mean(jnp.argmax(logits(some.x), axis=-1) == some.y, dtype=float))

    held_out = {"test": test_part(data)} | ({"validation": part} if (part := validation_part(data)) else {})
    losses = {f"{name}_loss": partial(mean_loss, part=part) for name, part in held_out.items()}
    parts = {"train": training_part(data), **held_out}
    accuracies = {f"{name}_accuracy": partial(accuracy, part=part) for name, part in parts.items()}
    return Problem(
        f"{data.name}_{name}",
        loss=loss,
        start=net.start,
        objective=lambda params: mean_loss(params, training_part(data)),
        sample=sampler(data, batch_size, replacement=replacement, noisy=net.noisy),
        metrics=losses | accuracies,
        side_by_side=side_by_side,
        source=data.source,
    )


def _cross_entropy(logits: Logits, labels: Int[Array, " n"]) -> Float[Array, " n"]:
    return layers.softmax_cross_entropy(logits, jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype))


def _squared_errors(logits: Logits, labels: Int[Array, " n"]) -> Float[Array, " n"]:
    return 0.5 * jnp.sum((logits - jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)) ** 2, axis=-1)


LOSSES: dict[str, Callable[..., Float[Array, " n"]]] = {"cross_entropy": _cross_entropy, "squared": _squared_errors}
"""The loss of each example, by name."""


def _chosen(option: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise ValueError(f"{option} must be {' or '.join(map(json.dumps, known))}, not {json.dumps(name)}.")
    return known[name]


def _flat(x: Float[Array, "n H W C"]) -> Float[Array, "n pixels"]:
    return x.reshape(len(x), -1)
