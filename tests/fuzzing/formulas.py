"""SymPy's formulas evaluated in mpmath's numbers, node by node, for formulas that adamlab gives."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import mpmath
from mpmath import mp, mpf
from sympy import Indexed, Piecewise, Symbol, false, true

NAN, INF = mpf("nan"), mpf("inf")


class NoMeaningError(LookupError):
    """A part of a formula without a number."""


def value_of(e: Any, symbols: Mapping[str, Any], indexed: Mapping[tuple[str, int], Any]) -> Any:
    """The number that a formula is; symbols and indexed bases are known by name."""
    return _Evaluation(symbols, indexed)(e)


class _Evaluation:
    def __init__(self, symbols: Mapping[str, Any], indexed: Mapping[tuple[str, int], Any]):
        self.symbols, self.indexed, self.known = symbols, indexed, {}

    def __call__(self, e: Any) -> Any:
        if e not in self.known:
            self.known[e] = self.of(e)
        return self.known[e]

    def of(self, e: Any) -> Any:
        name = e.func.__name__
        if e in (true, false):
            return bool(e)
        if e.is_Number or e.is_NumberSymbol:
            return _number(e)
        if isinstance(e, Indexed | Symbol):
            return self.variable(e)
        if isinstance(e, Piecewise):
            pairs: Any = e.args
            return next((self(value) for value, condition in pairs if self(condition)), NAN)
        if name in ("Sum", "Product", "Maximum"):
            return self.over(name, e)
        if name in LAZY:
            return LAZY[name](self, *e.args)
        if name not in FUNCTIONS:
            raise NoMeaningError(name)
        return FUNCTIONS[name](*(self(x) for x in e.args))

    def variable(self, e: Any) -> Any:
        key: Any = e.name if isinstance(e, Symbol) else (e.base.label.name, int(self(e.indices[0])))
        known: Mapping[Any, Any] = self.symbols if isinstance(e, Symbol) else self.indexed
        if key not in known:
            raise NoMeaningError(str(key))
        return known[key]

    def over(self, name: str, e: Any) -> Any:
        *others, (index, low, high) = e.limits
        inner = e.func(e.function, *others) if others else e.function
        first, last = int(self(low)), int(self(high))
        terms = [_Evaluation({**self.symbols, index.name: mpf(i)}, self.indexed)(inner) for i in range(first, last + 1)]
        if name == "Sum":
            return sum(terms, mpf(0))
        if name == "Product":
            return reduce(lambda a, b: a * b, terms, mpf(1))
        return _greatest(*terms) if terms else mpf(0)


def _number(e: Any) -> Any:
    if e.is_Rational:
        return mpf(int(e.p)) / int(e.q)
    return mpf(str(e.evalf(mp.dps + 5))) if e.is_finite else {"oo": INF, "-oo": -INF}.get(str(e), NAN)


def _greatest(*xs: Any) -> Any:
    return NAN if any(map(mpmath.isnan, xs)) else max(xs)


def _least(*xs: Any) -> Any:
    return NAN if any(map(mpmath.isnan, xs)) else min(xs)


def _power(a: Any, b: Any) -> Any:
    if b == int(b) if mpmath.isfinite(b) else False:
        n = int(b)
        if n >= 0:
            return a**n
        return (1 / a) ** -n if a != 0 else (NAN if mpmath.isnan(a) else INF)
    if a < 0 or mpmath.isnan(a):
        return NAN
    if a == 0:
        return mpf(0) if b > 0 else INF
    return a**b


LAZY: dict[str, Callable[..., Any]] = {
    "ITE": lambda value, condition, a, b: value(a if value(condition) else b),
    "And": lambda value, *parts: all(value(x) for x in parts),
    "Or": lambda value, *parts: any(value(x) for x in parts),
    "Not": lambda value, part: not value(part),
    "OnDomain": lambda value, inside, domain: value(inside) if value(domain) >= 0 else NAN,
}
"""The functions that do not ask for all of their arguments."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Add": lambda *xs: sum(xs, mpf(0)),
    "Mul": lambda *xs: reduce(lambda a, b: a * b, xs, mpf(1)),
    "Pow": _power,
    "Abs": abs,
    "sign": lambda x: x if mpmath.isnan(x) else mpmath.sign(x),
    "tanh": mpmath.tanh,
    "exp": mpmath.exp,
    "Max": _greatest,
    "Min": _least,
    "Mod": lambda a, b: a - b * mpmath.floor(a / b),
    "floor": mpmath.floor,
    "ceiling": mpmath.ceil,
    "StrictGreaterThan": lambda a, b: a > b,
    "GreaterThan": lambda a, b: a >= b,
    "StrictLessThan": lambda a, b: a < b,
    "LessThan": lambda a, b: a <= b,
    "Equality": lambda a, b: a == b,
    "Unequality": lambda a, b: a != b,
}
