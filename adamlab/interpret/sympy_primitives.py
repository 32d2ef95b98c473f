"""The meaning of elementwise primitives on SymPy's expressions; integers and truths are mostly Python's own."""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from sympy import (
    Abs,
    And,
    E,
    Expr,
    Integer,
    Mul,
    Not,
    Or,
    Pow,
    Rational,
    S,
    Xor,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cbrt,
    ceiling,
    conjugate,
    cos,
    cosh,
    digamma,
    erf,
    erfc,
    erfinv,
    exp,
    floor,
    gamma,
    im,
    log,
    nsimplify,
    pi,
    re,
    sign,
    sin,
    sinh,
    sqrt,
    sympify,
    tan,
    tanh,
)
from sympy.core.function import Application
from sympy.core.mod import Mod as SympyMod
from sympy.logic.boolalg import Boolean
from sympy.utilities.iterables import sift

from adamlab.interpret.constants import Constant
from adamlab.interpret.integers import BEYOND, OPERATIONS
from adamlab.interpret.jaxpr import UnreadableError
from adamlab.interpret.signs import is_nonnegative, is_positive
from adamlab.types import Formula


def is_condition(e: Any) -> bool:
    """Whether a value is a condition in symbols."""
    return isinstance(e, Boolean) and not isinstance(e, Expr)  # a SymPy symbol is a Boolean too


def truth(e: Any) -> Any:
    """A settled condition as a Python truth, any other value as it is."""
    return bool(e) if e in (S.true, S.false) else e


FACTORS: dict[str, Formula] = {
    "1": S.One,
    "pi": pi,
    "e": E,
    "log 2": log(2),
    "log 10": log(10),
    "inf": S.Infinity,
    "nan": S.NaN,
}


def exact_number(constant: int | Constant) -> Formula:
    """A whole number, or a constant of the code, in SymPy's numbers."""
    if isinstance(constant, int):
        return Integer(int(constant))
    ratio = Rational(constant.ratio.numerator, constant.ratio.denominator)
    size = Abs(ratio) * FACTORS[constant.of] ** constant.power
    return sign(ratio) * (sqrt(size) if constant.is_root else size)


def towards_zero(number: Formula) -> Any:
    """The number rounded towards 0; 0 for NaN, and beyond all integers for an infinity."""
    if number in (S.NaN, S.Infinity, S.NegativeInfinity):
        return 0 if number is S.NaN else BEYOND * int(sign(number))
    rounded = floor(number) if is_nonnegative(number) else sign(number) * floor(Abs(number))
    return int(rounded) if rounded.is_Integer else rounded


def exponential(x: Any) -> Any:
    """The exponential e^x, with b^n for e^(n·log b)."""
    logarithms, others = sift(Mul.make_args(x), lambda factor: isinstance(factor, log), binary=True)
    if len(logarithms) == 1:
        return Pow(logarithms[0].args[0], Mul(*others))
    return exp(x)


def _is_negative(x: Formula) -> bool:
    return bool(x.is_extended_negative) if x.is_number else not is_nonnegative(x) and is_positive(-x)


def _real(function: Callable[..., Any], values: Mapping[Any, Any] | None = None) -> Callable[..., Any]:
    """The function on the reals: NaN where it is known to be undefined or complex.

    Args:
        function: a function of SymPy.
        values: its values where SymPy has others than JAX, such as at poles.
    """

    def on_reals(*numbers):
        if len(numbers) == 1 and values and numbers[0] in values:
            return values[numbers[0]]
        value = function(*numbers)
        return S.NaN if value.is_number and value.is_extended_real is False else value

    return on_reals


def _of_nonnegative(function: Callable[..., Any], values: Mapping[Any, Any] | None = None) -> Callable[..., Any]:
    """The function on the reals that is undefined below 0."""
    real = _real(function, values)
    return lambda x: S.NaN if _is_negative(x) else real(x)


def _divide(a: Any, b: Any) -> Any:
    return a / b if b != 0 else S.Infinity * sign(a)


def _power(base: Any, exponent: Any) -> Any:
    """The power x^y; at 0, 1, ∞ and NaN as in C."""
    x: Formula
    y: Formula
    x, y = sympify(base), sympify(exponent)
    if x is S.One:
        return S.One
    if x is S.Zero and _is_negative(y):
        return S.Infinity
    if x.is_number and y.is_number and not (x.is_finite and y.is_finite):
        return nsimplify(math.pow(x, y))
    if y.is_Rational and not y.is_Integer and _is_negative(x):
        return S.NaN
    return _real(Pow)(x, y)


def _remainder(a: Any, b: Any) -> Any:
    if b == 0 or a in (S.Infinity, S.NegativeInfinity):
        return S.NaN
    return a if b in (S.Infinity, S.NegativeInfinity) else _symbolic_remainder(a, b)


class Mod(SympyMod):
    """The remainder of one formula by another, which stays as it stands but for sums of powers and other remainders.

    SymPy's own simplifies more, and wrongly: it has 3·mod(x, 5) for mod(3·mod(x, 5), 5), squares the inner remainder
    where the divisors differ, and has 0 for the remainder of cases by 6 of which one is 4.
    """

    @classmethod
    def eval(cls, p: Any, q: Any) -> Any:
        """The simpler form of the remainder of p by q; None where it stays as it stands."""
        is_plain = isinstance(p, SympyMod) or not p.has(Application)
        return super().eval(p, q) if is_plain and not q.is_zero else None  # by 0 SymPy raises an error


