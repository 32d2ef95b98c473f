"""The run of a study: stored runs are kept, and missing ones are computed."""

import os
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
import xarray as xr

from adamlab.analysis.rows import EVALUATION, TUNING
from adamlab.studies import distributed
from adamlab.studies.config.diff import differences
from adamlab.studies.config.study import Study
from adamlab.studies.engine.block_sizes import Sizes, grouped_by_seed
from adamlab.studies.engine.program import Program
from adamlab.studies.options import RunOptions
from adamlab.studies.plan import Key, evaluation_plans, part_of, plans_of
from adamlab.studies.progress import Listener
from adamlab.studies.store.blocks import Blocks
from adamlab.studies.store.checkpoints import clear_checkpoints
from adamlab.studies.store.dataset import dataset, is_metadata_of, problem_metadata, tree_of
from adamlab.studies.store.files import DamageError
from adamlab.studies.store.folder import RESUME, already_done, left_out, remove_links, replace_store, writing
from adamlab.studies.store.location import Location
from adamlab.studies.store.locks import locked_folder
from adamlab.studies.store.provenance import changed_code, changed_versions, config_of, note_on_code, provenance
from adamlab.studies.store.root import restore_root
from adamlab.studies.sweep.ledger import Ledger, ids_of
from adamlab.studies.sweep.programs import Programs, lower
from adamlab.studies.sweep.worker import Worker
from adamlab.types import Problem


def run_study(study: Study, where: str, location: Location, options: RunOptions, listener: Listener) -> xr.DataTree:
    """Compute the runs that are not done, and return all results, a dataset for each problem.

    Args:
        study: the study.
        where: the config's file, for messages.
        location: where the results are kept.
        options: the options of the run.
        listener: receives the progress.

    Raises:
        ConfigError: with every optimizer that cannot run on a problem; nothing has been written.
        StoreError: the folder holds other results, cannot be read or written, or is locked by another run.
    """
    steps = study.head.steps
    with jax.enable_x64(study.head.dtype == "float64"):
        devices, use_all = distributed.devices(options.devices), options.devices is not None
        plans = plans_of(study)
        with locked_folder(location.folder), _compilers() as pool:
            _restore_root(location, listener)
            ledger = Ledger.open(study, plans, location)
            distributed.wait_for_all("the store is read")
            programs = Programs(pool)
            programs.update(
                lower(study, ledger, where, devices, use_all=use_all)
            )  # every mistake shows here, ahead of any writing
            blocks = _open_store(study, location, ledger, listener)
            worker = Worker(blocks, location, programs, listener)
            damage = ledger.damage
            _add_sections(study, Ledger(plans, blocks, damage), programs, location, listener)
            runs = worker.compute(Ledger(plans, blocks), steps)
            if study.evaluation is not None:
                labels = blocks.attributes["labels"]
                plans = evaluation_plans(study, lambda problem: dataset(blocks, problem, labels, [TUNING]))
                settled = Ledger(plans, blocks, damage).sizes()
                lacking = {
                    key: plan
                    for key, plan in plans.items()
                    if key not in programs or not _evaluates(programs[key], settled.get(key))
                }
                programs.update(lower(study, Ledger(lacking, blocks, damage), where, devices, use_all=use_all))
                _add_sections(study, Ledger(plans, blocks, damage), programs, location, listener)
                worker.compute(Ledger(plans, blocks), steps)
            elif not runs and location.folder is not None:
                listener.note(already_done(location.folder))
            if location.folder is not None and distributed.is_first():
                clear_checkpoints(location.folder)
            return tree_of(blocks)


def _evaluates(program: Program, settled: Sizes | None) -> bool:
    """Whether a program of the first stage computes the runs of an evaluation, too.

    Few settings with many seeds share no batches, and the store may have settled other block sizes for them.
    """
    return not program.sizes.shared and settled in (None, program.sizes)


