"""What `adamlab compare` shows."""

from collections.abc import Sequence
from typing import Any

from adamlab.parity.comparison import compare
from adamlab.studies.source import read_numbers
from adamlab.terminal.console import console, require_format, say, say_json, table_of


def compare_and_show(left: str, right: str, numbers: Sequence[str], form: str, **how: Any) -> bool:
    """Compares two specs and prints what was found; whether they are bit-identical."""
    require_format(form, ("table", "json"))
    found = compare(left, right, hyper=read_numbers(numbers), **how)
    if form == "json":
        say_json(found.to_dict())
        return found.identical
    heads = {column: str(column).replace("_", " ") for column in found.table.columns}
    title = f"{found.left} (left) and {found.right} (right): {found.steps} steps in {found.dtype}, {found.context}"
    console().print(table_of(title + "; errors in ulp", found.table.drop(columns="sees").rename(columns=heads)))
    say(found.verdict)
    if found.first_difference is not None:
        say(f"{found.differing_bits:,} bits differ, from step {found.first_difference} on")
    return found.identical
