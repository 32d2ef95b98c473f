"""Formulas where some symbols are small: of cases, and of the least or greatest of several, those that hold there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sympy import And, Max, Min, Not, Or, Piecewise, S

from adamlab.interpret.signs import is_positive
from adamlab.types import Formula


def where_small(e: Formula, at_zero: Callable[[Formula], Formula]) -> tuple[Formula, list[Any]]:
    """The formula for small symbols, as that of a clipped gradient for one that is not clipped.

    Args:
        e: the formula.
        at_zero: puts 0 in place of these symbols.

    Returns:
        The formula, and the conditions under which it holds.
    """
    choice = _Choice(at_zero)
    return choice.small(e), [*choice.conditions]


@dataclass
class _Choice:
    """The parts of formulas that hold around 0, and the conditions met on the way."""

    at_zero: Callable[[Formula], Formula]
    conditions: dict[Any, None] = field(default_factory=dict)

    def small(self, e: Formula) -> Formula:
        """The formula with the parts that hold; what is in a case that does not hold has no conditions."""
        if not e.has(Piecewise, Min, Max):
            return e
        if isinstance(e, Piecewise) and (case := self._of_cases(e)) is not e:
            return self.small(case)
        inside = e.func(*map(self.small, e.args))
        return self._of_several(inside) if isinstance(inside, (Min, Max)) else inside

    def _of_cases(self, e: Formula) -> Formula:
        """The case that holds; all of them where that is not known."""
        before: list[Any] = []
        cases: Any = e.args
        for value, condition in cases:
            truth = self._truth(condition)
            if truth is None:
                break
            if truth:
                self.conditions |= dict.fromkeys(_upright(c) for c in (*before, condition) if c != S.true)
                return value
            before.append(~condition)
        return e

    def _of_several(self, e: Formula) -> Formula:
        """The least or the greatest of several; all of them where that is not known."""
        side = 1 if isinstance(e, Min) else -1
        terms: Any = e.args
        for term in terms:
            others = [other for other in terms if other != term]
            if all(self._sign(other - term) == side for other in others):
                self.conditions |= dict.fromkeys(
                    (other > term if side > 0 else other < term).canonical for other in others
                )
                return term
        return e

    def _truth(self, condition: Any) -> bool | None:
        """Whether a condition holds around 0; None where that is not known, or does not depend on what is small."""
        if condition in (S.true, S.false):
            return bool(condition)
        if isinstance(condition, Not):
            truth = self._truth(condition.args[0])
            return None if truth is None else not truth
        if isinstance(condition, (And, Or)):
            truths = [self._truth(part) for part in condition.args]
            decisive = isinstance(condition, Or)
            return decisive if decisive in truths else None if None in truths else not decisive
        side = self._sign(condition.lhs - condition.rhs) if getattr(condition, "is_Relational", False) else 0
        return bool(condition.func(side, 0)) if side else None

    def _sign(self, e: Formula) -> int:
        """The sign of a formula at 0, and so around it; 0 where it is not known, or nothing in the formula is small."""
        value = self.at_zero(e)
        if value == e or value.has(S.NaN, S.ComplexInfinity, S.Infinity, S.NegativeInfinity):
            return 0
        return 1 if is_positive(value) else -1 if is_positive(-value) else 0


def _upright(condition: Any) -> Any:
    """The condition with its relations in one form, and with `not` in front of none."""
    plain = condition.to_nnf(simplify=False)
    return plain.canonical if getattr(plain, "is_Relational", False) else plain
