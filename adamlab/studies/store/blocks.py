"""A store of runs: a group for each problem, within it one for each optimizer's part, within that its sections.

The root says what counts: its attributes list the sections and the problems' metadata, with the digests of all their
files that never change, and end with a digest of themselves. Whatever is added is written first and counts once the
root is written, in one step; what a killed process leaves behind is not listed, and nothing else in the folder is read.
A section never changes: runs that are added later get a section of their own.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore, MemoryStore

from adamlab.errors import reason
from adamlab.studies.engine.program import Program
from adamlab.studies.plan import Plan
from adamlab.studies.store.files import DamageError, digest, read_file, remove, write_file
from adamlab.studies.store.folder import ROOT, read_attributes
from adamlab.studies.store.section import CHECKED, GROUP, Section, entry_of, files_of, memory

COPY = "zarr.json.copy"
"""The copy of the root, written after it."""


class Blocks:
    """A store of runs, on disk or in memory.

    Args:
        path: its folder; None keeps it in memory.
        attributes: the attributes at its root.
    """

    def __init__(self, path: Path | None, attributes: dict[str, Any]):
        self.path, self.attributes = path, attributes
        self._store: Store = MemoryStore() if path is None else LocalStore(path)
        self._sections: dict[str, Section] = {}
        self._metadata: dict[str, xr.Dataset] = {}
        self._replaced: list[str] = []

    @classmethod
    def create(cls, path: Path | None, attributes: Mapping[str, Any]) -> "Blocks":
        """Create a store; in memory where there is no path."""
        if path is not None:
            path.mkdir()
        blocks = cls(path, {**attributes, "sections": {}, "metadata": {}})
        blocks.update_attributes({})
        return blocks

    @classmethod
    def open(cls, path: Path) -> "Blocks":
        """Open a store.

        Raises:
            DamageError: its root is not as it was written.
        """
        return cls(path, _verified(path, ROOT))

    def refresh(self) -> None:
        """Read the root again, where another process has written it."""
        assert self.path is not None
        self.__init__(self.path, _verified(self.path, ROOT))

    def update_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Update attributes at the root, all in one write; what was added counts from now on."""
        self.attributes.update(attributes)
        if self.path is None:
            return
        for part in {name.rpartition("/")[0] for name in self.attributes["sections"]}:
            _ensure(self.path, f"{part}/{ROOT}", GROUP)
        _write_root(self.path, self.attributes)
        for name in {*self._replaced} - {*self.attributes["sections"]}:
            remove(self.path / name)
        self._replaced.clear()

    def set_metadata(self, problem: str, metadata: xr.Dataset) -> None:
        """Write a problem's metadata: the part of its dataset that no run is needed for."""
        buffers: dict[str, Buffer] = {}
        encoding = {
            str(name): {"compressors": CHECKED, "chunks": tuple(max(1, size) for size in variable.shape)}
            for name, variable in metadata.variables.items()
        }
        metadata.to_zarr(MemoryStore(buffers), mode="w", zarr_format=3, consolidated=False, encoding=encoding)
        files = {name: buffer.to_bytes() for name, buffer in sorted(buffers.items())}
        if self.path is not None:
            for name, data in files.items():
                write_file(self.path, f"{problem}/{name}", data)
        self._metadata[problem] = _dataset(files)
        self.attributes["metadata"][problem] = {name: digest(data) for name, data in files.items()}

    def metadata(self, problem: str) -> xr.Dataset:
        """A problem's metadata.

        Raises:
            DamageError: it cannot be read.
        """
        if problem not in self._metadata:
            digests = self.attributes["metadata"].get(problem)
            if self.path is None or digests is None:
                raise DamageError(f"{problem}: it has no metadata")
            files = {name: read_file(self.path, f"{problem}/{name}", expected) for name, expected in digests.items()}
            self._metadata[problem] = _dataset(files)
        return self._metadata[problem]

    def sections(self, problem: str, part: str | None = None) -> list[Section]:
        """The sections of a problem, or of one part of it, in the order in which they were added."""
        ahead = f"{problem}/" if part is None else f"{problem}/{part}/"
        sections = [self._section(name) for name in self.attributes["sections"] if name.startswith(ahead)]
        return sorted(sections, key=lambda section: (section.part, section.number))

    def add(self, part: str, plan: Plan, program: Program, order: np.ndarray, number: int | None = None) -> Section:
        """Add a section for runs.

        Args:
            part: their optimizer's part.
            plan: the runs.
            program: the program that computes them.
            order: their positions in the results.
            number: the number of a damaged section that is written anew, by default a new one. Where blocks are left in
                its folder, those of the same runs are kept.
        """
        problem = plan.problem.name
        if number is None:
            numbers = {section.number for section in self.sections(problem, part)}
            number = next(i for i in range(len(numbers) + 1) if i not in numbers)
        name = f"{problem}/{part}/{number}"
        is_new = self.path is None or not (self.path / name).exists()
        files = files_of(plan, program)
        entry = self.attributes["sections"][name] = entry_of(plan, program, files)
        section = self._sections[name] = Section(self._store, self.path, name, entry, files)
        section.write_files(order)
        section.clear(is_new)
        if self.path is not None:
            orders = {path.name for path in (self.path / name / "order").iterdir()} - {entry["order"]}
            self._replaced += [f"{name}/order/{order}" for order in orders]
        return section

    def set_order(self, section: Section, order: np.ndarray) -> None:
        """Set the positions of a section's runs in the results, from the next `update_attributes` on."""
        if replaced := section.set_order(order):
            self._replaced.append(replaced)

    def drop(self, section: Section) -> None:
        """Drop a section, from the next `update_attributes` on."""
        del self.attributes["sections"][section.name]
        self._replaced.append(section.name)
        self._sections.pop(section.name, None)

    def _section(self, name: str) -> Section:
        if name not in self._sections:
            self._sections[name] = Section(self._store, self.path, name, self.attributes["sections"][name])
        return self._sections[name]


def _dataset(files: Mapping[str, bytes]) -> xr.Dataset:
    return xr.open_zarr(memory(files), zarr_format=3, consolidated=False).load()


def restore_root(path: Path) -> bool:
    """Put the copy of a store's root in the place of one that is damaged; whether it was, and there is a copy."""
    with suppress(DamageError):
        _verified(path, ROOT)
        return False
    with suppress(DamageError):
        _write_root(path, _verified(path, COPY))
        return True
    return False


def _verified(path: Path, name: str) -> dict[str, Any]:
    """The attributes in the file of a root, or of its copy.

    Raises:
        DamageError: they are not as they were written.
    """
    try:
        attributes = read_attributes(path, name)
        if attributes.pop("digest", None) == digest(_canonical(attributes)):
            return attributes
    except Exception as error:  # a damaged file may be no JSON, or JSON of any shape
        raise DamageError(f"{name}: {reason(error)}") from error
    raise DamageError(f"{name}: it is not as it was written")


def _write_root(path: Path, attributes: Mapping[str, Any]):
    """Write the root, and then its copy."""
    sealed = {**attributes, "digest": digest(_canonical(attributes))}
    data = json.dumps({"attributes": sealed, "zarr_format": 3, "node_type": "group"}, indent=2).encode()
    for name in (ROOT, COPY):
        _ensure(path, name, data)


def _canonical(attributes: Mapping[str, Any]) -> bytes:
    return json.dumps(attributes, sort_keys=True).encode()


def _ensure(root: Path, name: str, data: bytes):
    """Write a file unless it is as it would be written."""
    try:
        read_file(root, name, digest(data))
    except DamageError:
        write_file(root, name, data)
