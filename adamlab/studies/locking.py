"""One run at a time on a folder: a lock that the system frees when its holder ends, however it ends."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".adamlab.lock"


class LockedError(Exception):
    """Another run holds the folder; says which."""


@contextmanager
def locked(folder: Path, process: int) -> Iterator[None]:
    """Holds the folder for one process of a run.

    Args:
        folder: where the run writes.
        process: the number of the process in its run; each has a lock of its own, and the first looks at all of them.

    Raises:
        LockedError: another run holds the folder.
    """
    if process == 0:
        for path in sorted(path for path in folder.glob(f"{LOCK}.*") if path.suffix != ".json"):
            if not _freed(path):
                raise LockedError(_holder(path))
    path = _path(folder, process)
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(_holder(path)) from None
    try:
        about = {"process": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}
        _beside(path).write_text(json.dumps(about), encoding="utf-8")
        yield
    finally:
        _remove(path)  # while it is held: who has opened it meanwhile finds that it is gone
        lock.release()


def lives(folder: Path, process: int) -> bool:
    """Whether a process of this run holds its lock still."""
    path = _path(folder, process)
    return path.exists() and not _freed(path)


def _freed(path: Path) -> bool:
    """Whether nobody holds a lock, as where a killed process left it behind; it is removed then."""
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        return False
    _remove(path)
    lock.release()
    return True


def _path(folder: Path, process: int) -> Path:
    return folder / f"{LOCK}.{process}"


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _remove(path: Path):
    with suppress(OSError):
        _beside(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _holder(path: Path) -> str:
    try:
        about = json.loads(_beside(path).read_text(encoding="utf-8"))
        return f"process {about['process']} on {about['host']}, since {about['since'][:19]} UTC"
    except (OSError, ValueError, KeyError):
        return "another process"
