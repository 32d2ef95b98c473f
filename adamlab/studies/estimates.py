"""What a study would take, before it is run: runs, programs, bytes, and about how long."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

import jax
import numpy as np

from adamlab.studies import machines
from adamlab.studies.engine import Program, Recording, execute, prepare
from adamlab.studies.place import Place
from adamlab.studies.planning import Plan
from adamlab.studies.programs import plans_of, prepared
from adamlab.studies.sizes import Sizes
from adamlab.studies.study import Study
from adamlab.studies.there import store_there, unfinished

TRIED = 20
"""Steps that are tried to see how long one takes."""


@dataclass(frozen=True)
class Estimate:
    """What the runs of one optimizer on one problem take.

    Attributes:
        problem: the problem's name.
        optimizer: the optimizer's label.
        runs: how many are still to be done.
        blocks: in how many blocks.
        bytes: of their results.
        seconds: about how long they take on this machine, without compiling.
        compiling: how long a program as large took to compile.
    """

    problem: str
    optimizer: str
    runs: int
    blocks: int
    bytes: int
    seconds: float
    compiling: float


def estimate(study: Study, where: str, place: Place) -> list[Estimate]:
    """What is still to be done of a study; each program is tried for a few steps, and nothing is written.

    Of an evaluation, which is of the best settings, the runs are counted and not their time.

    Raises:
        ConfigError, StoreError: as `run_study`.
    """
    with jax.enable_x64(study.dtype == "float64"):
        devices = machines.devices(place.devices)
        plans = plans_of(study)
        there = store_there(study, plans, place)
        left = unfinished(plans, there)
        programs = prepared(study, left, where, devices, there.sizes(left) if there else {})
        return [_estimate(study, one, programs[key], len(devices)) for key, one in left.items()]


def compiling_time(estimates: Sequence[Estimate]) -> float:
    """About how many seconds compiling takes, a program on each core."""
    return sum(one.compiling for one in estimates) / min(os.cpu_count() or 1, max(1, len(estimates)))


def _estimate(study: Study, one: Plan, program: Program, devices: int) -> Estimate:
    runs, few = one.runs(), program.sizes.at_a_time
    steps = min(TRIED, study.steps)
    recording = Recording(np.array([0, steps], np.int32), study.what, study.target)
    runs = runs.take(np.zeros(few, int))
    small = prepare(one.problem, runs, recording, sizes=Sizes(few, few, program.sizes.shared))
    began = time.perf_counter()
    compiled = small.lowered.compile()
    compiling = time.perf_counter() - began
    seconds = min(_timed(small, compiled, runs) for _ in range(2))
    rounds = ceil(program.sizes.count(len(one)) / devices) * program.sizes.block / few
    size = sum(prod(shape.shape) * shape.dtype.itemsize for shape in program.shapes.values())
    return Estimate(
        problem=one.problem.name,
        optimizer=one.optimizer.label,
        runs=len(one),
        blocks=program.sizes.count(len(one)),
        bytes=size * len(one),
        seconds=seconds * rounds * study.steps / steps,
        compiling=compiling,
    )


def _timed(program: Program, compiled: jax.stages.Compiled, runs) -> float:
    began = time.perf_counter()
    for _ in execute(program, compiled, runs, [0]):
        pass
    return time.perf_counter() - began
