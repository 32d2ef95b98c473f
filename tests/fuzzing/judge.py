"""Verdicts on pairs held against runs of both, step by step in exact numbers, and in float64 by JAX."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

import adamlab as al
from tests.fuzzing.pairs import Pair
from tests.fuzzing.programs import Program
from tests.fuzzing.reals import decimal, run, to_digits
from tests.fuzzing.sequences import FEW, generic, is_excused, numbers, special
from tests.fuzzing.timing import StoppedError, at_most

DIGITS = 60, 180
"""The digits of a run, and of one that confirms a difference."""

SLOW = 10.0
"""The seconds from which a verdict is slow."""

LONGEST = 30.0
"""The seconds after which a reading or a proof is stopped."""

NO_VALUE = r"\b(zoo|nan)\b"
"""SymPy's words for what no verdict and no formula may say."""

FAR, NEAR = "1e-15", "1e-30"
"""Distances of a number from its limit."""


@dataclass(frozen=True)
class Outcome:
    """What was said of a pair or a program, and what is wrong with it; empty where nothing is."""

    kind: str
    said: str
    seconds: float
    wrong: str = ""

    @property
    def is_slow(self) -> bool:
        return self.seconds > SLOW


def judged(pair: Pair, seed: int = 0) -> Outcome:
    """The verdict on a pair, and what is wrong with it."""
    began = time.process_time()
    try:
        with at_most(LONGEST):
            verdict = al.prove(pair.left.factory, pair.right.factory, limit=pair.limit, given=pair.given)
    except StoppedError:
        return Outcome(pair.kind, "stopped", LONGEST)
    except Exception as error:  # whatever is raised is a fault
        return Outcome(
            pair.kind, "raised", time.process_time() - began, f"raised {type(error).__name__}: {error}"[:300]
        )
    seconds = time.process_time() - began
    rng = np.random.default_rng([seed, 11])
    if verdict.status == "proved":
        wrong = _wrong_limit(pair, verdict, rng) if pair.limit else _wrong_proof(pair, verdict, rng)
    elif verdict.status == "refuted":
        wrong = _wrong_limit_refuted(pair, verdict) if pair.limit else wrong_refutation(pair, verdict)
    else:
        wrong = ""
    if not wrong and re.search(NO_VALUE, str(verdict.updates)):
        wrong = f"the updates are told as {verdict.updates}"
    return Outcome(pair.kind, said(verdict), seconds, wrong and f"{verdict}\n{wrong}")


def said(verdict: Any) -> str:
    """The status, and whether it is up to a horizon."""
    return "proved to a horizon" if verdict.status == "proved" and verdict.horizon else verdict.status


def updates(program: Program, hyper: Mapping[str, Any], gradients: Sequence[Any], digits: int) -> list[Any]:
    """The updates in so many digits; numbers and gradients are decimals, or exactly the floats that they are."""
    with mpmath.workdps(digits):
        given = {name: decimal(str(hyper[name])) for name in program.numbers}
        rows = [decimal(g) if isinstance(g, str) else mpf(g) for g in gradients]
        return [mpf(u) for u, _, _ in run(program, given, rows)]


def unrounded(program: Program, hyper: Mapping[str, Any], gradients: Sequence[Any]) -> list[tuple[Any, dict[str, Any]]]:
    """The update and the states after each step in fractions, as far as there are no roots.

    Where a mean is 0, finite digits have a sign of it.
    """
    with mpmath.workdps(DIGITS[1]):
        given = {name: Fraction(str(hyper[name])) for name in program.numbers}
        steps = run(program, given, [Fraction(g) for g in gradients], Fraction)
        return [(to_digits(u), {name: to_digits(x) for name, x in states.items()}) for u, states, _ in steps]


def apart(of: Callable[[int], tuple[Any, Any]]) -> bool:
    """Whether two numbers differ: in more digits they still do by as much, so that it is no rounding."""
    a, b = of(DIGITS[0])
    if are_same(a, b):
        return False
    with mpmath.workdps(DIGITS[1]):
        c, d = of(DIGITS[1])
        if are_same(c, d):
            return False
        return not (mpmath.isfinite(a - b) and mpmath.isfinite(c - d) and abs(c - d) < abs(a - b) / 2)


