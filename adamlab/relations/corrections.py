"""Bias corrections: where they stand, which other numbers can take them in, and which averages they correct."""

from typing import Any

import jax.numpy as jnp
import optax

from adamlab.arithmetic import Leaf
from adamlab.relations.relation import ADAM, Relation
from adamlab.relations.transformations import Transformation, descend, scheduled
from adamlab.specs import LIBRARIES
from adamlab.types import rule


@rule(optax.ScaleByAdamState)
def epsilon_hat_rule(g: Leaf, w: Leaf | None, s: Any, *, b1, b2, eps):
    """Kingma & Ba 2015, end of section 2: both corrections in the step size, and ε̂ beside the raw root."""
    m, v = b1 * s.mu + (1 - b1) * g, b2 * s.nu + (1 - b2) * g**2
    size = jnp.sqrt(1 - b2**s.count) / (1 - b1**s.count)
    return size * m / (jnp.sqrt(v) + eps), s._replace(mu=m, nu=v)


@rule(optax.ScaleByAmsgradState)
def torch_amsgrad_rule(g: Leaf, w: Leaf | None, s: Any, *, b1, b2, eps):
    """AMSGrad as PyTorch has it: the greatest of the raw second moments, corrected afterwards."""
    m, v = b1 * s.mu + (1 - b1) * g, b2 * s.nu + (1 - b2) * g**2
    v_max = jnp.maximum(s.nu_max, v)
    root = jnp.sqrt(v_max) / jnp.sqrt(1 - b2**s.count)
    return m / (1 - b1**s.count) / (root + eps), s._replace(mu=m, nu=v, nu_max=v_max)


def corrected_average(b1) -> Transformation:
    """An average of the gradients divided by the sum of its weights."""
    return optax.ema(b1, debias=True)


def average_at_a_moving_rate(b1) -> Transformation:
    """A plain average with the rate β₁·(1 − β₁^(t−1)) / (1 − β₁^t)."""
    return scheduled(lambda t: optax.ema(b1 * (1 - b1 ** (t - 1)) / (1 - b1**t), debias=False))


def adam_eps_falling(learning_rate, b1, b2, eps, library="optax") -> Transformation:
    """Adam with ε_t = ε̂/√(1 − β₂^t)."""
    adam = LIBRARIES[library].adam
    return scheduled(lambda t: adam(learning_rate, b1=b1, b2=b2, eps=eps / jnp.sqrt(1 - b2**t)))


def adam_eps_hat(learning_rate, b1, b2, eps) -> Transformation:
    """Adam in its "epsilon hat" form."""
    return descend(epsilon_hat_rule, learning_rate, b1=b1, b2=b2, eps=eps)


def amsgrad_of_torch(learning_rate, b1, b2) -> Transformation:
    """PyTorch's AMSGrad at ε = 0."""
    return descend(torch_amsgrad_rule, learning_rate, b1=b1, b2=b2, eps=0.0)


def amsgrad_with_a_falling_correction(learning_rate, b1, b2, library="optax") -> Transformation:
    """AMSGrad of the raw second moment with η·√(1 − β₂^t), ε = 0."""
    amsgrad = LIBRARIES[library].amsgrad
    return amsgrad(
        lambda count: learning_rate * jnp.sqrt(1 - b2 ** (count + 1)), b1=b1, b2=b2, eps=0.0, bias_correction_nu=False
    )


def accumulated_adam(learning_rate, b1, b2, eps, library="optax") -> Transformation:
    """Adam on the mean of two gradients that come one after the other, g − f and g + f, f the loss of the step.

    One step of it is two of `optax.MultiSteps`. Since g and f can be any numbers, so can the two gradients.
    """
    adam = LIBRARIES[library].adam(learning_rate, b1=b1, b2=b2, eps=eps)
    steps = optax.MultiSteps(adam, every_k_schedule=2)

    def update(updates, state, params=None, **extra: Any):
        waiting, state = steps.update(updates - extra["value"], state, params)
        done, state = steps.update(updates + extra["value"], state, params)
        return optax.tree.add(waiting, done), state

    return optax.GradientTransformationExtraArgs(steps.init, update)


