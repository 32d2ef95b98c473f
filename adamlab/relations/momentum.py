"""Momentum in its forms, and the adaptive rules that contain it."""

from types import ModuleType
from typing import Any

import jax.numpy as jnp
import optax

from adamlab.arithmetic import Leaf
from adamlab.lifting import lift
from adamlab.relations.relation import HEAVY_BALL, NESTEROV, SGD, Relation
from adamlab.relations.transformations import Transformation, descend, scheduled
from adamlab.rules import adam
from adamlab.schedules import inverse_sqrt
from adamlab.specs import LIBRARIES
from adamlab.types import rule


@rule(optax.TraceState)
def qhm_rule(g: Leaf, w: Leaf | None, s: Any, *, momentum, nu):
    """Ma & Yarats 2019, quasi-hyperbolic momentum: a mixture of the gradient and its average."""
    m = momentum * s.trace + (1 - momentum) * g
    return (1 - nu) * g + nu * m, s._replace(trace=m)


@rule(optax.ScaleByAdamState)
def nadam_rule(g: Leaf, w: Leaf | None, s: Any, *, momentum, b2, eps):
    """NAdam with one correction for its average and for the gradient that it looks ahead with."""
    m, v = momentum * s.mu + (1 - momentum) * g, b2 * s.nu + (1 - b2) * g**2
    size = jnp.sqrt(1 - b2**s.count) / (1 - momentum**s.count)
    return size * (momentum * m + (1 - momentum) * g) / (jnp.sqrt(v) + eps), s._replace(mu=m, nu=v)


@rule(optax.TraceState, needs_params=True)
def quadratic_rule(g: Leaf, w: Leaf, s: Any, *, learning_rate, momentum, curvature):
    """Goh 2017: (z, w) multiplied by R = [[β, λ], [−α·β, 1 − α·λ]], whatever the gradient."""
    matrix = jnp.array([[momentum, curvature], [-learning_rate * momentum, 1 - learning_rate * curvature]])
    z, after = jnp.tensordot(matrix, jnp.stack([s.trace, w]), 1)
    return after - w, s._replace(trace=z)


def adam_in_units_of_eps(learning_rate, momentum, b2, eps, library="optax") -> Transformation:
    """Adam with α_t = η·ε·(1 − β₁^t) / (1 − β₁)."""
    adam = LIBRARIES[library].adam

    def at(t):
        return adam(learning_rate * eps * (1 - momentum**t) / (1 - momentum), b1=momentum, b2=b2, eps=eps)

    return scheduled(at)


def uncorrected_adam_in_units_of_eps(learning_rate, momentum, b2, eps) -> Transformation:
    """Adam without bias correction and with η·ε/(1 − β₁)."""
    return adam(learning_rate * eps / (1 - momentum), b1=momentum, b2=b2, eps=eps, bias_correction=False)


def rmsprop_in_units_of_eps(learning_rate, momentum, b2, eps, library="optax") -> Transformation:
    """RMSProp with momentum and η·√ε, ε inside the root."""
    rmsprop = LIBRARIES[library].rmsprop
    return rmsprop(learning_rate * jnp.sqrt(eps), decay=b2, eps=eps, momentum=momentum)


def nadam_in_units_of_eps(learning_rate, momentum, b2, eps) -> Transformation:
    """NAdam of one correction with α_t = η·ε·(1 − β₁^t) / ((1 − β₁)·√(1 − β₂^t))."""

    def rate(count):
        t = count + 1
        return learning_rate * eps * (1 - momentum**t) / (1 - momentum) / jnp.sqrt(1 - b2**t)

    return descend(nadam_rule, rate, momentum=momentum, b2=b2, eps=eps)


def corrected_nadam_in_units_of_eps(learning_rate, momentum, b2, eps, library="optax") -> Transformation:
    """Optax's NAdam with α_t = η·ε·(1 − β₁^t) / (1 − β₁)."""
    return LIBRARIES[library].nadam(
        lambda count: learning_rate * eps * (1 - momentum ** (count + 1)) / (1 - momentum),
        b1=momentum,
        b2=b2,
        eps=eps,
    )