def _symbolic_remainder(a: Any, b: Any) -> Any:
    return Mod(Abs(a), Abs(b)) * (sign(a) if not is_nonnegative(sympify(a)) else 1)


def _round(x: Any, rounding_method: Any) -> Any:
    """The nearest integer; a half goes away from 0, or to the even integer."""
    if not x.is_finite:
        return x
    if not x.is_number:
        raise UnreadableError("round", why="the integers that are next to formulas are not known")
    size = Abs(x)
    nearest = floor(size + S.Half)
    is_tie = int(rounding_method) == 1 and nearest - size == S.Half
    return sign(x) * (nearest - 1 if is_tie and nearest % 2 else nearest)


def _atan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y), also where it is 0 or infinite."""
    if S.NaN in (x, y) or x == y == 0:
        return S.NaN if S.NaN in (x, y) else S.Zero
    if x is S.Infinity and y.is_finite:
        return S.Zero
    if x is S.NegativeInfinity and y.is_finite:
        return -pi if _is_negative(y) else pi
    return atan2(sign(y), sign(x) if x.is_infinite else S.Zero) if y.is_infinite else atan2(y, x)


def _sign(x: Any) -> Any:
    return (x > 0) - (x < 0) if isinstance(x, int) else sign(x)


def _of_integers(name: str, in_symbols: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """An operation on integers, and on formulas for integers where it has a meaning for them."""

    def operate(*numbers, **types):
        plain = [int(x) if getattr(x, "is_Integer", False) else x for x in numbers]
        if all(isinstance(x, int) for x in plain):
            return OPERATIONS[name](*plain, **types)
        if in_symbols is None:
            raise UnreadableError(name.removeprefix("integer "), why="its integers depend on what is read")
        return in_symbols(*numbers, **types)

    return operate


def _logical(
    name: str, of_conditions: Callable[..., Any], in_symbols: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """A logical operation on truths and conditions, and on integers bit by bit."""
    of_integers = _of_integers(name, in_symbols)

    def operate(*sides):
        is_logical = any(map(is_condition, sides))
        return truth(of_conditions(*map(sympify, sides))) if is_logical else of_integers(*sides)

    return operate


COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}

BOTH_ENDS = dict.fromkeys((S.Infinity, S.NegativeInfinity), S.NaN)
"""The values of periodic functions at the infinities."""

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "acos": _real(acos),
    "acosh": _real(acosh, {S.NegativeInfinity: S.NaN}),
    "add": operator.add,
    "add_any": operator.add,
    "and": _logical("and", And),
    "asin": _real(asin),
    "asinh": asinh,
    "atan": atan,
    "atan2": _atan2,
    "atanh": _real(atanh),
    "cbrt": lambda x: cbrt(x) if is_nonnegative(x) else sign(x) * cbrt(Abs(x)),
    "ceil": ceiling,
    "clz": _of_integers("clz"),
    "complex": lambda a, b: a + S.ImaginaryUnit * b,
    "complex div": operator.truediv,
    "complex log": log,
    "complex pow": Pow,
    "complex rsqrt": lambda x: 1 / sqrt(x),
    "complex sqrt": sqrt,
    "conj": conjugate,
    "cos": _real(cos, BOTH_ENDS),
    "cosh": cosh,
    "digamma": _real(digamma, {S.NegativeInfinity: S.NaN}),
    "div": _divide,
    "erf": erf,
    "erf_inv": lambda x: S.NaN if x is S.NaN or _is_negative(1 - Abs(x)) else erfinv(x),
    "erfc": erfc,
    "exp": exponential,
    "exp2": lambda x: Integer(2) ** x,
    "floor": floor,
    "imag": im,
    "integer div": _of_integers("integer div", lambda a, b: towards_zero(Rational(1) * a / b) if b != 0 else -1),
    "integer rem": _of_integers("integer rem", lambda a, b: _symbolic_remainder(a, b) if b != 0 else a),
    "integer_pow": lambda x, y: x**y if isinstance(x, int) else _power(x, y),
    "is_finite": lambda x: x not in (S.Infinity, S.NegativeInfinity, S.NaN),
    "lgamma": _real(lambda x: log(Abs(gamma(x))), {S.NegativeInfinity: S.Infinity}),
    "log": _of_nonnegative(log, {S.Zero: S.NegativeInfinity}),
    "logistic": lambda x: 1 / (1 + exp(-x)),
    "mul": operator.mul,
    "neg": operator.neg,
    "not": _logical("not", Not, lambda a: -a - 1),
    "or": _logical("or", Or),
    "population_count": _of_integers("population_count"),
    "pow": _power,
    "real": re,
    "rem": _remainder,
    "round": _round,
    "rsqrt": _of_nonnegative(lambda x: 1 / sqrt(x), {S.Zero: S.Infinity}),
    "shift_left": _of_integers("shift_left"),
    "shift_right_arithmetic": _of_integers("shift_right_arithmetic"),
    "shift_right_logical": _of_integers("shift_right_logical"),
    "sign": _sign,
    "sin": _real(sin, BOTH_ENDS),
    "sinh": sinh,
    "sqrt": _of_nonnegative(sqrt),
    "square": lambda x: x**2,
    "tan": _real(tan, BOTH_ENDS),
    "tanh": tanh,
    "xor": _logical("xor", Xor),
}
