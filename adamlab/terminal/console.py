"""The console of the command line: plain text, tables, JSON, and signs of life of what takes long."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adamlab.errors import InputError, nearest, printable
from adamlab.files import discard

if TYPE_CHECKING:
    import pandas as pd

PATIENCE = 2.0
"""The seconds after which a line says what is being done."""


class Screen(Console):
    """A console that prints no character which a terminal would act on, and stops quietly where nobody reads on."""

    def render_str(self, text: str, **how: Any) -> Text:
        """The text as it is printed."""
        return super().render_str(printable(text), **how)

    def on_broken_pipe(self) -> None:
        """Stop as a process that SIGPIPE ends."""
        discard(sys.stdout)
        raise SystemExit(128 + 13)


def console() -> Console:
    """A console without markup, since labels may hold brackets; at least 160 columns wide where no terminal is."""
    screen = Screen(markup=False, highlight=False, emoji=False)
    if not screen.is_terminal:
        screen.width = max(screen.width, 160)
    return screen


def say(text: str) -> None:
    """Print text as it is, without wrapping its lines."""
    console().print(text, soft_wrap=True)


def say_json(data: Any) -> None:
    """Print data as strict JSON, which every reader of JSON accepts."""
    say(json.dumps(strict_json(data), indent=2, ensure_ascii=False, allow_nan=False))


def strict_json(data: Any) -> Any:
    """The data with the numbers that JSON lacks as texts: "inf", "nan"."""
    if isinstance(data, dict):
        return {key: strict_json(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [strict_json(value) for value in data]
    return str(data) if isinstance(data, float) and not math.isfinite(data) else data


def table_of(title: str, data: "pd.DataFrame") -> Table:
    """A table with the data's columns."""
    from adamlab.exporting.cells import texts

    table = Table(title=title, title_justify="left")
    for i, column in enumerate(data.columns):
        table.add_column(str(column).replace("_", " "), justify="left" if i == 0 else "right")
    for row in texts(data):
        table.add_row(*row.values())
    return table


def require_format(form: str, forms: Iterable[str]) -> None:
    """Raise InputError unless the format exists."""
    if form not in forms:
        raise InputError(f"there is no format {form!r}; {nearest(form, forms)}")


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say on the standard error what is being done, for as long as it takes; quick work is done without a word."""
    screen = Console(stderr=True, markup=False, highlight=False, emoji=False)
    if screen.is_terminal:
        with screen.status(printable(what)):
            yield
        return
    line = Timer(PATIENCE, lambda: screen.print(f"{printable(what)} …", soft_wrap=True))
    line.daemon = True
    line.start()
    try:
        yield
    finally:
        line.cancel()
