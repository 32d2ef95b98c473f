"""Equality of formulas, by a normal form: True is a proof, False says only that none was found.

`simplify` misses equal radicands and takes its time. Here powers with symbols in them, roots, absolute values, maxima
and sums become atoms, each in one form of its own: β^(t+1) is β·β^t, √(v/c) is √v/√c, |−c·g| is c·|g|, a sum to t − 1
is one to t without its last term. What is left is a rational function, in which an atom's own equation, such as
(√x)² = x, takes its powers down.
"""

import re
from collections.abc import Hashable, Iterator
from functools import lru_cache
from itertools import islice, product
from math import prod
from typing import Any

from sympy import (
    ITE,
    Abs,
    Add,
    E,
    Expr,
    Ge,
    Gt,
    Indexed,
    Integer,
    Le,
    Lt,
    Max,
    Min,
    Mod,
    Mul,
    Piecewise,
    Poly,
    PolynomialError,
    Pow,
    Rational,
    S,
    Sum,
    Symbol,
    cancel,
    ceiling,
    expand,
    factor_list,
    factorint,
    floor,
    fraction,
    gcd,
    gcd_list,
    lcm_list,
    quo,
    sign,
    sympify,
    together,
)
from sympy import (
    factor as factored,
)
from sympy.concrete.expr_with_limits import ExprWithLimits

from adamlab.interpret.domains import OnDomain
from adamlab.interpret.signs import NONNEGATIVE, POSITIVE, REAL, Rate, is_nonnegative, is_positive, sign_of
from adamlab.interpret.trials import differ
from adamlab.types import Formula

FACTORED_UP_TO = 10**3
"""The bound of the primes that are looked for in a number under a root."""

NUMBERED = re.compile(r"_\d")
"""In the name of a symbol the number of its step, as in m_3."""

SWITCHING = (Abs, sign, Max, Min, Piecewise, floor, ceiling, Mod, ITE, OnDomain)
"""The functions that are one formula here and another there; all others are 0 at single points or everywhere."""

MOST_BRANCHES = 64
"""The most combinations of such formulas that are looked at."""

SHIFTS = 4
"""The most terms by which a sum may end before its symbol: a sum to t − 4 is written as one to t."""


def is_zero(expression: Formula) -> bool:
    """Whether the expression is shown to be 0 wherever it is defined."""
    if expression.is_number:
        return expression == 0
    if any(map(may_vanish, _divisors(expression))):
        return False
    plain = expression.xreplace(_anonymous(expression))
    return _vanishes(plain) or (plain.has(Max, Min) and _vanishes(_without_extremes(plain)))


def conditions_of_equality(left: Formula, right: Formula) -> list[Formula]:
    """The expressions that must not be 0 for two formulas, shown to be equal, to be defined at the same points."""
    if left == right:
        return []
    ours, theirs = (set(map(_upright, poles(side))) for side in (left, right))
    uncertain = ours ^ theirs
    signs = {s.args[0] for side in (left, right) for s in side.atoms(sign)}
    if signs and not _vanishes((left - right).xreplace(_anonymous(left - right)), signs_at_zero=True):
        uncertain |= {_upright(factor) for e in signs for factor in _moving_factors(e)}
    return sorted((e for e in uncertain if not is_nonnegative(e) and not is_nonnegative(-e)), key=str)


def poles(e: Formula) -> list[Formula]:
    """The factors of all divisors in a formula."""
    powers = [power.base for power in e.atoms(Pow) if power.exp.could_extract_minus_sign()]
    return [factor for base in powers for factor in _moving_factors(base)]


def _moving_factors(e: Formula) -> list[Formula]:
    """The factors of an expression that are no numbers."""
    if e.has(ExprWithLimits, Max, Min, Piecewise):
        return [e]
    try:
        listed: Any = factor_list(fraction(together(e))[0])
    except PolynomialError:
        return [e]
    return [factor for factor, _ in listed[1]]


def _upright(e: Formula) -> Formula:
    return -e if e.could_extract_minus_sign() else e


@lru_cache(maxsize=4096)
def may_vanish(e: Formula) -> bool:
    """Whether it may be 0 on more than single points, as x + |x| and 1 + sign(x) are."""
    if not e.has(*SWITCHING) or is_positive(e):
        return False
    if isinstance(e, Mul):
        return any(map(may_vanish, e.args))
    if isinstance(e, Pow | Abs | sign):
        return may_vanish(e.args[0])
    if isinstance(e, Add | Max) and all(map(is_nonnegative, e.args)):
        return all(x == 0 or may_vanish(x) for x in e.args)
    if isinstance(e, ExprWithLimits) and is_nonnegative(e.function):
        return may_vanish(e.function)
    branches = list(islice(_branches(e), MOST_BRANCHES + 1))
    return len(branches) > MOST_BRANCHES or not all(differ(branch, Integer(0)) for branch in branches)


