"""The algebra of the exact oracle: floats are mpmath's, with as many digits as are asked for."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
from mpmath import libmp, mp, mpc, mpf

from adamlab.interpret.constants import Constant
from adamlab.interpret.integers import BEYOND, OPERATIONS
from adamlab.interpret.jaxpr import Algebra, UnreadableError

NAN, INFINITY, ZERO = mpf("nan"), mpf("inf"), mpf(0)

FACTORS: dict[str, Any] = {
    "1": mpf(1),
    "pi": mpmath.pi,
    "e": mpmath.e,
    "log 2": mpmath.ln2,
    "log 10": mpmath.ln10,
    "inf": INFINITY,
    "nan": NAN,
}

GUARD = 20
"""The digits to compute with beyond those that are asked for."""

NOISE = 33
"""The last bits of the present precision, half of the guard, that rounding errors may have reached."""


class Exact(Algebra):
    """Real and complex numbers at mpmath's present precision; a value that is not real is NaN, as in floating point.

    What cancels down to the rounding errors of its operands is 0.
    """

    @property
    def elementwise(self) -> Mapping[str, Callable[..., Any]]:
        """The meaning of every elementwise primitive, by its name in JAX."""
        return ELEMENTWISE

    def number(self, constant: int | Constant) -> Any:
        """The number in the digits of the present precision."""
        if isinstance(constant, int):
            return mpf(constant)
        ratio = mpf(constant.ratio.numerator) / constant.ratio.denominator
        size = abs(ratio) * FACTORS[constant.of] ** constant.power
        return mpmath.sign(ratio) * (mpmath.sqrt(size) if constant.is_root else size)

    def whole(self, number: Any) -> int:
        """The number rounded towards 0."""
        if not mpmath.isfinite(number):
            return 0 if mpmath.isnan(number) else int(mpmath.sign(number)) * BEYOND
        return int(_rounded(int)(number))

    def select(self, which: Any, cases: Sequence[Any]) -> Any:
        """The case at an index."""
        return cases[int(which)]

    def combined(self, name: str, entries: Sequence[Any]) -> Any:
        """Several numbers combined; a sum cancels as a whole."""
        is_sum = name == "add" and isinstance(entries[0], (mpf, mpc))
        return _settled(mpmath.fsum(entries), *entries) if is_sum else super().combined(name, entries)


def _settled(total: Any, *terms: Any) -> Any:
    """A sum, which is 0 where its terms cancel down to their rounding errors."""
    if not total or not mpmath.isfinite(total):
        return total
    return total * 0 if mp.mag(total) <= max(map(mp.mag, terms)) - mp.prec + NOISE else total


def _add(a: Any, b: Any) -> Any:
    if type(a) is mpf is type(b):
        return _sum(a._mpf_, b._mpf_)
    return a + b if isinstance(a, int) else _settled(a + b, a, b)


def _subtract(a: Any, b: Any) -> Any:
    if type(a) is mpf is type(b):
        return _sum(a._mpf_, libmp.mpf_neg(b._mpf_))
    return a - b if isinstance(a, int) else _settled(a - b, a, b)


def _sum(a: Any, b: Any) -> Any:
    """`_settled` for two reals, as mpmath has them inside: sign, mantissa, exponent, bits of the mantissa."""
    total = libmp.mpf_add(a, b, mp.prec, "n")
    _, mantissa, exponent, bits = total
    if mantissa and a[1] and b[1] and exponent + bits <= max(a[2] + a[3], b[2] + b[3]) - mp.prec + NOISE:
        return ZERO
    return mp.make_mpf(total)


def _multiply(a: Any, b: Any) -> Any:
    if type(a) is mpf is type(b):
        return mp.make_mpf(libmp.mpf_mul(a._mpf_, b._mpf_, mp.prec, "n"))
    return a * b


def _is_plain(x: Any) -> bool:
    """Whether a number is real, finite and not 0, so that mpmath's inner functions can take it as it is."""
    return type(x) is mpf and bool(x._mpf_[1])


