"""The algebra of formulas: floats are SymPy's expressions, and conditions are decided, assumed or left as cases.

A condition is decided where it can be. A condition that fails only at single points, such as Σg² ≠ 0, is assumed and
recorded. A condition in the number of the step alone is taken as it is at all late steps, and the first of these is
recorded. Any other makes a `Piecewise`, unless both cases are the same formula.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from sympy import (
    Abs,
    And,
    Expr,
    Ge,
    Gt,
    Integer,
    Le,
    Lt,
    Max,
    Min,
    Mod,
    Ne,
    Not,
    Or,
    Piecewise,
    Rel,
    S,
    Symbol,
    Xor,
    ceiling,
    count_ops,
    expand,
    floor,
    log,
    sign,
    sympify,
)
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from adamlab.interpret.constants import Constant
from adamlab.interpret.equality import same
from adamlab.interpret.jaxpr import WHOLE, Algebra
from adamlab.interpret.signs import Complement, Rate, is_nonnegative, is_positive
from adamlab.interpret.sympy_primitives import (
    COMPARE,
    ELEMENTWISE,
    exact_number,
    exponential,
    is_condition,
    towards_zero,
    truth,
)
from adamlab.types import Formula

UNREACHED = 2**31 - 1
"""The largest count; code that compares a count with it guards against overflow, and no run gets that far."""

STEPPED = (sign, floor, ceiling, Mod, Piecewise, Max, Min)
"""Functions that take a value on more than single points: that they do not take it must not be assumed."""


@dataclass
class Formulas(Algebra):
    """The algebra of real formulas, with all that was assumed while they were read.

    Attributes:
        t: the symbol of the step's number, or None where every count is a number.
        settled_by: the latest step by which a condition in t may be settled; conditions settled later make cases.
        complements: short names, positive symbols, for the many 1 − β^k, each with its formula.
        assumptions: the conditions that were assumed, as relations.
        constants: the decimals that stand in the code itself, other than 1/2.
        stepped: symbols whose values lie on steps, so that they may equal something at many points.
        first_step: the least t from which all conditions in t hold as they were taken.
    """

    t: Symbol | None = None
    settled_by: float | int = math.inf
    complements: dict[Any, Formula] = field(default_factory=dict)
    assumptions: dict[Any, None] = field(default_factory=dict)
    constants: set[Any] = field(default_factory=set)
    stepped: set[Formula] = field(default_factory=set)
    first_step: int = 1

    def __post_init__(self):
        self._names: dict[Formula, Symbol] = {}
        operators = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
        relations = {name: lambda a, b, op=op: self.compare(op, a, b) for name, op in operators.items()}
        own = {"sub": self._subtract, "log1p": self._log1p, "expm1": self._expm1, "max": self._max, "min": self._min}
        clamp = {"clamp": lambda low, x, high: self._min(high, self._max(low, x))}
        self._table: dict[str, Callable[..., Any]] = {**ELEMENTWISE, **relations, **own, **clamp}

    @property
    def elementwise(self) -> Mapping[str, Callable[..., Any]]:
        """The meaning of every elementwise primitive, by its name in JAX."""
        return self._table

    def number(self, constant: int | Constant) -> Any:
        """The number itself: rational, or with a root, π, e or a logarithm; ∞ and NaN are SymPy's."""
        number = exact_number(constant)
        if number.is_Rational and number.q > 2:
            self.constants.add(number)
        return number

    def whole(self, number: Any) -> Any:
        """The number rounded towards 0."""
        if number.is_integer:
            return int(number) if number.is_Integer else number
        return towards_zero(number)

    def select(self, which: Any, cases: Sequence[Any]) -> Any:
        """The case that a condition selects, where it can be told or makes no difference; otherwise all cases."""
        if isinstance(which, WHOLE):
            return cases[int(which)]
        if not is_condition(which):
            return Piecewise(*((sympify(case), Rel(which, k, "==")) for k, case in enumerate(cases)))
        without, within = (_given(sympify(case), which, k == 1) for k, case in enumerate(cases))
        if is_condition(without) or is_condition(within):
            return truth(Or(And(which, within), And(Not(which), without)))
        if self.are_same(without, within):
            return min(without, within, key=count_ops)
        settled = self.settled(which)
        if isinstance(settled, bool):
            return within if settled else without
        if (extreme := _extreme_of(which, within, without)) is not None:
            return extreme
        return Piecewise((within, which), (without, True), evaluate=False)  # _given looks for this very condition

    def settled(self, condition: Any) -> Any:
        """A condition decided or assumed, as far as it can be."""
        if not is_condition(condition):
            return condition
        if getattr(condition, "is_Relational", False):
            return self._settled_relation(condition.rel_op, condition.lhs, condition.rhs)
        if condition.args:
            return truth(condition.func(*(sympify(self.settled(part)) for part in condition.args)))
        return truth(condition)

    def as_number(self, x: Any) -> Any:
        """A condition as 0 or 1."""
        return self.select(x, (0, 1)) if is_condition(x) else x

    def compare(self, relation: str, a: Any, b: Any) -> Any:
        """The truth of a relation where that is plain; otherwise a SymPy relation, to be settled where it matters."""
        if isinstance(a, WHOLE) and isinstance(b, WHOLE):
            return COMPARE[relation](a, b)
        if is_condition(a) or is_condition(b):
            equal = Not(Xor(sympify(a), sympify(b)))
            return truth(equal if relation == "==" else Not(equal))
        a, b = sympify(a), sympify(b)
        if a.is_Number and b.is_Number:
            return bool(COMPARE[relation](a, b))
        if a.is_infinite or b.is_infinite:  # a formula is finite
            return bool(COMPARE[relation](a if a.is_infinite else 0, b if b.is_infinite else 0))
        difference = a - b
        if difference == 0:
            return relation in ("==", "<=", ">=")
        if self.t is not None and difference.free_symbols == {self.t}:
            return self._in_later_steps(relation, a, b)
        return Rel(a, b, relation, evaluate=False)

    def _settled_relation(self, relation: str, a: Formula, b: Formula) -> Any:
        difference = expand(self.in_full(a - b))
        if (known := _known(relation, difference)) is not None:
            return known
        if self.t is not None and difference.free_symbols == {self.t}:
            return Rel(
                a, b, relation, evaluate=False
            )  # a step, unlike a point among real numbers, cannot be assumed away
        touches = {"<=": 1, ">": 1, ">=": -1, "<": -1}.get(relation)  # with this sign only 0 is left to decide
        one_sided = touches is None or is_nonnegative(touches * difference)
        if one_sided and not self.lies_on_steps(difference):
            self.assumptions[Ne(self.in_full(a - b), 0)] = None
            return relation in ("<", ">", "!=")
        return Rel(a, b, relation, evaluate=False)

    def are_same(self, left: Any, right: Any) -> bool:
        """Whether two formulas are shown to be equal."""
        return left == right or same(self.in_full(left), self.in_full(right))

    def in_full(self, e: Any) -> Any:
        """The formula with every 1 − β^k written out."""
        return e.xreplace(self.complements) if isinstance(e, (Expr, Boolean)) else e

    def lies_on_steps(self, e: Formula) -> bool:
        """Whether an expression can keep its value while the quantities in it change."""
        return e.has(*STEPPED, *self.stepped) or _vanishes_on_a_side(e)

    def _in_later_steps(self, relation: str, a: Formula, b: Formula) -> Any:
        """The relation as it is from some step on."""
        if any(abs(side) >= UNREACHED for side in (a, b) if side.is_Number):
            return bool(COMPARE[relation](-1 if b.is_Number else 1, 0))  # every count is less than that
        difference = expand(a - b)
        slope = difference.diff(self.t)
        if not slope.is_Rational or slope == 0:
            return Rel(a, b, relation, evaluate=False)
        crossing = -difference.subs(self.t, 0) / slope
        later, at_crossing = bool(COMPARE[relation](int(sign(slope)), 0)), bool(COMPARE[relation](0, 0))
        first = int(ceiling(crossing) if at_crossing == later else floor(crossing) + 1)
        if first > self.settled_by:
            return Rel(a, b, relation, evaluate=False)
        self.first_step = max(self.first_step, first)
        return later

    def _max(self, a: Any, b: Any) -> Any:
        return self._extreme(a, b, ">=", Max)

    def _min(self, a: Any, b: Any) -> Any:
        return self._extreme(a, b, "<=", Min)

    def _extreme(self, a: Any, b: Any, relation: str, extreme: Any) -> Any:
        if isinstance(a, WHOLE) and isinstance(b, WHOLE):
            return a if COMPARE[relation](a, b) else b
        known = self.compare(relation, a, b)
        if not isinstance(known, bool):
            known = _known(relation, expand(self.in_full(sympify(a) - sympify(b))))
        if isinstance(known, bool):
            return sympify(a if known else b)
        return extreme(*extreme.make_args(a), *extreme.make_args(b), evaluate=False)  # evaluating it is slow

    def _subtract(self, a: Any, b: Any) -> Any:
        """The difference a − b; for 1 − β^k its short name."""
        difference = a - b
        if a == 1 and isinstance(b, Expr):
            if b in self.complements:
                return 1 - self.complements[b]
            base, power = b.as_base_exp()
            if _is_rate(base) and is_positive(power):
                return self._short(difference, base, power)
        return difference

    def _short(self, complement: Formula, base: Formula, power: Formula) -> Formula:
        if complement.is_Number:
            return complement
        if complement not in self._names:
            head, underscore, tail = str(base).partition("_")
            symbol = Complement(f"{head}bar{underscore}{tail}_{power}")
            self._names[complement], self.complements[symbol] = symbol, complement
        return self._names[complement]

    def _log1p(self, x: Any) -> Any:
        return log(self._subtract(Integer(1), -x))

    def _expm1(self, x: Any) -> Any:
        return -self._subtract(Integer(1), exponential(x))


