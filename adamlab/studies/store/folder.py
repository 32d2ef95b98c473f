"""The results folder: created, read, replaced in one step, or refused with the reason."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adamlab.errors import InputError, listed
from adamlab.files import UNFINISHED
from adamlab.studies.store.files import remove

STORE = "results.zarr"
ROOT = "zarr.json"
ASIDE = ".adamlab-aside-"
CHECKPOINTS = ".adamlab-checkpoints"
PARTIAL = ".partial"
"""The end of the names of files that zarr is writing."""

RESUME = "What was done is kept; the same command goes on from there."
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
        remove(unfinished)
    for aside in folder.glob(f"{ASIDE}*"):
        if not aside.is_symlink() and (aside / "old").exists() and not (folder / STORE).exists():
            (aside / "old").rename(folder / STORE)
        remove(aside)
    within = [*(folder / STORE).rglob("*")]
    for path in (path for path in within if path.name.startswith(UNFINISHED) or path.suffix == PARTIAL):
        remove(path)


def require_own_files(folder: Path) -> None:
    """Require that results and figures are in the folder, and no links through which files elsewhere would be replaced.

    Raises:
        StoreError: one is a link.
    """
    for path in (folder / "figures", folder / STORE, folder / CHECKPOINTS):
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
        if folder is not None and not folder.exists():
            raise removed(folder) from error
        message = f"{folder}: the results cannot be written: {error.strerror or error}"
        raise StoreError(f"{message}. {remedy}" if remedy else message) from error


def removed(folder: Path) -> StoreError:
    """The error for a folder that somebody else removed or renamed."""
    return StoreError(f"{folder} was removed, renamed or damaged while it was being written. Run the config again.")


def other_config(folder: Path, changed: Sequence[str]) -> StoreError:
    """The error for a folder with the results of a config that differs by more than runs added or taken out."""
    return StoreError(
        f"{folder} holds the results of a config that differs by more than what was added or taken out:\n"
        f"{listed(changed)}\n"
        "Choose another folder with --out, or replace them with --fresh."
    )


def left_out(folder: Path, what: str, names: Sequence[str] = ()) -> str:
    """The note for a config that does not ask for all that a folder has.

    Args:
        folder: the folder.
        what: what is left out, such as "40 runs".
        names: the problems and optimizers that are left out as a whole.
    """
    of = f", those of {', '.join(names)} among them," if names else ""
    return (
        f"{folder} has {what}{of} that this config does not ask for: its results are without them, and they are kept."
    )


def already_done(folder: Path) -> str:
    """The note for a folder with all results of a config."""
    return f"{folder} already has the results of this config; --fresh computes them anew."
