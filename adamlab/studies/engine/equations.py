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
    *("reduce_sum", "squeeze", "stack", "sub", "transpose"),
}
"""The primitives whose results are exact where their operands are 0 and 1."""

NEUTRAL = {"mul": 1, "add": 0, "add_any": 0}
"""The operands that leave the other one as it is."""

KNOWN = (np.ndarray, np.generic, float, int)
"""The types of values that are known while a program is traced."""

LARGE = 2**20
"""The bytes from which on an array that a program holds, such as a problem's data, is given to it as an argument.

XLA would copy it several times as a constant. It computes with constants as it compiles, which small ones gain by.
"""

Read = Callable[[Any], Any]
"""Gives the value of a variable or literal."""

Instead = Callable[[Any, Read], Sequence[Any] | None]
"""Gives the results of an equation; None where it is evaluated as it stands."""


def as_it_stands(equation: Any, read: Read) -> None:
    """Evaluate no equation in another way."""


def derivatives(function: Callable[..., jax.Array], *point: jax.Array) -> list[jax.Array]:
    """The function's derivative by each coordinate of a point.

    A coordinate's derivative by another one is 0, and so is that times anything, which XLA would multiply, since 0 · ∞
    is NaN; a function's own 0 · ∞ is NaN here too. In what takes a whole vector at once, as Σ√w, zeros stand beside
    other numbers and are multiplied: there an infinite derivative by one coordinate makes NaN of the others.
    """
    traced = jax.make_jaxpr(lambda w, along: jax.jvp(function, w, along)[1])(point, point)

    def by(k: int) -> jax.Array:
        along = [np.asarray(i == k, x.dtype) for i, x in enumerate(point)]
        (value,) = run(traced.jaxpr, traced.consts, [*point, *along], _simplified)
        return jnp.asarray(value)

    return [by(k) for k in range(len(point))]


def largest_arrays(function: Callable[[], Any]) -> tuple[int, int]:
    """The size of the largest array that a function brings along, such as data, and of the largest that it computes.

    Programs inside of it are seen from outside.
    """
    jaxpr = jax.make_jaxpr(function)().jaxpr
    results = [x for equation in jaxpr.eqns for x in equation.outvars]
    brought, computed = (max((x.aval.size for x in arrays), default=0) for arrays in (jaxpr.constvars, results))
    return brought, computed


def with_data(function: Callable[..., Any], *arguments: Any) -> tuple[list[jax.Array], Callable[..., Any]]:
    """The large arrays that a function closes over, and the function of these and of its arguments."""
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    places = [i for i, constant in enumerate(closed.consts) if np.size(constant) * constant.dtype.itemsize >= LARGE]

    def program(data: Sequence[jax.Array], *arguments: Any) -> Any:
        constants = [*closed.consts]
        for i, array in zip(places, data, strict=True):
            constants[i] = array
        results = run(closed.jaxpr, constants, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shapes), results)

    return [jnp.asarray(closed.consts[i]) for i in places], program


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
    with equation.ctx.manager:
        result = primitive.bind(*operands, **equation.params)
    return result if primitive.multiple_results else [result]


def _simplified(equation: Any, read: Read) -> list[Any] | None:
    """The results of an equation of which an operand follows from a direction and is 0 or 1, or all are known.

    None for all others. What only tells, as a callback that prints, is told by the loss, and left out here.
    """
    if not equation.outvars:
        return []
    name, shape = equation.primitive.name, equation.outvars[0].aval.shape
    if name not in EXACT | {"div", "select_n"}:
        return None
    operands = [read(x) for x in equation.invars]
    if not any(map(_follows, operands)):
        return None
    if name in EXACT and all(isinstance(x, KNOWN) for x in operands):
        with jax.ensure_compile_time_eval():
            return [np.asarray(equation.primitive.bind(*operands, **equation.params))]
    factors = {"mul": operands, "div": operands[:1]}.get(name, [])
    cases = operands[1:] if name == "select_n" else []
    if any(_is_all(x, 0) for x in factors) or (cases and all(_is_all(x, 0) for x in cases)):
        return [np.zeros(shape, equation.outvars[0].aval.dtype)]
    if name in NEUTRAL:
        for x, other in zip(operands, operands[::-1], strict=True):
            if _is_all(x, NEUTRAL[name]) and np.shape(other) == shape:
                return [other]
    return None


def _follows(value: Any) -> bool:
    """Whether a value follows from a direction: JAX gives a function's own NumPy arrays a type of their own."""
    return type(value) is np.ndarray


def _is_all(value: Any, number: int) -> bool:
    return _follows(value) and bool(np.all(value == number))
