"""Equations of traced programs, evaluated one after the other, some of them in another way."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jax.extend.core import Jaxpr, Literal

INLINED = {"jit": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
"""The primitives that stand for a program, and the parameter that holds it."""

Read = Callable[[Any], Any]
"""Gives the value of a variable or literal."""

Instead = Callable[[Any, Read], Sequence[Any] | None]
"""Gives the results of an equation; None where it is evaluated as it stands."""


def as_it_stands(equation: Any, read: Read) -> None:
    """Evaluate no equation in another way."""


def run(jaxpr: Jaxpr, constants: Sequence[Any], inputs: Sequence[Any], instead: Instead = as_it_stands) -> list[Any]:
    """The results of a program, whose inner programs that are called once are taken apart."""
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *inputs], strict=True))
    evaluate(jaxpr.eqns, values, instead)
    return [value_of(x, values) for x in jaxpr.outvars]


def evaluate(equations: Iterable[Any], values: dict[Any, Any], instead: Instead = as_it_stands):
    """Add the values of equations to those of their operands."""

    def read(atom: Any) -> Any:
        return value_of(atom, values)

    for equation in equations:
        results = instead(equation, read)
        if results is None:
            results = _results(equation, [read(x) for x in equation.invars], instead)
        values.update(zip(equation.outvars, results, strict=True))


def value_of(atom: Any, values: dict[Any, Any]) -> Any:
    """The value of a variable or literal."""
    return atom.val if isinstance(atom, Literal) else values[atom]


def _results(equation: Any, operands: Sequence[Any], instead: Instead) -> Sequence[Any]:
    primitive = equation.primitive
    if primitive.name in INLINED:
        inner = equation.params[INLINED[primitive.name]]
        return run(inner.jaxpr, inner.consts, operands, instead)
    result = primitive.bind(*operands, **equation.params)
    return result if primitive.multiple_results else [result]
