"""Programs laid out flat, to be read many times, with a place for every value; and their outlines, without shapes."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

IDENTITIES = {
    "stop_gradient",
    "copy",
    "copy_p",
    "optimization_barrier",
    "sharding_constraint",
    "mesh_cast",
    "reduce_precision",
    "pvary",
}
"""Primitives that only round, place or order."""

CALLS = {
    "checkpoint",
    "closed_call",
    "composite",
    "core_call",
    "core_closed_call",
    "custom_jvp_call",
    "custom_vjp_call",
    "custom_vjp_call_jaxpr",
    "jit",
    "pjit",
    "remat",
    "remat2",
}
"""Primitives that only call a function."""

RESHAPINGS = {"broadcast_in_dim", "expand_dims", "reshape", "squeeze"}
"""Primitives that only give entries another shape."""

OF_TYPES = {"weak_type"}
"""Parameters that say nothing of what is computed."""


@dataclass(slots=True)
class Step:
    """An equation to be applied, or a result of the program to be renamed.

    Attributes:
        equations: the equation, and the calls that it stands in, the innermost first; none in a renaming.
        inputs, outputs: the places of its operands and of its results.
        leaf: in a renaming, the number of the result.
        only_for: the place of a condition and the case that alone needs the results, where there is one.
        meaning: the function of arrays that it is; None where a reader has to apply the equation.
        before, results: its last operands and what they gave.
    """

    equations: tuple[Any, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    leaf: int | None = None
    only_for: tuple[int, int] | None = None
    meaning: Any = None
    before: list[Any] | None = None
    results: list[Any] = field(default_factory=list)


@lru_cache(maxsize=256)
def plan_of(closed: ClosedJaxpr, renamed: tuple[int, ...]) -> "Plan":
    """The plan of a program, which is the same for every reader."""
    return Plan(closed, renamed)


class Plan:
    """The steps of a program, in order.

    Attributes:
        closed: the program.
        size: the number of places.
        arguments, results: the places of the program's own.
        constants: the literals and closed-over arrays, each with its place.
        steps: the steps.
    """

    def __init__(self, closed: ClosedJaxpr, renamed: Collection[int] = ()):
        self.closed, self.size = closed, 0
        self.constants: list[tuple[int, Any]] = []
        self.steps: list[Step] = []
        self._literals: dict[Any, int] = {}
        self._known: dict[Any, tuple[int, ...]] = {}
        jaxpr: Jaxpr = closed.jaxpr
        self.arguments = [self._place() for _ in jaxpr.invars]
        leaves = {jaxpr.outvars[i]: i for i in renamed if not isinstance(jaxpr.outvars[i], Literal)}
        self.results = self._laid_out(closed, self.arguments, (), leaves)
        self._find_cases()

    def _find_cases(self):
        """Tell each step whose results only one case of a selection needs, if its condition is known by then."""
        uses: dict[int, set[Any]] = {place: {None} for place in self.results}
        for step in reversed(self.steps):
            wanted = set().union(*(uses.get(place, {None}) for place in step.outputs)) or {None}
            use = wanted.pop() if len(wanted) == 1 else None
            step.only_for = use if step.leaf is None and use and use[0] < min(step.outputs) else None
            cases = step.inputs[1:]
            is_selection = step.leaf is None and step.equations[0].primitive.name == "select_n"
            for k, place in enumerate(cases if is_selection else step.inputs):
                uses.setdefault(place, set()).add((step.inputs[0], k) if is_selection else step.only_for)
            if is_selection:
                uses.setdefault(step.inputs[0], set()).add(None)

    def _place(self) -> int:
        self.size += 1
        return self.size - 1

    def _laid_out(
        self, closed: ClosedJaxpr, arguments: Iterable[int], calls: tuple[Any, ...], leaves: dict[Any, int]
    ) -> list[int]:
        """The places of a program's results, after its steps."""
        jaxpr: Jaxpr = closed.jaxpr
        places = dict(zip(jaxpr.invars, arguments, strict=True))
        places |= {v: self._constant(value) for v, value in zip(jaxpr.constvars, closed.consts, strict=True)}
        for equation in jaxpr.eqns:
            results = self._equation((equation, *calls), self._places(equation.invars, places))
            for variable, place in zip(equation.outvars, results, strict=True):
                places[variable] = self._renaming(leaves[variable], place) if variable in leaves else place
        return self._places(jaxpr.outvars, places)

    def _equation(self, equations: tuple[Any, ...], inputs: list[int]) -> Iterable[int]:
        equation = equations[0]
        name, params = equation.primitive.name, equation.params
        if name in IDENTITIES:
            return inputs
        if name in CALLS:
            body: Any = next(params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in params)
            return self._laid_out(
                body if isinstance(body, ClosedJaxpr) else ClosedJaxpr(body, ()), inputs, equations, {}
            )
        key = name, tuple(inputs), *(v.aval for v in equation.outvars), repr(params) if params else ""
        if key not in self._known:
            self._known[key] = tuple(self._place() for _ in equation.outvars)
            self.steps.append(Step(equations, tuple(inputs), self._known[key]))
        return self._known[key]

    def _renaming(self, leaf: int, place: int) -> int:
        other = self._place()
        self.steps.append(Step((), (place,), (other,), leaf))
        return other

    def _places(self, atoms: Iterable[Any], places: dict[Any, int]) -> list[int]:
        return [self._literal(atom) if isinstance(atom, Literal) else places[atom] for atom in atoms]

    def _literal(self, literal: Any) -> int:
        key = type(literal.val), str(literal.val), literal.aval.dtype
        if key not in self._literals:
            self._literals[key] = self._constant(np.asarray(literal.val, literal.aval.dtype))
        return self._literals[key]

    def _constant(self, value: Any) -> int:
        self.constants.append((self._place(), value))
        return self.size - 1


