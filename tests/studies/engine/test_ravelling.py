"""Tests that runs on ravelled parameters are those on their tree, and which optimizers are run on the tree."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from adamlab.optimizers import REGISTERED, register
from adamlab.specs import parse
from adamlab.studies.engine.ravelling import takes_vectors
from adamlab.studies.engine.recording import layers_of
from adamlab.types import Problem
from tests.computing import computed

STEPS = 9
LAYERS = ("layer_norms", "layer_gradient_norms", "layer_update_norms", "layer_effective_learning_rate")


def _loss(params, batch):
    hidden = jnp.tanh(params["in"]["W"] @ jnp.array([0.5, -1.0]) + params["in"]["b"])
    return 0.5 * (params["out"] @ hidden - 1.0 + (0 if batch is None else batch)) ** 2


def _start(key):
    return {"in": {"W": jax.random.normal(key, (3, 2)), "b": jnp.zeros(3)}, "out": jnp.ones(3)}


NET = Problem("net", _loss, _start, lambda params: _loss(params, None), side_by_side=4)
VARIANTS = {
    "plain": NET,
    "constrained": replace(NET, project=lambda params: jax.tree.map(lambda x: jnp.clip(x, -0.4, 0.4), params)),
    "sampled": replace(NET, sample=lambda key, t: 0.1 * jax.random.normal(key)),
    "measured": replace(NET, metrics={"bias": lambda params: jnp.sum(params["in"]["b"])}),
}
OPTIMIZERS = {
    "adamlab.adam(0.1)": (optax.adam(0.1), True),
    "optax.adamw(0.1)": (optax.adamw(0.1), True),
    "optax.chain(optax.clip_by_global_norm(0.1), optax.adam(0.1))": (
        optax.chain(optax.clip_by_global_norm(0.1), optax.adam(0.1)),
        True,
    ),
    "optax.lamb(0.1)": (optax.lamb(0.1), False),
    "optax.lars(0.1)": (optax.lars(0.1), False),
    "optax.adafactor(0.1, min_dim_size_to_factor=2)": (optax.adafactor(0.1, min_dim_size_to_factor=2), False),
    "optax.chain(optax.clip_by_block_rms(0.1), optax.sgd(0.5))": (
        optax.chain(optax.clip_by_block_rms(0.1), optax.sgd(0.5)),
        False,
    ),
}


def _norms(tree):
    return np.array([jnp.linalg.norm(leaf.ravel()) for leaf in jax.tree.leaves(tree)])


def _by_hand(problem, tx, seed=0):
    """The losses ahead of each step and after the last, the last parameters, gradient and updates, on the tree."""
    start_key, sample_key = jax.random.split(jax.random.key(seed))
    w = problem.start(start_key)
    state, losses, gradient, updates = tx.init(w), [problem.objective(w)], None, None
    for t in range(STEPS):
        batch = problem.sample and problem.sample(jax.random.fold_in(sample_key, t), t + 1)
        gradient = jax.grad(problem.loss)(w, batch)
        updates, state = tx.update(gradient, state, w)
        w = optax.apply_updates(w, updates)
        w = w if problem.project is None else problem.project(w)
        losses.append(problem.objective(w))
    return np.array(losses), w, gradient, updates


@pytest.mark.parametrize(
    ("variant", "spec"),
    [("plain", spec) for spec in OPTIMIZERS]
    + [
        (variant, spec)
        for variant in VARIANTS
        if variant != "plain"
        for spec in ("optax.adamw(0.1)", "optax.lamb(0.1)")
    ],
)
def test_runs_are_those_on_the_tree(variant, spec):
    problem, (tx, is_alike) = VARIANTS[variant], OPTIMIZERS[spec]
    assert takes_vectors(parse(spec), problem, {}) is is_alike
    result = computed(problem, spec, seeds=(0, 1, 2), steps=STEPS, every=1, what=("loss", *LAYERS, *problem.metrics))
    assert len(layers_of(problem)) == 3
    for seed in range(3):
        losses, w, gradient, updates = _by_hand(problem, tx, seed)
        close: dict[str, Any] = {"rtol": 1e-3, "atol": 1e-5}
        np.testing.assert_allclose(result["loss"][seed], losses, **close)
        np.testing.assert_allclose(result["final_params"][seed], ravel_pytree(w)[0], **close)
        for name, tree in (("norms", w), ("gradient_norms", gradient), ("update_norms", updates)):
            np.testing.assert_allclose(result[f"layer_{name}"][seed, -1], _norms(tree), **close)
        for name, metric in problem.metrics.items():
            np.testing.assert_allclose(result[name][seed, -1], metric(w), **close)


def test_starts_keep_their_places():
    starts = np.linspace(-0.5, 0.5, 24).reshape(2, 12)
    for spec in ("adamlab.sgd(0.0)", "optax.lamb(0.0)"):
        result = computed(NET, spec, seeds=(0, 1), steps=1, every=1, what=("loss",), starts=starts)
        np.testing.assert_allclose(result["final_params"], starts, rtol=1e-6)


def test_arrays_of_several_types_are_left_as_they_are():
    mixed = replace(NET, start=lambda key: {**_start(key), "out": jnp.ones(3, jnp.bfloat16)})
    assert not takes_vectors(parse("adamlab.adam(0.1)"), mixed, {})
    assert not takes_vectors(parse("adamlab.adam(0.1)"), replace(NET, start=lambda key: jnp.zeros(3)), {})


@pytest.fixture
def registered():
    """Registers a factory for a test; gives its spec."""

    def register_factory(factory):
        register(f"tests.{factory.__name__}", factory)
        return f"tests.{factory.__name__}()"

    with patch.dict(REGISTERED):
        yield register_factory


def _searching():
    """A step of each array that is long where the loss then falls: a line search an array."""

    def update(updates, state, params=None, *, value=0.0, value_fn: Any = None, **_):
        leaves, tree = jax.tree.flatten(params)
        steps = []
        for i, (w, g) in enumerate(zip(leaves, tree.flatten_up_to(updates), strict=True)):
            tried = tree.unflatten([*leaves[:i], w - 2 * g, *leaves[i + 1 :]])
            steps.append(jnp.where(value_fn(tried) < value, -2 * g, -0.05 * g))
        return tree.unflatten(steps), state

    return optax.GradientTransformationExtraArgs(lambda params: (), update)


def _refusing():
    """An optimizer that has an error of its own for whatever is no dictionary."""

    def init(params):
        if not isinstance(params, dict):
            raise RuntimeError("expected a dictionary")
        return optax.sgd(0.1).init(params)

    return optax.GradientTransformation(init, optax.sgd(0.1).update)


def _widening():
    """An optimizer whose state has another type after a step."""
    tx = optax.trace(0.5, accumulator_dtype=jnp.bfloat16)

    def update(updates, state, params=None):
        del params
        return updates, jax.tree.map(lambda m, g: m + g, state, optax.TraceState(updates))

    return optax.GradientTransformation(tx.init, update)


@pytest.mark.parametrize(("factory", "is_alike"), [(_searching, False), (_refusing, False), (optax.polyak_sgd, True)])
def test_an_optimizer_of_ones_own_takes_the_steps_that_it_takes_on_the_tree(factory, is_alike, registered):
    spec = registered(factory)
    assert takes_vectors(parse(spec), NET, {}) is is_alike
    result = computed(NET, spec, seeds=(0, 1), steps=STEPS, every=1, what=("loss",))
    for seed in range(2):
        w = NET.start(jax.random.split(jax.random.key(seed))[0])
        tx = optax.with_extra_args_support(factory())
        state, losses = tx.init(w), [NET.objective(w)]
        for _ in range(STEPS):
            value, gradient = jax.value_and_grad(NET.loss)(w, None)
            updates, state = tx.update(gradient, state, w, value=value, value_fn=lambda w: NET.loss(w, None))
            w = optax.apply_updates(w, updates)
            losses.append(NET.objective(w))
        np.testing.assert_allclose(result["loss"][seed], losses, rtol=1e-3, atol=1e-5)


def test_a_state_that_changes_its_type_is_told_by_the_paths_of_the_tree(registered):
    with pytest.raises(ValueError, match=r"expected .*'out': 'bfloat16\[3\]'.*got .*'out': 'float32\[3\]'"):
        computed(NET, registered(_widening), seeds=(0, 1), steps=1, every=1, what=("loss",))


@pytest.mark.parametrize("spec", ["optax.sgd(lr)", "optax.lamb(lr)"])
def test_updates_of_a_wider_type_than_the_parameters_are_rounded_to_theirs(spec):
    narrow = replace(
        NET,
        start=lambda key: jax.tree.map(lambda x: x.astype(jnp.bfloat16), _start(key)),
        loss=lambda params, batch: _loss(params, batch).astype(jnp.float32),
        objective=lambda params: _loss(params, None).astype(jnp.float32),
    )
    result = computed(narrow, spec, {"lr": [0.1, 0.01]}, seeds=(0, 0), steps=3, every=1, what=("loss",))
    assert np.isfinite(result["loss"]).all()
    assert (result["final_params"][0] != result["final_params"][1]).any()
