"""How many runs make a block, and how many of them are computed at a time."""

from dataclasses import dataclass

import numpy as np

LOW_DIMENSION = 16
"""Up to how many parameters a vector of them is recorded; of larger problems only the last parameters are."""

LANES = 8
"""Runs at a time are a multiple of this: XLA compiles a loop over fewer with other roundings."""

CACHE = 96 * 2**10
"""Bytes of parameters and states that are computed on at a time, so that all that is looked at stays in a cache."""

RECORDS = 64 * 2**20
"""Bytes of records that a block has at the most: a killed run loses no more, and memory holds no more."""

WORK = 2 * 10**7
"""Steps × parameters × runs of a block: fewer would be written too often, more be lost by a kill."""

MANY = 1024
"""From how many runs on there are at least `SHARES` blocks, so that several devices have equal shares."""
SHARES = 4


@dataclass(frozen=True)
class Sizes:
    """A block's number of runs, and how many of them are computed at a time."""

    block: int
    at_a_time: int

    def count(self, runs: int) -> int:
        """How many blocks so many runs are."""
        return -(-runs // self.block)

    def rows(self, block: int, runs: int) -> np.ndarray:
        """The rows of a block; the last has fewer."""
        return np.arange(block * self.block, min((block + 1) * self.block, runs))


def sizes_of(runs: int, *, side_by_side: int | None, state_bytes: int, record_bytes: int, work: int) -> Sizes:
    """The sizes for so many runs; results do not depend on them.

    Args:
        runs: how many there are.
        side_by_side: how many the problem wants at a time; by default what the cache holds.
        state_bytes: of one run's parameters and state.
        record_bytes: of what is recorded of one run.
        work: steps × parameters of one run.
    """
    most = max(1, min(RECORDS // record_bytes, WORK // max(1, work)))
    if side_by_side is None:
        most = max(LANES, min(most, -(-runs // SHARES))) if runs >= MANY else max(LANES, most)
        blocks = _rounded(-(-runs // most), SHARES if runs >= MANY else 1)
        wanted = -(-runs // blocks)
        pieces = -(-wanted // _whole_lanes(CACHE // state_bytes))
        at_a_time = _whole_lanes(-(-wanted // pieces))
    else:
        at_a_time = side_by_side
        wanted = min(runs, most)
    return Sizes(_rounded(wanted, at_a_time), at_a_time)


def _rounded(number: int, unit: int) -> int:
    """Up to a multiple."""
    return -(-number // unit) * unit


def _whole_lanes(number: int) -> int:
    return max(LANES, _rounded(number, LANES))
