"""The ledger, against sets of run ids that are written down while sections are added to a store."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from adamlab.analysis.rows import EVALUATION
from adamlab.plots import PLOTS_OF
from adamlab.studies.config.runs import read_study
from adamlab.studies.config.study import Study
from adamlab.studies.engine.block_sizes import Sizes
from adamlab.studies.engine.program import Program
from adamlab.studies.plan import Key, Plan, part_of, plan, plans_of
from adamlab.studies.store.blocks import Blocks
from adamlab.studies.store.section import Section
from adamlab.studies.sweep.ledger import Damage, Ledger

PROBLEMS = ("beale", "quadratic")


def study(seeds: int = 5, rates: Sequence[float] = (0.1, 0.2), problems: Iterable[str] = PROBLEMS, **keys: Any):
    """A study of one optimizer; with the defaults ten runs on each of two problems."""
    optimizer = {"name": "optax.sgd", "learning_rate": [*rates], "label": "sgd"}
    data = {"name": "ledger", "steps": 3, "seeds": seeds, "problem": [{"name": name} for name in problems]}
    return read_study(data | {"optimizer": [optimizer]} | keys, PLOTS_OF["runs"])


def key_of(study: Study, problem: str) -> Key:
    return problem, part_of(study.optimizers[0])


class Book:
    """A store in memory, and for every run that was written to it the id: the oracle, which knows no plans or rows."""

    def __init__(self):
        self.blocks = Blocks.create(None, {"problems": [*PROBLEMS], "labels": {}})
        self.stored: set[int] = set()
        self.done: set[int] = set()

    def add(self, key: Key, runs: Plan, done: Iterable[int] = (), size: int = 3) -> Section:
        """Add a section of these runs in blocks of that size, and write some of its blocks."""
        shapes = {"loss": jax.ShapeDtypeStruct((1,), np.dtype("float32"))}
        lowered = jax.jit(lambda x: x).lower(0.0)
        program = Program([lowered], [], Sizes(size, size), shapes, steps=np.array([0]), carry=None, stride=1)
        self.blocks.attributes["labels"][key[1]] = runs.optimizer.label
        section = self.blocks.add(key[1], runs, program, np.arange(len(runs)))
        ids = runs.ids.tolist()
        self.stored |= {*ids}
        for block in done:
            written = ids[block * size : (block + 1) * size]
            section.write(block, {"loss": np.zeros((1, len(written)), np.float32)})
            self.done |= {*written}
        return section

    def damage(self, section: Section, block: int):
        """Note that a block cannot be read."""
        size = section.block
        self.done -= {*section.column("run_id").tolist()[block * size : (block + 1) * size]}


def ids(plan: Plan, rows: np.ndarray) -> list[int]:
    return plan.ids[rows].tolist()


def unfinished(ledger: Ledger) -> dict[Key, set[int]]:
    return {key: {*remaining.ids.tolist()} for key, remaining in ledger.unfinished().items()}


def entries(ledger: Ledger, key: Key) -> list[list[tuple[int, bool]]]:
    """For each section, the row in the plan and the mark of each run."""
    return [[*zip(rows.tolist(), done.tolist(), strict=True)] for _, rows, done in ledger.entries(key)]


def pending(ledger: Ledger, todo: Any = None) -> list[tuple[str, int]]:
    return [(section.name, block) for _, section, block in ledger.pending(todo)]


def test_without_a_store_all_runs_are_missing_and_none_is_pending():
    plans = plans_of(study())
    ledger = Ledger(plans, None)
    assert {key: len(remaining) for key, remaining in ledger.unfinished().items()} == dict.fromkeys(plans, 10)
    for key, planned in plans.items():
        assert ledger.entries(key) == []
        assert ids(planned, ledger.missing(key)) == planned.ids.tolist()
    assert ledger.pending() == []
    assert ledger.sizes() == {}


def test_runs_are_joined_by_their_ids_wherever_they_are_stored():
    """Random sections and blocks; runs are in any order, and some stand twice, as in the padding of shared batches."""
    plans = plans_of(study())
    choice = random.Random(3)
    for _ in range(4):
        book, waiting = Book(), {key: [] for key in plans}
        for key, planned in plans.items():
            order = choice.sample(range(10), 9)  # a run of each plan is in no section
            for rows in (order[:5], order[5:]):
                padded = np.array([*rows, choice.choice(rows)])
                size = choice.choice([1, 2, 4])
                count = -(-len(padded) // size)
                blocks = choice.sample(range(count), choice.randint(0, count))
                section = book.add(key, planned.take(padded), blocks, size)
                waiting[key] += [(section.name, block) for block in range(count) if block not in blocks]
        ledger = Ledger(plans, book.blocks)
        expected = {key: {*planned.ids.tolist()} - book.done for key, planned in plans.items()}
        assert unfinished(ledger) == {key: remaining for key, remaining in expected.items() if remaining}
        assert pending(ledger) == [work for key in plans for work in waiting[key]]
        for key, planned in plans.items():
            assert {*ids(planned, ledger.missing(key))} == {*planned.ids.tolist()} - book.stored
            for section, rows, done in ledger.entries(key):
                assert ids(planned, rows) == section.column("run_id").tolist()
                known = zip(section.column("run_id").tolist(), done.tolist(), strict=True)
                assert all(run in book.done for run, is_done in known if is_done)
        assert ledger.goes_on()


def test_nothing_is_left_of_a_study_that_is_done():
    plans, book = plans_of(study()), Book()
    for key, planned in plans.items():
        book.add(key, planned, range(4))
    ledger = Ledger(plans, book.blocks)
    assert (ledger.unfinished(), ledger.pending()) == ({}, [])
    assert all(ledger.missing(key).size == 0 for key in plans)


def test_a_damaged_block_counts_as_not_done_and_its_runs_are_not_missing():
    plans, book = plans_of(study()), Book()
    key, other = plans
    damaged = book.add(key, plans[key], range(4))
    book.add(other, plans[other], range(4))
    book.damage(damaged, 1)
    ledger = Ledger(plans, book.blocks, Damage({damaged.name: [1]}))
    assert unfinished(ledger) == {key: {*plans[key].ids.tolist()} - book.done}
    assert len(unfinished(ledger)[key]) == 3
    assert ledger.missing(key).size == 0
    assert [done for _, done in entries(ledger, key)[0]] == [True] * 3 + [False] * 3 + [True] * 4
    assert ledger.goes_on()


def evaluated(of: Study, seeds: Iterable[int]) -> dict[Key, Plan]:
    """The plan of an evaluation of the first setting on one problem."""
    key = key_of(of, "beale")
    return {key: plan(of, of.problems[0], of.optimizers[0], stage=EVALUATION, seeds=[*seeds], settings=[0])}


def test_of_a_leftover_evaluation_what_was_computed_is_kept_and_the_rest_is_dropped():
    """The section is of seeds 3 to 8; now seeds 4 to 9 are planned. Blocks of two, the middle one not done."""
    of, book = study(), Book()
    key = key_of(of, "beale")
    section = book.add(key, evaluated(of, range(3, 9))[key], done=[0, 2], size=2)
    plans = evaluated(of, range(4, 10))
    ledger = Ledger(plans, book.blocks)
    assert entries(ledger, key) == [[(-1, True), (0, True), (-1, False), (-1, False), (3, True), (4, True)]]
    assert plans[key].seed[ledger.missing(key)].tolist() == [5, 6, 9]
    assert ledger.unfinished()[key].seed.tolist() == [5, 6, 9]
    assert pending(ledger) == []
    # The same section, were it all planned, would be completed where it is.
    same = Ledger(evaluated(of, range(3, 9)), book.blocks)
    assert pending(same) == [(section.name, 1)]
    assert same.missing(key).size == 0


def test_stages_are_apart():
    """A ledger sees the sections of its own stage alone."""
    of, book = study(), Book()
    (key, planned), (other, elsewhere) = plans_of(of).items()
    tuning, evaluation = {key: planned}, evaluated(of, range(7, 9))
    book.add(key, tuning[key], range(4))
    book.add(key, evaluation[key])
    assert Ledger(tuning, book.blocks).unfinished() == {}
    assert [len(section) for section, _, _ in Ledger(tuning, book.blocks).entries(key)] == [10]
    assert unfinished(Ledger(evaluation, book.blocks)) == {key: {*evaluation[key].ids.tolist()}}
    assert [len(section) for section, _, _ in Ledger(evaluation, book.blocks).entries(key)] == [2]
    book.add(other, replace(elsewhere, stage=EVALUATION))
    assert Ledger(tuning, book.blocks).goes_on()  # whatever was evaluated


@pytest.mark.parametrize(
    ("change", "goes_on"),
    [
        ({}, True),
        ({"seeds": 6}, True),
        ({"rates": (0.05, 0.1, 0.2)}, True),
        ({"problems": ("quadratic", "beale", "branin")}, True),
        ({"seeds": 4}, True),
        ({"rates": (0.1, 0.3)}, True),
        ({"problems": ("beale",)}, True),
        ({"problems": ("branin", "beale"), "seeds": 2}, True),
        ({"problems": ("branin",)}, False),
        ({"rates": (0.3, 0.4)}, False),
        ({"steps": 4}, False),
        ({"dtype": "float64"}, False),
    ],
)
@pytest.mark.parametrize("done", [(), (0, 1, 2, 3)], ids=["nothing done", "all done"])
def test_a_study_goes_on_with_a_store_that_has_runs_of_all_that_both_have(change, goes_on, done):
    first, second, book = plans_of(study()), plans_of(study(**change)), Book()
    for key, planned in first.items():
        book.add(key, planned, done)
    ledger = Ledger(second, book.blocks)
    assert ledger.goes_on() is goes_on
    planned = {run for plan in second.values() for run in plan.ids.tolist()}
    assert ledger.left_out() == len(book.done - planned)
    if goes_on:
        sections = [{*plan.ids.tolist()} for plan in first.values()]
        # What is not done of a section of which runs were taken out cannot be computed without these.
        kept = {run for section in sections if done or section <= planned for run in section}
        assert {run for key in second for run in ids(second[key], ledger.missing(key))} == planned - kept


def test_an_optimizer_under_another_label_is_neither_added_nor_taken_out():
    """Unless it was there under both: then one of them is taken out."""
    book = Book()
    labelled = {label: {"name": "optax.sgd", "learning_rate": [0.1, 0.2], "label": label} for label in ("sgd", "SGD")}
    other = {"name": "optax.adam", "learning_rate": [0.1, 0.2]}
    for key, planned in plans_of(study(optimizer=[labelled["sgd"], other])).items():
        book.add(key, planned, range(4))
    ledger = Ledger(plans_of(study(optimizer=[labelled["SGD"], other])), book.blocks)
    assert not ledger.goes_on()
    assert ledger.hindrances() == [f'SGD on {problem}: its runs are stored as "sgd"' for problem in PROBLEMS]
    assert ledger.left_out() == 20
    both = Ledger(plans_of(study(optimizer=[*labelled.values(), other])), book.blocks)
    assert both.goes_on()
    for key in [key for key in both.plans if not both.entries(key)]:
        book.add(key, both.plans[key], range(4))
    assert ledger.goes_on()


def test_an_optimizer_that_was_left_out_comes_back_under_another_label():
    book, others = Book(), [{"name": "optax.sgd", "learning_rate": [0.1, 0.2], "label": "SGD"}]
    others += [{"name": "optax.adam", "learning_rate": [0.1, 0.2]}]
    for key, planned in {**plans_of(study()), **plans_of(study(optimizer=others[1:]))}.items():
        book.add(key, planned)
    again = Ledger(plans_of(study(optimizer=others)), book.blocks)
    assert not again.goes_on()
    del book.blocks.attributes["labels"][key_of(study(), "beale")[1]]
    assert again.goes_on()


@pytest.mark.parametrize(("before", "after"), [((0.1, 0.2), (0.2,)), ((0.2,), (0.1, 0.2))])
def test_a_number_that_is_compiled_in_after_it_was_swept_or_before_is_computed_anew(before, after):
    book, plans = Book(), plans_of(study(rates=after))
    for key, planned in plans_of(study(rates=before)).items():
        book.add(key, planned, range(4))
    ledger = Ledger(plans, book.blocks)
    assert ledger.goes_on()
    assert ledger.unfinished().keys() == plans.keys()
    assert not Ledger(plans_of(study(rates=after, steps=4)), book.blocks).goes_on()


def test_an_option_of_one_problem_among_several_that_was_changed_is_no_addition():
    book, changed = Book(), study(problem=[{"name": "beale"}, {"name": "quadratic", "condition": 7.0}])
    for key, planned in plans_of(study()).items():
        book.add(key, planned)
    ledger = Ledger(plans_of(changed), book.blocks)
    assert not ledger.goes_on()
    assert ledger.hindrances() == ["sgd on quadratic: none of its runs is stored"]


def test_runs_that_were_taken_out_and_come_back_stand_in_one_section_each():
    """Seeds 0 to 4 of a setting, in blocks of two, the first done; then seeds 0 to 2 alone; then all again."""
    book, (key, few) = Book(), next(iter(plans_of(study(seeds=3)).items()))
    whole = plans_of(study())[key]
    first = book.add(key, whole.take(np.arange(5)), done=[0], size=2)
    ledger = Ledger({key: few.take(np.arange(3))}, book.blocks)
    assert entries(ledger, key) == [[(0, True), (1, True), (-1, False), (-1, False), (-1, False)]]
    second = book.add(key, few.take(ledger.missing(key)), done=[0])
    planned = {key: whole.take(np.arange(5))}
    again = Ledger(planned, book.blocks)
    assert entries(again, key) == [[(0, True), (1, True), (-1, False), (-1, False), (-1, False)], [(2, True)]]
    third = book.add(key, planned[key].take(again.missing(key)))
    last = Ledger(planned, book.blocks)
    assert [rows for section in entries(last, key) for rows, _ in section] == [0, 1, -1, -1, -1, 2, 3, 4]
    assert (last.missing(key).size, pending(last)) == (0, [(third.name, 0)])
    assert [first.name, second.name] != [third.name]


def test_blocks_are_pending_in_the_order_of_plans_sections_and_numbers():
    plans, book = plans_of(study()), Book()
    first, second = plans
    late = book.add(second, plans[second].take(np.arange(5)), size=2)
    early = book.add(first, plans[first].take(np.arange(5)), done=[1], size=2)
    later = book.add(second, plans[second].take(np.arange(5, 10)), done=[0], size=2)
    ledger = Ledger(plans, book.blocks)
    expected = [(early.name, 0), (early.name, 2), *((late.name, block) for block in range(3))]
    assert pending(ledger) == [*expected, (later.name, 1), (later.name, 2)]
    # A settled list is kept even where a block of it was done since.
    assert pending(ledger, {later.name: [0, 2], early.name: [1]}) == [(early.name, 1), (later.name, 0), (later.name, 2)]


def test_the_first_section_of_a_part_settles_the_sizes():
    plans, book = plans_of(study()), Book()
    key, _ = plans
    book.add(key, plans[key].take(np.arange(4)), size=2)
    book.add(key, plans[key].take(np.arange(4, 10)), size=3)
    assert Ledger(plans, book.blocks).sizes() == {key: Sizes(2, 2)}


def test_the_runs_of_a_section_are_those_of_its_ids():
    plans, book = plans_of(study()), Book()
    key, _ = plans
    rows = [7, 1, 1, 4]  # seeds are fastest: 0.2 at seed 2, 0.1 at seed 1 twice, 0.1 at seed 4
    section = book.add(key, plans[key].take(np.array(rows)))
    runs = Ledger(plans, book.blocks).runs(key, section)
    assert runs.seeds.tolist() == [2, 1, 1, 4]
    assert [values.tolist() for values in runs.numbers.values()] == [[0.2, 0.1, 0.1, 0.1]]
