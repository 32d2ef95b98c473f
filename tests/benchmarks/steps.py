"""Steps of Adam on trees of arrays: one update of parameters of many sizes, with PyTorch's beside it."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import adamlab as al
from tests.benchmarks.measuring import OURS, Figure, take_turns

TREES = ((1, 256, 300), (100, 256, 100), (1_000, 256, 10), (1, 30_000_000, 3))
"""The number of leaves, the size of each, and the steps of a round."""

OPTAX = "optax"
WANTED = 1.1
LONG = 10**6
"""The size from which on PyTorch takes two threads, as JAX does."""


def figures() -> Iterator[Figure]:
    """A figure a tree."""
    for leaves, size, count in TREES:
        cases = {OURS: _step(al.adam(1e-3), leaves, size, count), OPTAX: _step(optax.adam(1e-3), leaves, size, count)}
        cases |= _in_torch(leaves, size, count)
        values = take_turns(cases, 1e-6 * count)
        numbers = f"{leaves:,} {'leaves' if leaves > 1 else 'leaf'} of {size:,}"
        yield Figure(f"a step of Adam, {numbers}", "CPU µs", values, {OPTAX: WANTED})


def _step(tx: optax.GradientTransformation, leaves: int, size: int, count: int) -> Callable[[], Any]:
    """Steps by one compiled function whose parameters and state are donated."""
    gradient = {f"leaf {i}": jnp.full(size, 1e-3 * (i + 1), jnp.float32) for i in range(leaves)}

    @jax.jit
    def first():
        params = jax.tree.map(jnp.ones_like, gradient)
        return params, tx.init(params)

    def step(carry, gradient):
        params, state = carry
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    compiled = jax.jit(step, donate_argnums=0)
    carry = first()

    def run():
        nonlocal carry
        for _ in range(count):
            carry = compiled(carry, gradient)
        return jax.block_until_ready(carry)

    return run


def _in_torch(leaves: int, size: int, count: int) -> dict[str, Callable[[], Any]]:
    """PyTorch's Adam in its three forms; none where it is not installed."""
    try:
        torch = import_module("torch")
    except ModuleNotFoundError:
        return {}
    torch.set_num_threads(2 if size >= LONG else 1)

    def of(foreach: bool, fused: bool) -> Callable[[], Any]:
        params = [torch.nn.Parameter(torch.ones(size)) for _ in range(leaves)]
        for i, parameter in enumerate(params):
            parameter.grad = torch.from_numpy(np.full(size, 1e-3 * (i + 1), np.float32))
        optimizer = torch.optim.Adam(params, lr=1e-3, foreach=foreach, fused=fused)
        return lambda: [optimizer.step() for _ in range(count)]

    return {
        "torch, one by one": of(foreach=False, fused=False),
        "torch, foreach": of(foreach=True, fused=False),
        "torch, fused": of(foreach=False, fused=True),
    }
