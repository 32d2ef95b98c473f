"""Attempts to decide a statement: each gives a verdict, or None where it does not apply or decides nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adamlab.interpret.equality import same
from adamlab.symbolic.general_step import MOST_EARLY_STEPS, UPDATE
from adamlab.symbolic.letters import T
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.proving.conclusions import proved, refuted, unknown
from adamlab.symbolic.proving.counterexamples import ARRAYS, GRADIENTS, WITH_ZEROS
from adamlab.symbolic.proving.invariants import Side, related, without_idle_maxima
from adamlab.symbolic.proving.statement import Statement
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.types import Formula

HORIZON = 4
"""The number of steps that are written out and compared where no proof for every step was found."""

MOST_GRADIENTS = 1000
"""The longest sequence that is tried where something happens late, such as the end of a schedule."""

LONGEST = GRADIENTS[-1]
"""The longest of the sequences that are always tried."""


def refute_first_steps(statement: Statement) -> Verdict | None:
    """Look for numbers on which the first steps part."""
    # In a limit, numbers short of it part anyway.
    if statement.steps is None or statement.limit:
        return None
    return _refuted_on(statement, [g[: statement.steps] for g in (*GRADIENTS, *ARRAYS)])


def compare_first_steps(statement: Statement) -> Verdict | None:
    """Write the first steps out and compare the formulas."""
    if statement.steps is None or not statement.agrees_written_out(statement.steps):
        return None
    count = statement.steps
    of = "the update of the first step is" if count == 1 else f"the updates of the first {count} steps are"
    return proved(statement, f"written out, {of} equal", horizon=count)


def refute_every_step(statement: Statement) -> Verdict | None:
    """Look for numbers on which the two part, within a few steps."""
    if not _can_be_refuted(statement):
        return None
    return _refuted_on(statement, [*GRADIENTS, *ARRAYS])


def refute_late_steps(statement: Statement) -> Verdict | None:
    """Look for numbers on which the two part after something that happens late, such as the end of a schedule."""
    if not _can_be_refuted(statement) or statement.early < len(LONGEST):
        return None
    count = min(statement.early + 2, MOST_GRADIENTS)
    return _refuted_on(statement, [[LONGEST[k % len(LONGEST)] for k in range(count)]])


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
            how = _in_words(relation) if relation else "the closed forms of the two updates are equal for every t"
            agree = _early_steps_agree(statement)
            return proved(statement, how, statement.sides, updates=updates[:1]) if agree else None
    return None


def refute_at_zeros(statement: Statement) -> Verdict | None:
    """Look for numbers on which the two part at a gradient of 0."""
    if not _can_be_refuted(statement):
        return None
    return _refuted_on(statement, WITH_ZEROS)


def compare_few_steps(statement: Statement) -> Verdict | None:
    """Write a few steps out and compare the formulas, where no proof for every step was found."""
    if not statement.is_about_every_step or statement.rising or not statement.agrees_written_out(HORIZON):
        return None
    how = f"written out, the updates of the first {HORIZON} steps are equal; a proof for every step was not found"
    return proved(statement, how, horizon=HORIZON)


def give_up(statement: Statement) -> Verdict:
    """Say that nothing was decided."""
    return unknown(statement, "neither a proof nor a counterexample was found")


def _can_be_refuted(statement: Statement) -> bool:
    """Whether numbers on which the updates differ refute the statement; those that are tried make no state rise."""
    return statement.is_about_every_step and not statement.rising


def _refuted_on(statement: Statement, sequences: Sequence[Any]) -> Verdict | None:
    counterexample = statement.counterexample(sequences)
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
        "with it the updates are equal for every t"
    )
