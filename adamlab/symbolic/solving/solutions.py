"""All states of a step in closed form, as far as they have one: one after the other, and pairs that feed each other."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from sympy import sympify

from adamlab.errors import InputError
from adamlab.interpret.equality import is_zero, same
from adamlab.symbolic.general_step import Step
from adamlab.symbolic.letters import T
from adamlab.symbolic.solving.coupled import solve_pair
from adamlab.symbolic.solving.recurrences import Recurrence, written_out
from adamlab.types import Formula


def solved(step: Step) -> dict[str, Formula]:
    """The states of a step that have a closed form, by field: each after step t, of gradients and starts alone."""
    found: dict[str, Formula] = {}
    values = origins(step)
    since = valid_since(step)
    while True:
        before = len(found)
        for field in [f for f in step.recurrences if f not in found]:
            form = _solved_alone(step, field, found, values, since)
            if form is not None:
                found[field] = form
        if len(found) == before:
            found |= next((pair for pair in _solved_pairs(step, found, since) if pair), {})
        if len(found) == before:
            _check_assumptions(step, found)
            return found


def valid_since(step: Step) -> dict[str, int]:
    """After which step each state's recurrence holds together with those of all states that it is made of; mostly 0."""
    since = {field: step.first[field] - 1 for field in step.states}
    for _ in since:
        since = {f: max(since[other] for other in (f, *made_of(step, step.recurrences[f]))) for f in since}
    return since


def made_of(step: Step, e: Formula) -> list[str]:
    """The states that stand in a formula, after the step or ahead of it."""
    return [field for field, state in step.states.items() if e.has(state.base)]


def _solved_alone(
    step: Step, field: str, found: Mapping[str, Formula], values: list[dict[str, Formula]], since: Mapping[str, int]
) -> Formula:
    """A state's closed form, where its recurrence has no other state that is without one; None where it has none."""
    e = put_in(step, step.recurrences[field], found)
    if _has_others(step, e, {field, *found}) or not _starts_with(step, step.recurrences[field], found, since):
        return None
    origin = since[field]
    start = values[origin][field] if origin < len(values) else step.states[field].base[origin]
    return Recurrence(e, step.before(field), start, origin).solved()


def _solved_pairs(step: Step, found: Mapping[str, Formula], since: Mapping[str, int]) -> Iterator[dict[str, Formula]]:
    """The closed forms of each two states whose recurrences have no third one that is without."""
    for pair in combinations([f for f in step.recurrences if f not in found and since[f] == 0], 2):
        e = [put_in(step, step.recurrences[field], found) for field in pair]
        starts = all(_starts_with(step, step.recurrences[field], found, since) for field in pair)
        if starts and not any(_has_others(step, side, {*pair, *found}) for side in e):
            after, ahead = [step.states[f] for f in pair], [step.before(f) for f in pair]
            forms = solve_pair(e, after, ahead, [sympify(step.start[f]) for f in pair])
            yield dict(zip(pair, forms, strict=True)) if forms else {}


def _check_assumptions(step: Step, found: Mapping[str, Formula]):
    """Whether what was assumed to differ does not turn out to be equal at every step."""
    for condition in step.algebra.assumptions:
        if condition.args and is_zero(put_in(step, condition.args[0] - condition.args[1], found)):
            title = step.reading.subject.title
            raise InputError(
                f"{title} has no general step: it asks for {condition}, which is never so; unroll reads it."
            )


def _has_others(step: Step, e: Formula, known: set[str]) -> bool:
    return any(e.has(state.base) for f, state in step.states.items() if f not in known)


def put_in(step: Step, e: Formula, found: Mapping[str, Formula]) -> Formula:
    """The expression with closed forms for the states that have one, after the step and ahead of it."""
    forms = {step.states[field]: form for field, form in found.items()}
    earlier = {step.before(field): form.subs(T, T - 1) for field, form in found.items()}
    return e.xreplace(forms | earlier)


def _starts_with(step: Step, e: Formula, found: Mapping[str, Formula], since: Mapping[str, int]) -> bool:
    """Whether the forms of all states that it has from ahead of the step are right ahead of the first step too."""
    return all(
        same(written_out(form, 0), sympify(step.start[f]))
        for f, form in found.items()
        if e.has(step.before(f)) and since[f] == 0
    )


def origins(step: Step) -> list[dict[str, Formula]]:
    """The states ahead of the first step, and after each of the early ones, of gradients and starts alone."""
    values = [{field: sympify(step.start[field]) for field in step.states}]
    for t, early in enumerate(step.early, start=1):
        before = {step.states[field].base[t - 1]: e for field, e in values[-1].items()}
        after: dict[str, Formula] = {field: early[field].xreplace(before) for field in step.states}
        for _ in after:  # those that are made of others after the same step
            named = {step.states[field].base[t]: e for field, e in after.items()}
            after = {field: e.xreplace(named) for field, e in after.items()}
        values.append(after)
    return values
