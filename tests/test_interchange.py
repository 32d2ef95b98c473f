"""States between the libraries: what Optax began adamlab goes on with, and back, also by way of files."""

import inspect
import pickle
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab.rules import RULES
from tests.harness import OPTION_SETS, assert_same_bits, tree_gradients

# Their averages are not corrected for bias: under the weighted arithmetic too they keep what Optax keeps.
UNCORRECTED = ["rmsprop", "rmsprop momentum", "rmsprop nesterov", "rmsprop outside"]
UNCORRECTED += [options for options in OPTION_SETS if options.split()[0] in ("sgd", "adagrad", "adadelta")]
CORRECTED = [options for options in OPTION_SETS if options not in UNCORRECTED]

STEPS = 10  # of every share


def make(options, library):
    """The optimizer of an option set: that of "Optax" itself, or adamlab's in the arithmetic named."""
    name, hyper = OPTION_SETS[options]
    return getattr(optax, name)(**hyper) if library == "Optax" else getattr(al, name)(**hyper, arithmetic=library)


@cache  # so that all tests of this file share one compilation
def jitted_step(options, library):
    transform = make(options, library)

    @jax.jit
    def step(params, state, g):
        u, state = transform.update(g, state, params)
        return optax.apply_updates(params, u), state, u

    return step


def gradients(rng, dtype):
    """Of a matrix and of a vector, which is what the masks of the option sets tell apart."""
    gs = tree_gradients(rng, dtype, 3 * STEPS)
    return {name: gs[name] for name in ("matrix", "long")}


def stay(state, like):
    return state


def through_pickle(state, like):
    return pickle.loads(pickle.dumps(state))


def through_orbax(folder, state, like):
    """Saved as a checkpoint and restored into the abstract state of whoever goes on."""
    checkpoints = pytest.importorskip("orbax.checkpoint")
    path = folder / str(len(list(folder.iterdir())))
    with checkpoints.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, state)
        checkpointer.wait_until_finished()
        return checkpointer.restore(path, like)


@pytest.fixture(params=["memory", "pickle", "orbax"])
def carry(request, tmp_path):
    """The ways in which a state gets from one run to the next."""
    return {"memory": stay, "pickle": through_pickle, "orbax": partial(through_orbax, tmp_path)}[request.param]


def relay(options, libraries, gs, carry=stay):
    """Shares of a run, one after the other, each on the state that `carry` brings from the share before.

    Args:
        options: the option set.
        libraries: whose optimizer runs each share.
        gs: the gradients, time as their first axis.
        carry: takes a state, and the abstract state of whoever goes on; gives the state.

    Returns:
        The last parameters and state, and all updates.
    """
    params, updates = jax.tree.map(lambda g: g[0], gs), []
    state = make(options, libraries[0]).init(params)
    for share, library in enumerate(libraries):
        if share > 0:
            state = carry(state, jax.eval_shape(make(options, library).init, params))
        for i in range(share * STEPS, (share + 1) * STEPS):
            params, state, u = jitted_step(options, library)(params, state, jax.tree.map(lambda g, i=i: g[i], gs))
            updates.append(u)
    return params, state, jax.tree.map(lambda *us: np.stack(us), *updates)


@pytest.mark.parametrize("arithmetic", ["optax", "accurate"])
@pytest.mark.parametrize("options", OPTION_SETS)
def test_initial_state_is_that_of_optax(rng, options, arithmetic):
    first = jax.tree.map(lambda g: g[0], gradients(rng, "float32"))
    assert_same_bits(make(options, arithmetic).init(first), make(options, "Optax").init(first))


@pytest.mark.parametrize("options", OPTION_SETS)
def test_optax_then_adamlab_then_optax_is_optax_to_the_bit(rng, options, carry):
    gs = gradients(rng, "float32")
    assert_same_bits(relay(options, ["Optax", "optax", "Optax"], gs, carry), relay(options, ["Optax"] * 3, gs))


def test_every_optimizer_has_an_option_set():
    assert {name for name, _ in OPTION_SETS.values()} == set(RULES)


def distance_of_optax(options):
    """How far updates of Optax are from exact ones in float64, in parts of the largest.

    Optax rounds 1 − b and 1 − b^t to 2⁻⁵³ of 1, which is 2⁻⁵³/(1 − b) of them; then come some tens of roundings of
    2⁻⁵³. A moment kept in bfloat16 loses 2⁻⁹ three times a step, by rounding it, b and their product, and forgets that
    at the rate 1 − b.
    """
    name, hyper = OPTION_SETS[options]
    given = inspect.signature(getattr(optax, name)).bind(**hyper)
    given.apply_defaults()
    if given.arguments.get("mu_dtype") or given.arguments.get("accumulator_dtype"):
        return 3 * 2.0**-9 / (1 - 0.9)
    slowest = max(given.arguments.get(decay) or 0.0 for decay in ("b1", "b2", "decay", "rho", "momentum"))
    return (64 + 1 / (1 - slowest)) * 2.0**-53


def same_types(state, like):
    """The state, of the tree, shapes, types and weak types that whoever goes on would have made: no new trace."""
    assert jax.eval_shape(lambda s: s, state) == like
    return state


@pytest.mark.parametrize(
    ("options", "arithmetic"),
    [(options, "accurate") for options in OPTION_SETS] + [(options, "weighted") for options in UNCORRECTED],
)
def test_optax_then_adamlab_then_optax_is_as_close_to_optax_as_optax_to_the_exact_run(x64, rng, options, arithmetic):
    gs = gradients(rng, "float64")
    _, _, alone = relay(options, ["Optax"] * 3, gs)
    _, _, updates = relay(options, ["Optax", arithmetic, "Optax"], gs, same_types)
    for name, u in alone.items():
        errors = np.abs(updates[name] - u) / np.abs(u).max(axis=0)
        assert errors.max() <= distance_of_optax(options)


@pytest.mark.parametrize("options", CORRECTED)
def test_a_weighted_state_outlasts_the_process(rng, options, carry):
    gs = gradients(rng, "float32")
    assert_same_bits(relay(options, ["weighted"] * 2, gs, carry), relay(options, ["weighted"] * 2, gs))


@pytest.mark.parametrize("options", CORRECTED)
def test_a_weighted_state_is_refused_by_all_others_and_refuses_theirs(options):
    params = {"scalar": jnp.ones(()), "vector": jnp.ones(3)}
    weighted, plain = (make(options, library).init(params) for library in ("weighted", "Optax"))
    with pytest.raises(AttributeError, match=r"'Weighted\w+State' object has no attribute '(mu|nu)'"):
        make(options, "Optax").update(params, weighted, params)
    for arithmetic in ("optax", "accurate"):
        with pytest.raises(ValueError, match=r"of type \w+, as init makes it, and got Weighted\w+State\."):
            make(options, arithmetic).update(params, weighted, params)
    with pytest.raises(ValueError, match=r"of type Weighted\w+State, as init makes it, and got \w+\."):
        make(options, "weighted").update(params, plain, params)
