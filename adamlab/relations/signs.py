"""Special cases that see only the gradient's sign, and optimizers that its scale does not change."""

import jax.numpy as jnp
import optax

from adamlab.calls import Call
from adamlab.relations.relation import SGD, SIGN, Relation
from adamlab.relations.transformations import Transformation
from adamlab.specs import LIBRARIES

NOT_ZERO = ("g ≠ 0",)


def adam_of_a_multiple(learning_rate, b1, b2, c, library="optax") -> Transformation:
    """Adam of c·g, ε = 0."""
    return optax.chain(optax.scale(c), LIBRARIES[library].adam(learning_rate, b1=b1, b2=b2, eps=0.0))


def of_a_multiple(learning_rate, b1, b2, above, below, optimizer="adam", library="optax") -> Transformation:
    """An optimizer of c·g at ε = 0, where c = above − below can be any number."""
    return optax.chain(optax.scale(above - below), _scale_free(optimizer, library, learning_rate, b1, b2))


def times_a_sign(learning_rate, b1, b2, above, below, optimizer="adam", library="optax") -> Transformation:
    """The sign of c = above − below times the optimizer of g at ε = 0."""
    return optax.chain(_scale_free(optimizer, library, learning_rate, b1, b2), optax.scale(jnp.sign(above - below)))


def _scale_free(optimizer: str, library: str, learning_rate, b1, b2) -> Transformation:
    make = getattr(LIBRARIES[library], optimizer)
    match optimizer:
        case "adam":
            return make(learning_rate, b1=b1, b2=b2, eps=0.0)
        case "rmsprop":
            return make(learning_rate, decay=b2, eps=0.0)
        case "adagrad":
            return make(learning_rate, initial_accumulator_value=0.0, eps=0.0)
    return make(learning_rate)


def _on_a_ray(optimizer: str, title: str, *, holds: bool) -> Relation:
    """The relation behind runs along a ray, where all gradients are multiples of one vector.

    Each coordinate moves as every other, up to its sign.
    """
    arguments = {"optimizer": optimizer}
    return Relation(
        name=f"{optimizer}-of-a-multiple",
        row="26",
        statement=(
            f"{title}'s step on c·g is sign(c) times that on g, so that on a problem whose gradients are multiples "
            "of one vector it stays on the ray of that vector's signs."
            if holds
            else f"{title}'s step on c·g is not sign(c) times that on g, and it leaves the ray."
        ),
        left=Call("of_a_multiple", of_a_multiple, arguments),
        right=Call("times_a_sign", times_a_sign, arguments),
        holds=holds,
        source="Wilson et al. 2017, Lemma 3.1",
        assumptions=("ε = 0", "c ≠ 0", *NOT_ZERO) if holds else (),
    )


ROWS = (
    Relation(
        name="adam-to-sign",
        row="6",
        statement="Adam with β₁ = β₂ = 0 and ε = 0 is sign descent.",
        left="optax.adam(learning_rate, b1=0.0, b2=0.0, eps=0.0)",
        right=SIGN,
        source="Balles & Hennig 2018; Bernstein et al. 2018",
        assumptions=NOT_ZERO,
        general="Adam",
        special="signSGD",
        condition="β₁ = β₂ = 0, ε = 0",
    ),
    Relation(
        name="rmsprop-to-sign",
        row="6a",
        statement="RMSProp with decay 0 and ε = 0 is sign descent.",
        left="optax.rmsprop(learning_rate, decay=0.0, eps=0.0)",
        right=SIGN,
        source="Balles & Hennig 2018; Bernstein et al. 2018",
        assumptions=NOT_ZERO,
        general="RMSProp",
        special="signSGD",
        condition="β₂ = 0, ε = 0",
    ),
    Relation(
        name="lion-to-sign",
        row="6b",
        statement="Lion with β₁ = β₂ = 0 and no weight decay is sign descent.",
        left="optax.lion(learning_rate, b1=0.0, b2=0.0, weight_decay=0.0)",
        right=SIGN,
        source="algebra",
        general="Lion",
        special="signSGD",
        condition="β₁ = β₂ = 0",
    ),
    Relation(
        name="lion-to-signum",
        row="7",
        statement="Lion with β₁ = β₂ = β and no weight decay is Signum, the sign of the gradients' average.",
        left="optax.lion(learning_rate, b1=b1, b2=b1, weight_decay=0.0)",
        right="optax.signum(learning_rate, beta=b1)",
        source="algebra",
        general="Lion",
        special="Signum",
        condition="β₁ = β₂",
    ),
    Relation(
        name="adam-first-step",
        row="8",
        statement="Adam's first step is η times the gradient's sign, for all β₁ and β₂.",
        left="optax.adam(learning_rate, b1=b1, b2=b2, eps=0.0)",
        right=SIGN,
        given={"t": 1},
        source="Kingma & Ba 2015, section 2.1",
        assumptions=("ε = 0", *NOT_ZERO),
    ),
    Relation(
        name="adam-without-a-scale",
        row="9",
        statement="Adam's step on c·g is that on g, for c > 0.",
        left=adam_of_a_multiple,
        right="optax.adam(learning_rate, b1=b1, b2=b2, eps=0.0)",
        source="Kingma & Ba 2015, section 2.1",
        assumptions=("ε = 0", "c > 0", *NOT_ZERO),
    ),
    Relation(
        name="rmsprop-to-sgd",
        row="10",
        statement="RMSProp with decay 1, a mean square that starts at 1, and ε = 0 is gradient descent.",
        left="optax.rmsprop(learning_rate, decay=1.0, initial_scale=1.0, eps=0.0)",
        right=SGD,
        source="algebra",
        general="RMSProp",
        special="SGD",
        condition="β₂ = 1, v₀ = 1, ε = 0",
    ),
    _on_a_ray("adagrad", "Adagrad", holds=True),
    _on_a_ray("rmsprop", "RMSProp", holds=True),
    _on_a_ray("adam", "Adam", holds=True),
    _on_a_ray("sgd", "Gradient descent", holds=False),
)
"""Rows 6 to 10 and 26."""
