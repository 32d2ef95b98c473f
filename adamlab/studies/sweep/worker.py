"""The worker: one process of a run, which claims blocks, compiles, computes and writes, and waits for the others."""

import time
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from adamlab.interrupts import stop_if_interrupted
from adamlab.studies import distributed
from adamlab.studies.engine.execution import execute
from adamlab.studies.progress import Listener
from adamlab.studies.store.blocks import Blocks, Section
from adamlab.studies.store.checkpoints import Checkpoints
from adamlab.studies.store.folder import REPLACE, RESUME, StoreError, writing
from adamlab.studies.store.location import Location
from adamlab.studies.store.locks import is_alive
from adamlab.studies.sweep.ledger import Ledger, Work
from adamlab.studies.sweep.programs import Programs

POLL = 0.2
"""Seconds between looks at the blocks of other processes."""

PAUSE = 15.0
"""Seconds from one checkpoint of what is computed to the next."""


class Worker:
    """One process of a run.

    Args:
        blocks: the store.
        location: where it is.
        programs: the programs of the study.
        listener: receives the progress.
    """

    def __init__(self, blocks: Blocks, location: Location, programs: Programs, listener: Listener):
        self.blocks, self.location, self.programs, self.listener = blocks, location, programs, listener

    def compute(self, ledger: Ledger, steps: int) -> int:
        """Compute this process's share of the pending blocks, and wait for the others'; the number of its runs."""
        work = self._claim(ledger)
        mine = work[distributed.number() :: distributed.count()]
        counts = {name: _counts(section) for name, section in {s.name: s for _, s, _ in mine}.items()}
        runs = sum(int(counts[section.name][block]) for _, section, block in mine)
        self.listener.begin(runs, steps)
        keys = {key for key, *_ in mine}
        self.programs.compile(keys)
        if any("seconds" in self.programs[key].shapes for key in keys):
            for key in keys:
                self.programs.compiled(key)  # which would take time from runs that are timed
        for _, blocks in groupby(mine, lambda item: item.section.name):
            self._compute(ledger, list(blocks))
        self._wait(work)
        return runs

    def _claim(self, ledger: Ledger) -> list[Work]:
        """All blocks to compute, the same list in every process."""
        if distributed.count() == 1:
            return ledger.pending()
        if distributed.is_first():
            # What is pending changes while processes work: the list is settled once, and read by all.
            by_section = groupby(ledger.pending(), lambda item: item.section.name)
            self.blocks.update_attributes({"todo": {name: [item.block for item in work] for name, work in by_section}})
        distributed.wait_for_all("the work is shared out")
        return ledger.pending(Blocks.open(self.location.shared_path).attributes["todo"])

    def _compute(self, ledger: Ledger, work: Sequence[Work]):
        """Compute and write blocks of one section."""
        key, section, _ = work[0]
        plan = ledger.plans[key]
        self.listener.working_on(f"{plan.problem.name}: {plan.optimizer.label}")
        blocks, runs, folder = [item.block for item in work], ledger.runs(key, section), self.location.folder
        program, compiled, counts = self.programs[key], self.programs.compiled(key), _counts(section)
        if {*section.names} != {*program.shapes}:
            raise StoreError(f"{folder}: {section.name} has other quantities than the config asks for. {REPLACE}")
        if program.sizes != section.sizes:
            raise StoreError(
                f"{folder}: expected {section.name} in blocks of {program.sizes.block} runs; it has blocks of "
                f"{section.sizes.block}. Give all processes of a run the same number of --devices."
            )
        checkpoints = None if folder is None else Checkpoints(folder, section, program)
        begun = {} if checkpoints is None else checkpoints.load(blocks)
        self.listener.advance(sum(counts[block] * begun[block].step / program.steps[-1] for block in begun))
        saved: dict[int, float] = {}
        for computed in execute(program, compiled, runs, blocks, begun):
            with writing(folder, RESUME):
                if computed.is_done:
                    section.write(computed.block, computed.records)
                    if checkpoints is not None:
                        checkpoints.remove(computed.block)
                elif checkpoints is not None and time.monotonic() - saved.get(computed.block, computed.began) > PAUSE:
                    checkpoints.save(computed.block, computed.snapshot())
                    saved[computed.block] = time.monotonic()
            stop_if_interrupted()
            self.listener.advance(computed.part * counts[computed.block])

    def _wait(self, work: Sequence[Work]):
        """Wait until the other processes have done their blocks, or one of them is found dead."""
        folder, count = self.location.folder, distributed.count()
        waiting = [(i % count, section, block) for i, (_, section, block) in enumerate(work)]
        while folder is not None and count > 1:
            alive = {process for process in range(count) if is_alive(folder, process)}
            done = {name: section.done() for name, section in {s.name: s for _, s, _ in waiting}.items()}
            waiting = [
                (process, section, block) for process, section, block in waiting if not done[section.name][block]
            ]
            if not waiting:
                return
            if dead := {process for process, _, _ in waiting} - alive - {distributed.number()}:
                lost = sum(process in dead for process, _, _ in waiting)
                raise StoreError(
                    f"{folder}: process {', '.join(map(str, sorted(dead)))} of {count} ended before its "
                    f"work was done; {lost} blocks are missing. The same command computes them, and only them."
                )
            time.sleep(POLL)


def _counts(section: Section) -> np.ndarray:
    """The number of runs in each block of a section, without the padding of those that are grouped by seed."""
    _, first = np.unique(section.column("run_id"), return_index=True)
    return np.bincount(first // section.block, minlength=section.sizes.count(len(section)))
