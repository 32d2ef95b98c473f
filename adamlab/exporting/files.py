"""Results as files: netCDF, zarr, Parquet or CSV."""

import json
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.errors import InputError, printable
from adamlab.files import replacing
from adamlab.studies.engine.recording import LOW_DIMENSION
from adamlab.studies.kinds import load
from adamlab.studies.store.folder import replace_store
from adamlab.studies.store.provenance import plain

FORMAT_KEY = "adamlab_format"
"""The attribute by which a store that `adamlab run` wrote is known."""

NEEDED = {".nc": ("h5netcdf", "h5py"), ".parquet": ("pyarrow",)}
"""The libraries that write a format, where they are none of adamlab's own dependencies."""


VECTORS = ("dim", "parameter", "layer")
"""The dims of quantities that have several numbers at a step, or for a run as a whole."""


def export(results: str | Path | xr.DataTree, file: str | Path) -> list[Path]:
    """Write results to a file for other programs; the ending of its name says the format.

    - `.nc`: netCDF 4, a group for each problem, or for the comparisons or readings.
    - `.zarr`: a store of zarr 3 with the same groups, which xarray opens with its labels and dims.
    - `.parquet` and `.csv`: tables, see `tables`. Where there are several, each beside the first has the name of its
      rows added to the file's.

    Args:
        results: a results folder, or what `al.run` and `al.load` return.
        file: the file; it is replaced if it exists.

    Returns:
        The files that were written.

    Raises:
        InputError: the format is unknown, a library for it is not installed, or the file cannot be written.
        StoreError: the folder has no results, or they are damaged.
    """
    path = Path(file)
    if path.suffix not in WRITERS:
        raise InputError(f'expected a file that ends with {", ".join(WRITERS)}; got "{path.name}"')
    if missing := [library for library in NEEDED.get(path.suffix, ()) if find_spec(library) is None]:
        raise InputError(
            f"{path.suffix} files need {' and '.join(missing)}, not installed here: pip install 'adamlab[export]'"
        )
    tree = results if isinstance(results, xr.DataTree) else load(results)
    if not tree.children:
        raise InputError("there is nothing to export: no run is done")
    try:
        return WRITERS[path.suffix](tree, path)
    except OSError as error:
        raise InputError(f"{error.filename or path} cannot be written: {error.strerror or error}") from error


def tables(tree: xr.DataTree) -> dict[str, pd.DataFrame]:
    """The results as tables, by what a row is, with a column for each quantity and each label.

    Of runs "step", a row for each recorded step of each run, in which numbers of a run as a whole are repeated, and
    vectors have a column for each coordinate or layer, such as `params_0`; vectors of large problems, landscapes and
    minima are left out. Of comparisons "family", a row for each family of gradients; of readings "step", a row for each
    formula, and "lag", a row for each weight.
    """
    parts: dict[str, list[pd.DataFrame]] = {}
    for name, child in tree.children.items():
        for row, table in _tables_of(child.to_dataset()):
            if child.attrs.get("of") == "runs":
                table.insert(0, "problem", name)
            parts.setdefault(row, []).append(table)
    return {row: pd.concat(tables, ignore_index=True) for row, tables in parts.items()}


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, see `without_formulas`."""
    with replacing(path) as new:
        without_formulas(table).to_csv(new, index=False)


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a ' before each text that spreadsheets would take for a formula."""
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    return table.assign(**{name: table[name].map(_no_formula) for name in texts})


def _tables_of(data: xr.Dataset) -> Iterator[tuple[str, pd.DataFrame]]:
    """The tables of a dataset; the first dim of a table's rows is what was run, compared or read."""
    for rows in (("run", "step"), ("comparison", "family"), ("reading", "step"), ("setting", "lag")):
        if set(rows) <= {*data.dims}:
            narrow = _without_vectors(data)
            fitting = [name for name, values in narrow.variables.items() if set(values.dims) <= {*rows}]
            of_first = [name for name in fitting if rows[0] in narrow[name].dims or name in rows]
            table = narrow[[name for name in of_first if name in narrow.data_vars]]
            table = table.assign_coords({name: narrow[name] for name in fitting if name in narrow.coords})
            yield rows[1], _framed(table, rows)