def heavy_ball_corrected(learning_rate, b1, library="optax") -> Transformation:
    """Heavy ball with η·(1 − β₁) / (1 − β₁^t): the corrected average of the gradients."""
    return LIBRARIES[library].sgd(lambda count: learning_rate * (1 - b1) / (1 - b1 ** (count + 1)), momentum=b1)


def radam_without_rectifying(learning_rate, b1, b2, eps) -> Transformation:
    """RAdam with a threshold that ρ_t never reaches."""
    return optax.radam(learning_rate, b1=b1, b2=b2, eps=eps, threshold=float("inf"))


ROWS = (
    Relation(
        name="corrected-average",
        row="3",
        statement="A corrected average is a plain one whose rate moves: β·(1 − β^(t−1)) / (1 − β^t) at step t.",
        left=corrected_average,
        right=average_at_a_moving_rate,
        source="algebra",
    ),
    Relation(
        name="adam-to-epsilon-hat",
        row="15",
        statement='Adam with ε_t = ε̂/√(1 − β₂^t) is the "epsilon hat" form.',
        left=adam_eps_falling,
        right=adam_eps_hat,
        source="Kingma & Ba 2015, end of section 2",
    ),
    Relation(
        name="amsgrad-to-adam",
        row="16",
        statement="AMSGrad is Adam while v̂ does not decrease.",
        left="optax.amsgrad(learning_rate, b1=b1, b2=b2, eps=eps)",
        right=ADAM,
        given={"nu_max": "rising"},
        source="algebra",
        assumptions=("v̂_t ≥ v̂_i for every i < t",),
        general="AMSGrad",
        special="Adam",
        condition="v̂ rises",
    ),
    Relation(
        name="amsgrad-of-torch",
        row="17",
        statement="PyTorch's AMSGrad at ε = 0 is Optax's of the raw second moment with η·√(1 − β₂^t).",
        left=amsgrad_of_torch,
        right=amsgrad_with_a_falling_correction,
        source="algebra",
    ),
    Relation(
        name="accumulation",
        row="20",
        statement="Adam after two accumulated gradients takes the step of Adam on their mean.",
        left=accumulated_adam,
        right=ADAM,
        source="algebra",
        note=(
            "optax.MultiSteps keeps the accumulated gradients in float32 unless it is given another "
            "accumulator_dtype: with float64 parameters it is off by some 1e-8, and by some 1e-16 "
            "with accumulator_dtype=float64."
        ),
    ),
    Relation(
        name="radam-to-adam",
        row="21",
        statement="RAdam at β₂ = 0.999 goes to Adam as t → ∞.",
        left="optax.radam(learning_rate, b1=b1, b2=0.999, eps=eps, threshold=5.0)",
        right="optax.adam(learning_rate, b1=b1, b2=0.999, eps=eps)",
        limit={"t": "oo"},
        source="Liu et al. 2020",
        note="ρ_t goes to 2/(1 − β₂) − 1; where that is below the threshold, for β₂ < 2/3, RAdam stays a heavy ball.",
        general="RAdam",
        special="Adam",
        condition="t → ∞",
    ),
    Relation(
        name="radam-to-heavy-ball",
        row="21a",
        statement="While ρ_t is below the threshold RAdam is a heavy ball with η·(1 − β₁) / (1 − β₁^t).",
        left=radam_without_rectifying,
        right=heavy_ball_corrected,
        source="Liu et al. 2020",
        general="RAdam",
        special="Heavy ball",
        condition="ρₜ < threshold",
    ),
    Relation(
        name="radam-first-steps",
        row="21b",
        statement="RAdam's first five steps are such a heavy ball's for every β₂, since ρ_t < t.",
        left="optax.radam(learning_rate, b1=b1, b2=b2, eps=eps, threshold=5.0)",
        right=heavy_ball_corrected,
        given={"t": 5},
        source="Liu et al. 2020",
    ),
)
"""Rows 3, 15, 16, 17, 20 and 21."""
