"""The weight of a past gradient in a formula, as a formula of its age, and how fast these weights fade."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import (
    Add,
    Eq,
    Indexed,
    IndexedBase,
    Integer,
    Mul,
    Piecewise,
    Pow,
    Rational,
    Sum,
    Symbol,
    cancel,
    count_ops,
    expand,
    fraction,
    lambdify,
    log,
    oo,
    powsimp,
)

from adamlab.interpret.equality import same
from adamlab.interpret.signs import Rate, is_positive
from adamlab.symbolic.letters import G, T
from adamlab.symbolic.solving.fading import faded
from adamlab.symbolic.solving.recurrences import upright
from adamlab.symbolic.solving.weights import NoWeightsError
from adamlab.types import Formula

AGE = Symbol("k", integer=True, nonnegative=True)
"""The age of a gradient in steps: g[t − k]."""

_STEP = Symbol("s", integer=True, positive=True)
"""The step of the gradient that is weighed."""


_NUMBER = "number "
"""The beginning of the names of numbers that stand for symbols."""

LONGEST = 60
"""The most operations of a share that is worth showing."""


@dataclass(frozen=True)
class _Term:
    """The weight of the gradient of step s, for all s from `first` to now − `latest`.

    Attributes:
        weight: in terms of s.
        first: the least step, or None where now − `latest` is the only one.
        latest: how many steps before now the last of them is, or None where `first` is the only one.
    """

    weight: Formula
    first: int | None
    latest: int | None

    def has_age(self, k: int) -> bool:
        """Whether the gradient of k steps ago is among them, wherever the first gradients are."""
        if self.latest is None:
            return False
        return self.latest == k if self.first is None else self.latest <= k

    def has_step(self, n: int) -> bool:
        """Whether the gradient of step n is among them, wherever the latest gradients are."""
        if self.first is None:
            return False
        return self.first == n if self.latest is None else self.first <= n


@dataclass(frozen=True)
class Ages:
    """The weights of g[t − k], or of its power, in a formula.

    Attributes:
        general: the weight of age k.
        late: the weights of the ages below some number that differ from it, by age: those of the latest gradients.
        early: the weights of the first gradients that differ from it, by their step.
    """

    general: Formula
    late: Mapping[int, Formula]
    early: Mapping[int, Formula]

    @property
    def formula(self) -> Formula:
        """The weight of age k at step t, with its cases."""
        late = [(e, Eq(AGE, k)) for k, e in self.late.items()]
        early = [(e, Eq(AGE, T - n)) for n, e in self.early.items()]
        if not late and not early:
            return self.general
        return Piecewise(*early, *late, (self.general, True), evaluate=False)

    @property
    def since(self) -> int:
        """The step from which the formula holds: before, the first gradient is among the latest, and weighs as both."""
        return max(self.early, default=0) + max(self.late, default=-1) + 1 if self.early and self.late else 1

    def map(self, change: Any) -> "Ages":
        """The same with each formula changed."""
        late, early = ({n: change(e) for n, e in cases.items()} for cases in (self.late, self.early))
        return Ages(change(self.general), late, early)

    def at(self, t: int) -> np.ndarray:
        """The weights of g[t], g[t − 1] … g[1] at step t, where nothing but k and t is open."""
        special = {**self.late, **{t - n: e for n, e in self.early.items()}}
        general: Any = lambdify([AGE, T], self.general.doit(), "numpy")
        values = np.array([float(general(k, t)) for k in range(t)])
        for k, e in special.items():
            if 0 <= k < t:
                values[k] = float(e.subs({AGE: k, T: t}))
        return values

    def without_common_factors(self) -> "Ages":
        """The same but for the factors that all weights share, which say nothing of ages."""
        weights = [e for e in (self.general, *self.late.values(), *self.early.values()) if e != 0]
        shared = {factor for factor in Mul.make_args(weights[0]) if not factor.has(AGE)} if weights else set()
        shared = {factor for factor in shared if all(factor in Mul.make_args(e) for e in weights)}
        return self.map(lambda e: e if e == 0 else Mul(*(x for x in Mul.make_args(e) if x not in shared)))

    def share(self) -> "Ages | None":
        """The weights as parts of their sum; None where that has no short formula, or is 0."""
        parts = [_summed(term, AGE, Integer(0), T - 1) for term in _terms_of(self.general)]
        if any(part.has(Sum) for part in parts):
            return None
        late = [e - self.general.subs(AGE, k) for k, e in self.late.items()]
        early = [e - self.general.subs(AGE, T - n) for n, e in self.early.items()]
        total = Add(*map(cancel, parts), *map(cancel, late), *map(cancel, early))
        total = min(total, cancel(powsimp(total)), key=count_ops)
        if total == 0:
            return None
        above, below = fraction(total)
        if is_positive(-faded(above)):
            above, below = -above, -below
        share = self.map(lambda e: powsimp(upright(e * below) / powsimp(above), combine="exp"))
        return share if count_ops(share.formula) <= LONGEST else None

    def half_life(self) -> Formula | None:
        """The steps in which a weight halves, ∞ where weights stay; None where they fall in no constant ratio below 1.

        Ages whose weights differ are left out.
        """
        ratios = {_ratio(term, AGE) for term in _terms_of(self.general)}
        if len(ratios) != 1 or (ratio := ratios.pop()) is None:
            return None
        if ratio == 1:
            return oo
        return (
            log(Rational(1, 2)) / log(ratio) if is_positive(numbers_written(ratio)) and _is_below_one(ratio) else None
        )

    def mean_age(self) -> Formula | None:
        """The mean age of the gradients by their weights as t → ∞; at step t where no weight fades."""
        terms: list[tuple[Formula, Any]] = [(term, _ratio(term, AGE)) for term in _terms_of(self.general)]
        if any(ratio is None for _, ratio in terms):
            return None
        if any(ratio == 1 for _, ratio in terms):
            return (T - 1) / 2 if len(terms) == 1 and not self.late and not self.early else None
        if not all(_is_below_one(ratio) and _is_below_one(-ratio) for _, ratio in terms):
            return None  # the sums over all ages do not converge, or not for all numbers
        total, moment = Integer(0), Integer(0)
        for term, ratio in terms:
            front = faded(term.subs(AGE, 0))
            total, moment = total + front / (1 - ratio), moment + front * ratio / (1 - ratio) ** 2
        for k, e in self.late.items():
            more = faded(e - self.general.subs(AGE, k))
            total, moment = total + more, moment + k * more
        if any(faded(e) != 0 for e in self.early.values()):
            return None
        total = cancel(total)
        return None if total == 0 or total.has(T) else upright(cancel(moment / total))


def ages(e: Formula, power: int = 1) -> Ages:
    """The weights of all gradients in a formula that is linear in one power of them.

    Raises:
        NoWeightsError: it is not linear in that power, or a sum in it is not understood.
    """
    e = e.replace(lambda x: isinstance(x, Piecewise) and x.has(G), _factored)
    terms = list(_weighed(e, T, power))
    ranges = [term for term in terms if term.first is not None and term.latest is not None]
    late = max((term.latest or 0) + (term.first is None) for term in terms) if terms else 0
    early = max((term.first or 0) - (term.latest is not None) for term in terms) if terms else 0
    general = _at(ranges, T - AGE)
    latest = {k: _at([x for x in terms if x.has_age(k)], T - k) for k in range(late)}
    first = {n: _at([x for x in terms if x.has_step(n)], Integer(n)) for n in range(1, early + 1)}
    return Ages(
        general,
        {k: weight for k, weight in latest.items() if not same(weight, general.subs(AGE, k))},
        {n: weight for n, weight in first.items() if not same(weight, general.subs(AGE, T - n))},
    )


def numbers_named(e: Formula) -> Formula:
    """The formula with a rate in place of each number that has a symbol for its exponent, as of 0.9 in 0.9^k.

    SymPy would take such powers apart into powers of 9 and 10.
    """

    def named(power: Formula) -> Formula:
        base, exponent = (1 / power.base, -power.exp) if power.base > 1 else power.args
        return Rate(f"{_NUMBER}{base}") ** exponent

    return e.replace(lambda x: isinstance(x, Pow) and x.base.is_Rational and x.base > 0 and x.exp.has(AGE, T), named)


def numbers_written(e: Formula) -> Formula:
    """The formula with the numbers that `numbers_named` has named."""
    named = [s for s in e.free_symbols if s.is_Symbol and s.name.startswith(_NUMBER)]
    return e.xreplace({s: Rational(s.name.removeprefix(_NUMBER)) for s in named})


def _is_below_one(ratio: Formula) -> bool:
    return is_positive(1 - numbers_written(ratio))


def _at(terms: list[_Term], step: Formula) -> Formula:
    return upright(powsimp(Add(*(term.weight.subs(_STEP, step) for term in terms))))


def _weighed(e: Formula, now: Formula, power: int) -> Iterator[_Term]:
    """The terms of a formula's weights at the step `now`."""
    if not e.has(G):
        return
    base, exponent = e.as_base_exp()
    if isinstance(base, Indexed) and base.base == G and exponent == power:
        indices: Any = base.indices
        (step,) = indices
        yield _Term(Integer(1), None, int(now - step)) if step.has(now) else _Term(Integer(1), int(step), None)
    elif isinstance(e, Add):
        for term in e.args:
            yield from _weighed(term, now, power)
    elif isinstance(e, Mul):
        carriers = [factor for factor in e.args if factor.has(G)]
        if len(carriers) > 1:
            raise NoWeightsError("gradients are multiplied in it")
        rest = Mul(*(factor for factor in e.args if factor != carriers[0]))
        for term in _weighed(carriers[0], now, power):
            yield _Term(rest * term.weight, term.first, term.latest)
    elif isinstance(e, Pow) and isinstance(e.base, Add) and e.exp.is_Integer and e.exp > 0 and expand(e) != e:
        yield from _weighed(expand(e), now, power)
    elif isinstance(e, Sum) and len(e.limits) == 1:
        limits: Any = e.limits
        index, low, high = limits[0]
        for term in _weighed(e.function, index, power):
            yield _over(term, index, int(low), int(now - high), now)
    else:
        raise NoWeightsError("it is not linear in the gradients" if power == 1 else "it is no sum of one power of them")


