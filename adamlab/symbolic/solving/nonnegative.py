"""Formulas that stay at 0 or above at every step, as variances do: shown by induction."""

from collections.abc import Mapping
from typing import Any

from sympy import Add, Dummy, Ge, Max, Sum, cancel, expand, expand_power_exp, factor, fraction, together

from adamlab.interpret.signs import is_nonnegative
from adamlab.symbolic.general_step import Step
from adamlab.symbolic.letters import T
from adamlab.symbolic.solving.recurrences import moving, written_out
from adamlab.symbolic.solving.solutions import put_in
from adamlab.types import Formula


def shown_by_induction(step: Step, forms: Mapping[str, Formula]) -> set[Any]:
    """The assumptions x ≥ 0 of a step that are shown, with the closed forms of its states."""
    if set(step.first.values()) != {1}:
        return set()
    domains = [c for c in step.algebra.assumptions if isinstance(c, Ge) and c.rhs == 0]
    return {c for c in domains if stays_nonnegative(put_in(step, _without_constants(c.lhs), forms))}


def _without_constants(e: Formula) -> Formula:
    """A sum without its terms that are at 0 or above at every step, such as ε."""
    return Add(*(term for term in Add.make_args(e) if moving(term) or not is_nonnegative(term)))


def without_idle_maxima(e: Formula) -> Formula:
    """The expression with E in place of every max(0, E) whose E is shown to stay at 0 or above."""

    def settle(maximum: Formula) -> Formula:
        others = [a for a in maximum.args if a != 0]
        idle = len(others) == 1 and len(maximum.args) == 2 and stays_nonnegative(others[0])
        return others[0] if idle else maximum

    return e.replace(lambda x: isinstance(x, Max), settle)


def stays_nonnegative(e: Formula) -> bool:
    """Whether E_t ≥ 0 by induction: E_1 ≥ 0, and E_(t+1) = λ·E_t + r with λ ≥ 0 and r ≥ 0, for E's numerator.

    λ is the growth, from a step to the next, of the factor of a sum that occurs linearly.
    """
    above, below = fraction(together(e))
    sums: Formula = above.atoms(Sum)
    if any(len(s.limits) > 1 or s.limits[0][1:] != (1, T) for s in sums):
        return False
    rates = {s: cancel(expand_power_exp(s.function.subs(T, T + 1) / s.function)) for s in sums}
    if not is_nonnegative(below) or any(rate.has(T, *s.variables) for s, rate in rates.items()):
        return False
    moments = {s: Dummy(nonnegative=True) if is_nonnegative(s) else Dummy(real=True) for s in rates}
    now = above.xreplace(moments)
    steps = {x: rates[s] * x + s.function.subs(s.variables[0], T).subs(T, T + 1) for s, x in moments.items()}
    later = expand_power_exp(now.subs(T, T + 1).xreplace(steps))
    if not is_nonnegative(factor(written_out(above, 1))):
        return False
    for x in moments.values():
        factor_now, factor_later = (expand(side).coeff(x, 1) for side in (now, later))
        if factor_now != 0 and not factor_now.has(x):
            growth: Formula = factor(cancel(factor_later / factor_now))
            rest = factor(cancel(later - growth * now))
            if is_nonnegative(growth) and (rest == 0 or is_nonnegative(rest)):
                return True
    return False
