"""Vectors in place of trees: the same steps, or a refusal."""

import copy
import pickle
from typing import Any, cast

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab.errors import InputError
from adamlab.flattening.reading import require_alike
from adamlab.flattening.vectors import MANY
from adamlab.lifting import lift
from adamlab.rules import RULES
from adamlab.types import Rule

pytestmark = pytest.mark.optimized(False)

PARAMS = {
    "w": jnp.linspace(-1.0, 1.0, 12).reshape(3, 4),
    "b": jnp.float32(0.3),
    "half": {"k": jnp.linspace(0.5, -2.0, 5).astype(jnp.bfloat16), "none": None},
    "row": jnp.ones((1,)),
}
SCALARS = {"a": jnp.float32(1.0), "b": jnp.float32(-2.0)}


def by_shape(params):
    return jax.tree.map(lambda x: x.ndim > 1, params)


def loss(params: Any) -> jax.Array:
    return sum((jnp.sum(jnp.sin(3 * x.astype(jnp.float32))) for x in jax.tree.leaves(params)), jnp.float32(0))


ALIKE = {
    "adam": optax.adam(0.1),
    "clipped momentum": optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1, 0.9)),
    "apply_if_finite": optax.apply_if_finite(al.sgd(0.1), 3),
    "adamw": al.adamw(optax.cosine_decay_schedule(0.1, 5), weight_decay=0.1),
    "MultiSteps": optax.MultiSteps(optax.sgd(0.1), 2).gradient_transformation(),
    "inject": optax.inject_hyperparams(optax.rmsprop)(0.1),
    "norm": optax.normalize_by_update_norm(),
    "dog": optax.contrib.dog(1.0),
}
UNLIKE = {
    "clip_by_block_rms": (optax.clip_by_block_rms(1e6), "total of some arrays"),
    "mask": (optax.adamw(0.1, mask=by_shape), '"w" is not treated as'),
    "our mask": (al.adamw(0.1, mask=by_shape), '"w" is not treated as'),
    "tree mask": (optax.masked(optax.sgd(0.1), {"w": True, "b": False, "half": True, "row": True}), "by a mask"),
    "lamb": (optax.lamb(0.1), "total of some arrays"),
    "adafactor": (optax.adafactor(0.1), "something else than a number for each entry"),
    "noise": (optax.add_noise(0.1, 0.5, key=0), "random_split looks at more than one entry"),
    "flip": (optax.stateless(lambda g, _: jax.tree.map(jnp.flip, g)), "rev looks at more than one entry"),
    "mean": (optax.stateless(lambda g, _: jax.tree.map(lambda x: x - jnp.sum(x) / x.size, g)), "total of some arrays"),
    "size": (optax.stateless(lambda g, _: jax.tree.map(lambda x: x / x.size, g)), '"b" is not treated as'),
    "ends": (optax.masked(optax.clip_by_global_norm(1.0), by_shape), 'total of some arrays|"b" is'),
    "lbfgs": (optax.scale_by_lbfgs(), "something else than a number for each entry"),
    "agc": (optax.adaptive_grad_clip(0.1), "total of some arrays"),
}
SLOW_AFTER = 4


def later(cases: Any) -> list[Any]:
    marked = [pytest.param(name, marks=pytest.mark.slow) for name in [*cases][SLOW_AFTER:]]
    return [*[*cases][:SLOW_AFTER], *marked]


@pytest.mark.parametrize("name", later(ALIKE))
def test_steps_on_vectors_are_those_on_the_tree(name):
    tx, w = al.flat(ALIKE[name]), al.ravel(PARAMS)

    @jax.jit
    def paths():
        params, vectors = PARAMS, w
        state, flat_state = ALIKE[name].init(params), tx.init(w)
        for _ in range(3):
            u, state = ALIKE[name].update(jax.grad(loss)(params), state, params)
            gradient = jax.grad(lambda w: loss(w.tree))(vectors)
            flat_u, flat_state = tx.update(gradient, flat_state, vectors)
            params, vectors = optax.apply_updates(params, u), optax.apply_updates(vectors, flat_u)
        return (params, state), al.unravel((vectors, flat_state))

    on_tree, on_vectors = paths()
    chex.assert_trees_all_close(on_vectors, on_tree, rtol=1e-5, atol=1e-7)
    chex.assert_trees_all_equal_shapes_and_dtypes(on_vectors, on_tree)


