"""The output of `adamlab compare`."""

from collections.abc import Sequence
from typing import Any

from adamlab.parity.comparison import compare
from adamlab.terminal.console import console, require_format, say, say_json, table_of, waiting
from adamlab.terminal.optimizers.numbers import read_numbers


def compare_and_show(left: str, right: str, numbers: Sequence[str], form: str, **how: Any) -> bool:
    """Compare two specs, print the comparison, and return whether they are bit-identical."""
    require_format(form, ("table", "json"))
    with waiting(f"comparing {left} with {right}"):
        comparison = compare(left, right, hyper=read_numbers(numbers), **how)
    if form == "json":
        say_json(comparison.to_dict())
        return comparison.identical
    heads = {column: str(column).replace("_", " ") for column in comparison.table.columns}
    sides = f"{comparison.left} (left) and {comparison.right} (right)"
    title = f"{sides}: {comparison.steps} steps in {comparison.dtype}, {comparison.context}"
    console().print(table_of(title + "; errors in ulp", comparison.table.drop(columns="sees").rename(columns=heads)))
    say(comparison.verdict)
    if comparison.first_difference is not None:
        say(f"{comparison.differing_bits:,} bits differ, from step {comparison.first_difference} on")
    return comparison.identical
