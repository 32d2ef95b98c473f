"""The ledger: the planned runs of a study, joined with those that its store already holds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from adamlab.analysis.rows import TUNING
from adamlab.errors import reason
from adamlab.studies.config.diff import differences
from adamlab.studies.config.study import Study
from adamlab.studies.engine.block_sizes import Sizes
from adamlab.studies.engine.program import Runs
from adamlab.studies.plan import Key, Plan
from adamlab.studies.store.blocks import Blocks, Section
from adamlab.studies.store.folder import STORE, StoreError, other_config, root_attributes
from adamlab.studies.store.location import Location
from adamlab.studies.store.provenance import config_of


class Entry(NamedTuple):
    """A section of the store, joined with the plan of its part.

    Attributes:
        section: the section.
        rows: the row of each of its runs in the plan; −1 where the run is not planned, or will not be computed.
        done: for each of its runs, whether it is done and can be read.
    """

    section: Section
    rows: np.ndarray
    done: np.ndarray


class Work(NamedTuple):
    """A block to compute."""

    key: Key
    section: Section
    block: int


class Ledger:
    """The planned runs of one stage, joined with those in a store.

    Args:
        plans: the plan of each optimizer on each problem.
        blocks: the store; None where there is none yet.
        damaged: by the names of sections, the blocks that cannot be read, which count as not done.
    """

    def __init__(
        self, plans: Mapping[Key, Plan], blocks: Blocks | None, damaged: Mapping[str, Sequence[int]] | None = None
    ):
        self.plans, self.blocks, self.damaged = plans, blocks, damaged or {}
        self._entries: dict[Key, list[Entry]] = {}

    @classmethod
    def open(cls, study: Study, plans: Mapping[Key, Plan], location: Location) -> "Ledger":
        """Open the ledger of a study's first stage; the store is only read.

        Raises:
            StoreError: the store is of a config that differs by more than further runs, or of another format, or
                damaged where it lists its runs.
        """
        if location.kept is None:
            return cls(plans, None)
        folder, attributes = location.kept.parent, root_attributes(location.kept)
        changed = differences(config_of(attributes), study.source)
        if "labels" not in attributes:  # the results of comparisons or readings
            raise other_config(folder, changed)
        blocks = Blocks.open(location.kept)
        _require_columns(blocks)
        sections = [section for name in blocks.attributes["problems"] for section in blocks.sections(name)]
        if changed and not cls(plans, blocks).only_adds():
            raise other_config(folder, changed)
        return cls(plans, blocks, {section.name: section.damaged() for section in sections})

    def entries(self, key: Key) -> list[Entry]:
        """The stored sections of a plan's part and stage, in the order in which they were added; they are read once."""
        if key not in self._entries:
            plan = self.plans[key]
            sections = [] if self.blocks is None else self.blocks.sections(*key)
            self._entries[key] = [self._entry(section, plan) for section in sections if section.stage == plan.stage]
        return self._entries[key]

    def _entry(self, section: Section, plan: Plan) -> Entry:
        flags = section.done()
        flags[list(self.damaged.get(section.name, ()))] = False
        done = np.repeat(flags, section.block)[: len(section)]
        rows = plan.rows_of(section.column("run_id"))
        if (rows < 0).any():
            # Left over from an evaluation of other settings: keep what was computed, drop the rest.
            rows = np.where(done, rows, -1)
        return Entry(section, rows, done)

    def only_adds(self) -> bool:
        """Whether all runs that the store was made for are planned."""
        assert self.blocks is not None
        sections = [section for name in self.blocks.attributes["problems"] for section in self.blocks.sections(name)]
        stored = {(section.problem, section.part) for section in sections if section.stage == TUNING}
        return stored <= self.plans.keys() and all(
            (entry.rows >= 0).all() for key in stored for entry in self.entries(key)
        )

    def unfinished(self) -> dict[Key, Plan]:
        """The runs of each plan that are not done, where there are any."""
        remaining = {}
        for key, plan in self.plans.items():
            done = np.zeros(len(plan), bool)
            for entry in self.entries(key):
                done[entry.rows[entry.done & (entry.rows >= 0)]] = True
            if not done.all():
                remaining[key] = plan.take(np.flatnonzero(~done))
        return remaining

    def missing(self, key: Key) -> np.ndarray:
        """The rows of a plan's runs that are in no section."""
        stored = [entry.rows for entry in self.entries(key)]
        return np.setdiff1d(np.arange(len(self.plans[key])), np.concatenate([np.empty(0, int), *stored]))

    def sizes(self) -> dict[Key, Sizes]:
        """The block sizes that the store has settled, by the first section of each part."""
        return {key: entries[0].section.sizes for key in self.plans if (entries := self.entries(key))}

    def pending(self, todo: Mapping[str, Sequence[int]] | None = None) -> list[Work]:
        """The blocks to compute, in the same order in every process.

        Args:
            todo: the blocks of each section by its name; by default all that are not done.
        """
        return [
            Work(key, section, block)
            for key in self.plans
            for section, rows, _ in self.entries(key)
            if (rows >= 0).all()
            for block in (section.pending() if todo is None else todo.get(section.name, ()))
        ]

    def runs(self, key: Key, section: Section) -> Runs:
        """The planned runs of a section, as the engine takes them."""
        plan = self.plans[key]
        return plan.take(plan.rows_of(section.column("run_id"))).runs()


def _require_columns(blocks: Blocks):
    try:
        for name in blocks.attributes["problems"]:
            for section in blocks.sections(name):
                blocks.require_columns(section)
    except Exception as error:  # zarr raises whatever a damaged store makes it raise
        raise StoreError(
            f"{STORE} is damaged where it says which runs it has: {reason(error)}. Choose another folder with --out, "
            "or compute all anew with --fresh."
        ) from error
