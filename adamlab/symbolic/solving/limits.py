"""Limits of formulas with their order, by power series in δ whose coefficients are formulas themselves.

A hyper-parameter goes to its limit as 1 − δ, δ or 1/δ. Sums over steps are finite, so that series go through them term
by term: Σ (1−δ)^(t−i)·g_i² = Σ g_i² − δ·Σ (t−i)·g_i² + …, and (1−β)/(1−β^t) → 1/t.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sympy import (
    Abs,
    Add,
    Dummy,
    Function,
    Integer,
    Max,
    Min,
    Mul,
    Pow,
    Sum,
    Symbol,
    exp,
    expand,
    ff,
    oo,
    sign,
    tanh,
)
from sympy.core.relational import Relational
from sympy.functions.combinatorial.factorials import factorial

from adamlab.interpret.equality import is_zero, may_vanish, poles
from adamlab.interpret.signs import Rate, has_known_sign, is_nonnegative, is_positive
from adamlab.interpret.trials import differ
from adamlab.symbolic.maximum import Maximum
from adamlab.symbolic.solving.recurrences import written_out
from adamlab.types import Formula

STEPS = 3
"""The steps at which it is tried whether a term is 0: a sum of three signs may be where one of two is not."""

TERMS = 4
"""The number of terms carried: enough to tell the first order after one is lost to 1 − β^t, and one more."""

DELTA: Any = Dummy("delta", positive=True)
"""The distance of a hyper-parameter from its limit 0 or 1; of one that goes to ∞, its inverse."""

CONTINUOUS = (Pow, Abs, Max, Min, exp, tanh)
"""The functions that go to their value at the limit of their arguments."""

PLACES = {"0": Integer(0), "0.0": Integer(0), "1": Integer(1), "1.0": Integer(1), "oo": oo, "inf": oo}
"""The limits that a number can go to, by how they are written; the text is looked up and never evaluated."""


class NoLimitError(ValueError):
    """A formula without a series in δ, or without one that was found."""


@dataclass(frozen=True)
class Series:
    """The series δ^lead·(c_0 + c_1·δ + …) up to its last known coefficient; c_0 ≠ 0 where any is known."""

    lead: Any
    coefficients: tuple[Formula, ...]

    def __getitem__(self, power: Any) -> Formula:
        """The coefficient of that power of δ."""
        k = power - self.lead
        return self.coefficients[k] if k >= 0 else Integer(0)

    @property
    def value(self) -> Formula:
        """The limit as δ → 0; beyond all bounds it is ∞ times the first coefficient's sign."""
        if not self.coefficients:
            raise NoLimitError("all terms that are carried cancel")
        if self.lead < 0:
            return oo * sign(_leading(self))
        return self.coefficients[0] if self.lead == 0 else Integer(0)


def toward(value: Any) -> Formula:
    """A hyper-parameter on its way to 0, 1 or ∞, in terms of δ.

    Raises:
        NoLimitError: the value is none of these.
    """
    if str(value) not in PLACES:
        raise NoLimitError(f"limits go to 0, 1 or oo, not {value}")
    return {Integer(0): DELTA, Integer(1): 1 - DELTA, oo: 1 / DELTA}[PLACES[str(value)]]


def limit_of(e: Formula, symbol: Symbol, value: Any) -> Formula:
    """The limit of a formula as a symbol goes to 0, 1 or ∞; for a decay rate that goes to 0, its value at 0.

    Raises:
        NoLimitError: no limit was found.
    """
    if PLACES.get(str(value)) == 0 and isinstance(symbol, Rate):
        return _at_zero(e, symbol)
    return series(e.xreplace({symbol: toward(value)})).value


def _at_zero(e: Formula, rate: Rate) -> Formula:
    """The formula at a rate of 0, where it is continuous and discounted sums have their last term alone."""

    def last_term(s: Formula) -> Formula:
        if len(s.limits) > 1:
            raise NoLimitError("a sum of sums")
        ((index, _, last),) = s.limits
        discount, rest = s.function.as_independent(rate, as_Add=False)[::-1]
        if discount != rate ** (last - index):
            raise NoLimitError("a sum that is not discounted step by step")
        return rest.subs(index, last)

    settled = e.replace(lambda x: isinstance(x, Sum) and x.function.has(rate), last_term)
    _require_continuous(settled, rate)
    return _put_zero(settled, rate)


def _put_zero(e: Formula, rate: Rate) -> Formula:
    powers = e.replace(lambda x: isinstance(x, Pow) and x.base == rate and is_positive(x.exp), lambda _: Integer(0))
    return powers.subs(rate, 0)


