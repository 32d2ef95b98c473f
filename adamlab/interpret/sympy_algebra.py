"""The algebra of formulas: floats are SymPy's expressions, and conditions are decided, assumed or left as cases.

A condition is decided where it can be. A condition that fails only at single points, such as Σg² ≠ 0, is assumed and
recorded; so is the domain of a root or a logarithm. A condition in the number of the step alone is taken as it is at
all late steps, and the first of these is recorded, as is the last step before an integer wraps. Any other makes a
`Piecewise`, unless both cases are the same formula.
"""

import math
import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import product
from typing import Any

from sympy import (
    Abs,
    Add,
    And,
    Expr,
    Ge,
    Gt,
    Integer,
    Le,
    Lt,
    Max,
    Min,
    Mul,
    Ne,
    Not,
    Or,
    Piecewise,
    Pow,
    Rel,
    S,
    Symbol,
    Xor,
    count_ops,
    expand,
    log,
    sign,
    sympify,
)
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from adamlab.interpret.constants import Constant
from adamlab.interpret.domains import OnDomain, domain_of, on_domain, requirements
from adamlab.interpret.equality import same
from adamlab.interpret.integers import range_of_type, wrapped
from adamlab.interpret.jaxpr import WHOLE, Algebra, UnreadableError
from adamlab.interpret.ranges import (
    LAST,
    STEPPED,
    Bounds,
    at_step,
    last_within,
    range_of,
    settling,
    steps_within,
    truth_by_range,
    truth_by_sign,
    wrapped_formula,
)
from adamlab.interpret.signs import Complement, Rate, has_known_sign, is_nonnegative, is_positive
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

LONGEST = 10**5
"""The most symbols and operations of a formula."""

MOST_OPERATIONS = 25
"""The most operations of a formula whose sign is looked for, which takes long."""

