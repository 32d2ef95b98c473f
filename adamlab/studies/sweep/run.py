"""The run of a study: stored runs are kept, and missing ones are computed."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import jax
import numpy as np
import xarray as xr

from adamlab.analysis.rows import EVALUATION
from adamlab.studies import distributed
from adamlab.studies.config.study import Study
from adamlab.studies.engine.block_sizes import grouped_by_seed
from adamlab.studies.options import RunOptions
from adamlab.studies.plan import Key, evaluation_plans, part_of, plans_of
from adamlab.studies.progress import Listener
from adamlab.studies.store.blocks import Blocks
from adamlab.studies.store.checkpoints import clear_checkpoints
from adamlab.studies.store.dataset import dataset, problem_metadata, tree_of
from adamlab.studies.store.folder import already_done, replace_store, writing
from adamlab.studies.store.location import Location
from adamlab.studies.store.locks import locked_folder
from adamlab.studies.store.provenance import changed_versions, provenance
from adamlab.studies.sweep.ledger import Ledger
from adamlab.studies.sweep.programs import Programs, lower
from adamlab.studies.sweep.worker import RESUME, Worker


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
        devices = distributed.devices(options.devices)
        plans = plans_of(study)
        with locked_folder(location.folder), _compilers() as pool:
            ledger = Ledger.open(study, plans, location)
            programs = Programs(pool)
            programs.update(lower(study, ledger, where, devices))  # every mistake shows here, ahead of any writing
            blocks = _open_store(study, location, ledger, listener)
            worker = Worker(blocks, location, programs, listener)
            _add_sections(study, Ledger(plans, blocks), programs, location)
            runs = worker.compute(Ledger(plans, blocks), steps)
            if study.evaluation is not None:
                labels = blocks.attributes["labels"]
                plans = evaluation_plans(study, lambda problem: dataset(blocks, problem, labels))
                # Few settings with many seeds share no batches, unlike the programs of the first stage.
                lacking = {k: p for k, p in plans.items() if k not in programs or programs[k].sizes.shared}
                programs.update(lower(study, Ledger(lacking, blocks), where, devices))
                _add_sections(study, Ledger(plans, blocks), programs, location)
                worker.compute(Ledger(plans, blocks), steps)
            elif not runs and location.folder is not None:
                listener.note(already_done(location.folder))
            return tree_of(blocks)


@contextmanager
def _compilers() -> Iterator[ThreadPoolExecutor]:
    """Threads for compiling; a run that is stopped does not wait for them."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _open_store(study: Study, location: Location, ledger: Ledger, listener: Listener) -> Blocks:
    """The store, open for writing; process 0 creates or updates it."""
    blocks = _write_store(study, location, ledger, listener) if distributed.is_first() else None
    distributed.wait_for_all("the store is there")
    return blocks or Blocks.open(location.shared_path, "r+")


def _write_store(study: Study, location: Location, ledger: Ledger, listener: Listener) -> Blocks:
    attributes = {
        "problems": [problem.name for problem in study.problems],
        "by": None if study.evaluation is None else study.evaluation.by,
        "labels": {part_of(optimizer): optimizer.label for optimizer in study.optimizers},
        **provenance(study.source),
    }
    if location.path is None:
        return Blocks.create(None, attributes)
    if ledger.blocks is None:
        clear_checkpoints(location.path.parent)
        replace_store(location.path, lambda path: Blocks.create(path, attributes))
        return Blocks.open(location.path, "r+")
    blocks = Blocks.open(location.path, "r+")
    if note := changed_versions(blocks.attributes):
        listener.note(note)
    blocks.update_attributes({name: attributes[name] for name in ("problems", "labels", "by", "config")})
    for name in attributes["problems"]:
        for section in blocks.sections(name):
            if study.evaluation is None and section.stage == EVALUATION:
                section.set_order(np.full(len(section), -1))
            for block in ledger.damaged.get(section.name, ()):
                section.invalidate(block)
                listener.note(f"block {block} of {section.name} is damaged; it is computed anew.")
    return blocks


def _add_sections(study: Study, ledger: Ledger, programs: Programs, location: Location):
    """Add a section for the runs that are in none, and set the order of all runs; process 0 writes, the others wait."""
    if distributed.is_first():
        with writing(location.folder, RESUME):
            assert ledger.blocks is not None
            for problem in study.problems:
                ledger.blocks.create_group(problem.name, problem_metadata(study, problem))
            for problem in study.problems:
                offset = 0
                for optimizer in study.optimizers:
                    key = problem.name, part_of(optimizer)
                    _add_section(ledger, key, programs, offset)
                    offset += len(ledger.plans[key])
    stage = next(iter(ledger.plans.values())).stage
    distributed.wait_for_all(f"the store is ready for {stage}")


def _add_section(ledger: Ledger, key: Key, programs: Programs, offset: int):
    plan, blocks = ledger.plans[key], ledger.blocks
    assert blocks is not None
    offset += 2**40 * (plan.stage == EVALUATION)  # the second stage stands behind the first, however large that grows
    missing = ledger.missing(key)
    for section, rows, _ in ledger.entries(key):
        ids = section.column("run_id")
        is_first = np.isin(np.arange(len(ids)), np.unique(ids, return_index=True)[1])
        section.set_order(np.where(is_first & (rows >= 0), rows + offset, -1))
    if len(missing):
        program, is_first = programs[key], np.ones(len(missing), bool)
        if program.sizes.shared:
            rows, is_first = grouped_by_seed(plan.seed[missing])
            missing = missing[rows]
        blocks.add(key[1], plan.take(missing), program, np.where(is_first, missing + offset, -1))
