"""From the documents of comparisons and readings, plain data each, to datasets."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from adamlab.analysis.readings import GENERAL
from adamlab.parity.families import FAMILIES

Document = Mapping[str, Any]
"""All of one comparison, or of one optimizer that was read, as plain data."""


def comparisons_of(documents: Sequence[Document]) -> xr.Dataset:
    """The dataset of comparisons.

    Args:
        documents: see `adamlab.studies.comparisons.document_of`.

    Returns:
        Variables over comparison × family: the columns of `Comparison.table`, with −1 for a first difference that does
        not exist and NaN for what was not asked for. Coordinates of a comparison: `label`, `left`, `right`, `dtype`,
        `context`, `layout`, `kind`, `verdict`, and each number that the config sets; of a family, the bug it `sees`.
    """
    sees = {row["family"]: row["sees"] for document in documents for row in document["families"]}
    known = [*FAMILIES]
    families = sorted(sees, key=lambda name: known.index(name) if name in known else len(known))
    by_family = [{row["family"]: row for row in document["families"]} for document in documents]
    columns = _union(name for document in documents for name in document["families"][0])
    grids = {
        name: [[rows.get(family, {}).get(name) for family in families] for rows in by_family]
        for name in columns
        if name not in ("family", "sees")
    }
    variables = {
        name: (("comparison", "family"), np.array([[_number(name, x) for x in row] for row in grid]))
        for name, grid in grids.items()
    }
    settings = _union(name for document in documents for name in document["settings"])
    coordinates = {
        name: ("comparison", _texts(document[name] for document in documents))
        for name in ("left", "right", "dtype", "context", "layout", "kind", "verdict", "label")
    } | {
        name: ("comparison", np.array([document["settings"].get(name, np.nan) for document in documents]))
        for name in settings
    }
    coordinates["sees"] = ("family", _texts(sees[name] for name in families))
    data = xr.Dataset(variables, {**coordinates, "family": _texts(families)})
    return data.assign_attrs(
        of="comparisons", problem="comparisons", metrics=[], settings=settings, source="Errors in ulp; al.compare."
    )


def readings_of(documents: Sequence[Document]) -> xr.Dataset:
    """The dataset of formulas and weights.

    Args:
        documents: see `adamlab.studies.readings.document_of`.

    Returns:
        Over reading × step: each state's formula as `text`, `latex` and `mathml`, at steps "1" … "T" and for every t at
        step "t". Over setting × lag: `weight`, the factor of the gradient `lag` steps ago in the state after as many
        steps as there are lags; NaN beyond a reading's own, and where the state is no weighted sum.
        Coordinates of a reading: `label`, `spec`, `state`, `assumptions`, and `solved`, whether there is a closed form;
        of a setting: the number of its reading, `reading_of`, each number that it sets, and the `power` of the
        gradients in the sum, which is 0 where there is no such sum, and then a `note` says why.
    """
    rows = [(document, state) for document in documents for state in document["states"]]
    of_optimizer = {name: [document[name] for document, _ in rows] for name in ("label", "spec", "assumptions")}
    texts = {**of_optimizer, "state": [state["state"] for _, state in rows]}
    coordinates = {name: ("reading", _texts(texts[name])) for name in ("label", "spec", "state", "assumptions")}
    coordinates["solved"] = ("reading", np.array([state["solved"] for _, state in rows]))
    printed = {
        name: (("reading", "step"), np.array([state[name] for _, state in rows], object))
        for name in ("text", "latex", "mathml")
    }
    steps = range(1, len(rows[0][1]["text"]))
    data = xr.Dataset(printed, {**coordinates, "step": _texts([*map(str, steps), GENERAL])}).merge(_weights(rows))
    settings = _union(name for document in documents for name in document["swept"])
    source = "Read off the optimizers' own code; al.unroll, al.closed_form."
    return data.assign_attrs(of="readings", problem="readings", metrics=[], settings=settings, source=source)


DATASETS: Mapping[str, Callable[[Sequence[Document]], xr.Dataset]] = {
    "comparisons": comparisons_of,
    "readings": readings_of,
}
"""Makes the dataset of each kind."""


def _weights(rows: Sequence[tuple[Document, Any]]) -> xr.Dataset:
    sums = [(k, weighted) for k, (_, state) in enumerate(rows) for weighted in state["weights"]]
    names = _union(name for _, weighted in sums for name in weighted["setting"])
    lags = max(document["lags"] for document, _ in rows)
    values = np.full((len(sums), lags), np.nan)
    for row, (_, weighted) in zip(values, sums, strict=True):
        row[: len(weighted["values"])] = weighted["values"]
    coordinates = {
        "reading_of": ("setting", np.array([k for k, _ in sums])),
        "power": ("setting", np.array([weighted["power"] for _, weighted in sums])),
        "note": ("setting", _texts(weighted["note"] for _, weighted in sums)),
    } | {name: ("setting", np.array([weighted["setting"].get(name, np.nan) for _, weighted in sums])) for name in names}
    return xr.Dataset({"weight": (("setting", "lag"), values)}, {**coordinates, "lag": np.arange(lags)})


def _union(names: Any) -> list[str]:
    """The names, each once, in the order in which they come."""
    return list(dict.fromkeys(names))


def _texts(texts: Any) -> np.ndarray:
    return np.array([*texts], object)


def _number(column: str, value: Any) -> float | int:
    if column in ("differing_bits", "first_difference"):
        return -1 if value is None else int(value)
    return np.nan if value is None else float(value)
