"""Checkpoints: blocks of long runs that were begun and are not done, each in a file of its own until it is."""

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from adamlab.files import replacing
from adamlab.studies.engine.execution import Snapshot, fits
from adamlab.studies.engine.program import Program
from adamlab.studies.store.folder import CHECKPOINTS
from adamlab.studies.store.provenance import versions
from adamlab.studies.store.section import Section


def clear_checkpoints(folder: Path) -> None:
    """Remove all checkpoints of a results folder, and what a process left that was killed while it wrote one."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


class Checkpoints:
    """The checkpoints of one section's blocks.

    Args:
        folder: the results folder.
        section: the section.
        program: the program that computes it; a checkpoint of another is not used.
    """

    def __init__(self, folder: Path, section: Section, program: Program):
        self.folder, self.section, self.program = folder / CHECKPOINTS, section, program

    def save(self, block: int, snapshot: Snapshot) -> None:
        """Save a block, in place of an earlier checkpoint of it, in one step."""
        self.folder.mkdir(exist_ok=True)
        arrays = {f"leaf.{i}": leaf for i, leaf in enumerate(snapshot.carry)}
        arrays |= {f"record.{name}": values for name, values in snapshot.records.items()}
        arrays |= {"fingerprint": np.array(self._fingerprint(block)), "step": np.array(snapshot.step)}
        with replacing(self._path(block)) as new:
            np.savez(new, allow_pickle=False, **arrays)

    def load(self, blocks: Iterable[int]) -> dict[int, Snapshot]:
        """The checkpoints of blocks; those that are damaged, or of another program, are left out."""
        snapshots = {block: self._read(block) for block in blocks if self._path(block).exists()}
        return {block: snapshot for block, snapshot in snapshots.items() if snapshot is not None}

    def remove(self, block: int) -> None:
        """Remove the checkpoint of a block that is done."""
        self._path(block).unlink(missing_ok=True)

    def _read(self, block: int) -> Snapshot | None:
        try:
            with self._path(block).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                if str(file["fingerprint"]) != self._fingerprint(block):
                    return None
                leaves = sorted((name for name in file if name.startswith("leaf.")), key=lambda name: int(name[5:]))
                records = {name.removeprefix("record."): file[name] for name in file if name.startswith("record.")}
                snapshot = Snapshot(int(file["step"]), [file[name] for name in leaves], records)
        except Exception:  # NumPy and zipfile raise whatever a damaged file makes them raise
            return None
        return snapshot if fits(self.program, snapshot, len(self.section.rows(block))) else None

    def _fingerprint(self, block: int) -> str:
        ids = self.section.column("run_id")[self.section.rows(block)]
        of = [self.program.digest, hashlib.sha256(ids.tobytes()).hexdigest(), versions()]
        return hashlib.sha256(json.dumps(of).encode()).hexdigest()

    def _path(self, block: int) -> Path:
        return self.folder / f"{self.section.name.replace('/', '-')}-{block}.npz"
