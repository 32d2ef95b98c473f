"""Results on disk: one zarr store a study, and what it was made with."""

import json
import platform
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from adamlab.errors import InputError

STORE = "results.zarr"
FORMAT = 1
PACKAGES = ("adamlab", "jax", "jaxlib", "optax", "numpy", "sympy")


class StoreError(InputError):
    """A folder that holds no results, or results that cannot be read."""


def attributes(source: Mapping[str, Any], children: Mapping[str, xr.DataTree]) -> dict[str, Any]:
    """What a store says of its making: the children in order, what is in each, the config, versions, platform, time."""
    return {
        "adamlab_format": FORMAT,
        "problems": list(children),
        "variables": {name: sorted(map(str, child.variables)) for name, child in children.items()},
        "config": json.dumps(source, sort_keys=True),
        "versions": {package: version(package) for package in PACKAGES},
        "platform": platform.platform(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


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
    """Writes the results; the folder keeps what it had until all of them are there."""
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

    Args:
        folder: where they were written, as in `al.run(config, out=folder)`.

    Raises:
        StoreError: there are none, or they are of another format.
    """
    store = Path(folder) / STORE
    if not store.is_dir():
        raise StoreError(f"{folder}: there are no results here (no {STORE}); adamlab run writes them.")
    try:
        tree = xr.open_datatree(store, engine="zarr", consolidated=False)
    except Exception as error:  # zarr and xarray raise whatever a damaged store makes them raise
        raise StoreError(f"{store} cannot be read: {error}") from error
    if tree.attrs.get("adamlab_format") != FORMAT:
        found = tree.attrs.get("adamlab_format", "none")
        raise StoreError(f"{store} is of format {found}; this adamlab reads format {FORMAT}. Run its config anew.")
    missing = [name for name in tree.attrs["problems"] if _is_incomplete(tree, name)]
    if missing:
        raise StoreError(f"{store} is damaged: it lacks results of {', '.join(missing)}. Run its config anew.")
    return xr.DataTree(tree.to_dataset(), children={name: tree.children[name] for name in tree.attrs["problems"]})


def _is_incomplete(tree: xr.DataTree, name: str) -> bool:
    """Whether the child or a variable of it is not there; stores of before this was noted are taken as they are."""
    written = tree.attrs.get("variables", {}).get(name, [])
    return name not in tree.children or not {*written} <= {*map(str, tree[name].to_dataset().variables)}


def config_of(tree: xr.DataTree) -> dict[str, Any]:
    """The plain data of the config that made these results."""
    return json.loads(tree.attrs["config"])
