"""Relations with one thing wrong in each: what must be refuted, or at the least never proved."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax

from adamlab.relations import adagrad, variants
from adamlab.relations.momentum import powers_of_a_matrix, qhm
from adamlab.relations.transformations import scheduled
from adamlab.schedules import inverse_sqrt

Side = str | Callable[..., Any]


def accumulated_sum(learning_rate, b1, b2, eps):
    steps = optax.MultiSteps(optax.adam(learning_rate, b1=b1, b2=b2, eps=eps), 2, use_grad_mean=False)

    def update(updates, state, params=None, **extra):
        _, state = steps.update(updates - extra["value"], state, params)
        return steps.update(updates + extra["value"], state, params)

    return optax.GradientTransformationExtraArgs(steps.init, update)


def with_a_falling_square(learning_rate, b1):
    """u = −η·(g + β₁^t·g²), which goes to −η·g for bounded gradients only."""

    def update(updates, state, params=None):
        return -learning_rate * (updates + b1 ** (state + 1) * updates**2), state + 1

    return optax.GradientTransformation(lambda params: jnp.zeros((), int), update)


def sgd(rate: Callable[..., Any]) -> Callable[..., Any]:
    return lambda learning_rate, momentum: optax.sgd(rate(learning_rate, momentum), momentum=momentum)


def adam_eps(eps_t: Callable[..., Any]) -> Side:
    return lambda learning_rate, b1, b2, eps: scheduled(
        lambda t: optax.adam(learning_rate, b1=b1, b2=b2, eps=eps_t(eps, b2, t))
    )


REFUTED: dict[str, tuple[str, dict[str, Any]]] = {
    "lr doubled": (
        "adam-to-rmsprop",
        {"left": lambda learning_rate, b2, eps: optax.adam(2 * learning_rate, b1=0.0, b2=b2, eps=eps)},
    ),
    "ε inside": (
        "adam-to-rmsprop",
        {"right": "optax.rmsprop(learning_rate, decay=b2, eps=eps, bias_correction=true)"},
    ),
    "no bias correction": (
        "adam-to-rmsprop",
        {"right": "optax.rmsprop(learning_rate, decay=b2, eps=eps, eps_in_sqrt=false)"},
    ),
    "β₁ not 0": ("adam-to-rmsprop", {"left": "optax.adam(learning_rate, b1=0.1, b2=b2, eps=eps)"}),
    "decay squared": (
        "adam-to-rmsprop",
        {"left": lambda learning_rate, b2, eps: optax.adam(learning_rate, b1=0.0, b2=b2**2, eps=eps)},
    ),
    "other decays": (
        "adam-to-rmsprop",
        {"left": "optax.adam(learning_rate, b1=0.0, b2=b3, eps=eps)"},
    ),
    "no schedule": ("adam-to-adagrad", {"left": "optax.adam(learning_rate, b1=0.0, b2=b2, eps=0.0)"}),
    "a schedule a step late": (
        "adam-to-adagrad",
        {
            "left": lambda learning_rate, b2: optax.adam(
                lambda count: learning_rate / jnp.sqrt(count + 2), b1=0.0, b2=b2, eps=0.0
            )
        },
    ),
    "a sum from 0.1": ("adam-to-adagrad", {"right": "optax.adagrad(learning_rate, eps=0.0)"}),
    "Adagrad doubled": ("adam-to-adagrad", {"right": lambda learning_rate: optax.adagrad(2 * learning_rate, 0.0, 0.0)}),
    "to β₂ = 0": ("adam-to-adagrad", {"limit": {"b2": 0}}),
    "ε·t outside": (
        "adam-to-adagrad-with-eps-outside",
        {"left": lambda learning_rate, b2, eps: optax.adam(inverse_sqrt(learning_rate), b1=0.0, b2=b2, eps=2 * eps)},
    ),
    "a constant ε": (
        "adam-to-adagrad-with-eps-inside",
        {"right": "optax.adagrad(learning_rate, initial_accumulator_value=0.0, eps=eps)"},
    ),
    "ε on the other side of the root": (
        "adam-to-adagrad-with-eps-outside",
        {"right": adagrad.adagrad_eps_t},
    ),
    "a mean a step late": (
        "adamnc-to-adagrad",
        {
            "left": lambda learning_rate: scheduled(
                lambda t: optax.rmsprop(learning_rate / jnp.sqrt(t), decay=1 - 1 / (t + 1), eps=0.0)
            )
        },
    ),
    "a rate a step late": (
        "corrected-average",
        {"right": lambda b1: scheduled(lambda t: optax.ema(b1 * (1 - b1**t) / (1 - b1 ** (t + 1)), debias=False))},
    ),
    "not corrected": ("corrected-average", {"left": lambda b1: optax.ema(b1, debias=False)}),
    "α without 1 − β₁^t": (
        "adam-to-heavy-ball",
        {
            "left": lambda learning_rate, momentum, b2, eps: optax.adam(
                learning_rate * eps / (1 - momentum), b1=momentum, b2=b2, eps=eps
            )
        },
    ),
    "η·ε for √ε": (
        "rmsprop-to-heavy-ball",
        {
            "left": lambda learning_rate, momentum, b2, eps: optax.rmsprop(
                learning_rate * eps, decay=b2, eps=eps, momentum=momentum
            )
        },
    ),
    "RMSProp starts at 1/2": (
        "rmsprop-to-sgd",
        {"left": "optax.rmsprop(learning_rate, decay=1.0, initial_scale=0.5, eps=0.0)"},
    ),
    "Lion's other rate": (
        "lion-to-signum",
        {"left": "optax.lion(learning_rate, b1=b1, b2=b2, weight_decay=0.0)"},
    ),
    "Lion decays": ("lion-to-sign", {"left": "optax.lion(learning_rate, b1=0.0, b2=0.0, weight_decay=0.1)"}),
    "the second step": ("adam-first-step", {"given": {"t": 2}}),
    "ε above 0": (
        "adam-without-a-scale",
        {
            "left": lambda learning_rate, b1, b2, eps, c: optax.chain(
                optax.scale(c), optax.adam(learning_rate, b1=b1, b2=b2, eps=eps)
            ),
            "right": "optax.adam(learning_rate, b1=b1, b2=b2, eps=eps)",
        },
    ),
    "the sign left out": ("adam-of-a-multiple", {"right": "optax.adam(learning_rate, b1=b1, b2=b2, eps=0.0)"}),
    "η/(1 − β) for η": ("heavy-ball-to-average", {"left": sgd(lambda rate, b: rate / (1 - b))}),
    "ν = β²": (
        "qhm-to-nesterov",
        {"left": lambda learning_rate, momentum: qhm(learning_rate, momentum, momentum**2)},
    ),
    "ν = 1/2": ("qhm-to-heavy-ball", {"given": {"nu": "0.5"}}),
    "ε̂ times the root": ("adam-to-epsilon-hat", {"left": adam_eps(lambda eps, b2, t: eps * jnp.sqrt(1 - b2**t))}),
    "ε̂ a step late": ("adam-to-epsilon-hat", {"left": adam_eps(lambda eps, b2, t: eps / jnp.sqrt(1 - b2 ** (t + 1)))}),
    "v̂ that falls": ("amsgrad-to-adam", {"given": {}}),
    "v̂ corrected before": ("amsgrad-of-torch", {"right": "optax.amsgrad(learning_rate, b1=b1, b2=b2, eps=0.0)"}),
    "a weight decay": (
        "adamw-to-adam",
        {"left": "optax.adamw(learning_rate, b1=b1, b2=b2, eps=eps, weight_decay=0.01)"},
    ),
    "λ without η": (
        "sgd-with-l2-to-decay",
        {
            "right": lambda learning_rate, weight_decay: optax.chain(
                optax.sgd(learning_rate), optax.add_decayed_weights(-weight_decay)
            )
        },
    ),
    "α = 1": (
        "ademamix-to-adam",
        {"left": "optax.contrib.ademamix(learning_rate, b1=b1, b2=b2, b3=b3, alpha=1.0, eps=eps, weight_decay=0.0)"},
    ),
    "a sum in place of the mean": ("accumulation", {"left": accumulated_sum}),
    "the sixth step": ("radam-first-steps", {"given": {"t": 6}}),
    "√c": (
        "adadelta-to-rmsprop",
        {"right": lambda rho, eps, c: optax.rmsprop(-jnp.sqrt(c), decay=rho, eps=eps)},
    ),
    "R with β² for β": (
        "momentum-on-a-quadratic",
        {"right": lambda learning_rate, momentum, curvature: powers_of_a_matrix(learning_rate, momentum**2, curvature)},
    ),
    "QHAdam's ν = 1/2": ("qhadam-to-adam", {"given": {"nu": "0.5"}}),
    "the p-th moment at β₂": (
        "lp-adam-to-adamax",
        {"left": lambda learning_rate, b1, b2, p: variants.lp_adam(learning_rate, b1, b2 ** (1 / p), p)},
    ),
}
"""By what is wrong: the relation's name, and what takes the place of its own."""

NOT_PROVED: dict[str, tuple[str, dict[str, Any]]] = {
    "lr doubled": (
        "radam-to-adam",
        {"right": lambda learning_rate, b1, eps: optax.adam(2 * learning_rate, b1=b1, b2=0.999, eps=eps)},
    ),
    "a threshold out of reach": (
        "radam-to-adam",
        {"left": "optax.radam(learning_rate, b1=b1, b2=0.999, eps=eps, threshold=2000.0)"},
    ),
    "gradients that outgrow β^t": (
        "radam-to-adam",
        {"left": with_a_falling_square, "right": "optax.sgd(learning_rate)"},
    ),
}
"""The same of limits in t, for which there are no counterexamples."""
