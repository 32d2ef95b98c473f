"""Optimizers that neither Optax nor adamlab has, written by hand as their papers have them, on one array each."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from adamlab.arithmetic import Leaf
from adamlab.lifting import Transform, lift
from adamlab.types import Rule, rule


class Average(NamedTuple):
    """The number of the step and an average."""

    count: Any
    mu: Any


class Sum(NamedTuple):
    """The number of the step and a sum of squares."""

    count: Any
    sum_of_squares: Any


def descend(by: Rule, learning_rate: Any, **hyper: Any) -> Transform:
    """−η times what a rule makes of the gradient; η can be a schedule."""
    return optax.chain(lift(by, **hyper), optax.scale_by_learning_rate(learning_rate))


@rule(Average)
def weighted_mean(g: Leaf, w: Leaf | None, s: Any, *, b1):
    """An average whose rate moves: β₁·(1 − β₁^(t−1)) / (1 − β₁^t) at step t."""
    rate = b1 * (1 - b1 ** (s.count - 1)) / (1 - b1**s.count)
    m = rate * s.mu + (1 - rate) * g
    return m, s._replace(mu=m)


@rule(optax.TraceState)
def qhm(g: Leaf, w: Leaf | None, s: Any, *, b1, nu):
    """Ma & Yarats 2019, quasi-hyperbolic momentum: between the gradient and its average."""
    m = b1 * s.trace + (1 - b1) * g
    return (1 - nu) * g + nu * m, s._replace(trace=m)


@rule(optax.ScaleByAdamState)
def qhadam(g: Leaf, w: Leaf | None, s: Any, *, b1, b2, eps, nu_1, nu_2):
    """Ma & Yarats 2019, quasi-hyperbolic Adam."""
    m, v = b1 * s.mu + (1 - b1) * g, b2 * s.nu + (1 - b2) * g**2
    m_hat, v_hat = m / (1 - b1**s.count), v / (1 - b2**s.count)
    mixed = ((1 - nu_1) * g + nu_1 * m_hat) / (jnp.sqrt((1 - nu_2) * g**2 + nu_2 * v_hat) + eps)
    return mixed, s._replace(mu=m, nu=v)


@rule(optax.ScaleByAdamState)
def nadam_of_choi(g: Leaf, w: Leaf | None, s: Any, *, b1, b2, eps):
    """Choi et al. 2019: NAdam with one correction for the look-ahead and the gradient alike."""
    m, v = b1 * s.mu + (1 - b1) * g, b2 * s.nu + (1 - b2) * g**2
    correction = jnp.sqrt(1 - b2**s.count) / (1 - b1**s.count)
    return correction * (b1 * m + (1 - b1) * g) / (jnp.sqrt(v) + eps), s._replace(mu=m, nu=v)


@rule(optax.ScaleByAdamState)
def epsilon_hat(g: Leaf, w: Leaf | None, s: Any, *, b1, b2, eps):
    """Kingma & Ba 2015, end of section 2: both corrections in the step size, ε̂ beside the raw root."""
    m, v = b1 * s.mu + (1 - b1) * g, b2 * s.nu + (1 - b2) * g**2
    correction = jnp.sqrt(1 - b2**s.count) / (1 - b1**s.count)
    return correction * m / (jnp.sqrt(v) + eps), s._replace(mu=m, nu=v)


@rule(optax.ScaleByAmsgradState)
def torch_amsgrad(g: Leaf, w: Leaf | None, s: Any, *, b1, b2, eps):
    """AMSGrad as PyTorch has it: the greatest of the raw second moments, corrected afterwards."""
    m, v = b1 * s.mu + (1 - b1) * g, b2 * s.nu + (1 - b2) * g**2
    v_max = jnp.maximum(s.nu_max, v)
    root = jnp.sqrt(v_max) / jnp.sqrt(1 - b2**s.count)
    return m / (1 - b1**s.count) / (root + eps), s._replace(mu=m, nu=v, nu_max=v_max)


@rule(Sum)
def adagrad_with_rising_eps(g: Leaf, w: Leaf | None, s: Any, *, eps, eps_in_sqrt: bool):
    """Adagrad with an ε that grows as the sum does: ε·√t outside the root, or ε·t inside it."""
    total = s.sum_of_squares + g**2
    below = jnp.sqrt(total + eps * s.count) if eps_in_sqrt else jnp.sqrt(total) + eps * jnp.sqrt(s.count)
    return g / below, s._replace(sum_of_squares=total)


@rule(optax.ScaleByAdamState)
def lp_adam(g: Leaf, w: Leaf | None, s: Any, *, b1, b2, p):
    """Kingma & Ba 2015, section 7.1: Adam by the p-th moment of the gradient's size, with β₂^p for its rate."""
    m, v = b1 * s.mu + (1 - b1) * g, b2**p * s.nu + (1 - b2**p) * jnp.abs(g) ** p
    return m / (1 - b1**s.count) / v ** (1 / p), s._replace(mu=m, nu=v)


@rule(optax.TraceState, needs_params=True)
def momentum_on_a_quadratic(g: Leaf, w: Leaf, s: Any, *, learning_rate, b1, curvature):
    """Goh 2017: on λ·w²/2 a step of momentum multiplies (z, w) by R = [[β, λ], [−α·β, 1 − α·λ]]; g goes unused."""
    below = [-learning_rate * b1, 1 - learning_rate * curvature]
    matrix = jnp.array([[b1, curvature], below])
    z, after = jnp.tensordot(matrix, jnp.stack([s.trace, w]), 1)
    return after - w, s._replace(trace=z)


def moving(make: Callable[[Any], optax.GradientTransformation]) -> optax.GradientTransformation:
    """The optimizer `make(t)` at step t: hyper-parameters that move, where only a number can be given.

    All that `make` gives have one kind of state.
    """

    def init(params):
        return jnp.zeros((), jnp.int32), make(1).init(params)

    def update(updates, state, params=None):
        t = optax.safe_increment(state[0])
        updates, inner = make(t).update(updates, state[1], params)
        return updates, (t, inner)

    return optax.GradientTransformation(init, update)
