"""SymPy's formulas evaluated in mpmath's numbers, node by node, for formulas that adamlab gives."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import mpmath
from mpmath import mp, mpf
from sympy import And, Indexed, ITE, Integer, Not, Or, Piecewise, Symbol, false, true

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
        if e in (true, false):
            return bool(e)
        if e.is_Rational:
            return mpf(int(e.p)) / int(e.q)
        if e.is_Number or e.is_NumberSymbol:
            return mpf(str(e.evalf(mp.dps + 5))) if e.is_finite else {"oo": INF, "-oo": -INF}.get(str(e), NAN)
        if isinstance(e, Indexed):
            key = e.base.label.name, int(self(e.indices[0]))
            if key not in self.indexed:
                raise NoMeaningError(f"{key[0]}[{key[1]}]")
            return self.indexed[key]
        if isinstance(e, Symbol):
            if e.name not in self.symbols:
                raise NoMeaningError(e.name)
            return self.symbols[e.name]
        if isinstance(e, Piecewise):
            return next((self(value) for value, condition in e.args if self(condition)), NAN)
        if isinstance(e, ITE):
            return self(e.args[1] if self(e.args[0]) else e.args[2])
        if isinstance(e, And):
            return all(self(x) for x in e.args)
        if isinstance(e, Or):
            return any(self(x) for x in e.args)
        if isinstance(e, Not):
            return not self(e.args[0])
        name = e.func.__name__
        if name in ("Sum", "Product", "Maximum"):
            return self.over(name, e)
        if name == "OnDomain":
            inside, domain = e.args
            return self(inside) if self(domain) >= 0 else NAN
        numbers = [self(x) for x in e.args]
        if name not in FUNCTIONS:
            raise NoMeaningError(name)
        return FUNCTIONS[name](*numbers)

    def over(self, name: str, e: Any) -> Any:
        *others, (index, low, high) = e.limits
        inner = e.func(e.function, *others) if others else e.function
        first, last = int(self(low)), int(self(high))
        terms = [
            _Evaluation({**self.symbols, index.name: mpf(i)}, self.indexed)(inner) for i in range(first, last + 1)
        ]
        if name == "Sum":
            return sum(terms, mpf(0))
        if name == "Product":
            return reduce(lambda a, b: a * b, terms, mpf(1))
        return _greatest(*terms) if terms else mpf(0)


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
