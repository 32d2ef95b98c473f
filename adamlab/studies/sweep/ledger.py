"""The ledger: the planned runs of a study, joined with those that its store already holds."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from adamlab.analysis.rows import TUNING
from adamlab.specs import own_code
from adamlab.studies.config.diff import differences
from adamlab.studies.config.study import Study
from adamlab.studies.engine.block_sizes import Sizes
from adamlab.studies.engine.program import Runs
from adamlab.studies.plan import Key, Plan, part_of
from adamlab.studies.store.blocks import Blocks
from adamlab.studies.store.files import DamageError
from adamlab.studies.store.folder import other_config
from adamlab.studies.store.location import Location
from adamlab.studies.store.provenance import changed_code, config_of
from adamlab.studies.store.root import read_root
from adamlab.studies.store.section import Section


class Entry(NamedTuple):
    """A section of the store, joined with the plan of its part.

    Attributes:
        section: the section.
        rows: the row of each of its runs in the plan; −1 where the run is not planned, is in another section, or will
            not be computed.
        done: for each of its runs, whether it is done and can be read.
    """

    section: Section
    rows: np.ndarray
    done: np.ndarray


@dataclass(frozen=True)
class Damage:
    """What of a store is not as it was written.

    Attributes:
        blocks: by the names of sections, the blocks that cannot be read.
        sections: the names of sections with another file that cannot be read, and why; none of their blocks counts.
        code: what is the user's own and has changed since, as "optimizer mine.cautious".
        outdated: the names of the sections that depend on it; nothing of them counts.
    """

    blocks: Mapping[str, Sequence[int]] = field(default_factory=dict)
    sections: Mapping[str, str] = field(default_factory=dict)
    code: frozenset[str] = frozenset()
    outdated: frozenset[str] = frozenset()


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
        damage: what of the store counts as not done.
    """

    def __init__(self, plans: Mapping[Key, Plan], blocks: Blocks | None, damage: Damage | None = None):
        self.plans, self.blocks, self.damage = plans, blocks, damage or Damage()
        self._entries: dict[Key, list[Entry]] = {}

    @classmethod
    def open(cls, study: Study, plans: Mapping[Key, Plan], location: Location) -> "Ledger":
        """Open the ledger of a study's first stage; the store is only read.

        Raises:
            StoreError: the store is of a config that differs by more than runs that were added or taken out, or of
                another format, or damaged at its root.
        """
        if location.kept is None:
            return cls(plans, None)
        root = read_root(location.kept)
        changed, blocks = differences(config_of(root), study.source), Blocks(location.kept, root)
        if "items" in root:
            raise other_config(location.kept.parent, changed)
        code = frozenset(changed_code(root, study.own_code))
        outdated = [section.name for section in _all(blocks) if code & _code_of(study, section)] if code else []
        ledger = cls(plans, blocks, Damage(code=code, outdated=frozenset(outdated)))
        if changed and not ledger.goes_on():
            raise other_config(location.kept.parent, [*changed, *ledger.hindrances()])
        return cls(plans, blocks, replace(ledger.damage, **_damage(study, plans, blocks)))

    def entries(self, key: Key) -> list[Entry]:
        """The stored sections of a plan's part and stage, in the order in which they were added; they are read once."""
        if key not in self._entries:
            plan = self.plans[key]
            sections = [] if self.blocks is None else self.blocks.sections(*key)
            known = [section for section in sections if section.stage == plan.stage and ids_of(section) is not None]
            self._entries[key] = _once([self._entry(section, plan) for section in known], len(plan))
        return self._entries[key]

    def _entry(self, section: Section, plan: Plan) -> Entry:
        return Entry(section, plan.rows_of(section.column("run_id")), self._done(section))

    def _done(self, section: Section) -> np.ndarray:
        """For each run of a section whether it is done and, as far as is known, can be read."""
        flags = np.zeros(section.sizes.count(len(section)), bool)
        if section.name not in {*self.damage.sections, *self.damage.outdated}:
            with suppress(DamageError):  # of what is not planned nothing was verified
                flags = section.done()
        flags[list(self.damage.blocks.get(section.name, ()))] = False
        return np.repeat(flags, section.block)[: len(section)]

    def goes_on(self) -> bool:
        """Whether the plans go on with what the store holds: of all that both have, and of something, some runs.

        Problems and optimizers can be added and taken out, and so can single runs. Where all runs of an optimizer on a
        problem are others, something else was changed. A new optimizer with runs of one that was taken out is that one
        under another label, which is refused, or with numbers compiled in that were swept, or the other way round,
        which is computed anew. Runs whose ids cannot be read tell nothing.
        """
        assert self.blocks is not None
        is_of_any = any(self._shared.values()) or bool(self._moved) or not self._stored
        return is_of_any and not self.hindrances()

    def hindrances(self) -> list[str]:
        """What stands in the way of going on with the store, by optimizer and problem."""
        assert self.blocks is not None
        apart = [self.plans[key] for key, is_shared in self._shared.items() if not is_shared]
        labels = self.blocks.attributes["labels"]
        before = [(plan, labels.get(section.part, plan.optimizer.label)) for section, plan in self._moved]
        return [
            *(f"{_named(plan)}: none of its runs is stored" for plan in apart),
            *(f'{_named(plan)}: its runs are stored as "{old}"' for plan, old in before if old != plan.optimizer.label),
        ]

    @property
    def _stored(self) -> list[Section]:
        """The stored sections of the first stage whose code has not changed."""
        assert self.blocks is not None
        return [s for s in _all(self.blocks) if s.stage == TUNING and s.name not in self.damage.outdated]

    @property
    def _shared(self) -> dict[Key, bool]:
        """Of what is both planned and stored, by its key, whether it has any runs in common."""
        shared: dict[Key, bool] = {}
        for section in self._stored:
            key = section.problem, section.part
            if key in self.plans and (ids := ids_of(section)) is not None:
                shared[key] = shared.get(key, False) or bool((self.plans[key].rows_of(ids) >= 0).any())
        return shared

    @property
    def _moved(self) -> list[tuple[Section, Plan]]:
        """The sections of parts that are not planned any more, with the new plans that have runs of theirs."""
        added = {key: plan for key, plan in self.plans.items() if key not in self._shared}
        gone = [section for section in self._stored if (section.problem, section.part) not in self.plans]
        pairs = [(s, plan) for s in gone for (problem, _), plan in added.items() if problem == s.problem]
        return [
            (section, plan)
            for section, plan in pairs
            if (ids := ids_of(section)) is not None and bool((plan.rows_of(ids) >= 0).any())
        ]

    def left_out(self) -> int:
        """The number of stored runs of this stage that are done and not planned."""
        assert self.blocks is not None
        stage = next(iter(self.plans.values())).stage
        left_out: dict[Key, set[int]] = {}
        for section in _all(self.blocks):
            if section.stage == stage and (ids := ids_of(section)) is not None:
                key = section.problem, section.part
                planned = self.plans[key].ids if key in self.plans else ids[:0]
                left_out.setdefault(key, set()).update(np.setdiff1d(ids[self._done(section)], planned).tolist())
        return sum(map(len, left_out.values()))

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
        sections = {} if self.blocks is None else {key: self.blocks.sections(*key) for key in self.plans}
        first = {key: [s for s in of if s.stage == self.plans[key].stage][:1] for key, of in sections.items()}
        return {key: section.sizes for key, of in first.items() for section in of}

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


