"""Which of Optax's optimizers are read, with which numbers left open, and which are not, for what reason."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from optax import contrib

from adamlab.errors import InputError
from adamlab.interpret.jaxpr import UnreadableError
from tests.symbolic.survey import Case

ALIASES = {
    "adabelief": Case(optax.adabelief, {"nesterov": True}),
    "adadelta": Case(optax.adadelta, symbols=("learning_rate", "weight_decay")),
    "adafactor": Case(
        optax.adafactor,
        {"min_dim_size_to_factor": 2},
        ("learning_rate", "momentum", "weight_decay_rate"),
        (2, 3),
        {"clipping_threshold": (0.5, 1.5)},
        float32=True,
    ),
    "adagrad": Case(optax.adagrad),
    "adam": Case(optax.adam, symbols=("eps_root",)),
    "adamax": Case(optax.adamax),
    "adamaxw": Case(optax.adamaxw),
    "adamw": Case(optax.adamw, {"nesterov": True}),
    "adan": Case(optax.adan, symbols=("weight_decay",)),
    "amsgrad": Case(optax.amsgrad),
    "fromage": Case(optax.fromage, shape=(2,), within={"min_norm": (0.3, 3)}),
    "lamb": Case(optax.lamb, shape=(2,)),
    "lars": Case(optax.lars, {"nesterov": True}, ("weight_decay", "eps"), (2,)),
    "lbfgs": Case(optax.lbfgs, {"memory_size": 2, "linesearch": None}, ("learning_rate",)),
    "lion": Case(optax.lion),
    "nadam": Case(optax.nadam),
    "nadamw": Case(optax.nadamw),
    "novograd": Case(optax.novograd, symbols=("weight_decay",), shape=(2,)),
    "optimistic_adam": Case(optax.optimistic_adam, symbols=("optimism",)),
    "optimistic_adam_v2": Case(optax.optimistic_adam_v2),
    "optimistic_gradient_descent": Case(optax.optimistic_gradient_descent),
    "polyak_sgd": Case(optax.polyak_sgd, symbols=("f_min", "eps"), shape=(2,)),
    "radam": Case(optax.radam, within={"b2": (0.97, 0.99), "threshold": (4.3, 5)}, steps=6),
    "rmsprop": Case(optax.rmsprop, {"centered": True, "bias_correction": True}, ("momentum", "initial_scale")),
    "rprop": Case(optax.rprop, within={"eta_plus": (1.1, 2), "min_step_size": (0.1, 0.3), "max_step_size": (0.5, 1)}),
    "sgd": Case(optax.sgd, {"nesterov": True}, ("momentum",)),
    "sign_sgd": Case(optax.sign_sgd),
    "signum": Case(optax.signum),
    "sm3": Case(optax.sm3, shape=(2, 2)),
    "yogi": Case(optax.yogi),
}
"""Optax's own optimizers."""

CONTRIBUTED = {
    "acprop": Case(contrib.acprop),
    "ademamix": Case(contrib.ademamix, symbols=("weight_decay",)),
    "adopt": Case(contrib.adopt),
    "cocob": Case(contrib.cocob, symbols=("weight_decay",)),
    "dadapt_adamw": Case(contrib.dadapt_adamw, shape=(2,), within={"learning_rate": (1, 9)}),
    "dog": Case(contrib.dog, shape=(2,), within={"learning_rate": (1, 9)}),
    "dowg": Case(contrib.dowg, shape=(2,), within={"learning_rate": (0.1, 3)}),
    "galore": Case(contrib.galore, shape=(2,)),
    "madgrad": Case(contrib.madgrad, symbols=("weight_decay",), float32=True),
    "momo": Case(contrib.momo, symbols=("weight_decay",), shape=(2,)),
    "momo_adam": Case(contrib.momo_adam, symbols=("weight_decay",)),
    "muon": Case(contrib.muon, symbols=("weight_decay",)),
    "prodigy": Case(contrib.prodigy, shape=(2,), within={"learning_rate": (1, 9)}),
    "schedule_free_adamw": Case(contrib.schedule_free_adamw, symbols=("weight_decay",)),
    "schedule_free_sgd": Case(contrib.schedule_free_sgd, symbols=("weight_decay",)),
    "simplified_ademamix": Case(contrib.simplified_ademamix, symbols=("alpha", "weight_decay")),
}
"""Those of `optax.contrib`."""

PARTS = {
    "adaptive_grad_clip": Case(optax.adaptive_grad_clip, shape=(2, 2)),
    "apply_every": Case(optax.apply_every, {"k": 2}),
    "centralize": Case(optax.centralize, shape=(2, 3)),
    "clip": Case(optax.clip),
    "clip_by_block_rms": Case(optax.clip_by_block_rms, shape=(2,), within={"threshold": (1, 4)}),
    "ema": Case(optax.ema),
    "keep_params_nonnegative": Case(optax.keep_params_nonnegative),
    "normalize": Case(contrib.normalize, shape=(2,)),
    "normalize_by_update_norm": Case(optax.normalize_by_update_norm, shape=(2,)),
    "scale_by_distance_over_gradients": Case(
        optax.scale_by_distance_over_gradients, shape=(2,), within={"global_scale": (1, 9)}, float32=True
    ),
    "scale_by_param_block_norm": Case(optax.scale_by_param_block_norm, shape=(2,), within={"min_scale": (0.3, 3)}),
    "scale_by_param_block_rms": Case(optax.scale_by_param_block_rms, shape=(2,), within={"min_scale": (0.3, 3)}),
}
"""Parts of optimizers that none of those holds."""


