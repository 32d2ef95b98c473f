"""Sizes: the runs, programs and bytes of a study, judged before any of them is made."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path, PurePosixPath

import numpy as np

from adamlab.studies.config.errors import Mistakes
from adamlab.studies.config.schema import RunsHead
from adamlab.studies.config.study import Optimizer
from adamlab.studies.config.tables.problems import ProblemTable
from adamlab.studies.engine.block_sizes import LANES
from adamlab.studies.engine.recording import Recording
from adamlab.types import Problem

MOST_RUNS = 10**7
"""The greatest number of runs of a study: each has an id, a label and a row of summary.csv."""

MOST_PROGRAMS = 10_000
"""The greatest number of programs, one for each optimizer on each problem; each takes a part of a second to compile."""

MOST_RECORDED = 10**7
"""The greatest number of recorded steps of a run."""

ROW = 300
"""The bytes of a run's labels and numbers in memory, about."""

SYSTEM = Path("/")
"""The root of the system's files."""

LIMITS = {"": "memory.max", "memory": "memory.limit_in_bytes"}
"""The file of a control group's limit, by the controller, in the second version of the system and in the first."""

COPIES = 2
"""The copies of the results in memory while their blocks are joined."""


def check_sizes(
    head: RunsHead, tables: Sequence[ProblemTable], optimizers: Sequence[Optimizer], mistakes: Mistakes
) -> None:
    """Check that the study's runs can be counted, its programs compiled, and its results held in memory."""
    every = head.record.every
    recorded = 2 + every["log"] if isinstance(every, Mapping) else 1 - (-head.steps // every)
    if recorded > MOST_RECORDED:
        mistakes.tell("record.every", f"expected at most {MOST_RECORDED:,} recorded steps of a run; got {recorded:,}")
        return
    recorded = min(recorded, head.steps + 1)
    if (programs := len(tables) * len(optimizers)) > MOST_PROGRAMS:
        factors = {"problems": len(tables), "optimizers": len(optimizers)}
        mistakes.tell("", f"{_product(factors)} = {programs:,} programs to compile: at most {MOST_PROGRAMS:,}")
        return
    starts = [1 if table.points is None else len(table.points) for table in tables]
    factors = {
        "settings": sum(optimizer.count for optimizer in optimizers),
        "seeds": len(head.seeds),
        "starts on problems": sum(starts),
    }
    runs, evaluated = prod(factors.values()), _evaluated(head)
    further = {"optimizers": len(optimizers), "fresh seeds": evaluated, "starts on problems": sum(starts)}
    for of, count in ((factors, runs), (further, prod(further.values()))):
        if count > MOST_RUNS:
            mistakes.tell("", f"{_product(of)} = {count:,} runs: at most {MOST_RUNS:,}")
            return
    each = factors["settings"] * len(head.seeds) + len(optimizers) * evaluated
    needed = COPIES * sum(
        max(LANES, each * count) * (ROW + _record_bytes(head, table.problem, recorded))
        for table, count in zip(tables, starts, strict=True)
    )
    if needed > (memory := available_memory()):
        mistakes.tell(
            "",
            f"{_product(factors)} = {runs:,} runs of {recorded:,} recorded steps: joining their results takes "
            f"{in_bytes(needed)} of memory, of {in_bytes(memory)} here. Record fewer steps or quantities, or divide "
            "the runs among several configs.",
        )


def available_memory() -> int:
    """The bytes of memory that this process may use."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else sys.maxsize
    try:
        from resource import RLIM_INFINITY, RLIMIT_AS, RLIMIT_DATA, getrlimit
    except ImportError:  # on Windows
        return physical
    limits = [getrlimit(limit)[0] for limit in (RLIMIT_AS, RLIMIT_DATA)]
    return min([physical, *_container_limits(), *(limit for limit in limits if limit != RLIM_INFINITY)])


def _container_limits() -> list[int]:
    """The memory that the control groups of this process may use, as those of a container or of a Slurm job."""
    try:
        groups = [line.split(":", 2)[1:] for line in (SYSTEM / "proc/self/cgroup").read_text().splitlines()]
    except OSError:  # on other systems than Linux
        return []
    limits: list[int] = []
    for controller, path in groups:
        if controller in LIMITS:
            own = PurePosixPath(path.lstrip("/"))
            for group in (own, *own.parents):  # a group is within the limits of those above it
                with suppress(OSError, ValueError):  # in a container its own group is the root; no limit is "max"
                    limits.append(int((SYSTEM / "sys/fs/cgroup" / controller / group / LIMITS[controller]).read_text()))
    return limits


def _evaluated(head: RunsHead) -> int:
    seeds = 0 if head.evaluation is None else head.evaluation.seeds
    return seeds if isinstance(seeds, int) else len(seeds)


def _record_bytes(head: RunsHead, problem: Problem, recorded: int) -> int:
    numbers = Recording(np.empty(0, np.int32), tuple(head.record.what)).numbers(problem)
    return (recorded * numbers + problem.dimension) * (8 if head.dtype == "float64" else 4)


def _product(factors: Mapping[str, int]) -> str:
    return " × ".join(f"{count:,} {name}" for name, count in factors.items())


def in_bytes(number: int | float) -> str:
    """A number of bytes in words."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.3g} TB"
