"""Results computed in one go and saved at the end: those of comparisons and of readings."""

from collections.abc import Callable, Mapping
from pathlib import Path

import xarray as xr

from adamlab.studies import distributed
from adamlab.studies.config.diff import differences
from adamlab.studies.config.study import Config
from adamlab.studies.progress import Listener
from adamlab.studies.store.dataset import load
from adamlab.studies.store.folder import (
    STORE,
    StoreError,
    already_done,
    make_folder,
    other_config,
    replace_store,
    writing,
)
from adamlab.studies.store.location import Location
from adamlab.studies.store.locks import locked_folder
from adamlab.studies.store.provenance import config_of, provenance


def compute_once(
    config: Config, location: Location, listener: Listener, compute: Callable[[], Mapping[str, xr.Dataset]]
) -> xr.DataTree:
    """The results that the folder has of this config, or those that `compute` returns, saved there.

    Args:
        config: the config, for its plain data.
        location: where the results are kept.
        listener: receives a note where nothing is left to compute.
        compute: computes the results, a dataset for each part; a mistake that it raises leaves the folder as it was.

    Raises:
        StoreError: the folder has results of another config, cannot be written, or is locked by another run.
    """
    if distributed.count() > 1:
        raise StoreError("only runs of problems and optimizers are shared by several processes.")
    with locked_folder(location.folder):
        if (tree := _stored(config, location, listener)) is not None:
            return tree
        datasets = compute()
        tree = xr.DataTree.from_dict({f"/{name}": dataset for name, dataset in datasets.items()})
        variables = {name: sorted(map(str, child.variables)) for name, child in tree.children.items()}
        tree.attrs.update(provenance(config.source), problems=[*tree.children], variables=variables)
        if location.folder is not None:
            save(tree, location.folder)
        return tree


def save(tree: xr.DataTree, folder: Path) -> None:
    """Save complete results; the folder keeps what it had until all of them are written."""
    make_folder(folder)
    with writing(folder):
        replace_store(folder / STORE, lambda path: tree.to_zarr(path, mode="w", zarr_format=3, consolidated=False))


def _stored(config: Config, location: Location, listener: Listener) -> xr.DataTree | None:
    """The results of the same config, if the folder has them.

    Raises:
        StoreError: it has results of another config.
    """
    if location.folder is None or location.kept is None:
        return None
    tree = load(location.folder)
    if changed := differences(config_of(tree.attrs), config.source):
        raise other_config(location.folder, changed)
    listener.note(already_done(location.folder))
    return tree
