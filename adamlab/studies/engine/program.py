"""Programs: the runs of one optimizer on one problem, compiled once, computed a block at a time."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from adamlab.calls import Call
from adamlab.studies.engine.block_sizes import ARRAY, LANES, Sizes, sizes_of
from adamlab.studies.engine.equations import with_data
from adamlab.studies.engine.gradients import largest_array
from adamlab.studies.engine.recording import Recording
from adamlab.studies.engine.rollout import Carry, Columns, Rollout, Span
from adamlab.types import Decay, Problem, PyTree, one_minus_each

Arrays = dict[str, np.ndarray]
"""Recorded quantities by name; the runs are the last axis."""

CALL = 10**8
"""The steps × parameters × runs of the first call of a program, where these cost nanoseconds."""

NETWORK_CALL = 4 * 10**6
"""The same where they cost microseconds."""

ON_A_THREAD = {"xla_disable_hlo_passes": "cpu-parallel-task-assigner"}
"""XLA's options that keep a kernel of few kilobytes on a thread: to divide it takes longer than to compute it."""


@dataclass(frozen=True)
class Runs:
    """Runs of one optimizer on one problem, a row each.

    Attributes:
        template: the optimizer; its symbols are the numbers that differ between runs.
        numbers: for each symbol, its value in every run.
        seeds: the seed of every run.
        starts: the start of every run, run × dim; None where the problem gives it.
    """

    template: Call
    numbers: Mapping[str, np.ndarray]
    seeds: np.ndarray
    starts: np.ndarray | None = None

    def __len__(self):
        return len(self.seeds)

    def take(self, rows: np.ndarray) -> "Runs":
        """The runs of these rows."""
        numbers = {name: values[rows] for name, values in self.numbers.items()}
        return Runs(self.template, numbers, self.seeds[rows], None if self.starts is None else self.starts[rows])


@dataclass(frozen=True)
class Program:
    """A lowered program, which takes a block of runs from one step to a later one.

    Attributes:
        lowered: for each device that it is called on at once, the program, a function of data, columns, carry and span;
            those of a CPU are threads, which call the same one.
        data: its large arrays.
        sizes: its block sizes.
        shapes: by name, the shape and type of a run's recorded quantities.
        steps: the recorded steps.
        carry: the shapes and types of the runs between two calls.
        stride: the steps of the first call.
    """

    lowered: Sequence[jax.stages.Lowered]
    data: Sequence[jax.Array]
    sizes: Sizes
    shapes: Mapping[str, jax.ShapeDtypeStruct]
    steps: np.ndarray
    carry: PyTree
    stride: int

    @cached_property
    def compiled(self) -> list[jax.stages.Compiled]:
        """The result of `compile`, when it is first asked for."""
        return self.compile()

    @cached_property
    def digest(self) -> str:
        """The digest of its text and its data: all that a block depends on, but for the values of its columns."""
        digest = hashlib.sha256(self.lowered[0].as_text().encode())
        for array in self.data:
            digest.update(np.asarray(array).tobytes())
        return digest.hexdigest()

    def compile(self) -> list[jax.stages.Compiled]:
        """The program compiled for each device."""
        compiled = {lowered: lowered.compile() for lowered in dict.fromkeys(self.lowered)}
        return [compiled[lowered] for lowered in self.lowered]


