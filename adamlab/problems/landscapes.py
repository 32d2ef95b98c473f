"""The objective of a problem of one or two parameters over its domain, on a grid."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from adamlab.errors import InputError
from adamlab.problems.registry import get
from adamlab.types import Problem

if TYPE_CHECKING:
    import xarray

GRID = 301
"""Points along each side of a landscape."""


def has_landscape(problem: Problem) -> bool:
    """Whether the problem has a domain to be drawn, of one or two parameters."""
    return len(problem.domain) in (1, 2)


def landscape(problem: Problem | str, **options: Any) -> "xarray.Dataset":
    """The problem's objective over its domain: what `adamlab.plots.landscape` draws.

    Args:
        problem: a problem, or the name of one in the registry.
        **options: the named problem's own, such as `condition`.

    Returns:
        Variables: `landscape` over `y` and `x`, or over `x` alone where there is one parameter; and the known `minima`,
        minimum × dim. Attributes: `problem`, its name, and its `source`.

    Raises:
        InputError: there is no such problem, or it has no domain of one or two dimensions.

    >>> landscape("quadratic", condition=10.0).landscape.dims
    ('y', 'x')
    """
    import xarray as xr

    problem = get(problem, **options) if isinstance(problem, str) else problem
    if not has_landscape(problem):
        has = f"{problem.dimension} parameters{'' if problem.domain else ' and no domain'}"
        raise InputError(f"{problem.name}: a landscape is drawn over one or two parameters; this problem has {has}.")
    axes = {name: jnp.linspace(*bounds, GRID) for name, bounds in zip("xy", problem.domain, strict=False)}
    points = jnp.stack(jnp.meshgrid(*axes.values()), axis=-1)
    values = jax.jit(jax.vmap(problem.objective))(points.reshape(-1, len(axes))).reshape(points.shape[:-1])
    minima = np.reshape(problem.minima, (-1, len(axes)))
    return xr.Dataset(
        {"landscape": (tuple(axes)[::-1], np.asarray(values)), "minima": (("minimum", "dim"), minima)},
        {name: np.asarray(places) for name, places in axes.items()},
        {"of": "problem", "problem": problem.name, "source": problem.source},
    )
