"""Sides of the statements that a spec cannot write: each a factory whose named numbers are hyper-parameters.

`library` says whose optimizers they are made of; every other argument is a number. The docstrings say which side of
which statement it is.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax.numpy as jnp
import optax

import adamlab.rules
from adamlab.relations import written
from adamlab.relations.written import descend, moving
from adamlab.lifting import lift
from adamlab.schedules import inverse_sqrt

Transformation = optax.GradientTransformation

LIBRARIES: dict[str, ModuleType] = {"optax": optax, "adamlab": adamlab.rules}


def adam_eps_in_sqrt(learning_rate, b2, eps, library="optax") -> Transformation:
    """Adam with β₁ = 0, η₀/√t and ε inside the root."""
    return LIBRARIES[library].adam(inverse_sqrt(learning_rate), b1=0.0, b2=b2, eps=0.0, eps_root=eps)


def adagrad_eps_sqrt_t(learning_rate, eps) -> Transformation:
    """Adagrad with ε·√t outside the root."""
    return descend(written.adagrad_with_rising_eps, learning_rate, eps=eps, eps_in_sqrt=False)


def adagrad_eps_t(learning_rate, eps) -> Transformation:
    """Adagrad with ε·t inside the root."""
    return descend(written.adagrad_with_rising_eps, learning_rate, eps=eps, eps_in_sqrt=True)


def adam_nc(learning_rate, library="optax") -> Transformation:
    """RMSProp without bias correction at β₂ = 1 − 1/t and η₀/√t."""
    rmsprop = LIBRARIES[library].rmsprop
    return moving(lambda t: rmsprop(learning_rate / jnp.sqrt(t), decay=1 - 1 / t, eps=0.0))


def debiased_average(b1) -> Transformation:
    """An average divided by the sum of its weights."""
    return optax.ema(b1, debias=True)


def average_with_a_moving_rate(b1) -> Transformation:
    """An average with β₁·(1 − β₁^(t−1)) / (1 − β₁^t) for its rate."""
    return moving(lambda t: optax.ema(b1 * (1 - b1 ** (t - 1)) / (1 - b1**t), debias=False))


def adam_in_units_of_eps(learning_rate, b1, b2, eps, library="optax") -> Transformation:
    """Adam with α_t = η·ε·(1 − β₁^t) / (1 − β₁), in which ε can grow."""
    adam = LIBRARIES[library].adam
    return moving(lambda t: adam(learning_rate * eps * (1 - b1**t) / (1 - b1), b1=b1, b2=b2, eps=eps))


def rmsprop_in_units_of_eps(learning_rate, b2, momentum, eps, library="optax") -> Transformation:
    """RMSProp with η·√ε and momentum, ε inside the root."""
    rmsprop = LIBRARIES[library].rmsprop
    return rmsprop(learning_rate * jnp.sqrt(eps), decay=b2, eps=eps, momentum=momentum)


def nadam_in_units_of_eps(learning_rate, b1, b2, eps) -> Transformation:
    """Choi's NAdam with α_t = η·ε·(1 − β₁^t) / ((1 − β₁)·√(1 − β₂^t))."""

    def rate(count):
        t = count + 1
        return learning_rate * eps * (1 - b1**t) / (1 - b1) / jnp.sqrt(1 - b2**t)

    return descend(written.nadam_of_choi, rate, b1=b1, b2=b2, eps=eps)


def average_of_gradients(learning_rate, momentum) -> Transformation:
    """Momentum as an average of the gradients, with η/(1 − β)."""
    return optax.chain(optax.ema(momentum, debias=False), optax.scale(-learning_rate / (1 - momentum)))


def velocity(learning_rate, momentum, library="optax") -> Transformation:
    """Momentum as a velocity, with η inside the trace."""
    return _velocity(learning_rate, momentum, LIBRARIES[library])


def scheduled_velocity(learning_rate, momentum, library="optax") -> Transformation:
    """The same with η₀/√t."""
    return _velocity(inverse_sqrt(learning_rate), momentum, LIBRARIES[library])


def _velocity(learning_rate, momentum, library: ModuleType) -> Transformation:
    return optax.chain(library.scale_by_learning_rate(learning_rate), library.trace(momentum))


def qhm_of_nesterov(learning_rate, momentum) -> Transformation:
    """Quasi-hyperbolic momentum with ν = β and η/(1 − β)."""
    return descend(written.qhm, learning_rate / (1 - momentum), b1=momentum, nu=momentum)


def qhm(learning_rate, momentum, nu) -> Transformation:
    """Quasi-hyperbolic momentum."""
    return descend(written.qhm, learning_rate, b1=momentum, nu=nu)


def averaged_gradient(learning_rate, momentum) -> Transformation:
    """Momentum as an average of the gradients."""
    return optax.chain(optax.ema(momentum, debias=False), optax.scale(-learning_rate))


def qhadam(learning_rate, b1, b2, eps) -> Transformation:
    """Quasi-hyperbolic Adam with ν₁ = β₁ and ν₂ = 1."""
    return descend(written.qhadam, learning_rate, b1=b1, b2=b2, eps=eps, nu_1=b1, nu_2=1.0)


def lp_adam(learning_rate, b1, b2, p) -> Transformation:
    """Adam by the p-th moment."""
    return descend(written.lp_adam, learning_rate, b1=b1, b2=b2, p=p)


def adam_eps_falling(learning_rate, b1, b2, eps, library="optax") -> Transformation:
    """Adam with ε_t = ε̂/√(1 − β₂^t)."""
    adam = LIBRARIES[library].adam
    return moving(lambda t: adam(learning_rate, b1=b1, b2=b2, eps=eps / jnp.sqrt(1 - b2**t)))