def _known(relation: str, difference: Formula) -> bool | None:
    """The truth of a relation by the sign of the sides' difference, without any assumption; None if unknown."""
    if difference == 0:
        return relation in ("==", "<=", ">=")
    if is_nonnegative(difference) and (relation in ("<", ">=") or is_positive(difference)):
        return relation in (">", ">=", "!=")
    if is_nonnegative(-difference) and (relation in (">", "<=") or is_positive(-difference)):
        return relation in ("<", "<=", "!=")
    return None


def _is_rate(e: Formula) -> bool:
    return isinstance(e, Rate) or bool(e.is_Rational and is_positive(e) and is_positive(1 - e))


def _given(e: Any, condition: Boolean, value: bool) -> Any:
    """A case where a condition has that value: the same condition within the case is decided by it."""
    if is_condition(e):
        return e.xreplace({condition: S(value)})

    def settled(cases: Any) -> Any:
        (first, _), *others = cases.args
        return first if value else Piecewise(*others) if len(others) > 1 else others[0].expr

    if isinstance(condition, (Gt, Ge, Lt, Le)):
        sides = (condition.gts, condition.lts) if value else (condition.lts, condition.gts)
        extremes = zip((Max(*sides), Min(*sides)), sides, strict=True)
        e = e.xreplace({extreme: side for extreme, side in extremes if isinstance(extreme, (Max, Min))})
    turned = condition.reversed if isinstance(condition, Relational) else condition  # as SymPy may have written it
    return e.replace(lambda x: getattr(x, "is_Piecewise", False) and x.args[0].cond in (condition, turned), settled)


def _vanishes_on_a_side(e: Formula) -> bool:
    """Whether an expression is 0 for some signs of its absolute values' arguments, as |g| − g is for g > 0."""
    sizes = sorted(e.atoms(Abs), key=str)
    turns = product(*([(size, size.args[0]), (size, -size.args[0])] for size in sizes)) if len(sizes) < 4 else ()
    return bool(sizes) and any(expand(e.xreplace(dict(turn))) == 0 for turn in turns)


def _extreme_of(which: Any, within: Any, without: Any) -> Any:
    """The maximum or the minimum that two cases amount to; None where they amount to neither."""
    if isinstance(which, (Gt, Ge, Lt, Le)) and {which.lhs, which.rhs} == {within, without}:
        return (Max if within == which.gts else Min)(within, without)
    return None
