"""Block sizes: the number of runs in a block, and how many of them are computed at a time."""

from dataclasses import dataclass

import numpy as np

LANES = 16
"""The unit of runs at a time: XLA compiles a loop over fewer of them with other roundings."""

ARRAY = 2**14 - 1
"""The most bytes of an array of the runs at a time: from 16 kB on XLA compiles it with other roundings."""

RECORDS = 64 * 2**20
"""The most bytes of records in the blocks at once, which bounds what a kill loses and what memory holds."""

WORK = 2 * 10**7
"""The most steps × parameters × runs of a block whose runs gain nothing from being computed at a time."""

ALONE = 10**7
"""The steps × parameters × runs that are not divided between devices, where these cost nanoseconds."""

NETWORKS_ALONE = 10**6
"""The same where they cost microseconds."""

SHARED = 16
"""The most runs at a time that share the batches of a seed: each batch is drawn once, for larger matrix products."""

SHARED_PARAMETERS = 2**17
"""The most parameters of runs at a time that share batches: those of more leave the processor's cache."""

ENOUGH = 5
"""The number of runs of each seed from which on runs are grouped by seed: of fewer, eight with their own are faster."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a program's blocks.

    Attributes:
        block: the number of runs in a block.
        at_a_time: the number of them that are computed at a time.
        shared: whether the runs at a time have one seed and share its batches.
    """

    block: int
    at_a_time: int
    shared: bool = False

    def count(self, runs: int) -> int:
        """The number of blocks for that many runs."""
        return -(-runs // self.block)

    def rows(self, block: int, runs: int) -> np.ndarray:
        """The rows of a block; the last block may have fewer."""
        return np.arange(block * self.block, min((block + 1) * self.block, runs))

    def padded_rows(self, block: int, runs: int) -> np.ndarray:
        """The rows of a block, the last repeated up to a full block."""
        return np.minimum(np.arange(block * self.block, (block + 1) * self.block), runs - 1)


def sizes_of(
    runs: int,
    *,
    side_by_side: int | None,
    array_bytes: int,
    record_bytes: int,
    work: int,
    shared: int = 0,
    shares: int = 1,
    at_once: int = 1,
) -> Sizes:
    """The block sizes for that many runs; results do not depend on them, except for last bits where batches are shared.

    Args:
        runs: the number of runs.
        side_by_side: the runs at a time that the problem asks for; by default as many as `ARRAY` holds.
        array_bytes: the bytes of a run's largest array.
        record_bytes: the bytes of a run's records.
        work: steps × parameters of a run.
        shared: the runs of one seed at a time; 0 where runs are not grouped by seed.
        shares: the number of devices, of all processes, that blocks are to be shared by.
        at_once: the number of devices of this process.
    """
    most = max(1, RECORDS // (record_bytes * at_once))
    if side_by_side is None:
        most = max(LANES, min(most, ARRAY // array_bytes) // LANES * LANES)
        blocks = _rounded_up(-(-runs // most), shares)
        block = at_a_time = _rounded_up(-(-runs // blocks), LANES)
    else:
        at_a_time = shared or side_by_side
        pieces = -(-runs // at_a_time)
        fewest = max(-(-pieces // -(-min(most, max(1, WORK // work)) // at_a_time)), min(shares, pieces))
        blocks = min(range(fewest, 2 * fewest + 1), key=lambda n: n * -(-pieces // n))  # the least padding
        block = -(-pieces // blocks) * at_a_time
    return Sizes(block, at_a_time, shared > 0)


def useful_devices(devices: int, work: int, *, of_networks: bool) -> int:
    """How many of the devices have enough of the work, which is steps × parameters × runs."""
    return min(devices, max(1, work // (NETWORKS_ALONE if of_networks else ALONE)))


def grouped_by_seed(seeds: np.ndarray, at_a_time: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows grouped by seed, each group padded to a multiple of the runs at a time, and for each row if it is real."""
    order = np.argsort(seeds, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(seeds[order])) + 1)
    full = [np.pad(group, (0, -len(group) % at_a_time), mode="edge") for group in groups]
    first = [np.arange(len(rows)) < len(group) for rows, group in zip(full, groups, strict=True)]
    return np.concatenate(full), np.concatenate(first)


def group_size(seeds: np.ndarray, parameters: int) -> int:
    """The runs of one seed at a time, so that groups have little padding; 0 where runs are not grouped by seed.

    Args:
        seeds: the seed of every run.
        parameters: the number of a run's parameters.
    """
    counts = np.unique(seeds, return_counts=True)[1]
    most = min(SHARED, SHARED_PARAMETERS // parameters)
    if counts.min() < ENOUGH or most < 2:
        return 0
    groups = -(-counts.max() // most)
    return int(-(-counts.max() // groups))


def _rounded_up(number: int, unit: int) -> int:
    return -(-number // unit) * unit
