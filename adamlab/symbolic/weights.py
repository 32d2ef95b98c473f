"""How much each gradient counts in a state, read off the state's closed form."""

from dataclasses import dataclass

import numpy as np
from sympy import Abs, Add, Expr, Indexed, Max, Min, Piecewise, S, expand

from adamlab.symbolic.letters import G, T
from adamlab.symbolic.maximum import Maximum
from adamlab.symbolic.notation import text
from adamlab.symbolic.recurrences import written_out

FEW = 3
"""Steps on which it shows whether a form is a weighted sum, ahead of writing out many."""


class NoWeightsError(ValueError):
    """A state that is no weighted sum of the gradients; says why."""


@dataclass(frozen=True)
class Weights:
    """A state as a sum over the gradients so far.

    Attributes:
        power: of the gradients: 1, or 2 where their squares are added up.
        values: what g_(t−k) to that power is multiplied by, for k = 0 … t − 1: the latest gradient first.
        start: what is added besides, left of where the state began.
    """

    power: int
    values: np.ndarray
    start: float


def weights(form: Expr, steps: int) -> Weights:
    """The weights in a closed form without open numbers, after that many steps.

    Raises:
        NoWeightsError: the form is no sum over one power of the gradients, or a number in it is open.
    """
    if left := sorted(text(s) for s in form.free_symbols - {T, G.label} if s.is_Symbol):
        raise NoWeightsError(f"the weights depend on {', '.join(left)}, and no number is given for it")
    if form.has(Maximum, Max, Min, Abs, Piecewise):
        raise NoWeightsError("it is no sum of the gradients' powers")
    _sum(form, min(FEW, steps))
    return _sum(form, steps)


def _sum(form: Expr, steps: int) -> Weights:
    values, start, powers = np.zeros(steps), 0.0, set()
    full = expand(written_out(form, steps))
    if full.has(S.NaN, S.ComplexInfinity, S.Infinity):
        raise NoWeightsError("it divides by 0 there")
    for term in Add.make_args(full):
        weight, gradient = term.as_independent(Indexed, as_Add=False)
        base, power = gradient.as_base_exp()
        if gradient == 1:
            start += float(weight)
        elif isinstance(base, Indexed) and base.base == G and power.is_Integer:
            values[steps - int(base.indices[0])] += float(weight)
            powers.add(int(power))
        else:
            raise NoWeightsError("it is no weighted sum of the gradients")
    if len(powers) != 1:
        raise NoWeightsError("it adds up different powers of the gradients" if powers else "no gradient is in it")
    return Weights(powers.pop(), values, start)
