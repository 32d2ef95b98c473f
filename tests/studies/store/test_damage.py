"""Damage to a store of runs: told when it is loaded, and mended from the config by a rerun, whatever file it is in."""

import json
import os
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import adamlab as al
from adamlab.studies.engine import block_sizes
from adamlab.studies.progress import Listener
from adamlab.studies.store.folder import STORE, StoreError

CONFIG: dict[str, Any] = {
    "name": "damage",
    "steps": 3,
    "seeds": 3,
    "record": {"every": 1, "what": ["loss", "params"]},
    "problem": [{"name": "beale"}, {"name": "quadratic"}],
    "optimizer": [
        {"name": "adamlab.adam", "learning_rate": [0.1, 0.2, 0.3]},
        {"name": "optax.sgd", "learning_rate": 0.1, "label": "sgd"},
    ],
}

VARIANTS = {"evaluated": [CONFIG | {"evaluation": {"seeds": 2}}], "extended": [CONFIG, CONFIG | {"seeds": 4}]}
"""For each variant of a store, the configs that were run into it one after the other."""

ROOTS = ("zarr.json", "zarr.json.copy")


class Notes(Listener):
    """A listener that keeps the notes and counts the computed runs."""

    def __init__(self):
        self.notes, self.runs = [], 0

    def note(self, text):
        self.notes.append(text)

    def advance(self, runs):
        self.runs += runs


@pytest.fixture(autouse=True, scope="module")
def small():
    """Blocks of eight runs, and no pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_sizes, "RECORDS", 1)
        patch.setattr(al.running, "_write_products", lambda *arguments: None)
        yield


@pytest.fixture(scope="module", params=VARIANTS)
def pristine(request, tmp_path_factory, small):
    """A folder, its last config, and its results."""
    folder = tmp_path_factory.mktemp(request.param)
    for config in VARIANTS[request.param]:
        al.run(config, folder)
    return folder, VARIANTS[request.param][-1], al.load(folder)


@pytest.fixture
def stored(pristine, tmp_path):
    """The same with a copy of the folder, to be changed at will."""
    folder, config, tree = pristine
    return shutil.copytree(folder, tmp_path / "stored"), config, tree


def identical(tree, expected):
    assert [*tree.children] == [*expected.children]
    for name in tree.children:
        xr.testing.assert_identical(tree[name].to_dataset(), expected[name].to_dataset())
    assert {k: v for k, v in tree.attrs.items() if k != "git"} == {
        k: v for k, v in expected.attrs.items() if k != "git"
    }


def told_or_harmless(folder: Path, expected, what: object) -> bool:
    """Whether loading the folder raises a StoreError that says what to do; else it gives what is expected."""
    try:
        tree = al.load(folder)
    except StoreError as error:
        assert "Run its config again" in str(error) or "adamlab_format" in str(error), what
        return True
    identical(tree, expected)
    return False


def repaired(folder: Path, config: Mapping[str, Any], expected) -> Notes:
    """The listener of a rerun, after which the folder holds what is expected."""
    listener = Notes()
    identical(al.run(config, folder, listener=listener), expected)
    identical(al.load(folder), expected)
    again = Notes()
    al.run(config, folder, listener=again)
    assert again.runs == 0
    assert [note for note in again.notes if "already has" not in note] == []
    return listener


def files_of(folder: Path) -> list[str]:
    store = folder / STORE
    return sorted(path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file())


def flipped(data: bytes, choice: random.Random) -> bytes:
    at = choice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << choice.randrange(8)]) + data[at + 1 :]


def to_folder(path: Path, data: bytes):
    path.unlink()
    path.mkdir()
    (path / "inside").write_bytes(data)


def to_link(path: Path, data: bytes):
    path.unlink()
    path.symlink_to("/dev/zero")


HARMS: dict[str, Callable[[Path, bytes, random.Random], Any]] = {
    "deleted": lambda path, data, choice: path.unlink(),
    "flipped": lambda path, data, choice: path.write_bytes(flipped(data, choice)),
    "cut": lambda path, data, choice: path.write_bytes(data[: choice.randrange(1, len(data))]),
    "emptied": lambda path, data, choice: path.write_bytes(b""),
    "lengthened": lambda path, data, choice: path.write_bytes(data + bytes(9)),
    "replaced by a folder": lambda path, data, choice: to_folder(path, data),
    "replaced by a link": lambda path, data, choice: to_link(path, data),
}


def restore(path: Path, data: bytes):
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["deleted", "flipped"])
def test_single(stored, harm):
    folder, config, tree = stored
    choice = random.Random(1)
    names = files_of(folder)
    for name in names:
        path = folder / STORE / name
        HARMS[harm](path, path.read_bytes(), choice)
        told = told_or_harmless(folder, tree, name)
        notes = repaired(folder, config, tree)
        print(name, told, notes.notes, notes.runs)
        assert files_of(folder) == names
