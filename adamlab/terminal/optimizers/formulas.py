"""The output of `adamlab unroll`, `closed-form` and `prove`."""

import re
from collections.abc import Sequence

from adamlab.errors import InputError
from adamlab.relations import prove, relations_of
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.symbolic.results import Result
from adamlab.symbolic.solving.closed_forms import closed_form
from adamlab.symbolic.unrolling import unroll
from adamlab.terminal.console import require_format, say, say_json, waiting
from adamlab.terminal.optimizers.numbers import read_numbers

FORMATS = ("text", "latex", "mathml", "json")
"""The formats of a formula."""


def unroll_and_show(
    spec: str,
    steps: int,
    shape: str,
    numbers: Sequence[str],
    symbols: Sequence[str],
    form: str,
    superscripts: bool,
) -> None:
    """Print steps of an optimizer as formulas."""
    require_formula_format(form, superscripts)
    with waiting(f"reading {spec}"):
        unrolled = unroll(spec, steps, read_numbers(numbers), symbols=symbols, shape=_shape(shape))
    say_result(unrolled, form, superscripts)


def closed_form_and_show(
    spec: str, numbers: Sequence[str], symbols: Sequence[str], limit: Sequence[str], form: str, superscripts: bool
) -> None:
    """Print an optimizer's states and update for general t, or their limit as some of its numbers go to a value."""
    require_formula_format(form, superscripts)
    with waiting(f"reading {spec}"):
        closed = closed_form(spec, read_numbers(numbers), symbols=symbols)
    say_result(closed.limit(**read_numbers(limit, "--limit")), form, superscripts)


def prove_and_show(left: str, right: str, limit: Sequence[str], given: Sequence[str], form: str) -> bool:
    """Decide whether two specs are the same, print the verdict, and return whether it is proved in full."""
    require_format(form, FORMATS)
    with waiting(f"deciding whether {left} is {right}"):
        verdict = prove(left, right, limit=read_numbers(limit, "--limit"), given=read_numbers(given, "--given"))
    say_verdict(verdict, form)
    if form == "text" and not verdict.holds:
        for relation in relations_of(left, right):
            say(f"see also adamlab prove {relation.name}: {relation.statement}")
    return verdict.holds


def say_verdict(verdict: Verdict, form: str) -> None:
    """Print a verdict; in LaTeX and MathML its words are a comment."""
    words = f"{verdict.status}: {' '.join(verdict.explanation.split())}"
    if form == "latex":
        say(f"% {words}")
    if form == "mathml":
        say(f"<!-- {re.sub('-(?=-)', '- ', words)} -->")  # two dashes end a comment
    say_result(verdict, form, superscripts=False)


def say_result(result: Result, form: str, superscripts: bool = False) -> None:
    """Print a symbolic result in a format."""
    if form == "json":
        say_json(result.to_dict())
    elif form == "mathml":
        say(result.mathml(superscripts=superscripts).encode("ascii", "xmlcharrefreplace").decode())  # of any charset
    else:
        say(getattr(result, form)(superscripts=superscripts))


def require_formula_format(form: str, superscripts: bool) -> None:
    """Raise InputError unless formulas can be printed in the format."""
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
