"""A small variational auto-encoder."""

from functools import partial

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from adamlab import layers
from adamlab.problems.data.batches import (
    Examples,
    Part,
    Value,
    mean_over,
    sampler,
    test_part,
    training_part,
    validation_part,
)
from adamlab.problems.data.images import Images
from adamlab.problems.functions import FEW_TOGETHER, normal, require
from adamlab.problems.networks.starts import MOST_UNITS, Dense, affine, glorot
from adamlab.types import Problem


def vae(data: Images, batch_size: int = 64, hidden: int = 128, latent: int = 10, replacement: bool = True) -> Problem:
    """A variational auto-encoder of images: negative ELBO in nats an image, one hidden softplus layer each way.

    With ε standard normal, z = μ(x) + σ(x)·ε, and p the decoder's Bernoulli probabilities, a pixel being one:

        −ELBO = −Σ_pixels (x·log p(z) + (1 − x)·log(1 − p(z))) + ½·Σ_j (μ_j² + σ_j² − 1 − log σ_j²)

    The pixels are shades in [0, 1], not outcomes of Bernoulli's: as is usual, x is put into their log-likelihood all
    the same, which makes its part a cross-entropy rather than the bound of a likelihood.

    The minibatches and ε are drawn from the run's seed. What is recorded, on all training images and as `test_loss` on
    all test images, has one ε for each image, the same at every step of every run. Here Kingma & Ba find that Adam
    needs its bias correction when β₂ is near 1; their nets have 500 hidden units and 50 latent variables.

    Source: Kingma & Welling 2014, Auto-encoding variational Bayes, equation 10 with L = 1, and appendices B and C.1;
    Kingma & Ba 2015, section 6.4 and figure 4. Weights start normal, see `starts.glorot`.

    Args:
        data: the images.
        batch_size: images in a minibatch.
        replacement: whether minibatches are drawn with replacement; otherwise every epoch shuffles the images anew.
        hidden: units in the hidden layer of the encoder, and in that of the decoder.
        latent: the dimension of z.
    """
    require("hidden", hidden, 1, MOST_UNITS)
    require("latent", latent, 1, MOST_UNITS)
    pixels = data.train_images[0].size
    sizes = {
        "encoder": (pixels, hidden),
        "mean": (hidden, latent),
        "log_variance": (hidden, latent),
        "decoder": (latent, hidden),
        "pixels": (hidden, pixels),
    }

    def start(key) -> dict[str, Dense]:
        keys = jax.random.split(key, len(sizes))
        return {name: affine(glorot(key, *size)) for key, (name, size) in zip(keys, sizes.items(), strict=True)}

    def mean_over_part(params: dict[str, Dense], part: Part) -> Value:
        return mean_over(part, lambda examples: _negative_elbo(params, examples))

    held_out = {"test_loss": test_part(data)} | ({"validation_loss": part} if (part := validation_part(data)) else {})
    return Problem(
        f"{data.name}_vae",
        loss=_negative_elbo,
        start=start,
        objective=lambda params: mean_over_part(params, training_part(data)),
        sample=sampler(data, batch_size, replacement=replacement, noisy=True),
        metrics={name: partial(mean_over_part, part=part) for name, part in held_out.items()},
        side_by_side=FEW_TOGETHER,
        source=data.source,
    )


def _negative_elbo(params: dict[str, Dense], examples: Examples) -> Value:
    def layer(name: str, h: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
        return layers.dense(h, params[name]["W"], params[name]["b"])

    if examples.key is None:
        raise ValueError("an auto-encoder's examples need the key that its noise is drawn from.")
    x = examples.x.reshape(len(examples.x), -1)
    h = jax.nn.softplus(layer("encoder", x))
    mean, log_variance = layer("mean", h), layer("log_variance", h)
    noise = normal(examples.key, mean.size).reshape(mean.shape)
    z = mean + jnp.exp(log_variance / 2) * noise
    scores = layer("pixels", jax.nn.softplus(layer("decoder", z)))
    reconstruction = jnp.sum(optax.sigmoid_binary_cross_entropy(scores, x), axis=-1)
    divergence = jnp.sum(mean**2 + jnp.exp(log_variance) - 1 - log_variance, axis=-1) / 2
    return jnp.mean(reconstruction + divergence)
