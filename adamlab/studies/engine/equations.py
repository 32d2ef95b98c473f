"""Equations of traced programs, evaluated one after the other, some of them in another way."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, Literal

INLINED = {"jit": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
"""The primitives that stand for a program, and the parameter that holds it."""

EXACT = {
    *("add", "add_any", "broadcast_in_dim", "concatenate", "convert_element_type", "mul", "neg", "reshape", "slice"),
    *("squeeze", "stack", "sub", "transpose"),
}
"""The primitives whose results are exact where their operands are 0 and 1."""

NEUTRAL = {"mul": 1, "add": 0, "add_any": 0}
"""The operands that leave the other one as it is."""

KNOWN = (np.ndarray, np.generic, float, int)
"""The types of values that are known while a program is traced."""

Read = Callable[[Any], Any]
"""Gives the value of a variable or literal."""

Instead = Callable[[Any, Read], Sequence[Any] | None]
"""Gives the results of an equation; None where it is evaluated as it stands."""


def as_it_stands(equation: Any, read: Read) -> None:
    """Evaluate no equation in another way."""


def without_zeros(function: Callable[..., jax.Array], *arguments: jax.Array) -> jax.Array:
    """The function's value, but that 0 times anything is 0.

    A coordinate's derivative by another one is such a 0. XLA multiplies by it, since 0 · ∞ is NaN.
    """
    traced = jax.make_jaxpr(function)(*arguments)
    (value,) = run(traced.jaxpr, traced.consts, arguments, _simplified)
    return jnp.asarray(value)


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


def _simplified(equation: Any, read: Read) -> list[Any] | None:
    """The result of an equation of which an operand is known to be 0 or 1, or all are known; None for all others."""
    name, shape = equation.primitive.name, equation.outvars[0].aval.shape
    if name not in EXACT | {"div"}:
        return None
    operands = [read(x) for x in equation.invars]
    known = [isinstance(x, KNOWN) for x in operands]
    if all(known) and name in EXACT:
        with jax.ensure_compile_time_eval():
            return [np.asarray(equation.primitive.bind(*operands, **equation.params))]
    if name in ("mul", "div") and any(_is_all(x, 0) for x in operands[: 1 if name == "div" else 2]):
        return [np.zeros(shape, equation.outvars[0].aval.dtype)]
    if name in NEUTRAL:
        for x, other in zip(operands, operands[::-1], strict=True):
            if _is_all(x, NEUTRAL[name]) and np.shape(other) == shape:
                return [other]
    return None


def _is_all(value: Any, number: int) -> bool:
    return isinstance(value, KNOWN) and bool(np.all(value == number))
