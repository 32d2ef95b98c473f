"""SymPy's expressions laid out as a person would write them.

A product with divisors becomes a single fraction, with its sign in front; the square roots in a product, which SymPy
takes apart, become a single root again: √v/√c is √(v/c), which holds wherever each of them is real.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import sympy
from sympy import (
    Abs,
    Add,
    And,
    Basic,
    Eq,
    Expr,
    Float,
    Ge,
    Gt,
    Indexed,
    IndexedBase,
    KroneckerDelta,
    Le,
    Lt,
    MatrixBase,
    Max,
    Min,
    Mul,
    Ne,
    Not,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    Sum,
    Symbol,
    Tuple,
    ceiling,
    floor,
    sstr,
    sympify,
)
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational

from adamlab.symbolic.maximum import Maximum
from adamlab.symbolic.notation.names import GREEK, name
from adamlab.symbolic.notation.nodes import (
    Big,
    Call,
    Cases,
    Fence,
    Fraction,
    Grid,
    Name,
    Node,
    Number,
    Power,
    Ratio,
    Root,
)
from adamlab.symbolic.notation.order import (
    COUNTERS,
    Level,
    in_order,
    infix,
    negative,
    paren,
    power,
    product,
    sum_of,
    total,
)
from adamlab.symbolic.partial import InOrder, Partial

BIG = {Sum: "∑", sympy.Product: "∏", Maximum: "max"}
INFIXES = {Eq: "=", Ne: "≠", Lt: "<", Le: "≤", Gt: ">", Ge: "≥", And: "∧", Or: "∨"}
CONSTANTS = {"oo": "∞", "pi": "π", "E": "e", "nan": "NaN", "True": "true", "False": "false"}
FENCES = {Abs: "||", floor: "⌊⌋", ceiling: "⌈⌉"}
SMALLEST, LARGEST = -4, 15
"""The powers of ten between which all digits of a decimal number are written out."""


@dataclass
class Quotient:
    """The factors above and below a fraction's line, and the sign in front of it."""

    is_negative: bool = False
    above: list[Node] = field(default_factory=list)
    below: list[Node] = field(default_factory=list)

    def node(self) -> Node:
        """The fraction, or the product where nothing is below, with all factors in order."""
        above = product(self.above)
        fraction = Fraction(above, product(self.below)) if self.below else above
        return negative(fraction) if self.is_negative else fraction

    def multiply(self, other: "Quotient", *, inverse: bool = False) -> None:
        """Multiply by another quotient, or by its inverse."""
        self.is_negative ^= other.is_negative
        self.above += other.below if inverse else other.above
        self.below += other.above if inverse else other.below

    def multiply_root(self, radicand: "Quotient") -> None:
        """Multiply by a root, on the side where something in it changes from step to step."""
        changes = [any(node.latest is not None for node in side) for side in (radicand.above, radicand.below)]
        inverse = not changes[0] and (changes[1] or not radicand.above)
        upright = Quotient()
        upright.multiply(radicand, inverse=inverse)
        self.multiply(Quotient(above=[Root(upright.node())]), inverse=inverse)


