"""Recurrences solved for general t: affine ones by sums, running maxima by a maximum over all steps."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sympy import (
    Add,
    Dummy,
    Integer,
    Max,
    Mul,
    PolynomialError,
    Sum,
    Symbol,
    cancel,
    denom,
    expand_power_exp,
    factor_list,
    factor_terms,
    together,
)
from sympy.concrete.expr_with_limits import ExprWithLimits

from adamlab.interpret.equality import is_zero, same
from adamlab.interpret.signs import is_nonnegative
from adamlab.symbolic.letters import INDICES, G, T
from adamlab.symbolic.maximum import Maximum
from adamlab.types import Formula

INDEX, *_ = INDICES


@dataclass(frozen=True)
class Recurrence:
    """The recurrence x_t = e, in which `previous` is x_(t−1), for t > origin; `start` is x at the origin."""

    e: Formula
    previous: Formula
    start: Formula
    origin: int = 0

    def solved(self) -> Formula | None:
        """The closed form of x_t; None where no form was found, or where induction does not confirm it."""
        x = Dummy("x", real=True)
        e = self.e.xreplace({self.previous: x})
        form = self._maximum(e, x) if isinstance(e, Max) else self._affine(e, x)
        return form if form is not None and self._holds(form, e, x) else None

    def _affine(self, e: Formula, x: Dummy) -> Formula | None:
        """The form of x_t = a·x_(t−1) + r; for a = b·c(t−1)/c(t) by the recurrence of c(t)·x_t, whose factor is b."""
        rate = e.diff(x)
        if rate.has(x):
            return None
        rate, rest = cancel(rate), e.xreplace({x: Integer(0)})
        if is_zero(rate):
            return rest
        if not moving(rate):
            return rate ** (T - self.origin) * self.start + self._discounted(rate, rest)
        for weight in _weights(rate):
            constant = cancel(expand_power_exp(rate * weight / weight.subs(T, T - 1)))
            if not moving(constant):
                first = constant ** (T - self.origin) * weight.subs(T, self.origin) * self.start
                return (first + self._discounted(constant, upright(cancel(weight * rest)))) / weight
        return None

    def _discounted(self, rate: Formula, rest: Formula) -> Formula:
        """The sum Σ rate^(t−i)·rest_i, with the factors that are the same at every step in front."""
        outside, inside = factor_terms(rest).as_independent(*moving(rest), as_Add=False)
        steps = T - self.origin
        if inside == 1:
            return outside * (steps if rate == 1 else (1 - rate**steps) / (1 - rate)) if outside != 0 else outside
        return outside * Sum(rate ** (T - INDEX) * at(inside, INDEX), (INDEX, self.origin + 1, T))

    def _maximum(self, e: Formula, x: Dummy) -> Formula | None:
        """The form of x_t = max(a·x_(t−1), r) for a ≥ 0."""
        own, others = [a for a in e.args if a.has(x)], [a for a in e.args if not a.has(x)]
        rate = own[0].diff(x) if own else x
        if len(own) != 1 or not others or rate.has(x) or moving(rate) or not same(own[0], rate * x):
            return None
        if not is_nonnegative(rate):
            return None
        rest = Max(*others)
        if rate == 1 and not moving(rest):
            return Max(self.start, rest)
        terms = rate ** (T - INDEX) * at(rest, INDEX)
        greatest = Maximum(terms, (INDEX, self.origin + 1, T))
        return (
            greatest
            if self.start == 0 and is_nonnegative(terms)
            else Max(rate ** (T - self.origin) * self.start, greatest)
        )

    def _holds(self, form: Formula, e: Formula, x: Dummy) -> bool:
        """Whether a form holds by induction: at the first step, and at each step if it does at the step before."""
        first = self.origin + 1
        if not same(written_out(form, first), written_out(e.xreplace({x: self.start}), first)):
            return False
        # By the shape that _maximum checked, x_(t−1) in a single argument times a rate ≥ 0, one step stands for all.
        if form.has(Maximum) and isinstance(e, Max):
            return same(
                written_out(form, first + 1),
                written_out(e.xreplace({x: self._form_before(form, first + 1)}), first + 1),
            )
        return same(form, e.xreplace({x: form.subs(T, T - 1)}))

    def _form_before(self, form: Formula, t: int) -> Formula:
        return written_out(form, t - 1)


def written_out(e: Formula, t: int) -> Formula:
    """The expression at a step whose number is known, every sum term by term; there is no gradient before the first."""
    return _term_by_term(e.subs(T, t)).doit().xreplace({G[0]: Integer(0)})


def _term_by_term(e: Any) -> Any:
    """The expression with its sums written out, outer ones first: `doit` seeks closed forms of inner ones for long."""
    if not e.has(Sum):
        return e
    if not isinstance(e, Sum):
        return e.func(*map(_term_by_term, e.args))
    limits: Any = e.limits
    *within, (index, low, high) = limits
    if not (low.is_Integer and high.is_Integer and low <= high + 1):
        return e
    inner = Sum(e.function, *within) if within else e.function
    return Add(*(_term_by_term(inner.subs(index, k)) for k in range(int(low), int(high) + 1)))


def at(e: Formula, index: Symbol) -> Formula:
    """The expression with an index in place of t; sums in it get the next index."""
    within = {variable for s in e.atoms(ExprWithLimits) for variable in s.variables}
    taken = {k: INDICES[INDICES.index(k) + 1] for k in within if k in INDICES}
    return e.xreplace(taken).subs(T, index)


def _weights(rate: Formula) -> list[Formula]:
    """The factors that may make the rate of x_t constant when x_t is multiplied by them: the rate's denominators."""
    below = denom(together(rate))
    listed: Any = (1, [])
    with suppress(PolynomialError):  # a power of a number alone, such as 25^t, is no polynomial of anything
        listed = factor_list(below)
    _, factors = listed
    weights = [*(factor for factor, _ in factors if factor.has(T)), below, T]
    return [weight if is_nonnegative(weight) else -weight for weight in weights]


def upright(e: Formula) -> Formula:
    """A product with 1 − β in place of β − 1 in its factors."""
    factors: Any = Mul.make_args(factor_terms(e))
    turned = {f: Add(*(-term for term in f.args)) for f in factors if isinstance(f, Add) and not is_nonnegative(f)}
    turned: dict[Any, Any] = {f: other for f, other in turned.items() if is_nonnegative(other)}
    return Mul((-1) ** sum(f in turned for f in factors), *(turned.get(f, f) for f in factors))


def moving(e: Any) -> set[Any]:
    """The symbols that depend on the step: t itself, and all that carry an index."""
    return {s for s in e.free_symbols if s == T or not s.is_Symbol}
