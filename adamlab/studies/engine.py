"""Runs of one problem and one optimizer in one compiled program, a block of them at a time, on all devices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from adamlab.calls import Call
from adamlab.studies.quantities import BY_COORDINATE
from adamlab.studies.sizes import LOW_DIMENSION, Sizes, sizes_of
from adamlab.studies.stepping import Columns, stretch_of
from adamlab.types import Decay, Problem, one_minus

Arrays = dict[str, np.ndarray]
"""What was recorded, by name; the runs are the last axis."""


@dataclass(frozen=True)
class Runs:
    """Runs of one optimizer on one problem, a row each.

    Attributes:
        template: the optimizer; its symbols are what differs between runs.
        numbers: for each symbol, its value in every run.
        seeds: the seed of every run.
        starts: where every run starts, run × dim; None where the problem says.
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
class Recording:
    """What is recorded of each run: after which steps, which quantities, and the loss that counts as reached."""

    steps: np.ndarray
    what: tuple[str, ...]
    target: float | None = None


@dataclass(frozen=True)
class Program:
    """A lowered program, which computes one block of runs on each of its devices.

    Attributes:
        lowered: what is to be compiled, once.
        sizes: how many runs a block has, and how many of them are computed at a time.
        devices: how many blocks it computes at once.
        shapes: by name, the shape of what is recorded of one run, and its type.
    """

    lowered: jax.stages.Lowered
    sizes: Sizes
    devices: int
    shapes: Mapping[str, jax.ShapeDtypeStruct]


def kept(problem: Problem, what: Sequence[str]) -> tuple[str, ...]:
    """What of it is recorded: of a problem of many parameters nothing that is a vector."""
    few = problem.dimension <= LOW_DIMENSION
    return tuple(name for name in what if few or name not in BY_COORDINATE)


def prepare(
    problem: Problem,
    runs: Runs,
    recording: Recording,
    *,
    devices: Sequence[Any] = (),
    sizes: Sizes | None = None,
    shared: bool = False,
) -> Program:
    """Traces and lowers the program of these runs; an optimizer that cannot run on the problem raises here.

    Args:
        problem: what is minimized.
        runs: all the runs there will be.
        recording: what is recorded of each; metrics that the problem does not have are left out.
        devices: on which devices of this process; by default on the first.
        sizes: how many runs a block has, where that is settled.
        shared: whether the runs are put together by seeds, as `adamlab.studies.sizes.in_groups` does; where the sizes
            are settled, so is this.
    """
    stretch = stretch_of(problem, runs.template, kept(problem, recording.what), recording.steps, recording.target)
    numbers = sum(problem.dimension if name in BY_COORDINATE else 1 for name in {"loss", *stretch.what})
    itemsize = jax.dtypes.canonicalize_dtype(float).itemsize
    sizes = sizes or sizes_of(
        len(runs),
        side_by_side=problem.side_by_side,
        array_bytes=problem.dimension * itemsize * max(1, len(problem.minima) if "distance" in stretch.what else 1),
        record_bytes=(len(recording.steps) * numbers + problem.dimension) * itemsize,
        work=problem.dimension * int(recording.steps[-1]),
        shared=shared and problem.sample is not None and (problem.side_by_side or 1) > 1,
    )
    whole = partial(jax.lax.map, stretch.block(sizes.at_a_time, sizes.shared))
    if len(devices) > 1:
        spec = PartitionSpec("runs")
        mesh = Mesh(np.array(devices), ("runs",))
        whole = jax.shard_map(whole, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    count = max(1, len(devices))
    first = [np.zeros(sizes.block, int)] * count
    lowered = jax.jit(whole).lower(_columns(runs, first, sizes))
    shapes = {name: jax.ShapeDtypeStruct(one.shape[1:-1], one.dtype) for name, one in dict(lowered.out_info).items()}
    return Program(lowered, sizes, count, shapes)


def execute(
    program: Program, compiled: jax.stages.Compiled, runs: Runs, blocks: Sequence[int]
) -> Iterator[list[tuple[int, Arrays]]]:
    """Computes blocks of runs, as many at a time as there are devices, and the next while these are looked at.

    Args:
        program: from `prepare`.
        compiled: what `program.lowered.compile()` gave.
        runs: the runs; block b has those from b·size.
        blocks: the blocks wanted.

    Yields:
        Blocks that were computed at once: the number of each, and what was recorded of its runs.
    """
    groups = [blocks[i : i + program.devices] for i in range(0, len(blocks), program.devices)]
    coming = None
    for group in [*groups, None]:
        done = coming
        if group is not None:
            rows = [program.sizes.rows(block, len(runs)) for block in group]
            padded = rows + [rows[-1]] * (program.devices - len(rows))
            full = [np.pad(one, (0, program.sizes.block - len(one)), mode="edge") for one in padded]
            coming = group, rows, compiled(_columns(runs, full, program.sizes))
        if done is not None:
            yield _collected(*done)


def _collected(group: Sequence[int], rows: Sequence[np.ndarray], results: Mapping[str, jax.Array]):
    by_device = {name: _parts(values, len(group)) for name, values in results.items()}
    return [
        (block, {name: _joined(parts[i])[..., : len(rows[i])] for name, parts in by_device.items()})
        for i, block in enumerate(group)
    ]


def _parts(values: jax.Array, count: int) -> list[np.ndarray]:
    """What each device computed, in the order of the devices."""
    shards = sorted(values.addressable_shards, key=lambda shard: shard.index[0].start or 0)
    return [np.asarray(shard.data) for shard in shards[:count]]


def _joined(pieces: np.ndarray) -> np.ndarray:
    """The pieces of a block, which were computed one after the other, side by side."""
    return pieces[0] if len(pieces) == 1 else np.concatenate(list(pieces), axis=-1)


def _columns(runs: Runs, rows: Sequence[np.ndarray], sizes: Sizes) -> Columns:
    """The numbers of blocks of runs, cut into what is computed at a time."""
    columns = _traced(runs.take(np.concatenate(rows)))
    if sizes.shared and (columns.seeds.reshape(-1, sizes.at_a_time) != columns.seeds[:: sizes.at_a_time, None]).any():
        raise ValueError("expected runs that are put together by seeds")
    return jax.tree.map(lambda x: x.reshape(-1, sizes.at_a_time, *x.shape[1:]), columns)


def _traced(runs: Runs) -> Columns:
    """What a program is given of runs; decays bring their complements, which are formed here, in decimal."""
    dtype = jax.dtypes.canonicalize_dtype(float)
    decays = decays_of(runs.template)
    numbers = {
        name: _decays(values, dtype) if name in decays else values.astype(dtype)
        for name, values in runs.numbers.items()
    }
    return Columns(numbers, runs.seeds, None if runs.starts is None else runs.starts.astype(dtype))


def decays_of(template: Call) -> set[str]:
    """The symbols that stand for decay rates, and for nothing else."""
    uses = list(template.symbols())
    others = {symbol.name for symbol, argument in uses if argument.kind != "decay"}
    return {symbol.name for symbol, _ in uses} - others


def _decays(values: np.ndarray, dtype: Any) -> Decay:
    different, which = np.unique(values, return_inverse=True)
    complements = np.array([one_minus(value) for value in different.tolist()])[which]
    return Decay.tree_unflatten(None, (values.astype(dtype), complements.astype(dtype), None))