def refused(tx: Any, params: Any) -> str:
    tx, w = al.flat(tx), al.ravel(params)
    with pytest.raises(InputError, match="does not treat all arrays of the tree alike") as error:
        jax.eval_shape(lambda: tx.update(w, tx.init(w), w))
    return str(error.value)


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("name", [*UNLIKE])
def test_what_looks_at_single_arrays_is_refused(name):
    tx, why = UNLIKE[name]
    message = refused(tx, PARAMS)
    assert any(part in message for part in why.split("|")), message


def test_a_norm_of_each_single_number_is_no_norm_of_all():
    assert "some arrays alone" in refused(optax.clip_by_block_rms(1.0), SCALARS)


def test_totals_of_several_arrays_are_no_totals_of_all():
    def two_of_them(g, _):
        total = sum(jnp.sum(x) for x in jax.tree.leaves(g)[:2])
        return jax.tree.map(lambda x: x * total, g)

    assert "some arrays alone" in refused(optax.stateless(two_of_them), PARAMS)
    twice = optax.stateless(lambda g, _: jax.tree.map(lambda x: x * 2 * optax.tree.sum(g), g))
    w = al.ravel(SCALARS)
    updates: Any = al.flat(twice).update(w, al.flat(twice).init(w))[0]
    assert updates.tree["a"] == -2.0


def per_array(function: Any) -> Any:
    return optax.stateless(lambda g, _: jax.tree.map(function, g))


def trace_of_square(x: jax.Array) -> jax.Array:
    axes = ((0, 1), (1, 0)) if x.ndim > 1 else ((0,), (0,))
    return jax.lax.dot_general(x, x, (axes, ((), ())))


def times_trace(g: Any, _: Any) -> Any:
    total = sum(map(trace_of_square, jax.tree.leaves(g)))
    return jax.tree.map(lambda x: x * total, g)


KEY = jax.random.key(0)
SQUARE = {"w": jnp.arange(9.0).reshape(3, 3), "v": jnp.ones((2, 2))}


@pytest.mark.parametrize(
    ("tx", "params"),
    [
        (optax.stateless(times_trace), SQUARE),
        (per_array(lambda x: jnp.copysign(x, -0.0 if x.size > 2 else 0.0)), SQUARE | {"b": jnp.ones(2)}),
        (lift(Rule(lambda g, w, s: (g / jnp.sqrt(jnp.sum(g * g)), s), optax.EmptyState)), SQUARE),
        (per_array(lambda x: x * jax.random.normal(KEY, x.shape)), SQUARE),
    ],
    ids=["trace", "sign of 0", "rule of a user's own", "random key"],
)
def test_what_only_looks_alike_is_refused(tx, params):
    refused(tx, params)


def test_further_arguments_are_read_anew_where_they_are_of_another_form():
    def update(updates, state, params=None, *, value: Any = None):
        scaled = (lambda x: x * value) if jnp.ndim(value) == 0 else (lambda x: x / x.size)
        return jax.tree.map(scaled, updates), state

    tx = al.flat(optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update))
    w = al.ravel(SQUARE)
    tx.update(w, tx.init(w), w, value=1.0)
    with pytest.raises(InputError, match="does not treat all arrays"):
        tx.update(w, tx.init(w), w, value=jnp.ones(1))


def test_functions_of_vectors_are_not_called_on_trees():
    w = al.ravel(SCALARS)
    tx = al.flat(optax.scale_by_backtracking_linesearch(2))
    with pytest.raises(InputError, match="calls a function that it is given"):
        tx.update(w, tx.init(w), w, value=1.0, grad=w, value_fn=lambda w: w.tree["a"])


def test_a_state_is_the_same_after_it_was_pickled():
    w = al.ravel(PARAMS)
    state = al.flat(al.adam(0.1)).init(w)
    assert jax.tree.structure(pickle.loads(pickle.dumps(state))) == jax.tree.structure(state)


def test_what_is_no_array_and_no_transformation_is_refused():
    with pytest.raises(InputError, match="expected arrays and numbers, and got 'x' at \"a/b\""):
        al.ravel({"a": {"b": "x"}})
    with pytest.raises(InputError, match="expected a transformation"):
        al.flat(cast(Any, optax.adam))


def test_all_rules_treat_all_arrays_alike():
    """As `flat` takes for granted."""
    w = al.ravel({"w": PARAMS["w"], "b": PARAMS["b"]})
    for rule in RULES.values():
        tx = rule(0.1)
        require_alike(tx.update, w, jax.eval_shape(tx.init, w), w)
        require_alike(tx.init, w)


