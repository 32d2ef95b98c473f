"""Execution: blocks of runs are computed by calls of a program, each of which takes them some steps further."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adamlab.studies.engine.program import Arrays, Program, Runs, columns_of, span_of
from adamlab.studies.engine.recording import dims_of
from adamlab.studies.engine.rollout import Span
from adamlab.types import PyTree

SECONDS = 5.0
"""The time that a later call is to take."""


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


def fits(program: Program, snapshot: Snapshot, runs: int) -> bool:
    """Whether a snapshot is of a block of that many runs of this program."""
    carry = [jax.eval_shape(_raw, leaf) for leaf in jax.tree.leaves(program.carry)]
    in_block = [(leaf.shape[0] // program.devices, *leaf.shape[1:]) for leaf in carry]
    records = {name: (*shape.shape, runs) for name, shape in program.shapes.items()}
    return (
        0 < snapshot.step < program.steps[-1]
        and [leaf.shape for leaf in snapshot.carry] == in_block
        and [leaf.dtype.itemsize for leaf in snapshot.carry] == [leaf.dtype.itemsize for leaf in carry]
        and {name: values.shape for name, values in snapshot.records.items()} == records
    )


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
        """Wait for the call, and put its results into the records, but for the time."""
        by_device = {name: _parts(values, len(self.rows)) for name, values in self._results.items()}
        for i, (block, rows) in enumerate(self.rows.items()):
            now = {name: _joined(parts[i])[..., : len(rows)] for name, parts in by_device.items()}
            if "seconds" in now:
                now["seconds"] = self.records.get(block, now)["seconds"]
            if block in self.records:
                now = _spliced(self.records[block], now, self.span)
            elif not self.is_done:
                now = {name: values.copy() for name, values in now.items()}  # JAX's own cannot be written to
            self.records[block] = now

    def divide(self, seconds: float) -> None:
        """Divide the time that the call took among its runs, where that is recorded."""
        count = sum(map(len, self.rows.values()))
        for records in self.records.values():
            if "seconds" in records:
                records["seconds"] = records["seconds"] + np.float32(seconds / count)


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
    began, spent = time.monotonic(), _spent()
    following = next(calls, None)
    while (computed := following) is not None:
        # A call is dispatched before the results of the one ahead of it are taken, so that devices compute meanwhile.
        following = next(calls, None)
        computed.collect()
        began, seconds = time.monotonic(), time.monotonic() - began
        now = _spent()
        computed.divide(now - spent)
        spent = now
        pace.adapt(int(computed.span.end - computed.span.begin), seconds)
        yield computed


def _spent() -> float:
    """The CPU seconds of this process, which others do not lengthen; on accelerators the wall clock's."""
    return time.process_time() if jax.default_backend() == "cpu" else time.monotonic()


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
        zeros = None if begin else _carry(program, [])
        while group := remaining[: program.devices]:
            remaining = remaining[program.devices :]
            rows = {block: program.sizes.rows(block, len(runs)) for block in group}
            padded = group + [group[-1]] * (program.devices - len(group))
            full = [program.sizes.padded_rows(block, len(runs)) for block in padded]
            columns = columns_of(runs, full, program.sizes)
            carry = _carry(program, [snapshots[block] for block in padded]) if begin else zeros
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
    columns = columns_of(runs, [program.sizes.padded_rows(0, len(runs))] * program.devices, program.sizes)
    began = time.perf_counter()
    jax.block_until_ready(compiled(columns, _carry(program, []), span_of(program.steps, 0, steps)))
    return time.perf_counter() - began


def _parts(values: jax.Array, count: int) -> list[np.ndarray]:
    """The part of an array on each device, in the order of the devices."""
    if len(values.devices()) == 1:
        return [np.asarray(values)]
    shards = sorted(values.addressable_shards, key=lambda shard: shard.index[0].start or 0)
    return [np.asarray(shard.data) for shard in shards[:count]]


def _joined(pieces: np.ndarray) -> np.ndarray:
    """The pieces of a block, which were computed one after the other, joined along the runs."""
    return pieces[0] if len(pieces) == 1 else np.concatenate(list(pieces), axis=-1)
