"""Learning-rate schedules by name, for specs and configs.

A schedule maps the number of finished updates, 0 at the first, to a value. All its numbers can be traced, so that one
program does for all values of a sweep, whole numbers of steps included; only a list of steps is part of its structure.
Values are computed in the widest float there is, and given in the type of the levels that they go between.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from adamlab.errors import InputError
from adamlab.own import claim
from adamlab.types import Schedule

Count = int | float | np.ndarray | jax.Array
"""A whole number of steps from 1: written, traced, or an array with one for each setting, in whatever type."""


def inverse_sqrt(init: ArrayLike) -> Schedule:
    """init / √t with t = 1 at the first update: how Adam becomes Adagrad (Kingma & Ba 2015, section 5)."""
    return _between((init,), lambda count, init: init / jnp.sqrt(jnp.asarray(count, float) + 1))


def exponential(init: ArrayLike, rate: ArrayLike, every: Count = 1) -> Schedule:
    """init · rate^(count / every)."""
    _require_steps("every", every)
    return _between((init,), lambda count, init: init * rate ** (jnp.asarray(count, float) / every))


def linear(init: ArrayLike, end: ArrayLike, steps: Count) -> Schedule:
    """A straight line from init to end over so many steps, then end."""
    _require_steps("steps", steps)
    return _between((init, end), lambda count, init, end: (init - end) * (1 - _done(count, steps)) + end)


def cosine(init: ArrayLike, steps: Count, alpha: ArrayLike = 0.0) -> Schedule:
    """Half a cosine from init down to alpha·init over so many steps (Loshchilov & Hutter 2017, equation 5)."""
    _require_steps("steps", steps)
    return _between((init,), lambda count, init: init * _half_cosine(count, steps, alpha))


def warmup_cosine(peak: ArrayLike, warmup: Count, steps: Count, alpha: ArrayLike = 0.0) -> Schedule:
    """A line from 0 to the peak over `warmup` steps, then half a cosine down to alpha·peak at step `steps`."""
    _require_steps("warmup", warmup)
    if not isinstance(warmup, Tracer) and not isinstance(steps, Tracer) and np.any(np.less_equal(steps, warmup)):
        raise ValueError("steps must be greater than warmup.")

    def value(count, peak):
        falling = _half_cosine(count - warmup, steps - warmup, alpha)
        return peak * jnp.where(count < warmup, _done(count, warmup), falling)

    return _between((peak,), value)


def piecewise(init: ArrayLike, boundaries: Sequence[int], factor: ArrayLike = 0.1) -> Schedule:
    """init times the factor for every boundary that has been reached: a decay at 100 holds from count 100 on."""
    if not len(boundaries) or boundaries[0] < 1 or any(a >= b for a, b in pairwise(boundaries)):
        raise ValueError(f"boundaries must be steps from 1, each after the one before, not {[*boundaries]}.")

    def value(count, init):
        for boundary in boundaries:
            init = jnp.where(count < boundary, init, init * factor)
        return init

    return _between((init,), value)


def register(name: str, factory: Any) -> Any:
    """Register a factory of schedules for as long as Python runs, and give it back.

    >>> hold = register("mine.hold", lambda init, steps: lambda count: jnp.where(count < steps, init, 0.0))

    After that `optax.adam(mine.hold(0.1, 100))` is a spec, and `{ schedule = "mine.hold", init = 0.1, steps = 100 }` a
    value in a config. In a module that was imported by name a name without a dot is that module's. A name that you have
    registered can be registered again, which replaces the factory.

    Args:
        name: letters, digits and _, with dots between; not a schedule of adamlab's or of Optax's.
        factory: a function of numbers that gives a schedule, a function of the number of finished updates, in JAX. An
            argument that is annotated as `int` is compiled in; others can be swept.

    Raises:
        InputError: the name cannot be used, or the factory is no function.
    """
    if name in BUILT_IN:
        raise InputError(f'there is a schedule "{name}" of adamlab\'s; choose another name, such as "mine.{name}".')
    SCHEDULES[claim("schedule", name, factory)] = factory
    return factory


def _done(count: ArrayLike, steps: Count) -> ArrayLike:
    """The share of so many steps that is done, from 0 to 1."""
    return jnp.asarray(jnp.minimum(steps, count), float) / steps


def _half_cosine(count: ArrayLike, steps: Count, alpha: ArrayLike) -> ArrayLike:
    """Half a cosine from 1 down to alpha."""
    return (1 - alpha) * (0.5 * (1 + jnp.cos(jnp.pi * _done(count, steps)))) + alpha


def _between(levels: tuple[ArrayLike, ...], formula: Callable[..., Any]) -> Schedule:
    """The schedule `formula(count, *levels)`, in the widest float at the time it is called."""

    def schedule(count: ArrayLike) -> jax.Array:
        value = formula(count, *(jnp.asarray(level, float) for level in levels))
        return value.astype(jnp.result_type(*levels, float))

    return schedule


def _require_steps(name: str, steps: Count):
    if not isinstance(steps, Tracer) and np.any(np.less(steps, 1)):
        raise ValueError(f"{name} must be at least 1, not {np.min(np.asarray(steps))}.")


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    schedule.__name__: schedule for schedule in (inverse_sqrt, exponential, linear, cosine, warmup_cosine, piecewise)
}
"""adamlab's own, and those that were registered."""

BUILT_IN = frozenset(SCHEDULES)
"""The names that cannot be registered anew."""
