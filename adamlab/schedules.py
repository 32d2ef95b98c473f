"""Learning-rate schedules by name, for specs and configs; Optax's own wherever it has them.

A schedule maps the number of finished updates, 0 at the first, to a value. An argument annotated `int` is part of the
schedule's structure; every other is a number that a sweep can vary.
"""

from collections.abc import Callable

import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from adamlab.types import Schedule


def inverse_sqrt(init: ArrayLike) -> Schedule:
    """init / √t with t = 1 at the first update: how Adam becomes Adagrad (Kingma & Ba 2015, section 5)."""
    return lambda count: init / jnp.sqrt(jnp.asarray(count, float) + 1)


def exponential(init: ArrayLike, rate: ArrayLike, every: int = 1) -> Schedule:
    """init · rate^(count / every)."""
    _require_steps("every", every)
    return lambda count: init * rate ** (count / every)


def linear(init: ArrayLike, end: ArrayLike, steps: int) -> Schedule:
    """A straight line from init to end over so many steps, then end."""
    _require_steps("steps", steps)
    return optax.linear_schedule(init, end, steps)


def cosine(init: ArrayLike, steps: int, alpha: ArrayLike = 0.0) -> Schedule:
    """Half a cosine from init down to alpha·init over so many steps (Loshchilov & Hutter 2017, equation 5)."""
    _require_steps("steps", steps)
    return optax.cosine_decay_schedule(init, steps, alpha)


def warmup_cosine(peak: ArrayLike, warmup: int, steps: int, alpha: ArrayLike = 0.0) -> Schedule:
    """A line from 0 to the peak over `warmup` steps, then half a cosine down to alpha·peak at step `steps`."""
    return optax.join_schedules([linear(0.0, peak, warmup), cosine(peak, steps - warmup, alpha)], [warmup])


def _require_steps(name: str, steps: int):
    if steps < 1:
        raise ValueError(f"{name} must be at least 1, not {steps}.")


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    schedule.__name__: schedule for schedule in (inverse_sqrt, exponential, linear, cosine, warmup_cosine)
}
