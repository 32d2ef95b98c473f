"""Whether two optimizers are the same, or become the same in a limit: proved for every step, refuted, or unknown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sympy import Expr, Ne, Symbol, oo, sympify

from adamlab.errors import InputError, nearest
from adamlab.interpret.equality import same
from adamlab.interpret.programs import Subject, names_in
from adamlab.symbolic.counterexamples import ARRAYS, GRADIENTS, WITH_ZEROS, Counterexample, find
from adamlab.symbolic.letters import T
from adamlab.symbolic.limits import DELTA, NoLimitError, Series, series, toward
from adamlab.symbolic.readings import Optimizer, Reading, rates_in
from adamlab.symbolic.relating import Side, related, without_idle_maxima
from adamlab.symbolic.steps import UPDATE, general_step
from adamlab.symbolic.unrolling import unroll

HORIZON = 4


@dataclass(frozen=True)
class Verdict:
    """What was found of a statement that two optimizers are the same.

    Attributes:
        left, right: the two, as they were given.
        limit: the numbers that go somewhere, and where to.
        status: "proved", "refuted" or "unknown".
        horizon: None where it is proved for every step, else up to which step it was looked at.
        explanation: in words.
        counterexample: numbers on which the two part; None unless refuted.
        assumptions: what was taken for granted.
        hyper: the symbols of the numbers that are open.
        order: of a limit, the power of the distance to it that the difference of the updates goes by.
        relative: of a limit, what the relative difference is for a distance of 1, to that order.
    """

    left: str
    right: str
    limit: Mapping[str, Any]
    status: str
    horizon: int | None
    explanation: str
    counterexample: Counterexample | None
    assumptions: tuple[str, ...]
    hyper: Mapping[str, Symbol]
    order: Expr | None = None
    relative: Expr | None = None


def prove(left: Optimizer, right: Optimizer, *, limit: Mapping[str, Any] | None = None, given: Mapping[str, Any] | None = None):
    left_subject, right_subject = (Subject.left_open(side, _named(side, given)) for side in (left, right))
    rates = rates_in(left_subject) | rates_in(right_subject)
    readings = [Reading.of(side, _named(side, given), rates=rates) for side in (left, right)]
    a, b = (reading.subject for reading in readings)
    hyper = {**readings[0].hyper, **readings[1].hyper}
    def verdict(status, horizon, explanation, **more):
        return Verdict(a.title, b.title, limit or {}, status, horizon, explanation, more.pop("counterexample", None), more.pop("assumptions", ()), hyper, **more)
    if not limit and (found := find(a, b, rates, GRADIENTS)):
        return verdict("refuted", found.step, str(found), counterexample=found)
    if not limit and (found := find(a, b, rates, ARRAYS)):
        return verdict("refuted", found.step, str(found), counterexample=found)
    steps = [general_step(r) for r in readings]
    one, other = Side(steps[0]), Side(steps[1], "'")
    assumptions = tuple(str(c) for s in steps for c in s.algebra.assumptions)
    if limit:
        (name, value), = limit.items()
        d = {hyper[name]: toward(value)}
        s1, s2 = (series(side.update.xreplace(d)) for side in (one, other))
        diff = series((one.update - other.update).xreplace(d))
        if diff.lead > 0:
            return verdict("proved", None, "limit", order=diff.lead, relative=diff.coefficients[0] / s2.value, assumptions=assumptions)
        return verdict("unknown", None, f"{s1.value} {s2.value}")
    plain = [Side(steps[0], nested=False), Side(steps[1], "'", nested=False)]
    for x, y in ((one, other), (other, one), plain, plain[::-1]):
        relation = related(x, y)
        if relation is not None:
            u, v = without_idle_maxima(x, x.update), without_idle_maxima(y, y.update.xreplace(relation))
            if same(u, v):
                return verdict("proved", None, f"{relation}", assumptions=assumptions)
    return verdict("unknown", None, f"{one.update} ||| {other.update}")


def _named(side, given):
    from adamlab.interpret.programs import as_call
    names = names_in(as_call(side))
    return {k: v for k, v in (given or {}).items() if k in names}