def _framed(table: xr.Dataset, rows: tuple[str, str]) -> pd.DataFrame:
    sizes = {row: table.sizes[row] for row in rows}
    columns = {row: table[row].values if row in table.variables else np.arange(sizes[row]) for row in rows}
    whole = {
        str(name): values.broadcast_like(xr.DataArray(np.empty((*sizes.values(),)), dims=rows))
        for name, values in {**table.coords, **table.data_vars}.items()
    }
    grid = dict(zip(rows, np.meshgrid(*columns.values(), indexing="ij"), strict=True))
    return pd.DataFrame({name: np.ravel(values) for name, values in {**grid, **whole}.items()})


def _without_vectors(data: xr.Dataset) -> xr.Dataset:
    """The dataset with a variable for each coordinate of its vectors, unless these are long."""
    variables: dict[str, xr.DataArray] = {}
    for name, values in data.data_vars.items():
        along = [dim for dim in VECTORS if dim in values.dims]
        if not along:
            variables[str(name)] = values
        elif "run" in values.dims and values.sizes[along[0]] <= LOW_DIMENSION:
            labels = data.layer.values if along == ["layer"] else range(values.sizes[along[0]])
            for i, label in enumerate(labels):
                variables[f"{name}_{label}"] = values.isel({along[0]: i}, drop=True)
    coordinates = {name: values for name, values in data.coords.items() if not {*VECTORS} & {*values.dims}}
    return xr.Dataset(variables, coordinates)


def _portable(tree: xr.DataTree) -> xr.DataTree:
    """The tree with attributes that every format can hold."""
    datasets = {}
    for node in tree.subtree:
        data = node.to_dataset(inherit=False).drop_encoding()
        for values in data.variables.values():
            values.attrs = plain(values.attrs)
        datasets[node.path] = data.assign_attrs(plain(data.attrs))
    portable = xr.DataTree.from_dict(datasets)
    portable.attrs.pop(FORMAT_KEY, None)
    return portable


def _no_formula(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    text = printable(cell)  # a lone carriage return would begin a row, and a formula in it
    try:
        float(text)
    except ValueError:
        return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
    return text


def _write_netcdf(tree: xr.DataTree, path: Path) -> list[Path]:
    with replacing(path) as new:
        _portable(tree).to_netcdf(new, engine="h5netcdf")
    return [path]


def _write_zarr(tree: xr.DataTree, path: Path) -> list[Path]:
    def write(new: Path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # consolidated metadata, which xarray asks for, is no part of zarr 3 yet
            _portable(tree).to_zarr(new, zarr_format=3, consolidated=True)

    if path.exists() and not _is_exported(path):
        raise InputError(f"{path} exists, and is no store that was exported: choose another name")
    replace_store(path, write)
    return [path]


def _is_exported(path: Path) -> bool:
    """Whether this is a store of zarr, and none that `adamlab run` wrote."""
    try:
        return FORMAT_KEY not in json.loads((path / "zarr.json").read_bytes())["attributes"]
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _write_parquet(tree: xr.DataTree, path: Path) -> list[Path]:
    def write(table: pd.DataFrame, target: Path):
        with replacing(target) as new:
            table.to_parquet(new, engine="pyarrow", index=False)

    return _write_tables(tree, path, write)


def _write_csv(tree: xr.DataTree, path: Path) -> list[Path]:
    return _write_tables(tree, path, write_csv)


def _write_tables(tree: xr.DataTree, path: Path, write: Callable[[pd.DataFrame, Path], Any]) -> list[Path]:
    written = []
    for i, (row, table) in enumerate(tables(tree).items()):
        target = path if i == 0 else path.with_name(f"{path.stem}-{row}{path.suffix}")
        write(table, target)
        written.append(target)
    return written


WRITERS: dict[str, Callable[[xr.DataTree, Path], list[Path]]] = {
    ".nc": _write_netcdf,
    ".zarr": _write_zarr,
    ".parquet": _write_parquet,
    ".csv": _write_csv,
}
"""The function that writes each format, by the ending of its files."""
