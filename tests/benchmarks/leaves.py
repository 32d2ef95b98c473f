"""A training step on many arrays: as a tree, and as one vector by `al.flat`.

    python -m tests.benchmarks.leaves [--leaves N] [--rounds N]

CPU time of the whole process. The step is compiled, its buffers donated; the loss, its gradient and the unravelling are
in what is timed. Both sides take turns in one process.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from rich.console import Console

import adamlab as al

SIZE = 256
STEPS = 20


def loss(params: Any) -> jax.Array:
    return sum((jnp.sum(x * x) for x in jax.tree.leaves(params)), jnp.float32(0))


def training_step(tx: Any, objective: Callable[[Any], jax.Array]) -> Any:
    @partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state):
        updates, state = tx.update(jax.grad(objective)(params), state, params)
        return optax.apply_updates(params, updates), state

    return step


def rows(leaves: int = 1000, rounds: int = 5) -> list[dict[str, Any]]:
    """For each side the seconds of compiling, and the least CPU time of a step in ms."""
    params = {f"w{i}": jnp.full(SIZE, 1 + i / leaves) for i in range(leaves)}
    sides = {
        "optax.adam on the tree": (optax.adam(1e-3), params, loss),
        "al.flat(optax.adam)": (al.flat(optax.adam(1e-3)), al.ravel(params), lambda w: loss(w.tree)),
        "al.flat(al.adam)": (al.flat(al.adam(1e-3)), al.ravel(params), lambda w: loss(w.tree)),
    }
    running, table = {}, {}
    for name, (tx, start, objective) in sides.items():
        step, state = training_step(tx, objective), tx.init(start)
        began = time.process_time()
        lowered = step.lower(start, state)
        traced = time.process_time()
        running[name] = lowered.compile(), jax.tree.map(jnp.copy, start), state
        compiled = time.process_time()
        table[name] = {"side": name, "trace s": traced - began, "compile s": compiled - traced, "step ms": float("inf")}
    for _ in range(rounds):
        for name, (step, *arrays) in running.items():
            began, (w, state) = time.process_time(), arrays
            for _ in range(STEPS):
                w, state = step(w, state)
            jax.block_until_ready(w)
            running[name] = step, w, state
            table[name]["step ms"] = min(table[name]["step ms"], 1000 * (time.process_time() - began) / STEPS)
    base = table["optax.adam on the tree"]["step ms"]
    return [{**row, "times faster": base / row["step ms"]} for row in table.values()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.leaves", description=__doc__)
    parser.add_argument("--leaves", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    console = Console(highlight=False, width=120)
    for row in rows(arguments.leaves, arguments.rounds):
        console.print(
            "  ".join(f"{key} {value:.3g}" if isinstance(value, float) else value for key, value in row.items())
        )