def clipped(max_norm, learning_rate, b1=0.9, b2=0.999):
    return optax.chain(optax.clip_by_global_norm(max_norm), optax.adam(learning_rate, b1, b2))


def scheduled(learning_rate, decay_rate=0.5, momentum=0.9):
    return optax.sgd(optax.exponential_decay(learning_rate, 2, decay_rate), momentum)


def every_second(learning_rate, b1=0.9, b2=0.999, *, accumulator_dtype=jnp.float64):
    inner = optax.adam(learning_rate, b1, b2)
    return optax.MultiSteps(inner, 2, accumulator_dtype=accumulator_dtype).gradient_transformation()


def masked(learning_rate, momentum=0.9):
    return optax.chain(optax.masked(optax.trace(momentum), True), optax.masked(optax.scale(-learning_rate), True))


def injected(learning_rate, b1=0.9, b2=0.999):
    return optax.inject_hyperparams(optax.adam)(learning_rate, b1, b2)


def finite(learning_rate, momentum=0.9):
    return optax.apply_if_finite(optax.sgd(learning_rate, momentum), max_consecutive_errors=2)


def averaged(learning_rate, b1=0.9, momentum=0.9):
    return contrib.schedule_free(optax.sgd(learning_rate, momentum), learning_rate, b1)


def orthogonal(learning_rate, beta=0.95, eps=1e-8):
    return contrib.muon(learning_rate, ns_steps=1, beta=beta, eps=eps)


def sharpness_aware(learning_rate, rho):
    sam = contrib.sam(optax.sgd(learning_rate), optax.chain(contrib.normalize(), optax.sgd(rho)))
    return optax.GradientTransformation(sam.init, sam.update)  # which takes no loss


def mechanized(learning_rate, weight_decay=0.01, s_init=1e-6):
    return contrib.mechanize(optax.sgd(learning_rate), weight_decay, s_init=s_init, num_betas=2)


def second_order(learning_rate, b1=0.9, b2=0.99, gamma=0.01):
    curvature = optax.stateless(lambda g, _: jax.tree.map(jnp.square, g))
    return contrib.sophia(learning_rate, b1, b2, gamma=gamma, update_interval=2, hessian_diagonal_fn=curvature)


def split(learning_rate, b1=0.9, b2=0.999):
    return contrib.split_real_and_imaginary(optax.adam(learning_rate, b1, b2))


COMPOSED = {
    "averaged": Case(averaged),
    "clipped": Case(clipped, shape=(2,), within={"max_norm": (1, 4)}),
    "every_second": Case(every_second),
    "finite": Case(finite),
    "injected": Case(injected),
    "masked": Case(masked),
    "mechanized": Case(mechanized, within={"s_init": (1, 9)}),
    "orthogonal, a column": Case(orthogonal, shape=(2, 1), steps=1),
    "orthogonal, a row": Case(orthogonal, shape=(1, 2), steps=2),
    "scheduled": Case(scheduled, float32=True),
    "second_order": Case(second_order),
    "sharpness_aware": Case(sharpness_aware, shape=(2,)),
    "split": Case(split),
}
"""What wrappers make of them."""


LARGE = {"orthogonal, a square": Case(orthogonal, shape=(2, 2), steps=1)}
"""Formulas that take many seconds to read; of the same kind as others."""


@dataclass(frozen=True)
class Refusal:
    """Why an optimizer is not read: the error that says so, and a pattern in its message."""

    reason: str
    case: Case
    error: type[Exception]
    match: str


def noisy(learning_rate):
    return optax.noisy_sgd(learning_rate, key=jax.random.key(0))


def private(learning_rate, l2_norm_clip, noise_multiplier):
    noise = contrib.differentially_private_aggregate(l2_norm_clip, noise_multiplier, key=jax.random.key(0))
    return optax.chain(noise, optax.sgd(learning_rate))


DRAWS, LOSS = "draws random numbers", "calls the loss at other parameters than w"

UNREAD = {
    "dpsgd": Refusal(DRAWS, Case(private, shape=(2, 2)), UnreadableError, "primitive 'random_"),
    "noisy_sgd": Refusal(DRAWS, Case(noisy), UnreadableError, "primitive 'random_"),
    "sophia": Refusal(LOSS, Case(contrib.sophia), InputError, "obj_fn must be provided"),
    "lbfgs with a line search": Refusal(LOSS, Case(optax.lbfgs), InputError, "required keyword-only .* 'value_fn'"),
    "galore of a matrix": Refusal(
        "takes singular vectors", Case(contrib.galore, shape=(2, 2)), UnreadableError, "primitive 'svd'"
    ),
    "muon of a matrix": Refusal(
        "takes a polynomial of a matrix five times over",
        Case(contrib.muon, shape=(2, 2)),
        UnreadableError,
        "the formulas get too long",
    ),
    "sm3 of a number": Refusal(
        "has a sum for each axis, of which there is none", Case(optax.sm3), InputError, "index out"
    ),
}
"""What cannot be read, or not in this form."""

READ: dict[str, Case] = {**ALIASES, **CONTRIBUTED, **PARTS, **COMPOSED}
