"""The verdicts on a statement, with what had to be assumed for them."""

from collections.abc import Sequence
from typing import Any

from sympy import Ne

from adamlab.errors import InputError
from adamlab.symbolic.general_step import last_step_in_words
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.proving.counterexamples import SPECIAL, SPECIAL_POINTS, Counterexample
from adamlab.symbolic.proving.invariants import Side
from adamlab.symbolic.proving.statement import Statement
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.symbolic.results import conditions, domains
from adamlab.types import Formula


def proved(
    statement: Statement,
    explanation: str,
    sides: Sequence[Side] = (),
    *,
    horizon: int | None = None,
    not_zero: Sequence[Formula] = (),
    **more: Any,
) -> Verdict:
    """The verdict that a statement holds, up to the horizon if there is one, by the formulas of these sides.

    Unknown where the code that was read is not known to be the code that runs.
    """
    if doubt := _doubt(statement):
        return unknown(statement, f"{doubt}; as it is read, {explanation}")
    points = [SPECIAL_POINTS.get(e, text(Ne(e, 0))) for e in not_zero]
    exceptions = [*_written_out(statement, horizon if not sides else None), *points, *_exceptions(statement, horizon)]
    exceptions += _arrays(statement)
    return _verdict(statement, "proved", explanation, sides, exceptions, horizon=horizon, **more)


def same_program(statement: Statement, explanation: str, exceptions: Sequence[str]) -> Verdict:
    """The verdict that both sides are one computation."""
    if doubt := _doubt(statement):
        return unknown(statement, f"{doubt}; as it is read, {explanation}")
    return _verdict(statement, "proved", explanation, exceptions=exceptions, horizon=statement.steps)


def _doubt(statement: Statement) -> str:
    """The reason why the code that was read may not be that which runs; empty where there is none."""
    if names := statement.unnamed:
        return f"the code branches on {', '.join(names)}, which has no value, so that it was read at a single one"
    if side := statement.misread:
        return (
            f"the code of {side} does something else where its numbers are floats, as in a run, than where it is read"
        )
    return ""


def refuted(
    statement: Statement,
    counterexample: Counterexample,
    explanation: str | None = None,
    updates: tuple[Formula, ...] = (),
) -> Verdict:
    """The verdict that a statement does not hold, as these numbers show."""
    return _verdict(
        statement,
        "refuted",
        explanation or str(counterexample),
        horizon=counterexample.step,
        counterexample=counterexample,
        updates=updates,
    )


def unknown(statement: Statement, explanation: str) -> Verdict:
    """The verdict that a statement could not be decided."""
    return _verdict(statement, "unknown", explanation)


def _verdict(
    statement: Statement,
    status: str,
    explanation: str,
    sides: Sequence[Side] = (),
    exceptions: Sequence[str] = (),
    **more: Any,
) -> Verdict:
    left, right = statement.subjects
    words = [w for side in sides for w in conditions(side.step.optimizer, side.step.algebra, side.shown)]
    counted = [w for side in sides for w in last_step_in_words(side.step)]
    return Verdict(
        left.title,
        right.title,
        limit=statement.limit,
        status=status,
        explanation=explanation,
        hyper=statement.hyper,
        assumptions=tuple(dict.fromkeys([*domains(statement.hyper), *words, *counted, *exceptions])),
        steps=statement.steps,
        **{"horizon": None, "counterexample": None, **more},
    )


def _written_out(statement: Statement, horizon: int | None) -> list[str]:
    """The conditions of the first steps, where these were written out."""
    if horizon is None:
        return []
    return [words for side in statement.written_out(horizon) for words in side.assumptions[len(domains(side.hyper)) :]]


def _exceptions(statement: Statement, horizon: int | None) -> list[str]:
    """The assumptions on the gradients, where the two part on special ones: at 0, sign(g) and g/|g| do."""
    if "t" in statement.limit or statement.rising:
        return []
    search = statement.counterexample_in_the_limit if statement.limit else statement.counterexample
    return [words for words, sequences in SPECIAL.items() if search([g[:horizon] for g in sequences])]


def _arrays(statement: Statement) -> list[str]:
    """The assumption of a single number, where what holds of it may not hold of every entry of an array."""
    single = "the parameter is a single number"
    try:
        if statement.is_coupled:
            return [f"{single}; the entries of an array depend on each other"]
        return [f"{single}; arrays of some shapes have code of their own"] if statement.shapes_apart else []
    except InputError:
        return [single]