@dataclass(frozen=True)
class Layout:
    """The way to lay out expressions; with `superscripts` time goes on top."""

    superscripts: bool

    def of(self, e: Any) -> Node:
        """The node of an expression, a number or an array of them."""
        match e:
            case Symbol():
                return name(e.name, superscripts=self.superscripts)
            case Indexed():
                return name(str(e.base.args[0]), self._each(e.indices), superscripts=self.superscripts)
            case IndexedBase():
                return name(str(e.args[0]), superscripts=self.superscripts)
            case Rational() | Float() | Mul() | Pow():
                return self._quotient(e).node()
            case Add():
                return total(self._each(e.args))
            case Sum() | sympy.Product() | Maximum():
                return self._big(e)
            case Piecewise():
                return Cases(tuple(self._branch(*branch.args) for branch in e.args))
            case np.ndarray(ndim=0):
                return self.of(e.item())
            case np.ndarray() | list() | tuple():
                return Grid(self._each(e))
            case MatrixBase():
                return self.of(e.tolist())
            case Basic():
                return self._function(e, self._each(e.args))
            case _:
                return self.of(sympify(e, strict=True))

    def _each(self, expressions: Iterable[Any]) -> tuple[Node, ...]:
        return tuple(self.of(e) for e in expressions)

    def _branch(self, value: Basic, condition: Basic) -> tuple[Node, Node | None]:
        return self.of(value), None if condition is S.true else self.of(condition)

    def _function(self, e: Basic, arguments: tuple[Node, ...]) -> Node:
        match e:
            case Abs() | floor() | ceiling():
                left, right = FENCES[type(e)]
                return Fence(left, arguments[0], right)
            case Relational() | And() | Or():
                return infix(INFIXES[type(e)], arguments)
            case InOrder():
                return sum_of(arguments)
            case Tuple():
                return Call("", arguments)
            case Partial():
                return Ratio(*arguments)
            case KroneckerDelta():
                return Name("δ", lower=arguments)
            case Max() | Min():
                return Call(type(e).__name__.lower(), in_order(arguments))
            case Not():
                return Call("¬", arguments)
            case AppliedUndef():
                return Call(GREEK.get(type(e).__name__, type(e).__name__), arguments)
            case S.NegativeInfinity:
                return negative(Name("∞"))
            case _:
                return Call(type(e).__name__.lower(), arguments) if arguments else Name(CONSTANTS.get(str(e), str(e)))

    def _big(self, e: Any) -> Node:
        body = self.of(e.function)
        for index, low, high in e.limits:
            body = Big(BIG[type(e)], self.of(index), self.of(low), self.of(high), paren(body, Level.OPEN))
        return body

    def _quotient(self, e: Expr) -> Quotient:
        quotient, radicand = Quotient(), Quotient()
        for factor in Mul.make_args(e):
            if isinstance(factor, (Rational, Float)):
                quotient.multiply(_number(factor))
                continue
            if isinstance(factor, Mul):
                quotient.multiply(self._quotient(factor))
                continue
            base, exponent = factor.args if isinstance(factor, Pow) else (factor, S.One)
            inverse = _is_minus(exponent)
            exponent = -exponent if inverse else exponent
            if exponent is S.Half:
                radicand.multiply(self._radicand(base), inverse=inverse)
                continue
            turn = exponent.is_Integer and _is_turned(base)
            node = power(self.of(-base if turn else base), self.of(exponent))
            quotient.multiply(Quotient(turn and bool(exponent.is_odd), [node]), inverse=inverse)
        if radicand.above or radicand.below:
            quotient.multiply_root(radicand)
        return quotient

    def _radicand(self, base: Expr) -> Quotient:
        """The base of a root as a quotient, or whole where its quotient would have a minus in front."""
        quotient = self._quotient(base)
        return Quotient(above=[self.of(base)]) if quotient.is_negative else quotient


def _is_minus(e: Expr) -> bool:
    """Whether each term of an expression has a minus in front."""
    return all(term.as_coeff_Mul()[0].is_negative for term in Add.make_args(e))


def _is_turned(e: Expr) -> bool:
    """Whether a sum reads better with all signs changed: 1 − β for β − 1, but not 1 − t for t − 1."""
    if not isinstance(e, Add):
        return False
    first, *others = e.args
    counts = all(str(other) in COUNTERS for other in others)
    return bool(first.is_Number and first.is_negative and not counts) or _is_minus(e)


def _number(number: Rational | Float) -> Quotient:
    """A number as a decimal where that ends and the denominator is a multiple of 5; otherwise as a fraction."""
    is_negative = bool(number.is_negative)
    if isinstance(number, Float):
        return Quotient(is_negative, _decimal(Decimal(sstr(abs(number), full_prec=False))))
    p, q = abs(number.p), number.q
    digits, rest = divmod(p * 10 ** q.bit_length(), q)
    if q % 5 == 0 and not rest:
        return Quotient(is_negative, _decimal(Decimal(f"{digits}e-{q.bit_length()}")))
    above, below = ([] if side == 1 else [Number(str(side))] for side in (p, q))
    return Quotient(is_negative, [*above], [*below])


def _decimal(number: Decimal) -> list[Node]:
    """The digits of a decimal number; of a very large or small one, a mantissa and a power of ten."""
    exponent = number.adjusted()
    if SMALLEST <= exponent <= LARGEST:
        whole, _, places = f"{number:f}".partition(".")
        return [Number(f"{whole}.{places}".rstrip("0").rstrip("."))]
    first, *others = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    mantissa = ".".join(filter(None, [first, "".join(others)]))
    size = Number(str(abs(exponent)))
    scale = Power(Number("10"), negative(size) if exponent < 0 else size)
    return [scale] if mantissa == "1" else [Number(mantissa), scale]
