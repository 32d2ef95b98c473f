"""Products of results: summary.csv, figures and the report, written anew only where they would come out otherwise."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import requires, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from re import split
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.analysis import answer
from adamlab.exporting.files import write_csv
from adamlab.files import write_text
from adamlab.pages import mapping_in
from adamlab.plots.files import draw_outputs, drawn_in
from adamlab.problems.data.openml import cache_folder
from adamlab.report import write_report
from adamlab.studies.config.study import Config
from adamlab.studies.kinds import kind_in, kind_of
from adamlab.studies.progress import Listener
from adamlab.studies.store.files import digest

SUMMARY, FIGURES, REPORT = "summary.csv", "figures", "report.html"


def write_products(study: Config, tree: xr.DataTree, folder: Path, listener: Listener, text: str) -> None:
    """Write what is drawn and told from results, unless the folder has it already.

    What a folder's products were written from, and their digests, is noted in the user's cache: a folder that came from
    elsewhere says nothing of it.
    """
    record = cache_folder() / "products" / f"{_digest([str(folder.resolve()).encode()])}.json"
    # The user's own code can change within a process, where its text does not say so.
    origin = "" if study.own_code else _digest(_origin(study, tree, text))
    told = _told_of(record, origin, folder)
    if told is None:
        told = {"notes": _write(study, tree, folder, text), "answer": answer(tree)}
        if origin:
            _keep(record, {"origin": origin, "files": _files(folder), **told})
    for note in told["notes"]:
        listener.note(note)
    listener.answer(told["answer"])


def _write(study: Config, tree: xr.DataTree, folder: Path, text: str) -> list[str]:
    """Write the products; returns the notes on figures that could not be drawn."""
    default = [{"kind": plot, "problem": None, "options": {}} for plot in kind_in(study.source).outputs]
    datasets = [child.to_dataset() for child in tree.children.values()]
    summaries = [kind_of(data).summary(data) for data in datasets]
    write_csv(pd.concat(summaries, ignore_index=True), folder / SUMMARY)
    figures, notes = draw_outputs(tree, study.outputs or default, folder / FIGURES)
    write_report(tree, study.source, figures, folder / REPORT, text=text, study=study)
    return notes


def _told_of(record: Path, origin: str, folder: Path) -> dict[str, Any] | None:
    """The notes and the answer of a folder whose products are those of this origin, as they were written."""
    with suppress(OSError, ValueError, KeyError):
        noted = mapping_in(record.read_text("utf-8"))
        if origin and noted.get("origin") == origin and noted.get("files") == _files(folder):
            return {"notes": noted["notes"], "answer": noted["answer"]}
    return None


def _keep(record: Path, noted: Mapping[str, Any]) -> None:
    with suppress(OSError):  # a cache that cannot be written costs time alone
        record.parent.mkdir(parents=True, exist_ok=True)
        write_text(record, json.dumps(noted))


def _files(folder: Path) -> dict[str, str]:
    """The digest of each product.

    Raises:
        OSError: there is no summary, or no report; or a link or a pipe stands in a product's place.
    """
    digests = {}
    for path in (folder / SUMMARY, folder / REPORT, *drawn_in(folder / FIGURES)):
        if path.is_symlink() or not path.is_file():
            raise OSError(f"{path} is no regular file")
        digests[str(path.relative_to(folder))] = digest(path.read_bytes())
    return digests


def _origin(study: Config, tree: xr.DataTree, text: str) -> Iterator[bytes | memoryview]:
    """All that products depend on: the config, the results, adamlab's own files and the versions of its libraries."""
    yield json.dumps([study.source, text, tree.attrs], sort_keys=True, default=str).encode()
    for name, child in tree.children.items():
        yield repr((name, sorted(child.attrs.items()))).encode()
        for key, variable in sorted(child.to_dataset().variables.items()):
            values = np.asarray(variable.values)
            yield repr((key, variable.dims, values.dtype, values.shape, variable.attrs)).encode()
            is_plain = not values.dtype.hasobject
            yield np.ascontiguousarray(values).view(np.uint8).data if is_plain else repr(values.tolist()).encode()
    libraries = [split(r"[^\w.-]", needed)[0] for needed in requires("adamlab") or () if "extra ==" not in needed]
    yield repr([(library, version(library)) for library in libraries]).encode()
    yield from _sources(files("adamlab"))


def _sources(folder: Traversable) -> Iterator[bytes]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _sources(entry)
        elif not entry.name.endswith(".pyc"):
            yield entry.read_bytes()


def _digest(parts: Iterable[bytes | memoryview]) -> str:
    whole = blake2b(digest_size=16)
    for part in parts:
        whole.update(blake2b(part).digest())
    return whole.hexdigest()