def are_same(a: Any, b: Any) -> bool:
    """Whether two numbers agree in thirty digits."""
    if not (mpmath.isfinite(a) and mpmath.isfinite(b)):
        return bool(mpmath.isnan(a) and mpmath.isnan(b)) or bool(a == b)
    return bool(abs(a - b) <= mpf(10) ** -30 * max(abs(a), abs(b)))


def first_parting(pair: Pair, hyper: Mapping[str, Any], gradients: Sequence[Any]) -> int | None:
    """The first step at which the two differ; None if they agree."""
    rough = [updates(side, hyper, gradients, DIGITS[0]) for side in (pair.left, pair.right)]
    differing = [t for t, (a, b) in enumerate(zip(*rough, strict=True)) if not are_same(a, b)]
    if not differing:
        return None
    until = gradients[: differing[-1] + 1] if len(differing) < 3 else gradients[: differing[2] + 1]
    fine = [updates(side, hyper, until, DIGITS[1]) for side in (pair.left, pair.right)]
    runs = {DIGITS[0]: rough, DIGITS[1]: fine}
    parted = [t for t in differing[:3] if apart(lambda digits, t=t: (runs[digits][0][t], runs[digits][1][t]))]
    if not parted:
        return None
    exact = [unrounded(side, hyper, gradients[: parted[-1] + 1]) for side in (pair.left, pair.right)]
    return next((t + 1 for t in parted if not are_same(exact[0][t][0], exact[1][t][0])), None)


def _wrong_proof(pair: Pair, verdict: Any, rng: np.random.Generator) -> str:
    literals = [*pair.left.literals, *pair.right.literals]
    steps = max(pair.left.steps, pair.right.steps)
    horizon = verdict.horizon or pair.given.get("t") or steps
    short, long = min(FEW, horizon), min(steps, horizon)
    sequences = [("", g) for g in generic(rng, literals, short)]
    sequences += special(rng, literals, short)
    if long > short:
        sequences += [("", g) for g in generic(rng, literals, long, 4 if long < 500 else 1)]
        sequences += list(special(rng, literals, long))[1::2] if long < 500 else []
    for what, gradients in sequences:
        hyper = numbers(rng, [pair.left, pair.right], verdict.hyper)
        t = first_parting(pair, hyper, gradients)
        if t is not None and not (what and is_excused(what, verdict.assumptions)):
            shown = gradients[:t] if t < 20 else [*gradients[:3], "…", gradients[t - 1]]
            a, b = (updates(side, hyper, gradients[:t], 20)[-1] for side in (pair.left, pair.right))
            return f"but with {hyper} and gradients {shown} step {t} is {mpmath.nstr(a, 8)} | {mpmath.nstr(b, 8)}"
    return ""


def wrong_refutation(pair: Pair, verdict: Any) -> str:
    """What is wrong with a counterexample: the two do not differ on it, or by other numbers than it tells."""
    c = verdict.counterexample
    if c is None or len(c.gradients) != c.step:
        return "there is no counterexample that ends with the step at which the two part"
    entries = list(zip(*c.gradients, strict=True)) if isinstance(c.gradients[0], tuple) else [c.gradients]
    hyper = {**dict.fromkeys([*pair.left.numbers, *pair.right.numbers], "0.5"), **c.hyper}

    def ends(gradients: Sequence[Any]) -> Callable[[int], tuple[Any, Any]]:
        return lambda digits: tuple(updates(side, hyper, gradients, digits)[-1] for side in (pair.left, pair.right))

    for gradients in entries:
        if apart(ends(gradients)):
            run_ = ends(gradients)(DIGITS[0])
        else:  # in fractions a condition such as 1 − 0.9 ≥ 0.1 can hold all the same
            run_ = tuple(unrounded(side, hyper, gradients)[-1][0] for side in (pair.left, pair.right))
            if are_same(*run_):
                continue
        if len(entries) == 1 and not all(_close(mpf(a), b) for a, b in zip((c.left, c.right), run_, strict=True)):
            return f"but the updates at step {c.step} are {[mpmath.nstr(x, 10) for x in run_]}"
        return ""
    return "but both are the same on the counterexample"


