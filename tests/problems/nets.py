"""The nets once more, in XLA's own operations or in NumPy, and what their tests share."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.special
import scipy.stats
from jax import lax
from jax.flatten_util import ravel_pytree

from adamlab.problems.networks.named import MAKERS

NETS = {make.__name__: make for make in MAKERS}
DIGITS = ["digits_softmax", "digits_mlp", "digits_conv", "digits_vae"]


def displaced(problem, seed=7):
    """Parameters of a run that has begun: none is 0 or 1."""
    flat, unravel = ravel_pytree(jax.jit(problem.start)(jax.random.key(seed)))
    return unravel(flat + 0.1 * jax.random.normal(jax.random.key(seed + 1), flat.shape))


def batch_of(problem, seed=3):
    return jax.jit(problem.sample, static_argnums=1)(jax.random.key(seed), 1)


def in_floats(pixels, scale=16):
    return jnp.asarray(np.asarray(pixels, float) / scale)


def held_out(data):
    return in_floats(data.test_images, data.scale), data.test_labels


def mean_cross_entropy(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.asarray(labels)).mean()


def half_squared_distance(logits, labels):
    return 0.5 * ((logits - np.eye(logits.shape[-1])[np.asarray(labels)]) ** 2).sum(axis=-1).mean()


def recorded(problem, params):
    """The loss on all training images, and the metrics, by name."""
    quantities = {"loss": problem.objective, **problem.metrics}
    told = jax.jit(lambda params: {name: quantity(params) for name, quantity in quantities.items()})(params)
    return {name: float(number) for name, number in told.items()}


@jax.jit
def plain_mlp(params, x, masks=(1.0, 1.0)):
    """The logits; each hidden layer is multiplied by its mask."""
    h = x.reshape(len(x), -1)
    for layer, mask in zip(params[:-1], masks, strict=True):
        h = jnp.maximum(jnp.einsum("ni,ij->nj", h, layer["W"]) + layer["b"][None, :], 0) * mask
    return jnp.einsum("ni,ij->nj", h, params[-1]["W"]) + params[-1]["b"][None, :]


@partial(jax.jit, static_argnames="activate")
def plain_conv(params, x, given=None, activate=jax.nn.relu):
    """The logits, and the (mean, variance) that each normalization went by: what is given, or the images' own."""
    used = []
    for i, block in enumerate(params["blocks"]):
        x = lax.conv_general_dilated(x, block.kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        used.append((jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))) if given is None else given[i])
        mean, variance, gamma, beta = (f[None, None, None, :] for f in (*used[-1], block.gamma, block.beta))
        x = activate((x - mean) * lax.rsqrt(variance + 1e-5) * gamma + beta)
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return x.reshape(len(x), -1) @ params["last"]["W"] + params["last"]["b"][None, :], used


def negative_elbo(params, x, noise):
    """In NumPy and SciPy; the divergence by quadrature, which is exact for a polynomial of degree 2."""

    def layer(name, h):
        return h @ np.asarray(params[name]["W"]) + np.asarray(params[name]["b"])

    h = np.logaddexp(0, layer("encoder", x))
    mean, deviation = layer("mean", h), np.sqrt(np.exp(layer("log_variance", h)))
    p = scipy.special.expit(layer("pixels", np.logaddexp(0, layer("decoder", mean + deviation * noise))))
    likelihood = (x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    divergence = 0
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        z = mean + deviation * node
        ratio = scipy.stats.norm.logpdf(z, mean, deviation) - scipy.stats.norm.logpdf(z)
        divergence += weight * ratio.sum(axis=1)
    return (divergence - likelihood).mean()