def _check_ordered(name: str, *numbers: Any):
    if any(isinstance(x, mpc) for x in numbers):
        raise UnreadableError(name, why="complex numbers have no order here")


def _compared(relation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    """A relation in which numbers that differ by rounding errors only are equal."""

    def compare(a, b):
        if relation not in (operator.eq, operator.ne):
            _check_ordered(relation.__name__, a, b)
        difference = _subtract(a, b) if isinstance(a, (mpf, mpc)) else None
        is_plain = difference is None or not mpmath.isfinite(difference)
        return bool(relation(a, b) if is_plain else relation(difference, 0))

    return compare


def _in_total_order(relation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def compare(a, b):
        if mpmath.isnan(a) or mpmath.isnan(b):
            raise UnreadableError("lt_to", why="JAX places a NaN by its sign, which is not read")
        return _compared(relation)(a, b)

    return compare


def _rounded(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A way of rounding to integers, which takes a number next to an integer for that integer."""

    def round_to_integer(x):
        if not mpmath.isfinite(x):
            return x
        nearest = mpmath.nint(x)
        return nearest if _subtract(x, nearest) == 0 else mpf(function(x))

    return round_to_integer


def _round(x: Any, rounding_method: Any) -> Any:
    """The nearest integer; a half goes away from 0, or to the even integer."""
    if int(rounding_method) == 1:
        return _rounded(mpmath.nint)(x)
    return mpmath.sign(x) * _rounded(lambda size: mpmath.floor(size + 0.5))(abs(x))


def _real(function: Callable[..., Any], limits: Mapping[Any, Any] | None = None) -> Callable[..., Any]:
    """The function on the reals: NaN where its value would be complex, or where an argument is NaN.

    Args:
        function: a function of mpmath.
        limits: its values where mpmath raises, such as at poles; NaN at others.
    """

    def on_reals(*numbers):
        is_complex = any(isinstance(x, mpc) for x in numbers)
        if any(mpmath.isnan(x) for x in numbers):
            return mpc(NAN, NAN) if is_complex else NAN
        if not is_complex and len(numbers) == 1 and limits and numbers[0] in limits:
            return mpf(limits[numbers[0]])
        try:
            value = function(*numbers)
        except (ValueError, ZeroDivisionError):
            value = NAN
        return mpc(value) if is_complex else NAN if isinstance(value, mpc) else value

    return on_reals


def _divide(a: Any, b: Any) -> Any:
    if _is_plain(a) and _is_plain(b):
        return mp.make_mpf(libmp.mpf_div(a._mpf_, b._mpf_, mp.prec, "n"))
    if b != 0:
        return a / b
    if isinstance(b, mpc):
        return mpc(NAN, NAN)
    return NAN if a == 0 or mpmath.isnan(a) else INFINITY * mpmath.sign(a)


_root_on_reals = _real(mpmath.sqrt)


def _root(x: Any) -> Any:
    if _is_plain(x) and x > 0:
        return mp.make_mpf(libmp.mpf_sqrt(x._mpf_, mp.prec, "n"))
    return _root_on_reals(x)


def _remainder(a: Any, b: Any) -> Any:
    if b == 0 or not mpmath.isfinite(a) or mpmath.isnan(b):
        return NAN
    return a if mpmath.isinf(b) else _subtract(a, b * _rounded(int)(a / b))


def _power(x: Any, y: Any) -> Any:
    """The power x^y; at 0, 1, ∞ and NaN as in C."""
    if type(y) is int and _is_plain(x):
        return mp.make_mpf(libmp.mpf_pow_int(x._mpf_, y, mp.prec, "n"))
    if isinstance(x, (int, mpc)):
        return mpf("inf") if x == 0 and y.real < 0 else x**y
    if y == 0 or x == 1:
        return mpf(1)
    if mpmath.isnan(x) or mpmath.isnan(y):
        return NAN
    if mpmath.isinf(y):
        return mpf(1) if x == -1 else INFINITY if (abs(x) > 1) == (y > 0) else mpf(0)
    is_odd = mpmath.isint(y) and int(y) % 2 == 1
    if x == 0 or mpmath.isinf(x):
        size = INFINITY if (x == 0) == (y < 0) else mpf(0)
        return -size if x < 0 and is_odd else size
    return x**y if x > 0 or mpmath.isint(y) else NAN


def _extreme(pick: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(a, b):
        _check_ordered(pick.__name__, a, b)
        return NAN if mpmath.isnan(a) or mpmath.isnan(b) else pick(a, b)

    return extreme


MAX, MIN = _extreme(max), _extreme(min)


def _atan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y), also where both are infinite."""
    if mpmath.isinf(x) and mpmath.isinf(y):
        x, y = mpmath.sign(x), mpmath.sign(y)
    return mpmath.atan2(y, x)


def _log_gamma(x: Any) -> Any:
    """The logarithm of |Γ(x)|, ∞ at its poles."""
    return INFINITY if x == NEGATIVE or (x <= 0 and mpmath.isint(x)) else mpmath.re(mpmath.loggamma(x))


def _sign(x: Any) -> Any:
    return (x > 0) - (x < 0) if isinstance(x, int) else x if mpmath.isnan(x) else mpmath.sign(x)


NEGATIVE = -INFINITY
ENDS = {1: INFINITY, -1: NEGATIVE}

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    **OPERATIONS,
    "abs": abs,
    "acos": _real(mpmath.acos),
    "acosh": _real(mpmath.acosh, {INFINITY: INFINITY}),
    "add": _add,
    "add_any": _add,
    "asin": _real(mpmath.asin),
    "asinh": _real(mpmath.asinh, {INFINITY: INFINITY, NEGATIVE: NEGATIVE}),
    "atan": _real(mpmath.atan),
    "atan2": _real(_atan2),
    "atanh": _real(mpmath.atanh, ENDS),
    "cbrt": _real(lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x))),
    "ceil": _rounded(mpmath.ceil),
    "clamp": lambda low, x, high: MIN(MAX(low, x), high),
    "complex": mpc,
    "conj": lambda x: mpmath.conj(mpc(x)),
    "cos": _real(mpmath.cos),
    "cosh": _real(mpmath.cosh),
    "digamma": _real(mpmath.digamma),
    "div": _divide,
    "eq": _compared(operator.eq),
    "erf": _real(mpmath.erf),
    "erf_inv": _real(mpmath.erfinv, ENDS),
    "erfc": _real(mpmath.erfc),
    "exp": _real(mpmath.exp),
    "exp2": _real(lambda x: mpf(2) ** x),
    "expm1": _real(mpmath.expm1),
    "floor": _rounded(mpmath.floor),
    "ge": _compared(operator.ge),
    "gt": _compared(operator.gt),
    "imag": mpmath.im,
    "integer_pow": _power,
    "is_finite": mpmath.isfinite,
    "le": _compared(operator.le),
    "le_to": _in_total_order(operator.le),
    "lgamma": _real(_log_gamma),
    "log": _real(mpmath.log, {0: NEGATIVE}),
    "log1p": _real(mpmath.log1p, {-1: NEGATIVE}),
    "logistic": _real(lambda x: 1 / (1 + mpmath.exp(-x))),
    "lt": _compared(operator.lt),
    "lt_to": _in_total_order(operator.lt),
    "max": MAX,
    "min": MIN,
    "mul": _multiply,
    "ne": _compared(operator.ne),
    "neg": operator.neg,
    "pow": _power,
    "real": mpmath.re,
    "rem": _remainder,
    "round": _round,
    "rsqrt": _real(lambda x: 1 / mpmath.sqrt(x), {0: INFINITY}),
    "sign": _sign,
    "sin": _real(mpmath.sin),
    "sinh": _real(mpmath.sinh),
    "sqrt": _root,
    "square": lambda x: _multiply(x, x),
    "sub": _subtract,
    "tan": _real(mpmath.tan),
    "tanh": _real(mpmath.tanh),
}
