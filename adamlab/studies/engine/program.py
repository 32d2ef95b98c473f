"""Programs: the runs of one optimizer on one problem, compiled once, computed a block at a time on all devices."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from adamlab.calls import Call
from adamlab.studies.engine.block_sizes import Sizes, sizes_of
from adamlab.studies.engine.recording import BY_COORDINATE, Recording, dims_of
from adamlab.studies.engine.rollout import Carry, Columns, Rollout, Span
from adamlab.types import Decay, Problem, PyTree, one_minus

Arrays = dict[str, np.ndarray]
"""Recorded quantities by name; the runs are the last axis."""

CALL = 10**8
"""The steps × parameters × runs of the first call of a program, where these cost nanoseconds."""

NETWORK_CALL = 4 * 10**6
"""The same where they cost microseconds."""

SECONDS = 5.0
"""The time that a later call is to take."""


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


class Snapshot(NamedTuple):
    """A block that is not done.

    Attributes:
        step: the number of steps done.
        carry: the leaves of its carry.
        records: the recorded quantities of its runs up to that step.
    """

    step: int
    carry: list[np.ndarray]
    records: Arrays


@dataclass(frozen=True)
class Program:
    """A lowered program, which takes a block of runs on each of its devices from one step to a later one.

    Attributes:
        lowered: the program, to be compiled once; a function of columns, carry and span.
        sizes: its block sizes.
        devices: the number of blocks that it computes at once.
        shapes: by name, the shape and type of a run's recorded quantities.
        steps: the recorded steps.
        carry: the shapes and types of the runs between two calls.
        stride: the steps of the first call.
        text: gives the text of the program on one device.
    """

    lowered: jax.stages.Lowered
    sizes: Sizes
    devices: int
    shapes: Mapping[str, jax.ShapeDtypeStruct]
    steps: np.ndarray
    carry: PyTree
    stride: int
    text: Callable[[], str]

    @cached_property
    def digest(self) -> str:
        """The digest of its text: all that a block depends on, but for the values of its columns."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def fits(self, snapshot: Snapshot, runs: int) -> bool:
        """Whether a snapshot is of a block of that many runs of this program."""
        carry = [jax.eval_shape(_raw, leaf) for leaf in jax.tree.leaves(self.carry)]
        in_block = [(leaf.shape[0] // self.devices, *leaf.shape[1:]) for leaf in carry]
        records = {name: (*shape.shape, runs) for name, shape in self.shapes.items()}
        return (
            0 < snapshot.step < self.steps[-1]
            and [leaf.shape for leaf in snapshot.carry] == in_block
            and [leaf.dtype.itemsize for leaf in snapshot.carry] == [leaf.dtype.itemsize for leaf in carry]
            and {name: values.shape for name, values in snapshot.records.items()} == records
        )


def prepare(
    problem: Problem,
    runs: Runs,
    recording: Recording,
    *,
    devices: Sequence[Any] = (),
    sizes: Sizes | None = None,
    shared: bool = False,
    shares: int = 1,
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
        shares: the number of devices, of all processes, that blocks are to be shared by.
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
        shares=shares,
    )
    side_by_side = Rollout(problem, runs.template, recording).of_runs(sizes.at_a_time, sizes.shared)

    def advance(columns: Columns, carry: Carry, span: Span) -> tuple[Carry, dict[str, jax.Array]]:
        return jax.lax.map(lambda piece: side_by_side(piece[0]).advance(piece[1], span), (columns, carry))

    program = advance
    if len(devices) > 1:
        spec = PartitionSpec("runs")
        mesh = Mesh(np.array(devices), ("runs",))
        in_specs = (spec, spec, PartitionSpec())
        program = jax.shard_map(advance, mesh=mesh, in_specs=in_specs, out_specs=spec, check_vma=False)
    count = max(1, len(devices))
    span = span_of(recording.steps, 0, 1)

    def arguments(count: int) -> tuple[Columns, Carry, Span]:
        columns = _columns(runs, [np.zeros(sizes.block, int)] * count, sizes)
        carry = jax.eval_shape(lambda: jax.lax.map(lambda piece: side_by_side(piece).start(), columns))
        return columns, carry, span

    def text() -> str:
        return (lowered if count == 1 else jax.jit(advance).lower(*arguments(1))).as_text()

    columns, carry, _ = arguments(count)
    lowered = jax.jit(program).lower(columns, carry, span)
    shapes = {name: jax.ShapeDtypeStruct(x.shape[1:-1], x.dtype) for name, x in dict(lowered.out_info[1]).items()}
    call = CALL if problem.side_by_side is None else NETWORK_CALL
    return Program(
        lowered,
        sizes,
        count,
        shapes,
        recording.steps,
        carry,
        stride=max(1, call // (problem.dimension * sizes.block)),
        text=text,
    )


def span_of(steps: np.ndarray, begin: int, end: int) -> Span:
    """The span between two steps, with the rows that it writes of records at `steps`."""
    first = np.searchsorted(steps, begin, "right") if begin else 0
    return Span(*np.array([begin, end, first, np.searchsorted(steps, end)], np.int32))


@dataclass
class Computed:
    """Blocks that one call of a program took some steps on.

    Attributes:
        rows: for each block, the rows of its runs.
        span: the steps.
        steps: the steps of a run.
        records: by block, the recorded quantities of its runs, as far as they are computed.
    """

    rows: Mapping[int, np.ndarray]
    span: Span
    steps: int
    records: dict[int, Arrays]
    _carry: PyTree
    _results: Mapping[str, jax.Array]

    @property
    def is_done(self) -> bool:
        """Whether the runs are at their last step."""
        return int(self.span.end) == self.steps

    @property
    def part(self) -> float:
        """The part of the runs' steps that was taken."""
        return int(self.span.end - self.span.begin) / self.steps

    def snapshots(self) -> Iterator[tuple[int, Snapshot]]:
        """A snapshot of each block."""
        leaves = [_parts(_raw(leaf), len(self.rows)) for leaf in jax.tree.leaves(self._carry)]
        for i, block in enumerate(self.rows):
            yield block, Snapshot(int(self.span.end), [parts[i] for parts in leaves], self.records[block])

    def collect(self) -> None:
        """Wait for the call, and put its results into the records."""
        by_device = {name: _parts(values, len(self.rows)) for name, values in self._results.items()}
        for i, (block, rows) in enumerate(self.rows.items()):
            now = {name: _joined(parts[i])[..., : len(rows)] for name, parts in by_device.items()}
            if block in self.records:
                now = _spliced(self.records[block], now, self.span)
            elif not self.is_done:
                now = {name: values.copy() for name, values in now.items()}  # JAX's own cannot be written to
            self.records[block] = now


def execute(
    program: Program,
    compiled: jax.stages.Compiled,
    runs: Runs,
    blocks: Sequence[int],
    snapshots: Mapping[int, Snapshot] | None = None,
) -> Iterator[Computed]:
    """Compute blocks of runs, as many at once as the program has devices.

    Args:
        program: the program, from `prepare`.
        compiled: the result of `program.lowered.compile()`.
        runs: the runs; block b has those from b·size.
        blocks: the numbers of the blocks to compute.
        snapshots: of blocks that were begun, which are gone on with.

    Yields:
        The blocks after each call, until they are done.
    """
    pace = _Pace(program.stride)
    calls = _calls(program, compiled, runs, blocks, snapshots or {}, pace)
    began = time.monotonic()
    following = next(calls, None)
    while (computed := following) is not None:
        # A call is dispatched before the results of the one ahead of it are taken, so that devices compute meanwhile.
        following = next(calls, None)
        computed.collect()
        began, seconds = time.monotonic(), time.monotonic() - began
        pace.adapt(int(computed.span.end - computed.span.begin), seconds)
        yield computed


@dataclass
class _Pace:
    """The steps of a call, which follow the time that steps take; results do not depend on them."""

    stride: int

    def adapt(self, steps: int, seconds: float) -> None:
        """Set the steps of further calls after one of so many steps took so long."""
        self.stride = int(np.clip(steps * SECONDS / max(seconds, 1e-6), 1, 4 * self.stride))


def _calls(
    program: Program,
    compiled: jax.stages.Compiled,
    runs: Runs,
    blocks: Sequence[int],
    snapshots: Mapping[int, Snapshot],
    pace: _Pace,
) -> Iterator[Computed]:
    """The calls that compute blocks, each dispatched when it is taken; those at once have the same number of steps."""

    def begin_of(block: int) -> int:
        return snapshots[block].step if block in snapshots else 0

    for begin, same in groupby(sorted(blocks, key=begin_of), begin_of):
        remaining = list(same)
        while group := remaining[: program.devices]:
            remaining = remaining[program.devices :]
            rows = {block: program.sizes.rows(block, len(runs)) for block in group}
            padded = group + [group[-1]] * (program.devices - len(group))
            full = [program.sizes.padded_rows(block, len(runs)) for block in padded]
            columns = _columns(runs, full, program.sizes)
            carry = _carry(program, [snapshots[block] for block in padded] if begin else [])
            records = {block: snapshots[block].records for block in group if begin}
            step, last = begin, int(program.steps[-1])
            while step < last:
                span = span_of(program.steps, step, min(step + pace.stride, last))
                carry, results = compiled(columns, carry, span)
                yield Computed(rows, span, last, records, carry, results)
                step = int(span.end)


def _carry(program: Program, snapshots: Sequence[Snapshot]) -> PyTree:
    """The carry of blocks that were begun; of blocks that were not, zeros, which the program ignores."""
    if not snapshots:
        return jax.tree.map(_zeros, program.carry)
    leaves, tree = jax.tree.flatten(program.carry)
    raw = [np.concatenate(parts) for parts in zip(*(snapshot.carry for snapshot in snapshots), strict=True)]
    return jax.tree.unflatten(tree, [_typed_leaf(x, leaf) for x, leaf in zip(raw, leaves, strict=True)])


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _zeros(leaf: jax.ShapeDtypeStruct) -> Any:
    return jnp.zeros(leaf.shape, leaf.dtype) if _is_key(leaf) else np.zeros(leaf.shape, leaf.dtype)


def _raw(leaf: jax.Array) -> jax.Array:
    """The leaf, or the numbers of a key."""
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _typed_leaf(raw: np.ndarray, leaf: jax.ShapeDtypeStruct) -> Any:
    """The leaf with these numbers; NumPy's files know no bfloat16, only its two bytes."""
    if _is_key(leaf):
        return jax.random.wrap_key_data(jnp.asarray(raw), impl=jax.random.key_impl(_zeros(leaf)))
    return raw.view(leaf.dtype)


def _spliced(records: Arrays, now: Arrays, span: Span) -> Arrays:
    """Earlier records with the rows of a span put in, and with the last values of what has no rows."""
    rows = slice(span.first, span.last + 1)
    for name, values in now.items():
        if "step" in dims_of(name):
            records[name][rows] = values[rows]
        else:
            records[name] = values
    return records


def try_out(program: Program, compiled: jax.stages.Compiled, runs: Runs, steps: int) -> float:
    """The seconds that the first steps of a block take."""
    columns = _columns(runs, [program.sizes.padded_rows(0, len(runs))] * program.devices, program.sizes)
    began = time.perf_counter()
    jax.block_until_ready(compiled(columns, _carry(program, []), span_of(program.steps, 0, steps)))
    return time.perf_counter() - began


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
