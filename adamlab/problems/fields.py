"""The updates of an optimizer all over a problem's domain: its first, and the ones that it settles to."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adamlab.calls import Call, SpecError
from adamlab.errors import InputError, reason
from adamlab.problems.landscapes import landscape
from adamlab.specs import parse
from adamlab.types import Problem

if TYPE_CHECKING:
    import xarray

SIDE = 21
"""Points along each side of a field."""

SETTLED = 1000
"""The steps under the same gradient after which an update is called settled."""


def field(problem: Problem, spec: str, side: int = SIDE) -> "xarray.Dataset":
    """The updates of an optimizer at points of a plane: what `adamlab.plots.vector_field` draws.

    Args:
        problem: a problem of two parameters with a domain; its objective is differentiated.
        spec: the optimizer, without open numbers.
        side: points along each side of the grid.

    Returns:
        What `adamlab.problems.landscape` gives; over `row`, `column` and `dim` the `points`, the `first` updates there,
        from a new state, and the `settled` ones, after 1000 steps under the gradient of that point; and the attribute
        `optimizer`.

    Raises:
        InputError: the problem is not of two parameters, or the optimizer cannot be built or run.
    """
    if len(problem.domain) != 2:
        raise InputError(f"{problem.name}: a vector field takes a problem of two parameters with a domain.")
    template = parse(spec)
    _require_numbers(template)
    axes = [jnp.linspace(*bounds, side + 2)[1:-1] for bounds in problem.domain]
    points = jnp.stack(jnp.meshgrid(*axes), axis=-1)
    try:
        first, settled = jax.jit(jax.vmap(jax.vmap(lambda w: _updates(problem, template, w))))(points)
    except (TypeError, ValueError) as error:
        raise InputError(f"{spec} cannot be run on {problem.name}: {reason(error, 200)}") from error
    names = ("row", "column", "dim")
    arrays = {"points": points, "first": first, "settled": settled}
    return (
        landscape(problem)
        .assign({name: (names, np.asarray(values)) for name, values in arrays.items()})
        .assign_attrs(optimizer=spec)
    )


def _require_numbers(template: Call) -> None:
    needed = [*(str(symbol) for symbol, _ in template.symbols()), *template.missing()]
    if needed:
        raise SpecError(f"{template}: {', '.join(needed)} needs a number, as in adamlab.adam(0.1).")


def _updates(problem: Problem, template: Call, w: jax.Array) -> tuple[Any, Any]:
    """The first update at a point, and the settled one."""
    transform = optax.with_extra_args_support(template.build())
    value, gradient = jax.value_and_grad(problem.objective)(w)
    extra = {"value": value, "grad": gradient, "value_fn": problem.objective}

    def step(state: Any, _: None) -> tuple[Any, Any]:
        update, state = transform.update(gradient, state, w, **extra)
        return state, update

    state, first = step(transform.init(w), None)
    _, settled = jax.lax.fori_loop(0, SETTLED - 1, lambda _, carry: step(carry[0], None), (state, first))
    return first, settled
