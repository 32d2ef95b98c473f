"""Blocks of runs in a zarr store: a group for each problem, within it one for each part, within that its sections.

A block is valid only once its `done` flag, written last, is set: a killed process leaves no block that is half valid. A
section, the runs that were added at one time, never changes: runs that are added later get a section of their own.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec
from zarr.storage import MemoryStore

from adamlab.errors import reason
from adamlab.studies.engine.block_sizes import Sizes
from adamlab.studies.engine.program import Arrays, Program
from adamlab.studies.engine.recording import dims_of
from adamlab.studies.plan import Plan

CHECKED = (Crc32cCodec(),)
"""Checksums without compression, which would take more time than all else; a flipped bit shows when it is read."""

WRITTEN: Any = {"write_empty_chunks": True}
"""A chunk of fill values alone, as where all runs diverge at once, is written too: a missing chunk is damage."""


class DamageError(Exception):
    """A block whose `done` flag is set and that cannot be read."""


@dataclass(frozen=True)
class Section:
    """Runs of one optimizer on one problem that were added at one time.

    Attributes:
        group: the section's zarr group.
        problem: the problem's name.
        part: the optimizer's part, see `adamlab.studies.plan.part_of`.
    """

    group: zarr.Group
    problem: str
    part: str
    _arrays: dict[str, zarr.Array] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The section's path in its store."""
        return self.group.path

    @property
    def sizes(self) -> Sizes:
        """The sizes of its blocks."""
        return Sizes(*self._attributes["sizes"])

    @property
    def block(self) -> int:
        """The number of runs in a block."""
        return self.sizes.block

    @property
    def stage(self) -> str:
        """The stage of its runs, "tuning" or "evaluation"."""
        return self._attributes["stage"]

    @property
    def names(self) -> list[str]:
        """The names of the recorded quantities."""
        return self._attributes["recorded"]

    @property
    def numbers(self) -> list[str]:
        """The names of its optimizer's numbers."""
        return self._attributes["numbers"]

    @property
    def _attributes(self) -> dict[str, Any]:
        return dict(self.group.attrs)

    def column(self, name: str) -> np.ndarray:
        """A column known before the runs are computed: run_id, setting, start, seed or order."""
        self._require_chunk(self._array(name), 0)
        return np.asarray(self._array(name)[:])

    def __len__(self):
        return int(self._array("run_id").shape[0])

    def rows(self, block: int) -> np.ndarray:
        """The rows of a block."""
        return self.sizes.rows(block, len(self))

    def done(self) -> np.ndarray:
        """The `done` flags (block,)."""
        return np.asarray(self._array("done")[:], bool)

    def pending(self) -> list[int]:
        """The blocks whose `done` flag is not set."""
        return np.flatnonzero(~self.done()).tolist()

    def write(self, block: int, arrays: Arrays) -> None:
        """Write a block, and then set its `done` flag."""
        first = block * self.block
        for name, values in arrays.items():
            self._array(name)[..., first : first + values.shape[-1]] = values
        self._array("done")[block : block + 1] = True

    def invalidate(self, block: int) -> None:
        """Clear a block's `done` flag."""
        self._array("done")[block : block + 1] = False

    def set_order(self, order: np.ndarray) -> None:
        """Set the positions of the runs in the results; −1 leaves a run out."""
        if not np.array_equal(self.column("order"), order):
            self._array("order")[:] = order

    def read(self, name: str, done: np.ndarray) -> np.ndarray:
        """The recorded values of one quantity, runs last; NaN, or −1 among whole numbers, where a block is not done.

        Raises:
            DamageError: a block that is done cannot be read.
        """
        array = self._array(name)
        values = np.full(array.shape, np.nan if array.dtype.kind == "f" else -1, array.dtype)
        for block in np.flatnonzero(done):
            self._require_chunk(array, int(block))
            rows = slice(block * self.block, (block + 1) * self.block)
            try:
                values[..., rows] = array[..., rows]
            except Exception as error:  # zarr raises whatever a damaged chunk makes its codecs raise
                raise DamageError(f"{name}, block {block}: {reason(error)}") from error
        return values

    def damaged(self) -> list[int]:
        """The blocks whose `done` flag is set and that cannot be read."""
        damaged = []
        for block in np.flatnonzero(self.done()):
            only = np.arange(len(self.done())) == block
            try:
                for name in self.names:
                    self.read(name, only)
            except DamageError:
                damaged.append(int(block))
        return damaged

    def _array(self, name: str) -> zarr.Array:
        if name not in self._arrays:
            with zarr.config.set({f"array.{key}": value for key, value in WRITTEN.items()}):
                array = self.group[name]
            assert isinstance(array, zarr.Array)
            self._arrays[name] = array
        return self._arrays[name]

    def _require_chunk(self, array: zarr.Array, block: int):
        # zarr reads a missing chunk as fill values, without an error.
        root = getattr(array.store, "root", None)
        key = "/".join(["c", *["0"] * (array.ndim - 1), str(block)])
        if root is not None and not (Path(root) / array.path / key).is_file():
            raise DamageError(f"{array.basename}, block {block}: its file is missing")


