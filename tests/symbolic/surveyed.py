"""Which of Optax's optimizers are read, with what left open, and which are not, with the reason."""


import jax
import jax.numpy as jnp
import optax
from optax import contrib

from tests.symbolic.survey import Case

ALIASES = {
    "adabelief": Case(optax.adabelief, {"nesterov": True}),
    "adadelta": Case(optax.adadelta, symbols=("learning_rate", "weight_decay")),
    "adafactor": Case(optax.adafactor, {"min_dim_size_to_factor": 2}, ("learning_rate",), (2, 3)),
    "adagrad": Case(optax.adagrad),
    "adam": Case(optax.adam, symbols=("eps_root",)),
    "adamax": Case(optax.adamax),
    "adamaxw": Case(optax.adamaxw),
    "adamw": Case(optax.adamw, {"nesterov": True}),
    "adan": Case(optax.adan, symbols=("weight_decay",)),
    "amsgrad": Case(optax.amsgrad),
    "fromage": Case(optax.fromage, shape=(2,), within={"min_norm": (0.3, 3)}),
    "lamb": Case(optax.lamb, symbols=("weight_decay",), shape=(2,)),
    "lars": Case(optax.lars, symbols=("weight_decay", "eps"), shape=(2,)),
    "lbfgs": Case(optax.lbfgs, {"memory_size": 2, "linesearch": None}, ("learning_rate",)),
    "lion": Case(optax.lion),
    "nadam": Case(optax.nadam),
    "nadamw": Case(optax.nadamw),
    "novograd": Case(optax.novograd, symbols=("weight_decay",), shape=(2,)),
    "optimistic_adam": Case(optax.optimistic_adam, symbols=("optimism",)),
    "optimistic_adam_v2": Case(optax.optimistic_adam_v2),
    "optimistic_gradient_descent": Case(optax.optimistic_gradient_descent),
    "polyak_sgd": Case(optax.polyak_sgd, symbols=("f_min", "eps"), shape=(2,)),
    "radam": Case(optax.radam, within={"b2": (0.97, 0.999), "threshold": (4.3, 5)}, steps=6),
    "rmsprop": Case(optax.rmsprop, {"centered": True, "bias_correction": True}, ("momentum", "initial_scale")),
    "rprop": Case(optax.rprop, within={"eta_plus": (1.1, 2), "min_step_size": (0.1, 0.3), "max_step_size": (0.5, 1)}),
    "sgd": Case(optax.sgd, {"nesterov": True}, ("momentum",)),
    "sign_sgd": Case(optax.sign_sgd),
    "signum": Case(optax.signum),
    "sm3": Case(optax.sm3, shape=(2, 2)),
    "yogi": Case(optax.yogi),
}
"""Optax's own."""

CONTRIBUTED = {
    "acprop": Case(contrib.acprop),
    "ademamix": Case(contrib.ademamix, symbols=("weight_decay",)),
    "adopt": Case(contrib.adopt),
    "cocob": Case(contrib.cocob, symbols=("weight_decay",)),
    "dadapt_adamw": Case(contrib.dadapt_adamw, symbols=("weight_decay",), shape=(2,)),
    "dog": Case(contrib.dog, shape=(2,)),
    "dowg": Case(contrib.dowg, shape=(2,)),
    "galore": Case(contrib.galore, shape=(2,)),
    "madgrad": Case(contrib.madgrad, symbols=("weight_decay",)),
    "momo": Case(contrib.momo, symbols=("weight_decay",), shape=(2,)),
    "momo_adam": Case(contrib.momo_adam, symbols=("weight_decay",)),
    "muon": Case(contrib.muon, symbols=("weight_decay",)),
    "prodigy": Case(contrib.prodigy, symbols=("weight_decay",), shape=(2,)),
    "schedule_free_adamw": Case(contrib.schedule_free_adamw, symbols=("weight_decay",)),
    "schedule_free_sgd": Case(contrib.schedule_free_sgd, symbols=("weight_decay",)),
    "simplified_ademamix": Case(contrib.simplified_ademamix, symbols=("alpha", "weight_decay")),
}
"""Those of `optax.contrib`."""


def clipped(max_norm, learning_rate, b1=0.9, b2=0.999):
    return optax.chain(optax.clip_by_global_norm(max_norm), optax.adam(learning_rate, b1, b2))


def scheduled(learning_rate, decay_rate=0.5):
    return optax.sgd(optax.exponential_decay(learning_rate, 2, decay_rate), momentum=0.9)


def every_second(learning_rate, b1=0.9, b2=0.999):
    return optax.MultiSteps(optax.adam(learning_rate, b1, b2), every_k_schedule=2).gradient_transformation()


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
    return contrib.sam(optax.sgd(learning_rate), optax.chain(contrib.normalize(), optax.sgd(rho)), sync_period=2)


def mechanized(learning_rate, weight_decay=0.01, s_init=1e-6):
    return contrib.mechanize(optax.sgd(learning_rate), weight_decay, s_init=s_init)


def second_order(learning_rate, b1=0.9, b2=0.99, gamma=0.01):
    curvature = optax.stateless(lambda g, _: jax.tree.map(jnp.square, g))
    return contrib.sophia(learning_rate, b1, b2, gamma=gamma, update_interval=2, hessian_diagonal_fn=curvature)


def split(learning_rate, b1=0.9, b2=0.999):
    return contrib.split_real_and_imaginary(optax.adam(learning_rate, b1, b2))


COMPOSED = {f.__name__: Case(f) for f in (scheduled, every_second, masked, injected, finite, averaged, mechanized, second_order, split)}
COMPOSED |= {"clipped": Case(clipped, shape=(2,), within={"max_norm": (1, 4)}), "orthogonal": Case(orthogonal, shape=(2, 2)),
             "sharpness_aware": Case(sharpness_aware, shape=(2,))}
