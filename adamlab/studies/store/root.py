"""The root of a store: what the store says of itself, sealed with a digest, and a copy that replaces it after damage.

The digest has no key, so that whoever writes a folder can seal any root. Its shape is therefore checked as well: what
names a file is of the known names, and can lead to no other place.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from adamlab.errors import reason
from adamlab.problems import is_name
from adamlab.studies.store.files import DamageError, digest, read_file, size_of, write_file
from adamlab.studies.store.folder import REPLACE, ROOT, RUN_AGAIN, StoreError
from adamlab.studies.store.provenance import FORMAT, OLDEST
from adamlab.studies.store.section import CHECKSUM

COPY = "zarr.json.copy"
"""The copy of the root, written after it."""

MOST = 2**28
"""The most bytes of a root."""

RUNS = "runs"
"""The kind of a store whose root names none."""


def read_root(path: Path) -> dict[str, Any]:
    """The attributes at a store's root, see `adamlab.studies.store.provenance`.

    Raises:
        StoreError: there is no store, it was not written by adamlab, it has another format, or its root is damaged.
    """
    if not path.is_dir():
        raise StoreError(f"{path.parent}: there are no results here (no {path.name}); adamlab run writes them.")
    try:
        attributes = _attributes(path, ROOT)
    except DamageError as error:
        raise StoreError(f"{path} cannot be read as a store of results: {error}. {_remedy(path)}") from error
    version = attributes.get("adamlab_format")
    if version is None:
        raise StoreError(f"{path} is a store that adamlab did not write. Choose another folder.")
    if type(version) is not int:
        raise StoreError(f"{path} is damaged: its format is no number. {_remedy(path)}")
    if not OLDEST <= version <= FORMAT:
        remedy = "Update adamlab to read it." if version > FORMAT else "Run its config anew, with --fresh."
        raise StoreError(f"{path} is of format {version}; this adamlab reads formats {OLDEST} to {FORMAT}. {remedy}")
    try:
        return verified_root(path)
    except DamageError as error:
        raise StoreError(f"{path} is damaged where it says what it holds: {error}. {_remedy(path)}") from error


def verified_root(path: Path, name: str = ROOT) -> dict[str, Any]:
    """The attributes in the file of a root, or of its copy.

    Raises:
        DamageError: they are not as they were written.
    """
    attributes = _attributes(path, name)
    seal, data = attributes.pop("digest", None), _canonical(attributes)
    shape = _Runs if attributes.get("of", RUNS) == RUNS else _Items
    with suppress(ValidationError, RecursionError):
        if seal == digest(data):
            shape.model_validate_json(data)
            return attributes
    raise DamageError(f"{name}: it is not as it was written")


def restore_root(path: Path) -> bool:
    """Put the copy of a store's root in the place of one that is damaged; whether it was, and there is a copy."""
    with suppress(DamageError):
        verified_root(path)
        return False
    with suppress(DamageError):
        write_root(path, verified_root(path, COPY))
        return True
    return False


def write_root(path: Path, attributes: Mapping[str, Any]) -> None:
    """Write the root, and then its copy."""
    sealed = {**attributes, "digest": digest(_canonical(attributes))}
    for name in (ROOT, COPY):
        ensure_file(path, name, group(sealed))


def ensure_file(root: Path, name: str, data: bytes) -> None:
    """Write a file unless it is as it would be written."""
    try:
        read_file(root, name, digest(data))
    except DamageError:
        write_file(root, name, data)


def group(attributes: Mapping[str, Any]) -> bytes:
    """The metadata of a zarr group with these attributes."""
    return json.dumps({"attributes": attributes, "zarr_format": 3, "node_type": "group"}, indent=2).encode()


def _attributes(path: Path, name: str) -> dict[str, Any]:
    size = size_of(path, name)
    if size > MOST:
        raise DamageError(f"{name} has {size:,} bytes")
    try:
        whole = json.loads((path / name).read_bytes())
        if (whole["zarr_format"], whole["node_type"]) != (3, "group"):  # the digest is of the attributes alone
            raise ValueError("it is no group of zarr's format 3")
        return {**whole["attributes"]}
    except MemoryError:
        raise
    except Exception as error:  # a damaged file may be no JSON, or JSON of any shape
        raise DamageError(f"{name}: {reason(error, 200)}") from error


