"""States of two optimizers that go together: a relation that holds at the start and that a step keeps."""

from collections.abc import Iterator, Mapping

from sympy import (
    Dummy,
    IndexedBase,
    Max,
    Sum,
    cancel,
    expand,
    expand_power_exp,
    factor,
    fraction,
    sympify,
    together,
)

from adamlab.interpret.equality import same
from adamlab.interpret.signs import Rate, is_nonnegative
from adamlab.symbolic.general_step import UPDATE, Step
from adamlab.symbolic.letters import T
from adamlab.symbolic.solving.recurrences import written_out
from adamlab.symbolic.solving.solutions import put_in, solved
from adamlab.types import Formula


class Side:
    """An optimizer's general step with what is known of its states.

    Attributes:
        step: the step; its states have letters of this side alone.
        forms: the states that have a closed form, by field.
        update: with those put in; at any step, where its conditions in t alone can be left as cases.
        open: the other states, x[t].

    Without `nested`, sums within sums do not count as closed forms: two of them can be the same and not look it.
    """

    def __init__(self, step: Step, mark: str = "", nested: bool = True):
        self.step = step
        self.forms = {field: form for field, form in solved(step).items() if nested or not _is_nested(form)}
        self.marks = {s.base: IndexedBase(f"{s.base.label}{mark}", **s.base.assumptions0) for s in step.states.values()}
        self.update = self.marked(put_in(step, step.update if step.cases is None else step.cases, self.forms))
        self.open = {f: self.marked(s) for f, s in step.states.items() if f not in self.forms}

    def marked(self, e: Formula) -> Formula:
        """The expression with this side's letters."""
        return e.xreplace(self.marks)

    def recurrence(self, field: str) -> Formula:
        """What a state without a closed form becomes, the others' forms put in."""
        return self.marked(put_in(self.step, self.step.recurrences[field], self.forms))

    def update_at(self, t: int) -> Formula:
        """The update at a step whose number is known, of the states' forms there; None where it was not read."""
        if t > len(self.step.early):
            is_known = self.step.cases is not None or t >= self.step.first[UPDATE]
            return self.update.subs(T, t) if is_known else None
        forms = {self.step.states[f].base[k]: form.subs(T, k) for f, form in self.forms.items() for k in (t, t - 1)}
        return self.marked(self.step.early[t - 1][UPDATE].xreplace(forms))

    def needed(self) -> list[str]:
        """The states without a closed form that the update depends on, through others too."""
        found: list[str] = []
        waiting = [self.update]
        while waiting:
            e = waiting.pop()
            for field, state in self.open.items():
                if field not in found and e.has(state.base):
                    found.append(field)
                    waiting.append(self.recurrence(field))
        return found


def related(left: Side, right: Side) -> dict[Formula, Formula] | None:
    """For each state of the right that its update needs and that has no closed form, what it is of the left's states.

    Both after the step and ahead of it. None where none was found; what comes out holds at the start, and a step of
    both keeps it.
    """
    relation: dict[Formula, Formula] = {}
    for field in right.needed():
        state = right.open[field]
        for candidate in _candidates(left, right, field):
            trial = relation | {state: candidate, state.base[T - 1]: candidate.subs(T, T - 1)}
            if _starts(left, right, field, candidate) and _is_kept(left, right, field, candidate, trial):
                relation = trial
                break
        else:
            return None
    return relation


def _candidates(left: Side, right: Side, field: str) -> Iterator[Formula]:
    """States of the left, most likely first; and what is left of a second moment without the square of the first."""
    yield from (state for f, state in left.open.items() if f == field)
    yield from (state for f, state in left.open.items() if f != field)
    for corrected in (False, True):
        moments = [_corrected(form) if corrected else form for form in left.forms.values() if form.has(Sum)]
        yield from (v - m**2 for m in moments for v in moments if v != m)


def _corrected(form: Formula) -> Formula:
    """A discounted average divided by the sum of its weights."""
    rates = {rate for s in form.atoms(Sum) for rate in s.function.atoms(Rate)}
    return form / (1 - rates.pop() ** T) if len(rates) == 1 else form


def _starts(left: Side, right: Side, field: str, candidate: Formula) -> bool:
    """Whether it is so ahead of the first step; of what is made of sums, whether it is so after it."""
    start = sympify(right.step.start[field])
    if candidate in left.open.values():
        (mine,) = [f for f, state in left.open.items() if state == candidate]
        return same(sympify(left.step.start[mine]), start)
    first = right.recurrence(field).xreplace({right.open[field].base[T - 1]: start})
    return same(written_out(candidate, 1), written_out(first, 1))


def _is_kept(left: Side, right: Side, field: str, candidate: Formula, trial: Mapping[Formula, Formula]) -> bool:
    if any(first > 1 for side in (left, right) for name, first in side.step.first.items() if name != UPDATE):
        return False
    after = {state: left.recurrence(f) for f, state in left.open.items()}
    return same(candidate.xreplace(after), right.recurrence(field).xreplace(trial).xreplace(after))


def _is_nested(form: Formula) -> bool:
    return any(s.function.has(Sum) or len(s.limits) > 1 for s in form.atoms(Sum))


def without_idle_maxima(e: Formula) -> Formula:
    """The expression with E for every max(0, E) whose E is shown to stay at 0 or above."""

    def settle(maximum: Formula) -> Formula:
        others = [a for a in maximum.args if a != 0]
        idle = len(others) == 1 and len(maximum.args) == 2 and stays_nonnegative(others[0])
        return others[0] if idle else maximum

    return e.replace(lambda x: isinstance(x, Max), settle)


def stays_nonnegative(e: Formula) -> bool:
    """Whether E_t ≥ 0 by induction: E_1 ≥ 0, and E_(t+1) = λ·E_t + r with λ ≥ 0 and r ≥ 0, for E's numerator.

    λ is what a sum that occurs once is multiplied by from one step to the next.
    """
    above, below = fraction(together(e))
    sums: Formula = above.atoms(Sum)
    if any(len(s.limits) > 1 or s.limits[0][1:] != (1, T) for s in sums):
        return False
    rates = {s: cancel(expand_power_exp(s.function.subs(T, T + 1) / s.function)) for s in sums}
    if not is_nonnegative(below) or any(rate.has(T, *s.variables) for s, rate in rates.items()):
        return False
    moments = {s: Dummy(nonnegative=True) if is_nonnegative(s) else Dummy(real=True) for s in rates}
    now = above.xreplace(moments)
    steps = {x: rates[s] * x + s.function.subs(s.variables[0], T).subs(T, T + 1) for s, x in moments.items()}
    later = expand_power_exp(now.subs(T, T + 1).xreplace(steps))
    if not is_nonnegative(factor(written_out(above, 1))):
        return False
    for x in moments.values():
        here, there = (expand(side).coeff(x, 1) for side in (now, later))
        if here != 0 and not here.has(x):
            growth = factor(cancel(there / here))
            rest = factor(cancel(later - growth * now))
            if is_nonnegative(growth) and (rest == 0 or is_nonnegative(rest)):
                return True
    return False
