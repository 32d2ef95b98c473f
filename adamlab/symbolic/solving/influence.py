"""The influence of past gradients: how much of an update comes from the gradient some steps ago."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sympy import Dummy, Indexed, Integer, Pow, Symbol, cancel, diff, fraction, sign

from adamlab.errors import InputError, nearest
from adamlab.interpret.signs import is_positive
from adamlab.symbolic.general_step import UPDATE, Step, general_step, last_step_in_words
from adamlab.symbolic.letters import F, G, T, U, W
from adamlab.symbolic.notation.printing import latex, text
from adamlab.symbolic.open_optimizer import OpenOptimizer, Optimizer, known_numbers
from adamlab.symbolic.partial import Partial
from adamlab.symbolic.results import Equation, Result, in_words
from adamlab.symbolic.solving.ages import AGE, Ages, ages, numbers_named, numbers_written
from adamlab.symbolic.solving.small import where_small
from adamlab.symbolic.solving.solutions import needed_since, put_in, solved, states_in, valid_since
from adamlab.symbolic.solving.weights import NoWeightsError
from adamlab.types import Formula

MOST_STEPS = 100_000
"""The most steps whose shares are computed at once."""


class NoInfluenceError(InputError):
    """An optimizer whose update is no weighted sum of the gradients; the message says why."""


@dataclass(frozen=True)
class Memory:
    """The weights of past gradients in a quantity.

    Attributes:
        of: the symbol of the quantity, as u_t or v_t.
        power: of the gradients that are added up: 1, or 2 for their squares.
        weight: the factor of g[t − k], or of its square, in terms of k, t, the numbers and the states that are held.
        share: the weight as a part of the sum of all weights; None where there is no short formula.
        half_life: the steps in which a weight halves; ∞ where none fades, None where they fall in no constant ratio
            below 1.
        mean_age: the mean of k by the weights as t → ∞, or at step t where no weight fades; None where it has no
            formula.
        since: the step from which the weight holds.
        relative: the weights but for their common factors, with what is held the same at all steps.
    """

    of: Formula
    power: int
    weight: Formula
    share: Formula | None
    half_life: Formula | None
    mean_age: Formula | None
    since: int
    relative: Ages

    @classmethod
    def read(cls, of: Formula, e: Formula, power: int) -> "Memory":
        """Read the weights in a formula.

        Raises:
            NoWeightsError: the formula is no weighted sum of that power of the gradients.
        """
        if before := sorted((x for x in e.atoms(Indexed) if _is_early(x)), key=str):
            # Only so far back are formulas known: what the gradients before weigh is in this state.
            state = text(before[0])
            raise NoWeightsError(f"its formula begins with {state}, and the weights of the gradients in it differ")
        weights = ages(e, power)
        if weights.formula == 0:
            raise NoWeightsError("no gradient reaches it but through states that are held")
        # What is held has some value at each step; how it changes from step to step is no matter of memory.
        still = weights.map(lambda w: numbers_named(w.replace(_is_past, lambda x: x.base[T])))
        still = still.without_common_factors()
        share = still.share()
        told = (None if share is None else share.formula, still.half_life(), still.mean_age())
        shown, half_life, mean_age = (None if e is None else numbers_written(e) for e in told)
        relative = still.map(numbers_written)
        return cls(of, power, weights.formula, shown, half_life, mean_age, weights.since, relative)

    def equations(self) -> list[Equation]:
        """The weight, the share, the half-life and the mean age, as far as there are formulas."""
        return [(Partial(self.of, G[T - AGE] ** self.power), self.weight), *self.told()]

    def told(self) -> list[Equation]:
        """The share, the half-life and the mean age, as far as there are formulas."""
        letter = str(self.of.base)
        ending = "" if letter == "u" else f"_{letter}"
        named = [("share", self.share), ("half_life", self.half_life), ("mean_age", self.mean_age)]
        return [(Symbol(f"{name}{ending}"), e) for name, e in named if e is not None]


@dataclass(frozen=True, repr=False)
class Influence(Result):
    """The weights of past gradients in an optimizer's update, and in the states that are held.

    Attributes:
        title: the optimizer as it was given.
        hyper: the symbol of every number that is open, by name.
        update: the weights in the update; or, where the update is the sign of a sum, in that sum.
        held: the letters of the states that are held, since they are no linear function of the gradients, by field.
        states: the weights of the gradients' powers in each state that is held and has them, by field.
        sign: the update in terms of the sum whose sign it takes, or None.
        assumptions: the conditions under which the formulas hold, in words.
        t, k: the symbols of the step and of a gradient's age.
    """

    title: str
    hyper: Mapping[str, Symbol]
    update: Memory
    held: Mapping[str, str]
    states: Mapping[str, Memory]
    sign: Formula | None
    assumptions: tuple[str, ...]
    t: Symbol = T
    k: Symbol = AGE

    @property
    def weight(self) -> Formula:
        """The factor of g[t − k] in the update."""
        return self.update.weight

    @property
    def share(self) -> Formula | None:
        """The part of the update that comes from g[t − k], where all gradients are the same."""
        return self.update.share

    @property
    def half_life(self) -> Formula | None:
        """The steps in which a gradient's weight in the update halves."""
        return self.update.half_life

    @property
    def mean_age(self) -> Formula | None:
        """The mean age of the gradients in the update."""
        return self.update.mean_age

    def shares_at(self, t: int, *, of: str = "", **numbers: Any) -> np.ndarray:
        """The shares of g[t], g[t − 1] … g[1] in the update at step t, or in the state `of` a field.

        Raises:
            InputError: a number is missing, unknown or none, there is no such step or state, the shares depend on a
                state that is held, or the weights sum to 0 or have no finite value.
        """
        memory = self.update if not of else self.states.get(of)
        if memory is None:
            raise InputError(f"{self.title} holds no state {of!r} with weights; {nearest(of, self.states)}")
        if not isinstance(t, (int, np.integer)) or not memory.since <= t <= MOST_STEPS:
            raise InputError(f"expected a step from {memory.since} to {MOST_STEPS}, not {t!r}.")
        known = known_numbers(self.title, self.hyper, numbers)
        weights = memory.relative.map(lambda e: e.xreplace(known))
        left = weights.formula.free_symbols - {T, AGE}
        missing = [name for name, symbol in self.hyper.items() if symbol in left]
        if missing:
            raise InputError(f"expected a number for each of {', '.join(missing)}: give {missing[0]}=….")
        if left:
            states = ", ".join(sorted(text(s) for s in left if isinstance(s, Indexed)))
            raise InputError(f"the shares of gradients in {text(memory.of)} of {self.title} depend on {states}.")
        with np.errstate(all="ignore"):
            values = weights.at(t)
            total = values.sum()
        if not np.isfinite(total) or not values.any():
            given = ", ".join(f"{name}={value}" for name, value in numbers.items())
            raise InputError(
                f"the formula of the weights in {text(memory.of)} of {self.title} has no finite value at {given}; read "
                "the optimizer with these numbers, as in al.influence(optimizer, {…})."
            )
        if abs(total) <= 1e-12 * np.abs(values).sum():
            of = f"{text(memory.of)} of {self.title}"
            raise InputError(f"the weights in {of} sum to 0 at step {t}, and have no shares.")
        return values / total

    def _equations(self) -> list[Equation]:
        return [
            *([(U[T], self.sign)] if self.sign is not None else []),
            *self.update.equations(),
            *(equation for memory in self.states.values() for equation in memory.equations()),
        ]

    def _words(self) -> list[str]:
        what = f"the sum {text(self.update.of)}, whose sign is the update" if self.sign is not None else "the update"
        return [f"The weight of the gradient of k steps ago in {what} at step t; its share of all such weights."]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""

        def plain(memory: Memory) -> dict[str, Any]:
            formulas = {name: getattr(memory, name) for name in ("weight", "share", "half_life", "mean_age")}
            printed = {n: e if e is None else {"text": text(e), "latex": latex(e)} for n, e in formulas.items()}
            return {"of": text(memory.of), "power": memory.power, **printed}

        return {
            "optimizer": self.title,
            "update": plain(self.update),
            "held": dict(self.held),
            "states": {name: plain(memory) for name, memory in self.states.items()},
            **super().to_dict(),
        }


