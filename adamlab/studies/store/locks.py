"""Locks: one run at a time writes to a results folder; the system frees the lock of a process that ends in any way."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from adamlab.errors import reason
from adamlab.files import read_text, write_text
from adamlab.studies import distributed
from adamlab.studies.store.folder import StoreError, make_folder, recover, require_own_files

LOCK = ".adamlab.lock"

PATIENCE = 60.0
"""Seconds that process 0 waits for the others to leave."""


class LockedError(Exception):
    """A folder locked by another run; the message names its process."""


@contextmanager
def locked_folder(folder: Path | None) -> Iterator[None]:
    """Create the results folder and lock it for this run; remove it again if nothing was written.

    Raises:
        StoreError: it cannot be created or written, or another run has locked it.
    """
    if folder is None:
        yield
        return
    new = not folder.exists()
    make_folder(folder)
    try:
        with ExitStack() as locks:
            try:
                if distributed.is_first():
                    locks.enter_context(locked(folder, 0))
                distributed.wait_for_all("the folder is locked")
                if not distributed.is_first():
                    locks.enter_context(locked(folder, distributed.number()))
            except LockedError as error:
                raise StoreError(
                    f"{folder} is being written by another run ({error}). Wait for it, or choose another folder "
                    "with --out."
                ) from error
            locks.callback(_leave_in_order, folder)
            if distributed.is_first():
                require_own_files(folder)
                recover(folder)
                require_own_files(folder)  # what was put back, too
            yield
    finally:
        with suppress(OSError):  # it may have been removed or renamed meanwhile
            if new and not any(folder.iterdir()):
                folder.rmdir()


def _leave_in_order(folder: Path):
    # Process 0 hosts the coordinator, so it leaves last: the others would be killed with it.
    if not distributed.is_first():
        distributed.leave()
        return
    deadline = time.monotonic() + PATIENCE
    while any(is_alive(folder, i) for i in range(1, distributed.count())) and time.monotonic() < deadline:
        time.sleep(0.1)


@contextmanager
def locked(folder: Path, process: int) -> Iterator[None]:
    """Lock the folder for one process of a run.

    Args:
        folder: the results folder.
        process: the process's number in its run; each has a lock of its own, and process 0 checks all of them.

    Raises:
        LockedError: another run has locked the folder.
    """
    if process == 0:
        for path in sorted(path for path in folder.glob(f"{LOCK}.*") if path.suffix != ".json"):
            if not _is_free(path):
                raise LockedError(_holder(path))
    path = _path(folder, process)
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(_holder(path)) from None
    except OSError as error:
        raise StoreError(f"{path} cannot be locked: {reason(error)}. Remove what stands there.") from error
    try:
        holder = {"process": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}
        write_text(_holder_file(path), json.dumps(holder))
        yield
    finally:
        _remove(path)  # before the release: a process that has opened the file meanwhile sees that it is gone
        lock.release()


def is_alive(folder: Path, process: int) -> bool:
    """Whether a process of this run still holds its lock."""
    path = _path(folder, process)
    return path.exists() and not _is_free(path)


def _is_free(path: Path) -> bool:
    """Whether nobody holds the lock; one that a killed process left behind is removed."""
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except (Timeout, OSError):  # an OSError, as of a folder or a link in its place, is told where the lock is taken
        return path.is_symlink() or not path.is_file()
    _remove(path)
    lock.release()
    return True


def _path(folder: Path, process: int) -> Path:
    return folder / f"{LOCK}.{process}"


def _holder_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _remove(path: Path):
    with suppress(OSError):
        _holder_file(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _holder(path: Path) -> str:
    try:
        holder = json.loads(read_text(_holder_file(path), 1000))
        return f"process {holder['process']} on {holder['host']}, since {holder['since'][:19]} UTC"
    except (OSError, ValueError, LookupError, TypeError, RecursionError):  # whatever stands in the file
        return "another process"
