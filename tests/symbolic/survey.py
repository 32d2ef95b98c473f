"""Formulas as numbers, by SymPy's functions alone, and the optimizer itself run on the same numbers."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple
from unittest.mock import patch

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import sympy
from mpmath import mpf

from adamlab.interpret.signs import Rate
from adamlab.symbolic import unrolling
from adamlab.symbolic.unrolling import Unrolled

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
    def read(self) -> tuple[Unrolled, list[Any]]:
        """The optimizer unrolled, and the conditions that were assumed, on what the definitions name."""
        algebra = unrolling.Formulas()
        with patch.object(unrolling, "Formulas", lambda: algebra):
            u = unrolling.unroll(self.factory, self.steps, self.fixed, symbols=self.symbols, shape=self.shape)
        return u, list(algebra.assumptions)

    def draw(self, rng: np.random.Generator) -> Numbers:
        """Rates from 0.5 to 0.99, other numbers from 0.01 to 1, the rest of either sign and of several sizes."""
        shape = (self.steps, *self.shape)
        gradients = rng.choice([-1, 1], shape) * 10 ** rng.uniform(-2, 1, shape)
        losses = rng.choice([-1, 1], self.steps) * 10 ** rng.uniform(-2, 1, self.steps)
        hyper = {name: self._hyper(name, symbol, rng) for name, symbol in self.read[0].hyper.items()}
        return Numbers(hyper, gradients, losses, rng.normal(size=self.shape))

    def _hyper(self, name: str, symbol: Any, rng: np.random.Generator) -> float:
        if name in self.within:
            return float(rng.uniform(*self.within[name]))
        return float(rng.uniform(0.5, 0.99) if isinstance(symbol, Rate) else 10 ** rng.uniform(-2, 0))

    def draw_with_zeros(self, rng: np.random.Generator) -> Numbers:
        """The same with a gradient of 0, some entries of others 0, one gradient twice, half the time from 0."""
        numbers = self.draw(rng)
        gradients = numbers.gradients * rng.choice([0, 1, 1], numbers.gradients.shape)
        gradients[rng.integers(self.steps)] = 0
        repeated = rng.integers(self.steps)
        gradients[repeated] = gradients[repeated - 1]
        return replace(numbers, gradients=gradients, start=numbers.start * rng.choice([0, 1]))

    def transform(self, numbers: Numbers) -> optax.GradientTransformationExtraArgs:
        """The optimizer itself, from Python's floats."""
        return optax.with_extra_args_support(self.factory(**self.fixed, **numbers.hyper))

    def run(self, numbers: Numbers, *, wide: bool = False) -> Run:
        """What the optimizer itself does in float64; `wide` also where Optax asks for float32 by name."""
        widened = patch.object(jnp, "float32", jnp.float64) if wide else nullcontext()
        with jax.enable_x64(True), widened:
            transform, w = self.transform(numbers), jnp.asarray(numbers.start)
            state, run = transform.init(w), Run([], [np.asarray(w)], [])
            if wide:
                state = jax.tree.map(lambda x: x.astype(jnp.int64) if x.dtype == jnp.int32 else x, state)
            for g, loss in zip(numbers.gradients, numbers.losses, strict=True):
                u, state = transform.update(jnp.asarray(g), state, w, value=jnp.asarray(loss))
                w = jnp.add(w, jnp.asarray(u))
                run.updates.append(np.asarray(u))
                run.params.append(np.asarray(w))
                run.states.append([np.asarray(leaf) for leaf in jax.tree.leaves(state)])
        return run


def formulas(u: Unrolled, values: Values) -> Run:
    """The same, from the formulas."""
    with mpmath.workdps(DIGITS):
        states = [[values.of(leaf) for leaf in state.values()] for state in u.states]
        return Run([values.of(e) for e in u.updates], [values.of(e) for e in u.params], states)


def distance(run: Run, expected: Run) -> float:
    """The largest difference between two runs, as a part of the number itself or of a thousandth of the largest."""
    pairs = [(run.updates, expected.updates), (run.params, expected.params)]
    leaves = zip(*run.states, strict=True), zip(*expected.states, strict=True)
    pairs += list(zip(*map(list, leaves), strict=True))
    return max(_apart(*map(_stacked, pair)) for pair in pairs)


def _stacked(over_time: Any) -> np.ndarray:
    return np.stack([np.asarray(x, object).astype(float) for x in over_time])


def _apart(left: np.ndarray, right: np.ndarray) -> float:
    assert left.shape == right.shape
    scale = np.maximum(np.abs(right), 1e-3 * np.abs(right).max(initial=0))
    difference = np.abs(left - right) / np.where(scale == 0, 1, scale)
    return float(np.where(np.isfinite(difference), difference, np.inf).max(initial=0))
