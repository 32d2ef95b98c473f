"""Formulas evaluated on numbers, as JAX would compute them with nothing rounded: real, NaN where floats are NaN."""

from collections import ChainMap
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import mpmath
from mpmath import mp, mpf
from sympy import Indexed, Integer, Piecewise, Pow, S
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import And, BooleanAtom, Not, Or, Xor

from adamlab.interpret.domains import OnDomain
from adamlab.interpret.mpmath_algebra import ELEMENTWISE, NAN, Exact

EXACT = Exact()


def evaluate(e: Any, values: Mapping[Any, Any]) -> Any:
    """The number or the truth that a formula is, for these values of its symbols and of x[1], x[2] and so on.

    Raises:
        KeyError: a symbol without a value, or a function without a meaning in numbers.
    """
    return _Evaluation(values)(e)


class _Evaluation:
    def __init__(self, values: Mapping[Any, Any]):
        self.values: Any = values
        self.known: dict[Any, Any] = {}

    def __call__(self, e: Any) -> Any:
        if e not in self.known:
            self.known[e] = self._of(e)
        return self.known[e]

    def _of(self, e: Any) -> Any:
        if e in self.values:
            return self.values[e]
        if isinstance(e, (bool, BooleanAtom)):
            return bool(e)
        if e.is_Number or e.is_NumberSymbol:
            return _number(e)
        if isinstance(e, Indexed):
            base: Any = e.base
            return self.values[base[tuple(Integer(int(self(i))) for i in e.indices)]]
        if isinstance(e, Piecewise):
            pairs: Any = e.args
            return next((self(value) for value, condition in pairs if self(condition)), NAN)
        if isinstance(e, OnDomain):
            value, domain = e.args
            return self(value) if self(domain) >= 0 else NAN
        if hasattr(e, "limits"):
            return self._over_index(e)
        numbers = [self(part) for part in e.args]
        if isinstance(e, Pow):
            return _power(e, *numbers)
        if e.is_Add:
            return _sum(numbers)
        if getattr(e, "is_Relational", False):
            return ELEMENTWISE[RELATIONS[e.rel_op]](*numbers)
        return FUNCTIONS[e.func.__name__](*numbers)

    def _over_index(self, e: Any) -> Any:
        *within, (index, low, high) = e.limits
        inner = e.func(e.function, *within) if within else e.function
        steps = range(int(self(low)), int(self(high)) + 1)
        terms = [_Evaluation(ChainMap({index: mpf(k)}, self.values))(inner) for k in steps]
        return (_sum if e.func.__name__ == "Sum" else _greatest)(terms)


def _number(e: Any) -> Any:
    if e.is_Rational:
        return mpf(int(e.p)) / int(e.q)
    return {S.NaN: NAN, S.Infinity: mpf("inf"), S.NegativeInfinity: mpf("-inf")}.get(e) or e._to_mpmath(mp.prec)


def _sum(numbers: list[Any]) -> Any:
    return EXACT.combined("add", [mpf(0), *numbers])


def _power(e: Any, base: Any, exponent: Any) -> Any:
    if e.exp.is_Integer:
        return ELEMENTWISE["integer_pow"](base, int(exponent))
    if base < 0 and not (e.exp.free_symbols and exponent == int(exponent)):
        return NAN
    return ELEMENTWISE["pow"](base, exponent)


def _greatest(numbers: list[Any]) -> Any:
    return reduce(ELEMENTWISE["max"], numbers, *([mpf(0)] if not numbers else []))


RELATIONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
"""The primitive of each relation."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Abs": abs,
    "ITE": lambda condition, a, b: a if condition else b,
    "Max": lambda *xs: _greatest(list(xs)),
    "Min": lambda *xs: reduce(ELEMENTWISE["min"], xs),
    "Mod": lambda a, b: a - b * mpmath.floor(a / b) if b != 0 else NAN,
    "Mul": lambda *xs: reduce(lambda a, b: a * b, xs),
    And.__name__: lambda *xs: all(xs),
    Or.__name__: lambda *xs: any(xs),
    Not.__name__: lambda x: not x,
    Xor.__name__: lambda *xs: sum(map(bool, xs)) % 2 == 1,
    ExprCondPair.__name__: lambda *pair: pair,
    "ceiling": mpmath.ceil,
    "floor": mpmath.floor,
    "re": mpmath.re,
    "im": mpmath.im,
    "conjugate": mpmath.conj,
    **{
        name: ELEMENTWISE[name]
        for name in ("sign", "exp", "log", "sin", "cos", "tan", "tanh", "erf")
        if name in ELEMENTWISE
    },
}
