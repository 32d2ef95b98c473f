"""What `adamlab unroll`, `closed-form` and `prove` show."""

from collections.abc import Sequence

from adamlab.errors import InputError
from adamlab.studies.source import read_numbers
from adamlab.symbolic.proving.proofs import prove
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.symbolic.results import Result
from adamlab.symbolic.solving.closed_forms import closed_form
from adamlab.symbolic.unrolling import unroll
from adamlab.terminal.console import require_format, say, say_json

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
    require_formula_format(form, superscripts)
    found = unroll(spec, steps, read_numbers(numbers), symbols=symbols, shape=_shape(shape))
    _say(found, form, superscripts)


def closed_form_and_show(
    spec: str, numbers: Sequence[str], symbols: Sequence[str], limit: Sequence[str], form: str, superscripts: bool
) -> None:
    """Prints an optimizer's states and update for general t, or their limit as numbers go somewhere."""
    require_formula_format(form, superscripts)
    found = closed_form(spec, read_numbers(numbers), symbols=symbols)
    _say(found.limit(**read_numbers(limit, "--limit")), form, superscripts)


def prove_and_show(left: str, right: str, limit: Sequence[str], given: Sequence[str], form: str) -> bool:
    """Decides whether two specs are the same and prints how; whether it is proved."""
    require_format(form, FORMATS)
    found = prove(left, right, limit=read_numbers(limit, "--limit"), given=read_numbers(given, "--given"))
    say_verdict(found, form)
    return found.status == "proved"


def say_verdict(found: Verdict, form: str) -> None:
    """Prints a verdict; ahead of formulas alone it is a comment."""
    told = f"{found.status}: {' '.join(found.explanation.split())}"
    if form == "latex":
        say(f"% {told}")
    if form == "mathml":
        say(f"<!-- {told.replace('--', '- -')} -->")
    _say(found, form, superscripts=False)


def _say(found: Result, form: str, superscripts: bool) -> None:
    if form == "json":
        say_json(found.to_dict())
    else:
        say(getattr(found, form)(superscripts=superscripts))


def require_formula_format(form: str, superscripts: bool) -> None:
    """Raises InputError unless formulas can be written so."""
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
