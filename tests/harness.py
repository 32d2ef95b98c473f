"""What tests of transformations share: option sets, trees of gradients, trajectories, equality in bits.

Transformations come by key and are stepped together, in one program: compiling it takes a fraction of the time that
compiling a program for each takes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax


def inverse_sqrt(count):
    return 0.1 / jnp.sqrt(count + 1.0)


def not_vectors(tree):
    return jax.tree.map(lambda x: x.ndim != 1, tree)


OPTION_SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("sgd", {"learning_rate": 0.1}),
    "sgd schedule": ("sgd", {"learning_rate": inverse_sqrt, "momentum": 0.9}),
    "sgd nesterov": ("sgd", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd bfloat16": ("sgd", {"learning_rate": 0.1, "momentum": 0.9, "accumulator_dtype": "bfloat16"}),
    "adagrad": ("adagrad", {"learning_rate": 0.1}),
    "adagrad from 0": ("adagrad", {"learning_rate": inverse_sqrt, "initial_accumulator_value": 0.0, "eps": 0.0}),
    "rmsprop": ("rmsprop", {"learning_rate": 0.01}),
    "rmsprop momentum": ("rmsprop", {"learning_rate": inverse_sqrt, "momentum": 0.9}),
    "rmsprop nesterov": ("rmsprop", {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True}),
    "rmsprop outside": ("rmsprop", {"learning_rate": 0.01, "eps_in_sqrt": False, "initial_scale": 1.0}),
    "rmsprop corrected": ("rmsprop", {"learning_rate": 0.01, "bias_correction": True}),
    "rmsprop centered": ("rmsprop", {"learning_rate": 0.01, "centered": True, "eps": 1e-2}),
    "rmsprop both": ("rmsprop", {"learning_rate": 0.01, "centered": True, "bias_correction": True, "eps": 1e-2}),
    "adadelta": ("adadelta", {"learning_rate": 1.0}),
    "adadelta decayed": ("adadelta", {"rho": 0.95, "weight_decay": 1e-2, "weight_decay_mask": not_vectors}),
    "adam": ("adam", {"learning_rate": 1e-3}),
    "adam schedule": ("adam", {"learning_rate": inverse_sqrt, "eps_root": 1e-8}),
    "adam b2": ("adam", {"learning_rate": 1e-3, "b1": 0.0, "b2": 0.9999999}),
    "adam mu_dtype": ("adam", {"learning_rate": 1e-3, "mu_dtype": "bfloat16"}),
    "adamw": ("adamw", {"learning_rate": 1e-3}),
    "adamw masked": ("adamw", {"learning_rate": inverse_sqrt, "weight_decay": 0.1, "mask": not_vectors}),
    "adamw schedule": ("adamw", {"learning_rate": 1e-3, "weight_decay": inverse_sqrt}),
    "adamax": ("adamax", {"learning_rate": 2e-3}),
    "adamaxw": ("adamaxw", {"learning_rate": 2e-3, "weight_decay": 1e-2}),
    "nadam": ("nadam", {"learning_rate": 1e-3}),
    "nadamw": ("nadamw", {"learning_rate": 1e-3, "b1": 0.8}),
    "amsgrad": ("amsgrad", {"learning_rate": 1e-3, "b2": 0.9}),
    "amsgrad raw": ("amsgrad", {"learning_rate": 1e-3, "bias_correction_nu": False}),
}


def tree_gradients(rng: np.random.Generator, dtype: str, steps: int = 40) -> dict[str, jax.Array]:
    """A tree of several shapes, each entry on a scale of its own."""
    shapes = {"matrix": (4, 5), "long": (130,), "scalar": (), "cube": (2, 3, 2)}
    scales = {name: 10.0 ** rng.uniform(-4, 2, size=shape) for name, shape in shapes.items()}
    return {name: jnp.asarray(rng.normal(size=(steps, *shapes[name])) * scales[name], dtype) for name in shapes}


def at(gs, i):
    """The gradients of step i, of gradients with time as their first axis."""
    return jax.tree.map(lambda g: g[i], gs)


def updates_of_all(transforms, gs, w) -> list:
    """The updates by each transformation, all in one loop, which is compiled faster than a loop for each.

    Args:
        transforms: the transformations.
        gs: the gradients, time as their first axis.
        w: the weights, held where they are, or None.
    """

    def step(states, g):
        updates, states = zip(*(t.update(g, s, w) for t, s in zip(transforms, states, strict=True)), strict=True)
        return list(states), list(updates)

    return jax.lax.scan(step, [transform.init(at(gs, 0)) for transform in transforms], gs)[1]


def step_of(transforms: Mapping[str, Any]) -> Callable[..., Any]:
    """A step of every transformation: parameters and states by key and gradients to both and the updates by key."""

    def step(params, states, g, **extra):
        updates, after = {}, {}
        for key, transform in transforms.items():
            updates[key], after[key] = transform.update(g, states[key], params[key], **extra)
        return {key: optax.apply_updates(params[key], u) for key, u in updates.items()}, after, updates

    return step


def run(step, params, states, gs, **extra) -> tuple[Any, Any, Any]:
    """The last parameters and states, and all updates, of gradients with time as their first axis."""
    updates = []
    for i in range(len(jax.tree.leaves(gs)[0])):
        params, states, u = step(params, states, at(gs, i), **extra)
        updates.append(u)
    return params, states, jax.tree.map(lambda *us: np.stack(us), *updates)


def start(transforms: Mapping[str, Any], params) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same parameters for every transformation, and the states that they begin with."""
    return dict.fromkeys(transforms, params), {key: transform.init(params) for key, transform in transforms.items()}


def trajectories(transforms: Mapping[str, Any], gs, context: str) -> tuple[Any, Any, Any]:
    """As `run` from the first gradients as parameters, each step a call under "jit", all of them one under "scan"."""
    begin, step = start(transforms, at(gs, 0)), step_of(transforms)
    if context == "jit":
        return run(jax.jit(step), *begin, gs)

    def scanned(carry, g):
        *carry, updates = step(*carry, g)
        return tuple(carry), updates

    (params, states), updates = jax.jit(lambda carry, gs: jax.lax.scan(scanned, carry, gs))(begin, gs)
    return params, states, updates


def assert_same_bits(ours, theirs):
    """The trees have the same structure, and their arrays the same types and bits."""
    chex.assert_trees_all_equal_structs(ours, theirs)
    pairs = zip(jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(theirs), strict=True)
    different = [
        jax.tree_util.keystr(path)
        for (path, a), b in pairs
        if a.dtype != b.dtype or np.asarray(a).tobytes() != np.asarray(b).tobytes()
    ]
    assert different == []
