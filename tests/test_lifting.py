"""Transformations as Optax wants them: bit for bit, in its states, on its trees, compiled once."""

import inspect
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab import lifting
from adamlab.rules import PARTS, RULES
from adamlab.rules.adam import adam_rule
from adamlab.rules.sgd import trace_rule
from tests.harness import OPTION_SETS, assert_same_bits, trajectory, tree_gradients


@pytest.mark.parametrize(
    ("float_type", "context", "leaves"),
    [
        ("float32", "jit", "tree"),
        ("float32", "scan", "leaf"),  # one leaf compiles differently from several
        ("float64", "scan", "tree"),
        ("bfloat16", "jit", "leaf"),
    ],
)
@pytest.mark.parametrize("options", OPTION_SETS)
def test_optax_arithmetic_has_the_bits_of_optax(rng, options, float_type, context, leaves):
    name, hyper = OPTION_SETS[options]
    with jax.enable_x64(float_type == "float64"):
        gs = tree_gradients(rng, float_type)
        gs = gs if leaves == "tree" else gs["long"]
        ours = trajectory(getattr(al, name)(**hyper, arithmetic="optax"), gs, context)
        assert_same_bits(ours, trajectory(getattr(optax, name)(**hyper), gs, context))


@pytest.mark.parametrize("name", [*RULES, *PARTS])
def test_signature_is_that_of_optax_and_what_is_ours_is_keyword_only(name):
    ours = inspect.signature(getattr(al, name)).parameters
    theirs = inspect.signature(getattr(optax, name)).parameters
    assert [n for n in ours if n in theirs] == list(theirs)
    for parameter in theirs.values():
        assert (ours[parameter.name].default, ours[parameter.name].kind) == (parameter.default, parameter.kind)
    extra = [p for n, p in ours.items() if n not in theirs]
    assert {p.name for p in extra} <= {"arithmetic", "nu_dtype", "compensated"}
    assert all(p.kind is p.KEYWORD_ONLY for p in extra)


def test_instances_that_differ_in_numbers_share_one_compilation():
    g = {"a": jnp.ones(7), "b": jnp.ones((2, 3))}
    compiled: Any = lifting._apply
    compiled.clear_cache()
    for learning_rate, b2 in [(0.1, 0.9), (0.2, 0.99), (0.3, 0.999)]:
        transform = al.adam(learning_rate, b2=b2)
        state = transform.init(g)
        for _ in range(3):
            _, state = transform.update(g, state)
    assert compiled._cache_size() == 1
    al.adam(0.1, nesterov=True).update(g, al.adam(0.1).init(g))
    assert compiled._cache_size() == 2  # a flag is another program


@pytest.mark.parametrize("name", RULES)
def test_second_step_is_no_new_trace(name, dtype):
    params = {"w": jnp.ones(3), "b": jnp.zeros((), dtype)}
    transform = getattr(al, name)(0.1)
    traces = []

    @jax.jit
    def step(params, state):
        traces.append(1)
        updates, state = transform.update(jax.tree.map(lambda w: 2 * w, params), state, params)
        return optax.apply_updates(params, updates), state

    state = transform.init(params)
    for _ in range(3):
        params, state = step(params, state)
    assert len(traces) == 1


@pytest.mark.parametrize("arithmetic", ["accurate", "weighted", "optax"])
@pytest.mark.parametrize("name", RULES)
def test_leaves_without_a_gradient_stay_as_they_are(name, arithmetic):
    transform = getattr(al, name)(0.1, arithmetic=arithmetic)
    params = {"a": jnp.ones(2), "b": jnp.ones(3), "masked": optax.MaskedNode(), "none": None}
    grads = {"a": jnp.ones(2), "b": None, "masked": optax.MaskedNode(), "none": None}
    before = transform.init(params)
    updates, after = transform.update(grads, before, params)
    assert updates["b"] is None
    assert updates["none"] is None
    assert jax.tree.structure(after) == jax.tree.structure(before)
    only_a = {"a": jnp.ones(2)}
    alone, _ = transform.update(only_a, transform.init(only_a), only_a)
    np.testing.assert_array_equal(updates["a"], alone["a"])
    assert transform.update({}, transform.init({}), {})[0] == {}


@pytest.mark.parametrize("name", RULES)
def test_init_takes_shapes_in_place_of_arrays(name):
    transform = getattr(al, name)(0.1)
    shapes = {"w": jax.ShapeDtypeStruct((3, 2), jnp.float32)}
    assert_same_bits(transform.init(shapes), transform.init({"w": jnp.zeros((3, 2))}))


