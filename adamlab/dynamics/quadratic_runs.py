"""Runs of an optimizer itself on quadratics, many in one program."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sympy import Symbol

from adamlab.dynamics.linearizing import LinearStep
from adamlab.errors import InputError
from adamlab.interpret.programs import as_floats
from adamlab.symbolic.letters import state_letters
from adamlab.symbolic.open_optimizer import OpenOptimizer

START = 1e-30
"""The distance from the minimum where runs begin: so small that squared gradients leave second moments as they are."""

FARTHEST = 1e12
"""The distance from the minimum, in units of the start, at which a run ends, before second moments notice."""

SETTLING = 20_000
"""The steps without a gradient before a run, after which powers such as β^t are 0 and second moments are settled."""


def distances(
    linear: LinearStep, numbers: Mapping[str, Any], curvatures: np.ndarray, steps: int
) -> tuple[np.ndarray, float]:
    """The distance of each parameter from the minimum after each step, in units of the start.

    A run that is `FARTHEST` away stays there. Of an adaptive optimizer the preconditioner is settled before the first
    step, and curvatures are preconditioned: the gradient is ĥ·P·w.

    Args:
        linear: the linearized step of the optimizer.
        numbers: the value of each open number by name, or one for each run.
        curvatures: those of the quadratic that each run is on; run × parameter.
        steps: of each run.

    Returns:
        The distances, run × step × parameter, from step 0 on; and the preconditioner, 1 where there is none.

    Raises:
        InputError: the preconditioner is 0 without a gradient, as with ε = 0, or there are several.
    """
    optimizer, count = linear.step.optimizer, len(curvatures)
    each = {name: np.broadcast_to(np.asarray(value, float), (count,)) for name, value in numbers.items()}
    with jax.enable_x64(True):
        middle = {name: float(values[count // 2]) for name, values in each.items()}
        state = _settled(optimizer, middle, curvatures.shape[1]) if linear.is_late or linear.preconditioners else None
        divisor = _preconditioner(linear, state, middle)

        def run(given, h):
            transform = _built(optimizer, given)
            w = jnp.full(h.shape, START)
            begun = transform.init(w) if state is None else state

            def step(carry, _):
                w, state = carry
                u, after = transform.update(h * divisor * w, state, w, value=jnp.zeros(()))
                is_far = jnp.max(jnp.abs(w)) >= FARTHEST * START
                kept = jax.tree.map(lambda new, old: jnp.where(is_far, old, new), (w + u, after), (w, state))
                return kept, jnp.abs(kept[0])

            _, sizes = jax.lax.scan(step, (w, begun), length=steps)
            return jnp.concatenate([jnp.abs(w)[None], sizes]) / START

        values = jax.jit(jax.vmap(run))({name: jnp.asarray(x) for name, x in each.items()}, jnp.asarray(curvatures))
        return np.asarray(values), divisor


def diverges(sizes: np.ndarray) -> np.ndarray:
    """Whether runs move away from the minimum in their second half, by their distances over steps, along axis 1."""
    steps = sizes.shape[1]
    early, late = sizes[:, steps // 2 : steps * 3 // 4].max(axis=1), sizes[:, steps * 3 // 4 :].max(axis=1)
    return (late > early) | (late >= FARTHEST)


def _built(optimizer: OpenOptimizer, given: Mapping[str, Any]) -> Any:
    subject = optimizer.subject
    known = as_floats({name: value for name, value in subject.numbers.items() if value is not None})
    constants = as_floats({name: optimizer.numbers[name] for name in optimizer.programs.constants})
    return optax.with_extra_args_support(subject.call.build({**known, **given, **constants}))


def _settled(optimizer: OpenOptimizer, numbers: Mapping[str, float], size: int) -> Any:
    """The state after many steps without a gradient."""
    transform, w = _built(optimizer, numbers), jnp.full(size, START)
    state = transform.init(w)

    def step(state, _):
        return transform.update(jnp.zeros_like(w), state, w, value=jnp.zeros(()))[1], None

    return jax.jit(lambda state: jax.lax.scan(step, state, length=SETTLING)[0])(state)


def _preconditioner(linear: LinearStep, state: Any, numbers: Mapping[str, float]) -> float:
    """The value of the preconditioner in a state."""
    if not linear.preconditioners:
        return 1.0
    optimizer = linear.step.optimizer
    if len(linear.preconditioners) > 1:
        raise InputError(
            f"{optimizer.subject.title} has several preconditioners, and no single curvature to run it on."
        )
    (formula,) = linear.preconditioners.values()
    letters = state_letters(optimizer.fields)
    leaves = [float(np.ravel(leaf)[0]) for leaf in jax.tree.leaves(state)]
    known = {optimizer.hyper[name]: value for name, value in numbers.items()}
    value = float(formula.xreplace(known | {Symbol(x): leaf for x, leaf in zip(letters, leaves, strict=True)}))
    if not value > 0:
        raise InputError(
            f"{optimizer.subject.title} divides by {value:g} where gradients vanish, so that it cannot be run near a "
            "minimum: give ε, as eps=1e-8."
        )
    return value
