"""Formulas late in a run, when powers of decay rates are 0."""

from sympy import Integer, Pow

from adamlab.interpret.signs import Rate, is_positive
from adamlab.symbolic.letters import T
from adamlab.types import Formula


def faded(e: Formula) -> Formula:
    """The formula as t → ∞, where the powers β^t are 0."""
    return e.replace(_fades, lambda _: Integer(0))


def _fades(power: Formula) -> bool:
    if not isinstance(power, Pow) or not power.exp.has(T):
        return False
    base: Formula = power.base
    below_one = isinstance(base, Rate) or bool(base.is_Rational and 0 < base < 1)
    return below_one and is_positive(power.exp.diff(T))
