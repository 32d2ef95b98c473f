"""adamlab inside the wrappers and libraries that people use: whatever Optax's own optimizers do there, ours do."""

import inspect
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import adamlab as al
from adamlab.rules import PARTS, RULES
from tests.harness import OPTION_SETS, assert_same_bits, inverse_sqrt, not_vectors, tree_gradients

STEPS = 10


def by_shape(tree):
    return jax.tree.map(lambda x: "vector" if x.ndim == 1 else "matrix", tree)


def even(step, **extra):
    return step % 2 == 0


WRAPPERS = {
    "chain": lambda o: optax.chain(optax.clip_by_global_norm(1.0), o.adam(0.1), optax.clip(0.05)),
    "chain of parts": lambda o: optax.named_chain(
        ("scale", o.scale_by_amsgrad()), ("decay", o.add_decayed_weights(0.1)), ("rate", o.scale_by_learning_rate(0.1))
    ),
    "multi_transform": lambda o: optax.multi_transform(
        {"matrix": o.adamw(0.1), "vector": o.sgd(0.1, momentum=0.9)}, by_shape
    ),
    "masked": lambda o: optax.masked(o.rmsprop(0.1, momentum=0.9), not_vectors),
    "MultiSteps": lambda o: optax.MultiSteps(o.adamw(0.1), every_k_schedule=3).gradient_transformation(),
    "apply_if_finite": lambda o: optax.apply_if_finite(o.nadamw(0.1), max_consecutive_errors=2),
    "conditionally_mask": lambda o: optax.conditionally_mask(o.adadelta(0.1), even),
    "inject_hyperparams": lambda o: optax.inject_hyperparams(o.adamaxw)(inverse_sqrt),
    "flatten": lambda o: optax.flatten(o.adagrad(0.1)),
    "schedule_free sgd": lambda o: optax.contrib.schedule_free(o.sgd(0.1), learning_rate=0.1),
    "schedule_free adam": lambda o: optax.contrib.schedule_free(o.adam(0.1, b1=0.0), learning_rate=0.1),
    "lookahead": lambda o: optax.lookahead(o.adam(0.1), sync_period=3, slow_step_size=0.5),
}


def optimizers(library) -> Any:
    """Where the optimizers are found by their names: "Optax" itself, or adamlab in the arithmetic named."""
    ours = {name: partial(f, arithmetic=library) for name, f in {**RULES, **PARTS}.items()}
    return optax if library == "Optax" else SimpleNamespace(**ours)


@cache  # so that all tests of this file share one compilation
def wrapped(wrapper, library):
    """The wrapped optimizer, and a step of it."""
    transform = WRAPPERS[wrapper](optimizers(library))
    return transform, jitted_step(transform)


def jitted_step(transform):
    @jax.jit
    def step(params, state, g, **extra):
        u, state = transform.update(g, state, params, **extra)
        return optax.apply_updates(params, u), state, u

    return step


def run(step, params, state, gs, **extra) -> tuple[Any, Any, Any]:
    """The last parameters and state, and all updates, of gradients with time as their first axis."""
    updates = []
    for i in range(len(jax.tree.leaves(gs)[0])):
        params, state, u = step(params, state, jax.tree.map(lambda g, i=i: g[i], gs), **extra)
        updates.append(u)
    return params, state, jax.tree.map(lambda *us: jnp.stack(us), *updates)


def gradients(rng, dtype):
    """Of a matrix and of a vector; the matrix's (0, 0) is always 0."""
    gs = tree_gradients(rng, dtype, STEPS)
    return {"matrix": gs["matrix"].at[:, 0, 0].set(0), "long": gs["long"]}


def start_of(wrapper, gs):
    """Parameters to begin with; lookahead keeps two copies."""
    params = jax.tree.map(lambda g: g[0], gs)
    return optax.LookaheadParams.init_synced(params) if wrapper == "lookahead" else params


def run_wrapped(wrapper, library, gs):
    transform, step = wrapped(wrapper, library)
    params = start_of(wrapper, gs)
    return run(step, params, transform.init(params), gs)


