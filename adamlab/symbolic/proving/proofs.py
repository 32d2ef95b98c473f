"""Whether two optimizers are the same, or become the same in a limit: proved for every step, refuted, or unknown."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sympy import Max, cancel, factor_terms, oo, sympify

from adamlab.errors import InputError, nearest
from adamlab.interpret.equality import same
from adamlab.interpret.jaxpr import UnreadableError
from adamlab.interpret.programs import as_call, names_in
from adamlab.symbolic.general_step import MOST_EARLY_STEPS, UPDATE, Step, general_step
from adamlab.symbolic.letters import T, at_step
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.open_optimizer import OpenOptimizer, Optimizer, rates_in
from adamlab.symbolic.proving.counterexamples import (
    ARRAYS,
    GRADIENTS,
    WITH_ZEROS,
    Counterexample,
    apart_in_the_limit,
    find,
)
from adamlab.symbolic.proving.invariants import Side, related, without_idle_maxima
from adamlab.symbolic.proving.late_steps import in_late_steps, settled_in_late_steps
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.symbolic.results import conditions, domains
from adamlab.symbolic.solving.limits import PLACES, NoLimitError, limit_of, series, toward
from adamlab.symbolic.unrolling import unroll_open
from adamlab.types import Formula

HORIZON = 4
"""How many steps are written out and compared where there is no proof for every step."""

MOST_GRADIENTS = 1000
"""How long a sequence is tried where something happens late, such as the end of a schedule."""

MOST_GIVEN = 32
"""How many first steps a statement can be about, since they are written out."""

RISING = "rising"
"""Of a state that is a running maximum: each step's new value is the greater one."""


