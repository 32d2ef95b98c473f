"""A study is run: in its folder what is there is kept, and what is not is computed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from adamlab.studies import machines, store
from adamlab.studies.blocks import Blocks
from adamlab.studies.dataset import tree_of
from adamlab.studies.holding import held
from adamlab.studies.listening import Listener
from adamlab.studies.place import Place
from adamlab.studies.planning import STAGES, part_of
from adamlab.studies.programs import plans_of, prepared
from adamlab.studies.study import Study
from adamlab.studies.there import There, store_there, unfinished
from adamlab.studies.working import Worker


def run_study(study: Study, where: str, place: Place, listener: Listener) -> xr.DataTree:
    """Runs what has not been run yet; a dataset for each problem, as `adamlab.studies.dataset.dataset` has it.

    Raises:
        ConfigError: with every optimizer that cannot run on a problem; nothing has been written.
        StoreError: the folder holds other results, or cannot be read or written, or another run holds it.
    """
    with jax.enable_x64(study.dtype == "float64"):
        devices = machines.devices(place.devices)
        plans = plans_of(study)
        with held(place), _compilers() as pool:
            there = store_there(study, plans, place)
            left = unfinished(plans, there)
            programs = prepared(study, left, where, devices, there.sizes(left) if there else {})
            blocks = _store(study, place, there, listener)
            Worker(study, place, listener, pool, programs, blocks).all(plans, devices, where)
            return tree_of(blocks)


@contextmanager
def _compilers() -> Iterator[ThreadPoolExecutor]:
    """Threads that compile; whoever stops the run does not wait for them."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _store(study: Study, place: Place, there: There | None, listener: Listener) -> Blocks:
    """The store, ready to be written; the first process makes it."""
    made = _made(study, place, there, listener) if machines.is_first() else None
    machines.together("the store is there")
    return made or Blocks.open(place.shared_path, "r+")


def _made(study: Study, place: Place, there: There | None, listener: Listener) -> Blocks:
    attributes = {
        "problems": [problem.name for problem in study.problems],
        "by": None if study.evaluation is None else study.evaluation.by,
        "labels": {part_of(optimizer): optimizer.label for optimizer in study.optimizers},
        **store.attributes(study.source),
    }
    if place.path is None:
        return Blocks.create(None, attributes)
    if there is None:
        return _new(place.path, attributes)
    blocks = Blocks.open(place.path, "r+")
    _note_versions(blocks, listener)
    blocks.say({name: attributes[name] for name in ("problems", "labels", "by", "config")})
    for name in attributes["problems"]:
        for section in blocks.sections(name):
            if study.evaluation is None and section.stage == STAGES[1]:
                section.reorder(np.full(len(section), -1))
            for block in there.damaged.get(section.name, ()):
                section.forget(block)
                listener.note(f"block {block} of {section.name} is damaged; it is computed anew.")
    return blocks


def _new(path: Path, attributes: dict[str, Any]) -> Blocks:
    """A new store in the place of what is there; made and unmade aside, so that a kill leaves a whole one or none."""
    for left in path.parent.glob(".adamlab-aside-*"):
        shutil.rmtree(left)
    aside = Path(tempfile.mkdtemp(prefix=".adamlab-aside-", dir=path.parent))
    Blocks.create(aside / "new", attributes)
    if path.exists():
        path.rename(aside / "old")
    (aside / "new").rename(path)
    shutil.rmtree(aside)
    return Blocks.open(path, "r+")


def _note_versions(blocks: Blocks, listener: Listener):
    before, now = blocks.attributes["versions"], store.versions()
    changed = [f"{name} {before.get(name)} → {now[name]}" for name in now if before.get(name) != now[name]]
    if changed:
        listener.note(f"Begun with other versions: {', '.join(changed)}. What was done then is kept as it is.")
