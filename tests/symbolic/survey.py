"""Formulas as numbers, and the optimizer itself run on the same numbers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import sympy
from mpmath import mpf
from sympy.logic.boolalg import ITE

from adamlab.interpret.signs import Rate

STEPS = 4

FUNCTIONS: dict[Any, Callable[..., Any]] = {
    sympy.Add: lambda *terms: mpmath.fsum(terms),
    sympy.Mul: lambda *factors: mpmath.fprod(factors),
    sympy.Pow: mpmath.power,
    sympy.Abs: abs,
    sympy.exp: mpmath.exp,
    sympy.log: mpmath.log,
    sympy.tanh: mpmath.tanh,
    sympy.floor: mpmath.floor,
    sympy.ceiling: mpmath.ceil,
    sympy.Mod: lambda a, b: a % b,
    sympy.Lt: lambda a, b: a < b,
    sympy.Le: lambda a, b: a <= b,
    sympy.Gt: lambda a, b: a > b,
    sympy.Ge: lambda a, b: a >= b,
    sympy.Eq: lambda a, b: a == b,
    sympy.Ne: lambda a, b: a != b,
    sympy.Not: lambda a: not a,
    sympy.And: lambda *parts: all(parts),
    sympy.Or: lambda *parts: any(parts),
}


@dataclass
class Values:
    """What formulas come to in 30 digits: of symbols what was given, of all else by what the functions mean.

    Attributes:
        known: the value of every expression met so far.
        taken: which case, sign or greatest argument it was wherever there is a choice, by the kind of choice.
    """

    known: dict[Any, Any]
    taken: dict[str, set[Any]] = field(default_factory=dict)

    def of(self, e: Any) -> Any:
        """The value of an expression, or of an array of them."""
        if isinstance(e, np.ndarray):
            values = np.empty(e.shape, object)
            for entry, inner in np.ndenumerate(e):
                values[entry] = self.of(inner)
            return values
        e = sympy.sympify(e)
        if e not in self.known:
            self.known[e] = self._computed(e)
        return self.known[e]

    def _computed(self, e: Any) -> Any:
        if e.is_Rational:
            return mpf(e.p) / e.q
        if e in (sympy.true, sympy.false):
            return e is sympy.true
        if isinstance(e, sympy.Piecewise):
            which = next(k for k, case in enumerate(e.args) if self.of(case.cond))
            self._took("case", which > 0)
            return self.of(e.args[which].expr)
        if isinstance(e, ITE):
            return self.of(e.args[1] if self.of(e.args[0]) else e.args[2])
        arguments = [self.of(a) for a in e.args]
        if isinstance(e, (sympy.Max, sympy.Min)):
            best = (max if isinstance(e, sympy.Max) else min)(arguments)
            self._took("extreme", arguments.index(best) > 0)
            return best
        if isinstance(e, sympy.sign):
            self._took("sign", arguments[0] > 0)
            return mpmath.sign(arguments[0])
        return FUNCTIONS[e.func](*arguments)

    def _took(self, kind: str, which: Any):
        self.taken.setdefault(kind, set()).add(which)
