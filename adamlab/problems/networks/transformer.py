"""A small transformer that predicts the next of some tokens."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from adamlab import layers
from adamlab.problems.functions import normal
from adamlab.problems.networks.starts import Dense, affine, glorot, he

Weights = dict[str, Any]
Hidden = Float[Array, "batch length width"]

EPS = 1e-5
"""What layer norm adds to the variance."""


def start(key: jax.Array, *, tokens: int, length: int, width: int, depth: int) -> Weights:
    """Parameters before any training.

    Args:
        key: for the draw; a seed means the same start in either float type.
        tokens: how many different ones there are.
        length: the most tokens of a sequence.
        width: of the residual stream; the hidden layer of each block is twice as wide.
        depth: the number of blocks.
    """
    for_tokens, for_places, for_last, *for_blocks = jax.random.split(key, 3 + depth)
    return {
        "tokens": normal(for_tokens, tokens * width).reshape(tokens, width) / math.sqrt(width),
        "places": normal(for_places, length * width).reshape(length, width) / math.sqrt(width),
        "blocks": [_block(for_block, width) for for_block in for_blocks],
        "last": affine(glorot(for_last, width, tokens)),
    }


def logits(params: Weights, sequences: Int[Array, "batch length"], heads: int) -> Float[Array, "batch length tokens"]:
    """The logits of the next token after each.

    Blocks of causal attention and of a rectified layer, each behind a layer norm and beside a residual connection.

    Source: Vaswani et al. 2017, Attention is all you need; the norms as Xiong et al. 2020, On layer normalization in
    the transformer architecture.
    """
    h = params["tokens"][sequences] + params["places"][None, : sequences.shape[1]]
    for block in params["blocks"]:
        h = h + _attention(block, _normed(h), heads)
        hidden = layers.relu(_dense(_normed(h), block["up"]))
        h = h + _dense(hidden, block["down"])
    return _dense(_normed(h), params["last"])


def _block(key: jax.Array, width: int) -> dict[str, Dense]:
    keys = jax.random.split(key, 6)
    square = {name: affine(glorot(k, width, width)) for name, k in zip(("q", "k", "v", "o"), keys, strict=False)}
    return square | {"up": affine(he(keys[4], width, 2 * width)), "down": affine(glorot(keys[5], 2 * width, width))}


def _attention(block: dict[str, Dense], h: Hidden, heads: int) -> Hidden:
    """softmax(qkᵀ/√d)·v in every head, each token looking at itself and those before it."""
    batch, length, width = h.shape

    def of_heads(name: str) -> Float[Array, "batch heads length size"]:
        return _dense(h, block[name]).reshape(batch, length, heads, width // heads).swapaxes(1, 2)

    q, k, v = map(of_heads, "qkv")
    scores = q @ k.swapaxes(2, 3) / math.sqrt(width // heads)
    seen = jnp.tril(jnp.ones((length, length), bool))[None, None]
    weights = layers.softmax(jnp.where(seen, scores, jnp.finfo(scores.dtype).min))
    return _dense((weights @ v).swapaxes(1, 2).reshape(h.shape), block["o"])


def _dense(x: Float[Array, "batch length inputs"], layer: Dense) -> Float[Array, "batch length outputs"]:
    """A fully connected layer of all tokens as one matrix."""
    flat = layers.dense(x.reshape(-1, x.shape[-1]), layer["W"], layer["b"])
    return flat.reshape(*x.shape[:-1], -1)


def _normed(h: Hidden) -> Hidden:
    """Layer norm without parameters of its own, which the layer after it has."""
    mean, variance = jnp.mean(h, axis=-1, keepdims=True), jnp.var(h, axis=-1, keepdims=True)
    return (h - mean) / jnp.sqrt(variance + EPS)
