"""Sections: runs of one optimizer on one problem that were added at one time, in blocks.

What is known ahead of the runs, a section's columns, settings and metadata, is in files that never change; the root of
the store has their digests. A block is valid only once its flag, written last, is set to a number that its runs and the
checksums of its files give: a killed process leaves no block that is half valid, and no block passes for another.
"""

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.buffer import cpu
from zarr.codecs import Crc32cCodec
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore, StorePath

from adamlab.errors import reason
from adamlab.studies.engine.block_sizes import Sizes
from adamlab.studies.engine.program import Arrays, Program
from adamlab.studies.engine.recording import dims_of
from adamlab.studies.plan import Plan
from adamlab.studies.store.files import DamageError, Files, digest, make_way, read_file, size_of, write_file

CHECKED = (Crc32cCodec(),)
"""Checksums without compression, which would take more time than all else; a flipped bit shows when it is read."""

CHECKSUM = 4
"""The bytes of a checksum, with which the file of a chunk ends."""

COLUMNS = {"run_id": np.uint64, "seed": np.uint32, "start": np.int32, "setting": np.int32}
"""The types of columns."""

WRITTEN: Any = {"write_empty_chunks": True}
"""A chunk of fill values alone, as where all runs diverge at once, is written too: a missing chunk is damage."""


