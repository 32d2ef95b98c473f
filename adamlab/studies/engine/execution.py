"""Execution: blocks of runs are computed by calls of a program, each of which takes one some steps further."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue
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
    records = {name: (*shape.shape, runs) for name, shape in program.shapes.items()}
    return (
        0 < snapshot.step < program.steps[-1]
        and [leaf.shape for leaf in snapshot.carry] == [leaf.shape for leaf in carry]
        and [leaf.dtype.itemsize for leaf in snapshot.carry] == [leaf.dtype.itemsize for leaf in carry]
        and {name: values.shape for name, values in snapshot.records.items()} == records
    )


@dataclass
class Computed:
    """A block that one call of a program took some steps on.

    Attributes:
        block: its number.
        rows: the rows of its runs.
        span: the steps.
        steps: the steps of a run.
        began: when it was begun, or gone on with, by `time.monotonic`.
        records: the recorded quantities of its runs, as far as they are computed.
    """

    block: int
    rows: np.ndarray
    span: Span
    steps: int
    began: float
    records: Arrays
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

    def snapshot(self) -> Snapshot:
        """The block as it is now."""
        carry = [np.asarray(_raw(leaf)) for leaf in jax.tree.leaves(self._carry)]
        return Snapshot(int(self.span.end), carry, self.records)

    def collect(self) -> None:
        """Wait for the call, and put its results into the records, but for the time."""
        for name, pieces in self._results.items():
            values = _joined(np.asarray(pieces))[..., : len(self.rows)]
            if name not in self.records:
                # JAX's own array cannot be written to.
                self.records[name] = values if self.is_done else values.copy()
            elif "step" in dims_of(name):
                written = slice(self.span.first, self.span.last + 1)
                self.records[name][written] = values[written]
            elif name != "seconds":
                self.records[name] = values

    def add_time(self, seconds: float) -> None:
        """Divide the time that the call took among its runs, where that is recorded."""
        if "seconds" in self.records:
            self.records["seconds"] = self.records["seconds"] + np.float32(seconds / len(self.rows))


def execute(
    program: Program,
    compiled: Sequence[jax.stages.Compiled],
    runs: Runs,
    blocks: Sequence[int],
    snapshots: Mapping[int, Snapshot] | None = None,
) -> Iterator[Computed]:
    """Compute blocks of runs, as many at once as the program is compiled for.

    Args:
        program: the program, from `prepare`.
        compiled: the result of `program.compile()`.
        runs: the runs; block b has those from b·size.
        blocks: the numbers of the blocks to compute.
        snapshots: of blocks that were begun, which are gone on with.

    Yields:
        A block after each call, until all are done.
    """
    count = min(len(compiled), len(blocks))
    streams = [_stream(program, compiled[i], runs, blocks[i::count], snapshots or {}) for i in range(count)]
    times, spent = dict.fromkeys(range(len(streams)), 0.0), _spent()
    for i, computed in _side_by_side(streams) if len(streams) > 1 else ((0, item) for it in streams for item in it):
        now = _spent()
        times = {stream: time + (now - spent) / len(times) for stream, time in times.items()}
        spent = now
        if computed is None:
            del times[i]
        else:
            computed.add_time(times[i])
            times[i] = 0.0
            yield computed


def _side_by_side(streams: Sequence[Iterator[Computed]]) -> Iterator[tuple[int, Computed | None]]:
    """What several streams yield, as it comes, with the number of the stream; None where one ends.

    Each goes on on a thread of its own, since JAX computes the calls of a thread one after the other.
    """
    settings = {name: jax.config.values[f"jax_{name}"] for name in ("enable_x64", "debug_nans", "debug_infs")}
    results: SimpleQueue[Future[tuple[int, Computed | None]]] = SimpleQueue()

    def following(i: int) -> tuple[int, Computed | None]:
        with ExitStack() as contexts:
            for name, value in settings.items():
                contexts.enter_context(getattr(jax, name)(value))
            return i, next(streams[i], None)

    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in streams]

        def go_on(i: int) -> None:
            threads[i].submit(following, i).add_done_callback(results.put)

        for i in range(len(streams)):
            go_on(i)
        ended = 0
        while ended < len(streams):
            i, computed = results.get().result()
            yield i, computed
            if computed is None:
                ended += 1
            else:
                go_on(i)


def _stream(
    program: Program,
    compiled: jax.stages.Compiled,
    runs: Runs,
    blocks: Sequence[int],
    snapshots: Mapping[int, Snapshot],
) -> Iterator[Computed]:
    """Blocks that are computed one after the other."""
    pace = _Pace(program.stride)
    calls = _calls(program, compiled, runs, blocks, snapshots, pace)
    began = time.monotonic()
    following = next(calls, None)
    while (computed := following) is not None:
        # A call is dispatched before the results of the one ahead of it are taken, so that devices compute meanwhile.
        following = next(calls, None)
        computed.collect()
        began, seconds = time.monotonic(), time.monotonic() - began
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
    """The calls that compute blocks, each dispatched when it is taken."""
    last = int(program.steps[-1])
    for block in blocks:
        rows = program.sizes.rows(block, len(runs))
        columns = columns_of(runs, program.sizes.padded_rows(block, len(runs)), program.sizes)
        snapshot = snapshots.get(block)
        carry = _carry(program, snapshot)
        step, records = (0, {}) if snapshot is None else (snapshot.step, snapshot.records)
        began = time.monotonic()
        while step < last:
            span = span_of(program.steps, step, min(step + pace.stride, last))
            carry, results = compiled(program.data, columns, carry, span)
            yield Computed(block, rows, span, last, began, records, carry, results)
            step = int(span.end)


def _carry(program: Program, snapshot: Snapshot | None) -> PyTree:
    """The carry of a block that was begun; of a block that was not, zeros, which the program ignores."""
    if snapshot is None:
        return jax.tree.map(_zeros, program.carry)
    leaves, tree = jax.tree.flatten(program.carry)
    return jax.tree.unflatten(tree, [_typed_leaf(x, leaf) for x, leaf in zip(snapshot.carry, leaves, strict=True)])


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


def try_out(program: Program, compiled: jax.stages.Compiled, runs: Runs, steps: int) -> float:
    """The seconds that the first steps of a block take."""
    columns = columns_of(runs, program.sizes.padded_rows(0, len(runs)), program.sizes)
    began = time.perf_counter()
    jax.block_until_ready(compiled(program.data, columns, _carry(program, None), span_of(program.steps, 0, steps)))
    return time.perf_counter() - began


def _joined(pieces: np.ndarray) -> np.ndarray:
    """The pieces of a block, which were computed one after the other, joined along the runs."""
    return pieces[0] if len(pieces) == 1 else np.concatenate(list(pieces), axis=-1)
