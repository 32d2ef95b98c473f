"""Limits of formulas for t → ∞: powers β^t of rates go to 0, and so do their products with powers of t."""

from typing import Any

from sympy import (
    Add,
    Dummy,
    Indexed,
    Integer,
    Mul,
    Piecewise,
    Poly,
    Pow,
    cancel,
    factor,
    false,
    fraction,
    together,
    true,
)
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.utilities.iterables import sift

from adamlab.interpret.signs import is_positive
from adamlab.symbolic.letters import T
from adamlab.symbolic.solving.limits import NoLimitError
from adamlab.types import Formula

NOT_SETTLED = "it is not settled by β^t → 0 and t·β^t → 0 alone"


def in_late_steps(e: Formula) -> Formula:
    """The limit of a formula as t → ∞.

    Raises:
        NoLimitError: it depends on t in another way, or on the gradients, which may grow faster than β^t falls.
    """
    if _depends_on_gradients(e):
        wholes = [*e.atoms(ExprWithLimits, Indexed), *filter(_falls, e.atoms(Pow))]
        names = {whole: Dummy() for whole in wholes}
        e = cancel(e.xreplace(names)).xreplace({name: whole for whole, name in names.items()})
    if _depends_on_gradients(e):
        raise NoLimitError("it depends on the gradients")
    return cancel(_late(e))


def settled_in_late_steps(e: Formula) -> Formula:
    """The formula with each set of cases replaced by the case of all late steps, where that can be told."""

    def settle(cases: Any) -> Formula:
        for case, condition in cases.args:
            holds = _holds_late(condition)
            if holds is not False:
                return case if holds else cases
        return cases

    settled: Any = e.replace(lambda x: isinstance(x, Piecewise), settle)
    return settled


def _holds_late(condition: Any) -> bool | None:
    """Whether a relation holds from some step on, by the sign that its sides' difference keeps; None if unknown."""
    if condition in (true, false):
        return bool(condition)
    if not getattr(condition, "is_Relational", False):
        return None
    try:
        gap = in_late_steps(condition.lhs - condition.rhs)
    except NoLimitError:
        return None
    if is_positive(gap):
        return condition.rel_op in (">", ">=", "!=")
    return condition.rel_op in ("<", "<=", "!=") if is_positive(-gap) else None


def _depends_on_gradients(e: Formula) -> bool:
    return any(not s.is_Symbol for s in e.free_symbols)


def _late(e: Formula) -> Formula:
    """The limit, factor by factor and term by term; the part that is rational in t and β^t is taken as a whole."""
    if _is_rational(e):
        return _late_rational(e) if e.has(T) else e
    if isinstance(e, Add | Mul):
        rational, others = sift(e.args, _is_rational, binary=True)
        return e.func(_late(e.func(*rational)), *map(_late, others))
    if isinstance(e, Pow) and e.exp.is_Rational and is_positive(base := _late(e.base)):
        return base**e.exp
    raise NoLimitError(NOT_SETTLED)


def _is_rational(e: Formula) -> bool:
    """Whether it is a rational function of t and falling powers."""
    if not e.has(T) or e == T or _falls(e):
        return True
    return (isinstance(e, Add | Mul) or (isinstance(e, Pow) and e.exp.is_Integer)) and all(map(_is_rational, e.args))


def _falls(e: Formula) -> bool:
    """Whether it is a power that falls to 0, such as β^t or β^(2t + 1)."""
    if not isinstance(e, Pow) or e.base.has(T) or not e.exp.has(T):
        return False
    slope = e.exp.diff(T)
    return bool(slope.is_Rational and slope.is_positive) and is_positive(e.base) and is_positive(1 - e.base)


def _late_rational(e: Formula) -> Formula:
    """The limit by the highest powers of t above and below, with 0 in place of every β^t."""
    falling = dict.fromkeys(filter(_falls, e.atoms(Pow)), Integer(0))
    above, below = (Poly(side.xreplace(falling), T) for side in fraction(together(e)))
    leading: Formula = factor(below.LC())
    if not (is_positive(leading) or is_positive(-leading)) or above.degree() > below.degree():
        raise NoLimitError(NOT_SETTLED)
    return above.LC() / leading if above.degree() == below.degree() else Integer(0)
