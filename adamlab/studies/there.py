"""What a folder has already of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adamlab.studies import store
from adamlab.studies.blocks import Blocks
from adamlab.studies.changes import differences
from adamlab.studies.place import Place
from adamlab.studies.planning import STAGES, Plan
from adamlab.studies.programs import Key
from adamlab.studies.sizes import Sizes
from adamlab.studies.study import Study


@dataclass(frozen=True)
class There:
    """A store that is there already, and the blocks of its sections, by their names, that cannot be read."""

    blocks: Blocks
    damaged: Mapping[str, Sequence[int]]

    def sizes(self, plans: Mapping[Key, Plan]) -> dict[Key, Sizes]:
        """The sizes of blocks of the parts that have some, in the same stage."""
        return {
            key: section.sizes
            for key, one in plans.items()
            for section in reversed(self.blocks.sections(*key))
            if section.stage == one.stage
        }


def store_there(study: Study, plans: Mapping[Key, Plan], place: Place) -> There | None:
    """The store that is there already, if its runs are among those of the study.

    Raises:
        StoreError: the store is of another config, or of another format, or cannot be read.
    """
    if place.path is None or place.fresh or not place.path.exists() or not any(place.path.iterdir()):
        return None
    attributes = store.root_attributes(place.path)
    changed = differences(store.config_of(attributes), study.source)
    if "labels" not in attributes:
        raise store.another(place.path.parent, changed)
    blocks = Blocks.open(place.path)
    _require_columns(blocks)
    if changed and not _only_adds(blocks, plans):
        raise store.another(place.path.parent, changed)
    sections = [section for name in blocks.attributes["problems"] for section in blocks.sections(name)]
    return There(blocks, {section.name: section.damaged() for section in sections})


def _require_columns(blocks: Blocks):
    try:
        for name in blocks.attributes["problems"]:
            for section in blocks.sections(name):
                blocks.require_columns(section)
    except Exception as error:  # zarr raises whatever a damaged store makes it raise
        raise store.StoreError(
            f"{store.STORE} is damaged where it says which runs it has: {' '.join(str(error).split())}. Choose another "
            "folder with --out, or compute all anew with --fresh."
        ) from error


def _only_adds(blocks: Blocks, plans: Mapping[Key, Plan]) -> bool:
    """Whether every run that the store was made for is planned."""
    for name in blocks.attributes["problems"]:
        for section in blocks.sections(name):
            key = section.problem, section.part
            if section.stage == STAGES[0] and (
                key not in plans or (plans[key].rows_of(section.column("run_id")) < 0).any()
            ):
                return False
    return True


def unfinished(plans: Mapping[Key, Plan], there: There | None) -> dict[Key, Plan]:
    """Of each plan the runs that have not been done, where there are any."""
    left = {}
    for key, one in plans.items():
        done = np.zeros(len(one), bool)
        for section in there.blocks.sections(*key) if there else []:
            if section.stage != one.stage:
                continue
            marks = section.done()
            marks[list(there.damaged.get(section.name, ())) if there else []] = False
            rows = one.rows_of(section.column("run_id"))[np.repeat(marks, section.block)[: len(section)]]
            done[rows[rows >= 0]] = True
        if not done.all():
            left[key] = one.take(np.flatnonzero(~done))
    return left
