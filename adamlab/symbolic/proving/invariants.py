"""Relations between the states of two optimizers that hold at the start and that a step keeps."""

from collections.abc import Iterator, Mapping
from typing import Any

from sympy import (
    IndexedBase,
    Sum,
    sympify,
)

from adamlab.interpret.equality import same
from adamlab.interpret.signs import Rate
from adamlab.symbolic.general_step import UPDATE, Step
from adamlab.symbolic.letters import T
from adamlab.symbolic.solving.nonnegative import shown_by_induction
from adamlab.symbolic.solving.recurrences import written_out
from adamlab.symbolic.solving.solutions import put_in, solved, starts_with, valid_since
from adamlab.types import Formula


class Side:
    """One side of a statement: an optimizer's general step with the closed forms of its states.

    Attributes:
        step: the general step.
        mark: a mark behind the letter of every state, to tell the sides' states apart.
        forms: the closed forms of the states that have one, by field.
        update: the update with the forms put in; valid at every step where the conditions in t are left as cases.
        open: the states without a closed form, x[t], by field.
    """

    def __init__(self, step: Step, mark: str = "", forms: Mapping[str, Formula] | None = None):
        self.step, self.mark = step, mark
        self.forms = solved(step) if forms is None else forms
        self.marks = {s.base: IndexedBase(f"{s.base.label}{mark}", **s.base.assumptions0) for s in step.states.values()}
        self.update = self.marked(put_in(step, self._update, self.forms))
        self.open = {f: self.marked(s) for f, s in step.states.items() if f not in self.forms}

    def without_nested_sums(self) -> "Side":
        """The side without those forms that have sums within sums, since two of these can be equal and not look it."""
        flat = {field: form for field, form in self.forms.items() if not _is_nested(form)}
        return self if len(flat) == len(self.forms) else Side(self.step, self.mark, flat)

    def marked(self, e: Formula) -> Formula:
        """The expression with this side's marked letters."""
        return e.xreplace(self.marks)

    def recurrence(self, field: str) -> Formula:
        """The recurrence of a state without a closed form, with the others' forms put in."""
        return self.marked(put_in(self.step, self.step.recurrences[field], self.forms))

    @property
    def shown(self) -> set[Any]:
        """The assumptions that are shown to hold."""
        return shown_by_induction(self.step, self.forms)

    @property
    def holds_at_first(self) -> bool:
        """Whether the update with the forms put in is right at the first step too."""
        return starts_with(self.step, self._update, self.forms, valid_since(self.step))

    @property
    def _update(self) -> Formula:
        return self.step.update if self.step.cases is None else self.step.cases

    def update_at(self, t: int) -> Formula | None:
        """The update at a step whose number is known, with the states' forms put in; None where it was not read."""
        if t <= len(self.step.early):
            e = self.step.early[t - 1][UPDATE]
        elif self.step.cases is not None or t >= self.step.first[UPDATE]:
            e = self._update.subs(T, t)
        else:
            return None
        forms = {self.step.states[f].base[k]: form.subs(T, k) for f, form in self.forms.items() for k in (t, t - 1)}
        starts = {state.base[0]: sympify(self.step.start[f]) for f, state in self.step.states.items()}
        return self.marked(e.xreplace(forms | starts))

    def unsolved(self) -> dict[Formula, Formula]:
        """The recurrence of each state without a closed form, by the state's letter."""
        return {state.base: self.recurrence(field) for field, state in self.open.items()}

    def needed(self) -> list[str]:
        """The states without a closed form that the update depends on, directly or through others."""
        needed: list[str] = []
        waiting = [self.update]
        while waiting:
            e = waiting.pop()
            for field, state in self.open.items():
                if field not in needed and e.has(state.base):
                    needed.append(field)
                    waiting.append(self.recurrence(field))
        return needed


def related(left: Side, right: Side) -> dict[Formula, Formula] | None:
    """The right's states without a closed form in terms of the left's, after the step and before it.

    Only for the states that the right's update needs. The relation holds at the start, and a step of both keeps it;
    None where no such relation was found.
    """
    relation: dict[Formula, Formula] = {}
    needed = right.needed()
    if needed and any(t > 1 for side in (left, right) for name, t in side.step.first.items() if name != UPDATE):
        return None  # a step that is not as later ones may not keep it
    for field in needed:
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
    """Formulas that a state of the right may equal, likeliest first: states of the left, then its variances v − m²."""
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
    """Whether state and candidate are equal at the start: before the first step, or after it for sums."""
    start = sympify(right.step.start[field])
    if candidate in left.open.values():
        (own,) = [f for f, state in left.open.items() if state == candidate]
        return same(sympify(left.step.start[own]), start)
    first = right.recurrence(field).xreplace({right.open[field].base[T - 1]: start})
    return same(written_out(candidate, 1), written_out(first, 1))


def _is_kept(left: Side, right: Side, field: str, candidate: Formula, trial: Mapping[Formula, Formula]) -> bool:
    """Whether a step of both sides keeps the state equal to the candidate, given the relation on trial before it."""
    after = {state: left.recurrence(f) for f, state in left.open.items()}
    return same(candidate.xreplace(after), right.recurrence(field).xreplace(trial).xreplace(after))


def _is_nested(form: Formula) -> bool:
    return any(s.function.has(Sum) or len(s.limits) > 1 for s in form.atoms(Sum))
