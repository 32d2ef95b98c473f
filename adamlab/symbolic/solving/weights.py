"""The weight of each gradient in a state, read off the state's closed form."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Abs, Add, Indexed, Max, Min, Piecewise, S, Symbol, expand

from adamlab.symbolic.letters import RESERVED, G
from adamlab.symbolic.maximum import Maximum
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.solving.recurrences import written_out
from adamlab.types import Formula

FEW = 3
"""The steps after which it shows whether a form is a weighted sum, before many are written out."""


class NoWeightsError(ValueError):
    """A state that is no weighted sum of the gradients; the message says why."""


@dataclass(frozen=True)
class Weights:
    """A state as a sum over the gradients so far.

    Attributes:
        power: of the gradients: 1, or 2 where their squares are added up.
        values: the factor of g_(t−k) to that power, for k = 0 … t − 1: the latest gradient first.
        start: the term that is left of the state's start.
    """

    power: int
    values: np.ndarray
    start: float


def weights(form: Formula, steps: int) -> Weights:
    """The weights in a closed form without open numbers, after that many steps.

    Raises:
        NoWeightsError: the form is no sum over one power of the gradients, or a number in it is open.
    """
    if form.has(Maximum, Max, Min, Abs, Piecewise):
        raise NoWeightsError("it is no sum of the gradients' powers")
    few = _terms(form, min(FEW, steps))
    powers = {power for _, power, _ in few if power}
    if len(powers) != 1:
        raise NoWeightsError("it adds up different powers of the gradients" if powers else "no gradient is in it")
    if left := sorted(text(s) for s in form.free_symbols if isinstance(s, Symbol) and s.name not in RESERVED):
        raise NoWeightsError(f"the weights depend on {', '.join(left)}, and no number is given for it")
    values, start = np.zeros(steps), 0.0
    for lag, power, weight in _terms(form, steps):
        if power:
            values[lag] += float(weight)
        else:
            start += float(weight)
    return Weights(powers.pop(), values, start)


def _terms(form: Formula, steps: int) -> list[tuple[int, int, Formula]]:
    """Each term after that many steps: its gradient's age, power and weight; the power of the start's term is 0."""
    lags: dict[Any, int] = {Indexed(G, i): steps - i for i in range(1, steps + 1)}
    full, terms = expand(written_out(form, steps)), []
    if full.has(S.NaN, S.ComplexInfinity, S.Infinity):
        raise NoWeightsError("it divides by 0 there")
    for term in Add.make_args(full):
        weight, gradient = term.as_independent(Indexed, as_Add=False)
        base, power = gradient.as_base_exp()
        if gradient != 1 and not (base in lags and power.is_Integer):
            raise NoWeightsError("it is no weighted sum of the gradients")
        terms.append((0, 0, weight) if gradient == 1 else (lags[base], int(power), weight))
    return terms
