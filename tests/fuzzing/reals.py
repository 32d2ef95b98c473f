"""The lines of a program run step by step in mpmath's numbers, with JAX's NaN and its integers' widths.

Shares no code with adamlab. Decimals in the lines are the numbers that they write.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath
from mpmath import mpf

from tests.fuzzing.programs import FLOAT, Program

NAN, INF = mpf("nan"), mpf("inf")

RANGES = {
    "int8": (-(2**7), 2**7),
    "uint8": (0, 2**8),
    "int16": (-(2**15), 2**15),
    "uint16": (0, 2**16),
    "int32": (-(2**31), 2**31),
    "uint32": (0, 2**32),
}


class Truth:
    """True or false."""

    def __init__(self, value: bool):
        self.value = bool(value)

    def __and__(self, other: "Truth"):
        return Truth(self.value and other.value)

    def __or__(self, other: "Truth"):
        return Truth(self.value or other.value)

    def __invert__(self):
        return Truth(not self.value)


class Whole:
    """An integer of a type, which wraps; Python's own where there is no type."""

    def __init__(self, value: int, kind: str | None = None):
        low, high = RANGES[kind] if kind else (0, 0)
        self.value, self.kind = (value - low) % (high - low) + low if kind else value, kind

    def __neg__(self):
        return Whole(-self.value, self.kind)

    @property
    def real(self) -> Any:
        return self.value


class Real:
    """A real number, an infinity or NaN."""

    def __init__(self, value: Any):
        self.value = value

    def __neg__(self):
        return Real(-self.value)

    @property
    def real(self) -> Any:
        return self.value


def _binary(on_reals: Callable[[Any, Any], Any], on_wholes: Callable[[int, int], int] | None = None):
    def apply(a: Any, b: Any):
        if isinstance(a, Whole) and isinstance(b, Whole) and on_wholes:
            kinds = {x.kind for x in (a, b) if x.kind}
            if len(kinds) > 1:
                raise TypeError("integers of two types")
            return Whole(on_wholes(a.value, b.value), next(iter(kinds), None))
        return Real(on_reals(*_alike(a.real, b.real)))

    return apply


def _alike(a: Any, b: Any) -> tuple[Any, Any]:
    """Both as mpmath's numbers where one of them is; fractions and integers go together as they are."""
    return (to_digits(a), to_digits(b)) if isinstance(a, mpf) or isinstance(b, mpf) else (a, b)


def to_digits(x: Any) -> Any:
    """The number in mpmath's working precision."""
    return mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else mpf(x)


def _compared(compare: Callable[[Any, Any], bool]):
    return lambda a, b: Truth(compare(*_alike(a.real, b.real)))


def _divided(a: Any, b: Any) -> Any:
    if b == 0:
        return NAN if a == 0 or mpmath.isnan(a) else INF * _sign(a)
    return mpf(a) / b if isinstance(a, int) and not isinstance(b, Fraction) else a / b


def _sign(x: Any) -> Any:
    return x if mpmath.isnan(x) else (x > 0) - (x < 0)


def _greater(a: Any, b: Any) -> Any:
    return NAN if mpmath.isnan(a) or mpmath.isnan(b) else max(a, b)


def _less(a: Any, b: Any) -> Any:
    return NAN if mpmath.isnan(a) or mpmath.isnan(b) else min(a, b)


def _raised(a: Any, b: Any):
    if not isinstance(b, Whole):
        raise TypeError("a power that is no integer")
    if isinstance(a, Whole):
        return Whole(a.value**b.value, a.kind)
    return Real(a.value**b.value if b.value >= 0 else _divided(1, a.value**-b.value))


for _name, _apply in {
    "__add__": _binary(operator.add, operator.add),
    "__sub__": _binary(operator.sub, operator.sub),
    "__mul__": _binary(operator.mul, operator.mul),
    "__mod__": _binary(operator.mod, operator.mod),
    "__truediv__": _binary(_divided),
    "__pow__": _raised,
    "__lt__": _compared(operator.lt),
    "__le__": _compared(operator.le),
    "__gt__": _compared(operator.gt),
    "__ge__": _compared(operator.ge),
    "__eq__": _compared(operator.eq),
    "__ne__": _compared(operator.ne),
}.items():
    setattr(Whole, _name, _apply)
    setattr(Real, _name, _apply)


def _each(on_reals: Callable[[Any], Any], on_wholes: Callable[[int], int] | None = None):
    def apply(x: Any):
        whole = isinstance(x, Whole) and on_wholes
        return Whole(on_wholes(x.value), x.kind) if whole and on_wholes else Real(on_reals(x.real))

    return apply


def _chosen(condition: Truth, a: Any, b: Any):
    if isinstance(a, Truth):
        return a if condition.value else b
    if isinstance(a, Whole) and isinstance(b, Whole):
        return Whole((a if condition.value else b).value, a.kind or b.kind)
    return Real((a if condition.value else b).real)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": _each(abs, abs),
    "maximum": _binary(_greater, max),
    "minimum": _binary(_less, min),
    "sign": _each(_sign),
    "sqrt": _each(lambda x: mpmath.sqrt(to_digits(x)) if x >= 0 else NAN),
    "tanh": _each(lambda x: mpmath.tanh(to_digits(x))),
    "where": _chosen,
    "as_float": lambda x: Real(x.real),
    "as_int8": lambda x: Whole(x.value, "int8"),
    "as_uint8": lambda x: Whole(x.value, "uint8"),
    "as_int16": lambda x: Whole(x.value, "int16"),
    "Whole": Whole,
}


def decimal(text: str) -> Any:
    """The number that a decimal writes."""
    exact = Fraction(text)
    return mpf(exact.numerator) / exact.denominator


class _Literals(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        name = {float: "decimal", int: "Whole"}.get(type(node.value))
        if name is None:
            return node
        value = repr(node.value) if name == "decimal" else node.value
        return ast.Call(ast.Name(name, ast.Load()), [ast.Constant(value)], [])


@lru_cache(4096)
def _compiled(lines: tuple[tuple[str, str], ...]) -> Any:
    tree = ast.parse("\n".join(f"{name} = {text}" for name, text in lines))
    return compile(ast.fix_missing_locations(_Literals().visit(tree)), "<lines>", "exec")


def run(
    program: Program, hyper: Mapping[str, Any], gradients: Sequence[Any], decimals: Callable[[str], Any] = decimal
) -> Iterator[tuple[Any, dict[str, Any], Any]]:
    """The update, the states and the parameter after each step, in mpmath's working precision.

    With fractions for numbers and gradients, and as decimals, nothing is rounded but roots and tanh.
    """
    code = _compiled(program.lines)
    names: dict[str, Any] = {**FUNCTIONS, "decimal": lambda text: Real(decimals(text))}
    names |= {name: Real(value) for name, value in hyper.items()}
    state = {x: _started(kind, value, decimals) for x, (kind, value) in program.states.items()}
    w = decimals("1")
    for g in gradients:
        names |= {f"{x}_": value for x, value in state.items()} | {"g": Real(g), "w": Real(w)}
        exec(code, names)
        state = {x: names[x] for x in program.states}
        u = names["u"].real
        w = sum(_alike(w, u))
        yield u, {x: value.value for x, value in state.items()}, w


def _started(kind: str, value: Any, decimals: Callable[[str], Any]) -> Any:
    if kind == FLOAT:
        return Real(decimals(repr(value)))
    return Truth(value) if kind == "bool_" else Whole(value, kind)
