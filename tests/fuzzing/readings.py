"""Closed forms, unrolled steps, limits and exact runs of single programs, held against the exact loop."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf
from sympy import Equality, sympify

import adamlab as al
from adamlab.errors import InputError
from adamlab.interpret.jaxpr import UnreadableError
from tests.fuzzing.formulas import NoMeaningError, value_of
from tests.fuzzing.judge import DIGITS, FAR, LONGEST, NEAR, Outcome, apart, _near
from tests.fuzzing.programs import Program
from tests.fuzzing.reals import decimal, run
from tests.fuzzing.sequences import generic, numbers
from tests.fuzzing.timing import StoppedError, at_most

Known = tuple[dict[str, Any], dict[tuple[str, int], Any], list[Any], list[dict[str, Any]]]


def read_all(program: Program, seed: int = 0) -> Iterator[Outcome]:
    """Every reading of a program, judged."""
    for kind, judge in JUDGES.items():
        began = time.process_time()
        try:
            with at_most(LONGEST):
                said, wrong = judge(program, np.random.default_rng([seed, 17]))
        except StoppedError:
            said, wrong = "stopped", ""
        except (InputError, UnreadableError) as error:
            said, wrong = "not read", "" if kind == "closed form" or kind == "limit" else str(error)
        except Exception as error:  # whatever is raised is a fault
            said, wrong = "raised", f"raised {type(error).__name__}: {error}"[:300]
        yield Outcome(kind, said, time.process_time() - began, wrong)


def _known(
    program: Program, hyper: Mapping[str, Any], gradients: Sequence[float], digits: int
) -> tuple[list[Any], list[dict[str, Any]], list[Any]]:
    with mpmath.workdps(digits):
        given = {name: decimal(str(x)) for name, x in hyper.items()}
        steps = list(run(program, given, [mpf(g) for g in gradients]))
    return [u for u, _, _ in steps], [s for _, s, _ in steps], [mpf(1), *(w for _, _, w in steps)]


def _closed_form(program: Program, rng: np.random.Generator) -> tuple[str, str]:
    f = al.closed_form(program.factory)
    if re.search(r"\b(zoo|nan)\b", f"{f.updates} {f.states}"):
        return "told", f"{f}\nhas no value"
    steps = min(program.steps, 430)
    since = {
        name: int(t)
        for text in f.assumptions
        for name, t in re.findall(r"^(.*) (?:is so for|is that of steps) t ≥ (\d+)", text)
    }
    last = min([steps, *(int(t) for text in f.assumptions for t in re.findall(r"t ≤ (\d+)", text))])
    at = sorted({*range(1, 7), 11, 18, steps // 2, steps - 1, steps} & set(range(1, last + 1)))
    for gradients in generic(rng, program.literals, steps, 2):
        hyper = numbers(rng, [program], f.hyper)
        known = {digits: _indexed(program, f, hyper, gradients, digits) for digits in DIGITS}
        for t in at:
            for name, formula in _formulas(f):
                if t < since.get("the update" if name == "update" else name, 1):
                    continue

                def both(digits: int, formula: Any = formula, name: str = name, t: int = t) -> tuple[Any, Any]:
                    symbols, indexed, us, states = known[digits]
                    true = us[t - 1] if name == "update" else states[t - 1][name]
                    with mpmath.workdps(digits):
                        true = mpf(true)
                        return value_of(formula, {**symbols, "t": mpf(t)}, indexed), true

                if apart(both):
                    a, b = both(DIGITS[0])
                    return "told", (
                        f"{f}\nbut with {hyper}, gradients {gradients[:t][-20:]} and w = 1 {name} at t = {t} by "
                        f"{formula} is {mpmath.nstr(a, 10)}, truly {mpmath.nstr(b, 10)}"
                    )
    return ("partly solved" if f.unsolved else "solved"), ""


def _formulas(f: Any) -> Iterator[tuple[str, Any]]:
    """The formulas of states and update for general t, with their names; those of recurrences, too."""
    for name, e in f.states.items():
        yield name, e.rhs if isinstance(e, Equality) else sympify(e)
    yield "update", f.updates
    for name, e in f.recurrences.items():
        yield name, e.rhs


def _indexed(program: Program, f: Any, hyper: Mapping[str, float], gradients: Sequence[float], digits: int) -> Known:
    """The values of symbols and of gradients, parameters and states at each step."""
    us, states, ws = _known(program, hyper, gradients, digits)
    with mpmath.workdps(digits):
        symbols = {symbol.name: decimal(str(hyper[name])) for name, symbol in f.hyper.items()}
        indexed = {("g", 0): mpf(0)} | {("g", t): mpf(g) for t, g in enumerate(gradients, start=1)}
        indexed |= {("w", t): w for t, w in enumerate(ws)}
        for name, e in f.recurrences.items():
            if name == "update":
                continue
            letter = e.lhs.base.label.name
            indexed[letter, 0] = decimal(repr(program.states[name][1]))
            indexed |= {(letter, t): s[name] for t, s in enumerate(states, start=1)}
    return symbols, indexed, us, states


def _unrolled(program: Program, rng: np.random.Generator) -> tuple[str, str]:
    u = al.unroll(program.factory, steps=4)
    for gradients in generic(rng, program.literals, 4, 4):
        hyper = numbers(rng, [program], u.hyper)
        known = {digits: _known(program, hyper, gradients, digits) for digits in DIGITS}
        for t in range(1, 5):
            for name in ("update", *program.states):
                formula = sympify(u.updates[t - 1] if name == "update" else u.states[t - 1][name])

                def both(digits: int, formula: Any = formula, name: str = name, t: int = t) -> tuple[Any, Any]:
                    us, states, _ = known[digits]
                    with mpmath.workdps(digits):
                        symbols = {s.name: decimal(str(hyper[n])) for n, s in u.hyper.items()}
                        symbols |= {f"g_{k}": mpf(g) for k, g in enumerate(gradients, start=1)} | {"w_0": mpf(1)}
                        value = value_of(formula, symbols, {})
                        return mpf(value), mpf(us[t - 1] if name == "update" else states[t - 1][name])

                if apart(both):
                    a, b = both(DIGITS[0])
                    return "told", (
                        f"with {hyper} and gradients {gradients[:t]} {name} at step {t} by {formula} is "
                        f"{mpmath.nstr(a, 10)}, truly {mpmath.nstr(b, 10)}"
                    )
    return "told", ""


class _Runs(dict[int, Any]):
    """An exact run and the loop's by the digits computed with, run where they are asked for."""

    def __init__(self, program: Program, gradients: Sequence[float], hyper: Mapping[str, str]):
        self.arguments = program, gradients, hyper

    def __missing__(self, digits: int) -> Any:
        program, gradients, hyper = self.arguments
        exact = al.exact(program.factory, gradients, hyper, params="1", digits=digits)
        self[digits] = exact, _known(program, hyper, gradients, digits)
        return self[digits]