def adam_eps_hat(learning_rate, b1, b2, eps) -> Transformation:
    """Adam in its "epsilon hat" form."""
    return descend(written.epsilon_hat, learning_rate, b1=b1, b2=b2, eps=eps)


def amsgrad_of_torch(learning_rate, b1, b2) -> Transformation:
    """PyTorch's AMSGrad at ε = 0."""
    return descend(written.torch_amsgrad, learning_rate, b1=b1, b2=b2, eps=0.0)


def amsgrad_corrected_late(learning_rate, b1, b2, library="optax") -> Transformation:
    """AMSGrad by the raw second moment, with η·√(1 − β₂^t)."""
    amsgrad = LIBRARIES[library].amsgrad
    return amsgrad(
        lambda count: learning_rate * jnp.sqrt(1 - b2 ** (count + 1)), b1=b1, b2=b2, eps=0.0, bias_correction_nu=False
    )


def sgd_with_l2(learning_rate, weight_decay, library="optax") -> Transformation:
    """Gradient descent on the loss with λ·w²/2 beside it."""
    ours = LIBRARIES[library]
    return optax.chain(ours.add_decayed_weights(weight_decay), ours.sgd(learning_rate))


def sgd_with_decay(learning_rate, weight_decay, library="optax") -> Transformation:
    """Gradient descent, with a share η·λ of the parameter taken off beside it."""
    ours = LIBRARIES[library]
    return optax.chain(ours.sgd(learning_rate), ours.add_decayed_weights(-learning_rate * weight_decay))


def adam_with_l2(learning_rate, b1, b2, eps, weight_decay, library="optax") -> Transformation:
    """Adam on the loss with λ·w²/2 beside it."""
    ours = LIBRARIES[library]
    return optax.chain(ours.add_decayed_weights(weight_decay), ours.adam(learning_rate, b1=b1, b2=b2, eps=eps))


def accumulated(learning_rate, b1, b2, eps, library="optax") -> Transformation:
    """Adam on the mean of two gradients that come one after the other: g − f and g + f, f the value of the step.

    One step of it is two of `optax.MultiSteps`. Since g and f are any numbers, so are the two gradients.
    """
    adam = LIBRARIES[library].adam(learning_rate, b1=b1, b2=b2, eps=eps)
    steps = optax.MultiSteps(adam, every_k_schedule=2)

    def update(updates, state, params=None, *, value, **_):
        nothing, state = steps.update(updates - value, state, params)
        step, state = steps.update(updates + value, state, params)
        return nothing + step, state

    return optax.GradientTransformationExtraArgs(steps.init, update)


def frozen_adadelta(rho, eps, c, library="optax") -> Transformation:
    """Adadelta whose average of squared updates is held at c; along the gradient, as Optax has it."""
    adadelta = LIBRARIES[library].scale_by_adadelta(rho, eps)

    def hold(state):
        return state._replace(e_x=jnp.full_like(state.e_x, c))

    def update(updates, state, params=None):
        updates, state = adadelta.update(updates, state, params)
        return updates, hold(state)

    return optax.GradientTransformation(lambda params: hold(adadelta.init(params)), update)


def rmsprop_in_units_of_c(rho, eps, c, library="optax") -> Transformation:
    """RMSProp with η = √(c + ε), along the gradient."""
    return LIBRARIES[library].rmsprop(-jnp.sqrt(c + eps), decay=rho, eps=eps)


def variance_of_rmsprop(b1, library="optax") -> Transformation:
    """What centered RMSProp divides by: E g² − (E g)²."""
    return reading(LIBRARIES[library].scale_by_stddev(b1), lambda s: s.nu - s.mu**2)


def variance_of_adabelief(b1) -> Transformation:
    """What AdaBelief divides by: E (g − m)²."""
    return reading(optax.scale_by_belief(b1, b1, eps_root=0.0), lambda s: s.nu)


def reading(of: Transformation, read: Callable[[Any], Any]) -> Transformation:
    """A transformation whose update is what is read off the state of another."""

    def update(updates, state, params=None):
        _, state = of.update(updates, state, params)
        return read(state), state

    return optax.GradientTransformation(of.init, update)


def momentum_on_a_quadratic(learning_rate, momentum, curvature, library="optax") -> Transformation:
    """Heavy ball on λ·w²/2, whose gradient is λ·w."""
    sgd = LIBRARIES[library].sgd(learning_rate, momentum=momentum)
    return optax.GradientTransformation(sgd.init, lambda updates, state, w: sgd.update(curvature * w, state, w))


def powers_of_a_matrix(learning_rate, momentum, curvature) -> Transformation:
    """(z, w) multiplied by R at every step."""
    return lift(written.momentum_on_a_quadratic, learning_rate=learning_rate, b1=momentum, curvature=curvature)


def adam_of_scaled(learning_rate, b1, b2, c, library="optax") -> Transformation:
    """Adam of c·g, ε = 0."""
    adam = LIBRARIES[library].adam(learning_rate, b1=b1, b2=b2, eps=0.0)
    return optax.chain(optax.scale(c), adam)


def adam_of_signed(learning_rate, b1, b2, plus, minus, library="optax") -> Transformation:
    adam = LIBRARIES[library].adam(learning_rate, b1=b1, b2=b2, eps=0.0)
    return optax.chain(optax.scale(plus - minus), adam)


def signed_adam(learning_rate, b1, b2, plus, minus, library="optax") -> Transformation:
    adam = LIBRARIES[library].adam(learning_rate, b1=b1, b2=b2, eps=0.0)
    return optax.chain(adam, optax.scale(jnp.sign(plus - minus)))
