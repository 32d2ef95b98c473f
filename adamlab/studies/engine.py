"""All runs of one problem and one optimizer in one compiled program: vmapped over runs, scanned over steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from adamlab.calls import Call
from adamlab.types import Decay, Problem

LOW_DIMENSION = 16
"""Up to how many parameters a trajectory is kept; of larger problems only the last parameters are."""

BLOCK = 512
"""How many runs are computed at a time."""

LANES = 8
"""A block's runs are filled up to a multiple of this: XLA compiles a loop over fewer with other roundings."""

Advance = Callable[[int], None]
"""Called with the number of runs that have just finished."""


@dataclass(frozen=True)
class Runs:
    """The runs of one optimizer on one problem: settings × seeds, seeds fastest.

    Attributes:
        template: the optimizer; its symbols are what differs between runs.
        numbers: for each symbol, its value in every run.
        seeds: the seed of every run.
    """

    template: Call
    numbers: Mapping[str, np.ndarray]
    seeds: np.ndarray


def recorded_steps(steps: int, every: int) -> np.ndarray:
    """The steps after which something is recorded: 0 (the start), every k-th, and the last."""
    return np.append(np.arange(0, steps, every), steps).astype(np.int32)


def keeps_params(problem: Problem, what: tuple[str, ...]) -> bool:
    """Whether the parameters are recorded at every recorded step."""
    return "params" in what and problem.dimension <= LOW_DIMENSION


@dataclass(frozen=True)
class Program:
    """One lowered program and the runs it is for; every block of runs has the same number of rows."""

    lowered: jax.stages.Lowered
    blocks: tuple[tuple[np.ndarray, Mapping[str, Any]], ...]
    runs: int


def prepare(problem: Problem, runs: Runs, *, steps: int, every: int, what: tuple[str, ...]) -> Program:
    """Traces and lowers the program of these runs; a transformation that cannot run on the problem raises here.

    Args:
        problem: what is minimized.
        runs: the optimizer, and the numbers and the seed of every run.
        steps: how many steps each run takes.
        every: after how many steps something is recorded.
        what: what is recorded; "loss" always is, and metrics that the problem does not have are left out.
    """
    total = len(runs.seeds)
    size = problem.side_by_side or _block_size(total)
    decays = _decays(runs.template)
    rows = [np.minimum(np.arange(first, first + size), total - 1) for first in range(0, total, size)]
    blocks = tuple(
        (runs.seeds[chosen], {name: _traced(values[chosen], name in decays) for name, values in runs.numbers.items()})
        for chosen in rows
    )
    run = _one_run(problem, runs.template, steps, every, what)
    program = jax.jit(jax.vmap(run) if size > 1 else _alone(run))
    return Program(program.lower(*blocks[0]), blocks, total)


def execute(
    program: Program, compiled: jax.stages.Compiled | None = None, advance: Advance = lambda runs: None
) -> dict[str, np.ndarray]:
    """Runs a program.

    Args:
        program: from `prepare`.
        compiled: what `program.lowered.compile()` gave; by default it is compiled now.
        advance: called after each block of runs with their number.

    Returns:
        By name, with a row for each run: "loss" and metrics (run, step); "params" (run, step, dim) of a problem of at
        most `LOW_DIMENSION` parameters; "final_params" (run, parameter); "diverged_at" (run,), the first step after
        which a parameter or the loss was not finite, or −1.
    """
    compiled = compiled or program.lowered.compile()
    finished, left = [], program.runs
    for block in program.blocks:
        rows = min(left, len(block[0]))
        finished.append({name: np.asarray(values)[:rows] for name, values in compiled(*block).items()})
        left -= rows
        advance(rows)
    return {name: np.concatenate([one[name] for one in finished]) for name in finished[0]}


def _block_size(total: int) -> int:
    """Blocks as even as can be."""
    size = -(-total // -(-total // BLOCK))
    return -(-size // LANES) * LANES


def _alone(run: Callable[..., Any]) -> Callable[..., Any]:
    """A run on a block of one: without a batch axis XLA's convolutions and products are their fastest."""

    def block(*columns):
        return jax.tree.map(lambda x: x[None], run(*jax.tree.map(lambda x: x[0], columns)))

    return block


def _decays(template: Call) -> set[str]:
    """The symbols that stand for decay rates, and for nothing else."""
    uses = list(template.symbols())
    others = {symbol.name for symbol, argument in uses if argument.kind != "decay"}
    return {symbol.name for symbol, _ in uses} - others


def _traced(values: np.ndarray, decay: bool) -> Any:
    """The numbers of a block of runs; decays bring their complements, which are formed here, in decimal."""
    dtype = jnp.result_type(float)
    if not decay:
        return jnp.asarray(values, dtype)
    decays = [Decay(float(value)) for value in values]
    return jax.tree.map(lambda *numbers: jnp.asarray(numbers, dtype), *decays)


def _one_run(problem: Problem, template: Call, steps: int, every: int, what: tuple[str, ...]):
    metrics = {name: f for name, f in problem.metrics.items() if name in what}
    with_params = keeps_params(problem, what)
    ends = recorded_steps(steps, every)
    begins = np.concatenate([ends[:1], ends[:-1]])  # the first stretch has no steps: it records the start

    def record(params):
        recorded = {"loss": problem.objective(params)} | {name: metric(params) for name, metric in metrics.items()}
        return recorded | ({"params": ravel_pytree(params)[0]} if with_params else {})

    def run(seed, numbers):
        transform = optax.with_extra_args_support(template.build(numbers))
        start_key, sample_key = jax.random.split(jax.random.key(seed))

        def step(t, carry):
            params, state, diverged_at = carry
            batch = None if problem.sample is None else problem.sample(jax.random.fold_in(sample_key, t), t + 1)
            loss, gradient = jax.value_and_grad(problem.loss)(params, batch)
            extra = {"value": loss, "grad": gradient, "value_fn": lambda w: problem.loss(w, batch)}
            updates, state = transform.update(gradient, state, params, **extra)
            if jax.tree.map(jnp.shape, updates) != jax.tree.map(jnp.shape, params):
                raise ValueError("its updates have other shapes than the parameters")
            params = optax.apply_updates(params, updates)
            params = params if problem.project is None else problem.project(params)
            # The loss is that of the parameters before this step: where it is not finite, they went wrong one earlier.
            diverged_at = jnp.where((diverged_at < 0) & ~jnp.isfinite(loss), t, diverged_at)
            diverged_at = jnp.where((diverged_at < 0) & ~_finite(params), t + 1, diverged_at)
            return params, state, diverged_at

        def segment(carry, bounds):
            begin, end = bounds
            carry = jax.lax.fori_loop(begin, end, step, carry)
            return carry, record(carry[0])

        params = problem.start(start_key)
        carry = (params, transform.init(params), jnp.int32(-1))
        (params, _, diverged_at), recorded = jax.lax.scan(segment, carry, (begins, ends))
        diverged_at = jnp.where((diverged_at < 0) & ~jnp.isfinite(recorded["loss"][-1]), steps, diverged_at)
        return recorded | {"final_params": ravel_pytree(params)[0], "diverged_at": diverged_at}

    return run


def _finite(params) -> jax.Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(params)]))
