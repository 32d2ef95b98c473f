"""Adam without its first moment: RMSProp, and on the way to equal weights Adagrad."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from adamlab.arithmetic import Leaf
from adamlab.relations.relation import Relation
from adamlab.relations.transformations import Transformation, descend, scheduled
from adamlab.schedules import inverse_sqrt
from adamlab.specs import LIBRARIES
from adamlab.types import rule

ADAGRAD = "optax.adagrad(learning_rate, initial_accumulator_value=0.0, eps=0.0)"

ADAM_TOWARDS_ADAGRAD = "optax.adam(inverse_sqrt(learning_rate), b1=0.0, b2=b2, eps=0.0)"
"""Adam with β₁ = 0, ε = 0 and η₀/√t, whose limit as β₂ → 1 is Adagrad."""


class Sum(NamedTuple):
    """The number of the step and a sum of squares."""

    count: Any
    sum_of_squares: Any


@rule(Sum)
def rising_eps_rule(g: Leaf, w: Leaf | None, s: Any, *, eps, eps_in_sqrt: bool):
    """Adagrad with an ε that rises as the sum does: ε·√t outside the root, or ε·t inside it."""
    total, t = s.sum_of_squares + g**2, jnp.asarray(s.count, float)
    below = jnp.sqrt(total + eps * t) if eps_in_sqrt else jnp.sqrt(total) + eps * jnp.sqrt(t)
    return g / below, s._replace(sum_of_squares=total)


def adagrad_eps_sqrt_t(learning_rate, eps) -> Transformation:
    """Adagrad with ε·√t outside the root."""
    return descend(rising_eps_rule, learning_rate, eps=eps, eps_in_sqrt=False)


def adagrad_eps_t(learning_rate, eps) -> Transformation:
    """Adagrad with ε·t inside the root."""
    return descend(rising_eps_rule, learning_rate, eps=eps, eps_in_sqrt=True)


def adam_eps_in_sqrt(learning_rate, b2, eps, library="optax") -> Transformation:
    """Adam with β₁ = 0, η₀/√t and ε inside the root."""
    return LIBRARIES[library].adam(inverse_sqrt(learning_rate), b1=0.0, b2=b2, eps=0.0, eps_root=eps)


def adam_nc(learning_rate, library="optax") -> Transformation:
    """RMSProp with β₂ = 1 − 1/t, whose mean square is the plain mean, and η₀/√t."""
    rmsprop = LIBRARIES[library].rmsprop
    return scheduled(lambda t: rmsprop(learning_rate / jnp.sqrt(t), decay=1 - 1 / t, eps=0.0))


ROWS = (
    Relation(
        name="adam-to-rmsprop",
        row="1",
        statement="Adam with β₁ = 0 is RMSProp with bias correction and ε outside the root.",
        left="optax.adam(learning_rate, b1=0.0, b2=b2, eps=eps)",
        right="optax.rmsprop(learning_rate, decay=b2, eps=eps, eps_in_sqrt=false, bias_correction=true)",
        source="algebra",
        general="Adam",
        special="RMSProp",
        condition="β₁ = 0",
    ),
    Relation(
        name="adam-to-adagrad",
        row="2",
        statement="Adam with β₁ = 0, ε = 0 and η₀/√t goes to Adagrad with η₀ as β₂ → 1.",
        left=ADAM_TOWARDS_ADAGRAD,
        right=ADAGRAD,
        limit={"b2": 1},
        source="Kingma & Ba 2015, section 5",
        assumptions=("Adagrad's sum starts at 0",),
        general="Adam",
        special="Adagrad",
        condition="β₁ = 0, η₀/√t, β₂ → 1",
    ),
    Relation(
        name="adam-to-adagrad-with-eps-outside",
        row="2a",
        statement="With ε outside the root, Adam's β₂ → 1 leads to Adagrad with ε·√t outside the root.",
        left="optax.adam(inverse_sqrt(learning_rate), b1=0.0, b2=b2, eps=eps)",
        right=adagrad_eps_sqrt_t,
        limit={"b2": 1},
        source="algebra",
    ),
    Relation(
        name="adam-to-adagrad-with-eps-inside",
        row="2a",
        statement="With ε inside the root, Adam's β₂ → 1 leads to Adagrad with ε·t inside the root.",
        left=adam_eps_in_sqrt,
        right=adagrad_eps_t,
        limit={"b2": 1},
        source="algebra",
    ),
    Relation(
        name="adamnc-to-adagrad",
        row="2b",
        statement="RMSProp with β₂ = 1 − 1/t and η₀/√t is Adagrad with η₀, with no limit and no bias correction.",
        left=adam_nc,
        right=ADAGRAD,
        source="Reddi, Kale & Kumar 2018 (AdamNC)",
        assumptions=("Adagrad's sum starts at 0",),
        general="RMSProp",
        special="Adagrad",
        condition="β₂ = 1 − 1/t, η₀/√t",
    ),
    Relation(
        name="uncorrected-adam-to-adagrad",
        row="2c",
        statement="Without bias correction Adam does not go to Adagrad as β₂ → 1.",
        left="optax.rmsprop(inverse_sqrt(learning_rate), decay=b2, eps=0.0)",
        right=ADAGRAD,
        limit={"b2": 1},
        holds=False,
        source="Kingma & Ba 2015, section 5",
        note="Its first step has the size η/√(1 − β₂), which has no limit.",
        general="RMSProp",
        special="Adagrad",
        condition="β₂ → 1, η₀/√t",
    ),
)
"""Rows 1 and 2."""
