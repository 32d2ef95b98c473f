"""Files of a store that never change: written whole or not at all, and read only where they are what was written."""

import os
import shutil
import stat
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from adamlab.files import replacing

Files = dict[str, bytes]
"""Contents by the path within a store, or within a group of it."""


class DamageError(Exception):
    """A part of a store that is not as it was written."""


def digest(data: bytes) -> str:
    """The size and the hash of a file's contents."""
    return f"{len(data)}-{blake2b(data, digest_size=16).hexdigest()}"


def write_file(root: Path, name: str, data: bytes) -> None:
    """Write a file below the root, whole or not at all, see `make_way`."""
    make_way(root, name)
    with replacing(_below(root, name)) as new:
        new.write_bytes(data)


def make_way(root: Path, name: str) -> None:
    """Create the folders of a file below the root; whatever else stands in their places, or in its own, is removed.

    Raises:
        DamageError: the name leads out of the root.
    """
    path = _below(root, name)
    for folder in _folders(root, name):
        if not _is(stat.S_ISDIR, folder):
            folder.unlink(missing_ok=True)
            folder.mkdir()
    if not _is(stat.S_ISREG, path):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it."""
    if _is(stat.S_ISDIR, path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size_of(root: Path, name: str) -> int:
    """The size of a file below the root.

    Raises:
        DamageError: it is missing or elsewhere, or a link or something else is in its place or in that of a folder.
    """
    path = _below(root, name)
    if not os.path.lexists(path):
        raise DamageError(f"{name}: its file is missing")
    if not (all(_is(stat.S_ISDIR, folder) for folder in _folders(root, name)) and _is(stat.S_ISREG, path)):
        raise DamageError(f"{name}: it is no file in the store")
    return path.lstat().st_size


def read_file(root: Path, name: str, expected: str) -> bytes:
    """The contents of a file whose digest is the expected one.

    Raises:
        DamageError: the file is missing, or another.
    """
    size = int(expected.partition("-")[0])
    try:
        data = (root / name).read_bytes() if size_of(root, name) == size else b""
    except OSError as error:
        raise DamageError(f"{name}: {error.strerror or error}") from error
    if digest(data) != expected:
        raise DamageError(f"{name}: it is not as it was written")
    return data


def _below(root: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DamageError(f"{name}: it is no file in the store")
    return root / path


def _folders(root: Path, name: str) -> list[Path]:
    """The folders below the root that lead to a file."""
    return [root / folder for folder in reversed(PurePosixPath(name).parents)][1:]


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    try:
        return kind(path.lstat().st_mode)
    except OSError:
        return False