def prove(
    left: Optimizer,
    right: Optimizer,
    *,
    limit: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Verdict:
    """Decides whether two optimizers take the same steps, for all gradients and all numbers that are left open.

    A proof is one for every step t: by closed forms whose induction was checked, and, for states without one, by a
    relation between the states of both that holds at the start and that a step keeps. Where there is none, the first
    steps are written out and compared. A refutation is confirmed by running both in exact arithmetic.

    Args:
        left: a factory or a spec, whose open numbers are symbols as in `al.unroll`. Equal names on both sides are the
            same number: naming both b2 ties the left's b2 to the right's decay.
        right: likewise.
        limit: numbers that go to 0, 1 or ∞ ("oo"), such as {"b2": 1}: the left's updates then go to the right's. With
            {"t": "oo"} their ratio goes to 1 as the steps go on.
        given: numbers that are fixed on both sides, such as {"b1": 0}; {"t": 1} speaks of the first step alone, or as
            many; of a state that is a running maximum, {"nu_max": "rising"} says that every new value is the greatest.

    Returns:
        A `Verdict`. It speaks of a single number as the parameter; that arrays don't part is tried besides.

    Raises:
        SpecError, InputError: a name that neither side has, or a side that cannot be read.
        UnreadableError: a side's code uses a primitive without a meaning in formulas.

    >>> prove("optax.lion(lr, b1=b, b2=b, weight_decay=0.0)", "optax.signum(lr, beta=b)").status
    'proved'
    """
    return _Proof(left, right, dict(limit or {}), dict(given or {})).verdict()


class _Proof:
    """One statement, on its way to a verdict."""

    def __init__(self, left: Optimizer, right: Optimizer, limit: dict[str, Any], given: dict[str, Any]):
        self.limit = {name: _target(name, value) for name, value in limit.items()}
        self.steps = _steps(given.pop("t", None))
        self.rising = {name for name, value in given.items() if value == RISING}
        numbers = {name: value for name, value in given.items() if name not in self.rising}
        calls = [as_call(side) for side in (left, right)]
        _require_known(numbers, {name for call in calls for name in names_in(call)})
        mine = [{n: v for n, v in numbers.items() if n in names_in(call)} for call in calls]
        opened = [OpenOptimizer.of(call, fixed) for call, fixed in zip(calls, mine, strict=True)]
        self.rates = {name for optimizer in opened for name in rates_in(optimizer.subject)}
        names = {name for optimizer in opened for name in optimizer.subject.numbers}
        self.optimizers = [
            OpenOptimizer.of(call, fixed, rates=self.rates, among=names)
            for call, fixed in zip(calls, mine, strict=True)
        ]
        self.hyper = {name: symbol for optimizer in self.optimizers for name, symbol in optimizer.hyper.items()}
        _require_known(self.limit, {*self.hyper, "t"})
        self.subjects = [optimizer.subject for optimizer in self.optimizers]

    def verdict(self) -> Verdict:
        if self.steps is not None:
            return self._for_first_steps(self.steps)
        if not self.limit and not self.rising and (found := self._found([*GRADIENTS, *ARRAYS])):
            return self._refuted(found)
        steps = [self._general(optimizer) for optimizer in self.optimizers]
        _require_known(self.rising, {field for step in steps for field in step.recurrences}, "state")
        sides = [Side(step, mark) for step, mark in zip(steps, ("", "'"), strict=True)]
        if self.limit:
            return self._in_the_limit(*sides)
        early = max(first for step in steps for first in step.first.values()) - 1
        if not self.rising and early >= len(GRADIENTS[-1]) and (found := self._found([_long(early + 2)])):
            return self._refuted(found)
        proof = self._for_every_step(*sides)
        if proof is not None and self._early_steps_agree(sides, early):
            return proof
        if not self.rising and (found := self._found(WITH_ZEROS)):
            return self._refuted(found)
        if self.rising:
            return self._unknown("neither a proof nor a counterexample was found")
        return self._for_first_steps(HORIZON)

    def _found(self, sequences: Sequence[Any]) -> Counterexample | None:
        left, right = self.subjects
        return find(left, right, self.rates, sequences)

    def _general(self, optimizer: OpenOptimizer) -> Step:
        step = general_step(optimizer)
        for name in self.rising & step.recurrences.keys():
            e = step.recurrences[name]
            others = [a for a in e.args if a != step.before(name)] if isinstance(e, Max) else []
            if len(others) != 1:
                title = optimizer.subject.title
                raise InputError(f"{name} of {title} is no running maximum, and cannot be given as rising.")
            step = replace(step, recurrences={**step.recurrences, name: others[0]})
        return step

    def _for_every_step(self, one: Side, other: Side) -> Verdict | None:
        """By closed forms alone, or by a relation between the states that have none; either way round."""
        plain = Side(one.step, "", nested=False), Side(other.step, "'", nested=False)
        for left, right in ((one, other), (other, one), plain, plain[::-1]):
            relation = related(left, right)
            if relation is None:
                continue
            updates = without_idle_maxima(left.update), without_idle_maxima(right.update.xreplace(relation))
            if same(*updates):
                how = _told(relation) if relation else "the closed forms of the two updates are equal for every t"
                return self._verdict("proved", how, updates=updates[:1], sides=(one, other))
        return None

    def _early_steps_agree(self, sides: list[Side], early: int) -> bool:
        """Whether the steps that are not as the general one agree too."""
        if all(side.step.cases is not None for side in sides):
            return True
        if early > MOST_EARLY_STEPS:
            return False
        if all(not side.open and set(side.step.first.values()) <= {1, side.step.first[UPDATE]} for side in sides):
            pairs = [[side.update_at(t) for side in sides] for t in range(1, early + 1)]
            return all(None not in pair and same(*pair) for pair in pairs)
        return early <= HORIZON and all(self._written_out_agree(early))

    def _written_out_agree(self, count: int) -> list[bool]:
        runs = [unroll_open(optimizer, count).updates for optimizer in self.optimizers]
        return [same(a, b) for a, b in zip(*runs, strict=True)]

    def _for_first_steps(self, count: int) -> Verdict:
        """By formulas written out; where these are not shown to be equal, by numbers."""
        sequences = [g[:count] for g in (*GRADIENTS, *ARRAYS)]
        if not self.limit and (found := self._found(sequences)):
            return self._refuted(found)
        if all(self._written_out_agree(count)):
            of = "the update of the first step is" if count == 1 else f"the updates of the first {count} steps are"
            beyond = "" if self.steps is not None else "; a proof for every step was not found"
            return self._verdict("proved", f"written out, {of} equal{beyond}", horizon=count)
        return self._unknown("neither a proof nor a counterexample was found")

    def _in_the_limit(self, one: Side, other: Side) -> Verdict:
        try:
            if "t" in self.limit:
                return self._in_late_steps(one, other)
            return self._as_numbers_go(one, other)
        except NoLimitError as error:
            return self._unknown(f"no limit was found: {error}")

    def _in_late_steps(self, one: Side, other: Side) -> Verdict:
        ratio = in_late_steps(settled_in_late_steps(one.update) / settled_in_late_steps(other.update))
        if ratio == 1:
            how = "the ratio of the updates goes to 1, whatever the gradients are"
            return self._verdict("proved", how, updates=(one.update, other.update), sides=(one, other))
        return self._unknown(f"the ratio of the updates goes to {text(ratio)}")

    def _as_numbers_go(self, one: Side, other: Side) -> Verdict:
        (*first, last) = self.limit
        updates = [one.update, without_idle_maxima(other.update)]
        for name in first:
            updates = [limit_of(u, self.hyper[name], self.limit[name]) for u in updates]
        symbol, target = self.hyper[last], self.limit[last]
        limits = [limit_of(u, symbol, target) for u in updates]
        where = ", then ".join(f"{text(self.hyper[name])} → {text(value)}" for name, value in self.limit.items())
        left, right = self.subjects
        gap = apart_in_the_limit(left, right, self.rates, self.limit)
        if limits[0] == limits[1] or (limits[0].is_finite is not False and same(*limits)):
            if gap is not None:
                return self._unknown("the formulas have the same limit, but the numbers do not bear it out")
            return self._verdict("proved", **self._order(updates, limits[1], last, where), sides=(one, other))
        if gap is None:
            return self._unknown(f"as {where} the left goes to {text(limits[0])}, the right to {text(limits[1])}")
        how = f"as {where} the left goes to {text(limits[0])}, the right to {text(limits[1])}; {gap}"
        return self._verdict("refuted", how, horizon=gap.step, counterexample=gap, updates=tuple(limits))

    def _order(self, updates: list[Formula], limit: Formula, name: str, where: str) -> dict[str, Any]:
        """In words, and how fast the updates come together where that can be told."""
        how = f"as {where} both updates go to {text(limit)}"
        symbol, target = self.hyper[name], self.limit[name]
        try:
            gap = series((updates[0] - updates[1]).xreplace({symbol: toward(target)}))
            if len(self.limit) > 1 or not any(gap.coefficients) or limit == 0:
                return {"explanation": how}
            relative = factor_terms(cancel(gap.coefficients[0] / limit))
        except NoLimitError:
            return {"explanation": how}
        distance = {0: text(symbol), 1: f"1 - {text(symbol)}"}.get(target, f"1/{text(symbol)}")
        how += f"; with δ = {distance} their relative difference is δ^{gap.lead}·({text(relative)}) to first order"
        return {"explanation": how.replace("δ^1·", "δ·"), "order": sympify(gap.lead), "relative": relative}

    def _refuted(self, found: Counterexample) -> Verdict:
        return self._verdict("refuted", str(found), horizon=found.step, counterexample=found)

    def _unknown(self, why: str) -> Verdict:
        return self._verdict("unknown", why)

    def _verdict(self, status: str, explanation: str, sides: tuple[Side, ...] = (), **more: Any) -> Verdict:
        words = [w for side in sides for w in conditions(side.step.optimizer, side.step.algebra)]
        counted = ["t < 2³¹"] if any(side.step.wholes for side in sides) else []
        single = [*self._spoken_of_nonzero(more), *self._spoken_of_single_numbers()] if status == "proved" else []
        return Verdict(
            *(subject.title for subject in self.subjects),
            limit=self.limit,
            status=status,
            explanation=explanation,
            hyper=self.hyper,
            assumptions=tuple(dict.fromkeys([*domains(self.hyper), *words, *counted, *single])),
            **{"horizon": None, "counterexample": None, **more},
        )

    def _spoken_of_nonzero(self, more: Mapping[str, Any]) -> list[str]:
        """What to add where a gradient of 0 parts the two, as it does sign(g) and g/|g|."""
        left, right = self.subjects
        sequences = [g[: more.get("horizon")] for g in WITH_ZEROS]
        if "t" in self.limit or self.rising:
            return []
        if self.limit:
            found = apart_in_the_limit(left, right, self.rates, self.limit, sequences)
        else:
            found = self._found(sequences)
        return ["no gradient is 0"] if found else []

    def _spoken_of_single_numbers(self) -> list[str]:
        """What to add where the entries of an array speak to each other."""
        for optimizer in self.optimizers:
            try:
                update = unroll_open(optimizer.on_shape((2,)), 1).updates[0]
            except (InputError, UnreadableError):
                return ["the parameter is a single number"]
            if update[0].has(at_step("g", 1, (1,))):
                return ["the parameter is a single number; the entries of an array depend on each other"]
        return []


def _told(relation: Mapping[Formula, Formula]) -> str:
    now = [f"{text(a)} = {text(b)}" for a, b in relation.items() if a.has(T) and not a.has(T - 1)]
    return (
        f"{', '.join(now)}, where the prime marks a state of the other side, holds at the start and a step keeps it; "
        "with it the updates are equal for every t"
    )


def _long(count: int) -> list[str]:
    """As many gradients as are asked for, none of them 0."""
    return [GRADIENTS[-1][k % len(GRADIENTS[-1])] for k in range(min(count, MOST_GRADIENTS))]


def _target(name: str, value: Any) -> Formula:
    target = PLACES.get(str(value))
    if target is None or (name == "t" and target != oo):
        to = "oo" if name == "t" else "0, 1 or oo"
        raise InputError(f"the limit of {name} must be {to}, not {value!r}.")
    return target


def _steps(value: Any) -> int | None:
    if value is not None and (type(value) is not int or not 1 <= value <= MOST_GIVEN):
        raise InputError(f"t must be given as a whole number from 1 to {MOST_GIVEN}, not {value!r}.")
    return value


def _require_known(names: Collection[str], valid: Collection[str], what: str = "number"):
    for name in names:
        if name not in valid:
            raise InputError(f"neither side has a {what} {name!r}; {nearest(name, sorted(valid))}")
