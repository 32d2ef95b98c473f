"""Attempts to decide a statement: each gives a verdict, or None where it does not apply or decides nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adamlab.interpret.equality import conditions_of_equality, same
from adamlab.interpret.ranges import LAST, first_zero
from adamlab.interpret.sympy_algebra import ENDLESS
from adamlab.symbolic.general_step import MOST_EARLY_STEPS, UPDATE
from adamlab.symbolic.letters import T
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.proving.conclusions import proved, refuted, same_program
from adamlab.symbolic.proving.counterexamples import ARRAYS, GRADIENTS, WITH_ZEROS, Counterexample
from adamlab.symbolic.proving.invariants import Side, related
from adamlab.symbolic.proving.statement import Statement
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.symbolic.solving.nonnegative import without_idle_maxima
from adamlab.types import Formula

LONG_RUN = 70_000
"""The steps of a long run."""

HORIZON = 4
"""The number of steps that are written out and compared where no proof for every step was found."""

FEW_STEPS, MOST_STEPS = 20, 300_000
"""Something that happens between these steps, such as the end of a schedule, is tried by steps beyond it."""


def recognise_same_program(statement: Statement) -> Verdict | None:
    """Compare the two programs themselves: the same computation has the same steps, whatever it is."""
    if statement.rising or not statement.is_same_program(()):
        return None
    single = () if statement.is_same_program_on_arrays() else ("the parameter is a single number",)
    return same_program(statement, "both are the same computation", single)


def refute_first_steps(statement: Statement) -> Verdict | None:
    """Look for numbers on which the first steps part."""
    # In a limit, numbers short of it part anyway.
    if statement.steps is None or statement.limit:
        return None
    return _refuted_on(statement, [g[: statement.steps] for g in (*GRADIENTS, *ARRAYS)]) or _refuted(
        statement, statement.counterexample_on_many(statement.steps)
    )


def compare_first_steps(statement: Statement) -> Verdict | None:
    """Write the first steps out and compare the formulas."""
    if statement.steps is None or not statement.agrees_written_out(statement.steps):
        return None
    count = statement.steps
    of = "the update of the first step is" if count == 1 else f"the updates of the first {count} steps are"
    return proved(statement, f"written out, {of} equal", horizon=count)


def refute_on_many(statement: Statement) -> Verdict | None:
    """Look for numbers on which the two part on many trials of every size, of a single number and of arrays."""
    if not _can_be_refuted(statement):
        return None
    return _refuted(statement, statement.counterexample_on_many())


def refute_every_step(statement: Statement) -> Verdict | None:
    """Look for numbers on which the two part, within a few steps."""
    if not _can_be_refuted(statement):
        return None
    return _refuted_on(statement, [*GRADIENTS, *ARRAYS])


def refute_late_steps(statement: Statement) -> Verdict | None:
    """Look for numbers on which the two part after something that happens late, such as the end of a schedule."""
    if not _can_be_refuted(statement):
        return None
    events = [step for step in (statement.early, statement.last) if FEW_STEPS <= step <= MOST_STEPS]
    return _refuted(statement, statement.counterexample_within(max(events) + 2)) if events else None


def prove_every_step(statement: Statement) -> Verdict | None:
    """Prove the updates equal by closed forms alone, or by a relation between the states without closed forms."""
    if not statement.is_about_every_step:
        return None
    for left, right in _ways_round(*statement.sides):
        relation = related(left, right)
        if relation is None:
            continue
        updates = without_idle_maxima(left.update), without_idle_maxima(right.update.xreplace(relation))
        if same(*updates):
            points = conditions_of_equality(*updates)
            in_steps = [e for e in points if e.free_symbols == {T}]  # no step can be assumed away
            undefined = min(filter(None, (first_zero(e, T) for e in in_steps)), default=LAST)
            if undefined <= MOST_STEPS and (parted := statement.counterexample_within(undefined)):
                return refuted(statement, parted)
            last = min(statement.last, undefined - 1)
            horizon = None if last > ENDLESS else last
            what_then = "an integer wraps" if last == statement.last else "a divisor or a sign may be 0"
            every = "every t" if horizon is None else f"t ≤ {horizon}, then {what_then}"
            how = _in_words(relation) if relation else "the closed forms of the two updates are equal"
            how = f"{how} for {every}"
            if undefined == 1 or not _early_steps_agree(statement):
                return None
            points = [e for e in points if e not in in_steps]
            return proved(statement, how, statement.sides, horizon=horizon, not_zero=points, updates=updates[:1])
    return None


def refute_at_zeros(statement: Statement) -> Verdict | None:
    """Look for numbers on which the two part at a gradient of 0."""
    if not _can_be_refuted(statement):
        return None
    return _refuted_on(statement, WITH_ZEROS)


def refute_on_long_runs(statement: Statement) -> Verdict | None:
    """Look for numbers on which the two part within some thousand steps, as where something happens now and then."""
    if not _can_be_refuted(statement):
        return None
    return _refuted(statement, statement.counterexample_within(LONG_RUN))


def compare_few_steps(statement: Statement) -> Verdict | None:
    """Write a few steps out and compare the formulas, where no proof for every step was found."""
    if not statement.is_about_every_step or statement.rising or not statement.agrees_written_out(HORIZON):
        return None
    how = f"written out, the updates of the first {HORIZON} steps are equal; a proof for every step was not found"
    return proved(statement, how, horizon=HORIZON)


def _can_be_refuted(statement: Statement) -> bool:
    """Whether numbers on which the updates differ refute the statement; those that are tried make no state rise."""
    return statement.is_about_every_step and not statement.rising


def _refuted_on(statement: Statement, sequences: Sequence[Any]) -> Verdict | None:
    return _refuted(statement, statement.counterexample(sequences))


def _refuted(statement: Statement, counterexample: Counterexample | None) -> Verdict | None:
    return counterexample and refuted(statement, counterexample)


def _ways_round(left: Side, right: Side) -> Iterator[tuple[Side, Side]]:
    """Both orders of the two sides, with nested sums as closed forms and without."""
    yield left, right
    yield right, left
    flat_left, flat_right = left.without_nested_sums(), right.without_nested_sums()
    if (flat_left, flat_right) != (left, right):
        yield flat_left, flat_right
        yield flat_right, flat_left


def _early_steps_agree(statement: Statement) -> bool:
    """Whether the two agree on the first steps too, which are not as the general one."""
    early, sides = statement.early, statement.sides
    if not all(side.holds_at_first for side in sides):
        first = [side.update_at(1) for side in sides]
        if None in first or not same(*first):
            return False
    if all(side.step.cases is not None for side in sides):
        return True  # the updates that were compared are those of every step
    if early > MOST_EARLY_STEPS:
        return False
    if all(not side.open and set(side.step.first.values()) <= {1, side.step.first[UPDATE]} for side in sides):
        pairs = [[side.update_at(t) for side in sides] for t in range(1, early + 1)]
        return all(None not in pair and same(*pair) for pair in pairs)
    return early <= HORIZON and statement.agrees_written_out(early)


def _in_words(relation: Mapping[Formula, Formula]) -> str:
    now = [f"{text(a)} = {text(b)}" for a, b in relation.items() if a.has(T) and not a.has(T - 1)]
    return (
        f"{', '.join(now)}, where the prime marks a state of the other side, holds at the start and a step keeps it; "
        "with it the updates are equal"
    )