def _require_continuous(e: Formula, rate: Rate):
    """Reject a formula that may jump at a rate of 0, by more than at single points.

    Raises:
        NoLimitError: it may.
    """
    for part in e.atoms(Function, Pow, Relational):
        if part.has(rate) and _jumps_at_zero(part):
            _require_not_zero(_put_zero(part.args[0], rate))
        elif part.has(rate) and not isinstance(part, CONTINUOUS):
            raise NoLimitError(f"{part.func.__name__} may jump at {rate} = 0")


def exceptions_of_limit(e: Formula, symbol: Symbol, value: Any, limit: Formula) -> list[Formula]:
    """What must not be 0 for a formula to go to its limit: the first terms that it divides by or has the sign of.

    Those that the limit divides by are not told, since it has no value where they are 0.
    """
    parts = [part.args[0] for part in e.atoms(Pow, sign) if _jumps_at_zero(part)]
    first: list[Formula] = []
    for part in parts:
        with suppress(NoLimitError):  # under a root whose degree goes to ∞ there is no series, and no quotient of any
            first += [_first_term(part, symbol, value)] if part.has(symbol) and part != symbol else []
    told = poles(limit)
    doubtful = {factor for term in first for factor in poles(1 / term) if factor not in told}
    sizes = {x.args[0] if isinstance(x, Abs) else x for x in doubtful if not has_known_sign(x)}
    return sorted(sizes, key=str)


def _first_term(e: Formula, symbol: Symbol, value: Any) -> Formula:
    if PLACES.get(str(value)) == 0 and isinstance(symbol, Rate):
        return _at_zero(e, symbol)
    return _leading(series(e.xreplace({symbol: toward(value)})))


def _jumps_at_zero(part: Any) -> bool:
    return isinstance(part, sign) or (isinstance(part, Pow) and part.exp.could_extract_minus_sign())


def require_solved(e: Formula, symbol: Symbol, unsolved: Mapping[Formula, Formula]):
    """Reject a formula with a state without a closed form that depends on the symbol, itself or through others.

    Args:
        e: the formula.
        symbol: the number that goes to a limit.
        unsolved: the recurrence of each such state, by the state's letter.

    Raises:
        NoLimitError: there is such a state.
    """
    waiting, seen = [e], set()
    while waiting:
        formula = waiting.pop()
        for state, recurrence in unsolved.items():
            if state not in seen and formula.has(state):
                seen.add(state)
                waiting.append(recurrence)
                if recurrence.has(symbol):
                    raise NoLimitError("a state without a closed form depends on it")


def series(e: Formula) -> Series:
    """The series of a formula in δ.

    Raises:
        NoLimitError: no series was found.
    """
    if not e.has(DELTA):
        return _constant(e)
    if e == DELTA:
        return Series(1, (Integer(1), *[Integer(0)] * (TERMS - 1)))
    if isinstance(e, Add):
        return _sum([series(term) for term in e.args])
    if isinstance(e, Mul):
        result = _constant(Integer(1))
        for factor in e.args:
            result = _product(result, series(factor))
        return result
    if isinstance(e, Pow):
        if e.exp.has(DELTA) and not (e.exp / DELTA).has(DELTA):
            return Series(0, (_high_root(e.base) ** (e.exp / DELTA),))
        return _power(series(e.base), e.exp)
    if isinstance(e, Sum):
        inner = series(e.function)
        return _without_zeros(inner.lead, [Sum(c, *e.limits) if c != 0 else c for c in inner.coefficients])
    if isinstance(e, Maximum):
        inner = series(e.function)
        return Series(inner.lead, (Maximum(_leading(inner), *e.limits),))
    if isinstance(e, Max | Min):
        return _extreme(e.func, [series(a) for a in e.args])
    if isinstance(e, Abs | sign):
        inner = series(e.args[0])
        first, turn = _leading(inner), sign(inner.coefficients[0])
        if isinstance(e, sign):
            return _constant(turn)
        return Series(inner.lead, (Abs(first), *(c * turn for c in inner.coefficients[1:])))
    raise NoLimitError(f"{e.func.__name__} has no series here")


def _constant(e: Formula) -> Series:
    return Series(0, (e, *[Integer(0)] * (TERMS - 1)))


def _without_zeros(lead: Any, coefficients: list[Formula]) -> Series:
    """The series without its leading coefficients that are 0."""
    while coefficients and (coefficients[0] == 0 or is_zero(coefficients[0])):
        lead, coefficients = lead + 1, coefficients[1:]
    return Series(lead, tuple(coefficients))