def influence(
    optimizer: Optimizer, hyper: Mapping[str, Any] | None = None, *, symbols: Collection[str] = ()
) -> Influence:
    """Derive how much of an optimizer's update at step t comes from the gradient k steps ago.

    States that are a linear function of the gradients are solved for every t. Those that are not, as second moments,
    are held, and so are the parameters; each state that is held is told how it weighs the gradients' powers. The
    arguments are those of `al.unroll`.

    Returns:
        An `Influence`.

    Raises:
        SpecError, UnreadableError: as `al.unroll`.
        InputError: the update is no weighted sum of gradients that was found; the message says why.

    >>> influence("optax.sgd(lr, momentum=mu)").half_life
    -log(2)/log(mu)
    """
    return influence_of(general_step(OpenOptimizer.of(optimizer, hyper, symbols)))


def influence_of(step: Step) -> Influence:
    """Derive the influence of past gradients in a step that was read already."""
    return _Weighing(step).influence()


@dataclass
class _Weighing:
    """The search for the states to hold, and the weights that are left.

    Attributes:
        step: the general step.
        driven: the fields of the states that depend on the gradients.
        held: those of them that are no linear function of the gradients, or on which others depend in no linear way.
        small: the conditions under which nothing is clipped.
    """

    step: Step
    driven: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    small: dict[Formula, None] = field(default_factory=dict)

    def __post_init__(self):
        self.step = self.step.under_names()
        self.title = self.step.optimizer.subject.title
        # Where a schedule ends, the general update is that from there on; the one with cases is that of every step.
        self.update = self.step.update if self.step.cases is None else self.step.cases
        used = {UPDATE: self.update}
        while new := {f for e in used.values() for f in states_in(self.step, e)} - used.keys():
            used |= {f: self.step.recurrences[f] for f in new}
        self.used = {f: self.step.recurrences[f] for f in self.step.recurrences if f in used}

    def influence(self) -> Influence:
        if any(e.has(F) for e in (self.update, *self.used.values())):
            raise self._refuse("it depends on the loss")
        self.update, self.used = self._unclipped(self.update), {f: self._unclipped(e) for f, e in self.used.items()}
        step = self.step = replace(self.step, recurrences={**self.step.recurrences, **self.used})
        self._hold_nonlinear_states()
        free = self._of_fields([f for f in step.recurrences if f not in self.held])
        forms = solved(free)
        unsolved = [f for f in free.states if f in self.driven and f not in forms]
        if unsolved:
            raise self._refuse(f"{', '.join(unsolved)} has no closed form that was found")
        of, e = U[T], self._unclipped(put_in(free, self.update, forms))
        signed = next((s for s in sorted(e.atoms(sign), key=str) if s.has(G)), None)
        around = None
        if signed is not None:
            of = self._unused()[T]
            around, e = e.xreplace({signed: sign(of)}), signed.args[0]
        try:
            if around is not None and around.has(G):
                raise NoWeightsError("there is a sign in it, and more")
            memory = Memory.read(of, e, 1)
        except NoWeightsError as error:
            raise self._refuse(str(error)) from error
        if self.step.optimizer.mixes_entries(self.held):
            raise self._refuse("on a matrix it mixes the gradients of several entries")
        states = dict(self._memories())
        return Influence(
            self.title,
            step.optimizer.hyper,
            memory,
            {f: str(step.states[f].base) for f in step.states if f in self.held and e.has(step.states[f].base)},
            {f: m for f, m in states.items() if f in self.used},
            around,
            (*in_words(step.optimizer, step.algebra), *self._where_it_holds(e, memory)),
        )

    def _unclipped(self, e: Formula) -> Formula:
        """The formula for gradients so small that they are not clipped."""
        small, conditions = where_small(
            e, lambda x: x.replace(lambda g: isinstance(g, Indexed) and g.base == G, lambda _: Integer(0)).doit()
        )
        self.small |= dict.fromkeys(conditions)
        return small

    def _refuse(self, why: str) -> NoInfluenceError:
        return NoInfluenceError(f"the update of {self.title} is no weighted sum of the gradients: {why}.")

    def _unused(self) -> Any:
        """The letter of the sum whose sign is taken."""
        return next(type(U)(x, real=True) for x in ("c", "q", "x") if x not in map(str, self.step.optimizer.hyper))

    def _of_fields(self, fields: Collection[str]) -> Step:
        """The step of some states alone, in which others are as they are."""
        states = {f: self.step.states[f] for f in fields}
        return replace(self.step, states=states, recurrences={f: self.step.recurrences[f] for f in fields})

    def _hold_nonlinear_states(self):
        """Hold the states that are no linear function of the gradients, and all that is computed from these alone."""
        names, plain = {G[T]: Dummy("g", real=True)}, {}
        for f, state in self.step.states.items():
            known = {"nonnegative": True} if state.is_nonnegative else {"real": True}
            plain[f] = Dummy(f, **known), Dummy(f, **known)
            names |= {self.step.before(f): plain[f][0], state: plain[f][1]}
        formulas = {f: e.xreplace(names) for f, e in self.used.items()}
        at_zero = dict.fromkeys([names[G[T]], *(x for pair in plain.values() for x in pair)], Integer(0))
        update = self.update.xreplace(names).replace(sign, lambda inside: inside)
        update, _ = where_small(update, lambda e: e.xreplace(at_zero))
        g, sources = names[G[T]], {}
        for f, e in formulas.items():
            sources[f] = {other for other in formulas if other != f and e.has(*plain[other])}
        self.driven = {f for f, e in formulas.items() if e.has(g)}
        while new := {f for f in formulas if sources[f] & self.driven} - self.driven:
            self.driven |= new

        def is_linear(f: str, others: Collection[str]) -> bool:
            moving = {g, *(x for other in others for x in plain[other])}
            slopes = [cancel(diff(formulas[f], x)) for x in moving if formulas[f].has(x)]
            return not any(slope.has(*moving) for slope in slopes)

        def bent(e: Formula) -> set[str]:
            """The states that a formula is no linear function of, as the mean in a variance."""
            slopes = {other: [diff(e, x) for x in plain[other] if e.has(x)] for other in self.driven - self.held}
            return {o for o, each in slopes.items() if any(cancel(slope).has(*plain[o]) for slope in each)}

        while True:
            free = self.driven - self.held
            new = {f for f in free if not formulas[f].has(g) and not sources[f] & free}
            failing = {f for f in free if not is_linear(f, free)}
            new |= {f for f in failing if not is_linear(f, [f])}
            new = new or set().union(*(bent(formulas[f]) for f in failing)) or failing
            if not new and update.has(g, *(x for f in free - bent(update) for x in plain[f])):
                new = bent(update)
            if not new:
                return
            self.held |= new

    def _memories(self) -> Iterator[tuple[str, Memory]]:
        """The weights in each state that is held and is a sum of the gradients' squares, or of themselves."""
        held = self._of_fields([f for f in self.step.recurrences if f in self.held])
        for f, form in solved(held).items():
            for power in (2, 1):
                try:
                    memory = Memory.read(self.step.states[f], form, power)
                except NoWeightsError:
                    continue
                if memory.weight != 0:
                    yield f, memory
                break

    def _where_it_holds(self, e: Formula, memory: Memory) -> list[str]:
        """The steps for which the formulas hold, and what is held, in words."""
        since = valid_since(self.step)
        own = self.step.first[UPDATE] if self.step.cases is None else 1
        first = max(own, memory.since, needed_since(self.step, self.update, since) + 1)
        held = [text(self.step.states[f]) for f in self.step.states if f in self.held and f in self.used]
        return [
            *last_step_in_words(self.step),
            *([f"t ≥ {first}"] if first > 1 else []),
            *[f"{text(condition)}: beyond, the weights are others" for condition in self.small],
            *[f"{text(e)} ≠ 0" for e in _divisors(memory.weight)],
            *([f"{', '.join(held)} {'is' if len(held) == 1 else 'are'} held"] if held else []),
            *(["the parameter w is held"] if e.has(W) else []),
        ]


def _divisors(e: Formula) -> list[Formula]:
    """What numbers alone make in a formula's divisors, where it may be 0, as a − b."""
    divided = [p.base for p in e.atoms(Pow) if is_positive(-p.exp) and not p.base.has(T, AGE, Indexed)]
    tops = {fraction(cancel(base))[0] for base in divided}
    return sorted((e for e in tops if e.free_symbols and not is_positive(e) and not is_positive(-e)), key=str)


def _is_early(x: Any) -> bool:
    """Whether it is a state after a step of some number."""
    return x.base not in (G, W) and bool(x.indices[0].is_Integer and x.indices[0] > 0)


def _is_past(e: Any) -> bool:
    """Whether it is a state at the step of an older gradient."""
    return isinstance(e, Indexed) and e.base not in (G, W) and e.indices[0].has(AGE)
