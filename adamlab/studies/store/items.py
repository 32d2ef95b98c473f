"""Items, the comparisons or readings of a config: each is computed on its own, and written when it is done.

A store of items holds a group for each, whose attributes are the item as one JSON text and a digest of it. The root
lists the items in their order. Results are put together from the items' documents,
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
from adamlab.interrupts import stop_if_interrupted
from adamlab.studies import distributed
from adamlab.studies.config.diff import differences
from adamlab.studies.config.errors import ConfigError
from adamlab.studies.config.study import Config
from adamlab.studies.progress import Listener
from adamlab.studies.store.files import digest, write_file
from adamlab.studies.store.folder import (
    REPLACE,
    RESUME,
    ROOT,
    RUN_AGAIN,
    StoreError,
    already_done,
    left_out,
    other_config,
    remove_links,
    replace_store,
    writing,
)
from adamlab.studies.store.location import Location
from adamlab.studies.store.locks import locked_folder
from adamlab.studies.store.provenance import (
    changed_code,
    changed_versions,
    config_of,
    note_on_code,
    plain,
    provenance,
)
from adamlab.studies.store.root import group, read_root, restore_root, write_root

Document = Mapping[str, Any]
"""All of one comparison, or of one optimizer that was read, as plain data."""

Assemble = Callable[[Sequence[Document]], xr.Dataset]
"""Makes the dataset of a kind from the documents of its items."""

MOST_NAMED = 3
"""The most damaged items that an error names."""


class UnfinishedError(StoreError):
    """A store that lacks items, or where some are damaged: what can be read is kept by the next run."""


def item_id(*depends_on: Any) -> str:
    """The id of an item, hashed from all that it depends on."""
    return hashlib.blake2b(json.dumps(depends_on, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()


def compute_items(
    config: Config,
    of: str,
    ids: Sequence[str],
    assemble: Assemble,
    location: Location,
    listener: Listener,
    compute: Callable[[Sequence[int]], Iterator[Document | None]],
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
            next is asked for. It gives None for an item that has none, and raises why after the last. Where there is
            no document at all, the folder stays as it was.

    Raises:
        StoreError: the folder has results of another config, cannot be written, or is locked by another run.
    """
    if distributed.count() > 1:
        raise StoreError("only runs of problems and optimizers are shared by several processes.")
    with locked_folder(location.folder):
        root, documents = _stored(config, of, ids, assemble, location, listener)
        root = {**provenance(config.source, config.own_code), **root, "of": of, "items": [*ids]}
        root |= {"config": json.dumps(config.source, sort_keys=True), "own_code": dict(config.own_code)}
        missing = [ids.index(item) for item in dict.fromkeys(ids) if item not in documents]
        if missing and documents and (note := changed_versions(root)):
            listener.note(note)
        is_first = True
        try:
            for i, document in zip(missing, compute(missing) if missing else (), strict=True):
                if document is not None:
                    text = json.dumps(document)
                    documents[ids[i]] = json.loads(text)
                    _write(location, root, {ids[i]: text}, is_first=is_first)
                    is_first = False
                stop_if_interrupted()
        except ConfigError:
            if not is_first:  # the others can be loaded
                _write(location, {**root, "items": [item for item in ids if item in documents]}, {}, is_first=True)
            raise
        if not missing and location.folder is not None:
            _write(location, root, {}, is_first=True)
            listener.note(already_done(location.folder))
        return _tree(root, documents, assemble)


def load_items(path: Path, assemble: Assemble) -> xr.DataTree:
    """Load a store of items, from whose documents `assemble` makes the dataset.

    Raises:
        StoreError: it is damaged.
        UnfinishedError: it lacks items.
    """
    attributes = read_root(path)
    documents, damaged = _read_items(path, attributes["items"], assemble)
    if damaged:
        named = [f"{item}: {why}" for item, why in damaged.items()][:MOST_NAMED]
        more = [f"and {len(damaged) - MOST_NAMED} more"] if len(damaged) > MOST_NAMED else []
        count = f"{len(damaged)} of its {len(attributes['items'])} {attributes['of']} are not finished, or damaged"
        raise UnfinishedError(f"{path}: {count} ({'; '.join([*named, *more])}). {RUN_AGAIN}")
    try:
        return _tree(attributes, documents, assemble)
    except MemoryError:
        raise
    except Exception as error:  # each is whole, and together they may be of any shape
        why = f"its items do not fit together: {reason(error, 200)}"
        raise StoreError(f"{path} is damaged: {why}. {REPLACE}") from error