def outline(closed: ClosedJaxpr) -> Any:
    """A program without its shapes: what each equation computes of which operands, and where the results come from.

    Code that computes the same on every entry of an array has the same outline whatever the shape is.
    """
    return _outline(closed)


def _outline(part: Any) -> Any:
    """The outline of a program within an equation's parameters; of others what does not speak of shapes."""
    if isinstance(part, ClosedJaxpr):
        return _outline_of(part.jaxpr, part.consts)
    if isinstance(part, Jaxpr):
        return _outline_of(part, ())
    if isinstance(part, (list, tuple)) and any(isinstance(element, (ClosedJaxpr, Jaxpr)) for element in part):
        return tuple(map(_outline, part))
    return part if isinstance(part, (bool, int, float, str, np.dtype)) else None


def _outline_of(jaxpr: Jaxpr, constants: Sequence[Any]) -> tuple[Any, ...]:
    """The equations with a number for each value; a value that is only given another shape keeps its number."""
    numbers: dict[Any, Any] = {v: k for k, v in enumerate([*jaxpr.constvars, *jaxpr.invars])}
    numbers |= {v: _number_of(value) for v, value in zip(jaxpr.constvars, constants, strict=False)}

    def sources(operands: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(_number_of(x.val) if isinstance(x, Literal) else numbers[x] for x in operands)

    equations: list[Any] = []
    for equation in jaxpr.eqns:
        name, operands = equation.primitive.name, sources(equation.invars)
        if name in RESHAPINGS:
            numbers[equation.outvars[0]] = operands[0]
            continue
        numbers |= {v: (len(equations), k) for k, v in enumerate(equation.outvars)}
        parameters = {key: _outline(value) for key, value in equation.params.items() if key not in OF_TYPES}
        if "axes" in parameters:
            result: Any = equation.outvars[0].aval
            parameters["axes"] = bool(result.shape)  # whether any are left
        equations.append((name, operands, parameters))
    return equations, sources(jaxpr.outvars)


def is_key(value: Any) -> bool:
    """Whether a constant is a key of JAX's random numbers."""
    return hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)


def _number_of(value: Any) -> str:
    """A constant as it is written; an array of equal entries is as the entry."""
    array = np.asarray(jax.random.key_data(value) if is_key(value) else value)
    is_uniform = array.size and (array == array.flat[0]).all()
    return str(array.flat[0]) if is_uniform else f"{array.shape} {array.tolist()}"
