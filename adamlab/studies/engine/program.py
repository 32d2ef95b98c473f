"""Programs: the runs of one optimizer on one problem, compiled once, computed a block at a time on all devices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from adamlab.calls import Call
from adamlab.studies.engine.block_sizes import Sizes, sizes_of
from adamlab.studies.engine.recording import BY_COORDINATE, Recording
from adamlab.studies.engine.rollout import Columns, Rollout
from adamlab.types import Decay, Problem, one_minus

Arrays = dict[str, np.ndarray]
"""Recorded quantities by name; the runs are the last axis."""


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
    """A lowered program, which computes a block of runs on each of its devices.

    Attributes:
        lowered: the program, to be compiled once.
        sizes: its block sizes.
        devices: the number of blocks that it computes at once.
        shapes: by name, the shape and type of a run's recorded quantities.
    """

    lowered: jax.stages.Lowered
    sizes: Sizes
    devices: int
    shapes: Mapping[str, jax.ShapeDtypeStruct]


def prepare(
    problem: Problem,
    runs: Runs,
    recording: Recording,
    *,
    devices: Sequence[Any] = (),
    sizes: Sizes | None = None,
    shared: bool = False,
) -> Program:
    """Trace and lower the program of these runs; an optimizer that cannot run on the problem raises here.

    Args:
        problem: the problem.
        runs: all runs of the program.
        recording: the recorded steps and quantities; metrics that the problem does not have are left out.
        devices: the devices of this process to compute on; by default the first.
        sizes: the block sizes, where a store has settled them.
        shared: whether the runs are grouped by seed, see `adamlab.studies.engine.block_sizes.grouped_by_seed`; ignored
            where the sizes are settled.
    """
    recording = recording.on(problem)
    numbers = sum(problem.dimension if name in BY_COORDINATE else 1 for name in {"loss", *recording.what})
    itemsize = jax.dtypes.canonicalize_dtype(float).itemsize
    sizes = sizes or sizes_of(
        len(runs),
        side_by_side=problem.side_by_side,
        array_bytes=problem.dimension * itemsize * max(1, len(problem.minima) if "distance" in recording.what else 1),
        record_bytes=(len(recording.steps) * numbers + problem.dimension) * itemsize,
        work=problem.dimension * int(recording.steps[-1]),
        shared=shared and problem.sample is not None and (problem.side_by_side or 1) > 1,
    )
    rollout = Rollout(problem, runs.template, recording)
    program = partial(jax.lax.map, rollout.of_runs(sizes.at_a_time, sizes.shared))
    if len(devices) > 1:
        spec = PartitionSpec("runs")
        mesh = Mesh(np.array(devices), ("runs",))
        program = jax.shard_map(program, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    count = max(1, len(devices))
    first = [np.zeros(sizes.block, int)] * count
    lowered = jax.jit(program).lower(_columns(runs, first, sizes))
    shapes = {name: jax.ShapeDtypeStruct(x.shape[1:-1], x.dtype) for name, x in dict(lowered.out_info).items()}
    return Program(lowered, sizes, count, shapes)


def execute(
    program: Program, compiled: jax.stages.Compiled, runs: Runs, blocks: Sequence[int]
) -> Iterator[list[tuple[int, Arrays]]]:
    """Compute blocks of runs, as many at once as the program has devices.

    Args:
        program: the program, from `prepare`.
        compiled: the result of `program.lowered.compile()`.
        runs: the runs; block b has those from b·size.
        blocks: the numbers of the blocks to compute.

    Yields:
        Blocks that were computed at once: the number of each, and the recorded quantities of its runs.
    """
    groups = [blocks[i : i + program.devices] for i in range(0, len(blocks), program.devices)]
    in_flight = None
    for group in [*groups, None]:
        done = in_flight
        # A group is dispatched before the one ahead of it is yielded, so that devices compute while that is written.
        if group is not None:
            rows = [program.sizes.rows(block, len(runs)) for block in group]
            padded = rows + [rows[-1]] * (program.devices - len(rows))
            full = [np.pad(r, (0, program.sizes.block - len(r)), mode="edge") for r in padded]
            in_flight = group, rows, compiled(_columns(runs, full, program.sizes))
        if done is not None:
            yield _collected(*done)


def _collected(group: Sequence[int], rows: Sequence[np.ndarray], results: Mapping[str, jax.Array]):
    by_device = {name: _parts(values, len(group)) for name, values in results.items()}
    return [
        (block, {name: _joined(parts[i])[..., : len(rows[i])] for name, parts in by_device.items()})
        for i, block in enumerate(group)
    ]


def _parts(values: jax.Array, count: int) -> list[np.ndarray]:
    """The part of an array on each device, in the order of the devices."""
    shards = sorted(values.addressable_shards, key=lambda shard: shard.index[0].start or 0)
    return [np.asarray(shard.data) for shard in shards[:count]]


def _joined(pieces: np.ndarray) -> np.ndarray:
    """The pieces of a block, which were computed one after the other, joined along the runs."""
    return pieces[0] if len(pieces) == 1 else np.concatenate(list(pieces), axis=-1)


def _columns(runs: Runs, rows: Sequence[np.ndarray], sizes: Sizes) -> Columns:
    """The columns of blocks of runs, cut into pieces of the runs at a time."""
    columns = _typed(runs.take(np.concatenate(rows)))
    if sizes.shared and (columns.seeds.reshape(-1, sizes.at_a_time) != columns.seeds[:: sizes.at_a_time, None]).any():
        raise ValueError("expected runs that are grouped by seed")
    return jax.tree.map(lambda x: x.reshape(-1, sizes.at_a_time, *x.shape[1:]), columns)


def _typed(runs: Runs) -> Columns:
    """The columns of runs in the program's types; decays bring their complements, which are formed here, in decimal."""
    dtype = jax.dtypes.canonicalize_dtype(float)
    decays = decays_of(runs.template)
    numbers = {
        name: _decays(values, dtype) if name in decays else values.astype(dtype)
        for name, values in runs.numbers.items()
    }
    return Columns(numbers, runs.seeds, None if runs.starts is None else runs.starts.astype(dtype))


def decays_of(template: Call) -> set[str]:
    """The symbols that stand for decay rates alone."""
    uses = list(template.symbols())
    others = {symbol.name for symbol, argument in uses if argument.kind != "decay"}
    return {symbol.name for symbol, _ in uses} - others


def _decays(values: np.ndarray, dtype: Any) -> Decay:
    different, which = np.unique(values, return_inverse=True)
    complements = np.array([one_minus(value) for value in different.tolist()])[which]
    return Decay.exact(values.astype(dtype), complements.astype(dtype))
