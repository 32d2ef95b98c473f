"""The store of a study's runs: a group for each problem, in it one for each optimizer, and blocks of runs in those.

A block counts once its `done` mark is there, which is written last; a killed process leaves none that is half there.
Sections, the runs that were asked for at one time, are never changed: runs that join later are a section of their own.
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

from adamlab.studies.engine import Arrays, Program
from adamlab.studies.planning import Plan
from adamlab.studies.quantities import BY_COORDINATE
from adamlab.studies.sizes import Sizes

CHECKED = (Crc32cCodec(),)
"""Nothing is compressed, which would take more time than all else; a flipped bit is found when it is read."""


WRITTEN: Any = {"write_empty_chunks": True}
"""A chunk that is all fill value, as where all runs diverge at once, is written too: a missing one is damage."""


class DamageError(Exception):
    """A block that counts as done and cannot be read."""


@dataclass(frozen=True)
class Section:
    """Runs of one optimizer on one problem that were asked for at one time.

    Attributes:
        group: where they are.
        problem: the problem's name.
        part: the optimizer's part.
    """

    group: zarr.Group
    problem: str
    part: str
    _arrays: dict[str, zarr.Array] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """How it is known in its store."""
        return self.group.path

    @property
    def sizes(self) -> Sizes:
        """How many runs a block has, and how many are computed at a time."""
        return Sizes(*self._attributes["sizes"])

    @property
    def block(self) -> int:
        """How many runs a block has."""
        return self.sizes.block

    @property
    def stage(self) -> str:
        """Which of `planning.STAGES` its runs belong to."""
        return self._attributes["stage"]

    @property
    def names(self) -> list[str]:
        """What is recorded."""
        return self._attributes["recorded"]

    @property
    def numbers(self) -> list[str]:
        """The numbers that its optimizer is given."""
        return self._attributes["numbers"]

    @property
    def _attributes(self) -> dict[str, Any]:
        return dict(self.group.attrs)

    def column(self, name: str) -> np.ndarray:
        """Something known of every run before it is run: run_id, setting, start, seed, order."""
        self._require_chunk(self._array(name), 0)
        return np.asarray(self._array(name)[:])

    def __len__(self):
        return int(self._array("run_id").shape[0])

    def rows(self, block: int) -> np.ndarray:
        """The rows of a block."""
        return self.sizes.rows(block, len(self))

    def done(self) -> np.ndarray:
        """For each block whether it counts."""
        return np.asarray(self._array("done")[:], bool)

    def pending(self) -> list[int]:
        """The blocks that do not count yet."""
        return np.flatnonzero(~self.done()).tolist()

    def write(self, block: int, arrays: Arrays) -> None:
        """Writes a block, and then its mark."""
        first = block * self.block
        for name, values in arrays.items():
            self._array(name)[..., first : first + values.shape[-1]] = values
        self._array("done")[block : block + 1] = True

    def forget(self, block: int) -> None:
        """Lets a block count no more."""
        self._array("done")[block : block + 1] = False

    def reorder(self, order: np.ndarray) -> None:
        """Says where the runs stand in the results; −1 leaves a run out."""
        if not np.array_equal(self.column("order"), order):
            self._array("order")[:] = order

    def read(self, name: str, done: np.ndarray) -> np.ndarray:
        """What was recorded under a name, runs last; NaN, or −1 among whole numbers, where a block is not done.

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
                raise DamageError(f"{name}, block {block}: {' '.join(str(error).split())}") from error
        return values

    def damaged(self) -> list[int]:
        """The blocks that count and cannot be read."""
        found = []
        for block in np.flatnonzero(self.done()):
            only = np.arange(len(self.done())) == block
            try:
                for name in self.names:
                    self.read(name, only)
            except DamageError:
                found.append(int(block))
        return found

    def _array(self, name: str) -> zarr.Array:
        if name not in self._arrays:
            with zarr.config.set({f"array.{key}": value for key, value in WRITTEN.items()}):
                array = self.group[name]
            assert isinstance(array, zarr.Array)
            self._arrays[name] = array
        return self._arrays[name]

    def _require_chunk(self, array: zarr.Array, block: int):
        """A chunk that is missing would be read as if it were empty."""
        root = getattr(array.store, "root", None)
        key = "/".join(["c", *["0"] * (array.ndim - 1), str(block)])
        if root is not None and not (Path(root) / array.path / key).is_file():
            raise DamageError(f"{array.basename}, block {block}: its file is missing")


class Blocks:
    """A store of runs, on disk or, where there is no folder for it, in memory."""

    def __init__(self, root: zarr.Group):
        self.root = root

    @classmethod
    def create(cls, path: Path | None, attributes: Mapping[str, Any]) -> "Blocks":
        """A new store."""
        store = MemoryStore() if path is None else str(path)
        return cls(zarr.create_group(store, zarr_format=3, attributes=dict(attributes)))

    @classmethod
    def open(cls, path: Path, mode: str = "r") -> "Blocks":
        """A store that is there; raises whatever zarr raises where it is none."""
        return cls(zarr.open_group(str(path), mode="r+" if mode == "r+" else "r", zarr_format=3))

    @property
    def attributes(self) -> dict[str, Any]:
        """What the store says of its making."""
        return dict(self.root.attrs)

    def say(self, attributes: Mapping[str, Any]) -> None:
        """Changes what it says, all at once."""
        if any(self.attributes.get(name) != value for name, value in attributes.items()):
            self.root.update_attributes(dict(attributes))

    def begin(self, name: str, about: xr.Dataset) -> None:
        """Makes a problem's group, of what is known of the problem, where there is none."""
        if name not in self.root or "adamlab" not in self._group(name).attrs:
            self._write(about, name)
            self._group(name).update_attributes({"adamlab": "problem"})

    def about(self, name: str) -> xr.Dataset:
        """What is known of a problem beside its runs."""
        found = self._read(name)
        return found.drop_attrs(deep=False).assign_attrs({k: v for k, v in found.attrs.items() if k != "adamlab"})

    def sections(self, problem: str, part: str | None = None) -> list[Section]:
        """The sections of a problem, or of one optimizer on it, in the order in which they were made."""
        if problem not in self.root:
            return []
        parts = sorted(self._group(problem).group_keys()) if part is None else [part]
        found = []
        for name in parts:
            if name in self._group(problem):
                group = self._group(f"{problem}/{name}")
                numbers = sorted(int(key) for key in group.group_keys())
                found += [Section(self._group(f"{problem}/{name}/{i}"), problem, name) for i in numbers]
        return [section for section in found if "done" in section.group]

    def add(self, part: str, plan: Plan, program: Program, order: np.ndarray) -> Section:
        """Makes a section for runs; it is there once its marks are, which are made last."""
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
        """Reads all that is known of a section before its runs; raises whatever damage makes zarr raise."""
        section.done()
        for name in ("run_id", "setting", "start", "seed", "order"):
            section.column(name)
        if len(self.settings(section).spec) <= section.column("setting").max():
            raise DamageError(f"{section.name}: it lacks settings")

    def settings(self, section: Section) -> xr.Dataset:
        """The numbers of a section's settings, in the order in which they were given, and `spec`, the optimizer."""
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


def dims_of(name: str) -> tuple[str, ...]:
    """The dims that something recorded has before that of the runs."""
    whole_run: dict[str, tuple[str, ...]] = {"final_params": ("parameter",), "diverged_at": (), "steps_to_target": ()}
    return whole_run.get(name, ("step", "dim") if name in BY_COORDINATE else ("step",))
