"""Optimizers as text: the same lines make a transformation of JAX's and a loop in exact numbers."""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

NAMESPACE: dict[str, Any] = {
    "jnp": jnp,
    "optax": optax,
    "abs": jnp.abs,
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "sign": jnp.sign,
    "sqrt": jnp.sqrt,
    "tanh": jnp.tanh,
    "where": jnp.where,
    "as_float": lambda x: x.astype(float),
    "as_int8": lambda x: x.astype(jnp.int8),
    "as_uint8": lambda x: x.astype(jnp.uint8),
    "as_int16": lambda x: x.astype(jnp.int16),
}
"""The names that lines may use, as JAX has them."""

FLOAT = "float"


@dataclass(frozen=True)
class Program:
    """An optimizer for a single number or an array, entry by entry.

    Attributes:
        numbers: the arguments with their defaults, None where there is none.
        states: the type and the start of each state.
        lines: assignments in order, of every state x from x_, its value before, and of the update u; they may use the
            gradient g, the parameter w and the numbers.
    """

    numbers: Mapping[str, float | None]
    states: Mapping[str, tuple[str, float | int | bool]]
    lines: tuple[tuple[str, str], ...]

    def source(self, name: str = "optimizer") -> str:
        """The Python source of the factory."""
        arguments = [n for n, default in self.numbers.items() if default is None]
        arguments += [f"{n}={default!r}" for n, default in self.numbers.items() if default is not None]
        starts = ", ".join(f'"{x}": {_start(kind, start)}' for x, (kind, start) in self.states.items())
        after = ", ".join(f'"{x}": {x}' for x in self.states)
        return "\n".join(
            [
                f"def {name}({', '.join(arguments)}):",
                "    def init(w):",
                f"        return {{{starts}}}",
                "    def update(g, state, w=None):",
                *(f'        {x}_ = state["{x}"]' for x in self.states),
                *(f"        {x} = {text}" for x, text in self.lines),
                f"        return u, {{{after}}}",
                "    return optax.GradientTransformation(init, update)",
            ]
        )

    @cached_property
    def factory(self) -> Callable[..., Any]:
        """The factory of the transformation."""
        names = dict(NAMESPACE)
        exec(self.source(), names)
        return names["optimizer"]

    @property
    def size(self) -> int:
        """The number of characters, which shrinking lessens."""
        return len(self.source())

    @cached_property
    def literals(self) -> list[Any]:
        """The numbers in the lines."""
        trees = [ast.parse(text, mode="eval") for _, text in self.lines]
        nodes = [node for tree in trees for node in ast.walk(tree)]
        return [n.value for n in nodes if isinstance(n, ast.Constant) and type(n.value) in (int, float)]

    @cached_property
    def steps(self) -> int:
        """The steps of a run that goes beyond every switch, and beyond the wraps of short integers."""
        sizes = [abs(x) for x in self.literals if x]
        counts = [*sizes, *(a / b for a in sizes for b in sizes if a > b)]
        switches = [round(x) for x in counts if 2 <= x <= 6000 and abs(x - round(x)) < 1e-9]
        short = any(kind not in (FLOAT, "bool_", "int32") for kind, _ in self.states.values())
        narrowed = any("as_" in text for _, text in self.lines)
        cubes = any("k*k*k" in text for _, text in self.lines)
        return max([8, *switches, 1300 if cubes else 300 if short or narrowed else 0]) + 4

    def is_valid(self) -> bool:
        """Whether JAX runs it, with states that keep their types."""
        numbers = dict.fromkeys(self.numbers, 0.5)
        with jax.enable_x64(True):
            try:
                tx = self.factory(**numbers)
                w = jnp.ones(())
                state = tx.init(w)
                u, after = jax.eval_shape(tx.update, w, state, w)
            except (ArithmeticError, AttributeError, NameError, TypeError, ValueError):
                return False
            kinds = [jax.tree.map(lambda x: (x.shape, str(x.dtype)), tree) for tree in (state, after)]
            return kinds[0] == kinds[1] and u.shape == () and u.dtype == w.dtype

    def run_by_jax(self, hyper: Mapping[str, float], gradients: list[float]) -> np.ndarray:
        """The updates in float64, by JAX."""
        with jax.enable_x64(True):
            tx = self.factory(**hyper)

            def step(carry, g):
                state, w = carry
                u, state = tx.update(g, state, w)
                return (state, w + u), u

            w = jnp.ones(())
            return np.asarray(jax.lax.scan(step, (tx.init(w), w), jnp.asarray(gradients))[1])


def _start(kind: str, start: Any) -> str:
    return f"jnp.full_like(w, {start!r})" if kind == FLOAT else f"jnp.full(w.shape, {start!r}, jnp.{kind})"
