"""Networks: 32 learning rates of one against a loop over them, and the digits' convolutions against autodiff."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import optax

import adamlab as al
from adamlab.studies.engine.block_sizes import group_size
from adamlab.studies.engine.execution import execute
from adamlab.studies.engine.program import prepare
from adamlab.studies.engine.recording import Recording, recorded_steps
from tests.benchmarks.measuring import OURS, Figure, take_turns
from tests.computing import runs_of

RUNS = 32
CASES = (
    ("digits_softmax", 200, 0.5),
    ("digits_mlp", 100, 1 / 1.5),
    ("digits_conv", 20, 1.05),
    ("modular_addition", 20, 1 / 1.5),
)
LOOP = "a loop over one compiled run"


def figures() -> Iterator[Figure]:
    """A figure a network."""
    for name, steps, wanted in CASES:
        problem = al.problems.get(name)
        recording = Recording(recorded_steps(steps, steps), ("loss",))
        seeds = np.zeros(RUNS, np.uint32)
        rows = runs_of("adamlab.adam(lr)", {"lr": _learning_rates()}, seeds)
        devices = jax.local_devices()  # as a study uses them by default
        program = prepare(
            problem,
            rows,
            recording,
            devices=devices,
            shared=group_size(seeds, problem.dimension),
        )
        compiled, blocks = program.compile(), range(program.sizes.count(RUNS))
        looped = _run(problem, steps)
        cases: dict[str, Callable[[], Any]] = {
            OURS: lambda program=program, compiled=compiled, blocks=blocks, rows=rows: [
                None for _ in execute(program, compiled, rows, blocks)
            ],
            LOOP: lambda looped=looped: [jax.block_until_ready(looped(np.float32(rate))) for rate in _learning_rates()],
        }
        values = take_turns(cases, 1e-6 * RUNS * steps, rounds=3)
        yield Figure(f"{RUNS} learning rates of {name}, {steps} steps", "CPU µs a run-step", values, {LOOP: wanted})


def _learning_rates() -> np.ndarray:
    return np.geomspace(1e-3, 1e-1, RUNS)


def _run(problem, steps: int) -> Callable[..., Any]:
    """One run, compiled: a scan of steps, and the loss ahead of them and after them, as the engine records it."""

    def run(rate):
        tx = optax.adam(rate)
        start_key, sample_key = jax.random.split(jax.random.key(0))
        start = w = problem.start(start_key)

        def step(carry, t):
            w, state = carry
            batch = None if problem.sample is None else problem.sample(jax.random.fold_in(sample_key, t), t + 1)
            updates, state = tx.update(jax.grad(problem.loss)(w, batch), state, w)
            return (optax.apply_updates(w, updates), state), None

        (w, _), _ = jax.lax.scan(step, (w, tx.init(w)), np.arange(steps, dtype=np.int32))
        return problem.objective(start), problem.objective(w)

    return jax.jit(run)
