"""The states and the update of an optimizer for general t."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sympy import Eq, Expr, S, Symbol, sympify

from adamlab.errors import InputError, nearest
from adamlab.symbolic.general_step import UPDATE, Step, general_step
from adamlab.symbolic.letters import G, T, U
from adamlab.symbolic.open_optimizer import Optimizer, Reading
from adamlab.symbolic.results import Equation, Result, domains, in_words
from adamlab.symbolic.solving.limits import NoLimitError, limit_of
from adamlab.symbolic.solving.solutions import made_of, put_in, solved, valid_since
from adamlab.types import Formula


@dataclass(frozen=True)
class ClosedForm(Result):
    """An optimizer after t steps.

    Attributes:
        title: the optimizer as it was given.
        hyper: the symbol of every number that is open, by name.
        states: each state after step t, by field: of g[1] … g[t] and the start alone; for one that has no closed form
            its recurrence, an equation.
        updates: the update at step t, in the same terms and the parameter w[t − 1].
        recurrences: what a step makes of each float state, as equations for x[t], by field; and the "update" u[t] in
            terms of these.
        unsolved: the fields without a closed form.
        assumptions: what was taken for granted, in words.
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
        """The same as numbers go somewhere: `limit(b2=1)`; 0, 1 and ∞ ("oo") are places to go.

        Raises:
            InputError: no such number is open, or there is no limit that was found.
        """
        states, updates = dict(self.states), self.updates
        for name, value in where.items():
            if name not in self.hyper:
                raise InputError(f"{self.title} has no open number {name!r}; {nearest(name, self.hyper)}")
            try:
                updates = limit_of(updates, self.hyper[name], value)
                closed = {f: e for f, e in states.items() if isinstance(e, Expr) and f not in self.unsolved}
                states |= {f: limit_of(e, self.hyper[name], value) for f, e in closed.items()}
            except NoLimitError as error:
                raise InputError(f"{self.title} has no limit for {name} → {value} that was found: {error}.") from error
        left = {name: symbol for name, symbol in self.hyper.items() if name not in where}
        goes = [f"{name} → {value}" for name, value in where.items()]
        others = self.assumptions[len(domains(self.hyper)) :]
        assumptions = (*domains(left), *others, *goes)
        return replace(self, hyper=left, states=states, updates=updates, assumptions=assumptions)

    def _equations(self) -> list[Equation]:
        bases = {field: equation.lhs for field, equation in self.recurrences.items()}
        states = [(bases[f], e.rhs if isinstance(e, Eq) else e) for f, e in self.states.items() if f in bases]
        return [*states, (Symbol("u_t"), self.updates)]


def closed_form(
    optimizer: Optimizer, hyper: Mapping[str, Any] | None = None, *, symbols: Collection[str] = ()
) -> ClosedForm:
    """Solves an optimizer's recurrences for general t.

    Affine recurrences become sums over all steps, those that take the greater a maximum, `Maximum`; each form is borne
    out by induction. The arguments are those of `al.unroll`; the parameter is a single number.

    Returns:
        A `ClosedForm`.

    Raises:
        SpecError, UnreadableError: as `al.unroll`.
        InputError: the optimizer keeps an array for a single parameter, or counts in another way than by ones.

    >>> closed_form("optax.sgd(lr, momentum=mu)").states["trace"]
    Sum(mu**(-i + t)*g[i], (i, 1, t))
    """
    return closed_form_of(Reading.of(optimizer, hyper, symbols))


def closed_form_of(reading: Reading) -> ClosedForm:
    """As `closed_form`, of an optimizer that is open already."""
    step = general_step(reading)
    if step.update.has(S.NaN, S.ComplexInfinity):
        raise InputError(f"{reading.subject.title} divides by 0 at these numbers; leave one open and take its limit.")
    found = solved(step)
    recurrences: dict[str, Any] = {
        field: Eq(step.states[field], e, evaluate=False) for field, e in step.recurrences.items()
    }
    recurrences["update"] = Eq(U[T], step.update, evaluate=False)
    states = {f: found.get(f, recurrences.get(f, sympify(step.wholes.get(f)))) for f in reading.fields}
    unsolved = tuple(field for field in step.states if field not in found)
    return ClosedForm(
        reading.subject.title,
        reading.hyper,
        states,
        put_in(step, step.update, found),
        recurrences,
        unsolved,
        (*in_words(reading, step.algebra), *_where_it_holds(step, unsolved)),
    )


def _where_it_holds(step: Step, unsolved: Collection[str]) -> list[str]:
    since = valid_since(step)
    counted = ["t < 2³¹"] if step.wholes else []
    first = max([step.first[UPDATE], *(since[field] + 1 for field in made_of(step, step.update) if since[field] > 1)])
    late = [f"the update is that of steps t ≥ {first}"] if first > 1 else []
    states = [f"{field} is so for t ≥ {t + (field in unsolved)}" for field, t in since.items() if t > 1]
    before = ["g₀ = 0"] if step.update.has(G[T - 1]) else []
    return [*counted, *before, *late, *states, *(f"{field} has no closed form that was found" for field in unsolved)]
