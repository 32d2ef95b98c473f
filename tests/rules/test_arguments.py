"""Every argument of every rule changes its steps, and has Optax's bits where Optax has the argument."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab.rules import RULES
from tests.harness import assert_same_bits, not_vectors, trajectories

BASES: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9},
    "rmsprop": {"momentum": 0.9, "centered": True, "eps": 1e-2},
    "adadelta": {"learning_rate": 0.5, "weight_decay": 0.1},
}
"""What some arguments need to have a meaning, beside the defaults; a learning rate for all."""

OTHER: dict[str, Any] = {
    "learning_rate": 0.3,
    "accumulator_dtype": "bfloat16",
    "mu_dtype": "bfloat16",
    "nu_dtype": "bfloat16",
    "mask": not_vectors,
    "weight_decay_mask": not_vectors,
    "momentum": 0.8,
}
"""Another value of arguments that are no flag and have no number as a default."""

ONLY_OURS = {"arithmetic", "bias_correction", "nu_dtype", "compensated"}


def another(name: str, default: Any) -> Any:
    if name in OTHER:
        return OTHER[name]
    if isinstance(default, bool):
        return not default
    return 0.6 if default >= 0.5 else default + 0.25


def option_sets(rule: str) -> dict[str, dict[str, Any]]:
    """The arguments of a rule: those of its base, and for each argument the same with another value of it."""
    parameters = inspect.signature(RULES[rule]).parameters
    base = {"learning_rate": 0.1} | BASES.get(rule, {})
    changed = {n: {n: another(n, base.get(n, p.default))} for n, p in parameters.items() if n != "arithmetic"}
    return {"": base} | {name: base | value for name, value in changed.items()}


def gradients() -> dict[str, jax.Array]:
    rng = np.random.default_rng(20150507)
    return {
        name: jnp.asarray(rng.normal(size=(6, *shape)), jnp.float32) for name, shape in {"m": (2, 3), "v": (4,)}.items()
    }


IN_THE_GATE = ("adagrad", "rmsprop")
"""Two rules of other kinds; the others take long."""


@pytest.mark.parametrize(
    "rule", [pytest.param(rule, marks=() if rule in IN_THE_GATE else pytest.mark.slow) for rule in RULES]
)
def test_every_argument_changes_something_and_has_the_bits_of_optax(rule):
    sets, gs = option_sets(rule), gradients()
    theirs = set(inspect.signature(getattr(optax, rule)).parameters)
    assert set(inspect.signature(RULES[rule]).parameters) == theirs | (ONLY_OURS & {*sets, "arithmetic"})
    shared = {key: hyper for key, hyper in sets.items() if key in theirs or not key}
    ours = {key: getattr(al, rule)(**hyper, arithmetic="optax") for key, hyper in shared.items()}
    of_optax = {key: getattr(optax, rule)(**hyper) for key, hyper in shared.items()}
    steps = trajectories(ours, gs, "scan")
    assert_same_bits(steps, trajectories(of_optax, gs, "scan"))
    extra = {key: getattr(al, rule)(**hyper) for key, hyper in sets.items() if key not in shared or not key}
    for updates in (steps[2], trajectories(extra, gs, "scan")[2]):
        for key, u in updates.items():
            same = all((np.asarray(u[leaf]) == updates[""][leaf]).all() for leaf in gs)
            assert key == "" or not same, f"{key} changes nothing"
