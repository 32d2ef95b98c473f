"""The stability of an optimizer: where its steps on a quadratic converge, as formulas read off its code."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Add, Function, Gt, Poly, Symbol, cancel, oo

from adamlab.dynamics.best import Best, best
from adamlab.dynamics.jury import Condition, Z, arranged, at, conditions, factors_of, spectral_radius
from adamlab.dynamics.linearizing import LinearStep, linear_step
from adamlab.dynamics.thresholds import DRAWS, Threshold, as_formula, certified
from adamlab.dynamics.tuning import fastest
from adamlab.errors import InputError
from adamlab.interpret.signs import Rate, is_positive
from adamlab.symbolic.notation.printing import latex, text
from adamlab.symbolic.open_optimizer import OpenOptimizer, Optimizer, known_numbers
from adamlab.symbolic.results import Equation, Result, in_words
from adamlab.types import Formula

LEARNING_RATES = ("learning_rate", "lr", "step_size")
"""The arguments that are learning rates."""


@dataclass(frozen=True, repr=False)
class Stability(Result):
    """An optimizer's steps on a quadratic of curvature h, w ↦ h·w²/2, as a linear map of the parameter and the state.

    Attributes:
        title: the optimizer as it was given.
        hyper: the symbol of every number that is open, by name.
        h: the symbol of the curvature; of an adaptive optimizer that of the preconditioned curvature, ĥ = h/P.
        preconditioners: what P is, in terms of the states that are held.
        variables: the letters of the parameter and the states that the map is of.
        matrix: of the map; of preconditioned curvature, with the states in units in which P is 1.
        characteristic: its characteristic polynomial, in `z`.
        conditions: what is above 0 where the steps converge, with its name.
        rate: the spectral radius, the factor by which the distance to the minimum falls with each step; None beyond
            two states, where `rate_at` tells it.
        largest_rate: the learning rate below which the steps converge, as a formula; None where there is no learning
            rate, or no formula was found.
        largest_curvature: the curvature below which they do, as a formula, or None.
        assumptions: the conditions under which the formulas hold, in words.
    """

    title: str
    hyper: Mapping[str, Symbol]
    h: Symbol
    preconditioners: Mapping[Symbol, Formula]
    variables: tuple[str, ...]
    matrix: Any
    characteristic: Formula
    conditions: tuple[Condition, ...]
    rate: Formula | None
    largest_rate: Formula | None
    largest_curvature: Formula | None
    assumptions: tuple[str, ...]
    learning_rate: str | None
    factors: tuple[Poly, ...]
    curvature: Formula
    z: Symbol = Z

    def largest_rate_at(self, **numbers: Any) -> float:
        """The learning rate below which the steps converge, at numbers by name; the curvature's is `str(s.h)`.

        Roots are isolated in exact rationals, so that all digits are right. It is ∞ where every rate converges, and 0
        where no small one does.

        Raises:
            InputError: a number is missing or unknown, or the optimizer has no open learning rate.
        """
        if self.learning_rate is None:
            raise InputError(f"{self.title} has no open learning rate; ask for largest_curvature_at.")
        return self._threshold_at(self.hyper[self.learning_rate], numbers)

    def largest_curvature_at(self, **numbers: Any) -> float:
        """The curvature below which the steps converge, at numbers by name, as `largest_rate_at`."""
        return self._threshold_at(self.h, numbers)

    def rate_at(self, **numbers: Any) -> float:
        """The spectral radius at numbers by name."""
        return float(np.abs(self.eigenvalues_at(**numbers)).max(initial=0.0))

    def eigenvalues_at(self, **numbers: Any) -> np.ndarray:
        """The eigenvalues of the step's map at numbers by name, but for those that are always 0."""
        known = self._known(numbers, None)
        roots = [np.roots([float(c) for c in row]) for row in at(self.factors, known)]
        return np.concatenate([np.zeros(0), *roots])

    def fastest(self, condition: float, **numbers: Any) -> dict[str, float]:
        """The open numbers that converge fastest on curvatures from h/condition to h, where h is 1 unless given.

        The learning rate is searched for, and one decay rate where it is open; all other numbers have to be given. The
        result has them by name, and under "rate" the factor by which the distance falls with each step at the worst
        curvature, to about three digits.

        Raises:
            InputError: the condition number is not above 1, the learning rate is not open, a number is missing, or no
                learning rate converges.
        """
        if not condition > 1:
            raise InputError(f"expected a condition number above 1, the ratio of two curvatures; not {condition!r}.")
        if self.learning_rate is None:
            raise InputError(f"{self.title} has no open learning rate to choose.")
        rate = self.hyper[self.learning_rate]
        decays = {
            n: s for n, s in self.hyper.items() if isinstance(s, Rate) and n not in numbers and self.matrix.has(s)
        }
        name, momentum = next(iter(decays.items()), (None, None))
        searched = {self.learning_rate: 1, **({name: 0.5} if name else {})}
        known = self._known({self.h.name: 1, **numbers, **searched}, None)
        greatest = float(known[self.h])
        fixed = {s: value for s, value in known.items() if s not in (self.h, rate, momentum)}
        matrix = self.matrix.xreplace(fixed)
        best, radius, decay = fastest(matrix, self.h, rate, momentum, greatest / condition, greatest)
        if not radius < 1:
            raise InputError(f"{self.title} converges at none of the learning rates that were tried.")
        return {"rate": radius, self.learning_rate: best, **({name: decay} if name and decay is not None else {})}

    def best(self) -> Best | None:
        """The fastest numbers on curvatures from h/κ to h as formulas of κ, as Polyak's of the heavy ball.

        They are proved to be the fastest where the map's characteristic polynomial is z − (1 − a·h), or
        z² − (1 + D − a·h)·z + D for a D that does not depend on h. There, roots of at most ρ at curvatures l and κ·l
        mean that p(ρ) ≥ 0 at l, which is a·l·ρ ≥ (1 − ρ)·(ρ − D), and that p(−ρ) ≥ 0 at κ·l, which is
        a·κ·l·ρ ≤ (1 + ρ)·(ρ + D). So κ ≤ (1 + ρ)·(ρ + D)/((1 − ρ)·(ρ − D)), which grows with D; and D ≤ ρ², so that
        κ ≤ ((1 + ρ)/(1 − ρ))². The formulas reach this bound; that of a single root is κ ≤ (1 + ρ)/(1 − ρ).

        So are those of Nesterov's z² − (1 + D)·s·z + D·s with s = 1 − a·h. Roots of at most ρ at the greatest curvature
        mean that p(−ρ) ≥ 0 there, so that a·κ·l ≤ 1 + ρ²/(ρ + D·(1 + ρ)). At the least they mean that p(ρ) ≥ 0 and
        D·s ≤ ρ², so that a·l ≥ 1 − ρ²/(ρ − D·(1 − ρ)) and a·l ≥ 1 − ρ²/D. By the first of these the bound on κ grows
        with D < ρ, by the second it falls, and the two meet at D = ρ/(2 − ρ): κ ≤ ((2/(1 − ρ))² − 1)/3. All conditions
        are linear in s, and hold between as well.

        Returns:
            The formulas; None where a step depends on other numbers, as a weight decay, or none were found.
        """
        if self.learning_rate is None or len(self.factors) != 1:
            return None
        decays = [n for n, s in self.hyper.items() if isinstance(s, Rate) and self.matrix.has(s)]
        momentum = next(iter(decays), None)
        return best(self.title, self.hyper, self.factors[0], self.h, self.learning_rate, momentum)

    def _threshold_at(self, x: Symbol, numbers: Mapping[str, Any]) -> float:
        threshold = certified(self.factors, self.conditions, x, self._known(numbers, x))
        return float("inf") if threshold is oo else float(threshold)

    def _known(self, numbers: Mapping[str, Any], x: Symbol | None) -> dict[Symbol, Any]:
        """The given numbers as rationals, by their symbols."""
        symbols = {**self.hyper, **{s.name: s for s in (self.h, *self.preconditioners)}}
        known = known_numbers(self.title, symbols, numbers)
        if not known.get(self.h, 1) > 0:
            raise InputError(f"expected a curvature {text(self.h)} above 0, not {numbers[self.h.name]!r}.")
        occurring = {s for p in self.factors for s in p.as_expr().free_symbols}
        missing = [name for name, s in symbols.items() if s in occurring and s != x and name not in numbers]
        if missing:
            raise InputError(f"expected a number for each of {', '.join(missing)}: give {missing[0]}=….")
        return {symbol: value for symbol, value in known.items() if symbol != x}

    def _equations(self) -> list[Equation]:
        named = [(symbol, e) for symbol, e in self.preconditioners.items() if self.characteristic.has(symbol)]
        curvature = [(self.h, self.curvature)] if self.curvature != self.h else []
        shown = [(condition.name, condition.formula) for condition in self.conditions]
        thresholds = [(_greatest(self.h), self.largest_curvature)]
        if self.learning_rate:
            thresholds.insert(0, (_greatest(self.hyper[self.learning_rate]), self.largest_rate))
        results = [*thresholds, (Symbol("rho"), self.rate)]
        return [
            *named,
            *curvature,
            (Function("p")(self.z), self.characteristic),
            *shown,
            *((name, e) for name, e in results if e is not None),
        ]

    def _words(self) -> list[str]:
        letters = ", ".join(text(Symbol(letter)) for letter in self.variables)
        conditions = ", ".join(f"{text(condition.name)} > 0" for condition in self.conditions)
        return [
            f"One step maps ({letters}) linearly, and p is the characteristic polynomial of this map.",
            f"The steps converge where its roots lie inside the unit circle, ρ < 1. What can fail first: {conditions}.",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        formulas = {
            "characteristic": self.characteristic,
            "rate": self.rate,
            "largest_rate": self.largest_rate,
            "largest_curvature": self.largest_curvature,
        }
        return {
            "optimizer": self.title,
            "curvature": text(self.h),
            "variables": list(self.variables),
            **{name: e if e is None else {"text": text(e), "latex": latex(e)} for name, e in formulas.items()},
            **super().to_dict(),
        }


def stability(
    optimizer: Optimizer, hyper: Mapping[str, Any] | None = None, *, symbols: Collection[str] = ()
) -> Stability:
    """Derive where an optimizer's steps converge on a quadratic of curvature h.

    The gradient h·w is put into the general step that was read off the code, which is then a linear map of the
    parameter and the state. Of an adaptive optimizer the second moments are held, and the map is about the minimum with
    this preconditioner. The arguments are those of `al.unroll`.

    Returns:
        A `Stability`.

    Raises:
        SpecError, UnreadableError: as `al.unroll`.
        InputError: the step is not linear at the minimum, as that of sign descent, or goes on changing with t.

    >>> stability("optax.sgd(lr, momentum=mu)").largest_rate
    2*(mu + 1)/h
    """
    return stability_of(linear_step(OpenOptimizer.of(optimizer, hyper, symbols)))


def stability_of(linear: LinearStep) -> Stability:
    """Derive the stability of a linear step."""
    optimizer = linear.step.optimizer
    matrix, h, curvature = linear.matrix, linear.curvature, linear.curvature
    if len(linear.preconditioners) == 1:
        ((preconditioner, divisor),) = linear.preconditioners.items()
        scaled = Symbol(f"{h.name}hat", positive=True)
        if not cancel(_characteristic(matrix).subs(h, scaled * preconditioner)).has(preconditioner):
            # P is then a unit of the states alone: with 1 in its place the map has the same eigenvalues.
            matrix, h, curvature = matrix.subs({h: scaled, preconditioner: 1}), scaled, h / divisor
    characteristic = _characteristic(matrix)
    factors = factors_of(characteristic)
    names = ["p"] if len(factors) == 1 else [f"p_{k + 1}" for k in range(len(factors))]
    learning_rate = _learning_rate(optimizer)
    numbers = ([optimizer.hyper[learning_rate]] if learning_rate else []) + [h]
    listed = [c for p, name in zip(factors, names, strict=True) for c in conditions(p, name, numbers[0])]
    thresholds = {x: as_formula(factors, listed, x) for x in numbers}
    formulas = {x: threshold.formula for x, threshold in thresholds.items() if threshold}
    return Stability(
        optimizer.subject.title,
        optimizer.hyper,
        h,
        linear.preconditioners,
        linear.variables,
        matrix,
        _by_powers(characteristic, numbers[0]),
        tuple(listed),
        spectral_radius(factors, numbers[0]),
        formulas.get(optimizer.hyper[learning_rate]) if learning_rate else None,
        formulas.get(h),
        (*in_words(optimizer, linear.step.algebra), *_of_the_map(linear), *_of_thresholds(thresholds)),
        learning_rate,
        tuple(factors),
        curvature,
    )


def _characteristic(matrix: Any) -> Formula:
    """The characteristic polynomial in z."""
    return matrix.charpoly(Z).as_expr()


def _learning_rate(optimizer: OpenOptimizer) -> str | None:
    """The name of the open number that is the learning rate."""
    named = {symbol.name for symbol, argument in optimizer.subject.call.symbols() if argument.name in LEARNING_RATES}
    return next((name for name in optimizer.hyper if name in named), None)


def _by_powers(characteristic: Formula, x: Symbol) -> Formula:
    """The polynomial by powers of z, and each coefficient by powers of x."""
    return Add(*(arranged(c, x) * Z**power for (power,), c in Poly(characteristic, Z).terms()))


def _greatest(symbol: Symbol) -> Symbol:
    """The symbol of the greatest value of a number."""
    return Symbol(f"{symbol.name}_max")


def _of_the_map(linear: LinearStep) -> list[str]:
    """The assumptions that make the step linear, in words."""
    h, divisors = (
        text(linear.curvature),
        [f"{text(symbol)} = {text(e)}" for symbol, e in linear.preconditioners.items()],
    )
    first = max(linear.step.first.values(), default=1)
    return [
        *([f"t ≥ {first}"] if first > 1 and not linear.is_late else []),
        f"g_t = {h}·w_(t-1): the loss is {h}·w²/2",
        *(f"{text(condition)}, as it is near the minimum" for condition in linear.near),
        *(["t → ∞, when powers such as β^t are 0"] if linear.is_late else []),
        *(f"the preconditioner {divisor} is held" for divisor in divisors),
    ]


def _of_thresholds(thresholds: Mapping[Symbol, Threshold | None]) -> list[str]:
    """The conditions under which the formulas of thresholds hold, and which of them are not proved, in words."""
    known = {x: threshold for x, threshold in thresholds.items() if threshold}
    signs = [
        f"no {text(x)} > 0 converges" if e.formula == 0 else f"{text(Gt(_greatest(x), 0))}, else none converges"
        for x, e in known.items()
        if not is_positive(e.formula)
    ]
    unproved = [text(_greatest(x)) for x, threshold in known.items() if not threshold.is_proved]
    drawn = (
        f"that {', '.join(unproved)} is where the first root leaves the circle was checked at {DRAWS} drawn settings"
    )
    return [*signs, *([drawn] if unproved else [])]
