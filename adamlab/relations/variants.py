"""Variants of Adam and RMSProp, and the special cases in which their own number is switched off."""

from typing import Any

import jax.numpy as jnp
import optax

from adamlab.arithmetic import Leaf
from adamlab.relations.relation import ADAM, Relation
from adamlab.relations.transformations import Transformation, descend, state_of
from adamlab.specs import LIBRARIES
from adamlab.types import rule


@rule(optax.ScaleByAdamState)
def qhadam_rule(g: Leaf, w: Leaf | None, s: Any, *, b1, b2, eps, nu_1, nu_2):
    """Ma & Yarats 2019, quasi-hyperbolic Adam."""
    m, v = b1 * s.mu + (1 - b1) * g, b2 * s.nu + (1 - b2) * g**2
    m_hat, v_hat = m / (1 - b1**s.count), v / (1 - b2**s.count)
    above, below = (1 - nu_1) * g + nu_1 * m_hat, (1 - nu_2) * g**2 + nu_2 * v_hat
    return above / (jnp.sqrt(below) + eps), s._replace(mu=m, nu=v)


@rule(optax.ScaleByAdamState)
def lp_adam_rule(g: Leaf, w: Leaf | None, s: Any, *, b1, b2, p):
    """Kingma & Ba 2015, section 7.1: Adam by the p-th moment of the gradient's size, with the rate β₂^p."""
    m, v = b1 * s.mu + (1 - b1) * g, b2**p * s.nu + (1 - b2**p) * jnp.abs(g) ** p
    return m / (1 - b1**s.count) / v ** (1 / p), s._replace(mu=m, nu=v)


def qhadam(learning_rate, b1, b2, eps, nu) -> Transformation:
    """Quasi-hyperbolic Adam with ν₁ = ν and ν₂ = 1."""
    return descend(qhadam_rule, learning_rate, b1=b1, b2=b2, eps=eps, nu_1=nu, nu_2=1.0)


def qhadam_looking_ahead(learning_rate, b1, b2, eps) -> Transformation:
    """Quasi-hyperbolic Adam with ν₁ = β₁ and ν₂ = 1."""
    return qhadam(learning_rate, b1, b2, eps, nu=b1)


def lp_adam(learning_rate, b1, b2, p) -> Transformation:
    """Adam by the p-th moment, without bias correction of it."""
    return descend(lp_adam_rule, learning_rate, b1=b1, b2=b2, p=p)


def sgd_with_l2(learning_rate, weight_decay, library="optax") -> Transformation:
    """Gradient descent on the loss with λ·w²/2 beside it."""
    family = LIBRARIES[library]
    return optax.chain(family.add_decayed_weights(weight_decay), family.sgd(learning_rate))


def sgd_with_decay(learning_rate, weight_decay, library="optax") -> Transformation:
    """Gradient descent, and beside it the share η·λ taken off the parameter."""
    family = LIBRARIES[library]
    return optax.chain(family.sgd(learning_rate), family.add_decayed_weights(-learning_rate * weight_decay))


def adam_with_l2(learning_rate, b1, b2, eps, weight_decay, library="optax") -> Transformation:
    """Adam on the loss with λ·w²/2 beside it."""
    family = LIBRARIES[library]
    return optax.chain(family.add_decayed_weights(weight_decay), family.adam(learning_rate, b1=b1, b2=b2, eps=eps))


def adadelta_held_at_c(rho, eps, c, library="optax") -> Transformation:
    """Adadelta whose average of squared updates is held at c; along the gradient, as Optax has it."""
    adadelta = LIBRARIES[library].scale_by_adadelta(rho, eps)

    def held(state):
        return state._replace(e_x=jnp.full_like(state.e_x, c))

    def update(updates, state, params=None):
        updates, state = adadelta.update(updates, state, params)
        return updates, held(state)

    return optax.GradientTransformation(lambda params: held(adadelta.init(params)), update)


def rmsprop_in_units_of_c(rho, eps, c, library="optax") -> Transformation:
    """RMSProp with η = √(c + ε), along the gradient."""
    return LIBRARIES[library].rmsprop(-jnp.sqrt(c + eps), decay=rho, eps=eps)


