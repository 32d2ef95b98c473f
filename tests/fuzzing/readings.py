"""Closed forms, unrolled steps, limits and exact runs of single programs, held against the exact loop."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf
from sympy import Equality, sympify

import adamlab as al
from adamlab.errors import InputError
from adamlab.interpret.jaxpr import UnreadableError
from tests.fuzzing.formulas import NoMeaningError, value_of
from tests.fuzzing.judge import DIGITS, FAR, LONGEST, NEAR, NO_VALUE, Outcome, apart, are_same, at_distance, unrounded
from tests.fuzzing.programs import Program
from tests.fuzzing.reals import decimal, run
from tests.fuzzing.sequences import generic, numbers
from tests.fuzzing.timing import StoppedError, at_most

UPDATE = "the update"


def read_all(program: Program, seed: int = 0) -> Iterator[Outcome]:
    """Every reading of a program, judged."""
    for kind in JUDGES:
        yield read(program, kind, seed)


def read(program: Program, kind: str, seed: int = 0) -> Outcome:
    """A reading of a program, judged."""
    clock = Clock()
    try:
        said, wrong = JUDGES[kind](program, np.random.default_rng([seed, 17]), clock)
    except StoppedError:
        said, wrong = "stopped", ""
    except (InputError, UnreadableError) as error:
        said, wrong = "not read", "" if kind in ("closed form", "limit") else str(error)
    except Exception as error:  # whatever is raised is a fault
        said, wrong = "raised", f"raised {type(error).__name__}: {error}"[:300]
    return Outcome(kind, said, clock.seconds, wrong)


@dataclass
class Clock:
    """The processor time of what adamlab computes, without the time that judging it takes."""

    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time within, which is stopped when it takes too long."""
        began = time.process_time()
        try:
            with at_most(LONGEST):
                yield
        finally:
            self.seconds += time.process_time() - began