def _close(a: Any, b: Any, within: float = 1e-6) -> bool:
    return bool((mpmath.isnan(a) and mpmath.isnan(b)) or a == b or abs(a - b) <= within * max(abs(a), abs(b)))


def at_distance(target: Any, distance: str) -> str:
    """The decimal of a number at a distance from its limit 0, 1 or ∞."""
    d = Fraction(distance)
    with mpmath.workdps(80):
        return str({0: d, 1: 1 - d}.get(target, 1 / d))


def _gaps(pair: Pair, hyper: Mapping[str, Any], gradients: Sequence[Any]) -> list[tuple[Any, Any, Any, Any]]:
    """The absolute and the relative distances of the updates at each step, far from the limit and near it."""
    columns = []
    for distance in (FAR, NEAR):
        given = {**hyper, **{name: at_distance(target, distance) for name, target in pair.limit.items()}}
        a, b = (updates(side, given, gradients, DIGITS[1]) for side in (pair.left, pair.right))
        gaps = [abs(x - y) for x, y in zip(a, b, strict=True)]
        columns.append(gaps)
        columns.append([gap / max(abs(x), abs(y), mpf(10) ** -90) for gap, x, y in zip(gaps, a, b, strict=True)])
    return list(zip(*columns, strict=True))


def _wrong_limit(pair: Pair, verdict: Any, rng: np.random.Generator) -> str:
    literals = [*pair.left.literals, *pair.right.literals]
    for gradients in list(generic(rng, literals, 6, 3)):
        hyper = numbers(rng, [pair.left, pair.right], verdict.hyper)
        for t, (far, far_relative, near, near_relative) in enumerate(_gaps(pair, hyper, gradients), start=1):
            if not (_falls(far, near) or _falls(far_relative, near_relative)):
                return (
                    f"but with {hyper}, gradients {gradients[:t]} and limit {dict(pair.limit)} the updates at step {t} "
                    f"are {mpmath.nstr(near, 5)} apart, relatively {mpmath.nstr(near_relative, 5)}"
                )
    return ""


def _falls(far: Any, near: Any) -> bool:
    return bool(near < mpf(10) ** -25 or near < far / 100)


def _wrong_limit_refuted(pair: Pair, verdict: Any) -> str:
    c = verdict.counterexample
    if c is None:
        return "there is no counterexample"
    if verdict.horizon is None:
        return "there is no step"
    far, _, near, _ = _gaps(pair, {**dict.fromkeys(pair.left.numbers, "0.5"), **c.hyper}, c.gradients)[-1]
    return f"but the updates come together: {mpmath.nstr(far, 5)}, {mpmath.nstr(near, 5)}" if _falls(far, near) else ""


def differs_from_jax(program: Program, seed: int = 0) -> str:
    """Where the exact loop is not what JAX computes in float64, beyond what rounding explains."""
    rng = np.random.default_rng([seed, 13])
    hyper = {name: float(f"{rng.uniform(0.05, 0.98):.3g}") for name in program.numbers}
    steps = min(program.steps, 600)
    for gradients in list(generic(rng, program.literals, steps, 3)) + [g for _, g in special(rng, [], steps)][:2]:
        by_jax = program.run_by_jax(hyper, gradients)
        fine, rough = (updates(program, hyper, gradients, digits) for digits in (DIGITS[0], 15))
        for t, (a, b, x) in enumerate(zip(fine, rough, by_jax, strict=True), start=1):
            well = _close(a, b, 1e-9) and not (mpmath.isfinite(a) and abs(a) > 1e250)
            if not well:
                break
            is_rounding = abs(a - mpf(float(x))) < 1e-17 * max(1, abs(gradients[t - 1]))  # of sums that are 0
            if not is_rounding and not _close(a, mpf(float(x)), 1e-6):
                return f"with {hyper} and gradients {gradients[:t]} step {t} is {mpmath.nstr(a, 10)}, by JAX {x}"
    return ""
