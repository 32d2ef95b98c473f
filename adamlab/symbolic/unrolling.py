"""Some steps of an optimizer as formulas, read off its own code."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sympy import Expr, Symbol, expand, factor_terms

from adamlab.errors import InputError
from adamlab.interpret.arrays import Values, each, objects
from adamlab.interpret.formulas import Formulas
from adamlab.interpret.jaxpr import Reader
from adamlab.interpret.signs import is_nonnegative
from adamlab.symbolic.letters import at_step
from adamlab.symbolic.readings import Optimizer, Reading


@dataclass(frozen=True)
class Unrolled:
    """Steps of an optimizer.

    Attributes:
        title: the optimizer as it was given.
        hyper: the symbol of every hyper-parameter that is open, by name.
        gradients: g_1 … g_T: symbols, or arrays of them.
        values: f_1 … f_T, the losses that were handed to `update`, whether it looks at them or not.
        assumptions: what was taken for granted, in words.
    """

    title: str
    hyper: Mapping[str, Symbol]
    gradients: list[Any]
    values: list[Symbol]
    assumptions: tuple[str, ...]
    _steps: list[dict[str, Values]]
    _named: dict[Symbol, Expr]
    _complements: dict[Symbol, Expr]

    @cached_property
    def definitions(self) -> list[tuple[Symbol, Expr]]:
        """Every state, update and parameter in terms of those before: as many as there are steps, and each small."""
        return [(symbol, e.xreplace(self._complements)) for symbol, e in self._named.items()]


def unroll(
    optimizer: Optimizer,
    steps: int = 3,
    hyper: Mapping[str, Any] | None = None,
    *,
    symbols: Collection[str] = (),
    shape: tuple[int, ...] = (),
) -> Unrolled:
    """Unrolls."""
    if steps < 1:
        raise InputError("steps")
    reading = Reading.of(optimizer, hyper, symbols, shape)
    algebra = Formulas()
    reader = Reader(algebra)
    named: dict[Symbol, Expr] = {}

    def name(letter: str, t: int, values: Values) -> Values:
        entries = np.empty(values.shape, object)
        for entry, e in np.ndenumerate(values):
            entries[entry] = e
            if isinstance(e, Expr) and not (e.is_Atom):
                entries[entry] = at_step(letter, t, entry, nonnegative=is_nonnegative(e))
                named[entries[entry]] = e
        return entries

    def fresh(letter, t):
        return _array(lambda entry: at_step(letter, t, entry), shape)

    w = fresh("w", 0)
    state = reading.start(algebra, w)
    gradients, values, found = [], [], []
    for t in range(1, steps + 1):
        g, f = fresh("g", t), at_step("f", t)
        u, state = reading.step(
            reader, g, state, w, f, lambda k, t=t: lambda values: name(reading.letters[k], t, values)
        )
        u = name("u", t, u)
        w = name("w", t, each(lambda a, b: a + b, w, u))
        gradients.append(g)
        values.append(f)
        found.append((u, w, state))
    return Unrolled(
        reading.subject.title,
        reading.hyper,
        gradients,
        values,
        tuple(map(str, algebra.assumptions)),
        found,
        named,
        algebra.complements,
    )


def _array(make, shape) -> Values:
    values = np.empty(shape, object)
    for entry in np.ndindex(*shape):
        values[entry] = make(entry)
    return values