def average_of_gradients(learning_rate, momentum) -> Transformation:
    """The average of the gradients, with η/(1 − β)."""
    return optax.chain(optax.ema(momentum, debias=False), optax.scale(-learning_rate / (1 - momentum)))


def velocity(learning_rate, momentum, library="optax") -> Transformation:
    """Momentum with η inside the trace."""
    return _velocity(learning_rate, momentum, LIBRARIES[library])


def velocity_with_a_schedule(learning_rate, momentum, library="optax") -> Transformation:
    """Momentum with η₀/√t inside the trace."""
    return _velocity(inverse_sqrt(learning_rate), momentum, LIBRARIES[library])


def _velocity(learning_rate, momentum, library: ModuleType) -> Transformation:
    return optax.chain(library.scale_by_learning_rate(learning_rate), library.trace(momentum))


def qhm(learning_rate, momentum, nu) -> Transformation:
    """Quasi-hyperbolic momentum with η/(1 − β)."""
    return descend(qhm_rule, learning_rate / (1 - momentum), momentum=momentum, nu=nu)


def qhm_looking_ahead(learning_rate, momentum) -> Transformation:
    """Quasi-hyperbolic momentum with ν = β and η/(1 − β)."""
    return qhm(learning_rate, momentum, nu=momentum)


def sgd_for_qhm(learning_rate, momentum, library="optax") -> Transformation:
    """Gradient descent with η/(1 − β)."""
    return LIBRARIES[library].sgd(learning_rate / (1 - momentum))


def momentum_on_a_quadratic(learning_rate, momentum, curvature, library="optax") -> Transformation:
    """Heavy ball on λ·w²/2, whose gradient is λ·w."""
    sgd = LIBRARIES[library].sgd(learning_rate, momentum=momentum)
    return optax.GradientTransformation(
        sgd.init, lambda updates, state, params=None: sgd.update(curvature * params, state, params)
    )


def powers_of_a_matrix(learning_rate, momentum, curvature) -> Transformation:
    """(z, w) times R at every step."""
    return lift(quadratic_rule, learning_rate=learning_rate, momentum=momentum, curvature=curvature)


INCLUSIONS = (
    Relation(
        name="adam-to-heavy-ball",
        row="4",
        statement="Adam with α_t = η·ε·(1 − β₁^t) / (1 − β₁) goes to a heavy ball with η as ε → ∞.",
        left=adam_in_units_of_eps,
        right=HEAVY_BALL,
        limit={"eps": "oo"},
        source="Choi et al. 2019",
        general="Adam",
        special="Heavy ball",
        condition="ε → ∞",
    ),
    Relation(
        name="uncorrected-adam-to-heavy-ball",
        row="4a",
        statement="Adam without bias correction and with η·ε/(1 − β₁) goes to a heavy ball with η as ε → ∞.",
        left=uncorrected_adam_in_units_of_eps,
        right=HEAVY_BALL,
        limit={"eps": "oo"},
        source="Choi et al. 2019",
        note="On adamlab's code: Optax's Adam has no such option.",
    ),
    Relation(
        name="heavy-ball-to-sgd",
        row="5a",
        statement="A heavy ball without momentum is gradient descent.",
        left="optax.sgd(learning_rate, momentum=0.0)",
        right=SGD,
        source="Choi et al. 2019",
        general="Heavy ball",
        special="SGD",
        condition="β = 0",
    ),
    Relation(
        name="rmsprop-to-heavy-ball",
        row="5b",
        statement="RMSProp with momentum and η·√ε, ε inside the root, goes to a heavy ball with η as ε → ∞.",
        left=rmsprop_in_units_of_eps,
        right=HEAVY_BALL,
        limit={"eps": "oo"},
        source="Choi et al. 2019",
        general="RMSProp",
        special="Heavy ball",
        condition="ε → ∞",
    ),
    Relation(
        name="nesterov-to-sgd",
        row="5c",
        statement="Nesterov's method without momentum is gradient descent.",
        left="optax.sgd(learning_rate, momentum=0.0, nesterov=true)",
        right=SGD,
        source="Choi et al. 2019",
        general="Nesterov",
        special="SGD",
        condition="β = 0",
    ),
    Relation(
        name="nadam-to-nesterov",
        row="5d",
        statement=(
            "NAdam of one bias correction, with α_t = η·ε·(1 − β₁^t) / ((1 − β₁)·√(1 − β₂^t)), "
            "goes to Nesterov's method with η as ε → ∞."
        ),
        left=nadam_in_units_of_eps,
        right=NESTEROV,
        limit={"eps": "oo"},
        source="Choi et al. 2019",
        general="NAdam",
        special="Nesterov",
        condition="ε → ∞",
    ),
    Relation(
        name="nadam-of-two-corrections-to-nesterov",
        row="5e",
        statement="Optax's NAdam with α_t = η·ε·(1 − β₁^t) / (1 − β₁) does not go to Nesterov's method as ε → ∞.",
        left=corrected_nadam_in_units_of_eps,
        right=NESTEROV,
        limit={"eps": "oo"},
        holds=False,
        source="algebra",
        note="It corrects its average by 1 − β₁^(t+1), and the gradient by 1 − β₁^t.",
    ),
)
"""Rows 4 and 5."""

