"""The programs of a study: one for each optimizer on each problem, all lowered before any is run."""

import sys
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any

import jax

from adamlab.errors import reason
from adamlab.studies import distributed
from adamlab.studies.config.errors import ConfigError, Mistakes
from adamlab.studies.config.study import Study
from adamlab.studies.config.tables.problems import is_shipped
from adamlab.studies.engine.block_sizes import group_size, useful_devices
from adamlab.studies.engine.program import Program, Runs, check, prepare
from adamlab.studies.engine.recording import Recording
from adamlab.studies.plan import Key
from adamlab.studies.sweep.ledger import Ledger
from adamlab.types import Problem

BRANCHES = (
    "its code asks in Python how large a number is, and that of several settings is none yet; compile such a number "
    "in, as { compiled = [0.1, 0.2] }, which makes a program of each value"
)

MOST_RECENT = 16
"""The most programs that are kept for later studies."""

RECENT: dict[bytes, tuple[Program, Problem, list[Any]]] = {}
"""Programs by all that they depend on, with the objects among that, since the id of a freed one may be used again."""

CODE = (
    *("adamlab.rules", "adamlab.arithmetic", "adamlab.lifting", "adamlab.schedules", "adamlab.adapters"),
    *("adamlab.derivatives", "adamlab.masks", "adamlab.problems", "adamlab.layers", "adamlab.studies.engine"),
    *("adamlab.types", "optax"),
)
"""The modules of the code that programs are made by."""


def lower(
    study: Study, ledger: Ledger, where: str, devices: Sequence[Any], *, use_all: bool = False
) -> dict[Key, Program]:
    """A lowered program for each optimizer and problem with unfinished runs.

    Args:
        study: the study.
        ledger: its planned and stored runs.
        where: the config's file, for messages.
        devices: the devices to compute on.
        use_all: whether all are used, however little there is to compute.

    Raises:
        ConfigError: with every optimizer that cannot run on a problem.
    """
    programs: dict[Key, Program] = {}
    mistakes, causes = Mistakes(), []
    settled = ledger.sizes()
    for key, plan in ledger.unfinished().items():
        try:
            if mistakes:  # no program will be run
                check(plan.problem, plan.runs())
                continue
            problem, work = plan.problem, len(plan) * plan.problem.dimension * study.head.steps
            of_networks = problem.side_by_side is not None
            count = len(devices)
            if not use_all:
                count = useful_devices(count, work // distributed.count(), of_networks=of_networks)
            programs[key] = _prepared(
                problem,
                plan.runs(),
                study.recording,
                devices=devices[:count],
                sizes=settled.get(key),
                shared=group_size(plan.seed, problem.dimension),
                processes=distributed.count(),
            )
        except Exception as error:  # whatever a foreign optimizer raises while it is traced
            label, problem = plan.optimizer.label, plan.problem.name
            is_swept = plan.optimizer.columns and isinstance(error, jax.errors.ConcretizationTypeError)
            why = BRANCHES if is_swept else reason(error, 200)
            mistakes.tell(plan.optimizer.key, f"{label} cannot run on {problem}: {why}")
            causes.append(error)
    if mistakes:
        raise ConfigError(where, mistakes) from causes[0]
    return programs


def _prepared(problem: Problem, runs: Runs, recording: Recording, **how: Any) -> Program:
    """As `prepare`; the program of an earlier study in this process, where it depends on the same.

    Code of the user's own can do something else the next time, so that it is always traced.
    """
    packages = {str(call.factory.__module__).partition(".")[0] for call in runs.template.calls()}
    if not is_shipped(problem) or not packages <= {"adamlab", "optax"}:
        return prepare(problem, runs, recording, **how)
    code = _code()
    steps, others = recording.steps.tobytes(), (recording.what, recording.target, recording.costly_every)
    rows, settings = (len(runs), tuple(runs.numbers), runs.starts is None), _settings()
    key = repr((id(problem), runs.template, rows, others, how, settings, [*map(id, code)])).encode() + steps
    if key not in RECENT:
        if len(RECENT) >= MOST_RECENT:
            del RECENT[next(iter(RECENT))]
        RECENT[key] = prepare(problem, runs, recording, **how), problem, code
    return RECENT[key][0]


def _code() -> list[Any]:
    """What the modules that a program is made by define now: somebody may replace a function of theirs."""
    modules = [module for name, module in sys.modules.items() if name.startswith(CODE)]
    return [value for module in modules for name, value in vars(module).items() if not name.startswith("__")]


def _settings() -> list[Any]:
    """JAX's settings as they are here and now: a program depends on those of types, random numbers and precision."""
    return [getattr(jax.config, name, None) for name in jax.config.values]


class Programs:
    """The lowered programs of a study, each compiled once, on a thread of its own.

    Args:
        pool: the threads; XLA compiles a program on one core.
    """

    def __init__(self, pool: Executor):
        self._pool = pool
        self._lowered: dict[Key, Program] = {}
        self._compiled: dict[Key, Future[list[jax.stages.Compiled]]] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._lowered

    def __getitem__(self, key: Key) -> Program:
        return self._lowered[key]

    def update(self, lowered: Mapping[Key, Program]) -> None:
        """Add programs; one that replaces another is compiled anew."""
        self._lowered |= lowered
        self._compiled = {key: future for key, future in self._compiled.items() if key not in lowered}

    def compile(self, keys: Collection[Key]) -> None:
        """Start to compile programs that are not compiled yet."""
        for key, program in self._lowered.items():
            if key in keys and key not in self._compiled:
                self._compiled[key] = self._pool.submit(lambda program=program: program.compiled)

    def compiled(self, key: Key) -> list[jax.stages.Compiled]:
        """The program compiled for each device, once it is ready."""
        return self._compiled[key].result()