def _branches(e: Formula) -> Iterator[Formula]:
    """The formulas without switches that it is on parts of its domain; 0 for what is not told."""
    switches = e.atoms(*SWITCHING, ExprWithLimits)
    if not any(x.has(*SWITCHING) for x in switches):
        yield e
        return
    part = max((x for x in switches if x.has(*SWITCHING)), key=lambda x: (x.count_ops(), str(x)))  # in no other
    for value in _values(part):
        yield from _branches(e.xreplace({part: value})) if value is not None else [Integer(0)]


def _values(part: Any) -> list[Any]:
    """The formulas that a switch is, each on a part of its domain; None for one that is not told."""
    if isinstance(part, Abs):
        return [part.args[0], -part.args[0]]
    if isinstance(part, sign):
        return [*map(Integer, (1, -1)), *([Integer(0)] if may_vanish(part.args[0]) else [])]
    if isinstance(part, Max | Min):
        return [*part.args]
    cases: Any = part.args
    return [value for value, _ in cases] if isinstance(part, Piecewise) else [None]


def _divisors(e: Formula) -> list[Formula]:
    """The divisors in it, and the arguments of sign: where these are 0 it is not defined."""
    powers = [power.base for power in e.atoms(Pow) if power.exp.could_extract_minus_sign()]
    return [*powers, *(s.args[0] for s in e.atoms(sign))]


def _without_extremes(e: Formula) -> Formula:
    """The formula with max(a, b) = (a + b + |a − b|)/2 and min(a, b) = (a + b − |a − b|)/2."""

    def of_two(e: Any, sign: int) -> Formula:
        a, b = e.args
        return (a + b + sign * Abs(a - b)) / 2

    written: Any = e.replace(
        lambda x: isinstance(x, Max | Min) and len(x.args) == 2, lambda x: of_two(x, 1 if isinstance(x, Max) else -1)
    )
    return written


@lru_cache(maxsize=4096)
def _vanishes(expression: Formula, signs_at_zero: bool = False) -> bool:
    form = _NormalForm(signs_at_zero)
    return form.is_zero(form.of(expression))


def same(left: Any, right: Any) -> bool:
    """Whether two expressions are shown to be equal."""
    left, right = sympify(left), sympify(right)
    return left == right or (not differ(left, right) and is_zero(Add(left, -right)))


def _anonymous(e: Formula) -> dict[Symbol, Symbol]:
    """Numbered names for its symbols, in their order, so that a result for step 3 is remembered for step 4.

    A formula without symbols of a step keeps its own, since renaming takes as long as a short proof.
    """
    symbols = sorted((s for s in e.free_symbols if s.is_Symbol), key=lambda s: (type(s).__name__, s.name))
    if not any(NUMBERED.search(s.name) for s in symbols if not isinstance(s, Rate)):
        return {}
    return {s: s.func(f"_s{k}", **({} if isinstance(s, Rate) else s.assumptions0)) for k, s in enumerate(symbols)}


def factors_of(e: Formula) -> tuple[Any, list[tuple[Formula, int]]]:
    """A polynomial's number and its factors with their powers.

    One that is linear in a symbol, a·x + b, is a product of gcd(a, b) and of what has no factors; a search for these
    would take minutes where there are many symbols.
    """
    listed: Any
    polynomial: Any = e.as_poly()
    if polynomial is None or not (polynomial.domain.is_ZZ or polynomial.domain.is_QQ):
        listed = factor_list(e)
        return listed
    degrees = zip(polynomial.gens, polynomial.degree_list(), strict=True)
    linear = next((x for x, degree in degrees if degree == 1), None)
    if linear is None:
        listed = factor_list(e)
        return listed
    a: Any = Poly(polynomial.as_expr().coeff(linear, 1), *polynomial.gens, domain=polynomial.domain)
    shared: Any = gcd(a, polynomial - a * linear)
    rest: Any = quo(polynomial, shared)
    number, rest = rest.primitive()
    turn = -1 if rest.LC() < 0 else 1
    outside, factors = factors_of(shared.as_expr()) if not shared.is_ground else (shared.as_expr(), [])
    return turn * number * outside, [*factors, ((turn * rest).as_expr(), 1)]


