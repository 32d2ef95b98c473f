"""Many functions compiled as one program, where a program for each would take most of a test's time."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

QUICKLY = {"xla_backend_optimization_level": 0}
"""Most of the time goes into compiling; what is computed is the same."""


def in_one_program(functions: Mapping[str, Callable[..., Any]]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The program of all functions, each of its own arguments by name."""
    program = jax.jit(lambda given: {name: f(*given[name]) for name, f in functions.items()}, compiler_options=QUICKLY)
    return lambda arguments: jax.tree.map(np.asarray, program(dict(arguments)))
