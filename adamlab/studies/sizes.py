"""How many runs make a block, and how many of them are computed at a time."""

from dataclasses import dataclass

import numpy as np

LOW_DIMENSION = 16
"""Up to how many parameters a vector of them is recorded; of larger problems only the last parameters are."""

LANES = 8
"""Runs at a time are a multiple of this: XLA compiles a loop over fewer with other roundings."""

ARRAY = 15 * 2**10
"""Bytes that no array of what is computed at a time exceeds: from 16 kB on XLA compiles it with other roundings."""

RECORDS = 64 * 2**20
"""Bytes of records that a block has at the most: a killed run loses no more, and memory holds no more."""

WORK = 2 * 10**7
"""Steps × parameters × runs of a block: fewer would be written too often, more be lost by a kill."""

MANY = 1024
"""From how many runs on there are at least `SHARES` blocks, so that several devices have equal shares."""
SHARES = 4

SHARED = 16
"""Runs at a time that share the batches of one seed: the products of matrices are larger, and each is drawn once."""
ENOUGH = 12
"""From how many runs of each seed on they are put together by seeds."""


@dataclass(frozen=True)
class Sizes:
    """How a block is computed.

    Attributes:
        block: its number of runs.
        at_a_time: how many of them are computed at a time.
        shared: whether these are of one seed and see the same batches, each drawn once.
    """

    block: int
    at_a_time: int
    shared: bool = False

    def count(self, runs: int) -> int:
        """How many blocks so many runs are."""
        return -(-runs // self.block)

    def rows(self, block: int, runs: int) -> np.ndarray:
        """The rows of a block; the last has fewer."""
        return np.arange(block * self.block, min((block + 1) * self.block, runs))


def sizes_of(
    runs: int, *, side_by_side: int | None, array_bytes: int, record_bytes: int, work: int, shared: bool = False
) -> Sizes:
    """The sizes for so many runs; results do not depend on them, but for the last bits where batches are shared.

    Args:
        runs: how many there are.
        side_by_side: how many the problem wants at a time; by default as many as `ARRAY` holds.
        array_bytes: of the largest array that is computed of one run.
        record_bytes: of what is recorded of one run.
        work: steps × parameters of one run.
        shared: whether the runs are put together by seeds.
    """
    most = max(1, min(RECORDS // record_bytes, WORK // max(1, work)))
    if side_by_side is None:
        most = max(LANES, min(most, ARRAY // array_bytes) // LANES * LANES)
        blocks = _rounded(-(-runs // most), SHARES if runs >= MANY else 1)
        block = at_a_time = _rounded(-(-runs // blocks), LANES)
    else:
        at_a_time = SHARED if shared else side_by_side
        block = _rounded(min(runs, most), at_a_time)
    return Sizes(block, at_a_time, shared)


def in_groups(seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows put together by seeds, and whether each is there for the first time.

    Of each seed there are a multiple of `SHARED`: the last is repeated.
    """
    order = np.argsort(seeds, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(seeds[order])) + 1)
    filled = [np.pad(group, (0, -len(group) % SHARED), mode="edge") for group in groups]
    first = [np.arange(len(one)) < len(group) for one, group in zip(filled, groups, strict=True)]
    return np.concatenate(filled), np.concatenate(first)


def can_share(seeds: np.ndarray) -> bool:
    """Whether there are enough runs of every seed to put them together."""
    return bool(np.unique(seeds, return_counts=True)[1].min() >= ENOUGH)


def _rounded(number: int, unit: int) -> int:
    """Up to a multiple."""
    return -(-number // unit) * unit
