"""Results on disk: one zarr store a study, and what it was made with."""

import json
import platform
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from adamlab.errors import InputError

STORE = "results.zarr"
FORMAT = 2
PACKAGES = ("adamlab", "jax", "jaxlib", "optax", "numpy", "sympy")


class StoreError(InputError):
    """A folder that holds no results, or results that cannot be read."""


def attributes(source: Mapping[str, Any]) -> dict[str, Any]:
    """What a store says of its making: the config, versions, machine and device, the state of the repository, time."""
    import jax

    return {
        "adamlab_format": FORMAT,
        "config": json.dumps(source, sort_keys=True),
        "versions": versions(),
        "platform": platform.platform(),
        "device": f"{jax.local_device_count()} × {jax.devices()[0].device_kind}",
        "processes": jax.process_count(),
        "git": git_state(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def versions() -> dict[str, str]:
    """The versions of what results depend on."""
    return {package: version(package) for package in PACKAGES}


def git_state() -> dict[str, Any] | None:
    """The commit of the repository that the current folder is in, and whether something is changed; None outside."""
    try:
        commit, changes = (
            subprocess.run(["git", *command], capture_output=True, text=True, check=True, timeout=10).stdout.strip()
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": bool(changes)}


def make_folder(folder: Path) -> None:
    """Makes the folder where it is missing.

    Raises:
        StoreError: it cannot be made, or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StoreError(f"{folder}: results cannot be written here: {error.strerror or error}") from error


def save(tree: xr.DataTree, folder: Path) -> None:
    """Writes results that are there as a whole; the folder keeps what it had until all of them are."""
    make_folder(folder)
    with tempfile.TemporaryDirectory(prefix=".adamlab-", dir=folder) as aside:
        new, old = Path(aside) / "new", Path(aside) / "old"
        try:
            tree.to_zarr(new, mode="w", zarr_format=3, consolidated=False)
            if (folder / STORE).exists():
                (folder / STORE).rename(old)
            new.rename(folder / STORE)
        except OSError as error:
            raise StoreError(f"{folder}: the results cannot be written: {error.strerror or error}") from error


def load(folder: str | Path) -> xr.DataTree:
    """The results of a run, one child a problem.

    Of a run that was cut off, what is not done is NaN, and −1 among whole numbers; the coordinate `done` says of each
    run whether it is.

    Args:
        folder: where they were written, as in `al.run(config, out=folder)`.

    Raises:
        StoreError: there are none, they are of another format, or what was written of them cannot be read.
    """
    path = Path(folder) / STORE
    found = root_attributes(path)
    try:
        if "labels" in found:
            from adamlab.studies.blocks import Blocks
            from adamlab.studies.dataset import tree_of

            return tree_of(Blocks.open(path))
        tree = xr.open_datatree(path, engine="zarr", consolidated=False)
        missing = [name for name in found["problems"] if _is_incomplete(tree, name)]
    except Exception as error:  # zarr and xarray raise whatever a damaged store makes them raise
        raise StoreError(
            f"{path} is damaged: {' '.join(str(error).split())}. Run its config again: what can be read is kept, and "
            "the rest is computed anew."
        ) from error
    if missing:
        raise StoreError(f"{path} is damaged: it lacks results of {', '.join(missing)}. Run its config anew.")
    return xr.DataTree(tree.to_dataset(), children={name: tree.children[name] for name in found["problems"]})


def root_attributes(path: Path) -> dict[str, Any]:
    """What a store says of its making.

    Raises:
        StoreError: there is no store, or one that is not ours, or of another format.
    """
    import zarr

    if not path.is_dir():
        raise StoreError(f"{path.parent}: there are no results here (no {path.name}); adamlab run writes them.")
    try:
        found = dict(zarr.open_group(str(path), mode="r", zarr_format=3).attrs)
    except Exception as error:  # zarr raises whatever a damaged store makes it raise
        raise StoreError(f"{path} cannot be read as a store of results: {' '.join(str(error).split())}") from error
    made: Any = found.get("adamlab_format")
    if made is None:
        raise StoreError(f"{path} is a store that adamlab did not write. Choose another folder.")
    if made != FORMAT:
        remedy = "Update adamlab to read it." if made > FORMAT else "Run its config anew, with --fresh."
        raise StoreError(f"{path} is of format {made}; this adamlab reads format {FORMAT}. {remedy}")
    return found


def another(folder: Path, changed: Sequence[str]) -> StoreError:
    """What is said where a folder holds the results of a config that differs by more than further runs."""
    lines = "\n".join(f"  {line}" for line in changed)
    return StoreError(
        f"{folder} holds the results of a config that differs by more than further runs:\n{lines}\n"
        "Choose another folder with --out, or replace them with --fresh."
    )


def config_of(found: Mapping[Any, Any]) -> dict[str, Any]:
    """The plain data of the config that made results, from what they say of their making."""
    return json.loads(found["config"])


def _is_incomplete(tree: xr.DataTree, name: str) -> bool:
    """Whether the child or a variable of it is not there."""
    written = tree.attrs["variables"][name]
    return name not in tree.children or not {*written} <= {*map(str, tree[name].to_dataset().variables)}
