"""Proofs and refutations of the statement that two optimizers are the same, at every step or in a limit."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from adamlab.interpret.jaxpr import UnreadableError
from adamlab.interpret.programs import as_call, names_in, renamed
from adamlab.symbolic.general_step import NoGeneralStepError
from adamlab.symbolic.open_optimizer import Optimizer
from adamlab.symbolic.proving.attempts import (
    compare_few_steps,
    compare_first_steps,
    prove_every_step,
    recognise_same_program,
    refute_at_zeros,
    refute_every_step,
    refute_first_steps,
    refute_late_steps,
    refute_on_long_runs,
    refute_on_many,
)
from adamlab.symbolic.proving.attempts_in_the_limit import compare_late_steps, compare_limits
from adamlab.symbolic.proving.conclusions import unknown
from adamlab.symbolic.proving.statement import Statement
from adamlab.symbolic.proving.verdicts import Verdict

ATTEMPTS: tuple[Callable[[Statement], Verdict | None], ...] = (
    recognise_same_program,
    # statements about the first steps alone
    refute_first_steps,
    compare_first_steps,
    # statements about a limit
    compare_late_steps,
    compare_limits,
    # statements about every step
    refute_every_step,  # before a proof, which takes longer
    refute_on_many,
    refute_late_steps,
    prove_every_step,
    refute_at_zeros,  # after a proof, which may hold for all gradients but 0, and then says so
    refute_on_long_runs,
    compare_few_steps,
    # all that are still undecided
)
"""The attempts to decide a statement, in order: the first verdict is the answer."""


def prove(
    left: Optimizer,
    right: Optimizer,
    *,
    limit: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Verdict:
    """Decide whether two optimizers take the same steps, for all gradients and all numbers that are left open.

    A proof is valid for every step t: by closed forms whose induction was checked, and, for states without a closed
    form, by a relation between the states of both that holds at the start and that a step keeps. Where no such proof is
    found, the first steps are written out and compared. A refutation is confirmed by running both in exact arithmetic.

    Args:
        left: a factory or a spec, whose open numbers are symbols as in `al.unroll`. Equal names on both sides are the
            same number: naming both b2 ties the left's b2 to the right's decay.
        right: a factory or a spec, as the left.
        limit: numbers that go to 0, 1 or ∞ ("oo"), such as {"b2": 1}: the left's updates then go to the right's. With
            {"t": "oo"} their ratio goes to 1 as the steps go on.
        given: numbers that are fixed on both sides, such as {"b1": 0}. With {"t": 1} the statement is about the first
            step alone, or about as many; of a state that is a running maximum, {"nu_max": "rising"} says that every
            new value is the greatest.

    Returns:
        A `Verdict`. It is about a single number as the parameter; arrays are tried on numbers alone.

    Raises:
        SpecError, InputError: a name that neither side has, or a side that cannot be read.
        UnreadableError: a side's code uses a primitive without a meaning in formulas.

    >>> prove("optax.lion(lr, b1=b, b2=b, weight_decay=0.0)", "optax.signum(lr, beta=b)").status
    'proved'
    """
    statement = Statement.of(left, right, limit or {}, given or {})
    verdict = _decided(statement)
    if verdict.status != "refuted" or not statement.one_sided:
        return verdict
    sides = " and ".join(f"{', '.join(names)} on the {side} alone" for side, names in statement.one_sided.items())
    words = [verdict.explanation, f"open are {sides}", *_at_defaults(statement, left, right, given or {})]
    return replace(verdict, explanation="; ".join(words))


def _at_defaults(statement: Statement, left: Optimizer, right: Optimizer, given: Mapping[str, Any]) -> list[str]:
    """What holds with each one-sided number at its default, and with a last one on either side made the same."""
    defaults = {**statement.left.subject.defaults, **statement.right.subject.defaults}
    fixed = {name: defaults[name] for names in statement.one_sided.values() for name in names if name in defaults}
    rest = [[n for n in statement.one_sided.get(side, []) if n not in fixed] for side in ("left", "right")]
    can_be_given = {name for side in (left, right) for name in names_in(as_call(side))}  # not of a chain's links
    if [len(names) for names in rest] not in ([0, 0], [1, 1]) or not fixed.keys() <= can_be_given:
        return []
    conditions = [f"{name} = {value}" for name, value in fixed.items()]
    if rest[0]:
        ((ours,), (theirs,)) = rest
        right = renamed(as_call(right), theirs, ours)
        conditions.append(f"{theirs} = {ours}")
    verdict = _decided(Statement.of(left, right, {}, {**given, **fixed}))
    words = {"proved": "they are the same: proved", "refuted": "they part too"}.get(verdict.status, "it is unknown")
    return [f"at {', '.join(conditions)} {words}"]


def _decided(statement: Statement) -> Verdict:
    """The first verdict of an attempt; unknown, with the reasons, where none comes to a verdict."""
    reasons: dict[str, None] = {}
    for attempt in ATTEMPTS:
        try:
            verdict = attempt(statement)
        except (NoGeneralStepError, UnreadableError) as error:
            reasons[str(error)] = None
        else:
            if verdict is not None:
                return verdict
    return unknown(statement, ": ".join(["neither a proof nor a counterexample was found", *reasons]))
