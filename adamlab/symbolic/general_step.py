"""One step of an optimizer for general t: its recurrences, read off its code."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mpmath import mpf
from sympy import IndexedBase, Ne, sympify

from adamlab.errors import InputError
from adamlab.interpret.arrays import Values, objects
from adamlab.interpret.equality import same
from adamlab.interpret.evaluation import evaluate
from adamlab.interpret.jaxpr import Reader
from adamlab.interpret.signs import is_nonnegative
from adamlab.interpret.sympy_algebra import ENDLESS, Formulas
from adamlab.interpret.trials import STEPS, Draws, broken
from adamlab.symbolic.letters import F, G, T, W
from adamlab.symbolic.open_optimizer import OpenOptimizer
from adamlab.types import Formula

MOST_EARLY_STEPS = 16
"""The number of early steps, before the general one holds, that are read one by one at the most."""

FEW = 4
"""The step by which a condition in t has to be settled to count as part of the beginning."""

UPDATE = ""
"""The key of the update among the fields of a state."""


class NoGeneralStepError(InputError):
    """An optimizer whose steps have no formula for general t that was found."""


@dataclass(frozen=True)
class Step:
    """The t-th step; x[t] is a state after it and x[t − 1] the state before it, for `IndexedBase` x.

    Attributes:
        optimizer: the optimizer that takes the step.
        start: each state before the first step, by field.
        states: the symbol x[t] of each float state after the step.
        recurrences: the formula of each float state after the step, in terms of others after and before it, g[t],
            w[t − 1] and t.
        wholes: the values of the integer and boolean states after the step.
        update: the formula of the update, which is added to w[t − 1].
        algebra: the algebra that the step was read in, with the assumptions made.
        first: the step from which each recurrence holds, and the update, under `UPDATE`; mostly 1.
        early: the steps before the last of these, read one by one: recurrences and update by field.
        cases: the update at any step, with cases for conditions in t; None where a recurrence has such conditions too.
    """

    optimizer: OpenOptimizer
    start: Mapping[str, Any]
    states: Mapping[str, Formula]
    recurrences: Mapping[str, Formula]
    wholes: Mapping[str, Any]
    update: Formula
    algebra: Formulas
    first: Mapping[str, int] = field(default_factory=dict)
    early: tuple[Mapping[str, Any], ...] = ()
    cases: Formula | None = None

    def before(self, name: str) -> Formula:
        """The state before the step, x[t − 1]."""
        return self.states[name].base[T - 1]

    def under_names(self) -> "Step":
        """The step with each state of gradients alone under its name wherever other formulas have it written out.

        Code of frameworks does, as of √(v − m²) in a momentum.
        """
        alone = [
            name
            for name, e in self.recurrences.items()
            if e.has(G[T]) and [x for x, state in self.states.items() if e.has(state.base)] == [name]
        ]

        def named(of: str, e: Formula) -> Formula:
            for name in alone:
                if name != of and e.has(self.before(name)) and self.first.get(name, 1) <= self.first.get(of, 1):
                    e = e.subs(self.recurrences[name], self.states[name])
            return e

        recurrences = {name: named(name, e) for name, e in self.recurrences.items()}
        cases = None if self.cases is None else named(UPDATE, self.cases)
        return replace(self, recurrences=recurrences, update=named(UPDATE, self.update), cases=cases)

    def trial(self, draw: Draws) -> Iterator[dict[Any, Any]]:
        """The numbers of a trial after each step, from the step on that the formulas hold from."""
        known: dict[Any, Any] = {symbol: draw.number(symbol) for symbol in self.optimizer.hyper.values()}
        origin = self.algebra.first_step - 1
        known |= {W[0]: draw.gradient(), G[origin]: mpf(0)}
        known[W[origin]] = known[W[0]]
        starts = {state.base[origin]: self.start[name] for name, state in self.states.items()}
        known |= {state: evaluate(sympify(start), known) for state, start in starts.items()}
        for t in range(origin + 1, origin + STEPS + 1):
            known |= {T: mpf(t), G[t]: draw.gradient(), F[t]: draw.loss()}
            waiting = dict(self.recurrences)
            while waiting:  # in an order in which each state's formula has the states that it needs
                now = [x for x, e in waiting.items() if not any(e.has(self.states[other]) for other in waiting)]
                for name in now:
                    known[self.states[name].base[t]] = evaluate(waiting.pop(name), known)
            known[W[t]] = known[W[t - 1]] + evaluate(self.update, known)
            yield known


def general_step(optimizer: OpenOptimizer) -> Step:
    """Read the t-th step of an optimizer on a single number.

    Raises:
        NoGeneralStepError: the optimizer keeps an array for a single parameter, or an integer that is no count.
        UnreadableError: its code uses a primitive without a meaning in formulas.
    """
    return _General(optimizer).step()


class _General:
    """The search for the general step, by guesses that the step itself has to confirm.

    At first every integer state is taken to be a count, every boolean to be constant, and every float that starts at 0
    or above to stay there. A guess that the step contradicts is dropped, and the step is read again.

    Attributes:
        start: the leaves of the state before the first step; leaves are known by their number k.
        floats: the leaves that are floats.
        counts: the integer leaves guessed to be start + t.
        fixed: the leaves guessed to be the same at every step, with their values.
        nonnegative: the leaves guessed never to be negative.
        stepped: the leaves whose values lie on steps, so that they may equal something at many points.
        refused: conditions that were assumed and fail on numbers.
        equal: conditions x ≠ y that were assumed of two that are always equal.
        first: the step from which `fixed` holds: 1, or 2 where the first step sets a flag.
    """

    def __init__(self, optimizer: OpenOptimizer):
        self.optimizer = optimizer
        self.start = [_scalar(optimizer, k, leaf) for k, leaf in enumerate(optimizer.start(Formulas(), objects(W[0])))]
        self.floats = [k for k, x in enumerate(self.start) if not isinstance(x, (bool, int))]
        self.counts = {k for k, x in enumerate(self.start) if type(x) is int}
        self.fixed = {k: x for k, x in enumerate(self.start) if isinstance(x, bool)}
        self.nonnegative = {k for k in self.floats if is_nonnegative(self.start[k])}
        self.stepped: set[int] = set()
        self.refused: set[Any] = set()
        self.equal: set[Any] = set()
        self.first = 1

    def step(self) -> Step:
        while True:
            algebra = self.algebra(T)
            named, after, update = self.read(algebra, T, self.before(T))
            # Conditions in t are settled as they are at late steps, but the guesses have to hold at every earlier step
            # too: the step is read a second time with such conditions left as cases.
            anytime = self.algebra(T, settled_by=0)
            named_anytime, after_anytime, _ = self.read(anytime, T, self.before(T))
            whole = {k: after_anytime[k] for k in (*self.counts, *self.fixed)}
            if not (self.confirms(anytime, named_anytime, whole) and self.confirms(algebra, named, whole)):
                continue
            fields = self.optimizer.fields
            general = Step(
                self.optimizer,
                dict(zip(fields, self.start, strict=True)),
                {fields[k]: self.base(k)[T] for k in self.floats},
                {fields[k]: algebra.resolved(named[k]) for k in self.floats},
                {fields[k]: after[k] for k in range(len(fields)) if k not in self.floats},
                algebra.resolved(update),
                algebra,
            )
            numbers = {T, *self.optimizer.hyper.values()}  # a condition on these alone says what numbers there may be
            doubtful = [c for c in algebra.assumptions if not c.free_symbols <= numbers]
            failures = broken(doubtful, general.trial)
            if self.accepts(general, failures):
                return self.with_early_steps(
                    general, max((t for failed in failures.values() for t in failed), default=0)
                )

    def algebra(self, t: Any = None, **how: Any) -> Formulas:
        """An algebra with all that is known so far of states and conditions."""
        stepped: set[Formula] = {self.base(k)[time] for k in self.stepped for time in (T - 1, T)}
        known: dict[str, Any] = {"stepped": stepped, "refused": frozenset(self.refused), "equal": frozenset(self.equal)}
        return Formulas(t, first_step=self.first if t is T else 1, **known, **how)

    def accepts(self, general: Step, failures: Mapping[Any, set[int]]) -> bool:
        """Whether no assumption fails after the first steps, where states are still at their starts."""
        wrong = [condition for condition, steps in failures.items() if steps and max(steps) > FEW]
        for condition in wrong:
            always = isinstance(condition, Ne) and stays_zero(general, condition.args[0])
            (self.equal if always else self.refused).add(condition)
        return not wrong

    def base(self, k: int) -> Any:
        """The letter of a leaf, to be indexed by steps."""
        known: dict[str, Any] = {"nonnegative" if k in self.nonnegative else "real": True}
        return IndexedBase(self.optimizer.letters[k], **known)

    def before(self, t: Any) -> list[Any]:
        """The leaves of the state before step t."""
        return [
            self.start[k] + (t - 1) if k in self.counts else self.fixed[k] if k in self.fixed else self.base(k)[t - 1]
            for k in range(len(self.start))
        ]

    def read(self, algebra: Formulas, t: Any, before: list[Any]) -> tuple[dict[int, Formula], list[Any], Formula]:
        """A step's formulas: those of the float states by leaf, all leaves as later formulas name them, the update."""
        named: dict[int, Formula] = {}

        def rename(k: int):
            def keep(values: Values) -> Values:
                if k not in self.floats or k in named or values.item().is_Atom:
                    return values
                named[k] = values.item()
                return objects(self.base(k)[t])

            return keep

        state = [objects(x) for x in before]
        u, after = self.optimizer.step(Reader(algebra), objects(G[t]), state, objects(W[t - 1]), objects(F[t]), rename)
        leaves = [leaf.item() for leaf in after]
        # The code may compute a state once more for its update: the same formula is the same state.
        states = {e: self.base(k)[t] for k, e in named.items() if e.has(G[t])}
        update = sympify(u.item()).xreplace(states)
        return {k: named.get(k, sympify(leaves[k])) for k in self.floats}, leaves, update

    def confirms(self, algebra: Formulas, named: Mapping[int, Formula], after: Mapping[int, Any]) -> bool:
        """Whether the step confirms all guesses; a guess that it contradicts is dropped."""
        wrong = {k for k in self.counts if sympify(after[k] - self.start[k] - T) != 0}
        negative = {k for k in self.nonnegative if not is_nonnegative(algebra.in_full(named[k]))}
        stepped = {k for k in self.floats if algebra.lies_on_steps(named[k])} - self.stepped
        changed = {k for k, value in self.fixed.items() if after[k] is not value and after[k] != value}
        wrong = self.wrong_at_first(wrong) or wrong
        self.counts -= wrong
        self.nonnegative -= negative
        self.stepped |= stepped
        self.fixed |= {k: self.start[k] for k in wrong}
        for k in changed:
            if not isinstance(after[k], (bool, int)) or self.first > 1:
                name = self.optimizer.fields[k]
                raise NoGeneralStepError(
                    f"{self.optimizer.subject.title} has no general step: {name} is no count; unroll reads it."
                )
            self.fixed[k] = after[k]  # a flag that the first step sets, and which is constant from then on
            self.first = 2
        return not (wrong or negative or stepped or changed)

    def wrong_at_first(self, counts: set[int]) -> set[int]:
        """The counts among these that the first step does not count up; others may be wrong because of these alone."""
        _, after, _ = self.read(self.algebra(), 1, self.start) if counts else ({}, [], None)
        return {k for k in counts if after[k] != self.start[k] + 1}

    def with_early_steps(self, general: Step, doubtful: int) -> Step:
        """The general step together with the early steps that differ from it, which are read one by one.

        Conditions that are settled late, as at the end of a schedule, are left as cases where only the update has them.
        In the `doubtful` first steps an assumption may be false.
        """
        last, names = general.algebra.first_step, [*general.recurrences, UPDATE]
        known = {**general.recurrences, UPDATE: general.update}
        soon, anytime = (last, known) if last <= FEW else self.with_late_cases(general)
        soon = max(soon, doubtful + 1)
        late = [name for name in general.recurrences if not general.algebra.are_same(anytime[name], known[name])]
        early = [self.early_step(general, t) for t in range(1, last if late and last <= MOST_EARLY_STEPS else soon)]
        steps = {name: range(1, (last if name in late else soon)) for name in names}
        formulas = {name: (known if name in late else anytime)[name] for name in names}
        first = {
            name: max((t for t in steps[name] if not self.agrees(general, early, name, formulas, t)), default=0) + 1
            for name in names
        } | {name: last for name in late if last > MOST_EARLY_STEPS}
        cases = anytime[UPDATE] if not late and set(first.values()) == {1} else None
        first |= {UPDATE: last} if last > FEW else {}
        return replace(general, first=first, early=tuple(early), cases=cases)

    def agrees(
        self, general: Step, early: list[dict[str, Any]], name: str, formulas: Mapping[str, Formula], t: int
    ) -> bool:
        """Whether an early step has the general formula of a state or the update, with early states written out."""
        if t > len(early):
            return False
        own = early[t - 1]
        after = {state.base[t]: own[field] for field, state in general.states.items() if field != name}
        if t == 1:
            after |= {state.base[0]: sympify(general.start[field]) for field, state in general.states.items()}
        sides = (own[name], formulas[name].subs(T, t))
        return general.algebra.are_same(*(side.xreplace(after).xreplace(after) for side in sides))

    def with_late_cases(self, general: Step) -> tuple[int, dict[str, Formula]]:
        """The step by which the early conditions are settled, and the formulas with cases for the late ones."""
        algebra = self.algebra(T, settled_by=FEW)
        named, _, update = self.read(algebra, T, self.before(T))
        recurrences = {self.optimizer.fields[k]: algebra.resolved(e) for k, e in named.items()}
        formulas = {**recurrences, UPDATE: algebra.resolved(update)}
        general.algebra.assumptions |= algebra.assumptions
        return algebra.first_step, formulas

    def early_step(self, general: Step, t: int) -> dict[str, Any]:
        """The recurrences and the update of a step whose number is known; those of the first from the states' start."""
        algebra = self.algebra()
        named, _, update = self.read(algebra, t, self.start if t == 1 else self.before(t))
        formulas = {self.optimizer.fields[k]: algebra.resolved(e) for k, e in named.items()}
        formulas[UPDATE] = algebra.resolved(update)
        general.algebra.assumptions |= algebra.assumptions
        return formulas


