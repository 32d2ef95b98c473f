"""A study is run: in its folder what is there is kept, and what is not is computed."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import jax
import numpy as np
import xarray as xr

from adamlab.studies import machines, store
from adamlab.studies.blocks import Blocks
from adamlab.studies.dataset import tree_of
from adamlab.studies.listening import Listener
from adamlab.studies.locking import LockedError, locked
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
        there = store_there(study, plans, place)
        left = unfinished(plans, there)
        programs = prepared(study, left, where, devices, there.sizes(left) if there else {})
        with ThreadPoolExecutor(os.cpu_count()) as pool, _held(place):
            blocks = _store(study, place, there, listener)
            Worker(study, place, listener, pool, programs, blocks).all(plans, devices, where)
            return tree_of(blocks)


@contextmanager
def _held(place: Place) -> Iterator[None]:
    """Holds the folder, where there is one."""
    with ExitStack() as held:
        if place.folder is not None:
            store.make_folder(place.folder)
            try:
                if jax.process_index() == 0:
                    held.enter_context(locked(place.folder, 0))
                machines.together("the folder is held")
                if jax.process_index() > 0:
                    held.enter_context(locked(place.folder, jax.process_index()))
            except LockedError as error:
                raise store.StoreError(
                    f"{place.folder} is being written by another run ({error}). Wait for it, or choose another folder "
                    "with --out."
                ) from error
        yield


def _store(study: Study, place: Place, there: There | None, listener: Listener) -> Blocks:
    """The store, ready to be written; the first process makes it."""
    made = _made(study, place, there, listener) if machines.is_first() else None
    machines.together("the store is there")
    return made or Blocks.open(place.shared_path, "r+")


def _made(study: Study, place: Place, there: There | None, listener: Listener) -> Blocks:
    attributes = {
        "problems": [problem.name for problem in study.problems],
        "labels": {part_of(optimizer): optimizer.label for optimizer in study.optimizers},
        **store.attributes(study.source),
    }
    if place.path is None:
        return Blocks.create(None, attributes)
    if there is None:
        if place.path.exists():
            shutil.rmtree(place.path)
        return Blocks.create(place.path, attributes)
    blocks = Blocks.open(place.path, "r+")
    _note_versions(blocks, listener)
    blocks.say({name: attributes[name] for name in ("problems", "labels", "config")})
    for name in attributes["problems"]:
        for section in blocks.sections(name):
            if study.evaluation is None and section.stage == STAGES[1]:
                section.reorder(np.full(len(section), -1))
            for block in there.damaged.get(section.name, ()):
                section.forget(block)
                listener.note(f"block {block} of {section.name} is damaged; it is computed anew.")
    return blocks


def _note_versions(blocks: Blocks, listener: Listener):
    before, now = blocks.attributes["versions"], store.versions()
    changed = [f"{name} {before.get(name)} → {now[name]}" for name in now if before.get(name) != now[name]]
    if changed:
        listener.note(f"Begun with other versions: {', '.join(changed)}. What was done then is kept as it is.")
