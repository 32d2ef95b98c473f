"""What `adamlab relations` shows, and `adamlab prove` of a relation by its name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adamlab.errors import InputError, nearest
from adamlab.plots.family import family
from adamlab.relations import RELATIONS, UNDECIDED, decide, verdict_rows
from adamlab.running import write_figure
from adamlab.terminal.console import require_format, say, say_json
from adamlab.terminal.formulas import FORMATS, say_verdict


def decide_and_show(name: str, extra: Sequence[str], form: str) -> bool:
    """Decides a relation of the registry and prints how; whether it is proved."""
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
    found = decide(relation)
    say_verdict(found, form)
    return found.status == "proved"


def relations_and_show(form: str, figure: Path | None, library: str) -> bool:
    """Decides every relation of the registry, prints and draws the verdicts; whether all are as the registry has it."""
    require_format(form, ("table", "json"))
    found = verdict_rows(library=library)
    if figure is not None:
        write_figure(family(found), [figure])
    if form == "json":
        say_json({"relations": found, "undecided": UNDECIDED})
    else:
        _say_lines(found, library)
    return all(row["as_expected"] for row in found)


def _say_lines(found: Sequence[Mapping[str, Any]], library: str) -> None:
    """A line for each relation: the verdict, the name, the statement; whatever is not as expected says so."""
    width = max(map(len, [*RELATIONS, *UNDECIDED]))
    say(f"Whether both sides take the same steps, all along or in the limit, on the code of {library}:")
    for row in found:
        other = "" if row["as_expected"] else f"; {row['expected']} was expected"
        say(f"{row['status']:9} {row['name']:{width}}  {row['statement']} ({row['source']}){other}")
    for name, why in UNDECIDED.items():
        say(f"{'undecided':9} {name:{width}}  {why}")
    say(f"{sum(row['as_expected'] for row in found)} of {len(found)} verdicts are as expected")
