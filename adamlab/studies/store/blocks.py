"""A store of runs: a group for each problem, within it one for each optimizer's part, within that its sections.

The root says what counts: its attributes list the sections and the problems' metadata, with the digests of all their
files that never change, and end with a digest of themselves. Whatever is added is written first and counts once the
root is written, in one step; what a killed process leaves behind is not listed, and nothing else in the folder is read.
A section never changes: runs that are added later get a section of their own.
"""

from collections.abc import Mapping
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
from adamlab.studies.store.folder import ROOT
from adamlab.studies.store.root import ensure_file, verified_root, write_root
from adamlab.studies.store.section import CHECKED, GROUP, Section, entry_of, files_of, memory


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
        return cls(path, verified_root(path))

    def refresh(self) -> None:
        """Read the root again, where another process has written it."""
        assert self.path is not None
        self.__init__(self.path, verified_root(self.path))

    def update_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Update attributes at the root, all in one write; what was added counts from now on."""
        self.attributes.update(attributes)
        if self.path is None:
            return
        for part in {name.rpartition("/")[0] for name in self.attributes["sections"]}:
            ensure_file(self.path, f"{part}/{ROOT}", GROUP)
        write_root(self.path, self.attributes)
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
        self._metadata[problem] = _dataset(problem, files)
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
            self._metadata[problem] = _dataset(problem, files)
        return self._metadata[problem]

    def sections(self, problem: str, part: str | None = None) -> list[Section]:
        """The sections of a problem, or of one part of it, in the order in which they were added."""
        ahead = f"{problem}/" if part is None else f"{problem}/{part}/"
        sections = [self.section(name) for name in self.attributes["sections"] if name.startswith(ahead)]
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

    def section(self, name: str) -> Section:
        """The section of that name."""
        if name not in self._sections:
            self._sections[name] = Section(self._store, self.path, name, self.attributes["sections"][name])
        return self._sections[name]


def _dataset(problem: str, files: Mapping[str, bytes]) -> xr.Dataset:
    try:
        metadata = xr.open_zarr(memory(files), zarr_format=3, consolidated=False).load()
    except MemoryError:
        raise
    except Exception as error:  # zarr and xarray raise whatever files of any content make them raise
        raise DamageError(f"{problem}: its metadata: {reason(error, 200)}") from error
    if metadata.sizes.get("step", 0) == 0:
        raise DamageError(f"{problem}: its metadata has no steps")
    return metadata
