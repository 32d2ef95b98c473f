"""The output of `adamlab relations`, and of `adamlab prove` with the name of a relation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adamlab.errors import InputError, nearest
from adamlab.frameworks import FRAMEWORKS
from adamlab.relations import RELATIONS, UNDECIDED, decide, verdict_rows
from adamlab.terminal.console import require_format, say, say_json, waiting
from adamlab.terminal.optimizers.formulas import FORMATS, say_verdict
from adamlab.translation.correspondence import unmatched, verdicts_on


def decide_and_show(name: str, extra: Sequence[str], form: str) -> bool:
    """Decide a relation of the registry, print the verdict, and return whether it is proved in full."""
    require_format(form, FORMATS)
    if name in UNDECIDED:
        raise InputError(f"{name} cannot be decided: {UNDECIDED[name]}")
    if name not in RELATIONS:
        raise InputError(f'there is no relation "{name}"; {nearest(name, RELATIONS)}; or give two specs')
    if extra:
        raise InputError(f"{name} is a statement with its own numbers; --limit and --given are for two specs.")
    relation = RELATIONS[name]
    if form == "text":
        say(f"{relation.statement} ({relation.source})")
        say("Whether both sides take the same steps, all along or in the limit:")
    with waiting(f"deciding {name}"):
        verdict = decide(relation)
    say_verdict(verdict, form)
    return verdict.holds


def relations_and_show(form: str, figure: Path | None, library: str) -> bool:
    """Decide every relation of the registry, print and draw the verdicts, and return whether all are as expected.

    Of a framework, "torch" or "keras", each row of the table of translations that it is in.
    """
    if library in FRAMEWORKS:
        return _frameworks_and_show(form, figure, library)
    require_format(form, ("table", "json"))
    with waiting("deciding every relation"):
        rows = verdict_rows(library=library)
    if figure is not None:
        from adamlab.plots.files import write_figure
        from adamlab.plots.relations.family import family

        write_figure(family(rows), [figure])
    if form == "json":
        say_json({"relations": rows, "undecided": UNDECIDED})
    else:
        _say_lines(rows, library)
    return _are_as_expected(rows)


def _frameworks_and_show(form: str, figure: Path | None, library: str) -> bool:
    require_format(form, ("table", "json"))
    if figure is not None:
        raise InputError("--figure draws the family of --library optax or adamlab; it has no picture of a framework.")
    with waiting(f"deciding the rows of {library}"):
        rows = [*verdicts_on(library)]
    absent = unmatched(library)
    if form == "json":
        say_json({"rows": rows, "without_counterpart": absent})
        return _are_as_expected(rows)
    for row in rows:
        other = "" if row["as_expected"] else f"; {row['expected']} was expected"
        difference = row["difference"] and f": {row['difference']}"
        say(f"{row['status']:9} {row['left']} and {row['right']}{difference}{other}")
    say(f"without a counterpart: {', '.join(absent)}")
    say(f"{sum(row['as_expected'] for row in rows)} of {len(rows)} verdicts are as expected")
    return _are_as_expected(rows)


def _are_as_expected(rows: Sequence[Mapping[str, Any]]) -> bool:
    return all(row["as_expected"] for row in rows)


def _say_lines(rows: Sequence[Mapping[str, Any]], library: str) -> None:
    """Print a line for each relation: verdict, name, statement, and the expected verdict where it differs."""
    width = max(map(len, [*RELATIONS, *UNDECIDED]))
    say(f"Whether both sides take the same steps, all along or in the limit, on the code of {library}:")
    for row in rows:
        other = "" if row["as_expected"] else f"; {row['expected']} was expected"
        say(f"{row['status']:9} {row['name']:{width}}  {row['statement']} ({row['source']}){other}")
    for name, why in UNDECIDED.items():
        say(f"{'undecided':9} {name:{width}}  {why}")
    say(f"{sum(row['as_expected'] for row in rows)} of {len(rows)} verdicts are as expected")
