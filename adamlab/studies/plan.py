"""Plans: the runs of a study, every setting with every start and every seed, each with its id."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from adamlab.analysis import best_settings
from adamlab.analysis.rows import EVALUATION, TUNING, is_tuning
from adamlab.specs import own_code
from adamlab.studies.config.study import Optimizer, Study
from adamlab.studies.engine.program import Runs
from adamlab.types import Problem

Key = tuple[str, str]
"""A problem's name and an optimizer's part."""


@dataclass(frozen=True)
class Plan:
    """Runs of one optimizer on one problem, a row each.

    Attributes:
        problem: the problem.
        optimizer: the optimizer.
        points: the starts, start × dim; None where the problem gives them.
        stage: the stage of the runs, "tuning" or "evaluation".
        setting: the number of each run's setting.
        start: the number of each run's start, −1 where the problem gives it.
        seed: the seed of each run.
        ids: the id of each run, 64 bits hashed from all that it depends on.
    """

    problem: Problem
    optimizer: Optimizer
    points: np.ndarray | None
    stage: str
    setting: np.ndarray
    start: np.ndarray
    seed: np.ndarray
    ids: np.ndarray

    def __len__(self):
        return len(self.ids)

    def take(self, rows: np.ndarray) -> "Plan":
        """The runs of these rows."""
        return replace(
            self, setting=self.setting[rows], start=self.start[rows], seed=self.seed[rows], ids=self.ids[rows]
        )

    def runs(self) -> Runs:
        """The runs as the engine takes them."""
        numbers = {symbol: values[self.setting] for symbol, values in self.optimizer.columns.items()}
        starts = None if self.points is None else self.points[self.start]
        return Runs(self.optimizer.template, numbers, self.seed, starts)

    def rows_of(self, ids: np.ndarray) -> np.ndarray:
        """The rows with these ids, −1 where there is none."""
        order = np.argsort(self.ids)
        nearest = np.minimum(np.searchsorted(self.ids[order], ids), len(order) - 1)
        return np.where(self.ids[order][nearest] == ids, order[nearest], -1)


def plan(
    study: Study,
    problem: Problem,
    optimizer: Optimizer,
    *,
    stage: str = TUNING,
    seeds: Sequence[int] | None = None,
    settings: Iterable[int] | None = None,
) -> Plan:
    """The runs of one optimizer on one problem, seeds fastest, then starts; by default every setting, every seed."""
    seeds = study.head.seeds if seeds is None else seeds
    settings = range(optimizer.count) if settings is None else settings
    points = study.starts.get(problem.name)
    starts = [-1] if points is None else range(len(points))
    setting, start, seed = (
        column.ravel() for column in np.meshgrid([*settings], [*starts], np.array(seeds, np.uint32), indexing="ij")
    )
    coordinates = [""] if points is None else [point.tobytes().hex() for point in points]
    context = "\n".join([_context(study, problem), *sorted(_own_code(study, problem, optimizer).values())])
    specs = [f"{context}\n{spec}" for spec in optimizer.specs()]
    rows = zip(setting.tolist(), start.tolist(), seed.tolist(), strict=True)
    ids = np.array([_hashed(f"{specs[i]}\n{coordinates[j]}\n{k}") for i, j, k in rows], np.uint64)
    return Plan(problem, optimizer, points, stage, setting.astype(np.int32), start.astype(np.int32), seed, ids)


def plans_of(study: Study) -> dict[Key, Plan]:
    """The plans of the first stage; those of an evaluation depend on its results."""
    return {
        (problem.name, part_of(optimizer)): plan(study, problem, optimizer)
        for problem in study.problems
        for optimizer in study.optimizers
    }


def evaluation_plans(study: Study, dataset_of: Callable[[str], xr.Dataset]) -> dict[Key, Plan]:
    """The plans of the second stage: the best setting of each optimizer on fresh seeds.

    Args:
        study: a study with an evaluation.
        dataset_of: reads a problem's results of the first stage, by its name.
    """
    evaluation = study.evaluation
    assert evaluation is not None
    plans: dict[Key, Plan] = {}
    for problem in study.problems:
        runs = dataset_of(problem.name)
        best = best_settings(runs.isel(run=np.flatnonzero(is_tuning(runs))), evaluation.by)
        for optimizer in study.optimizers:
            spec = best.spec.values[best.optimizer.values == optimizer.label][0]
            settings = [optimizer.specs().index(spec)]
            plans[problem.name, part_of(optimizer)] = plan(
                study, problem, optimizer, stage=EVALUATION, seeds=evaluation.seeds, settings=settings
            )
    return plans


def part_of(optimizer: Optimizer) -> str:
    """The part of a store that an optimizer's runs are in: the same whatever values are swept."""
    return f"{_hashed(f'{optimizer.label} is {optimizer.template}'):016x}"


def _context(study: Study, problem: Problem) -> str:
    """All that a run depends on beside its optimizer, start and seed, and the way it is recorded."""
    recorded = hashlib.sha256(study.recorded.tobytes()).hexdigest()
    head, record = study.head, study.head.record
    kept = [recorded, sorted(record.what), record.target, record.costly_every]
    return json.dumps([study.texts[problem.name], head.steps, head.dtype, *kept])


def _own_code(study: Study, problem: Problem, optimizer: Optimizer) -> dict[str, str]:
    """The digests of the user's code that the runs of an optimizer on a problem depend on."""
    return study.own_problem(problem) | own_code(optimizer.template)


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
