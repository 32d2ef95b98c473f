"""Tables as they are shown, on a terminal and in a report: numbers to three digits, accuracies in percent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

from adamlab.studies.kinds import Table


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what is shown.
        key: the number that rows are sorted by, as JavaScript reads it; empty of a text.
    """

    text: str
    key: str = ""


@dataclass(frozen=True)
class Shown:
    """A table as the report shows it.

    Attributes:
        heading: its heading.
        caption: the sentence under the heading.
        heads: the heads of its columns.
        rows: its cells.
    """

    heading: str
    caption: str
    heads: list[str]
    rows: list[list[Cell]]


def number(value: object) -> str:
    """A number cut to three digits for a table; text as it is."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if math.isfinite(value) else {math.inf: "∞", -math.inf: "−∞"}.get(value, "–")


def texts(table: pd.DataFrame) -> list[dict[str, str]]:
    """The rows of a table as they are shown; columns named in its attribute `percent` are shares, in percent."""
    shares = table.attrs.get("percent", ())
    return [
        {
            str(name): f"{100 * value:.1f} %" if name in shares and math.isfinite(value) else number(value)
            for name, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def heads(table: Table, rows: pd.DataFrame) -> list[str]:
    """The heads of a table's columns."""
    return [table.heads.get(name, name.replace("_", " ")) for name in map(str, rows)]


def shown(table: Table, data: xr.Dataset | Mapping[str, xr.Dataset]) -> Shown | None:
    """A table of a dataset, or of several, without its empty columns; None where it has no rows."""
    rows = table.rows(data)
    if rows.empty:
        return None
    rows = rows.drop(columns=[name for name in rows if {*rows[name]} == {""}])
    words = {"by": "", **rows.attrs}
    words["by"] = words["by"].replace("_", " ")
    cells = [
        [Cell(text, _key(value)) for text, value in zip(row.values(), values.values(), strict=True)]
        for row, values in zip(texts(rows), rows.to_dict("records"), strict=True)
    ]
    return Shown(table.heading, table.caption.format(**words), heads(table, rows), cells)


def _key(value: Any) -> str:
    if isinstance(value, str):
        return ""
    return repr(float(value)).replace("inf", "Infinity").replace("nan", "NaN")