@contextmanager
def _compilers() -> Iterator[ThreadPoolExecutor]:
    """Threads for compiling; a run that is stopped does not wait for them."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _restore_root(location: Location, listener: Listener):
    """Put back a damaged root, if there is a copy of it."""
    if location.kept is not None and distributed.is_first():
        with writing(location.folder):
            if restore_root(location.kept):
                listener.note(f"{location.kept} was damaged where it says what it holds; its copy has been put back.")
    distributed.wait_for_all("the root is read")


def _open_store(study: Study, location: Location, ledger: Ledger, listener: Listener) -> Blocks:
    """The store, open for writing; process 0 creates or updates it."""
    with writing(location.folder):
        blocks = _write_store(study, location, ledger, listener) if distributed.is_first() else None
    distributed.wait_for_all("the store is there")
    return blocks or Blocks.open(location.shared_path)


def _write_store(study: Study, location: Location, ledger: Ledger, listener: Listener) -> Blocks:
    attributes = {
        "problems": [problem.name for problem in study.problems],
        "by": study.by,
        "labels": {part_of(optimizer): optimizer.label for optimizer in study.optimizers},
        "left_out": {},
        **provenance(study.source, study.own_code),
    }
    if location.path is None:
        return Blocks.create(None, attributes)
    if ledger.blocks is None:
        clear_checkpoints(location.path.parent)
        replace_store(location.path, lambda path: Blocks.create(path, attributes))
        return Blocks.open(location.path)
    remove_links(location.path)
    blocks = ledger.blocks
    if note := changed_versions(blocks.attributes):
        listener.note(note)
    code = changed_code(blocks.attributes, study.own_code)
    if code:
        listener.note(note_on_code(code))
    _note_on_left_out(study, attributes, ledger, listener)
    stored = {section.part for problem in blocks.attributes["metadata"] for section in blocks.sections(problem)}
    labels = {**blocks.attributes.get("left_out", {}), **blocks.attributes["labels"]}
    attributes["left_out"] = {part: labels[part] for part in sorted(stored - {*attributes["labels"]})}
    attributes["own_code"] = {**blocks.attributes.get("own_code", {}), **attributes["own_code"]}
    # They are written with the sections that are added.
    names = ("problems", "labels", "left_out", "by", "config", "own_code", "adamlab_format")
    blocks.attributes.update({name: attributes[name] for name in names})
    for name in ledger.damage.outdated:
        section = blocks.section(name)
        if (section.problem, section.part) not in ledger.plans:
            blocks.drop(section)
    for problem in attributes["problems"]:
        for section in blocks.sections(problem):
            is_unwanted = study.evaluation is None and section.stage == EVALUATION
            if section.name in ledger.damage.sections:
                listener.note(f"{ledger.damage.sections[section.name]}; it is written anew, from the config.")
                if is_unwanted:
                    blocks.drop(section)
            elif is_unwanted:
                blocks.set_order(section, np.full(len(section), -1))
            for block in ledger.damage.blocks.get(section.name, ()):
                section.invalidate(block)
                listener.note(f"block {block} of {section.name} is damaged; it is computed anew.")
    return blocks


def _note_on_left_out(study: Study, attributes: Mapping[str, Any], ledger: Ledger, listener: Listener):
    """Tell what a changed config does not ask for any more, and where that is."""
    assert ledger.blocks is not None
    assert ledger.blocks.path is not None
    before = ledger.blocks.attributes
    if differences(config_of(before), study.source) and (count := ledger.left_out()):
        asked_for = {*attributes["labels"], *attributes["labels"].values()}
        labels = [label for part, label in before["labels"].items() if not {part, label} & asked_for]
        names = [*(name for name in before["problems"] if name not in attributes["problems"]), *labels]
        listener.note(left_out(ledger.blocks.path.parent, f"{count:,} runs", names))


def _add_sections(study: Study, ledger: Ledger, programs: Programs, location: Location, listener: Listener):
    """Add a section for the runs that are in none, and set the order of all runs; process 0 writes, the others wait."""
    blocks = ledger.blocks
    assert blocks is not None
    if distributed.is_first():
        with writing(location.folder, RESUME):
            for problem in study.problems:
                _add_metadata(study, problem, blocks, listener, ledger.damage.code & study.own_problem(problem).keys())
                offset = 0
                for optimizer in study.optimizers:
                    key = problem.name, part_of(optimizer)
                    _add_section(ledger, blocks, key, programs, offset)
                    offset += len(ledger.plans[key])
            blocks.update_attributes({})
    stage = next(iter(ledger.plans.values())).stage
    distributed.wait_for_all(f"the store is ready for {stage}")
    if not distributed.is_first():
        blocks.refresh()


def _add_metadata(study: Study, problem: Problem, blocks: Blocks, listener: Listener, changed: Collection[str]):
    if problem.name in blocks.attributes["metadata"] and not changed:
        try:
            if is_metadata_of(blocks.metadata(problem.name), study, problem):
                return
        except DamageError as error:
            listener.note(f"{error}; it is written anew, from the config.")
    blocks.set_metadata(problem.name, problem_metadata(study, problem))


def _add_section(ledger: Ledger, blocks: Blocks, key: Key, programs: Programs, offset: int):
    plan, part = ledger.plans[key], key[1]
    offset += 2**40 * (plan.stage == EVALUATION)  # the second stage stands behind the first, however large that grows
    missing = ledger.missing(key)
    for section in blocks.sections(*key):
        if section.stage == plan.stage and ids_of(section) is None:
            blocks.drop(section)  # here, where its runs are added: what is left of a dropped folder goes otherwise
    for section, rows, _ in ledger.entries(key):
        is_first = np.isin(np.arange(len(rows)), np.unique(section.column("run_id"), return_index=True)[1])
        order = np.where(is_first & (rows >= 0), rows + offset, -1)
        if section.name in ledger.damage.outdated:
            blocks.drop(section)
        elif section.name not in ledger.damage.sections:
            blocks.set_order(section, order)
            section.renumber_starts(np.where(rows >= 0, plan.start[rows], -1))
        elif (rows >= 0).all():
            blocks.add(part, plan.take(rows), programs[key], order, section.number)
        else:
            blocks.drop(section)
    if len(missing):
        program, is_first = programs[key], np.ones(len(missing), bool)
        if program.sizes.shared:
            rows, is_first = grouped_by_seed(plan.seed[missing], program.sizes.at_a_time)
            missing = missing[rows]
        blocks.add(part, plan.take(missing), program, np.where(is_first, missing + offset, -1))
