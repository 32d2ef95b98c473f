"""What `adamlab unroll`, `closed-form`, `prove` and `relations` show."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from adamlab.errors import InputError, nearest
from adamlab.plots.family import family
from adamlab.relations import RELATIONS, UNDECIDED, decide, verdict_rows
from adamlab.running import write_figure
from adamlab.studies.source import override
from adamlab.symbolic.closed_forms import closed_form
from adamlab.symbolic.proofs import prove
from adamlab.symbolic.results import Result
from adamlab.symbolic.unrolling import unroll
from adamlab.symbolic.verdicts import Verdict
from adamlab.terminal.console import console, require_format, say, say_json, table_of

FORMATS = ("text", "latex", "mathml", "json")
"""How a formula can be written."""


def unroll_and_show(
    spec: str,
    steps: int,
    shape: str,
    numbers: Sequence[str],
    symbols: Sequence[str],
    form: str,
    superscripts: bool,
) -> None:
    """Prints steps of an optimizer as formulas."""
    _require(form, superscripts)
    found = unroll(spec, steps, override({}, numbers), symbols=symbols, shape=_shape(shape))
    _say(found, form, superscripts)


def closed_form_and_show(
    spec: str, numbers: Sequence[str], symbols: Sequence[str], limit: Sequence[str], form: str, superscripts: bool
) -> None:
    """Prints an optimizer's states and update for general t, or their limit as numbers go somewhere."""
    _require(form, superscripts)
    found = closed_form(spec, override({}, numbers), symbols=symbols)
    _say(found.limit(**override({}, limit, "--limit")), form, superscripts)


def prove_and_show(left: str, right: str | None, limit: Sequence[str], given: Sequence[str], form: str) -> bool:
    """Decides whether two specs are the same, or a relation of the registry, and prints how; whether it is proved."""
    require_format(form, FORMATS)
    if right is None:
        return _decide_and_show(left, [*limit, *given], form)
    found = prove(left, right, limit=override({}, limit, "--limit"), given=override({}, given, "--given"))
    _say_verdict(found, form)
    return found.status == "proved"


def _decide_and_show(name: str, extra: Sequence[str], form: str) -> bool:
    if name in UNDECIDED:
        raise InputError(f"{name} cannot be decided: {UNDECIDED[name]}")
    if name not in RELATIONS:
        raise InputError(f"there is no relation {name!r}; {nearest(name, RELATIONS)} Or give two specs.")
    if extra:
        raise InputError(f"{name} is a statement with its own limit and numbers; --limit and --given are for two specs.")
    relation = RELATIONS[name]
    if form == "text":
        say(f"{relation.statement} ({relation.source})")
    found = decide(relation)
    _say_verdict(found, form)
    return found.status == "proved"


def relations_and_show(form: str, figure: Path | None, library: str) -> bool:
    """Decides every relation of the registry, prints and draws the verdicts; whether all are as the registry has it."""
    require_format(form, ("table", "json"))
    require_format(library, ("optax", "adamlab"))
    found = verdict_rows(library=library)
    if form == "json":
        say_json({"relations": found, "undecided": UNDECIDED})
    else:
        columns = {name: [row[name] for row in found] for name in ("row", "name", "status", "expected", "statement")}
        console().print(table_of(f"relations, decided on the code of {library}", pd.DataFrame(columns)))
    if figure is not None:
        write_figure(family(found), [figure])
        console(stderr=True).print(str(figure))
    return all(row["as_expected"] for row in found)


def _say(found: Result, form: str, superscripts: bool) -> None:
    if form == "json":
        say_json(found.to_dict())
    else:
        say(getattr(found, form)(superscripts=superscripts))


def _say_verdict(found: Verdict, form: str) -> None:
    """As other results; ahead of formulas alone the verdict is a comment."""
    told = f"{found.status}: {' '.join(found.explanation.split())}"
    if form == "latex":
        say(f"% {told}")
    if form == "mathml":
        say(f"<!-- {told.replace('--', '- -')} -->")
    _say(found, form, superscripts=False)


def _require(form: str, superscripts: bool) -> None:
    require_format(form, FORMATS)
    if superscripts and form == "json":
        raise InputError("--superscripts is for text, latex and mathml; formulas in JSON have the step below.")


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        shape = (-1,)
    if any(side < 1 for side in shape):
        raise InputError(f"--shape must be whole numbers with commas between, such as 2,2; not {text!r}.")
    return shape