def test_complex_parameters_take_the_steps_of_optax(rng):
    gs = jnp.asarray(rng.normal(size=(20, 3)) + 1j * rng.normal(size=(20, 3)), jnp.complex64)
    for name in set(RULES) - {"adadelta"}:  # whose squares Optax leaves complex
        ours = trajectory(getattr(al, name)(0.1, arithmetic="optax"), gs, "scan")
        assert_same_bits(ours, trajectory(getattr(optax, name)(0.1), gs, "scan"))
        _, accurate = trajectory(getattr(al, name)(0.1), gs, "scan")
        np.testing.assert_allclose(accurate, ours[1], rtol=1e-4)


def test_extra_arguments_are_taken_and_ignored():
    transform = al.adam(0.1)
    state = transform.init(jnp.ones(2))
    plain, _ = transform.update(jnp.ones(2), state)
    extra, _ = transform.update(jnp.ones(2), state, jnp.ones(2), value=3.0, grad=None)
    np.testing.assert_array_equal(plain, extra)


def test_a_state_of_another_chain_is_refused():
    state: Any = al.adam(0.1).init(jnp.ones(2))
    with pytest.raises(ValueError, match="state of 2 parts, as init makes it, and got 1"):
        al.adam(0.1).update(jnp.ones(2), state[:1])


@pytest.mark.parametrize("name", RULES)
def test_our_own_arithmetics_never_promote_types(strict_promotion, dtype, name):
    g = jnp.ones(3, dtype)
    for arithmetic in ("accurate", "weighted"):
        transform = getattr(al, name)(0.1, arithmetic=arithmetic)
        updates, _ = transform.update(g, transform.init(g), g)
        assert updates.dtype == g.dtype


def test_state_types_are_kept_where_they_are_asked_for():
    params = jnp.ones(3, jnp.bfloat16)
    transform = al.scale_by_adam(mu_dtype=jnp.float32, nu_dtype=jnp.float32)
    state: Any = transform.init(params)
    for _ in range(2):
        _, state = transform.update(params, state)
    assert (state.mu.dtype, state.nu.dtype) == (jnp.float32, jnp.float32)


def test_hyper_parameters_can_be_mapped_and_traced():
    grads = jnp.array([0.3, -2.0])

    def first_update(learning_rate, b2):
        transform = al.adam(learning_rate, b2=b2)
        return transform.update(grads, transform.init(grads))[0]

    rates, decays = jnp.array([0.1, 0.2]), al.Decay(jnp.array([0.9, 0.999]))
    mapped = jax.vmap(first_update)(rates, decays)
    for i in range(2):
        np.testing.assert_allclose(mapped[i], first_update(rates[i], decays.rate[i]), rtol=1e-6)


def test_a_state_of_another_kind_is_refused():
    params = jnp.ones(3)
    weighted = al.scale_by_adam(arithmetic="weighted")
    for state, transform in [
        (weighted.init(params), al.scale_by_adam()),
        (al.scale_by_adam().init(params), weighted),
        (al.scale_by_rms().init(params), al.scale_by_adam()),
    ]:
        with pytest.raises(ValueError, match=r"Expected a state of type \w+, as init makes it, and got \w+\."):
            transform.update(params, state)


@pytest.mark.parametrize("name", ["adam", "adamw", "adamaxw"])
def test_params_without_a_gradient_can_be_anything(name):
    transform = getattr(al, name)(0.1)
    g = {"w": jnp.ones(2), "act": None}
    params: Any = {"w": jnp.ones(2), "act": None}
    state = transform.init(params)
    updates, _ = transform.update(g, state, {"w": jnp.ones(2), "act": jax.nn.relu})
    np.testing.assert_allclose(updates["w"], -0.1, rtol=2e-4)


def test_a_schedule_needs_a_rule_that_counts():
    with pytest.raises(ValueError, match="decay cannot be a schedule here: TraceState counts no steps"):
        lifting.lift(trace_rule, decay=lambda count: 0.9, nesterov=False)


def test_flags_may_be_of_other_types_and_numbers_whole():
    g = jnp.array([0.5, -2.0])
    plain, other = (
        lifting.lift(adam_rule, b1=b1, b2=0.9, eps=eps, eps_root=eps, nesterov=nesterov)
        for b1, eps, nesterov in [(0.0, 0.0, True), (0, 0, np.bool_(True))]
    )
    compiled: Any = lifting._apply
    compiled.clear_cache()
    np.testing.assert_array_equal(plain.update(g, plain.init(g))[0], other.update(g, other.init(g))[0])
    assert compiled._cache_size() == 1


