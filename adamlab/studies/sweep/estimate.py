"""Estimates: the runs, programs, bytes and time of a study, before it is run."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil, prod

import jax

from adamlab.studies import distributed
from adamlab.studies.config.study import Study
from adamlab.studies.engine.block_sizes import grouped_by_seed
from adamlab.studies.engine.execution import try_out
from adamlab.studies.engine.program import Program
from adamlab.studies.options import RunOptions
from adamlab.studies.plan import Plan, plans_of
from adamlab.studies.store.location import Location
from adamlab.studies.sweep.ledger import Ledger
from adamlab.studies.sweep.programs import lower

TRIED = 20
"""The number of steps that are tried."""


@dataclass(frozen=True)
class Estimate:
    """The costs of one optimizer's runs on one problem.

    Attributes:
        problem: the problem's name.
        optimizer: the optimizer's label.
        runs: the number of unfinished runs.
        blocks: the number of their blocks.
        bytes: the bytes of their results.
        seconds: the time that they take on this machine, about, without compiling.
        compiling: the seconds that a program as large took to compile.
    """

    problem: str
    optimizer: str
    runs: int
    blocks: int
    bytes: int
    seconds: float
    compiling: float


def estimate(study: Study, where: str, location: Location, options: RunOptions) -> list[Estimate]:
    """The costs of a study's unfinished runs; each program is tried for a few steps, and nothing is written.

    The runs of an evaluation depend on the first stage, and are left out.

    Raises:
        ConfigError, StoreError: as `adamlab.studies.sweep.run.run_study`.
    """
    with jax.enable_x64(study.head.dtype == "float64"):
        devices = distributed.devices(options.devices)
        ledger = Ledger.open(study, plans_of(study), location)
        programs = lower(study, ledger, where, devices, use_all=options.devices is not None)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compiled = {key: pool.submit(_compile, program) for key, program in programs.items()}
            ready = {
                key: future.result() for key, future in compiled.items()
            }  # before any is tried: cores are free then
        return [_estimate(study, plan, programs[key], *ready[key]) for key, plan in ledger.unfinished().items()]


def compiling_time(estimates: Sequence[Estimate]) -> float:
    """The seconds that compiling takes, about, with a program on each core."""
    return sum(estimate.compiling for estimate in estimates) / min(os.cpu_count() or 1, max(1, len(estimates)))


def _compile(program: Program) -> tuple[jax.stages.Compiled, float]:
    """The compiled program, and the seconds that this took."""
    began = time.perf_counter()
    return program.compile()[0], time.perf_counter() - began


def _estimate(study: Study, plan: Plan, program: Program, compiled: jax.stages.Compiled, compiling: float) -> Estimate:
    sizes = program.sizes
    runs = plan.take(grouped_by_seed(plan.seed, sizes.at_a_time)[0]).runs() if sizes.shared else plan.runs()
    blocks, steps = sizes.count(len(runs)), min(TRIED, study.head.steps)
    seconds = min(try_out(program, compiled, runs, steps) for _ in range(2))
    size = sum(prod(shape.shape) * shape.dtype.itemsize for shape in program.shapes.values())
    return Estimate(
        problem=plan.problem.name,
        optimizer=plan.optimizer.label,
        runs=len(plan),
        blocks=blocks,
        bytes=size * len(plan),
        seconds=seconds * ceil(blocks / len(program.lowered)) * study.head.steps / steps,
        compiling=compiling,
    )