def _tree(attributes: Mapping[str, Any], documents: Mapping[str, Document], assemble: Assemble) -> xr.DataTree:
    """The results: one child, named after the kind."""
    of = attributes["of"]
    tree = xr.DataTree.from_dict({f"/{of}": assemble([documents[item] for item in attributes["items"]])})
    tree.attrs.update(plain({name: value for name, value in attributes.items() if name != "items"}))
    return tree


def _stored(
    config: Config, of: str, ids: Sequence[str], assemble: Assemble, location: Location, listener: Listener
) -> tuple[dict[str, Any], dict[str, Document]]:
    """The attributes of the store's root, empty where they are lost, and the items that can be read.

    Raises:
        StoreError: the store holds items, and none of the config's.
    """
    if location.kept is None:
        return {}, {}
    path = location.kept
    with writing(location.folder):
        if restore_root(path):
            listener.note(f"{path} was damaged where it says what it holds; its copy has been put back.")
    held = {file.parent.name for file in path.glob("*/zarr.json")}
    try:
        root = read_root(path)
    except StoreError:
        if not held & {*ids}:
            raise
        listener.note(f"{path} is damaged where it says what it holds; that is written anew.")
        root = {"items": []}
    else:
        code = changed_code(root, config.own_code)
        stored = held & {*root.get("items", ())}
        if root.get("of") != of or (stored and not code and not held & {*ids}):
            changed = differences(config_of(root), config.source)
            raise other_config(path.parent, changed or ["what the config leaves to defaults"])
        if code:
            listener.note(note_on_code(code))
        elif others := stored - {*ids}:
            listener.note(left_out(path.parent, f"{len(others)} {of}"))
    remove_links(path)
    documents, damaged = _read_items(path, [item for item in dict.fromkeys(ids) if item in held], assemble)
    for item, why in damaged.items():
        listener.note(f"{item} of {path} is damaged: {why}; it is computed anew.")
    if lost := {*root.pop("items")} & {*ids} - held:
        listener.note(f"{len(lost)} of {len(ids)} {of} are not stored, yet or any more; they are computed.")
    return root, documents


def _read_items(path: Path, items: Iterable[str], assemble: Assemble) -> tuple[dict[str, Document], dict[str, str]]:
    """The documents of items, and of those that cannot be read, or make no dataset, the reason."""
    documents, damaged = {}, {}
    for item in items:
        try:
            attributes = zarr.open_group(str(path), path=item, mode="r", zarr_format=3).attrs
            text = str(attributes["item"])
            if attributes["digest"] != _seal(item, text):
                raise ValueError("its digest is another")
            document = json.loads(text)
            assemble([document])
            documents[item] = document
        except MemoryError:
            raise
        except Exception as error:  # zarr raises whatever a damaged store makes it raise
            damaged[item] = reason(error, 200) if (path / item / "zarr.json").exists() else "it is missing"
    return documents, damaged


def _write(location: Location, root: Mapping[str, Any], texts: Mapping[str, str], *, is_first: bool) -> None:
    """Write items by their ids; the first write of a run writes the root, too, and a new store appears with both."""
    if location.path is None:
        return

    def write(path: Path):
        if is_first:
            write_root(path, root)
        for item, text in texts.items():
            write_file(path, f"{item}/{ROOT}", group({"item": text, "digest": _seal(item, text)}))

    def create(path: Path):
        path.mkdir()
        write(path)

    with writing(location.folder, RESUME):
        if is_first and location.kept is None:
            replace_store(location.path, create)
        else:
            write(location.path)


def _seal(item: str, text: str) -> str:
    return digest((item + text).encode())
