"""Results that are made, and written, as a whole: those of comparisons and of readings."""

from collections.abc import Callable, Mapping
from typing import Any

import xarray as xr

from adamlab.studies import machines, store
from adamlab.studies.changes import differences
from adamlab.studies.holding import held
from adamlab.studies.listening import Listener
from adamlab.studies.place import Place

Run = Callable[[Any, str, Place, Listener], xr.DataTree]
"""`(config, its file's name for messages, place, listener) -> results`, one child for each part."""


def run_whole(
    prepare: Callable[[Any, str], Any], make: Callable[[Any, Any, Listener], Mapping[str, xr.Dataset]]
) -> Run:
    """How results are made that are written once all of them are there.

    Args:
        prepare: does all that can still show a mistake in the config, before anything is written; `(config, where)`.
        make: makes the results, a dataset for each part; `(config, what prepare gave, listener)`.
    """

    def run(config: Any, where: str, place: Place, listener: Listener) -> xr.DataTree:
        if machines.count() > 1:
            raise store.StoreError("only runs of problems and optimizers are shared by several processes.")
        with held(place):
            if (tree := _there(config, place, listener)) is not None:
                return tree
            made = make(config, prepare(config, where), listener)
            tree = xr.DataTree.from_dict({f"/{name}": data for name, data in made.items()})
            variables = {name: sorted(map(str, child.variables)) for name, child in tree.children.items()}
            tree.attrs.update(store.attributes(config.source), problems=[*tree.children], variables=variables)
            if place.folder is not None:
                store.save(tree, place.folder)
            return tree

    return run


def _there(config: Any, place: Place, listener: Listener) -> xr.DataTree | None:
    """The results of the same config, if the folder has them.

    Raises:
        StoreError: it has results of another.
    """
    if place.folder is None or place.path is None or place.fresh or not place.path.exists():
        return None
    tree = store.load(place.folder)
    if changed := differences(store.config_of(tree.attrs), config.source):
        raise store.another(place.folder, changed)
    listener.note(f"{place.folder} already has the results of this config; --fresh computes them anew.")
    return tree