@dataclass(frozen=True)
class _Trial:
    """A program with numbers and gradients, and its runs by the digits computed with."""

    program: Program
    hyper: Mapping[str, Any]
    gradients: Sequence[float]
    _runs: dict[int, Any] = field(default_factory=dict)

    def after(self, digits: int) -> list[tuple[Any, dict[str, Any], Any]]:
        """The update, the states and the parameter after each step."""
        if digits not in self._runs:
            with mpmath.workdps(digits):
                given = {name: decimal(str(x)) for name, x in self.hyper.items()}
                self._runs[digits] = list(run(self.program, given, [mpf(g) for g in self.gradients]))
        return self._runs[digits]

    def true(self, name: str, t: int, digits: int) -> Any:
        """A state after step t, or its update."""
        u, states, _ = self.after(digits)[t - 1]
        return mpf(u if name == UPDATE else states[name])

    def unrounded(self, name: str, t: int) -> Any:
        """The same without rounding, see `judge.unrounded`."""
        u, states = unrounded(self.program, self.hyper, self.gradients[:t])[-1]
        return u if name == UPDATE else states[name]

    def symbols(self, hyper: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the symbols of numbers by their names."""
        return {symbol.name: decimal(str(self.hyper[name])) for name, symbol in hyper.items()}

    def first_difference(
        self, places: Iterable[tuple[str, int, Any]], told: Callable[[int, str, int, Any], Any]
    ) -> str:
        """The first name and step at which what is told is not what is true, in words."""

        def both(digits: int, place: tuple[str, int, Any]) -> tuple[Any, Any]:
            with mpmath.workdps(digits):
                return mpf(told(digits, *place)), self.true(*place[:2], digits)

        for place in places:
            if apart(lambda digits, place=place: both(digits, place)):
                name, t, formula = place
                if are_same(both(DIGITS[1], place)[0], self.unrounded(name, t)):
                    continue
                by = f" by {formula}" if formula is not None else ""
                shown = " and not ".join(str(mpmath.nstr(x, 10)) for x in both(DIGITS[0], place))
                last = self.gradients[:t][-20:]
                return f"but with {dict(self.hyper)}, w = 1 and gradients {last} {name} at step {t}{by} is {shown}"
        return ""


def _closed_form(program: Program, rng: np.random.Generator, clock: Clock) -> tuple[str, str]:
    with clock.running():
        f = al.closed_form(program.factory)
    if re.search(NO_VALUE, f"{f.updates} {f.states}"):
        return "told", f"{f}\nhas no value"
    steps = min(program.steps, 430)
    since = {
        name: int(t)
        for text in f.assumptions
        for name, t in re.findall(r"^(.*) (?:is so for|is that of steps) t ≥ (\d+)", text)
    }
    last = min([steps, *(int(t) for text in f.assumptions for t in re.findall(r"t ≤ (\d+)", text))])
    at = sorted({*range(1, 7), 11, 18, steps // 2, steps - 1, steps} & set(range(1, last + 1)))
    places = [(name, t, e) for t in at for name, e, later in _formulas(f) if t >= since.get(name, 1 - later) + later]
    for gradients in generic(rng, program.literals, steps, 2):
        trial = _Trial(program, numbers(rng, [program], f.hyper), gradients)
        known = {digits: _indexed(f, trial, digits) for digits in DIGITS}

        def told(digits: int, _: str, t: int, e: Any, trial: _Trial = trial, known: Any = known) -> Any:
            return value_of(e, {**trial.symbols(f.hyper), "t": mpf(t)}, known[digits])

        if wrong := trial.first_difference(places, told):
            return "told", f"{f}\n{wrong}"
    return ("partly solved" if f.unsolved else "solved"), ""


def _formulas(f: Any) -> Iterator[tuple[str, Any, int]]:
    """The formulas of states and update for general t, and the recurrences, with their names.

    A recurrence leads from a step of which the closed form holds to the next: it begins a step later.
    """
    for name, e in f.states.items():
        yield name, e.rhs if isinstance(e, Equality) else sympify(e), 0
    yield UPDATE, f.updates, 0
    for name, e in f.recurrences.items():
        yield (UPDATE if name == "update" else name), e.rhs, int(name not in ("update", *f.unsolved))


def _indexed(f: Any, trial: _Trial, digits: int) -> dict[tuple[str, int], Any]:
    """The values of gradients, parameters and states by letter and step."""
    after = trial.after(digits)
    with mpmath.workdps(digits):
        indexed = {("g", 0): mpf(0), ("w", 0): mpf(1)}
        indexed |= {("g", t): mpf(g) for t, g in enumerate(trial.gradients, start=1)}
        indexed |= {("w", t): w for t, (_, _, w) in enumerate(after, start=1)}
        for name, e in f.recurrences.items():
            if name != "update":
                letter = e.lhs.base.label.name
                indexed[letter, 0] = decimal(repr(trial.program.states[name][1]))
                indexed |= {(letter, t): states[name] for t, (_, states, _) in enumerate(after, start=1)}
    return indexed


def _unrolled(program: Program, rng: np.random.Generator, clock: Clock) -> tuple[str, str]:
    with clock.running():
        u = al.unroll(program.factory, steps=4)
    places = [(UPDATE, t, sympify(u.updates[t - 1])) for t in range(1, 5)]
    places += [(name, t, sympify(u.states[t - 1][name])) for name in program.states for t in range(1, 5)]
    for gradients in generic(rng, program.literals, 4, 4):
        trial = _Trial(program, numbers(rng, [program], u.hyper), gradients)

        def told(_: int, name: str, t: int, e: Any, trial: _Trial = trial) -> Any:
            drawn = {f"g_{k}": mpf(g) for k, g in enumerate(trial.gradients, start=1)}
            return value_of(e, {**trial.symbols(u.hyper), **drawn, "w_0": mpf(1)}, {})

        if wrong := trial.first_difference(places, told):
            return "told", wrong
    return "told", ""


def _exact(program: Program, rng: np.random.Generator, clock: Clock) -> tuple[str, str]:
    steps = min(program.steps, 310)
    for gradients in (*generic(rng, program.literals, steps, 1), [0.0, 0.0, 1.5, 0.0], [0.7] * 8, [-1.0, 1.0, 1.0]):
        trial = _Trial(program, {name: f"{rng.uniform(0.05, 0.98):.3g}" for name in program.numbers}, gradients)
        runs: dict[int, Any] = {}

        def told(digits: int, name: str, t: int, _: Any, trial: _Trial = trial, runs: Any = runs) -> Any:
            if digits not in runs:
                with clock.running():
                    runs[digits] = al.exact(program.factory, trial.gradients, trial.hyper, params="1", digits=digits)
            return runs[digits].updates[t - 1] if name == UPDATE else runs[digits].states[t - 1][name]

        places = [(name, t, None) for t in range(1, len(gradients) + 1) for name in (UPDATE, *program.states)]
        if wrong := trial.first_difference(places, told):
            return "told", wrong
    return "told", ""


def _limit(program: Program, rng: np.random.Generator, clock: Clock) -> tuple[str, str]:
    with clock.running():
        f = al.closed_form(program.factory)
    name = str(rng.choice(list(f.hyper)))
    is_rate = type(f.hyper[name]).__name__ == "Rate"
    target = [0, 1, 1 if is_rate else "oo"][int(rng.integers(3))]
    with clock.running():
        limit = f.limit(**{name: target})
    if re.search(NO_VALUE, f"{limit.updates} {limit.states}"):
        return "told", f"{limit}\nfor {name} → {target} has no value"
    if any("≥" in text for text in limit.assumptions):
        return "of later steps", ""
    for gradients in generic(rng, program.literals, 5, 2):
        hyper = numbers(rng, [program], f.hyper)
        far, near = (_Trial(program, {**hyper, name: at_distance(target, d)}, gradients) for d in (FAR, NEAR))
        with mpmath.workdps(DIGITS[1]):
            indexed = {("g", t): mpf(g) for t, g in enumerate(gradients, start=1)} | {("g", 0): mpf(0)}
            for t in range(1, 6):
                try:
                    told = value_of(limit.updates, {**far.symbols(limit.hyper), "t": mpf(t)}, indexed)
                except NoMeaningError:
                    return "in terms of states", ""
                values = [trial.true(UPDATE, t, DIGITS[1]) for trial in (far, near)]
                if not mpmath.isnan(told) and not _goes_to(told, *values):
                    return "told", (
                        f"{limit}\nfor {name} → {target}, but with {hyper} and gradients {gradients[:t]} the update at "
                        f"step {t} is {mpmath.nstr(values[1], 10)} at a distance of {NEAR}, not {mpmath.nstr(told, 10)}"
                    )
    return "told", ""


def _goes_to(told: Any, far: Any, near: Any) -> bool:
    if not mpmath.isfinite(told):
        return bool(abs(near) > 10 * abs(far)) and mpmath.sign(near) == mpmath.sign(told)
    gaps = abs(far - told), abs(near - told)
    return bool(gaps[1] <= gaps[0] / 100 or gaps[1] <= mpf(10) ** -20 * abs(told))


JUDGES: dict[str, Callable[[Program, np.random.Generator, Clock], tuple[str, str]]] = {
    "closed form": _closed_form,
    "unrolled": _unrolled,
    "exact": _exact,
    "limit": _limit,
}
