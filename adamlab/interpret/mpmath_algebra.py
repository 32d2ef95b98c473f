"""The algebra of the exact oracle: floats are mpmath's, with as many digits as are asked for."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
from mpmath import mp, mpc, mpf

from adamlab.interpret.jaxpr import Algebra

NAN = mpf("nan")


class Exact(Algebra):
    """Real and complex numbers at mpmath's present precision; a value that is not real is NaN, as in floating point."""

    @property
    def elementwise(self) -> Mapping[str, Callable[..., Any]]:
        """The meaning of every elementwise primitive, by its name in JAX."""
        return ELEMENTWISE

    def number(self, decimal: int | str) -> Any:
        """The number that mpmath reads."""
        return +mpmath.pi if decimal == "pi" else mpf(decimal)

    def whole(self, number: Any) -> int:
        """The number rounded towards 0."""
        return int(number)

    def select(self, which: Any, cases: Sequence[Any]) -> Any:
        """The case at an index."""
        return cases[int(which)]


def _real(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function on the reals: NaN where its value would be complex, or where an argument is NaN."""

    def on_reals(*numbers):
        if any(isinstance(x, mpf) and mpmath.isnan(x) for x in numbers):
            return NAN
        value = function(*numbers)
        return NAN if isinstance(value, mpc) and not any(isinstance(x, mpc) for x in numbers) else value

    return on_reals


def _divide(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        return int(mp.mpf(a) / b) if b else -1
    if b == 0:
        return NAN if a == 0 or mpmath.isnan(a) else mpf("inf") * mpmath.sign(a)
    return a / b


def _power(x: Any, y: Any) -> Any:
    return mpf("inf") if x == 0 and y < 0 else x**y


def _extreme(pick: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b: NAN if mpmath.isnan(a) or mpmath.isnan(b) else pick(a, b)


def _log(x: Any) -> Any:
    return mpf("-inf") if x == 0 else mpmath.log(x)


def _log1p(x: Any) -> Any:
    return mpf("-inf") if x == -1 else mpmath.log1p(x)


def _remainder(a: Any, b: Any) -> Any:
    return a - b * int(_divide(a, b)) if b else NAN


def _xor(a: Any, b: Any) -> Any:
    return a != b if isinstance(a, bool) else a ^ b


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "add": operator.add,
    "add_any": operator.add,
    "and": lambda a, b: a and b if isinstance(a, bool) else a & b,
    "cbrt": _real(lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x))),
    "ceil": mpmath.ceil,
    "clamp": lambda low, x, high: NAN if mpmath.isnan(x) else max(low, min(x, high)),
    "complex": mpc,
    "conj": mpmath.conj,
    "cos": mpmath.cos,
    "div": _divide,
    "eq": operator.eq,
    "erf": mpmath.erf,
    "exp": mpmath.exp,
    "exp2": lambda x: mpf(2) ** x,
    "expm1": mpmath.expm1,
    "floor": mpmath.floor,
    "ge": operator.ge,
    "gt": operator.gt,
    "imag": mpmath.im,
    "integer_pow": _power,
    "is_finite": mpmath.isfinite,
    "le": operator.le,
    "log": _real(_log),
    "log1p": _real(_log1p),
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
    "lt": operator.lt,
    "max": _extreme(max),
    "min": _extreme(min),
    "mul": operator.mul,
    "ne": operator.ne,
    "neg": operator.neg,
    "not": lambda a: not a if isinstance(a, bool) else ~a,
    "or": lambda a, b: a or b if isinstance(a, bool) else a | b,
    "pow": _real(_power),
    "real": mpmath.re,
    "rem": _remainder,
    "rsqrt": _real(lambda x: mpf("inf") if x == 0 else 1 / mpmath.sqrt(x)),
    "sign": lambda x: (x > 0) - (x < 0) if isinstance(x, int) else mpmath.sign(x),
    "shift_left": operator.lshift,
    "shift_right_arithmetic": operator.rshift,
    "shift_right_logical": operator.rshift,
    "sin": mpmath.sin,
    "sqrt": _real(mpmath.sqrt),
    "square": lambda x: x * x,
    "sub": operator.sub,
    "tan": mpmath.tan,
    "tanh": mpmath.tanh,
    "xor": _xor,
}
