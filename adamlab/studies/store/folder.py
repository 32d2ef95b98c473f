"""The results folder: created, read, replaced in one step, or refused with the reason."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adamlab.errors import InputError, listed, reason
from adamlab.files import UNFINISHED
from adamlab.studies.store.files import size_of
from adamlab.studies.store.provenance import FORMAT

STORE = "results.zarr"
ROOT = "zarr.json"
ASIDE = ".adamlab-aside-"
PARTIAL = ".partial"
"""The end of a file's name while it is written, zarr's too."""

MOST = 2**28
"""The most bytes of the root of a store."""

RUN_AGAIN = "Run its config again: what can be read is kept, and the rest is computed anew."
REPLACE = "Choose another folder with --out, or compute all anew with --fresh."


class StoreError(InputError):
    """A folder without results, or with results that cannot be read or written."""


def make_folder(folder: Path) -> None:
    """Create the folder unless it exists.

    Raises:
        StoreError: it cannot be created, or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StoreError(f"{folder}: results cannot be written here: {error.strerror or error}") from error


def replace_store(path: Path, write: Callable[[Path], Any]) -> None:
    """Replace a store by the one that `write` puts in a path beside it.

    The old store stands aside until the new one is in its place; `recover` puts it back after a kill in between.
    """
    with tempfile.TemporaryDirectory(prefix=ASIDE, dir=path.parent) as aside:
        new, old = Path(aside) / "new", Path(aside) / "old"
        write(new)
        try:
            if path.exists():
                path.rename(old)
            new.rename(path)
        except BaseException:
            if old.exists() and not path.exists():
                old.rename(path)
            raise


def recover(folder: Path) -> None:
    """Clean up after a process that was killed while it wrote: an old store is put back if none is left."""
    for unfinished in [*folder.glob(f"{UNFINISHED}*"), *folder.glob(f"figures/{UNFINISHED}*")]:
        unfinished.unlink()
    for aside in folder.glob(f"{ASIDE}*"):
        if aside.is_symlink() or not aside.is_dir():
            aside.unlink()
            continue
        if (aside / "old").exists() and not (folder / STORE).exists():
            (aside / "old").rename(folder / STORE)
        shutil.rmtree(aside)
    for partial in (folder / STORE).rglob(f"*{PARTIAL}"):
        partial.unlink()


def require_own_files(folder: Path) -> None:
    """Require that results and figures are in the folder, and no links through which files elsewhere would be replaced.

    Raises:
        StoreError: one is a link.
    """
    for path in (folder / "figures", folder / STORE):
        if path.is_symlink():
            raise StoreError(f"{path} is a link, and nothing is written to any other place: remove it.")


def remove_links(path: Path) -> None:
    """Remove all links within a store that is about to be written: what they stood for is then told as damage."""
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_symlink():
                os.unlink(entry.path)
            elif entry.is_dir():
                remove_links(Path(entry.path))


@contextmanager
def writing(folder: Path | None, remedy: str = "") -> Iterator[None]:
    """Turn the system's errors while results are written into a `StoreError` that names the folder."""
    try:
        yield
    except OSError as error:
        message = f"{folder}: the results cannot be written: {error.strerror or error}"
        raise StoreError(f"{message}. {remedy}" if remedy else message) from error


def root_attributes(path: Path, remedy: str = RUN_AGAIN) -> dict[str, Any]:
    """The attributes at a store's root, see `adamlab.studies.store.provenance`; `remedy` ends the error on damage.

    Raises:
        StoreError: there is no store, it was not written by adamlab, or it has another format.
    """
    if not path.is_dir():
        raise StoreError(f"{path.parent}: there are no results here (no {path.name}); adamlab run writes them.")
    try:
        attributes = read_attributes(path)
    except Exception as error:  # a damaged file may be no JSON, or JSON of any shape
        raise StoreError(f"{path} cannot be read as a store of results: {reason(error, 200)}. {remedy}") from error
    version = attributes.get("adamlab_format")
    if version is None:
        raise StoreError(f"{path} is a store that adamlab did not write. Choose another folder.")
    if type(version) is not int:
        raise StoreError(f"{path} is damaged: its format is no number. {remedy}")
    if version != FORMAT:
        remedy = "Update adamlab to read it." if version > FORMAT else "Run its config anew, with --fresh."
        raise StoreError(f"{path} is of format {version}; this adamlab reads format {FORMAT}. {remedy}")
    return attributes


def read_attributes(path: Path, name: str = ROOT) -> dict[str, Any]:
    """The attributes in the file of a store's root; raises whatever a damaged one makes the system or JSON raise."""
    size = size_of(path, name)
    if size > MOST:
        raise ValueError(f"{name} has {size:,} bytes")
    return {**json.loads((path / name).read_bytes())["attributes"]}


def other_config(folder: Path, changed: Sequence[str]) -> StoreError:
    """The error for a folder with the results of a config that differs by more than further runs."""
    return StoreError(
        f"{folder} holds the results of a config that differs by more than further runs:\n{listed(changed)}\n"
        "Choose another folder with --out, or replace them with --fresh."
    )


def already_done(folder: Path) -> str:
    """The note for a folder with all results of a config."""
    return f"{folder} already has the results of this config; --fresh computes them anew."
