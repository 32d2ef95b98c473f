"""A study is run: every program lowered before any is run, compiled on all cores, executed in turn."""

import itertools
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import jax
import xarray as xr

from adamlab.studies.analysis import with_agreement
from adamlab.studies.dataset import dataset, plan
from adamlab.studies.engine import Program, execute, prepare
from adamlab.studies.listening import Listener
from adamlab.studies.mistakes import ConfigError, Mistakes
from adamlab.studies.study import Study

Programs = Mapping[tuple[str, str], Program]
"""By problem and optimizer."""


def prepare_runs(study: Study, where: str) -> Programs:
    """Every program lowered.

    Raises:
        ConfigError: with every optimizer that cannot run on a problem.
    """
    programs, mistakes, causes = {}, Mistakes(), []
    with jax.enable_x64(study.dtype == "float64"):
        for problem, optimizer in itertools.product(study.problems, study.optimizers):
            runs = plan(optimizer, study.seeds)
            try:
                programs[problem.name, optimizer.label] = prepare(
                    problem, runs, steps=study.steps, every=study.every, what=study.what
                )
            except Exception as error:  # whatever a foreign optimizer raises while it is traced
                reason = " ".join(str(error).split()) or type(error).__name__
                mistakes.tell(optimizer.key, f"{optimizer.label} cannot run on {problem.name}: {reason[:200]}")
                causes.append(error)
    if mistakes:
        raise ConfigError(where, mistakes) from causes[0]
    return programs


def run_all(study: Study, programs: Programs, listener: Listener) -> dict[str, xr.Dataset]:
    """Runs everything; a dataset for each problem, as `adamlab.studies.dataset.dataset` has it."""
    listener.begin(sum(program.runs for program in programs.values()), study.steps)
    found = {}
    with jax.enable_x64(study.dtype == "float64"), ThreadPoolExecutor(os.cpu_count()) as pool:
        # XLA compiles a program on one core
        compiling = {key: pool.submit(program.lowered.compile) for key, program in programs.items()}
        for problem in study.problems:
            computed = []
            for optimizer in study.optimizers:
                listener.working_on(f"{problem.name}: {optimizer.label}")
                key = problem.name, optimizer.label
                computed.append(execute(programs[key], compiling.pop(key).result(), listener.advance))
            found[problem.name] = with_agreement(dataset(study, problem, computed))
    return found
