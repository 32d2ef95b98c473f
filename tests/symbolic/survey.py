"""Formulas as numbers, by SymPy's functions alone, and the optimizer itself run on the same numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import sympy
from mpmath import mpf

from adamlab.interpret.signs import Rate
from adamlab.symbolic.maximum import Maximum
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
    """The numbers that formulas come to in many digits, given the values of their symbols and of entries of arrays."""

    known: dict[Any, Any]

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
            return self.of(next(case.args[0] for case in e.args if self.of(case.args[1])))
        if isinstance(e, sympy.ITE):
            return self.of(e.args[1] if self.of(e.args[0]) else e.args[2])
        if isinstance(e, sympy.Indexed):
            base: Any = e.base
            return self.known[base[int(self.of(*e.indices))]]
        if isinstance(e, (sympy.Sum, Maximum)):
            return (mpmath.fsum if isinstance(e, sympy.Sum) else max)(self._terms(e))
        parts = [self.of(part) for part in e.args]
        if isinstance(e, (sympy.Max, sympy.Min)):
            return max(parts) if isinstance(e, sympy.Max) else min(parts)
        if isinstance(e, sympy.sign):
            return mpmath.sign(parts[0])
        return FUNCTIONS[e.func](*parts)

    def _terms(self, e: Any) -> list[Any]:
        """The terms of a sum or of a maximum, for each value of its outermost index."""
        *within, (index, low, high) = e.limits
        term = e.func(e.function, *within) if within else e.function
        given = {leaf: value for leaf, value in self.known.items() if leaf.is_Symbol or _is_entry(leaf)}
        return [Values({**given, index: mpf(k)}).of(term) for k in range(int(self.of(low)), int(self.of(high)) + 1)]


def _is_entry(e: Any) -> bool:
    return isinstance(e, sympy.Indexed) and all(index.is_Integer for index in e.indices)


@dataclass(frozen=True)
class Numbers:
    """The input of a run: hyper-parameters by name, gradients and losses over time, and the start."""

    hyper: Mapping[str, float]
    gradients: np.ndarray
    losses: np.ndarray
    start: np.ndarray

    def values(self, u: Unrolled) -> Values:
        """The symbols' values."""
        known: dict[Any, Any] = {symbol: mpf(self.hyper[name]) for name, symbol in u.hyper.items()}
        given = [(u._start, self.start), *zip(u.gradients, self.gradients, strict=True)]
        for symbols, numbers in [*given, (np.array(u.values), self.losses)]:
            entries = zip(np.asarray(symbols, object).flat, np.asarray(numbers).flat, strict=True)
            known |= {symbol: mpf(float(number)) for symbol, number in entries}
        return Values(known)


class Run(NamedTuple):
    """Updates u_1 … u_T, parameters w_0 … w_T, and the leaves of the states after each step."""

    updates: list[Any]
    params: list[Any]
    states: list[list[Any]]


@dataclass(frozen=True)
class Case:
    """An optimizer as it is surveyed.

    Attributes:
        factory: the optimizer.
        fixed: arguments that are not left open.
        symbols: numbers that are left open though they are 0 or None by default.
        shape: of the parameter.
        within: bounds of numbers, in place of the usual ones.
        steps: T.
        float32: whether Optax's code computes in float32 in between, whatever its input.
    """

    factory: Callable[..., Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    within: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    steps: int = 4
    float32: bool = False

    @cached_property
    def unrolled(self) -> Unrolled:
        """The optimizer as formulas."""
        return unroll(self.factory, self.steps, self.fixed, symbols=self.symbols, shape=self.shape)

    def draw(self, rng: np.random.Generator) -> Numbers:
        """Draw rates from 0.5 to 0.99, other numbers from 0.01 to 1, the rest of either sign and of several sizes."""
        shape = (self.steps, *self.shape)
        gradients = rng.choice([-1, 1], shape) * 10 ** rng.uniform(-2, 1, shape)
        losses = rng.choice([-1, 1], self.steps) * 10 ** rng.uniform(-2, 1, self.steps)
        hyper = {name: self._hyper(name, symbol, rng) for name, symbol in self.unrolled.hyper.items()}
        return Numbers(hyper, gradients, losses, rng.normal(size=self.shape))

    def _hyper(self, name: str, symbol: Any, rng: np.random.Generator) -> float:
        if name in self.within:
            return float(rng.uniform(*self.within[name]))
        return float(rng.uniform(0.5, 0.99) if isinstance(symbol, Rate) else 10 ** rng.uniform(-2, 0))

    def run(self, numbers: Numbers) -> Run:
        """The optimizer's own run in float64, from Python's floats."""
        with jax.enable_x64(True):
            transform = optax.with_extra_args_support(self.factory(**self.fixed, **numbers.hyper))
            w = jnp.asarray(numbers.start)
            state, run = transform.init(w), Run([], [np.asarray(w)], [])
            for g, loss in zip(numbers.gradients, numbers.losses, strict=True):
                u, state = transform.update(jnp.asarray(g), state, w, value=jnp.asarray(loss))
                w = jnp.add(w, jnp.asarray(u))
                run.updates.append(np.asarray(u))
                run.params.append(np.asarray(w))
                run.states.append([np.asarray(leaf) for leaf in jax.tree.leaves(state)])
        return run
