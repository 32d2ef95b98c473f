"""The location of results: a folder, or memory."""

from dataclasses import dataclass
from pathlib import Path

from adamlab.studies.store.folder import STORE, StoreError


@dataclass(frozen=True)
class Location:
    """Where a config's results are kept.

    Attributes:
        folder: the results folder; None keeps results in memory.
        fresh: whether results that the folder has are replaced rather than extended.
    """

    folder: Path | None = None
    fresh: bool = False

    @property
    def path(self) -> Path | None:
        """The store's path."""
        return None if self.folder is None else self.folder / STORE

    @property
    def shared_path(self) -> Path:
        """The path of a store that several processes share.

        Raises:
            StoreError: there is no folder.
        """
        if self.path is None:
            raise StoreError("several processes share a run through its folder: give one with --out.")
        return self.path

    @property
    def kept(self) -> Path | None:
        """The path of a store to go on with; None where there is none, or where it is to be replaced."""
        if self.path is None or self.fresh or not self.path.exists():
            return None
        if not self.path.is_dir():
            raise StoreError(f"{self.path} is no folder of results: remove it, or replace it with --fresh.")
        is_empty = self.path.is_dir() and not any(self.path.iterdir())
        return None if is_empty else self.path
