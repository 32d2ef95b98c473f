"""Formulas that are real on a part of the line only, as √x is: elsewhere floats are NaN, where SymPy goes complex."""

from typing import Any

from sympy import And, Ge, Integer, Not, Or, Piecewise, S
from sympy.core.function import Function

from adamlab.types import Formula


class OnDomain(Function):
    """`OnDomain(f, x)`: the formula f where x ≥ 0, and NaN where x is negative."""

    nargs = 2
    is_real = True


def domain_of(e: Any) -> Any:
    """The condition under which no part of a formula is NaN."""
    return And(*(Ge(part.args[1], Integer(0)) for part in e.atoms(OnDomain))) if e.has(OnDomain) else S.true


def requirements(e: Any) -> set[Any]:
    """The conditions, one by one, that keep NaN out of a formula's value: in cases they ask for nothing elsewhere."""
    if not e.has(OnDomain):
        return set()
    required = set().union(*map(requirements, e.args))
    if isinstance(e, OnDomain):
        required.add(Ge(on_domain(e.args[1]), Integer(0)))
    if isinstance(e, Piecewise):
        required, others = set(), []
        pairs: Any = e.args
        for value, condition in pairs:
            elsewhere = [*others, Not(condition)]
            required |= requirements(condition)
            required |= {_any_of(*elsewhere, needed) for needed in requirements(value)}
            others.append(condition)
    return required


def _any_of(*conditions: Any) -> Any:
    left = [condition for condition in conditions if condition is not S.false]
    either: Any = Or
    return either(*left, evaluate=False) if len(left) > 1 else left[0]


def on_domain(value: Formula) -> Formula:
    """The formula on its domain alone, where its value is the plain one; `domain_of` has to be told beside it."""
    while value.has(OnDomain):
        value = value.xreplace({part: part.args[0] for part in value.atoms(OnDomain)})
    return value