def _code_of(study: Study, section: Section) -> frozenset[str]:
    """The names of what is the user's own that a section depends on."""
    problems = [problem for problem in study.problems if problem.name == section.problem]
    optimizers = [optimizer for optimizer in study.optimizers if part_of(optimizer) == section.part]
    code = [*map(study.own_problem, problems), *(own_code(optimizer.template) for optimizer in optimizers)]
    return frozenset(name for own in code for name in own)


def _damage(study: Study, plans: Mapping[Key, Plan], blocks: Blocks) -> dict[str, Any]:
    """The blocks and sections of plans that are not as they were written, as fields of `Damage`."""
    damaged, broken = {}, {}
    sizes = {problem.name: study.recording.sizes(problem) for problem in study.problems}
    for section in (section for key in plans for section in blocks.sections(*key)):
        try:
            section.verify(sizes.get(section.problem, {}))
            plan = plans.get((section.problem, section.part))
            if plan is not None and plan.stage == section.stage:
                _require_as_planned(section, plan)
        except DamageError as error:
            broken[section.name] = str(error)
        else:
            damaged[section.name] = section.damaged()
    return {"blocks": damaged, "sections": broken}


def _require_as_planned(section: Section, plan: Plan) -> None:
    """Require that what a section says of its runs is what their ids were made of, but for numbers of starts."""
    rows = plan.rows_of(section.column("run_id"))
    specs, planned = section.settings()[0], np.array(plan.optimizer.specs(), object)
    differs = (
        (specs[section.column("setting")] != planned[plan.setting[rows]])
        | (section.column("seed") != plan.seed[rows])
        | ((section.column("start") < 0) != (plan.start[rows] < 0))
    )
    if (differs & (rows >= 0)).any():
        raise DamageError(f"{section.name}: its settings, seeds or starts are not those of its runs")


def _named(plan: Plan) -> str:
    return f"{plan.optimizer.label} on {plan.problem.name}"


def _all(blocks: Blocks) -> list[Section]:
    problems = dict.fromkeys([*blocks.attributes["problems"], *blocks.attributes["metadata"]])
    return [section for problem in problems for section in blocks.sections(problem)]


def _once(entries: Sequence[Entry], count: int) -> list[Entry]:
    """The entries with each of the planned runs in one section, and with what is left over of others dropped.

    Of a section some of whose runs are not planned, or are in another, what was computed is kept, and the rest, which
    could not be computed without these, is dropped.
    """
    owner = np.full(count, -1)
    for i, (_, rows, done) in enumerate(entries):
        own = rows[done & (rows >= 0)]
        owner[own[owner[own] < 0]] = i
    once = []
    for i, (section, rows, done) in enumerate(entries):
        is_free = (rows >= 0) & ((owner[rows] == i) | ((owner[rows] < 0) & ~done))
        kept = rows if is_free.all() else np.where(is_free & done, rows, -1)
        owner[kept[kept >= 0]] = i
        once.append(Entry(section, kept, done))
    return once


def ids_of(section: Section) -> np.ndarray | None:
    """The ids of a section's runs; None where they cannot be read."""
    try:
        return section.column("run_id")
    except DamageError:
        return None
