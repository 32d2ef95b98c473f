"""Minibatches of a data set, with and without replacement, and its parts to train on, to validate and to test."""

from collections.abc import Sequence
from math import isclose

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Integer

from adamlab.errors import InputError
from adamlab.types import PyTree, Sampler

ROUNDS = 8
"""The rounds of the Feistel network that shuffles an epoch."""


def minibatches(arrays: PyTree, batch_size: int, *, with_key: bool = False) -> Sampler:
    """Minibatches that are drawn uniformly with replacement, as the `sample` of a problem.

    Args:
        arrays: a tree of arrays with an example in each row; floats become those of the run's type.
        batch_size: examples in a minibatch.
        with_key: whether a batch is the pair (arrays, key), for dropout or other noise.

    Raises:
        InputError: the arrays have different numbers of rows, or fewer than a batch.
    """
    count = _examples(arrays, batch_size)

    def draw(key: jax.Array, t: ArrayLike) -> PyTree:
        for_rows, for_noise = jax.random.split(key) if with_key else (key, None)
        batch = rows_of(arrays, jax.random.randint(for_rows, (batch_size,), 0, count, jnp.int32))
        return (batch, for_noise) if with_key else batch

    return Sampler(draw, batch_size, count)


def epochs(arrays: PyTree, batch_size: int, *, with_key: bool = False) -> Sampler:
    """Minibatches of a data set that is shuffled anew for every epoch by the run's seed: no example comes twice in one.

    An epoch has as many whole batches as there are. The examples that are left over are dropped, others in every epoch.

    Args:
        arrays: a tree of arrays with an example in each row; floats become those of the run's type.
        batch_size: examples in a minibatch.
        with_key: whether a batch is the pair (arrays, key), for dropout or other noise.

    Raises:
        InputError: the arrays have different numbers of rows, or fewer than a batch.
    """
    count = _examples(arrays, batch_size)

    def draw(key: jax.Array, t: ArrayLike) -> PyTree:
        for_rows, for_noise = jax.random.split(key) if with_key else (key, None)
        batch = rows_of(arrays, epoch_rows(for_rows, t, batch_size, count))
        return batch if for_noise is None else (batch, jax.random.fold_in(for_noise, t))

    return Sampler(draw, batch_size, count, by_epoch=True)


def split(arrays: PyTree, seed: int, shares: Sequence[float] = (0.7, 0.15, 0.15)) -> tuple[PyTree, ...]:
    """The parts of a data set, drawn by a seed: by default to train on, to validate and to test.

    Args:
        arrays: a tree of arrays with an example in each row.
        seed: of the draw.
        shares: the share of each part; together 1.

    Returns:
        For each share a tree as `arrays`, of NumPy arrays.

    Raises:
        InputError: the arrays have different numbers of rows, the shares are not positive or not 1 together, or a part
            would be empty.
    """
    count = _examples(arrays, 1)
    if not all(share > 0 for share in shares) or not isclose(sum(shares), 1, abs_tol=1e-9):
        raise InputError(f"expected shares above 0 that are 1 together, as (0.7, 0.15, 0.15); got {tuple(shares)}")
    ends = np.rint(count * np.cumsum(shares)).astype(int)
    if 0 in np.diff(ends, prepend=0):
        raise InputError(f"expected an example in every part; shares of {tuple(shares)} of {count} examples leave none")
    order = np.random.default_rng(seed).permutation(count)
    parts = np.split(order, ends[:-1])
    return tuple(jax.tree.map(lambda x, rows=rows: np.asarray(x)[rows], arrays) for rows in parts)


def epoch_rows(key: jax.Array, t: ArrayLike, batch_size: int, count: int) -> Integer[Array, " batch"]:
    """The rows of the batch of step t, from 1, where every epoch shuffles so many examples."""
    epoch, batch = jnp.divmod(jnp.asarray(t) - 1, count // batch_size)
    places = batch * batch_size + jnp.arange(batch_size)
    return _shuffled(jax.random.fold_in(key, epoch), places, count)


def rows_of(arrays: PyTree, rows: Integer[Array, " batch"]) -> PyTree:
    """Some rows of each array, floats in the run's own type."""

    def chosen(array: ArrayLike) -> jax.Array:
        values = jnp.asarray(array)[rows]
        return values.astype(float) if jnp.issubdtype(values.dtype, jnp.floating) else values

    return jax.tree.map(chosen, arrays)


def _shuffled(key: jax.Array, places: Integer[Array, " batch"], count: int) -> Integer[Array, " batch"]:
    """The numbers at some places of a permutation of 0 … count − 1, without the others, which would take a sort.

    A Feistel network permutes the numbers of an even number of bits; one of `count` or more is permuted again until it
    is below (Black & Rogaway 2002, Ciphers with arbitrary finite domains, section 3).
    """
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    mask = jnp.uint32(2**half - 1)
    keys = jax.random.bits(key, (ROUNDS,), jnp.uint32)

    def permuted(x: jax.Array) -> jax.Array:
        left, right = x >> half, x & mask
        for round_key in keys:
            left, right = right, left ^ (_hashed(right ^ round_key) & mask)
        return (left << half) | right

    first = permuted(places.astype(jnp.uint32))
    below = jax.lax.while_loop(lambda x: jnp.any(x >= count), lambda x: jnp.where(x < count, x, permuted(x)), first)
    return below.astype(jnp.int32)


def _hashed(x: jax.Array) -> jax.Array:
    """The finalizer of MurmurHash3: every bit of the result depends on every bit of the number."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def _examples(arrays: PyTree, batch_size: int) -> int:
    """The number of examples, which are at least a batch."""
    counts = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(arrays)}
    if len(counts) != 1 or () in counts:
        shapes = ", ".join(str(np.shape(leaf)) for leaf in jax.tree.leaves(arrays)) or "none"
        raise InputError(f"expected arrays with as many rows each, a row for each example; got the shapes {shapes}")
    ((count,),) = counts
    if not 1 <= batch_size <= count:
        raise InputError(f"batch_size must be from 1 to {count}, the number of examples, not {batch_size}.")
    return count