def stays_zero(step: Step, e: Formula) -> bool:
    """Whether an expression in states is 0 at every step, by induction from the start."""
    now = e.subs(T, T + 1) if any(e.has(step.before(field)) for field in step.states) else e
    states = {field: state for field, state in step.states.items() if now.has(state)}
    if not states or any(now.has(step.before(field)) for field in step.states):
        return False
    field = next(iter(states))
    rate = now.diff(states[field])
    if rate == 0 or rate.has(*states.values()):
        return False
    before = now.subs(T, T - 1)
    solved = {step.before(field): step.before(field) - before / rate}
    start = before.xreplace({step.before(f): sympify(step.start[f]) for f in states})
    after = now.xreplace({state: step.recurrences[f] for f, state in states.items()})
    return same(start, 0) and same(after.xreplace(solved), 0)


def last_step_in_words(step: Step) -> list[str]:
    """The steps for which no integer of the code wraps, in words; none where there is no integer."""
    last = step.algebra.last_step
    if last > ENDLESS:
        return ["t < 2³¹"] if step.wholes else []
    return [f"t ≤ {last}, beyond which an integer of the code wraps"]


def _scalar(optimizer: OpenOptimizer, k: int, leaf: Values) -> Any:
    if leaf.ndim:
        title, name = optimizer.subject.title, optimizer.fields[k]
        raise NoGeneralStepError(
            f"{title} keeps an array of shape {leaf.shape} in {name}: it has no closed form; unroll reads it."
        )
    value = leaf.item()
    return value if isinstance(value, (bool, int)) else sympify(value)
