"""Where and how a config is run."""

from dataclasses import dataclass
from pathlib import Path

from adamlab.studies.store import STORE, StoreError


@dataclass(frozen=True)
class Place:
    """Where and how a config is run.

    Attributes:
        folder: where results are kept; None keeps them in memory.
        fresh: whether to start anew where the folder has results.
        devices: on how many devices of each process; None takes all there are.
    """

    folder: Path | None = None
    fresh: bool = False
    devices: int | None = None

    @property
    def path(self) -> Path | None:
        """Where the store is."""
        return None if self.folder is None else self.folder / STORE

    @property
    def shared_path(self) -> Path:
        """Where the store is that several processes share.

        Raises:
            StoreError: there is no folder.
        """
        if self.path is None:
            raise StoreError("several processes share a run through its folder: give one with --out.")
        return self.path
