"""Transformations as Optax wants them: bit for bit, in its states, on its trees, compiled once."""

import inspect
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab import lifting
from adamlab.arithmetic import ARITHMETICS
from adamlab.rules import PARTS, RULES
from adamlab.rules.adam import adam_rule
from adamlab.rules.sgd import trace_rule
from tests.harness import (
    OPTION_SETS,
    assert_same_bits,
    run,
    start,
    step_of,
    trajectories,
    tree_gradients,
    updates_of_all,
)

each_arithmetic = pytest.mark.parametrize("arithmetic", ARITHMETICS)
our_own = pytest.mark.parametrize("arithmetic", ["accurate", "weighted"])


def every_rule(arithmetic: str, learning_rate: float = 0.1) -> dict[str, Any]:
    return {name: rule(learning_rate, arithmetic=arithmetic) for name, rule in RULES.items()}


OPTAX_SGD = partial(al.sgd, arithmetic="optax")
EVERY_SHAPE = ["cube", "long", "matrix", "scalar"]


def ours_and_theirs(options: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The optimizers of these option sets: adamlab's in the arithmetic of Optax, and Optax's own."""
    given = {key: OPTION_SETS[key] for key in options}
    ours = {key: getattr(al, name)(**hyper, arithmetic="optax") for key, (name, hyper) in given.items()}
    return ours, {key: getattr(optax, name)(**hyper) for key, (name, hyper) in given.items()}


@pytest.mark.parametrize(
    ("float_type", "context", "leaves"),
    [
        ("float32", "jit", ["long", "scalar"]),
        ("float64", "scan", ["matrix"]),
        pytest.param("bfloat16", "jit", ["long"], marks=pytest.mark.slow),
        pytest.param("float32", "jit", EVERY_SHAPE, marks=pytest.mark.slow),
        pytest.param("float64", "scan", EVERY_SHAPE, marks=pytest.mark.slow),
    ],
)
def test_optax_arithmetic_has_the_bits_of_optax(rng, float_type, context, leaves):
    with jax.enable_x64(float_type == "float64"):
        drawn = tree_gradients(rng, float_type)
        gs = {leaf: drawn[leaf] for leaf in leaves}
        ours, theirs = ours_and_theirs(OPTION_SETS)
        assert_same_bits(trajectories(ours, gs, context), trajectories(theirs, gs, context))


# XLA makes x / c of a correction x·(1/c) where a single leaf uses it.
ALONE = ["sgd nesterov", "adagrad", "rmsprop both", "adadelta", "adam", "adamw schedule", "adamax", "nadam", "amsgrad"]


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize(
    "options", [key if key in ALONE else pytest.param(key, marks=pytest.mark.slow) for key in OPTION_SETS]
)
def test_optax_arithmetic_has_the_bits_of_optax_alone_in_a_program(rng, options):
    gs, (ours, theirs) = tree_gradients(rng, "float32")["long"], ours_and_theirs([options])
    assert_same_bits(trajectories(ours, gs, "scan"), trajectories(theirs, gs, "scan"))


def test_signatures_are_those_of_optax_and_what_is_ours_is_keyword_only():
    for name in [*RULES, *PARTS]:
        ours, theirs = (inspect.signature(getattr(library, name)).parameters for library in (al, optax))
        assert [n for n in ours if n in theirs] == list(theirs), name
        for parameter in theirs.values():
            assert ours[parameter.name].default == parameter.default, name
            assert ours[parameter.name].kind == parameter.kind, name
        extra = [p for n, p in ours.items() if n not in theirs]
        assert {p.name for p in extra} <= {"arithmetic", "bias_correction", "nu_dtype", "compensated"}, name
        assert all(p.kind is p.KEYWORD_ONLY for p in extra), name


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


def assert_traced_once(step: Callable[..., Any], carry: Any, *given: Any):
    """Three steps are a single trace, since each leaves arrays of the types that it takes, weak types included."""
    before, after = (jax.eval_shape(f, carry, *given) for f in (lambda carry, *given: carry, step))
    chex.assert_trees_all_equal_structs(before, after)
    leaves = zip(jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True)
    assert [jax.tree_util.keystr(path) for (path, a), b in leaves if a != b] == []
    chex.clear_trace_counter()  # which takes all functions of the same source for the same
    compiled = jax.jit(chex.assert_max_traces(step, n=1))
    for _ in range(3):
        carry = compiled(carry, *given)


@pytest.mark.optimized(False)
@pytest.mark.one_case_in(2)
def test_second_step_is_no_new_trace(dtype):
    transforms = every_rule("accurate")

    def step(carry):
        params, states = carry
        updates, after = {}, {}
        for name, transform in transforms.items():
            g = jax.tree.map(lambda w: 2 * w, params[name])
            updates[name], after[name] = transform.update(g, states[name], params[name])
        return optax.apply_updates(params, updates), after

    assert_traced_once(step, start(transforms, {"w": jnp.ones(3), "b": jnp.zeros((), dtype)}))


@pytest.mark.optimized(False)
@pytest.mark.one_case_in(3)
@each_arithmetic
def test_leaves_without_a_gradient_stay_as_they_are(arithmetic):
    nothing = {"masked": optax.MaskedNode(), "none": None}
    params = {"a": jnp.ones(2), "b": jnp.ones(3), **nothing}
    only_a = {"a": jnp.ones(2)}

    @jax.jit
    def steps(only_a):
        return {
            name: (
                transform.init(params),
                transform.update({**only_a, "b": None, **nothing}, transform.init(params), params),
                transform.update(only_a, transform.init(only_a), only_a)[0],
                transform.update({}, transform.init({}), {})[0],
            )
            for name, transform in every_rule(arithmetic).items()
        }

    for before, (updates, after), alone, empty in steps(only_a).values():
        chex.assert_trees_all_equal_structs(after, before)
        chex.assert_trees_all_equal(updates, {**alone, "b": None, **nothing})
        assert empty == {}


def test_init_takes_shapes_in_place_of_arrays():
    shapes, params = {"w": jax.ShapeDtypeStruct((3, 2), jnp.float32)}, {"w": jnp.zeros((3, 2))}
    for transform in every_rule("accurate").values():
        assert_same_bits(transform.init(shapes), transform.init(params))


def test_complex_parameters_take_the_steps_of_optax(rng):
    gs = jnp.asarray(rng.normal(size=(20, 3)) + 1j * rng.normal(size=(20, 3)), jnp.complex64)
    names = set(RULES) - {"adadelta"}  # whose squares Optax leaves complex
    optax_, accurate = ({name: every_rule(a)[name] for name in names} for a in ("optax", "accurate"))
    theirs = trajectories({name: getattr(optax, name)(0.1) for name in names}, gs, "scan")
    assert_same_bits(trajectories(optax_, gs, "scan"), theirs)
    chex.assert_trees_all_close(trajectories(accurate, gs, "scan")[2], theirs[2], rtol=1e-4)


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


@our_own
def test_our_own_arithmetics_never_promote_types(strict_promotion, dtype, arithmetic):
    g = jnp.ones(3, dtype)
    for transform in every_rule(arithmetic).values():
        updates, _ = jax.eval_shape(transform.update, g, transform.init(g), g)
        assert updates.dtype == g.dtype


def test_state_types_are_kept_where_they_are_asked_for():
    params = jnp.ones(3, jnp.bfloat16)
    transform = al.scale_by_adam(mu_dtype=jnp.float32, nu_dtype=jnp.float32)
    state: Any = transform.init(params)
    for _ in range(2):
        _, state = transform.update(params, state)
    assert (state.mu.dtype, state.nu.dtype) == (jnp.float32, jnp.float32)


OF_GRADIENTS = {"count", "mu", "mu_hat", "trace"}
"""The fields of states that are no averages of squares."""


@each_arithmetic
def test_every_average_of_squares_has_the_type_that_is_asked_for(arithmetic):
    params = jnp.ones(3, jnp.bfloat16)
    hyper: dict[str, Any] = {"nu_dtype": jnp.float32, "arithmetic": arithmetic}
    chosen = {name: rule for name, rule in RULES.items() if "nu_dtype" in inspect.signature(rule).parameters}
    transforms = {name: rule(0.1, **hyper) for name, rule in chosen.items()}
    for name, transform in (transforms | {"centered": al.rmsprop(0.1, centered=True, **hyper)}).items():
        before = jax.eval_shape(transform.init, params)
        after = jax.eval_shape(transform.update, params, before, params)[1]
        for path, leaf in jax.tree_util.tree_leaves_with_path((before, after)):
            assert path[-1].name in OF_GRADIENTS or leaf.dtype == jnp.float32, (name, path)


def test_a_value_of_a_schedule_takes_the_type_of_the_gradient_as_in_optax(rng):
    gs = tree_gradients(rng, "bfloat16", 3)["long"]
    ours, theirs = ({"": sgd(lambda count: jnp.float32(0.1) / (count + 1))} for sgd in (OPTAX_SGD, optax.sgd))
    assert_same_bits(trajectories(ours, gs, "jit"), trajectories(theirs, gs, "jit"))


def test_a_count_stays_at_the_greatest_number_as_in_optax():
    g, greatest = jnp.ones(3), jnp.iinfo(jnp.int32).max
    for transform in (al.adam(0.1, arithmetic="optax"), optax.adam(0.1)):
        state: Any = optax.tree_utils.tree_set(transform.init(g), count=jnp.int32(greatest))
        after: Any = transform.update(g, state)[1]
        assert after[0].count == greatest


@pytest.mark.parametrize("hyper", [{}, {"momentum": 0.9, "nesterov": True}], ids=str)
def test_an_outer_program_has_the_operations_of_optax(hyper):
    """Those of a rule in which nothing is written in another way, and no call in place of them."""
    g = {"a": jnp.ones(3)}
    ours, theirs = (
        jax.jit(transform.update).lower(g, transform.init(g), g).as_text()
        for transform in (OPTAX_SGD(0.1, **hyper), optax.sgd(0.1, **hyper))
    )
    assert "call" not in ours
    assert re.findall("add|multiply", ours) == re.findall("add|multiply", theirs)


@pytest.mark.parametrize("centered", [False, True])
def test_an_initial_scale_can_be_traced_where_its_value_decides(centered):
    g = jnp.array([0.3, -2.0])

    def first_update(scale):
        hyper = {"bias_correction": True, "centered": centered, "arithmetic": "weighted"}
        transform = al.rmsprop(0.1, initial_scale=scale, eps=0.1, **hyper)
        return transform.update(g, transform.init(g))[0]

    np.testing.assert_allclose(jax.jit(first_update)(0.0), first_update(0.0), rtol=1e-6)


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


@pytest.mark.parametrize("name", ["adamw", "adamaxw", "nadamw"])
def test_decayed_weights_are_asked_for(name):
    transform = getattr(al, name)(0.1)
    with pytest.raises(ValueError, match=r"The weight decay needs the parameters: call update\(updates, state, params"):
        transform.update(jnp.ones(2), transform.init(jnp.ones(2)))


def test_a_decay_that_moves_is_refused_by_the_weighted_arithmetic_alone():
    def lifted(**given: Any) -> Any:
        return lifting.lift(adam_rule, **({"b1": 0.9, "b2": 0.9, "eps": 0.1, "eps_root": 0, "nesterov": False} | given))

    for decay in ("b1", "b2"):
        moving: dict[str, Any] = {decay: lambda count: 0.9}
        with pytest.raises(ValueError, match=f"{decay} cannot be a schedule under the weighted arithmetic"):
            lifted(arithmetic="weighted", **moving)
        lifted(arithmetic="accurate", **moving)
    lifted(arithmetic="weighted", eps=lambda count: 0.1)


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


def test_an_overflowing_square_does_what_it_does_in_optax():
    gs = jnp.array([[3e25], [1.0], [1.0]])
    transforms = {"adam": optax.adam(0.1), "rmsprop": optax.rmsprop(0.1)}
    _, _, theirs = trajectories(transforms, gs, "scan")
    chex.assert_tree_all_finite(theirs)
    for arithmetic in ("accurate", "weighted"):
        _, _, ours = trajectories({name: every_rule(arithmetic)[name] for name in transforms}, gs, "scan")
        chex.assert_trees_all_equal(ours, theirs)


def test_an_overflowing_variance_stops_the_coordinate():
    gs = jnp.array([[3e25], [1.0], [1.0]])
    hyper = {"centered": True, "arithmetic": "weighted"}
    transforms = {key: al.rmsprop(0.1, bias_correction=key == "corrected", **hyper) for key in ("plain", "corrected")}
    _, _, updates = trajectories(transforms, gs, "scan")
    for u in updates.values():
        np.testing.assert_array_equal(u[1:], 0)  # 1/√∞


@pytest.mark.optimized(False)
@pytest.mark.one_case_in(2)
@each_arithmetic
def test_derivatives_by_hyper_parameters_are_finite_at_the_edge(x64, arithmetic):
    gs = jnp.array([[0.5], [-2.0], [0.3]])

    def last(b1):
        return updates_of_all([al.adam(0.1, b1=b1, arithmetic=arithmetic)], gs, None)[0][-1, 0]

    (at_edge, slope), (beside, _) = map(jax.jit(jax.value_and_grad(last)), (0.0, 1e-6))
    np.testing.assert_allclose(slope, (beside - at_edge) / 1e-6, rtol=1e-4)


@our_own
def test_whole_gradients_and_python_numbers_take_steps(arithmetic):
    @jax.jit
    def steps():
        return {
            name: (
                transform.update(jnp.array([1, -2]), transform.init(jnp.ones(2)), jnp.ones(2))[0],
                transform.update(jnp.array([1.0, -2.0]), transform.init(jnp.ones(2)), jnp.ones(2))[0],
                transform.update(1, transform.init(1.0), 1.0)[0],
            )
            for name, transform in every_rule(arithmetic, 0.5).items()
        }

    for name, (whole, plain, alone) in steps().items():
        np.testing.assert_allclose(whole, plain, rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(alone, plain[0], rtol=1e-6, err_msg=name)


@our_own
def test_python_numbers_are_no_new_trace_at_the_second_step(arithmetic):
    transforms = every_rule(arithmetic, 0.5)
    params, states = start(transforms, 1.0)
    assert_traced_once(lambda states, g: step_of(transforms)(params, states, g)[1], states, 0.5)


WIDE = ["adam", "amsgrad", "sgd schedule"]


@pytest.mark.parametrize(
    "names",
    [
        WIDE,
        pytest.param([*WIDE, "adamw", "nadam", "adamax", "rmsprop", "adagrad"], marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_gradients_wider_than_parameters_have_the_bits_of_optax(rng, names):
    gs, params = tree_gradients(rng, "float32", 10)["long"], jnp.ones(130, jnp.bfloat16)
    assert_same_bits(
        *(run(jax.jit(step_of(library)), *start(library, params), gs) for library in ours_and_theirs(names))
    )


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
