"""Results on disk: one zarr store a study, and what it was made with."""

import json
import os
import platform
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from adamlab.errors import InputError

STORE = "results.zarr"
FORMAT = 1
PACKAGES = ("adamlab", "jax", "jaxlib", "optax", "numpy")


class StoreError(InputError):
    """A folder that holds no results, or results that cannot be read."""


def attributes(source: Mapping[str, Any]) -> dict[str, Any]:
    """What a store says of its making: the config, versions, platform, time."""
    return {
        "adamlab_format": FORMAT,
        "config": json.dumps(source, sort_keys=True),
        "versions": {package: version(package) for package in PACKAGES},
        "platform": platform.platform(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def save(tree: xr.DataTree, folder: Path) -> None:
    """Writes the results; until the last byte is there the folder keeps what it had."""
    partial = folder / f".{STORE}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tree.to_zarr(partial, mode="w", zarr_format=3, consolidated=False)
        shutil.rmtree(folder / STORE, ignore_errors=True)
        partial.rename(folder / STORE)
    except OSError as error:
        raise StoreError(f"{folder}: the results cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


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
    return tree


def config_of(tree: xr.DataTree) -> dict[str, Any]:
    """The plain data of the config that made these results."""
    return json.loads(tree.attrs["config"])
