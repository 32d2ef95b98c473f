"""The verdicts on a statement, with what had to be assumed for them."""

from collections.abc import Sequence
from typing import Any

from adamlab.errors import InputError
from adamlab.interpret.jaxpr import UnreadableError
from adamlab.symbolic.letters import at_step
from adamlab.symbolic.proving.counterexamples import WITH_ZEROS, Counterexample
from adamlab.symbolic.proving.invariants import Side
from adamlab.symbolic.proving.statement import Statement
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.symbolic.results import conditions, domains
from adamlab.symbolic.unrolling import unroll_open
from adamlab.types import Formula


def proved(
    statement: Statement, explanation: str, sides: Sequence[Side] = (), *, horizon: int | None = None, **more: Any
) -> Verdict:
    """The verdict that a statement holds, up to the horizon if there is one, by the formulas of these sides."""
    exceptions = [*_zeros(statement, horizon), *_arrays(statement)]
    return _verdict(statement, "proved", explanation, sides, exceptions, horizon=horizon, **more)


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
    words = [w for side in sides for w in conditions(side.step.optimizer, side.step.algebra)]
    counted = ["t < 2³¹"] if any(side.step.wholes for side in sides) else []
    return Verdict(
        left.title,
        right.title,
        limit=statement.limit,
        status=status,
        explanation=explanation,
        hyper=statement.hyper,
        assumptions=tuple(dict.fromkeys([*domains(statement.hyper), *words, *counted, *exceptions])),
        **{"horizon": None, "counterexample": None, **more},
    )


def _zeros(statement: Statement, horizon: int | None) -> list[str]:
    """The assumption that no gradient is 0, where the two part at 0, as sign(g) and g/|g| do."""
    if "t" in statement.limit or statement.rising:
        return []
    sequences = [g[:horizon] for g in WITH_ZEROS]
    search = statement.counterexample_in_the_limit if statement.limit else statement.counterexample
    return ["no gradient is 0"] if search(sequences) else []


def _arrays(statement: Statement) -> list[str]:
    """The assumption of a single number, where an array's entries depend on each other or arrays cannot be read."""
    for optimizer in statement.optimizers:
        try:
            update = unroll_open(optimizer.on_shape((2,)), 1).updates[0]
        except (InputError, UnreadableError):
            return ["the parameter is a single number"]
        if update[0].has(at_step("g", 1, (1,))):
            return ["the parameter is a single number; the entries of an array depend on each other"]
    return []
