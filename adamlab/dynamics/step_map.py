"""An optimizer's step on a quadratic as a matrix of floats, with numbers for all that is open."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sympy import Symbol, lambdify

from adamlab.dynamics.linearizing import LinearStep, linear_step
from adamlab.dynamics.stability import Stability, stability_of
from adamlab.errors import InputError, nearest
from adamlab.interpret.programs import as_call, as_floats, names_in
from adamlab.interpret.signs import Rate
from adamlab.symbolic.letters import hyper_letters
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.open_optimizer import OpenOptimizer, Optimizer


@dataclass(frozen=True)
class StepMap:
    """A step's map at numbers.

    Attributes:
        linear: the linear step.
        stability: what was derived of it.
        numbers: the number of each open name that is not swept.
        swept: the names that are swept: the learning rate, and perhaps a momentum.
        given: the numbers that were given, by name.
    """

    linear: LinearStep
    stability: Stability
    numbers: Mapping[str, float]
    swept: tuple[str, ...]
    given: Mapping[str, Any]

    @classmethod
    def of(cls, optimizer: Optimizer, hyper: Mapping[str, Any] | None, momentum: str | None = None) -> "StepMap":
        """Read a step, whose learning rate is swept; and a momentum, "" for the first, unless it is None.

        Raises:
            InputError: there is no such number, or another has no value.
        """
        opened = OpenOptimizer.of(optimizer, hyper)
        linear = linear_step(opened)
        stability = stability_of(linear)
        if stability.learning_rate is None:
            raise InputError(f"{stability.title} has no open learning rate: leave it open, as in optax.sgd(lr).")
        swept = (stability.learning_rate,)
        if momentum is not None:
            decays = [n for n, s in stability.hyper.items() if isinstance(s, Rate) and stability.matrix.has(s)]
            if not decays:
                raise InputError(f"{stability.title} has no open decay rate to sweep: name it, as in momentum=b.")
            if momentum and momentum not in decays:
                raise InputError(f"{stability.title} has no open decay rate {momentum!r}; {nearest(momentum, decays)}")
            swept = (*swept, momentum or decays[0])
        return cls(linear, stability, _numbers(opened, swept), swept, hyper or {})

    @classmethod
    def fastest(cls, optimizer: Optimizer, hyper: Mapping[str, Any] | None, curvatures: np.ndarray) -> "StepMap":
        """Read a step, with the fastest numbers on these curvatures for those that have neither a value nor a default.

        Raises:
            InputError: a number has no value, and is neither the learning rate nor a single decay rate.
        """
        opened = OpenOptimizer.of(optimizer, hyper)
        linear = linear_step(opened)
        stability = stability_of(linear)
        rate = stability.learning_rate
        if rate is None:
            return cls(linear, stability, _numbers(opened, ()), (), hyper or {})
        known = defaults_of(opened, (rate,))
        free = next((n for n, s in stability.hyper.items() if isinstance(s, Rate) and n not in known), "")
        numbers = _numbers(opened, (rate, free))
        at = {stability.h.name: float(curvatures[-1]), **numbers}
        best = stability.fastest(float(curvatures[-1] / curvatures[0]), **at)
        chosen = {n: x for n, x in best.items() if n in (rate, free)}
        return cls(linear, stability, {**numbers, **chosen}, (), hyper or {})

    @property
    def title(self) -> str:
        """The optimizer with the numbers that were given, and those that its step depends on."""
        shown = {n: x for n, x in self.numbers.items() if self.stability.matrix.has(self.stability.hyper[n])}
        return in_words(self.stability.title, {**self.given, **shown})

    @property
    def is_preconditioned(self) -> bool:
        """Whether the curvature is the preconditioned one."""
        return bool(self.linear.preconditioners)

    @property
    def letter_of_momentum(self) -> str:
        """The letter of the momentum that is swept."""
        return text(self.stability.hyper[self.swept[1]])

    def numbers_at(self, *values: Any) -> dict[str, Any]:
        """All numbers by name, with values for those that are swept."""
        return {**self.numbers, **dict(zip(self.swept, values, strict=True))}

    def threshold(self, *momentum: float) -> float:
        """The product of learning rate and curvature up to which the steps converge, a certified number."""
        numbers = {**self.numbers, **dict(zip(self.swept[1:], momentum, strict=True))}
        return self.stability.largest_rate_at(**{self.stability.h.name: 1, **numbers})

    def matrices(self, h: Any, *values: Any) -> np.ndarray:
        """The map at curvatures and at values of what is swept, which are broadcast; the last two axes are its own."""
        shape = np.broadcast_shapes(np.shape(h), *map(np.shape, values))
        entries = [np.broadcast_to(np.asarray(e, float), shape) for e in self._entries(h, *values)]
        size = self.stability.matrix.rows
        return np.moveaxis(np.array(entries), 0, -1).reshape(*shape, size, size)

    def radii(self, h: Any, *values: Any) -> np.ndarray:
        """The spectral radius at curvatures and at values of what is swept."""
        return np.abs(np.linalg.eigvals(self.matrices(h, *values))).max(axis=-1)

    @cached_property
    def _entries(self) -> Any:
        symbols = self.stability.hyper
        known = {symbols[name]: value for name, value in self.numbers.items()}
        matrix = self.stability.matrix.xreplace(known)
        return lambdify([self.stability.h, *(symbols[name] for name in self.swept)], matrix.flat(), "numpy")


def known_to_each(
    optimizers: Sequence[Optimizer], hyper: Mapping[str, Any] | None
) -> Iterator[tuple[Optimizer, dict[str, Any]]]:
    """Each optimizer with those of the numbers that it has a name for.

    Raises:
        InputError: there is no list of optimizers, or none has a number of some name.
    """
    if not optimizers:
        raise InputError("expected an optimizer, such as optax.sgd(lr, momentum=b); got none.")
    if isinstance(optimizers, str) or callable(optimizers):
        raise InputError(f"expected a list of optimizers, not a single one: write [{optimizers!r}].")
    names = [names_in(as_call(optimizer)) for optimizer in optimizers]
    every = dict.fromkeys(name for each in names for name in each)
    for name in hyper or {}:
        if name not in every:
            raise InputError(f"no optimizer has a number {name!r}; {nearest(name, every)}")
    return (
        (optimizer, {name: value for name, value in (hyper or {}).items() if name in each})
        for optimizer, each in zip(optimizers, names, strict=True)
    )


def defaults_of(optimizer: OpenOptimizer, but: Sequence[str] = ()) -> dict[str, float]:
    """The factory's defaults of the numbers that are open, by name."""
    defaults = as_floats(optimizer.subject.defaults)
    return {name: float(defaults[name]) for name in optimizer.hyper if name in defaults and name not in but}


def in_words(title: str, numbers: Mapping[str, Any]) -> str:
    """An optimizer's title with some of its numbers, by their letters."""
    letters = hyper_letters(numbers)
    return ", ".join([title, *(f"{text(Symbol(letters[name]))} {float(x):.4g}" for name, x in numbers.items())])


def _numbers(optimizer: OpenOptimizer, swept: Sequence[str]) -> dict[str, float]:
    """The defaults of all numbers that are open and not swept.

    Raises:
        InputError: a number has none.
    """
    numbers = defaults_of(optimizer, swept)
    if missing := [name for name in optimizer.hyper if name not in numbers and name not in swept]:
        title = optimizer.subject.title
        raise InputError(f"{title}: expected a number for each of {', '.join(missing)}; give {missing[0]}=….")
    return numbers
