"""The weights of a net before it has learnt anything."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from adamlab.problems.functions import normal

MOST_UNITS = 10**4
"""How wide a layer can be."""

Dense = dict[str, Float[Array, "..."]]
"""Weights W (inputs, outputs) and biases b of a fully connected layer."""


def he(key: jax.Array, *shape: int) -> Float[Array, "..."]:
    """Normal weights of variance 2/n, n the inputs of an output, which keep the size of signals through rectifiers.

    Source: He, Zhang, Ren & Sun 2015, Delving deep into rectifiers, equation 10.

    Args:
        key: for the draw; a seed means the same start in either float type.
        shape: of the weights, the outputs last.
    """
    return math.sqrt(2 / math.prod(shape[:-1])) * normal(key, math.prod(shape)).reshape(shape)


def glorot(key: jax.Array, inputs: int, outputs: int) -> Float[Array, "inputs outputs"]:
    """Normal weights of variance 2/(inputs + outputs): a compromise between the sizes of signals and gradients.

    Source: Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks, equation
    12; they draw uniformly.
    """
    return math.sqrt(2 / (inputs + outputs)) * normal(key, inputs * outputs).reshape(inputs, outputs)


def affine(weight: Float[Array, "inputs outputs"]) -> Dense:
    """The parameters of a fully connected layer: these weights, and biases of 0."""
    return {"W": weight, "b": jnp.zeros(weight.shape[-1], weight.dtype)}