def _leading(e: Series) -> Formula:
    """The first coefficient, to divide by or to take the sign of: it is 0 at single points at the most."""
    if not e.coefficients:
        raise NoLimitError("all terms that are carried cancel")
    _require_not_zero(e.coefficients[0])
    return e.coefficients[0]


@lru_cache(maxsize=1024)
def _require_not_zero(e: Formula):
    """Reject an expression that may be 0 on more than single points, or is 0 at a whole step: g_(t−1) is at the first.

    Raises:
        NoLimitError: it may be.
    """
    if has_known_sign(e):
        return
    for t in range(1, STEPS + 1):
        at_step = written_out(e, t)
        if may_vanish(at_step) or not differ(at_step, Integer(0)):
            raise NoLimitError(f"the leading term may be 0 at step {t}")


def _sum(parts: list[Series]) -> Series:
    known = min(part.lead + len(part.coefficients) for part in parts)  # no part is known beyond its own terms
    lead = min(part.lead for part in parts)
    if any((part.lead - lead) % 1 for part in parts):
        raise NoLimitError("powers of δ that are not whole numbers apart")
    return _without_zeros(lead, [Add(*(part[lead + k] for part in parts)) for k in range(known - lead)])


def _product(a: Series, b: Series) -> Series:
    known = min(len(a.coefficients), len(b.coefficients))
    return Series(
        a.lead + b.lead,
        tuple(Add(*(a.coefficients[j] * b.coefficients[k - j] for j in range(k + 1))) for k in range(known)),
    )


def _power(base: Series, exponent: Formula) -> Series:
    """A power of a series: c_0^n·(1 + x)^n by the binomial series."""
    if exponent.has(DELTA) or (base.lead != 0 and not exponent.is_Rational):
        raise NoLimitError("δ stands in an exponent, or under one that is not a number")
    first, rest = _leading(base), base.coefficients[1:]
    x = Series(1, tuple(c / first for c in rest))
    result, power = _constant(Integer(1)), _constant(Integer(1))
    result = Series(0, result.coefficients[: len(base.coefficients)])
    for k in range(1, len(base.coefficients)):
        power = _product(power, x)
        factor = ff(exponent, k) / factorial(k)
        result = _plus(
            result, Series(power.lead, tuple(factor * c for c in power.coefficients)), len(base.coefficients)
        )
    return Series(base.lead * exponent, tuple(first**exponent * c for c in result.coefficients))


def _high_root(e: Formula) -> Formula:
    """The limit of e^δ, a root of degree 1/δ: x for e = x^(1/δ), max x_i for e = Σ x_i^(1/δ), 1 for e = 1 − β^(1/δ)."""
    if not e.has(DELTA) and is_positive(e):
        return Integer(1)
    if isinstance(e, Mul):
        return Mul(*map(_high_root, e.args))
    if isinstance(e, Sum):
        return Maximum(_high_root(e.function), *e.limits)
    if isinstance(e, Pow) and not e.base.has(DELTA) and not (e.exp * DELTA).has(DELTA) and is_nonnegative(e.base):
        return e.base ** expand(e.exp * DELTA)
    rest = 1 - e
    if isinstance(rest, Pow) and isinstance(rest.base, Rate) and is_positive(expand(rest.exp * DELTA)):
        return Integer(1)
    raise NoLimitError("δ stands in an exponent")


def _plus(a: Series, b: Series, known: int) -> Series:
    """The sum of two series in powers of δ from 0 up, with coefficients that are 0 kept."""
    at = [b.coefficients[k - b.lead] if 0 <= k - b.lead < len(b.coefficients) else Integer(0) for k in range(known)]
    return Series(0, tuple(x + y for x, y in zip(a.coefficients, at, strict=True)))


def _extreme(extreme: Callable[..., Formula], parts: list[Series]) -> Series:
    """The maximum or minimum of the first terms: a lower order wins or loses where its sign is known.

    Where it is not, no term after the first is known.
    """
    if not all(part.coefficients for part in parts):
        raise NoLimitError("all terms that are carried cancel")
    moving = [part for part in parts if any(c != 0 for c in part.coefficients)]
    if len(parts) == 1 or not moving:
        return parts[0]
    lead = min(part.lead for part in moving)
    side = 1 if extreme is Max else -1
    losing = [part for part in moving if part.lead == lead and is_positive(-side * part[lead])]
    others = [part for part in parts if part not in losing]
    if losing and others and all(part.lead > lead or part not in moving for part in others):
        return _extreme(extreme, others)
    return _without_zeros(lead, [extreme(*(part[lead] if part.lead == lead else Integer(0) for part in parts))])
