"""The numbers that stand in an optimizer's code: read off its traced programs, and changed in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from adamlab.interpret.jaxpr import Program, literals
from adamlab.interpret.programs import Programs, Subject
from adamlab.types import PyTree

Number = int | float

Revise = Callable[[Any, Any], Any]
"""Gives the value that takes the place of a constant, of which it gets value and type."""


@dataclass(frozen=True)
class Revised(Subject):
    """An optimizer with other numbers in place of some that stand in its code.

    Attributes:
        constants: the new number for each constant, by its old one.
    """

    constants: Mapping[Number, Number] = field(default_factory=dict)

    def programs(self, gradient: PyTree, *, with_value: bool = False) -> Programs:
        """The optimizer's programs, with the constants changed."""
        programs = super().programs(gradient, with_value=with_value)
        if not self.constants:
            return programs
        init, update = (Program(_revised(p.jaxpr, self._revise), p.shapes) for p in programs[:2])
        return Programs(init, update, programs.constants)

    def _revise(self, value: Any, dtype: Any) -> Any:
        new = self.constants.get(_number(value, dtype))
        if new is None or (jnp.issubdtype(dtype, jnp.integer) and new != int(new)):
            return value
        return np.asarray(new, dtype)[()]


def revisable(subject: Subject) -> Revised:
    """The same optimizer, with constants that can be changed."""
    return Revised(**vars(subject))


def constants(subject: Subject, gradient: PyTree) -> list[Number]:
    """The distinct finite numbers that stand in an optimizer's code, in the order of the code."""
    numbers = [_number(*literal) for program in subject.programs(gradient)[:2] for literal in literals(program)]
    return [number for number in dict.fromkeys(numbers) if np.isfinite(number)]


def _number(value: Any, dtype: Any) -> Number:
    """A scalar as the shortest decimal of its type; NaN for booleans, complex numbers and arrays."""
    scalar = np.asarray(value, dtype)
    if scalar.ndim:
        return np.nan
    if jnp.issubdtype(dtype, jnp.integer):
        return int(scalar)
    return float(str(scalar)) if jnp.issubdtype(dtype, jnp.floating) else np.nan


def _revised(closed: ClosedJaxpr, revise: Revise) -> ClosedJaxpr:
    values = [revise(value, value.dtype) if hasattr(value, "dtype") else value for value in closed.consts]
    return ClosedJaxpr(_revised_code(closed.jaxpr, revise), values)


def _revised_code(jaxpr: Jaxpr, revise: Revise) -> Jaxpr:
    def atom(x: Any) -> Any:
        if not isinstance(x, Literal):
            return x
        aval: Any = x.aval
        return Literal(revise(x.val, aval.dtype), aval)

    equations = [
        equation.replace(
            invars=[atom(x) for x in equation.invars],
            params={name: _revised_parameter(value, revise) for name, value in equation.params.items()},
        )
        for equation in jaxpr.eqns
    ]
    return jaxpr.replace(eqns=equations, outvars=[atom(x) for x in jaxpr.outvars])


def _revised_parameter(value: Any, revise: Revise) -> Any:
    if isinstance(value, ClosedJaxpr):
        return _revised(value, revise)
    if isinstance(value, Jaxpr):
        return _revised_code(value, revise)
    if isinstance(value, tuple) and value and all(isinstance(branch, ClosedJaxpr) for branch in value):
        return tuple(_revised(branch, revise) for branch in value)
    return value
