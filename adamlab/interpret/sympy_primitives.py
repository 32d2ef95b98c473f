"""The meaning of elementwise primitives on SymPy's expressions; integers and truths are mostly Python's own."""

import operator
from collections.abc import Callable
from typing import Any

from sympy import (
    Abs,
    And,
    Expr,
    Integer,
    Mod,
    Mul,
    Not,
    Or,
    Pow,
    Rational,
    S,
    Xor,
    cbrt,
    ceiling,
    conjugate,
    cos,
    erf,
    exp,
    floor,
    im,
    log,
    pi,
    re,
    sign,
    sin,
    sqrt,
    sympify,
    tan,
    tanh,
)
from sympy.logic.boolalg import Boolean
from sympy.utilities.iterables import sift

from adamlab.interpret.signs import is_nonnegative
from adamlab.types import Formula


def is_condition(e: Any) -> bool:
    """Whether a value is a condition in symbols."""
    return isinstance(e, Boolean) and not isinstance(e, Expr)  # a SymPy symbol is a Boolean too


def truth(e: Any) -> Any:
    """A settled condition as a Python truth, any other value as it is."""
    return bool(e) if e in (S.true, S.false) else e


def _divide(a: Any, b: Any) -> Any:
    """The quotient a / b; for integers rounded towards 0."""
    return towards_zero(Rational(1) * a / b) if isinstance(a, int) or isinstance(b, int) else a / b


def towards_zero(number: Formula) -> Any:
    """The number rounded towards 0."""
    rounded = floor(number) if is_nonnegative(number) else sign(number) * floor(Abs(number))
    return int(rounded) if rounded.is_Integer else rounded


def exponential(x: Any) -> Any:
    """The exponential e^x, with b^n for e^(n·log b)."""
    logarithms, others = sift(Mul.make_args(x), lambda factor: isinstance(factor, log), binary=True)
    if len(logarithms) == 1:
        return Pow(logarithms[0].args[0], Mul(*others))
    return exp(x)


def _remainder(a: Any, b: Any) -> Any:
    remainder = Mod(Abs(a), b) * (sign(a) if not is_nonnegative(sympify(a)) else 1)
    return int(remainder) if isinstance(b, int) and remainder.is_Integer else remainder


def _logical(of_truths: Callable[..., Any], of_integers: Callable[..., Any], of_formulas: Callable[..., Any]):
    """A logical operation on truths, on integers bit by bit, and on conditions."""

    def operate(*sides):
        if all(isinstance(x, bool) for x in sides):
            return of_truths(*sides)
        if any(map(is_condition, sides)):
            return truth(of_formulas(*map(sympify, sides)))
        return of_integers(*sides)

    return operate


NAMED: dict[Any, Formula] = {"pi": pi, "inf": S.Infinity, "-inf": S.NegativeInfinity, "nan": S.NaN}

COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "add": operator.add,
    "add_any": operator.add,
    "and": _logical(operator.and_, operator.and_, And),
    "cbrt": lambda x: cbrt(x) if is_nonnegative(x) else sign(x) * cbrt(Abs(x)),
    "ceil": ceiling,
    "complex": lambda a, b: a + S.ImaginaryUnit * b,
    "conj": conjugate,
    "cos": cos,
    "div": _divide,
    "erf": erf,
    "exp": exponential,
    "exp2": lambda x: Integer(2) ** x,
    "floor": floor,
    "imag": im,
    "integer_pow": lambda x, y: x**y,
    "is_finite": lambda x: x not in (S.Infinity, S.NegativeInfinity, S.NaN),
    "log": log,
    "logistic": lambda x: 1 / (1 + exp(-x)),
    "mul": operator.mul,
    "neg": operator.neg,
    "not": _logical(operator.not_, operator.invert, Not),
    "or": _logical(operator.or_, operator.or_, Or),
    "pow": Pow,
    "real": re,
    "rem": _remainder,
    "rsqrt": lambda x: 1 / sqrt(x),
    "shift_left": operator.lshift,
    "shift_right_arithmetic": operator.rshift,
    "shift_right_logical": operator.rshift,
    "sign": sign,
    "sin": sin,
    "sqrt": sqrt,
    "square": lambda x: x**2,
    "tan": tan,
    "tanh": tanh,
    "xor": _logical(operator.xor, operator.xor, Xor),
}
