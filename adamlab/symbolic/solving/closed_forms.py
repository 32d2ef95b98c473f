"""The states and the update of an optimizer for general t."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sympy import Eq, Expr, Ne, Piecewise, S, Symbol, sympify

from adamlab.errors import InputError, nearest
from adamlab.interpret.equality import poles
from adamlab.interpret.signs import has_known_sign
from adamlab.symbolic.general_step import UPDATE, Step, general_step, last_step_in_words
from adamlab.symbolic.letters import G, T, U
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.open_optimizer import OpenOptimizer, Optimizer
from adamlab.symbolic.results import Equation, Result, domains, in_words
from adamlab.symbolic.solving.limits import NoLimitError, exceptions_of_limit, limit_of, require_solved
from adamlab.symbolic.solving.nonnegative import shown_by_induction
from adamlab.symbolic.solving.solutions import first_right, needed_since, put_in, solved, starts_with, valid_since
from adamlab.types import Formula


@dataclass(frozen=True, repr=False)
class ClosedForm(Result):
    """An optimizer after t steps.

    Attributes:
        title: the optimizer as it was given.
        hyper: the symbol of every number that is open, by name.
        states: each state after step t, by field, in terms of g[1] … g[t] and the start alone; for a state without a
            closed form its recurrence, an equation.
        updates: the update at step t, in the same terms and the parameter w[t − 1].
        recurrences: an equation for each float state x[t], by field; and one for the "update" u[t] in terms of these.
        unsolved: the fields without a closed form.
        assumptions: the conditions under which the formulas hold, in words.
        t, g: the symbol of the step, and the gradients.
    """

    title: str
    hyper: Mapping[str, Symbol]
    states: Mapping[str, Any]
    updates: Formula
    recurrences: Mapping[str, Any]
    unsolved: tuple[str, ...]
    assumptions: tuple[str, ...]
    t: Symbol = T
    g: Any = G

    def limit(self, **where: Any) -> "ClosedForm":
        """The limit of all formulas as numbers go to 0, 1 or ∞ ("oo"), such as `limit(b2=1)`.

        Raises:
            InputError: no such number is open, or no limit was found.
        """
        states, updates = dict(self.states), self.updates
        exceptions: list[str] = []
        for name, value in where.items():
            if name not in self.hyper:
                raise InputError(f"{self.title} has no open number {name!r}; {nearest(name, self.hyper)}")
            unsolved = {self.recurrences[f].lhs.base: self.recurrences[f].rhs for f in self.unsolved}
            try:
                require_solved(updates, self.hyper[name], unsolved)
                before, updates = updates, limit_of(updates, self.hyper[name], value)
                exceptions += [text(Ne(e, 0)) for e in exceptions_of_limit(before, self.hyper[name], value, updates)]
                closed = {f: e for f, e in states.items() if isinstance(e, Expr) and f not in self.unsolved}
                states |= {f: limit_of(e, self.hyper[name], value) for f, e in closed.items()}
            except NoLimitError as error:
                raise InputError(f"{self.title} has no limit for {name} → {value} that was found: {error}.") from error
        left = {name: symbol for name, symbol in self.hyper.items() if name not in where}
        goes = [f"{name} → {value}" for name, value in where.items()]
        others = self.assumptions[len(domains(self.hyper)) :]
        assumptions = (*domains(left), *others, *dict.fromkeys(exceptions), *goes)
        return replace(self, hyper=left, states=states, updates=updates, assumptions=assumptions)

    def _equations(self) -> list[Equation]:
        bases = {field: equation.lhs for field, equation in self.recurrences.items()}
        states = [(bases[f], e.rhs if isinstance(e, Eq) else e) for f, e in self.states.items() if f in bases]
        return [*states, (Symbol("u_t"), self.updates)]


def closed_form(
    optimizer: Optimizer, hyper: Mapping[str, Any] | None = None, *, symbols: Collection[str] = ()
) -> ClosedForm:
    """Solve an optimizer's recurrences for general t.

    Affine recurrences become sums over all steps, running maxima a `Maximum`; each form is checked by induction. The
    arguments are those of `al.unroll`; the parameter is a single number.

    Returns:
        A `ClosedForm`.

    Raises:
        SpecError, UnreadableError: as `al.unroll`.
        InputError: the optimizer keeps an array for a single parameter, or an integer that is no count of steps.

    >>> closed_form("optax.sgd(lr, momentum=mu)").states["trace"]
    Sum(mu**(-i + t)*g[i], (i, 1, t))
    """
    return closed_form_of(OpenOptimizer.of(optimizer, hyper, symbols))


def closed_form_of(optimizer: OpenOptimizer) -> ClosedForm:
    """Solve the recurrences of an optimizer that is open already, as `closed_form`."""
    step = general_step(optimizer)
    if step.update.xreplace(dict.fromkeys(step.update.atoms(Piecewise), S.One)).has(S.NaN, S.ComplexInfinity):
        raise InputError(f"{optimizer.subject.title} divides by 0 at these numbers; leave one open and take its limit.")
    forms = solved(step)
    recurrences: dict[str, Any] = {
        field: Eq(step.states[field], e, evaluate=False) for field, e in step.recurrences.items()
    }
    recurrences["update"] = Eq(U[T], step.update, evaluate=False)
    states = {f: forms.get(f, recurrences.get(f, sympify(step.wholes.get(f)))) for f in optimizer.fields}
    unsolved = tuple(field for field in step.states if field not in forms)
    updates = put_in(step, step.update, forms)
    return ClosedForm(
        optimizer.subject.title,
        optimizer.hyper,
        states,
        updates,
        recurrences,
        unsolved,
        (
            *in_words(optimizer, step.algebra, shown_by_induction(step, forms)),
            *_divisors_of_solutions(step, [*forms.values(), updates]),
            *_where_it_holds(step, forms, updates, unsolved),
        ),
    )


def _divisors_of_solutions(step: Step, formulas: Collection[Formula]) -> list[str]:
    """The conditions that no divisor is 0 that came with the solution, such as γ ≠ 1 with (1 − γ^t)/(1 − γ)."""
    known = {pole for e in (*step.recurrences.values(), step.update) for pole in poles(e)}
    new = {pole for e in formulas for pole in poles(e)} - known
    numbers = {*step.optimizer.hyper.values()}
    doubtful = [e for e in new if e.free_symbols and e.free_symbols <= numbers and not has_known_sign(e)]
    return [text(Ne(e, 0)) for e in sorted(doubtful, key=str)]


def _where_it_holds(step: Step, forms: Mapping[str, Formula], updates: Formula, unsolved: Collection[str]) -> list[str]:
    """The steps for which the formulas hold, in words."""
    since = valid_since(step)
    counted = last_step_in_words(step)
    needed = needed_since(step, step.update, since)
    first = max(step.first[UPDATE], needed + 1 if needed > 1 else 1)
    first = max(first, 1 if starts_with(step, step.update, forms, since) else 2)
    late = [f"the update is that of steps t ≥ {first}"] if first > 1 else []
    right = {field: t + 1 if field in unsolved else first_right(step, field, since) for field, t in since.items()}
    states = [f"{_named(field)} is so for t ≥ {t}" for field, t in right.items() if since[field] > 1]
    before = ["g₀ = 0"] if updates.has(G[T - 1]) and first == 1 else []
    return [
        *counted,
        *before,
        *late,
        *states,
        *(f"{_named(field)} has no closed form that was found" for field in unsolved),
    ]


def _named(field: str) -> str:
    return f"state {field}" if field[0].isdigit() else field