def test_the_step_does_not_grow_with_the_number_of_arrays():
    def equations(count: int) -> int:
        w = al.ravel([jnp.ones(2)] * count)
        tx = al.flat(al.adam(0.1))
        return str(jax.make_jaxpr(tx.update)(w, tx.init(w), w)).count("\n")

    assert equations(50) == equations(2)
    w = al.ravel([jnp.ones(2)] * 50)
    assert len(jax.tree.leaves((w, al.flat(optax.adam(0.1)).init(w)))) == 4


def test_ravelling_there_and_back():
    w = al.ravel(PARAMS)
    chex.assert_trees_all_equal(w.tree, PARAMS)
    assert {x.dtype.name: x.shape for x in w.vectors} == {"float32": (14,), "bfloat16": (5,)}
    assert jax.tree.structure(copy.deepcopy(w)) == jax.tree.structure(w) == jax.tree.structure(al.ravel(PARAMS))
    assert al.ravel(2.0).tree == 2.0
    many = al.ravel([jnp.full(i % 3 + 1, i / 7) for i in range(20)])

    def directional(of, at):
        return jax.jit(lambda x: jax.jvp(of, (x,), (jax.grad(of)(x),))[1])(at)

    np.testing.assert_allclose(directional(lambda w: loss(w.tree), many), directional(loss, many.tree), rtol=1e-5)


def _many(rng):
    """More arrays than are sliced one by one, of several sizes and two types."""
    arrays = [rng.normal(size=(i % 5, 3)).astype(np.float32) for i in range(2 * MANY)]
    return {"float": arrays, "half": [jnp.ones(i % 3, jnp.bfloat16) * i for i in range(MANY)], "last": jnp.arange(4.0)}


def test_many_arrays_come_back_as_they_were(rng):
    tree = _many(rng)
    w = al.ravel(tree)
    chex.assert_trees_all_equal(w.tree, tree)
    chex.assert_trees_all_equal(jax.jit(lambda w: w.tree)(w), tree)
    pairs = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), w)
    back = jax.jit(jax.vmap(lambda w: w.tree))(pairs)
    chex.assert_trees_all_equal(back, jax.tree.map(lambda x: jnp.stack([x, 2 * x]), tree))


def test_derivatives_of_many_arrays_are_those_of_the_tree(rng):
    tree = _many(rng)
    del tree["half"]

    def loss(tree):
        return sum(jnp.sum(jnp.sin(x) * (i + 1)) for i, x in enumerate(jax.tree.leaves(tree)))

    w = al.ravel(tree)
    expected = jax.grad(loss)(tree)
    gradient = jax.jit(jax.grad(lambda w: loss(w.tree)))
    chex.assert_trees_all_close(gradient(w).tree, expected, rtol=1e-6)
    _, along = jax.jit(lambda w, v: jax.jvp(lambda w: loss(w.tree), (w,), (v,)))(w, w)
    slope = sum(jnp.vdot(g, x) for g, x in zip(jax.tree.leaves(expected), jax.tree.leaves(tree), strict=True))
    np.testing.assert_allclose(along, slope, rtol=1e-5)
    curved = jax.jit(lambda w, v: jax.jvp(gradient, (w,), (v,))[1])(w, jax.tree.map(jnp.ones_like, w))
    chex.assert_trees_all_close(curved.tree, jax.jvp(jax.grad(loss), (tree,), (jax.tree.map(jnp.ones_like, tree),))[1])


def test_vectors_of_another_length_are_refused():
    w = al.ravel([jnp.ones(2)] * 2 * MANY)
    with pytest.raises(ValueError, match="Sum of sizes"):
        jax.jit(lambda w: w.tree)(jax.tree.map(lambda x: x[:-2], w))


def test_slices_of_many_arrays_are_one_kernel_for_all_of_a_size(rng):
    """XLA compiles equal kernels once: equal they are where the place is an argument, and no part of them."""
    w = al.ravel([jnp.full(8, float(i)) for i in range(2 * MANY)])
    text = str(jax.jit(jax.grad(lambda w: sum(jnp.sum(x**3) for x in w.tree))).lower(w).compile().as_text())
    assert " dynamic-slice(" in text
    assert "slice={" not in text
    assert "dynamic-update-slice" not in text  # the gradient is put together at once


def test_plain_trees_are_refused():
    tx, w = al.flat(al.adam(0.1)), al.ravel(PARAMS)
    with pytest.raises(InputError, match=r"expected ravelled params, as of al\.ravel\(params\), and got dict"):
        tx.init(PARAMS)
    with pytest.raises(InputError, match="expected ravelled gradients"):
        tx.update(PARAMS, tx.init(w), w)
    with pytest.raises(InputError, match="are of different trees"):
        tx.update(al.ravel(SCALARS), tx.init(w), w)