def variance_of_rmsprop(b1, library="optax") -> Transformation:
    """The variance under the root of centered RMSProp: the mean square less the square of the mean."""
    return state_of(LIBRARIES[library].scale_by_stddev(b1), lambda s: s.nu - s.mu**2)


def variance_of_adabelief(b1) -> Transformation:
    """The variance under the root of AdaBelief: the mean square of each gradient less the mean at its own step."""
    return state_of(optax.scale_by_belief(b1, b1, eps_root=0.0), lambda s: s.nu)


ROWS = (
    Relation(
        name="qhadam-to-nadam",
        row="13",
        statement="QHAdam with ν₁ = β₁ and ν₂ = 1 is not NAdam: their bias corrections differ.",
        left=qhadam_looking_ahead,
        right="optax.nadam(learning_rate, b1=b1, b2=b2, eps=eps)",
        holds=False,
        source="Ma & Yarats 2019",
        general="QHAdam",
        special="NAdam",
        condition="ν₁ = β₁, ν₂ = 1",
    ),
    Relation(
        name="qhadam-to-adam",
        row="13a",
        statement="QHAdam with ν₁ = ν₂ = 1 is Adam.",
        left=qhadam,
        right=ADAM,
        given={"nu": 1},
        source="Ma & Yarats 2019",
        general="QHAdam",
        special="Adam",
        condition="ν₁ = ν₂ = 1",
    ),
    Relation(
        name="lp-adam-to-adamax",
        row="14",
        statement="Adam by the p-th moment, with the rate β₂^p, goes to AdaMax as p → ∞.",
        left=lp_adam,
        right="optax.adamax(learning_rate, b1=b1, b2=b2, eps=0.0)",
        limit={"p": "oo"},
        source="Kingma & Ba 2015, section 7.1",
        assumptions=("ε = 0",),
        general="Lₚ-Adam",
        special="AdaMax",
        condition="p → ∞",
    ),
    Relation(
        name="adamw-to-adam",
        row="18",
        statement="AdamW without weight decay is Adam.",
        left="optax.adamw(learning_rate, b1=b1, b2=b2, eps=eps, weight_decay=0.0)",
        right=ADAM,
        source="Loshchilov & Hutter 2019",
        general="AdamW",
        special="Adam",
        condition="λ = 0",
    ),
    Relation(
        name="sgd-with-l2-to-decay",
        row="18a",
        statement="For gradient descent an L2 term of λ is a decoupled decay of η·λ.",
        left=sgd_with_l2,
        right=sgd_with_decay,
        source="Loshchilov & Hutter 2019",
    ),
    Relation(
        name="adam-with-l2-to-adamw",
        row="18b",
        statement="Adam with an L2 term of λ is not AdamW with a weight decay of λ.",
        left=adam_with_l2,
        right="optax.adamw(learning_rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay)",
        holds=False,
        source="Loshchilov & Hutter 2019",
        general="Adam + L2",
        special="AdamW",
        condition="same λ",
    ),
    Relation(
        name="ademamix-to-adam",
        row="19",
        statement="AdEMAMix with α = 0 is Adam.",
        left="optax.contrib.ademamix(learning_rate, b1=b1, b2=b2, b3=b3, alpha=0.0, eps=eps, weight_decay=0.0)",
        right=ADAM,
        source="algebra",
        general="AdEMAMix",
        special="Adam",
        condition="α = 0",
    ),
    Relation(
        name="adadelta-to-rmsprop",
        row="22",
        statement="Adadelta with its average of squared updates held at c is RMSProp with η = √(c + ε).",
        left=adadelta_held_at_c,
        right=rmsprop_in_units_of_c,
        source="algebra",
        general="Adadelta",
        special="RMSProp",
        condition="E[u²] = c",
    ),
    Relation(
        name="centered-rmsprop-to-adabelief",
        row="23",
        statement="The variance of centered RMSProp is not AdaBelief's.",
        left=variance_of_rmsprop,
        right=variance_of_adabelief,
        holds=False,
        source="algebra",
        note="The former is about the latest mean; the latter takes each gradient less the mean at its own step.",
        general="Centered RMSProp",
        special="AdaBelief",
        condition="variance",
    ),
)
"""Rows 13, 14, 18, 19, 22 and 23."""
