"""Where the command line writes to: plain text, tables, JSON."""

import json
import math
from collections.abc import Iterable
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from adamlab.errors import InputError, nearest
from adamlab.report import number, rows


def console() -> Console:
    """Plain text is plain: labels may hold brackets. Output that is no terminal is not cut at 80 columns."""
    made = Console(markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = max(made.width, 160)
    return made


def say(text: str) -> None:
    """Prints text as it is, its lines unbroken."""
    console().print(text, soft_wrap=True)


def say_json(data: Any) -> None:
    """Prints data as JSON that every reader of JSON takes."""
    say(json.dumps(strict_json(data), indent=2, ensure_ascii=False, allow_nan=False))


def strict_json(data: Any) -> Any:
    """The data with texts for what JSON has no numbers for: "inf", "nan"."""
    if isinstance(data, dict):
        return {key: strict_json(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [strict_json(value) for value in data]
    return str(data) if isinstance(data, float) and not math.isfinite(data) else data


def table_of(title: str, data: pd.DataFrame) -> Table:
    """A table with a column for each of the data's."""
    table = Table(title=title, title_justify="left")
    for i, column in enumerate(data.columns):
        table.add_column(str(column).replace("_", " "), justify="left" if i == 0 else "right")
    for row in rows(data):
        table.add_row(*(number(value) for value in row.values()))
    return table


def require_format(form: str, forms: Iterable[str]) -> None:
    """Raises InputError unless the format is one of those there are."""
    if form not in forms:
        raise InputError(f"there is no format {form!r}; {nearest(form, forms)}")