def prepare(
    problem: Problem,
    runs: Runs,
    recording: Recording,
    *,
    devices: Sequence[Any] = (),
    sizes: Sizes | None = None,
    shared: int = 0,
    processes: int = 1,
) -> Program:
    """Trace and lower the program of these runs; an optimizer that cannot run on the problem raises here.

    Args:
        problem: the problem.
        runs: all runs of the program.
        recording: the recorded steps and quantities; metrics that the problem does not have are left out.
        devices: the devices of this process to compute on; by default JAX's own.
        sizes: the block sizes, where a store has settled them.
        shared: the runs of one seed at a time, see `adamlab.studies.engine.block_sizes.group_size`; ignored where the
            sizes are settled.
        processes: the number of processes that blocks are to be shared by, each with as many devices.
    """
    recording = recording.on(problem)
    itemsize, at_once = jax.dtypes.canonicalize_dtype(float).itemsize, max(1, len(devices))
    sizes = sizes or sizes_of(
        len(runs),
        side_by_side=problem.side_by_side,
        array_bytes=problem.dimension * itemsize * max(1, len(problem.minima) if "distance" in recording.what else 1),
        record_bytes=(len(recording.steps) * recording.numbers(problem) + problem.dimension) * itemsize,
        work=problem.dimension * int(recording.steps[-1]),
        shared=shared if problem.sample and problem.state is None and (problem.side_by_side or 1) > 1 else 0,
        shares=at_once * processes,
        at_once=at_once,
    )
    columns, span = columns_of(runs, np.zeros(sizes.block, int), sizes), span_of(recording.steps, 0, 1)
    piece = jax.tree.map(lambda x: x[0], columns)
    side_by_side = Rollout(problem, runs.template, recording).of_runs(piece, sizes.shared)

    def advance(columns: Columns, carry: Carry, span: Span) -> tuple[Carry, dict[str, jax.Array]]:
        return jax.lax.map(lambda piece: side_by_side(piece[0]).advance(piece[1], span), (columns, carry))

    carry = jax.eval_shape(lambda: jax.lax.map(lambda piece: side_by_side(piece).start(), columns))
    data, program = with_data(advance, columns, carry, span)
    traced = jax.jit(program, compiler_options=options_for(problem)).trace(data, columns, carry, span)
    call = CALL if problem.side_by_side is None else NETWORK_CALL

    def lower(device: Any) -> jax.stages.Lowered:
        with jax.default_device(device):
            return traced.lower()

    is_shared = jax.default_backend() == "cpu" or not devices
    return Program(
        [traced.lower()] * at_once if is_shared else [*map(lower, devices)],
        data,
        sizes,
        {name: jax.ShapeDtypeStruct(x.shape[1:-1], x.dtype) for name, x in dict(traced.out_info[1]).items()},
        recording.steps,
        carry,
        stride=max(1, call // (problem.dimension * sizes.block)),
    )


def options_for(problem: Problem) -> dict[str, str] | None:
    """XLA's options for the problem's programs, the same for few runs as for many.

    Arrays in the loss, such as data, can be larger than the parameters.
    """
    if problem.side_by_side is not None or jax.default_backend() != "cpu":
        return None
    itemsize = jax.dtypes.canonicalize_dtype(float).itemsize
    size = max(LANES, ARRAY // (problem.dimension * itemsize))
    numbers = max(largest_array(problem, size), problem.dimension * size)
    return ON_A_THREAD if numbers * itemsize <= ARRAY else None


def check(problem: Problem, runs: Runs) -> None:
    """Raise what `prepare` would raise of an optimizer that cannot run on the problem, by shapes alone."""
    runs = runs.take(np.zeros(1, int))
    columns = jax.tree.map(lambda x: x[0], _typed(runs))
    rollout = Rollout(problem, runs.template, Recording(np.zeros(1, np.int32), ("loss",)))

    def step(numbers: Mapping[str, Any], seed: Any, start: Any) -> PyTree:
        params, state = rollout.start(numbers, seed, start)
        batch = None if problem.sample is None else problem.sample(jax.random.key(seed), jax.numpy.int32(1))
        loss, gradient = jax.value_and_grad(problem.loss)(params, batch)
        return rollout.update(numbers, gradient, state, params, loss, batch)

    jax.eval_shape(step, *columns)


def span_of(steps: np.ndarray, begin: int, end: int) -> Span:
    """The span between two steps, with the rows that it writes of records at `steps`."""
    first = np.searchsorted(steps, begin, "right") if begin else 0
    return Span(*np.array([begin, end, first, np.searchsorted(steps, end)], np.int32))


def columns_of(runs: Runs, rows: np.ndarray, sizes: Sizes) -> Columns:
    """The columns of a block of runs, cut into pieces of the runs at a time."""
    columns = _typed(runs.take(rows))
    if sizes.shared and (columns.seeds.reshape(-1, sizes.at_a_time) != columns.seeds[:: sizes.at_a_time, None]).any():
        raise ValueError("expected runs that are grouped by seed")
    return jax.tree.map(lambda x: x.reshape(-1, sizes.at_a_time, *x.shape[1:]), columns)


def _typed(runs: Runs) -> Columns:
    """The columns of runs in the program's types; decays bring their complements, which are formed here, in decimal."""
    dtype = jax.dtypes.canonicalize_dtype(float)
    decays = decays_of(runs.template)
    complements = {symbol.name for symbol, _ in runs.template.symbols() if symbol.complement}
    numbers: dict[str, Any] = {}
    for name, values in runs.numbers.items():
        rates, others = (one_minus_each(values), values) if name in complements else (values, None)
        numbers[name] = _decays(rates, others, dtype) if name in decays else rates.astype(dtype)
    return Columns(numbers, runs.seeds, None if runs.starts is None else runs.starts.astype(dtype))


def decays_of(template: Call) -> set[str]:
    """The symbols that stand for decay rates alone."""
    uses = list(template.symbols())
    others = {symbol.name for symbol, argument in uses if argument.kind != "decay"}
    return {symbol.name for symbol, _ in uses} - others


def _decays(rates: np.ndarray, complements: np.ndarray | None, dtype: Any) -> Decay:
    complements = one_minus_each(rates) if complements is None else complements
    return Decay.exact(rates.astype(dtype), complements.astype(dtype))