def _exact(program: Program, rng: np.random.Generator) -> tuple[str, str]:
    steps = min(program.steps, 310)
    sequences = list(generic(rng, program.literals, steps, 1))
    sequences += [[0.0, 0.0, 1.5, 0.0], [0.7] * 8, [-1.0, 1.0, 1.0]]
    for gradients in sequences:
        hyper = {name: f"{rng.uniform(0.05, 0.98):.3g}" for name in program.numbers}
        runs = _Runs(program, gradients, hyper)
        for t in range(len(gradients)):
            for name in ("update", *program.states):

                def both(digits: int, name: str = name, t: int = t) -> tuple[Any, Any]:
                    e, (us, states, _) = runs[digits]
                    told = e.updates[t] if name == "update" else e.states[t][name]
                    return mpf(told), mpf(us[t] if name == "update" else states[t][name])

                if apart(both):
                    a, b = both(DIGITS[0])
                    return "told", (
                        f"with {hyper} and gradients {gradients[: t + 1][-20:]} {name} at step {t + 1} is "
                        f"{mpmath.nstr(a, 10)}, truly {mpmath.nstr(b, 10)}"
                    )
    return "told", ""


def _limit(program: Program, rng: np.random.Generator) -> tuple[str, str]:
    f = al.closed_form(program.factory)
    name, target = str(rng.choice(list(f.hyper))), [0, 1, "oo"][int(rng.integers(3))]
    if target != 0 and type(f.hyper[name]).__name__ == "Rate":
        target = 1
    limit = f.limit(**{name: target})
    if re.search(r"\b(zoo|nan)\b", f"{limit.updates} {limit.states}"):
        return "told", f"{limit}\nfor {name} → {target} has no value"
    if any("≥" in text for text in limit.assumptions):
        return "later steps", ""
    for gradients in generic(rng, program.literals, 5, 2):
        hyper = numbers(rng, [program], f.hyper)
        runs = [_known(program, {**hyper, name: _near(target, d)}, gradients, DIGITS[1])[0] for d in (FAR, NEAR)]
        with mpmath.workdps(DIGITS[1]):
            symbols = {s.name: decimal(str(hyper[n])) for n, s in limit.hyper.items()}
            indexed = {("g", 0): mpf(0)} | {("g", t): mpf(g) for t, g in enumerate(gradients, start=1)}
            for t, (far, near) in enumerate(zip(*runs, strict=True), start=1):
                try:
                    told = value_of(limit.updates, {**symbols, "t": mpf(t)}, {**indexed, ("w", t - 1): NAN})
                except NoMeaningError:
                    return "in terms of states", ""
                if mpmath.isnan(told):
                    break
                if not _goes_to(told, far, near):
                    return "told", (
                        f"{limit}\nfor {name} → {target}, but with {hyper} and gradients {gradients[:t]} the update at "
                        f"step {t} is {mpmath.nstr(near, 10)} at a distance of {NEAR}, not {mpmath.nstr(told, 10)}"
                    )
    return "told", ""


NAN = mpf("nan")


def _goes_to(told: Any, far: Any, near: Any) -> bool:
    if not mpmath.isfinite(told):
        return bool(abs(near) > 10 * abs(far)) and mpmath.sign(near) == mpmath.sign(told)
    gaps = abs(far - told), abs(near - told)
    return bool(gaps[1] <= gaps[0] / 100 or gaps[1] <= mpf(10) ** -20 * abs(told))


JUDGES: dict[str, Callable[[Program, np.random.Generator], tuple[str, str]]] = {
    "closed form": _closed_form,
    "unrolled": _unrolled,
    "exact": _exact,
    "limit": _limit,
}