def _factored(e: Formula) -> Formula:
    """Cases as the factor with gradients that all of them share, times what each multiplies it by.

    Raises:
        NoWeightsError: they share none, or a condition depends on the gradients.
    """
    cases: Any = e.args
    split = [value.as_independent(G, as_Add=False) for value, _ in cases]
    if any(condition.has(G) for _, condition in cases):
        raise NoWeightsError("it is not linear in the gradients")
    if len({carrier for _, carrier in split}) > 1:
        raise NoWeightsError("its cases weigh the gradients differently")
    factors = [(factor, condition) for (factor, _), (_, condition) in zip(split, cases, strict=True)]
    return split[0][1] * Piecewise(*factors, evaluate=False)


def _over(term: _Term, index: Symbol, low: int, end: int, now: Formula) -> _Term:
    """The sum of a term's weights over an index from `low` to now − `end`, which was its own now."""
    if term.latest is None:
        return _Term(_summed(term.weight, index, Integer(low), now - end), term.first, None)
    if term.first is None:
        return _Term(term.weight.subs(index, _STEP + term.latest), max(low - term.latest, 1), end + term.latest)
    if term.first + term.latest < low:
        raise NoWeightsError("a sum in it begins later than the one within")
    weight = _summed(term.weight, index, _STEP + term.latest, now - end)
    return _Term(weight, term.first, end + term.latest)


def _terms_of(e: Formula) -> list[Formula]:
    """The terms of a sum of weights; none of 0."""
    return [] if e == 0 else [*Add.make_args(expand(e, power_base=False, power_exp=False))]


def _ratio(e: Formula, index: Symbol) -> Formula | None:
    """The constant ratio of a term to the one before; None where it changes with the index."""
    ratio = cancel(powsimp(e.subs(index, index + 1) / e))
    return None if ratio.has(index) else ratio


def _summed(e: Formula, index: Symbol, low: Formula, high: Formula) -> Formula:
    """The sum of a geometric series as a formula; of any other, the sum as such."""
    ratio = _ratio(e, index)
    if ratio is None or ratio.has(Indexed, IndexedBase):
        return Sum(e, (index, low, high))
    count = high - low + 1
    first = powsimp(e.subs(index, low))
    return first * count if ratio == 1 else first * (1 - ratio**count) / (1 - ratio)
