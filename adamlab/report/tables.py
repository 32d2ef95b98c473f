"""Tables as the report shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from adamlab.exporting.cells import heads, texts, without_empty_columns
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


def shown(table: Table, data: xr.Dataset | Mapping[str, xr.Dataset]) -> Shown | None:
    """A table of a dataset, or of several, without its empty columns; None where it has no rows."""
    rows = table.rows(data)
    if rows.empty:
        return None
    rows = without_empty_columns(rows)
    words = {"by": "", **rows.attrs}
    words["by"] = words["by"].replace("_", " ")
    cells = [
        [Cell(text, _key(value)) for text, value in zip(row.values(), values.values(), strict=True)]
        for row, values in zip(texts(rows), rows.to_dict("records"), strict=True)
    ]
    return Shown(table.heading, table.caption.format(**words), heads(table, [*map(str, rows)]), cells)


def _key(value: Any) -> str:
    if isinstance(value, str):
        return ""
    return repr(float(value)).replace("inf", "Infinity").replace("nan", "NaN")
