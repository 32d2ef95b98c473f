"""Training steps on many arrays: as a tree, and as one vector by `al.flat`, with the loss and the unravelling."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

import adamlab as al
from tests.benchmarks.measuring import OURS, Figure, take_turns

LEAVES, SIZE, STEPS = 1_000, 256, 20
TREE = "optax.adam on the tree"


def figures() -> Iterator[Figure]:
    """A step on each side, and what tracing and compiling it takes."""
    params = {f"w{i}": jnp.full(SIZE, 1 + i / LEAVES) for i in range(LEAVES)}
    w = al.ravel(params)
    sides = {
        OURS: (al.flat(al.adam(1e-3)), w, lambda w: loss(w.tree)),
        "al.flat(optax.adam)": (al.flat(optax.adam(1e-3)), w, lambda w: loss(w.tree)),
        TREE: (optax.adam(1e-3), params, loss),
    }
    prepared: dict[str, list[float]] = {}
    cases = {name: _steps(*side, seconds=prepared.setdefault(name, [])) for name, side in sides.items()}
    what = f"Adam and its loss on {LEAVES:,} leaves of {SIZE}"
    yield Figure(f"a training step of {what}", "CPU ms", take_turns(cases, 1e-3 * STEPS), {TREE: 0.05})
    yield Figure(f"tracing and compiling {what}", "CPU s", prepared, {TREE: 1.0})


def loss(params: Any) -> jax.Array:
    """A sum over all arrays."""
    return sum((jnp.sum(x * x) for x in jax.tree.leaves(params)), jnp.float32(0))


def _steps(tx: Any, start: Any, objective: Callable[[Any], jax.Array], seconds: list[float]) -> Callable[[], Any]:
    """Compiled steps whose buffers are donated; how long they took to compile is put into `seconds`."""

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state):
        updates, state = tx.update(jax.grad(objective)(params), state, params)
        return optax.apply_updates(params, updates), state

    state = tx.init(start)
    began = time.process_time()
    compiled = step.lower(start, state).compile()
    seconds.append(time.process_time() - began)
    carry = jax.tree.map(jnp.copy, start), state

    def run():
        nonlocal carry
        for _ in range(STEPS):
            carry = compiled(*carry)
        return jax.block_until_ready(carry)

    return run