class Section:
    """Runs of one optimizer on one problem that were added at one time.

    Args:
        store: the zarr store that it is in.
        root: the store's folder; None where it is in memory.
        name: its path in the store: the problem, the optimizer's part, and a number.
        entry: what the store's root says of it, see `entry_of`.
        files: its files that never change; by default they are read when they are asked for.
    """

    def __init__(self, store: Store, root: Path | None, name: str, entry: dict[str, Any], files: Files | None = None):
        self.name, self.entry = name, entry
        self.problem, self.part, number = name.split("/")
        self.number = int(number)
        self._store, self._root = store, root
        self._files: Files = dict(files or {})
        self._arrays: dict[str, zarr.Array] = {}
        self._columns: dict[str, np.ndarray] = {}

    @property
    def sizes(self) -> Sizes:
        """The sizes of its blocks."""
        return Sizes(*self.entry["sizes"])

    @property
    def block(self) -> int:
        """The number of runs in a block."""
        return self.sizes.block

    @property
    def stage(self) -> str:
        """The stage of its runs, "tuning" or "evaluation"."""
        return self.entry["stage"]

    @property
    def names(self) -> list[str]:
        """The names of the recorded quantities."""
        return self.entry["recorded"]

    def column(self, name: str) -> np.ndarray:
        """A column known before the runs are computed: run_id, setting, start or seed.

        Raises:
            DamageError: it cannot be read.
        """
        return self._known(name)

    def starts(self) -> np.ndarray:
        """The number of each run's start among those of the config that was run last.

        Raises:
            DamageError: they cannot be read.
        """
        numbers, stored = self.entry.get("starts"), self.column("start")
        return stored if numbers is None else np.asarray(numbers, stored.dtype)[stored]

    def renumber_starts(self, now: np.ndarray) -> None:
        """Set the number of each run's start; −1 leaves it open. It counts once the root is written."""
        stored = self.column("start")
        known = now >= 0
        self.entry.pop("starts", None)
        if (stored[known] != now[known]).any():
            numbers = np.full(stored.max() + 1, -1)
            numbers[stored[known]] = now[known]
            self.entry["starts"] = numbers.tolist()

    def order(self) -> np.ndarray:
        """The positions of the runs in the results; −1 leaves a run out.

        Raises:
            DamageError: they cannot be read.
        """
        return np.frombuffer(self._file(self._order, self.entry["order"]), "<i8")

    def set_order(self, order: np.ndarray) -> str | None:
        """Write other positions beside the old ones, which count until the root is written.

        Returns:
            The path of the old ones in the store, where there are any that differ.
        """
        data, before = order.astype("<i8").tobytes(), self.entry.get("order")
        if before == digest(data):
            return None
        self.entry["order"] = digest(data)
        self._write_file(self._order, data)
        return before and f"{self.name}/order/{before}"

    @property
    def _order(self) -> str:
        return f"order/{self.entry['order']}"

    def settings(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The optimizer in full at each of its settings, and its numbers in the order in which they were given.

        Raises:
            DamageError: they cannot be read.
        """
        numbers = {name: self._known(f"settings/{name}") for name in self.entry["numbers"]}
        return self._known("settings/spec").astype(object), numbers

    def __len__(self):
        return self.entry["runs"]

    def rows(self, block: int) -> np.ndarray:
        """The rows of a block."""
        return self.sizes.rows(block, len(self))

    def done(self) -> np.ndarray:
        """Whether the flag of each block is set, or cannot be read: `damaged` then names the block."""
        flags, blocks = self._array("done"), range(self.sizes.count(len(self)))
        try:
            for block in blocks:
                self._require_whole(flags, block)
            return np.asarray(flags[:]) != 0
        except Exception:  # zarr raises whatever a damaged chunk makes its codecs raise
            return np.array([self._flag(block) != 0 for block in blocks], bool)

    def pending(self) -> list[int]:
        """The blocks whose flag is not set."""
        return np.flatnonzero(~self.done()).tolist()

    def write(self, block: int, arrays: Arrays) -> None:
        """Write a block, and then set its flag."""
        first = block * self.block
        for name, values in arrays.items():
            self._array(name)[..., first : first + values.shape[-1]] = values
        try:
            flag = self._seal(block)
        except DamageError as error:  # somebody removes what is written
            raise OSError(errno.EIO, str(error)) from error
        self._array("done")[block : block + 1] = flag

    def invalidate(self, block: int) -> None:
        """Clear a block's flag, and the places of its files of whatever is no file."""
        if self._root is not None:
            for name in (*self.names, "done"):
                make_way(self._root, self._chunk(self._array(name), block))
        self._array("done")[block : block + 1] = 0

    def read(self, name: str, done: np.ndarray) -> np.ndarray:
        """The recorded values of one quantity, runs last; NaN, or −1 among whole numbers, where a block is not done.

        Raises:
            DamageError: a block that is done cannot be read.
        """
        array = self._array(name)
        values = np.full(array.shape, np.nan if array.dtype.kind == "f" else -1, array.dtype)
        for block in np.flatnonzero(done):
            rows = slice(block * self.block, (block + 1) * self.block)
            values[..., rows] = self._values(array, int(block))
        return values

    def verify_files(self) -> None:
        """Read all its files that never change.

        Raises:
            DamageError: a file is not as it was written.
        """
        for name, expected in self.entry["files"].items():
            self._file(name, expected)
        self.order()

    def verify(self, sizes: Mapping[str, int]) -> None:
        """Read all its files that never change, and check that they go together.

        Args:
            sizes: the sizes of dims, where they are known.

        Raises:
            DamageError: a file is not as it was written, or does not go with the others.
        """
        self.verify_files()
        for name, dtype in COLUMNS.items():
            self._require(self.column(name).dtype == dtype, name)
        specs, numbers = self.settings()
        self._require(all(isinstance(spec, str) for spec in specs), "settings/spec")
        for name, values in numbers.items():
            self._require(values.dtype == float and len(values) == len(specs), f"settings/{name}")
        self._require(bool(np.isin(self.column("setting"), np.arange(len(specs))).all()), "setting")
        self._require((self._array("done").dtype, self._array("done").chunks) == (np.uint64, (1,)), "done")
        for name in self.names:
            array = self._array(name)
            whole = (*array.shape[:-1], min(self.block, len(self)))
            self._require(array.dtype.kind in "biufc" and array.chunks == whole, name)
            self._require(array.ndim == len(dims_of(name)) + 1, name)
            dims = dict(zip(dims_of(name), array.shape, strict=False))
            self._require(dims.items() <= {**dims, **sizes}.items(), name)

    def _require(self, agrees: bool, name: str):
        if not agrees:
            raise DamageError(f"{self.name}/{name}: it does not go with the other files")

    def verify_flags(self, done: np.ndarray) -> None:
        """Compare the flags of blocks with their runs and the checksums of their files.

        Raises:
            DamageError: a flag is another.
        """
        for block in np.flatnonzero(done):
            self._verify_flag(int(block))

    def damaged(self) -> list[int]:
        """The blocks whose flag is set, or cannot be read, and that are not as they were written."""
        return [block for block in np.flatnonzero(self.done()).tolist() if not self._is_valid(block)]

    def clear(self, is_new: bool) -> None:
        """Clear the flags of all blocks; of a folder that is not new, those of the blocks that are not valid."""
        if is_new:
            self._array("done")[:] = 0
            return
        for block in range(self.sizes.count(len(self))):
            if not self._is_valid(block):
                self.invalidate(block)

    def write_files(self, order: np.ndarray) -> None:
        """Write its files that never change, and the positions of its runs."""
        for name, data in self._files.items():
            self._write_file(name, data)
        self.set_order(order)

    def _is_valid(self, block: int) -> bool:
        try:
            self._verify_flag(block)
            for name in self.names:
                self._values(self._array(name), block)
        except DamageError:
            return False
        return True

    def _verify_flag(self, block: int):
        if self._flag(block) != self._seal(block):
            raise DamageError(f"{self.name}, block {block}: its files were not written together")

    def _flag(self, block: int) -> int:
        """A block's flag: 0 until it is done; −1 where it cannot be read."""
        try:
            flags = self._array("done")
            self._require_whole(flags, block)
            return int(np.asarray(flags[block : block + 1])[0])
        except Exception:  # zarr raises whatever a damaged chunk makes its codecs raise
            return -1

    def _seal(self, block: int) -> int:
        """The flag of a block that is done: a number of its runs and of the checksums of its files.

        Raises:
            DamageError: a file is missing, or has another size.
        """
        hashed = blake2b(self.column("run_id")[self.rows(block)].tobytes(), digest_size=8)
        for name in self.names if self._root is not None else ():
            hashed.update(name.encode() + self._checksum(self._array(name), block))
        return max(1, int.from_bytes(hashed.digest()))

    def _checksum(self, array: zarr.Array, block: int) -> bytes:
        assert self._root is not None
        self._require_whole(array, block)
        with (self._root / self._chunk(array, block)).open("rb") as file:
            file.seek(-CHECKSUM, 2)
            return file.read()

    def _require_whole(self, array: zarr.Array, block: int):
        # zarr reads a missing chunk as fill values, without an error.
        if self._root is not None:
            what = f"{array.basename}, block {block}: its file is"
            try:
                size = size_of(self._root, self._chunk(array, block))
            except DamageError as error:
                raise DamageError(f"{what} missing, or none") from error
            if size != _size(array):
                raise DamageError(f"{what} not whole")

    def _values(self, array: zarr.Array, block: int) -> np.ndarray:
        self._require_whole(array, block)
        with self._reading(f"{array.basename}, block {block}"):
            return np.asarray(array[..., block * self.block : (block + 1) * self.block])

    def _chunk(self, array: zarr.Array, block: int) -> str:
        return "/".join([array.path, "c", *["0"] * (array.ndim - 1), str(block)])

    def _array(self, name: str) -> zarr.Array:
        """An array whose chunks are in the store; its metadata is among the files that never change."""
        if name not in self._arrays:
            described = self._listed(f"{name}/zarr.json")
            with zarr.config.set({f"array.{key}": value for key, value in WRITTEN.items()}), self._reading(name):
                path = StorePath(self._store, f"{self.name}/{name}")
                array = zarr.Array.from_dict(path, json.loads(described))
                length = self.sizes.count(len(self)) if name == "done" else len(self)
                if array.shape[-1:] != (length,):
                    raise ValueError(f"expected {length} values, got {array.shape}")
            self._arrays[name] = array
        return self._arrays[name]

    def _known(self, name: str) -> np.ndarray:
        """An array that is as a whole among the files that never change."""
        if name not in self._columns:
            described = self._listed(f"{name}/zarr.json")
            store = memory({"c/0": self._listed(f"{name}/c/0")})
            with self._reading(name):
                values = np.asarray(zarr.Array.from_dict(StorePath(store), json.loads(described))[:])
                if values.ndim != 1 or ("/" not in name and len(values) != len(self)):
                    raise ValueError(f"expected {len(self)} values, got {values.shape}")
            self._columns[name] = values
        return self._columns[name]

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Turn whatever zarr makes of a file's contents into a `DamageError`."""
        try:
            yield
        except MemoryError:
            raise
        except Exception as error:
            raise DamageError(f"{self.name}/{name}: {reason(error, 200)}") from error

    def _listed(self, name: str) -> bytes:
        return self._file(name, self.entry["files"][name])

    def _file(self, name: str, expected: str) -> bytes:
        if name not in self._files:
            assert self._root is not None
            self._files[name] = read_file(self._root, f"{self.name}/{name}", expected)
        return self._files[name]

    def _write_file(self, name: str, data: bytes):
        self._files[name] = data
        if self._root is not None:
            write_file(self._root, f"{self.name}/{name}", data)


def _size(array: zarr.Array) -> int:
    """The size of the file of a chunk."""
    return prod(array.chunks) * array.dtype.itemsize + CHECKSUM


GROUP = json.dumps({"attributes": {}, "zarr_format": 3, "node_type": "group"}, indent=2).encode()
"""The metadata of a group without attributes."""


def memory(files: Mapping[str, bytes]) -> MemoryStore:
    """A zarr store of files: what else is in their folder is not seen."""
    return MemoryStore({name: cpu.Buffer.from_bytes(data) for name, data in files.items()})


def files_of(plan: Plan, program: Program) -> Files:
    """The files of a section of these runs that never change: all but the chunks that are written with its blocks."""
    buffers: dict[str, Buffer] = {}
    attributes = {"optimizer": plan.optimizer.label, "stage": plan.stage}
    group = zarr.create_group(MemoryStore(buffers), zarr_format=3, attributes=attributes)
    used, local = np.unique(plan.setting, return_inverse=True)
    columns = {"run_id": plan.ids, "seed": plan.seed, "start": plan.start, "setting": local.astype(np.int32)}
    _write_whole(group, columns, "run")
    specs = plan.optimizer.specs()
    numbers = {name: values[used] for name, values in plan.optimizer.numbers().items()}
    texts = np.array([specs[i] for i in used], np.dtypes.StringDType())
    _write_whole(group.create_group("settings"), {"spec": texts, **numbers}, "setting")
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
    count = program.sizes.count(len(plan))
    group.create_array(
        "done", shape=(count,), chunks=(1,), dtype=np.uint64, compressors=CHECKED, dimension_names=["block"]
    )
    return {name: buffer.to_bytes() for name, buffer in buffers.items()}


def entry_of(plan: Plan, program: Program, files: Files) -> dict[str, Any]:
    """What the root of a store says of a section."""
    sizes = program.sizes
    return {
        "stage": plan.stage,
        "runs": len(plan),
        "sizes": [sizes.block, sizes.at_a_time, sizes.shared],
        "recorded": list(program.shapes),
        "numbers": list(plan.optimizer.numbers()),
        "files": {name: digest(files[name]) for name in sorted(files)},
    }


def _write_whole(group: zarr.Group, columns: Mapping[str, np.ndarray], dim: str):
    """Write columns, each as one chunk."""
    for name, values in columns.items():
        group.create_array(
            name, data=values, chunks=values.shape, compressors=CHECKED, dimension_names=[dim], config=WRITTEN
        )
