"""Closed forms of a step's states: of single states, each from those before it, and of pairs that feed each other."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from sympy import nan, sympify, zoo

from adamlab.interpret.equality import same
from adamlab.symbolic.general_step import Step
from adamlab.symbolic.letters import T
from adamlab.symbolic.solving.coupled import solve_pair
from adamlab.symbolic.solving.recurrences import Recurrence, written_out
from adamlab.types import Formula


def solved(step: Step) -> dict[str, Formula]:
    """The closed forms of a step's states, by field: each after step t, in terms of gradients and starts alone."""
    forms: dict[str, Formula] = {}
    values = origins(step)
    since = valid_since(step)
    while True:
        before = len(forms)
        for field in [f for f in step.recurrences if f not in forms]:
            form = _solved_alone(step, field, forms, values, since)
            if form is not None and _has_value(form):
                forms[field] = form
        if len(forms) == before:
            pairs = _solved_pairs(step, forms, since)
            forms |= next((pair for pair in pairs if pair and all(map(_has_value, pair.values()))), {})
        if len(forms) == before:
            return forms


def valid_since(step: Step) -> dict[str, int]:
    """The step after which a state's recurrence holds with those of all states in it, by field; mostly 0."""
    since = {field: step.first[field] - 1 for field in step.states}
    for _ in since:  # often enough for each state to hear from those at any distance
        since = {f: max(since[f], needed_since(step, step.recurrences[f], since)) for f in since}
    return since


def needed_since(step: Step, e: Formula, since: Mapping[str, int]) -> int:
    """The step after which all states in a formula are as the late recurrences have them, before the step too."""
    late = [since[f] + (e.has(step.before(f)) and first_right(step, f, since) > since[f]) for f in states_in(step, e)]
    return max(late, default=0)


def first_right(step: Step, field: str, since: Mapping[str, int]) -> int:
    """The first step after which a state is as its form has it: without memory it need not be so at the origin."""
    has_memory = step.recurrences[field].has(step.before(field))
    return since[field] + (since[field] > 0 and not has_memory)


def states_in(step: Step, e: Formula) -> list[str]:
    """The fields of the states in a formula, after the step or before it."""
    return [field for field, state in step.states.items() if e.has(state.base)]


def _solved_alone(
    step: Step, field: str, forms: Mapping[str, Formula], values: list[dict[str, Formula]], since: Mapping[str, int]
) -> Formula:
    """A state's closed form, where all other states in its recurrence have one; None where none was found."""
    e = put_in(step, step.recurrences[field], forms)
    if _has_others(step, e, {field, *forms}) or not starts_with(step, step.recurrences[field], forms, since):
        return None
    origin = since[field]
    start = values[origin][field] if origin < len(values) else step.states[field].base[origin]
    return Recurrence(e, step.before(field), start, origin).solved()


def _solved_pairs(step: Step, forms: Mapping[str, Formula], since: Mapping[str, int]) -> Iterator[dict[str, Formula]]:
    """The closed forms of each pair of states whose recurrences have no third state without a form."""
    for pair in combinations([f for f in step.recurrences if f not in forms and since[f] == 0], 2):
        e = [put_in(step, step.recurrences[field], forms) for field in pair]
        starts = all(starts_with(step, step.recurrences[field], forms, since) for field in pair)
        if starts and not any(_has_others(step, side, {*pair, *forms}) for side in e):
            after, previous = [step.states[f] for f in pair], [step.before(f) for f in pair]
            solution = solve_pair(e, after, previous, [sympify(step.start[f]) for f in pair])
            yield dict(zip(pair, solution, strict=True)) if solution else {}


def _has_value(form: Formula) -> bool:
    """Whether a form divides by no 0: NaN cannot be put into a condition."""
    return not form.has(nan, zoo)


def _has_others(step: Step, e: Formula, known: set[str]) -> bool:
    return any(e.has(state.base) for f, state in step.states.items() if f not in known)


def put_in(step: Step, e: Formula, forms: Mapping[str, Formula]) -> Formula:
    """The expression with closed forms in place of the states that have one, after the step and before it."""
    after = {step.states[field]: form for field, form in forms.items()}
    before = {step.before(field): form.subs(T, T - 1) for field, form in forms.items()}
    return e.xreplace(after | before)


def starts_with(step: Step, e: Formula, forms: Mapping[str, Formula], since: Mapping[str, int]) -> bool:
    """Whether the forms of all states that a formula has from before the step are right at t = 0 too."""
    return all(
        same(written_out(form, 0), sympify(step.start[f]))
        for f, form in forms.items()
        if e.has(step.before(f)) and since[f] == 0
    )


def origins(step: Step) -> list[dict[str, Formula]]:
    """The states before the first step and after each early step, in terms of gradients and starts alone."""
    values = [{field: sympify(step.start[field]) for field in step.states}]
    for t, early in enumerate(step.early, start=1):
        before = {step.states[field].base[t - 1]: e for field, e in values[-1].items()}
        after: dict[str, Formula] = {field: early[field].xreplace(before) for field in step.states}
        for _ in after:  # states in terms of others after the same step, however long the chain
            named = {step.states[field].base[t]: e for field, e in after.items()}
            after = {field: e.xreplace(named) for field, e in after.items()}
        values.append(after)
    return values
