"""The states and the update of an optimizer for general t."""
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sympy import Eq, Expr, Symbol

from adamlab.symbolic.readings import Optimizer, Reading
from adamlab.symbolic.recurrences import put_in, solved
from adamlab.symbolic.steps import general_step


@dataclass(frozen=True)
class ClosedForm:
    title: str
    hyper: Mapping[str, Symbol]
    states: Mapping[str, Any]
    updates: Expr
    recurrences: Mapping[str, Eq]
    unsolved: tuple[str, ...]
    assumptions: tuple[str, ...]


def closed_form(optimizer: Optimizer, hyper: Mapping[str, Any] | None = None, *, symbols: Collection[str] = ()) -> ClosedForm:
    reading = Reading.of(optimizer, hyper, symbols)
    step = general_step(reading)
    found = solved(step)
    recurrences = {f: Eq(step.states[f], e, evaluate=False) for f, e in step.recurrences.items()}
    states = {f: found.get(f, step.wholes.get(f, recurrences.get(f))) for f in reading.fields}
    unsolved = tuple(f for f in step.states if f not in found)
    return ClosedForm(reading.subject.title, reading.hyper, states, put_in(step, step.update, found), recurrences, unsolved, tuple(map(str, step.algebra.assumptions)))
