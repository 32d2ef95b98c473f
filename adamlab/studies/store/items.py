"""Items, the comparisons or readings of a config: each is computed on its own, and written when it is done.

A store of items holds a group for each, whose attributes are the item as one JSON text and a digest of it. The root
lists the items in their order, with a digest of all that it says. Results are put together from the items' documents,
whether these were computed just now or read.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from adamlab.errors import reason
from adamlab.studies import distributed
from adamlab.studies.config.diff import differences
from adamlab.studies.config.study import Config
from adamlab.studies.progress import Listener
from adamlab.studies.store.folder import (
    PARTIAL,
    RUN_AGAIN,
    StoreError,
    already_done,
    other_config,
    remove_links,
    replace_store,
    root_attributes,
    writing,
)
from adamlab.studies.store.location import Location
from adamlab.studies.store.locks import locked_folder
from adamlab.studies.store.provenance import changed_versions, config_of, plain, provenance

RESUME = "What was done is kept; the same command goes on from there."

Document = Mapping[str, Any]
"""All of one comparison, or of one optimizer that was read, as plain data."""

Assemble = Callable[[Sequence[Document]], xr.Dataset]
"""Makes the dataset of a kind from the documents of its items."""

MOST_NAMED = 3
"""The most damaged items that an error names."""


def item_id(*depends_on: Any) -> str:
    """The id of an item, hashed from all that it depends on."""
    return _digest(json.dumps(depends_on, sort_keys=True, default=str))


def compute_items(
    config: Config,
    of: str,
    ids: Sequence[str],
    assemble: Assemble,
    location: Location,
    listener: Listener,
    compute: Callable[[Sequence[int]], Iterator[Document]],
) -> xr.DataTree:
    """Compute the items that are not stored, or damaged, and return the results.

    Args:
        config: the config, for its plain data.
        of: the kind of the config.
        ids: the id of each item, in the order of the results.
        assemble: makes the dataset from the documents of all items.
        location: where the results are kept.
        listener: receives a note on damage, and where nothing is left to compute.
        compute: computes the documents of the items at these positions, one after the other; each is written before the
            next is asked for. A mistake that it raises ahead of the first leaves the folder as it was.

    Raises:
        StoreError: the folder has results of another config, cannot be written, or is locked by another run.
    """
    if distributed.count() > 1:
        raise StoreError("only runs of problems and optimizers are shared by several processes.")
    with locked_folder(location.folder):
        root, documents = _stored(config, of, ids, location, listener)
        root = {**provenance(config.source), **root, "of": of, "items": [*ids]}
        root["config"] = json.dumps(config.source, sort_keys=True)
        missing = [ids.index(item) for item in dict.fromkeys(ids) if item not in documents]
        if missing and documents and (note := changed_versions(root)):
            listener.note(note)
        groups = {"": _with_digest(root)}
        for i, document in zip(missing, compute(missing) if missing else (), strict=True):
            text = json.dumps(document)
            documents[ids[i]] = json.loads(text)
            groups[ids[i]] = {"item": text, "digest": _digest(ids[i] + text)}
            _write(location, groups)
            groups = {}
        if not missing and location.folder is not None:
            _write(location, groups)
            listener.note(already_done(location.folder))
        return _tree(root, documents, assemble)


def load_items(path: Path, assemble: Assemble) -> xr.DataTree:
    """Load a store of items, from whose documents `assemble` makes the dataset.

    Raises:
        StoreError: it is damaged, or lacks items.
    """
    attributes = _read_root(path)
    documents, damaged = _read_items(path, attributes["items"])
    if damaged:
        named = [f"{item}: {why}" for item, why in damaged.items()][:MOST_NAMED]
        more = [f"and {len(damaged) - MOST_NAMED} more"] if len(damaged) > MOST_NAMED else []
        count = f"{len(damaged)} of its {len(attributes['items'])} {attributes['of']} are not finished, or damaged"
        raise StoreError(f"{path}: {count} ({'; '.join([*named, *more])}). {RUN_AGAIN}")
    return _tree(attributes, documents, assemble)


def _tree(attributes: Mapping[str, Any], documents: Mapping[str, Document], assemble: Assemble) -> xr.DataTree:
    """The results: one child, named after the kind."""
    of = attributes["of"]
    tree = xr.DataTree.from_dict({f"/{of}": assemble([documents[item] for item in attributes["items"]])})
    tree.attrs.update(plain({name: value for name, value in attributes.items() if name != "items"}))
    return tree


def _stored(
    config: Config, of: str, ids: Sequence[str], location: Location, listener: Listener
) -> tuple[dict[str, Any], dict[str, Document]]:
    """The attributes of the store's root, empty where they are lost, and the items that can be read.

    Raises:
        StoreError: the store holds items that the config does not have.
    """
    if location.kept is None:
        return {}, {}
    path = location.kept
    held = [file.parent.name for file in path.glob("*/zarr.json")]
    only_adds = {*held} <= {*ids}
    try:
        root = _read_root(path)
    except StoreError:
        if not held or not only_adds:
            raise
        listener.note(f"{path} is damaged where it says what it holds; that is written anew.")
        root = {"items": []}
    else:
        if root.get("of") != of or not only_adds:
            changed = differences(config_of(root), config.source)
            raise other_config(path.parent, changed or ["what the config leaves to defaults"])
    remove_links(path)
    documents, damaged = _read_items(path, held)
    for item, why in damaged.items():
        listener.note(f"{item} of {path} is damaged: {why}; it is computed anew.")
    if lost := {*root.pop("items")} & {*ids} - {*held}:
        listener.note(f"{len(lost)} of {len(ids)} {of} are not stored, yet or any more; they are computed.")
    return root, documents


def _read_root(path: Path) -> dict[str, Any]:
    """The attributes of a store's root; of a store of runs, which is read elsewhere, as they are.

    Raises:
        StoreError: there is no store, it has another format, or it is damaged.
    """
    written = root_attributes(path)
    attributes = {name: value for name, value in written.items() if name != "digest"}
    if "labels" not in written and written != _with_digest(attributes):
        raise StoreError(f"{path} is damaged where it says what it holds. {RUN_AGAIN}")
    return attributes


def _read_items(path: Path, items: Iterable[str]) -> tuple[dict[str, Document], dict[str, str]]:
    """The documents of items, and of those that cannot be read the reason."""
    documents, damaged = {}, {}
    for item in items:
        try:
            attributes = zarr.open_group(str(path), path=item, mode="r", zarr_format=3).attrs
            text = str(attributes["item"])
            if attributes["digest"] != _digest(item + text):
                raise ValueError("its digest is another")
            documents[item] = json.loads(text)
        except Exception as error:  # zarr raises whatever a damaged store makes it raise
            damaged[item] = reason(error, 200) if (path / item / "zarr.json").exists() else "it is missing"
    return documents, damaged


def _write(location: Location, groups: Mapping[str, Mapping[str, Any]]) -> None:
    """Write groups by their names; the root, whose name is empty, is the first, and a new store appears with it."""
    if location.path is None:
        return
    with writing(location.folder, RESUME):
        if "" in groups and location.kept is None:
            replace_store(location.path, lambda path: _write_groups(path, groups))
        else:
            _write_groups(location.path, groups)


def _write_groups(path: Path, groups: Mapping[str, Mapping[str, Any]]) -> None:
    for name, attributes in groups.items():
        metadata = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        (path / name).mkdir(exist_ok=True)
        partial = path / name / f"zarr{PARTIAL}"
        partial.write_text(json.dumps(metadata, indent=2), encoding="utf-8")
        partial.replace(path / name / "zarr.json")


def _with_digest(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {**attributes, "digest": _digest(json.dumps(attributes, sort_keys=True))}


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