@pytest.mark.parametrize("arithmetic", ["accurate", "weighted"])
@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_an_overflowing_square_does_what_it_does_in_optax(name, arithmetic):
    gs = jnp.array([[3e25], [1.0], [1.0]])
    _, ours = trajectory(getattr(al, name)(0.1, arithmetic=arithmetic), gs, "scan")
    _, theirs = trajectory(getattr(optax, name)(0.1), gs, "scan")
    np.testing.assert_array_equal(ours, theirs)
    assert np.isfinite(theirs).all()


@pytest.mark.parametrize("arithmetic", ["optax", "accurate", "weighted"])
def test_derivatives_by_hyper_parameters_are_finite_at_the_edge(x64, arithmetic):
    gs = jnp.array([[0.5], [-2.0], [0.3]])

    def last(b1):
        return trajectory(al.adam(0.1, b1=b1, arithmetic=arithmetic), gs, "scan")[1][-1, 0]

    difference = (last(1e-6) - last(0.0)) / 1e-6
    np.testing.assert_allclose(jax.grad(last)(0.0), difference, rtol=1e-4)


@pytest.mark.parametrize("bias_correction", [False, True])
def test_an_overflowing_variance_stops_the_coordinate(bias_correction):
    gs = jnp.array([[3e25], [1.0], [1.0]])
    hyper = {"centered": True, "bias_correction": bias_correction, "arithmetic": "weighted"}
    _, updates = trajectory(al.rmsprop(0.1, **hyper), gs, "scan")
    np.testing.assert_array_equal(updates[1:], 0)  # 1/√∞


@pytest.mark.parametrize("arithmetic", ["accurate", "weighted"])
@pytest.mark.parametrize("name", RULES)
def test_whole_gradients_and_python_numbers_take_steps(name, arithmetic):
    transform = getattr(al, name)(0.5, arithmetic=arithmetic)
    whole, _ = transform.update(jnp.array([1, -2]), transform.init(jnp.ones(2)), jnp.ones(2))
    plain, _ = transform.update(jnp.array([1.0, -2.0]), transform.init(jnp.ones(2)), jnp.ones(2))
    np.testing.assert_allclose(whole, plain, rtol=1e-6)
    alone, _ = transform.update(1, transform.init(1.0), 1.0)
    np.testing.assert_allclose(alone, plain[0], rtol=1e-6)


@pytest.mark.parametrize("arithmetic", ["accurate", "weighted"])
@pytest.mark.parametrize("name", RULES)
def test_python_numbers_are_no_new_trace_at_the_second_step(name, arithmetic):
    transform, traces = getattr(al, name)(0.5, arithmetic=arithmetic), []

    @jax.jit
    def step(g, state):
        traces.append(1)
        return transform.update(g, state, 1.0)

    state = transform.init(1.0)
    for _ in range(3):
        _, state = step(0.5, state)
    assert len(traces) == 1


@pytest.mark.parametrize(
    "options", ["adam", "adamw", "nadam", "amsgrad", "adamax", "rmsprop", "sgd schedule", "adagrad"]
)
def test_gradients_wider_than_parameters_have_the_bits_of_optax(rng, options):
    name, hyper = OPTION_SETS[options]
    gs, params = tree_gradients(rng, "float32", 10)["long"], jnp.ones(130, jnp.bfloat16)
    ended = []
    for transform in (getattr(al, name)(**hyper, arithmetic="optax"), getattr(optax, name)(**hyper)):
        step, state = jax.jit(transform.update), transform.init(params)
        for g in gs:
            u, state = step(g, state, params)
            ended.append((u, state))
    for ours, theirs in zip(ended[:10], ended[10:], strict=True):
        assert_same_bits(ours, theirs)


def test_updates_are_as_wide_as_the_parameters():
    g, w = jnp.ones(3, jnp.bfloat16), jnp.ones(3)
    updates, _ = al.adam(1e-3).update(g, al.adam(1e-3).init(w), w)
    assert updates.dtype == jnp.float32


@pytest.mark.parametrize("shape", [(2,), (), (2, 3), (1, 3, 2)])
def test_a_gradient_of_another_shape_is_refused_by_the_name_of_its_leaf(shape):
    """Optax lets all but one of these broadcast."""
    params = {"w": jnp.ones((3, 2)), "b": jnp.ones(2), "frozen": jnp.ones(4)}
    gradients = {"w": jnp.ones(shape), "b": jnp.ones(2), "frozen": None}
    for transform, name in ((al.adam(0.1), "mu"), (al.add_decayed_weights(0.1), "params")):
        told = f"differ in leaves 'w': shapes: {shape} != (3, 2). [tree 0: the updates; tree 1: {name}]"
        with pytest.raises(ValueError, match=re.escape(told)):
            transform.update(gradients, transform.init(params), params)