def _remedy(path: Path) -> str:
    """What to do about a damaged root: a run puts its copy back."""
    with suppress(DamageError):
        verified_root(path, COPY)
        return RUN_AGAIN
    return REPLACE


def _canonical(attributes: Mapping[str, Any]) -> bytes:
    return json.dumps(attributes, sort_keys=True).encode()


def _problem(name: str) -> str:
    if not is_name(name):
        raise ValueError("no name of a problem")
    return name


def _path_part(name: str) -> str:
    if re.fullmatch(r"[^/\\\0]{1,255}", name) is None or name in (".", ".."):
        raise ValueError("no name of an array")
    return name


def _json_table(text: str) -> str:
    if not isinstance(json.loads(text), dict):
        raise ValueError("no table")
    return text


def _pattern(pattern: str) -> Any:
    return Field(pattern=f"^(?:{pattern})$")


_Digest = Annotated[str, _pattern("[0-9]{1,15}-[0-9a-f]{32}")]
_Part = Annotated[str, _pattern("[0-9a-f]{16}")]
_ProblemName = Annotated[str, AfterValidator(_problem)]
_ArrayName = Annotated[str, AfterValidator(_path_part)]
_MetadataFile = Annotated[str, _pattern("([A-Za-z0-9_]+/)?zarr[.]json|[A-Za-z0-9_]+/c(/0)*")]
_Count = Annotated[int, Field(gt=0, le=2**40)]
_Size = Annotated[int, Field(gt=0, le=2**30)]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Section(_Table):
    stage: Literal["tuning", "evaluation"]
    runs: _Count
    sizes: tuple[_Size, _Size, bool]
    recorded: Annotated[list[_ArrayName], Field(min_length=1)]
    numbers: list[_ArrayName]
    files: dict[str, _Digest]
    order: _Digest
    starts: list[int] | None = None

    @model_validator(mode="after")
    def _agrees(self):
        block, at_a_time, _ = self.sizes
        if {*self.files} != {*_section_files(self.recorded, self.numbers)} or block % at_a_time:
            raise ValueError("other files, or blocks")
        if (_bytes(self.order), _bytes(self.files["run_id/c/0"])) != (8 * self.runs, 8 * self.runs + CHECKSUM):
            raise ValueError("another number of runs")
        return self


class _Root(_Table):
    adamlab_format: Annotated[int, Field(ge=OLDEST, le=FORMAT)]
    config: Annotated[str, AfterValidator(_json_table)]
    own_code: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str]
    platform: str
    device: str
    processes: int
    git: dict[str, str | bool] | None
    created: str


class _Runs(_Root):
    problems: Annotated[list[_ProblemName], Field(min_length=1)]
    by: str | None
    labels: Annotated[dict[_Part, str], Field(min_length=1)]
    sections: dict[str, _Section]
    metadata: dict[_ProblemName, dict[_MetadataFile, _Digest]]
    left_out: dict[_Part, str] = Field(default_factory=dict)
    todo: dict[str, list[int]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees(self):
        for name in self.sections:
            problem, part, number = name.split("/")
            is_number = re.fullmatch("0|[1-9][0-9]{0,8}", number) is not None
            if not (problem in self.metadata and part in {**self.labels, **self.left_out} and is_number):
                raise ValueError("no name of a section")
        if any(not {"zarr.json", "step/zarr.json"} <= {*files} for files in self.metadata.values()):
            raise ValueError("metadata without steps")
        return self


class _Items(_Root):
    of: str
    items: Annotated[list[Annotated[str, _pattern("[0-9a-f]{32}")]], Field(min_length=1)]


def _section_files(recorded: list[str], numbers: list[str]) -> Iterator[str]:
    """The paths of a section's files that never change."""
    yield from ("zarr.json", "settings/zarr.json")
    yield from (f"{name}/zarr.json" for name in (*recorded, "done"))
    for name in ("run_id", "seed", "start", "setting", *(f"settings/{name}" for name in ("spec", *numbers))):
        yield from (f"{name}/zarr.json", f"{name}/c/0")


def _bytes(file_digest: str) -> int:
    return int(file_digest.partition("-")[0])