def assert_as_near_as_optax_is(ours, theirs):
    """Updates in float64 agree up to the error of Optax's own, in parts of the largest of each coordinate.

    Optax rounds 1 − 0.999 and 1 − 0.999^t to 2⁻⁵³, a thousand times that of themselves; schedule_free and lookahead
    give differences of parameters, ten times the update in size. Any other formula is off by > 1e-9.
    """
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert np.any(b)
        assert np.all(np.abs(a - b) <= 1e4 * 2.0**-53 * np.abs(b).max(axis=0))


@pytest.mark.one_case_in(6)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapped_optimizers_have_the_bits_of_optax(rng, wrapper):
    gs = gradients(rng, "float32")
    assert_same_bits(run_wrapped(wrapper, "optax", gs), run_wrapped(wrapper, "Optax", gs))


@pytest.mark.one_case_in(5)
@pytest.mark.optimized(False)
@pytest.mark.parametrize("arithmetic", ["accurate", "weighted"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapped_optimizers_do_what_optax_does_in_our_own_arithmetics(x64, rng, wrapper, arithmetic):
    gs = gradients(rng, "float64")
    _, _, ours = run_wrapped(wrapper, arithmetic, gs)
    _, _, theirs = run_wrapped(wrapper, "Optax", gs)
    assert_as_near_as_optax_is(ours, theirs)


@pytest.mark.optimized(False)
@pytest.mark.parametrize("arithmetic", ["accurate", "weighted"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapped_states_keep_the_types_that_they_have_for_abstract_parameters(x64, rng, wrapper, arithmetic):
    gs = gradients(rng, "float64")
    transform, _ = wrapped(wrapper, arithmetic)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), start_of(wrapper, gs))
    _, state, _ = run_wrapped(wrapper, arithmetic, gs)
    # Weak types too: a second step is no new trace.
    assert jax.eval_shape(lambda s: s, state) == jax.eval_shape(transform.init, shapes)


IN_CHECKPOINTS = ["chain", "masked", "MultiSteps", "inject_hyperparams", "lookahead"]  # whose states differ in shape


@pytest.mark.one_case_in(3)
@pytest.mark.optimized(False)
@pytest.mark.parametrize(
    "wrapper", [name if name in IN_CHECKPOINTS else pytest.param(name, marks=pytest.mark.slow) for name in WRAPPERS]
)
def test_wrapped_states_go_on_from_a_checkpoint_of_orbax(x64, rng, wrapper, tmp_path):
    checkpoints = pytest.importorskip("orbax.checkpoint")
    gs = gradients(rng, "float64")
    transform, step = wrapped(wrapper, "accurate")
    start = start_of(wrapper, gs)
    early, late = (jax.tree.map(lambda g, part=part: g[part], gs) for part in (slice(0, 4), slice(4, STEPS)))
    params, state, _ = run(step, start, transform.init(start), early)
    with checkpoints.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", state)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "state", jax.eval_shape(transform.init, start))
    _, _, after = run(step, params, restored, late)
    _, _, uninterrupted = run_wrapped(wrapper, "accurate", gs)
    assert_same_bits(after, jax.tree.map(lambda u: u[4:], uninterrupted))


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize("wrapper", ["chain", "conditionally_mask", "apply_if_finite"])
def test_leaves_without_a_gradient_stay_as_they_are_in_wrappers(wrapper):
    transform, _ = wrapped(wrapper, "accurate")
    update = jax.jit(transform.update)
    params = {"matrix": jnp.ones((4, 5)), "long": jnp.ones(130)}
    nothing = {"masked": optax.MaskedNode(), "none": None}
    with_more = params | {"frozen": jnp.ones((2, 2))} | nothing
    state = transform.init(with_more)
    updates, after = update(params | {"frozen": None} | nothing, state, with_more)
    alone, _ = update(params, transform.init(params), params)
    assert_same_bits(updates, alone | {"frozen": None} | nothing)
    assert jax.tree.structure(after) == jax.tree.structure(state)


def test_extra_arguments_reach_whom_they_are_for(rng):
    gs = gradients(rng, "float32")
    params = jax.tree.map(lambda g: g[0], gs)

    def trained(library):
        plateau = optax.contrib.reduce_on_plateau(factor=0.5, patience=1)
        transform = optax.chain(optimizers(library).adam(0.1), plateau)
        return run(jitted_step(transform), params, transform.init(params), gs, value=jnp.asarray(1.0))

    assert_same_bits(trained("optax"), trained("Optax"))
    _, (_, plateau), _ = trained("accurate")
    assert plateau.scale < 1  # since the loss never fell


def halved(hyperparams):
    return {name: number / 2 for name, number in hyperparams.items()}


def injected(f, learning_rate):
    """The optimizer with its numbers in the state, and momentum where it is an option."""
    momentum = {"momentum": 0.9} & inspect.signature(f).parameters.keys()
    return optax.inject_hyperparams(f)(learning_rate, **dict.fromkeys(momentum, 0.9))


@pytest.mark.one_case_in(6)
@pytest.mark.parametrize("name", RULES)
def test_numbers_changed_in_the_state_act_as_in_optax(rng, name):
    gs = gradients(rng, "float32")["matrix"]

    def changed_midway(library):
        transform = injected(getattr(optimizers(library), name), inverse_sqrt)
        step = jitted_step(transform)
        params, state, before = run(step, gs[0], transform.init(gs[0]), gs[:5])
        state = state._replace(hyperparams=halved(state.hyperparams))
        return before, run(step, params, state, gs[5:])

    assert_same_bits(changed_midway("optax"), changed_midway("Optax"))


@pytest.mark.one_case_in(3)
@pytest.mark.optimized(False)
@pytest.mark.parametrize("name", RULES)
def test_numbers_changed_in_the_state_are_those_of_a_new_optimizer(x64, rng, name):
    gs = gradients(rng, "float64")["matrix"]
    f = getattr(al, name)
    transform = injected(f, 0.1)
    step = jitted_step(transform)
    params, state, _ = run(step, gs[0], transform.init(gs[0]), gs[:5])
    numbers = halved(state.hyperparams)
    _, _, changed = run(step, params, state._replace(hyperparams=numbers), gs[5:])
    new = jitted_step(f(**{key: float(number) for key, number in numbers.items()}))
    _, _, expected = run(new, params, state.inner_state, gs[5:])
    assert_as_near_as_optax_is(changed, expected)


@pytest.mark.optimized(False)
def test_what_is_no_number_stays_out_of_the_injected_state(x64, rng):
    gs = gradients(rng, "float64")["matrix"]
    ours = {"b2": al.Decay(complement=1e-9), "nesterov": True, "arithmetic": "weighted", "nu_dtype": jnp.float64}
    transform = optax.inject_hyperparams(al.adam, static_args="nu_dtype")(0.1, **ours)
    state: Any = transform.init(gs[0])
    assert state.hyperparams.keys() == {"learning_rate", "b1", "eps", "eps_root"}
    _, _, updates = run(jitted_step(transform), gs[0], state, gs)
    plain = al.adam(0.1, **ours)
    assert_as_near_as_optax_is(updates, run(jitted_step(plain), gs[0], plain.init(gs[0]), gs)[2])


@pytest.mark.one_case_in(7)
@pytest.mark.parametrize("name", ["rmsprop", "adadelta", "adam", "adamw", "nadam", "nadamw", "amsgrad"])
def test_apply_if_finite_skips_bad_steps_of_bfloat16_with_moments_in_float32(rng, name):
    f = getattr(al, name)
    wide = {key: jnp.float32 for key in ("mu_dtype", "nu_dtype") if key in inspect.signature(f).parameters}
    transform = optax.apply_if_finite(f(0.1, **wide), max_consecutive_errors=2)
    params = jnp.asarray(rng.normal(size=7), jnp.bfloat16)
    gs = jnp.asarray(rng.normal(size=(STEPS, 7)) * 10.0 ** rng.uniform(-4, 2, size=7), jnp.bfloat16)
    interrupted = [*gs[:3], gs[3] * jnp.nan, gs[3] * jnp.inf, *gs[3:8], gs[8].at[0].set(jnp.inf), *gs[8:]]
    skipped = np.array([3, 4, 10])
    update = jax.jit(transform.update)

    def updates_of(gs):
        state: Any = transform.init(params)
        updates = []
        for g in gs:
            u, state = update(g, state, params)
            updates.append(u)
        return jnp.stack(updates), state.inner_state

    (good, inner), (all_of_them, inner_after) = updates_of(gs), updates_of(interrupted)
    assert not all_of_them[skipped].any()
    assert_same_bits((jnp.delete(all_of_them, skipped, axis=0), inner_after), (good, inner))
    assert good.dtype == jnp.bfloat16
    # The updates are those of float32, rounded once: to half an ulp of bfloat16, and the 2⁻¹⁶ that the rest may differ.
    exact = f(0.1)
    w, s = params.astype(jnp.float32), exact.init(params.astype(jnp.float32))
    for u, g in zip(good, gs.astype(jnp.float32), strict=True):
        expected, s = exact.update(g, s, w)
        assert np.all(np.abs(u.astype(jnp.float32) - expected) <= (2.0**-8 + 2.0**-16) * np.abs(expected))


@pytest.mark.parametrize("arithmetic", ["optax", "accurate", "weighted"])
@pytest.mark.parametrize("options", OPTION_SETS)
def test_map_params_tells_the_state_of_parameters_from_the_rest(options, arithmetic):
    name, hyper = OPTION_SETS[options]
    params = {"matrix": jnp.zeros((2, 3)), "long": jnp.ones(4)}
    ours, theirs = getattr(al, name)(**hyper, arithmetic=arithmetic), getattr(optax, name)(**hyper)
    names = jax.tree.map_with_path(lambda path, _: jax.tree_util.keystr(path), params)

    def named(transform):
        state = transform.init(params)
        # The old name of optax.tree.map_params is that function too.
        return optax.tree_map_params(transform, lambda _, n: n, state, names, transform_non_params=lambda _: "other")

    assert jax.tree.leaves(named(ours)) == jax.tree.leaves(named(theirs))
    assert optax.tree_map_params is optax.tree.map_params


def sine(rng, dtype):
    """Inputs (16, 3) and targets (16, 1) of a small regression."""
    x = jnp.asarray(rng.normal(size=(16, 3)), dtype)
    return x, jnp.sin(x.sum(axis=1, keepdims=True))


def assert_trains_alike(train):
    """`train(optimizer)` gives (losses, parameters and state): bits of Optax, and near it in our own arithmetic.

    Each of five steps differs by some 1e-13 of the learning rate; a small network multiplies that by less than 100.
    """
    theirs, ours = train(optax.adamw(0.1)), train(al.adamw(0.1, arithmetic="optax"))
    assert_same_bits(ours, theirs)
    losses, _ = train(al.adamw(0.1))
    assert losses[-1] < 0.9 * losses[0]
    np.testing.assert_allclose(losses, theirs[0], rtol=5 * 1e-13 * 100)


@pytest.mark.slow
def test_flax_nnx_optimizer(x64, rng):
    nnx = pytest.importorskip("flax.nnx")
    x, y = sine(rng, "float64")

    def train(transform):
        keys = nnx.Rngs(0)
        layer = partial(nnx.Linear, rngs=keys, param_dtype=jnp.float64)
        model = nnx.Sequential(layer(3, 4), nnx.tanh, layer(4, 1))
        optimizer = nnx.Optimizer(model, transform, wrt=nnx.Param)

        @nnx.jit
        def step(model, optimizer):
            loss, grads = nnx.value_and_grad(lambda model: jnp.mean((model(x) - y) ** 2))(model)
            optimizer.update(model, grads)
            return loss

        losses = jnp.stack([step(model, optimizer) for _ in range(6)])
        return losses, (nnx.state(model), nnx.state(optimizer))

    assert_trains_alike(train)


def test_equinox_modules_with_static_fields(x64, rng):
    equinox = pytest.importorskip("equinox")
    x, y = sine(rng, "float64")

    def train(transform):
        model = equinox.nn.MLP(3, 1, 4, depth=1, activation=jnp.tanh, key=jax.random.key(0))
        state, traces = transform.init(equinox.filter(model, equinox.is_inexact_array)), []

        @equinox.filter_jit
        def step(model, state):
            traces.append(1)
            loss, grads = equinox.filter_value_and_grad(lambda model: jnp.mean((jax.vmap(model)(x) - y) ** 2))(model)
            updates, state = transform.update(grads, state, model)
            return equinox.apply_updates(model, updates), state, loss

        losses = []
        for _ in range(6):
            model, state, loss = step(model, state)
            losses.append(loss)
        assert len(traces) == 1
        return jnp.stack(losses), (equinox.filter(model, equinox.is_array), state)

    assert_trains_alike(train)


def check_sharded(options, arithmetic, mode):
    """Where JAX sees two devices: halved parameters give halved states and updates, with the bits of whole ones."""
    mesh = jax.make_mesh((2,), ("halves",), axis_types=(AxisType[mode],))
    halved, halved_later = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (["halves"], [None, "halves"]))
    name, hyper = OPTION_SETS[options]
    transform = getattr(al, name)(**hyper, arithmetic=arithmetic)
    gs = gradients(np.random.default_rng(20150507), "float32")
    params = jax.tree.map(lambda g: g[0], gs)
    expected = run(jitted_step(transform), params, transform.init(params), gs)

    def of_parameters(f, state):
        return optax.tree.map_params(transform, f, state, transform_non_params=lambda _: None)

    def assert_halved(arrays):
        shardings = [(x.sharding, x.sharding.is_equivalent_to(halved, x.ndim)) for x in jax.tree.leaves(arrays)]
        assert shardings
        assert all(equivalent for _, equivalent in shardings), shardings

    with jax.set_mesh(mesh):
        params, gs = jax.device_put(params, halved), jax.device_put(gs, halved_later)
        state = transform.init(params)
        # In explicit mode shardings are types, known under jit; in the other, as with Optax, they have to be asked for.
        asked = of_parameters(lambda _: halved, state) if mode == "Auto" else None
        from_jit = jax.jit(transform.init, out_shardings=asked)(params)
        step = jitted_step(transform)
        after = run(step, params, state, gs)
        _, _, updates = step(params, state, jax.tree.map(lambda g: g[0], gs))
        for some_state in (state, from_jit, after[1]):
            assert_halved(of_parameters(lambda x: x, some_state))
        assert_halved(updates)
    assert_same_bits(after, expected)


@pytest.fixture(scope="module")
def two_devices():
    """A process in which JAX sees two devices; what fails there is raised here."""
    with pytest.MonkeyPatch.context() as patch, ProcessPoolExecutor(1, get_context("spawn")) as pool:
        patch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
        yield pool


SHARDED = [
    (options, arithmetic, mode)
    for options in ("sgd nesterov", "adamw schedule", "rmsprop both", "amsgrad")
    for arithmetic in ("optax", "accurate", "weighted")
    for mode in ("Auto", "Explicit")
]
"""The gate has each of these a few times, and weighted states, which are of adamlab's own types, most."""
SHARDED_IN_GATE = [
    ("sgd nesterov", "optax", "Explicit"),
    ("adamw schedule", "accurate", "Auto"),
    ("adamw schedule", "weighted", "Explicit"),
    ("rmsprop both", "weighted", "Auto"),
    ("amsgrad", "weighted", "Auto"),
    ("amsgrad", "accurate", "Explicit"),
]


@pytest.mark.one_case_in(8)
@pytest.mark.parametrize(
    ("options", "arithmetic", "mode"),
    [case if case in SHARDED_IN_GATE else pytest.param(*case, marks=pytest.mark.slow) for case in SHARDED],
)
def test_sharded_parameters(two_devices, options, arithmetic, mode):
    two_devices.submit(check_sharded, options, arithmetic, mode).result()
