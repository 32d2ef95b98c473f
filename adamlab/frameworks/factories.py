"""Factories of transformations out of optimizers of other frameworks, whose arguments are the frameworks' own."""

import inspect
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import NoneType
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer

from adamlab.calls import SpecError, arguments
from adamlab.errors import InputError, nearest
from adamlab.types import Decay

Rate = float | Decay


def imported(module: str, extra: str, needed_by: str) -> Any:
    """A module of a framework that need not be installed.

    Raises:
        SpecError: it is not installed; says what to install.
    """
    if find_spec(module.partition(".")[0]) is None:
        raise SpecError(
            f"{needed_by} is read from {extra}'s own code, which is not installed: pip install 'adamlab[{extra}]'."
        )
    return import_module(module)


def factory(
    name: str,
    parameters: Collection[inspect.Parameter],
    defaults: Mapping[str, Any],
    make: Callable[..., Any],
    doc: str,
) -> Callable[..., optax.GradientTransformation]:
    """The factory of that name with these parameters, whose defaults are replaced by those given.

    Raises:
        SpecError: a default of an argument that the optimizer does not have.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for key in defaults:
        if key not in known:
            raise SpecError(f"{name} has no argument {key!r}; {nearest(key, known)}")
    may_be_none = {p.name for p in parameters if p.default is None or NoneType in get_args(p.annotation)}
    changed = [p.replace(default=defaults.get(p.name, p.default)) for p in parameters]
    signature = inspect.Signature(changed, return_annotation=optax.GradientTransformation)

    def make_transform(*given: Any, **named: Any) -> optax.GradientTransformation:
        for key in named:
            if key not in known:
                raise SpecError(f"{name} has no argument {key!r}; {nearest(key, known)}")
        try:
            bound = signature.bind(*given, **named)
        except TypeError as error:
            raise SpecError(f"{name}: {error}; it takes {', '.join(known)}.") from error
        bound.apply_defaults()
        for key, value in bound.arguments.items():
            argument = arguments(make_transform)[key]
            is_none = value is None and key not in may_be_none
            if argument.kind in ("number", "decay") and (isinstance(value, str) or is_none):
                raise SpecError(f"{name}: {key} must be {argument.expects()}, not {value!r}.")
        return make(**{key: _plain(value) for key, value in bound.arguments.items()})

    make_transform.__dict__["__signature__"] = signature
    make_transform.__name__ = make_transform.__qualname__ = name
    make_transform.__doc__ = doc
    make_transform.__annotations__["return"] = optax.GradientTransformation
    return make_transform


def require_floats(name: str, leaves: Iterable[Any]):
    """Raise InputError where a parameter is no array of real floating-point numbers."""
    for w in leaves:
        if not jnp.issubdtype(w.dtype, jnp.floating):
            raise InputError(f"{name} steps on parameters that are real floating-point numbers; got {w.dtype}.")


def parameter(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    """A parameter of a factory."""
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)


def is_traced(value: Any) -> bool:
    """Whether a number is known only to JAX."""
    return isinstance(value, Tracer)


def placeholder(value: Any, default: Any) -> Any:
    """The number that a framework's constructor checks in place of a traced one."""
    if not is_traced(value):
        return value
    usable = isinstance(default, float) and math.isfinite(default) and default != 0
    return default if usable else 0.5


def _plain(value: Any) -> Any:
    """A number as Python's own float, which frameworks compute with in double; a tracer as it is."""
    if isinstance(value, Decay):
        value = value.rate
    return float(value) if isinstance(value, (jax.Array, np.generic)) and not is_traced(value) else value