class Blocks:
    """A store of runs, on disk or in memory."""

    def __init__(self, root: zarr.Group):
        self.root = root

    @classmethod
    def create(cls, path: Path | None, attributes: Mapping[str, Any]) -> "Blocks":
        """Create a store; in memory where there is no path."""
        store = MemoryStore() if path is None else str(path)
        return cls(zarr.create_group(store, zarr_format=3, attributes=dict(attributes)))

    @classmethod
    def open(cls, path: Path, mode: str = "r") -> "Blocks":
        """Open a store; raises whatever zarr raises where there is none."""
        return cls(zarr.open_group(str(path), mode="r+" if mode == "r+" else "r", zarr_format=3))

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes at its root."""
        return dict(self.root.attrs)

    def update_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Update attributes at its root, all in one write."""
        if any(self.attributes.get(name) != value for name, value in attributes.items()):
            self.root.update_attributes(dict(attributes))

    def create_group(self, name: str, metadata: xr.Dataset) -> None:
        """Create a problem's group with its metadata, unless it exists."""
        if name not in self.root or "adamlab" not in self._group(name).attrs:
            self._write(metadata, name)
            self._group(name).update_attributes({"adamlab": "problem"})

    def metadata(self, name: str) -> xr.Dataset:
        """A problem's metadata: the part of its dataset that no run is needed for."""
        data = self._read(name)
        return data.drop_attrs(deep=False).assign_attrs({k: v for k, v in data.attrs.items() if k != "adamlab"})

    def sections(self, problem: str, part: str | None = None) -> list[Section]:
        """The sections of a problem, or of one part of it, in the order in which they were added."""
        if problem not in self.root:
            return []
        parts = sorted(self._group(problem).group_keys()) if part is None else [part]
        sections = []
        for name in parts:
            if name in self._group(problem):
                group = self._group(f"{problem}/{name}")
                numbers = sorted(int(key) for key in group.group_keys())
                sections += [Section(self._group(f"{problem}/{name}/{i}"), problem, name) for i in numbers]
        return [section for section in sections if "done" in section.group]

    def add(self, part: str, plan: Plan, program: Program, order: np.ndarray) -> Section:
        """Add a section for runs; it exists once its `done` flags, created last, do."""
        problem = plan.problem.name
        number = 1 + max((int(section.name.rpartition("/")[2]) for section in self.sections(problem, part)), default=-1)
        group = self.root.create_group(f"{problem}/{part}/{number}", overwrite=True)
        group.update_attributes(
            {
                "sizes": [*astuple(program.sizes)],
                "stage": plan.stage,
                "recorded": list(program.shapes),
                "numbers": list(plan.optimizer.numbers()),
            }
        )
        used, local = np.unique(plan.setting, return_inverse=True)
        columns = {"run_id": plan.ids, "seed": plan.seed, "start": plan.start, "order": order}
        columns["setting"] = local.astype(np.int32)
        for name, values in columns.items():
            group.create_array(name, data=values, compressors=CHECKED, dimension_names=["run"], config=WRITTEN)
        specs = plan.optimizer.specs()
        numbers = {name: ("setting", values[used]) for name, values in plan.optimizer.numbers().items()}
        settings = xr.Dataset(numbers, {"spec": ("setting", np.array([specs[i] for i in used], object))})
        self._write(settings, f"{group.path}/settings")
        for name, shape in program.shapes.items():
            group.create_array(
                name,
                shape=(*shape.shape, len(plan)),
                chunks=(*shape.shape, min(program.sizes.block, len(plan))),
                dtype=shape.dtype,
                compressors=CHECKED,
                fill_value=np.nan if shape.dtype.kind == "f" else -1,
                dimension_names=[*dims_of(name), "run"],
            )
        group.create_array(
            "done",
            shape=(program.sizes.count(len(plan)),),
            chunks=(1,),
            dtype=bool,
            compressors=CHECKED,
            fill_value=False,
            dimension_names=["block"],
        )
        return Section(self._group(group.path), problem, part)

    def require_columns(self, section: Section) -> None:
        """Read all columns of a section that are known before its runs; raises whatever damage makes zarr raise."""
        section.done()
        for name in ("run_id", "setting", "start", "seed", "order"):
            section.column(name)
        if len(self.settings(section).spec) <= section.column("setting").max():
            raise DamageError(f"{section.name}: it lacks settings")

    def settings(self, section: Section) -> xr.Dataset:
        """A section's settings: its numbers, in the order in which they were given, and the optimizers as `spec`."""
        return self._read(f"{section.name}/settings")[section.numbers]

    def _write(self, data: xr.Dataset, name: str):
        encoding = {str(variable): {"compressors": CHECKED} for variable in data.variables}
        data.to_zarr(self.root.store, group=name, mode="w", zarr_format=3, consolidated=False, encoding=encoding)

    def _read(self, name: str) -> xr.Dataset:
        return xr.open_zarr(self.root.store, group=name, zarr_format=3, consolidated=False).load()

    def _group(self, name: str) -> zarr.Group:
        group = self.root[name]
        assert isinstance(group, zarr.Group)
        return group
