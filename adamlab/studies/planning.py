"""Which runs a study is made of: every setting with every start and every seed, each run known by what it is."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from adamlab.studies.engine import Runs
from adamlab.studies.study import Optimizer, Study
from adamlab.types import Problem

STAGES = ("tuning", "evaluation")
"""A study that evaluates compares settings on some seeds, and runs the best ones on others."""


@dataclass(frozen=True)
class Plan:
    """Runs of one optimizer on one problem, a row each.

    Attributes:
        problem: what is minimized.
        optimizer: the optimizer.
        points: where runs start, start × dim; None where the problem says.
        stage: which of `STAGES` the runs belong to.
        setting: the number of each run's setting.
        start: the number of each run's start, −1 where the problem says.
        seed: the seed of each run.
        ids: 64 bits for each run, hashed from all that it depends on.
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
        """What the engine is given."""
        numbers = {symbol: values[self.setting] for symbol, values in self.optimizer.columns.items()}
        starts = None if self.points is None else self.points[self.start]
        return Runs(self.optimizer.template, numbers, self.seed, starts)

    def rows_of(self, ids: np.ndarray) -> np.ndarray:
        """The rows that have these ids, −1 where none has."""
        order = np.argsort(self.ids)
        places = np.minimum(np.searchsorted(self.ids[order], ids), len(order) - 1)
        return np.where(self.ids[order][places] == ids, order[places], -1)


def plan(
    study: Study,
    problem: Problem,
    optimizer: Optimizer,
    *,
    stage: str = STAGES[0],
    seeds: Sequence[int] | None = None,
    settings: Iterable[int] | None = None,
) -> Plan:
    """The runs of one optimizer on one problem, seeds fastest, then starts; by default every setting, every seed."""
    seeds = study.seeds if seeds is None else seeds
    settings = range(optimizer.count) if settings is None else settings
    points = study.starts.get(problem.name)
    starts = [-1] if points is None else range(len(points))
    setting, start, seed = (
        column.ravel() for column in np.meshgrid([*settings], [*starts], np.array(seeds, np.uint32), indexing="ij")
    )
    where = [""] if points is None else [point.tobytes().hex() for point in points]
    context = _context(study, problem)
    specs = [f"{context}\n{spec}" for spec in optimizer.specs()]
    rows = zip(setting.tolist(), start.tolist(), seed.tolist(), strict=True)
    ids = np.array([_hashed(f"{specs[i]}\n{where[j]}\n{k}") for i, j, k in rows], np.uint64)
    return Plan(problem, optimizer, points, stage, setting.astype(np.int32), start.astype(np.int32), seed, ids)


def part_of(optimizer: Optimizer) -> str:
    """What an optimizer's part of a store is called: the same whatever values are swept in it."""
    return f"{_hashed(f'{optimizer.label} is {optimizer.template}'):016x}"


def _context(study: Study, problem: Problem) -> str:
    """All that a run depends on beside its optimizer, its start and its seed, and how it is recorded."""
    recorded = hashlib.sha256(study.recorded.tobytes()).hexdigest()
    return json.dumps([study.texts[problem.name], study.steps, study.dtype, recorded, sorted(study.what), study.target])


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