class _NormalForm:
    """The normal form of expressions: rational functions over atoms.

    Attributes:
        atoms: the symbol of each atom, by a key that is the same for equal atoms.
        equations: for roots and absolute values a power n and the formula that atomⁿ equals.
        contents: the expression that each atom stands for.
        signs_at_zero: whether sign(x) is an atom, of which nothing else is known, so that all holds where x is 0 too;
            else it is x/|x|.
    """

    def __init__(self, signs_at_zero: bool = False):
        self.signs_at_zero = signs_at_zero
        self.atoms: dict[Hashable, Symbol] = {}
        self.equations: dict[Symbol, tuple[int, Formula]] = {}
        self.contents: dict[Symbol, Any] = {}
        self._forms: dict[Any, Formula] = {}

    def is_zero(self, e: Formula) -> bool:
        """Whether a rational function of symbols and atoms is 0."""
        above, below = fraction(together(e))
        return self.vanishes(above) and not self.vanishes(below)

    def vanishes(self, polynomial: Formula) -> bool:
        """Whether it is 0 by the atoms' equations, the latest atom's first, since it may contain earlier atoms."""
        polynomial = expand(polynomial)
        for atom in reversed(self.equations):
            if polynomial.has(atom):
                return all(
                    self.vanishes(fraction(together(rest))[0]) for rest in self._rests(polynomial, atom).values()
                )
        return polynomial == 0

    def _rests(self, polynomial: Formula, atom: Symbol) -> dict[int, Formula]:
        """The coefficients of an atom's powers, which its equation takes down."""
        power, value = self.equations[atom]
        rests: dict[int, Formula] = {}
        for (n,), coefficient in Poly(polynomial, atom).terms():
            rests[n % power] = rests.get(n % power, Integer(0)) + coefficient * value ** (n // power)
        return rests

    def _reduced(self, polynomial: Formula) -> Formula:
        """The polynomial with the squares of absolute values taken down, the latest atom's first."""
        for atom in reversed(self.equations):
            if isinstance(self.contents[atom], Abs) and polynomial.has(atom):
                polynomial = Add(*(rest * atom**n for n, rest in self._rests(polynomial, atom).items()))
        return polynomial

    def of(self, e: Any) -> Formula:
        """The expression as a rational function of symbols and atoms."""
        if e not in self._forms:
            self._forms[e] = self._of(e)
        return self._forms[e]

    def _of(self, e: Any) -> Formula:
        if e.is_Rational or e.is_Symbol:
            return e
        if e.is_number and not e.is_finite:
            return self._atom(e, e)
        if e.is_Add or e.is_Mul:
            return e.func(*map(self.of, e.args))
        if isinstance(e, Pow) or e.func.__name__ == "exp":
            return self._power(*((E, e.args[0]) if e.func.__name__ == "exp" else e.args))
        if isinstance(e, Abs):
            return self._absolute(self.of(e.args[0]))
        if isinstance(e, sign):
            inner = self.of(e.args[0])
            return self._sign(inner) if self.signs_at_zero else inner / self._absolute(inner)
        if isinstance(e, Max):
            return self._maximum([cancel(self.of(a)) for a in e.args])
        if isinstance(e, Min):
            return -self._maximum([cancel(-self.of(a)) for a in e.args])
        if isinstance(e, ExprWithLimits):
            return self._over_index(e)
        if isinstance(e, Piecewise):
            return self._cases(e)
        if isinstance(e, Indexed):
            return self._atom((e.base, *map(self.of, e.indices)), e, sign_of(e))
        inner = tuple(cancel(self.of(a)) if isinstance(a, Expr) else a for a in e.args)
        return self._atom((e.func, *inner) if e.args else e, e)

    def _atom(self, key: Hashable, content: Any, sign: int = REAL, *, is_rate: bool = False) -> Symbol:
        if key not in self.atoms:
            name, known = f"_{len(self.atoms)}", {POSITIVE: "positive", NONNEGATIVE: "nonnegative", REAL: "real"}[sign]
            self.atoms[key] = Rate(name) if is_rate else Symbol(name, **{known: True})
            self.contents[self.atoms[key]] = content
        return self.atoms[key]

    def _condition(self, condition: Any) -> Hashable:
        if getattr(condition, "is_Relational", False):
            upward = condition.reversed if condition.rel_op in (">", ">=") else condition
            return upward.rel_op, cancel(self.of(upward.lhs - upward.rhs))
        if condition.args:
            return condition.func, *map(self._condition, condition.args)
        return condition

    def _power(self, base: Formula, exponent: Formula) -> Formula:
        if base.is_Mul and exponent.free_symbols and exponent.is_integer:
            return prod((self._power(factor, exponent) for factor in base.args), start=Integer(1))
        if isinstance(base, Pow) and base.exp.is_Integer and exponent.is_integer:
            return self._power(base.base, expand(base.exp * exponent))
        inner = self.of(base) if base is not E else base
        result: Formula = Integer(1)
        terms: Any = Add.make_args(expand(exponent))
        can_split = base is E or is_nonnegative(inner)  # (x^a)^b = x^(ab) is false for negative x
        for term in terms:
            number: Any
            rest: Any
            number, rest = term.as_coeff_Mul() if can_split or term.is_Rational else (Integer(1), term)
            if rest == 1 and base is not E:
                result *= self._root(inner, number.q) ** number.p
                continue
            known = E if base is E else cancel(inner)
            in_unit = (isinstance(inner, Rate) or _is_proper_fraction(inner)) and sign_of(rest) == POSITIVE
            key = ("power", known, self.of(rest))
            factor = self._atom(key, Pow(base, rest), sign_of(Pow(inner, rest)), is_rate=in_unit)
            result *= self._root(factor, number.q) ** number.p
        return result

    def _root(self, base: Formula, degree: int) -> Formula:
        """The root of that degree, taken of each factor by itself where that is known not to be negative."""
        if degree == 1:
            return base
        outside: Formula = Integer(1)
        unknown: Formula = Integer(1)
        for factor, power in self._factors(base):
            if is_nonnegative(factor):
                outside *= factor ** (power // degree) * self._root_atom(factor, degree) ** (power % degree)
            elif degree % 2 == 0 and power % degree == 0:
                outside *= self._absolute(factor) ** (power // degree)
            else:
                unknown *= factor**power
        return outside if unknown == 1 else outside * self._root_atom(unknown, degree)

    def _root_atom(self, radicand: Formula, degree: int) -> Formula:
        if radicand == 1:
            return radicand
        content = Pow(radicand, Rational(1, degree), evaluate=False)  # evaluating it is slow
        root = self._atom(("root", radicand, degree), content, sign_of(content))
        self.equations[root] = degree, radicand
        return root

    def _absolute(self, inner: Formula) -> Formula:
        result: Formula = Integer(1)
        for factor, power in self._factors(inner):
            if is_nonnegative(factor) or power % 2 == 0 or factor == -1:
                result *= Integer(1) if factor == -1 else factor**power
                continue
            size = self._atom(("abs", factor), Abs(factor), NONNEGATIVE)
            self.equations[size] = 2, factor**2
            result *= size**power
        return result

    def _sign(self, inner: Formula) -> Formula:
        result: Formula = Integer(1)
        for factor, power in self._factors(inner):
            if factor == -1:
                result *= factor**power
            elif not is_positive(factor):
                result *= self._atom(("sign", factor), sign(factor)) ** abs(power)
        return result

    def _factors(self, e: Formula) -> list[tuple[Formula, Any]]:
        """The factors with their powers, numbers included; a negative factor f is given as −f, with a factor −1."""
        powers_of: list[tuple[Formula, Any]] = []
        negative = 0
        for part, turn in zip(fraction(cancel(e)), (1, -1), strict=True):
            number, factors = factors_of(part)
            negative += bool(number.is_negative)
            for n, outer in ((abs(number.p), turn), (number.q, -turn)):
                powers_of += [(Integer(p), k * outer) for p, k in factorint(n, limit=FACTORED_UP_TO).items()]
            for factor, power in factors:
                turned = not is_nonnegative(factor) and is_nonnegative(-factor)
                negative += turned * power
                powers_of.append((-factor if turned else factor, power * turn))
        return [*powers_of, *([(Integer(-1), 1)] if negative % 2 else [])]

    def _cases(self, e: Any) -> Formula:
        """Cases as a multiple of an extreme where they amount to one; else as an atom, with shared factors in front."""
        forms = [self.of(value) for value, _ in e.args]
        *conditions, last = [condition for _, condition in e.args]
        if last is S.true and len(conditions) == 1 and (extreme := self._extreme(conditions[0], *forms)) is not None:
            return extreme
        values = [cancel(form) for form in forms]
        shared = self._shared(values)
        inner = [cancel(value / shared) for value in values]
        return shared * self._atom(("cases", *zip(inner, map(self._condition, (*conditions, last)), strict=True)), e)

    def _extreme(self, condition: Any, within: Formula, without: Formula) -> Formula | None:
        """Two cases as an extreme: f·x^n where x < y and f·y^n elsewhere as f·min(x, y)^n, else f·max(x, y)^n."""
        if not isinstance(condition, Gt | Ge | Lt | Le):
            return None
        low, high = self.of(condition.lts), self.of(condition.gts)
        powers = (1, 2) if is_nonnegative(low) and is_nonnegative(high) else (1,)
        for n, (at_low, at_high, turn) in product(powers, ((within, without, -1), (without, within, 1))):
            for value, side in ((at_high, high), (at_low, low)):
                factor = value / side**n if is_positive(side) else Integer(0)
                if factor != 0 and self.is_zero(at_low - factor * low**n) and self.is_zero(at_high - factor * high**n):
                    return factor * (turn * self._maximum([cancel(turn * low), cancel(turn * high)])) ** n
        return None

    def _shared(self, values: list[Formula]) -> Formula:
        """The factor that some values have in common, with the sign of the first of them that is not 0."""
        above, below = zip(*map(fraction, [value for value in values if value != 0] or [Integer(1)]), strict=True)
        shared = gcd_list(above) / gcd_list(below)
        return -shared if above[0].could_extract_minus_sign() else shared

    def _maximum(self, values: list[Formula]) -> Formula:
        """The greatest of some values, with their common factors and their divisors in front where these are ≥ 0."""
        if any(value != 0 and is_nonnegative(value) for value in values):
            values = [value for value in values if value != 0]
        if len(values) == 1:
            return values[0]
        divisor = self._nonnegative_part(lcm_list([fraction(value)[1] for value in values]))
        values = [cancel(value * divisor) for value in values]
        above = [fraction(value)[0] for value in values if value != 0]
        shared = self._nonnegative_part(gcd_list(above or [Integer(1)]))
        inner = frozenset(cancel(value / shared) for value in values)
        return shared / divisor * self._atom(("max", inner), Max(*inner), max(map(sign_of, inner)))

    def _nonnegative_part(self, e: Formula) -> Formula:
        """The product of the factors that are known not to be negative."""
        return prod((f**k for f, k in self._factors(e) if is_nonnegative(f)), start=Integer(1))

    def _over_index(self, e: Formula) -> Formula:
        """A sum, term by term and with the factors without the index in front; a product or a maximum is an atom."""
        *within, (index, low, high) = e.limits
        function = e.func(e.function, *within) if within else e.function
        offset, end = high.as_coeff_Add()
        if isinstance(e, Sum) and end.is_Symbol and -SHIFTS <= offset < 0:
            left_out = [function.subs(index, end - n) for n in range(-int(offset))]
            return self.of(Sum(function, (index, low, end))) - sum(map(self.of, left_out), Integer(0))
        own = Symbol(f"_i{_depth(function)}", integer=True, positive=True)  # the same for all sums that are as deep
        inner = self.of(function.xreplace({index: own}))
        bounds = self.of(low), self.of(high)
        if not isinstance(e, Sum):
            sign = min(sign_of(inner), NONNEGATIVE)
            return self._atom((e.func, cancel(inner), *bounds), e.xreplace({index: own}), sign)
        above, below = fraction(cancel(inner))
        if any(isinstance(self.contents[atom], Abs) for atom in below.free_symbols & self.equations.keys()):
            above, below = fraction(cancel(self._reduced(above) / self._reduced(below)))
        below = factored(below)
        result: Formula = Integer(0)
        for term in Add.make_args(expand(above)):
            outside, inside = (term / below).as_independent(*self._moving(term / below, own), as_Add=False)
            content = Sum(inside, (own, *bounds))
            result += outside * self._atom(("sum", cancel(inside), *bounds), content, sign_of(content))
        return result

    def _moving(self, e: Formula, index: Symbol) -> list[Symbol]:
        """The symbols and atoms in it that depend on the index."""
        return [s for s in e.free_symbols if s == index or self._moves(s, index)]

    def _moves(self, atom: Any, index: Symbol) -> bool:
        return atom in self.contents and bool(
            index in self.contents[atom].free_symbols or self._moving(self.contents[atom], index)
        )


def _depth(e: Formula) -> int:
    """The number of sums within sums."""
    return max((len(s.limits) + _depth(s.function) for s in e.atoms(ExprWithLimits)), default=0)


def _is_proper_fraction(e: Formula) -> bool:
    return bool(e.is_Rational and e.is_positive and (1 - e).is_positive)