FORMS = (
    Relation(
        name="heavy-ball-to-average",
        row="11",
        statement="A heavy ball is the average of the gradients with η/(1 − β).",
        left=HEAVY_BALL,
        right=average_of_gradients,
        source="algebra",
    ),
    Relation(
        name="heavy-ball-to-velocity",
        row="11a",
        statement="At a constant η a heavy ball is the velocity form, with η inside the trace.",
        left=HEAVY_BALL,
        right=velocity,
        source="algebra",
    ),
    Relation(
        name="heavy-ball-to-velocity-with-a-schedule",
        row="11b",
        statement="At η₀/√t a heavy ball is not the velocity form.",
        left="optax.sgd(inverse_sqrt(learning_rate), momentum=momentum)",
        right=velocity_with_a_schedule,
        holds=False,
        source="algebra",
    ),
    Relation(
        name="qhm-to-nesterov",
        row="12",
        statement="QHM with ν = β and η/(1 − β) is Nesterov's method with η.",
        left=qhm_looking_ahead,
        right=NESTEROV,
        source="Ma & Yarats 2019",
        general="QHM",
        special="Nesterov",
        condition="ν = β",
    ),
    Relation(
        name="qhm-to-sgd",
        row="12a",
        statement="QHM with ν = 0 is gradient descent.",
        left=qhm,
        right=sgd_for_qhm,
        given={"nu": 0},
        source="Ma & Yarats 2019",
        general="QHM",
        special="SGD",
        condition="ν = 0",
    ),
    Relation(
        name="qhm-to-heavy-ball",
        row="12b",
        statement="QHM with ν = 1 and η/(1 − β) is a heavy ball with η.",
        left=qhm,
        right=HEAVY_BALL,
        given={"nu": 1},
        source="Ma & Yarats 2019",
        general="QHM",
        special="Heavy ball",
        condition="ν = 1",
    ),
    Relation(
        name="momentum-on-a-quadratic",
        row="24",
        statement="On λ·w²/2 a step of a heavy ball multiplies (z, w) by R = [[β, λ], [−α·β, 1 − α·λ]].",
        left=momentum_on_a_quadratic,
        right=powers_of_a_matrix,
        source="Goh 2017",
        note="z is the trace; after t steps it is R^t, whose eigenvalues say how fast w falls.",
    ),
)
"""Rows 11, 12 and 24."""

ROWS = INCLUSIONS + FORMS