ENDLESS = 10**9
"""No run has so many steps: what changes after as many, as a guard against overflow does, never changes."""


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
        refused: conditions that must not be assumed, since they fail on more than single points.
        equal: conditions x ≠ y of two that are always equal.
        first_step: the least t from which all conditions in t hold as they were taken.
        last_step: the last t before an integer gets out of its type's range.
    """

    t: Symbol | None = None
    settled_by: float | int = math.inf
    complements: dict[Any, Formula] = field(default_factory=dict)
    assumptions: dict[Any, None] = field(default_factory=dict)
    constants: set[Any] = field(default_factory=set)
    stepped: set[Formula] = field(default_factory=set)
    refused: frozenset[Any] = frozenset()
    equal: frozenset[Any] = frozenset()
    first_step: int = 1
    last_step: int = LAST

    def __post_init__(self):
        self._names: dict[Formula, Symbol] = {}
        self._lengths: dict[Any, int] = {}
        self._has_domains = False
        self.ranges: dict[Any, Bounds] = {} if self.t is None else {self.t: (self.first_step, LAST)}
        operators = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
        relations = {name: lambda a, b, op=op: self.compare(op, a, b) for name, op in operators.items()}
        own = {
            "add": partial(self._combine, operator.add),
            "add_any": partial(self._combine, operator.add),
            "sub": self._subtract,
            "mul": partial(self._combine, operator.mul),
            "div": self._divide,
            "integer div": partial(self._divide_integers, "integer div"),
            "integer rem": partial(self._divide_integers, "integer rem"),
            "log": lambda x: self._on_domain("log", x),
            "log1p": lambda x: self._on_domain("log", self._subtract(Integer(1), -x)),
            "expm1": lambda x: -self._subtract(Integer(1), exponential(x)),
            "max": self._max,
            "min": self._min,
            "clamp": lambda low, x, high: self._min(high, self._max(low, x)),
            "pow": lambda x, y: self._on_domain("pow", sympify(x), y),
            "sqrt": lambda x: self._on_domain("sqrt", x),
            "rsqrt": lambda x: self._on_domain("rsqrt", x),
        }
        strict = {name: self._strict(function) for name, function in {**ELEMENTWISE, **own}.items()}
        self._table: dict[str, Callable[..., Any]] = {**strict, **relations, "is_finite": self._is_finite}

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
        """The number rounded towards 0; 0 where it is NaN."""
        if isinstance(number, Expr) and number.has(OnDomain):
            return self.select(domain_of(number), (0, self.whole(on_domain(number))))
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
        if self._has_domains and (defined := And(domain_of(a), domain_of(b))) is not S.true:
            within = sympify(self.compare(relation, on_domain(a), on_domain(b)))
            return truth(Or(Not(defined), within) if relation == "!=" else And(defined, within))
        if a.is_Number and b.is_Number:
            return relation == "!=" if S.NaN in (a, b) else bool(COMPARE[relation](a, b))
        if a.is_infinite or b.is_infinite:  # a formula is finite
            return bool(COMPARE[relation](a if a.is_infinite else 0, b if b.is_infinite else 0))
        difference = a - b
        if difference == 0:
            return self._compared_with_itself(relation, a)
        if (known := truth_by_range(relation, difference, self.ranges)) is not None:
            return known
        if self.t is not None and difference.free_symbols == {self.t}:
            return self._in_later_steps(relation, a, b)
        return Rel(a, b, relation, evaluate=False)

    def _compared_with_itself(self, relation: str, x: Formula) -> Any:
        """Whether a formula is equal to itself, which it is but where it is NaN."""
        if relation in ("<", ">"):
            return False
        is_number = sympify(self._is_finite(x))
        return truth(Not(is_number) if relation == "!=" else is_number)

    def _settled_relation(self, relation: str, a: Formula, b: Formula) -> Any:
        difference = expand(self.in_full(a - b))
        if (known := truth_by_sign(relation, difference)) is not None:
            return known
        if self.t is not None and difference.free_symbols == {self.t}:
            return Rel(
                a, b, relation, evaluate=False
            )  # a step, unlike a point among real numbers, cannot be assumed away
        touches = {"<=": 1, ">": 1, ">=": -1, "<": -1}.get(relation)  # with this sign only 0 is left to decide
        one_sided = touches is None or is_nonnegative(touches * difference)
        if one_sided and not self.lies_on_steps(difference):
            assumption = Ne(self.in_full(a - b), 0)
            if assumption in self.equal:
                return relation in ("==", "<=", ">=")
            if assumption not in self.refused:
                self.assumptions[assumption] = None
                return relation in ("<", ">", "!=")
        return Rel(a, b, relation, evaluate=False)

    def are_same(self, left: Any, right: Any) -> bool:
        """Whether two formulas are shown to be equal."""
        return left == right or same(self.in_full(left), self.in_full(right))

    def in_full(self, e: Any) -> Any:
        """The formula with every 1 − β^k written out."""
        if not isinstance(e, (Expr, Boolean)) or self.complements.keys().isdisjoint(e.free_symbols):
            return e
        return e.xreplace(self.complements)

    def lies_on_steps(self, e: Formula) -> bool:
        """Whether an expression can keep its value while the quantities in it change."""
        return e.has(*STEPPED, *self.stepped) or _vanishes_on_a_side(e)

    def symbolic_in_width(self, value: Any, dtype: Any) -> Any:
        """An integer formula as its type holds it: as it is within the type's range, else wrapped.

        Of a formula in t alone the steps within the range are recorded; of any other the range is assumed, where it
        is not plain.
        """
        if not isinstance(value, Expr):
            return value
        if value.is_Number:  # as where SymPy knows that t − t is 0
            return wrapped(int(value), dtype) if value.is_Integer else value
        low, high = range_of_type(dtype)
        if bounds := range_of(value, {} if self.t in value.free_symbols else self.ranges):
            return wrapped_formula(value, low, high, bounds)
        if self.t is None or value.free_symbols != {self.t}:
            return self._open_in_width(value, low, high)
        first, last = steps_within(value, self.t, low, high, self.first_step)
        if last < first:
            at_first = int(at_step(value, self.t, first))
            value = wrapped_formula(value, low, high, (at_first, at_first))
            first, last = steps_within(value, self.t, low, high, self.first_step)
        if first > max(self.settled_by, self.first_step) or last == first:
            return wrapped_formula(value, low, high)
        self._hold_from(first)
        self.last_step = min(self.last_step, last)
        return value

    def _open_in_width(self, value: Formula, low: int, high: int) -> Formula:
        if self.t is not None and (last := last_within(value, self.t, low, high, self.first_step)):
            self.last_step = min(self.last_step, last)
            return value
        assumption = And(Ge(value, low), Le(value, high))
        if assumption in self.refused:
            return wrapped_formula(value, low, high)
        self.assumptions[assumption] = None
        return value

    def resolved(self, e: Any) -> Any:
        """A formula in full, as `on_domains`."""
        return self.on_domains(self.in_full(e))

    def on_domains(self, e: Any) -> Any:
        """A formula on the domain of its roots and logarithms, which is assumed; or else with NaN outside of it."""
        if not self._has_domains or not isinstance(e, Expr) or not e.has(OnDomain):
            return e
        domains = {condition for condition in map(on_domain, requirements(e)) if condition is not S.true}
        assumed, cases = domains - self.refused, And(*(domains & self.refused))
        self.assumptions |= dict.fromkeys(sorted(assumed, key=str))
        e = e.xreplace(dict.fromkeys(assumed, S.true))
        return Piecewise((on_domain(e), cases), (S.NaN, True)) if cases is not S.true else on_domain(e)

    def _strict(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose result is NaN wherever an argument is."""

        def evaluate(*arguments: Any, **parameters: Any) -> Any:
            value = function(*arguments, **parameters)
            self._require_readable(value)
            if not self._has_domains:
                return value
            asked = {part.args[1] for x in arguments if isinstance(x, Expr) for part in x.atoms(OnDomain)}
            kept = {part.args[1] for part in value.atoms(OnDomain)} if isinstance(value, Expr) else asked
            for domain in asked - kept:
                value = OnDomain(value, domain)
            return value

        return evaluate

    def _require_readable(self, value: Any):
        """Reject a formula too long to work with; shared parts count as often as they occur."""
        if isinstance(value, Expr) and self._length(value) > LONGEST:
            raise UnreadableError("", "", "the formulas get too long")

    def _length(self, e: Any) -> int:
        if e not in self._lengths:
            self._lengths[e] = 1 + sum(map(self._length, e.args))
        return self._lengths[e]

    def _is_finite(self, x: Any) -> Any:
        infinite = x in (S.Infinity, S.NegativeInfinity, S.NaN)
        if infinite or not isinstance(x, Expr):
            return not infinite
        return truth(And(domain_of(x), *(self.compare("!=", divisor, 0) for divisor in _open_divisors(_divisors(x)))))

    def _in_later_steps(self, relation: str, a: Any, b: Any) -> Any:
        """The relation as it is from some step on."""
        first, later = settling(expand(a - b), self.t, relation)
        if first is not None and first > ENDLESS:
            first, later = 1, not later
        if first is None or first > max(self.settled_by, 1):
            return Rel(a, b, relation, evaluate=False)
        self._hold_from(first)
        return later

    def _hold_from(self, first: int) -> None:
        """Take formulas as they are from a step on; the steps ahead of it are read one by one."""
        self.first_step = max(self.first_step, first)
        self.ranges[self.t] = (self.first_step, LAST)

    def _max(self, a: Any, b: Any) -> Any:
        return self._extreme(a, b, ">=", Max)

    def _min(self, a: Any, b: Any) -> Any:
        return self._extreme(a, b, "<=", Min)

    def _extreme(self, a: Any, b: Any, relation: str, extreme: Any) -> Any:
        if isinstance(a, WHOLE) and isinstance(b, WHOLE):
            return a if COMPARE[relation](a, b) else b
        if S.NaN in (a, b):
            return S.NaN
        known = self.compare(relation, a, b)
        if not isinstance(known, bool):
            known = truth_by_sign(relation, expand(self.in_full(sympify(a) - sympify(b))))
        if isinstance(known, bool):
            return sympify(a if known else b)
        return extreme(*extreme.make_args(a), *extreme.make_args(b), evaluate=False)  # evaluating it is slow

    def _combine(self, operation: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
        """A sum, a difference or a product."""
        return self._unless_divided_by_0(operation(a, b), _divisors(a) | _divisors(b))

    def _subtract(self, a: Any, b: Any) -> Any:
        """The difference a − b; for 1 − β^k its short name."""
        difference = self._combine(operator.sub, a, b)
        if a == 1 and isinstance(b, Expr):
            if b in self.complements:
                return 1 - self.complements[b]
            base, power = b.as_base_exp()
            if _is_rate(base) and is_positive(power):
                return self._short(difference, base, power)
        return difference

    def _divide(self, a: Any, b: Any) -> Any:
        if isinstance(b, Piecewise) and any(case == 0 for case, _ in _cases(b)):
            *others, (last, _) = _cases(b)
            value = self._divide(a, last)
            for case, condition in reversed(others):
                value = self.select(condition, (value, self._divide(a, case)))
            return value
        factors = {factor.as_base_exp()[0] for factor in Mul.make_args(sympify(b))}
        return self._unless_divided_by_0(ELEMENTWISE["div"](a, b), _divisors(a) | factors)

    def _divide_integers(self, name: str, a: Any, b: Any, **types: Any) -> Any:
        """A quotient or a remainder of integers, which has a value where the divisor is 0, too."""
        value = ELEMENTWISE[name](a, b, **types)
        if isinstance(b, WHOLE) or not _can_be_0(b):
            return value
        return self.select(self.compare("!=", b, 0), (ELEMENTWISE[name](a, 0, **types), value))

    def _unless_divided_by_0(self, value: Any, divisors: Collection[Any]) -> Any:
        """A sum or a product, which is NaN where a divisor of its parts is 0 that it does not show any more."""
        if not divisors:
            return value
        shown = _divisors(on_domain(sympify(value)))  # as it will be told: 1/√x·√x is 1 then
        for divisor in _open_divisors(x for x in map(on_domain, divisors) if x not in shown):
            value = self.select(self.compare("!=", divisor, 0), (S.NaN, value))
        return value

    def _short(self, complement: Formula, base: Formula, power: Formula) -> Formula:
        if complement.is_Number:
            return complement
        if complement not in self._names:
            head, underscore, tail = str(base).partition("_")
            symbol = Complement(f"{head}bar{underscore}{tail}_{power}")
            self._names[complement], self.complements[symbol] = symbol, complement
        return self._names[complement]

    def _on_domain(self, name: str, x: Formula, *others: Any) -> Formula:
        """A function that is real for x ≥ 0 alone; a whole power is so everywhere."""
        value = ELEMENTWISE[name](x, *others)
        is_whole_power = any(sympify(y).is_integer for y in others)
        if x.is_number or value is S.NaN or is_whole_power or self._is_nonnegative(x):
            return value
        self._has_domains = True
        return OnDomain(value, x)

    def _is_nonnegative(self, x: Formula) -> bool:
        is_short = count_ops(x) <= MOST_OPERATIONS
        if is_short and _is_nonnegative_in_all_cases(x):
            return True
        full = self.in_full(x)
        if count_ops(full) > MOST_OPERATIONS:
            return False
        forms = (full, expand(full)) if is_short else (x, full, expand(full))
        return any(map(_is_nonnegative_in_all_cases, forms))


@lru_cache(maxsize=8192)
def _divisors(e: Any) -> frozenset[Any]:
    """What a formula is infinite at the zeros of: what a part of it is divided by or is the logarithm of."""
    if isinstance(e, (Add, Mul, Max, Min)):
        return frozenset().union(*map(_divisors, e.args))
    if isinstance(e, (OnDomain, Abs)):
        return _divisors(e.args[0])
    if isinstance(e, log):
        return frozenset([e.args[0]])
    if not isinstance(e, Pow):
        return frozenset()
    return frozenset([e.base]) if e.exp.is_extended_negative else _divisors(e.base)


def _plain_divisor(x: Any) -> Any:
    """What a divisor is 0 with: a sign and an absolute value are so where their arguments are."""
    return x.args[0] if isinstance(x, (sign, Abs)) else x


def _can_be_0(x: Any) -> bool:
    return not (x.is_number or has_known_sign(x))


def _open_divisors(divisors: Iterable[Any]) -> list[Any]:
    """Of divisors those that can be 0, as far as it is known."""
    return sorted(filter(_can_be_0, set(map(_plain_divisor, divisors))), key=str)


def _cases(e: Formula) -> Sequence[Any]:
    cases: Any = e.args
    return cases


def _is_rate(e: Formula) -> bool:
    return isinstance(e, Rate) or bool(e.is_Rational and is_positive(e) and is_positive(1 - e))


def _given(e: Any, condition: Boolean, holds: bool) -> Any:
    """A case where a condition has that value: the same condition within the case is decided by it."""
    if is_condition(e):
        return e.xreplace({condition: S(holds)})

    def settled(cases: Any) -> Any:
        (first, _), *others = cases.args
        return first if holds else Piecewise(*others) if len(others) > 1 else others[0].expr

    if isinstance(condition, (Gt, Ge, Lt, Le)):
        sides = (condition.gts, condition.lts) if holds else (condition.lts, condition.gts)
        extremes = zip((Max(*sides), Min(*sides)), sides, strict=True)
        e = e.xreplace({extreme: side for extreme, side in extremes if isinstance(extreme, (Max, Min))})
    if e.has(OnDomain):
        e = e.replace(OnDomain, lambda value, x: value if _implies(condition, holds, x) else OnDomain(value, x))
    turned = condition.reversed if isinstance(condition, Relational) else condition  # as SymPy may have written it
    return e.replace(lambda x: getattr(x, "is_Piecewise", False) and x.args[0].cond in (condition, turned), settled)


def _implies(condition: Boolean, holds: bool, x: Formula) -> bool:
    """Whether x ≥ 0 follows from a condition, or from its being false."""
    if holds and isinstance(condition, And):
        return any(_implies(part, True, x) for part in condition.args)
    if not isinstance(condition, (Gt, Ge, Lt, Le)):
        return False
    sides: Any = condition
    difference = sides.gts - sides.lts
    rest = x - (difference if holds else -difference)
    return count_ops(rest) <= MOST_OPERATIONS and is_nonnegative(expand(rest))


def _is_nonnegative_in_all_cases(e: Formula) -> bool:
    cases: Any = next(iter(e.atoms(Piecewise, Max, Min)), None)
    if is_nonnegative(e) or cases is None:
        return is_nonnegative(e)
    parts: Any = cases.args
    values = [case for case, _ in parts] if isinstance(cases, Piecewise) else parts
    return all(_is_nonnegative_in_all_cases(e.xreplace({cases: value})) for value in values)


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
