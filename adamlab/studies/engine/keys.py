"""Keys that runs draw with: JAX's own, hashed in one kernel where JAX loops over rounds."""

from itertools import cycle
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl

from adamlab.types import Problem, shapes

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
"""The bits that rounds rotate by, of even and of odd groups of four."""

PARITY = np.uint32(0x1BD11BDA)
"""The constant of the key schedule."""

GROUPS = 5
"""The groups of four rounds."""

OF_JAX = "threefry2x32"
"""The kind of JAX's keys whose bits these are."""


def kind_for(problem: Problem) -> Any:
    """The kind of keys for a problem's runs, as `jax.random.key` takes it; None where only JAX's own will do.

    A few of JAX's distributions, as Poisson's, refuse all others, and so may code of a user's, or bring keys of JAX's
    into the problem's state. What code makes of the kind as `jax.random.key_impl` tells it is not looked at.
    """
    chosen: Any = jax.config  # whose fields type checkers do not know
    if chosen.jax_default_prng_impl != OF_JAX or not chosen.jax_threefry_partitionable:
        return None

    def draw() -> tuple[Any, Any]:
        start_key, sample_key = keys_of(0, KIND)
        params, next_state = problem.start(start_key), problem.next_state
        batch = None if problem.sample is None else problem.sample(sample_key, jnp.int32(1))
        if problem.state is None:
            return problem.loss(params, batch), None
        state = problem.state(start_key)
        results = [function(params, state) for function in (problem.objective, *problem.metrics.values())]
        after = state if next_state is None else next_state(params, (batch, state))
        return [problem.loss(params, (batch, state)), results], (state, after)

    try:
        _, states = jax.eval_shape(draw)
    except Exception:  # whatever a user's code raises; what is not about keys is raised again with JAX's own
        return None
    return KIND if states is None or shapes(states[0]) == shapes(states[1]) else None


def keys_of(seed: Any, kind: Any = None) -> tuple[jax.Array, jax.Array]:
    """The key of a run's start and that of its batches."""
    start_key, sample_key = jax.random.split(jax.random.key(seed, impl=kind))
    return start_key, sample_key


@jax.jit
def threefry(key: jax.Array, counters: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The two words of Threefry-2x32-20 of each counter below 2³².

    JAX loops over the groups of rounds on a CPU, with a dozen kernels in each, and takes ten times as long for a batch.

    Source: Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3, section 3.3.
    """
    schedule = cycle([key[0], key[1], key[0] ^ key[1] ^ PARITY])
    a, b = next(schedule), counters + (word := next(schedule))
    for group in range(GROUPS):
        for rotation in ROTATIONS[group % 2]:
            a = a + b
            b = a ^ (b << np.uint32(rotation) | b >> np.uint32(32 - rotation))
        a, b = a + word, b + (word := next(schedule)) + np.uint32(group + 1)
    return a, b


def _random_bits(key: jax.Array, width: int, shape: tuple[int, ...]) -> jax.Array:
    size, dtype = prod(shape), jnp.dtype(f"uint{width}")
    if size >= 2**32:
        return jax.random.bits(_of_jax(key), shape, dtype)
    counters = jnp.arange(size, dtype=jnp.uint32).reshape(shape)

    def draw(_: Any) -> tuple[jax.Array, jax.Array]:
        high, low = threefry(key, counters)
        bits = high.astype(dtype) << np.uint64(32) | low.astype(dtype) if width == 64 else (high ^ low).astype(dtype)
        return key[0] + np.uint32(1), bits

    # A loop that is left after its first round, which XLA does not know: what takes the bits, as a gather of examples,
    # would otherwise draw them anew for each number of an example.
    return jax.lax.while_loop(lambda state: state[0] == key[0], draw, (key[0], jnp.zeros(shape, dtype)))[1]


def _split(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.stack(threefry(key, jnp.arange(prod(shape), dtype=jnp.uint32).reshape(shape)), axis=-1)


def _of_jax(key: jax.Array) -> jax.Array:
    return jax.random.wrap_key_data(key, impl=OF_JAX)


KIND = define_prng_impl(
    key_shape=(2,),
    seed=lambda seed: jax.random.key_data(jax.random.key(seed, impl=OF_JAX)),
    split=_split,
    random_bits=_random_bits,
    fold_in=lambda key, data: jnp.stack(threefry(key, data)),
    name="threefry2x32 in one kernel",
    tag="kernel",
)
"""The kind of these keys."""
