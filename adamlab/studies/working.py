"""One process at work on a study's store: what is not there is computed block by block, and written as it comes."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from adamlab.analysis import best_settings
from adamlab.studies import machines, store
from adamlab.studies.blocks import Blocks, Section
from adamlab.studies.dataset import about, dataset
from adamlab.studies.engine import execute
from adamlab.studies.listening import Listener
from adamlab.studies.locking import lives
from adamlab.studies.place import Place
from adamlab.studies.planning import STAGES, Plan, part_of, plan
from adamlab.studies.programs import Key, Programs, prepared
from adamlab.studies.sizes import in_groups
from adamlab.studies.study import Study
from adamlab.studies.there import There, unfinished

POLL = 0.2
"""Seconds between looks at what other processes have done."""


class Worker:
    """One process of a run, at work on a store."""

    def __init__(
        self, study: Study, place: Place, listener: Listener, pool: Executor, programs: Programs, blocks: Blocks
    ):
        self.study, self.place, self.listener, self.pool = study, place, listener, pool
        self.programs, self.blocks = programs, blocks
        self.compiled: dict[Key, Future[jax.stages.Compiled]] = {}

    def all(self, plans: Mapping[Key, Plan], devices: Sequence[Any], where: str) -> None:
        """Computes the settings on their seeds, and then the best of them on fresh ones where that is asked for."""
        self.stage(plans)
        if self.study.evaluation is not None:
            chosen = self._evaluations()
            # Few settings with many seeds have no batches to share.
            missing = {
                key: one for key, one in chosen.items() if key not in self.programs or self.programs[key].sizes.shared
            }
            there = There(self.blocks, {})
            left = unfinished(missing, there)
            self.programs |= prepared(self.study, left, where, devices, there.sizes(left))
            self.compiled = {key: compiled for key, compiled in self.compiled.items() if key not in left}
            self.stage(chosen)

    def stage(self, plans: Mapping[Key, Plan]) -> None:
        """Computes the runs of one stage that are not done."""
        if jax.process_index() == 0:
            with self._writing():
                self._add_sections(plans)
        machines.together(f"the store is ready for {next(iter(plans.values())).stage}")
        todo = self._todo(plans)
        mine = todo[jax.process_index() :: jax.process_count()]
        work = {section.name: (key, section) for key, section, _ in mine}
        by_section = {name: [block for _, section, block in mine if section.name == name] for name in work}
        runs = sum(len(section.rows(block)) for _, section, block in mine)
        if not runs and self.place.folder is not None and self.study.evaluation is None:
            self.listener.note(
                f"{self.place.folder} already has the results of this config; --fresh computes them anew."
            )
        self.listener.begin(runs, self.study.steps)
        self._compile({key for key, _ in work.values()})
        for name, (key, section) in work.items():
            self._compute(plans[key], section, key, by_section[name])
        self._wait(todo)

    def _add_sections(self, plans: Mapping[Key, Plan]):
        """Makes room for the runs that the store does not know, and puts all of them in their order."""
        for problem in self.study.problems:
            self.blocks.begin(problem.name, about(self.study, problem))
        for problem in self.study.problems:
            ahead = 0
            for optimizer in self.study.optimizers:
                key = problem.name, part_of(optimizer)
                one = plans[key]
                ahead = self._add(key, one, ahead)

    def _add(self, key: Key, one: Plan, ahead: int) -> int:
        stage = STAGES.index(one.stage) * 2**40
        known = np.zeros(len(one), bool)
        for section in self.blocks.sections(*key):
            if section.stage == one.stage:
                ids = section.column("run_id")
                rows, first = one.rows_of(ids), np.isin(np.arange(len(ids)), np.unique(ids, return_index=True)[1])
                if (rows < 0).any():  # of an evaluation that is no more: what was not done of it will not be
                    rows = np.where(np.repeat(section.done(), section.block)[: len(rows)], rows, -1)
                known[rows[rows >= 0]] = True
                section.reorder(np.where(first & (rows >= 0), rows + ahead + stage, -1))
        fresh = np.flatnonzero(~known)
        if len(fresh):
            program, first = self.programs[key], np.ones(len(fresh), bool)
            if program.sizes.shared:
                rows, first = in_groups(one.seed[fresh])
                fresh = fresh[rows]
            self.blocks.add(key[1], one.take(fresh), program, np.where(first, fresh + ahead + stage, -1))
        return ahead + len(one)

    def _todo(self, plans: Mapping[Key, Plan]) -> list[tuple[Key, Section, int]]:
        """Every block that is to be done, the same list in every process."""
        sections = [
            (key, section)
            for key, one in plans.items()
            for section in self.blocks.sections(*key)
            if section.stage == one.stage and (one.rows_of(section.column("run_id")) >= 0).all()
        ]
        if jax.process_count() == 1:
            return [(key, section, block) for key, section in sections for block in section.pending()]
        if jax.process_index() == 0:
            self.blocks.say({"todo": {section.name: section.pending() for _, section in sections}})
        machines.together("the work is shared out")
        todo = Blocks.open(self.place.shared_path).attributes["todo"]
        return [(key, section, block) for key, section in sections for block in todo.get(section.name, [])]

    def _compile(self, keys: set[Key]):
        # XLA compiles a program on one core.
        for key in self.programs:
            if key in keys and key not in self.compiled:
                self.compiled[key] = self.pool.submit(self.programs[key].lowered.compile)

    def _compute(self, one: Plan, section: Section, key: Key, blocks: Sequence[int]):
        self.listener.working_on(f"{one.problem.name}: {one.optimizer.label}")
        runs = one.take(one.rows_of(section.column("run_id"))).runs()
        for group in execute(self.programs[key], self.compiled[key].result(), runs, blocks):
            for block, arrays in group:
                with self._writing():
                    section.write(block, arrays)
                self.listener.advance(len(section.rows(block)))

    def _wait(self, todo: Sequence[tuple[Key, Section, int]]):
        """Until the other processes have done their blocks, or one of them is found dead."""
        count = jax.process_count()
        waited = [(i % count, section, block) for i, (_, section, block) in enumerate(todo)]
        while self.place.folder is not None and count > 1:
            living = {process for process in range(count) if lives(self.place.folder, process)}
            done = {name: section.done() for name, section in {s.name: s for _, s, _ in waited}.items()}
            waited = [(process, section, block) for process, section, block in waited if not done[section.name][block]]
            if not waited:
                return
            if dead := {process for process, _, _ in waited} - living - {jax.process_index()}:
                lost = sum(process in dead for process, _, _ in waited)
                raise store.StoreError(
                    f"{self.place.folder}: process {', '.join(map(str, sorted(dead)))} of {count} ended before its "
                    f"work was done; {lost} blocks are missing. The same command computes them, and only them."
                )
            time.sleep(POLL)

    def _evaluations(self) -> dict[Key, Plan]:
        """The best setting of each optimizer on fresh seeds."""
        evaluation = self.study.evaluation
        assert evaluation is not None
        plans: dict[Key, Plan] = {}
        labels = {part_of(optimizer): optimizer.label for optimizer in self.study.optimizers}
        for problem in self.study.problems:
            found = dataset(self.blocks, problem.name, labels)
            if "stage" in found.coords:
                found = found.isel(run=np.flatnonzero(found.stage.values == STAGES[0]))
            best = best_settings(found, evaluation.by)
            for optimizer in self.study.optimizers:
                spec = best.spec.values[best.optimizer.values == optimizer.label][0]
                setting = optimizer.specs().index(spec)
                plans[problem.name, part_of(optimizer)] = plan(
                    self.study, problem, optimizer, stage=STAGES[1], seeds=evaluation.seeds, settings=[setting]
                )
        return plans

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise store.StoreError(
                f"{self.place.folder}: the results cannot be written: {error.strerror or error}. What was done is "
                "kept; the same command goes on from there."
            ) from error
