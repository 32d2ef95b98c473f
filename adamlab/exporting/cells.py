"""Cells of tables as they are shown: numbers to three digits, accuracies in percent."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from adamlab.studies.kinds import Table


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


def heads(table: "Table", columns: Sequence[str]) -> list[str]:
    """The heads of a table's columns."""
    return [table.heads.get(name, name.replace("_", " ")) for name in columns]


def without_empty_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without the columns that hold nothing."""
    return rows.drop(columns=[name for name in rows if {*rows[name]} == {""}])
