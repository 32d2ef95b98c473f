"""Formulas as numbers, by SymPy's functions alone, and the optimizer itself run on the same numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import sympy
from mpmath import mpf

from adamlab.interpret.signs import Rate
from adamlab.symbolic.unrolling import Unrolled, unroll

DIGITS = 50

FUNCTIONS: dict[Any, Callable[..., Any]] = {
    sympy.Add: lambda *terms: mpmath.fsum(terms),
    sympy.Mul: lambda *factors: mpmath.fprod(factors),
    sympy.Pow: mpmath.power,
    sympy.Abs: abs,
    sympy.exp: mpmath.exp,
    sympy.log: mpmath.log,
    sympy.floor: mpmath.floor,
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
    sympy.Xor: lambda *parts: sum(parts) % 2 == 1,
}


@dataclass
class Values:
    """What formulas come to in many digits, given the values of their symbols.

    Attributes:
        known: the value of every expression met so far.
        taken: at every kind of choice (cases, maxima, signs) the sides that were taken.
    """

    known: dict[Any, Any]
    taken: dict[str, set[bool]] = field(default_factory=dict)

    def of(self, formulas: Any) -> Any:
        """The value of a formula; of an array, an array."""
        if isinstance(formulas, np.ndarray):
            values = np.empty(formulas.shape, object)
            for entry, e in np.ndenumerate(formulas):
                values[entry] = self.of(e)
            return values
        e = sympy.sympify(formulas)
        if e not in self.known:
            self.known[e] = self._computed(e)
        return self.known[e]

    def _computed(self, e: Any) -> Any:
        if e.is_Rational:
            return mpf(e.p) / e.q
        if e in (sympy.true, sympy.false):
            return bool(e)
        if isinstance(e, sympy.Piecewise):
            which = next(k for k, case in enumerate(e.args) if self.of(case.args[1]))
            return self._took("cases", which > 0, self.of(e.args[which].args[0]))
        if isinstance(e, sympy.ITE):
            return self.of(e.args[1] if self.of(e.args[0]) else e.args[2])
        parts = [self.of(part) for part in e.args]
        if isinstance(e, (sympy.Max, sympy.Min)):
            best = max(parts) if isinstance(e, sympy.Max) else min(parts)
            return self._took("extremes", parts.index(best) > 0, best)
        if isinstance(e, sympy.sign):
            return self._took("signs", parts[0] > 0, mpmath.sign(parts[0]))
        return FUNCTIONS[e.func](*parts)

    def _took(self, kind: str, side: bool, value: Any) -> Any:
        self.taken.setdefault(kind, set()).add(bool(side))
        return value


@dataclass(frozen=True)
class Numbers:
    """What a run is made of: hyper-parameters by name, gradients and losses over time, and the start."""

    hyper: Mapping[str, float]
    gradients: np.ndarray
    losses: np.ndarray
    start: np.ndarray

    def values(self, u: Unrolled) -> Values:
        """The symbols' values."""
        known: dict[Any, Any] = {symbol: mpf(self.hyper[name]) for name, symbol in u.hyper.items()}
        given = [(u.params[0], self.start), *zip(u.gradients, self.gradients, strict=True)]
        for symbols, numbers in [*given, (np.array(u.values), self.losses)]:
            entries = zip(np.asarray(symbols, object).flat, np.asarray(numbers).flat, strict=True)
            known |= {symbol: mpf(float(number)) for symbol, number in entries}
        return Values(known)


@dataclass(frozen=True)
class Case:
    """An optimizer as it is surveyed.

    Attributes:
        factory: the optimizer.
        fixed: arguments that are no numbers, or that its code branches on.
        symbols: arguments that are symbols though their default is 0 or None.
        shape: of the parameter.
        within: bounds of hyper-parameters, in place of the usual ones.
        steps: T.
        sizes: the exponents of ten that gradients lie between.
    """

    factory: Callable[..., Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    within: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    steps: int = 4
    sizes: tuple[float, float] = (-2, 1)

    @cached_property
    def read(self) -> Unrolled:
        """The optimizer unrolled."""
        return unroll(self.factory, self.steps, self.fixed, symbols=self.symbols, shape=self.shape)

    def draw(self, u: Unrolled, rng: np.random.Generator) -> Numbers:
        """Numbers of all signs and several sizes; rates from 0.5 to 0.99, other hyper-parameters from 0.01 to 1."""
        hyper = {name: self._hyper(name, symbol, rng) for name, symbol in u.hyper.items()}
        shape = (self.steps, *self.shape)
        gradients = rng.choice([-1, 1], shape) * 10 ** rng.uniform(*self.sizes, shape)
        losses = rng.choice([-1, 1, 1], self.steps) * 10 ** rng.uniform(-2, 1, self.steps)
        return Numbers(hyper, gradients, losses, rng.normal(size=self.shape))

    def _hyper(self, name: str, symbol: Any, rng: np.random.Generator) -> float:
        if name in self.within:
            return float(rng.uniform(*self.within[name]))
        return float(rng.uniform(0.5, 0.99)) if isinstance(symbol, Rate) else float(10 ** rng.uniform(-2, 0))

    def run(self, numbers: Numbers) -> tuple[list[Any], list[Any], list[Any]]:
        """The updates, parameters and states of the optimizer itself, in float64."""
        with jax.enable_x64(True):
            transform = optax.with_extra_args_support(self.factory(**self.fixed, **numbers.hyper))
            w = jnp.asarray(numbers.start)
            state, updates, params, states = transform.init(w), [], [w], []
            for g, loss in zip(numbers.gradients, numbers.losses, strict=True):
                u, state = transform.update(jnp.asarray(g), state, w, value=jnp.asarray(loss))
                w = w + u
                updates.append(u)
                params.append(w)
                states.append(jax.tree.leaves(state))
        return updates, params, states
