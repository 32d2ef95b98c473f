"""A folder is held while it is written."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from adamlab.studies import machines, store
from adamlab.studies.locking import LockedError, lives, locked
from adamlab.studies.place import Place

PATIENCE = 60.0
"""Seconds that the first process, on which the others depend, waits for them to leave."""


@contextmanager
def held(place: Place) -> Iterator[None]:
    """Makes the folder, where there is one, and holds it for this run; one that stays empty goes again.

    Raises:
        StoreError: it cannot be made or written, or another run holds it.
    """
    if place.folder is None:
        yield
        return
    new = not place.folder.exists()
    store.make_folder(place.folder)
    try:
        with ExitStack() as locks:
            try:
                if machines.is_first():
                    locks.enter_context(locked(place.folder, 0))
                machines.together("the folder is held")
                if not machines.is_first():
                    locks.enter_context(locked(place.folder, machines.number()))
            except LockedError as error:
                raise store.StoreError(
                    f"{place.folder} is being written by another run ({error}). Wait for it, or choose another folder "
                    "with --out."
                ) from error
            locks.callback(_part, place.folder)
            yield
    finally:
        if new and not any(place.folder.iterdir()):
            place.folder.rmdir()


def _part(folder: Path):
    """The other processes leave before the first does, whose going would end them."""
    if not machines.is_first():
        machines.leave()
        return
    deadline = time.monotonic() + PATIENCE
    while any(lives(folder, i) for i in range(1, machines.count())) and time.monotonic() < deadline:
        time.sleep(0.1)
