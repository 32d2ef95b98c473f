"""What tests of transformations share: option sets, trees of gradients, trajectories, equality in bits."""

from typing import Any

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

    first = jax.tree.map(lambda g: g[0], gs)
    return jax.lax.scan(step, [transform.init(first) for transform in transforms], gs)[1]


def trajectory(transform, gs, context):
    """The last parameters and state, and all updates, of gradients with time as their first axis."""
    params = jax.tree.map(lambda g: g[0], gs)

    def step(carry, g):
        params, state = carry
        u, state = transform.update(g, state, params)
        return (optax.apply_updates(params, u), state), u

    carry = params, transform.init(params)
    if context == "scan":
        return jax.jit(lambda s, g: jax.lax.scan(step, s, g))(carry, gs)
    jitted, updates = jax.jit(step), []
    for i in range(len(jax.tree.leaves(gs)[0])):
        carry, u = jitted(carry, jax.tree.map(lambda g, i=i: g[i], gs))
        updates.append(u)
    return carry, jax.tree.map(lambda *us: jnp.stack(us), *updates)


def assert_same_bits(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.dtype == b.dtype
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
