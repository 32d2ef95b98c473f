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
from tests.harness import OPTION_SETS, assert_same_bits, at, run, start, step_of, tree_gradients

EVERY = tuple(OPTION_SETS)
# Their averages are not corrected for bias: under the weighted arithmetic too they keep what Optax keeps.
UNCORRECTED = ("rmsprop", "rmsprop momentum", "rmsprop nesterov", "rmsprop outside")
UNCORRECTED += tuple(options for options in EVERY if options.split()[0] in ("sgd", "adagrad", "adadelta"))
CORRECTED = tuple(options for options in EVERY if options not in UNCORRECTED)
STEPS = 10  # of every share


def halves_of(options: tuple[str, ...]) -> pytest.MarkDecorator:
    """A test of every second option set in the gate, and of the others in the slow leg."""
    halves = [options[::2], pytest.param(options[1::2], marks=pytest.mark.slow)]
    return pytest.mark.parametrize("options", halves, ids=["some", "others"])


def make(options, library):
    """The optimizers of these option sets: those of "Optax" itself, or adamlab's in the arithmetic named."""
    given = {key: OPTION_SETS[key] for key in options}
    if library == "Optax":
        return {key: getattr(optax, name)(**hyper) for key, (name, hyper) in given.items()}
    return {key: getattr(al, name)(**hyper, arithmetic=library) for key, (name, hyper) in given.items()}


@cache  # so that all tests of this file share a compilation
def jitted_step(options, library):
    return jax.jit(step_of(make(options, library)))


def gradients(rng, dtype):
    """Gradients of a matrix and of a vector, which the masks of the option sets tell apart."""
    gs = tree_gradients(rng, dtype, 3 * STEPS)
    return {name: np.asarray(gs[name]) for name in ("matrix", "long")}


def stay(states, like):
    return states


def through_pickle(states, like):
    return pickle.loads(pickle.dumps(states))


def through_orbax(folder, states, like):
    """Saved as a checkpoint and restored into the abstract states of whoever goes on."""
    checkpoints = pytest.importorskip("orbax.checkpoint")
    path = folder / str(len(list(folder.iterdir())))
    with checkpoints.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, states)
        checkpointer.wait_until_finished()
        return checkpointer.restore(path, like)


def a_state_of_each_type_through_orbax(folder, states, like):
    """As `through_orbax`, but a state alike in tree, shapes and types to an earlier state stays in memory."""
    keys = {str(state): key for key, state in reversed(like.items())}.values()
    return states | through_orbax(folder, *({key: tree[key] for key in keys} for tree in (states, like)))


SLOW = [pytest.param(way, marks=pytest.mark.slow) for way in ("orbax", "orbax, every state")]


@pytest.fixture(params=["memory", "pickle", *SLOW])
def carry(request, tmp_path):
    """The ways in which states get from one run to the next."""
    ways = {
        "memory": stay,
        "pickle": through_pickle,
        "orbax": partial(a_state_of_each_type_through_orbax, tmp_path),
        "orbax, every state": partial(through_orbax, tmp_path),
    }
    return ways[request.param]


def relay(options, libraries, gs, carry=stay):
    """Shares of a run, one after the other, each on the states that `carry` brings from the share before.

    Args:
        options: the option sets.
        libraries: whose optimizers run each share.
        gs: the gradients, time as their first axis.
        carry: takes the states of all option sets, and the abstract states of whoever goes on; gives the states.

    Returns:
        The last parameters and states, and the updates of every share.
    """
    first = at(gs, 0)
    params, states = start(make(options, libraries[0]), first)
    updates = []
    for share, library in enumerate(libraries):
        if share > 0:
            after = make(options, library)
            states = carry(states, {key: jax.eval_shape(after[key].init, first) for key in options})
        part = at(gs, slice(share * STEPS, (share + 1) * STEPS))
        params, states, u = run(jitted_step(options, library), params, states, part)
        updates.append(u)
    return params, states, updates


@pytest.mark.parametrize("arithmetic", ["optax", "accurate"])
def test_initial_states_are_those_of_optax(rng, arithmetic):
    first = at(gradients(rng, "float32"), 0)
    ours, theirs = (start(make(EVERY, library), first)[1] for library in (arithmetic, "Optax"))
    assert_same_bits(ours, theirs)


@halves_of(EVERY)
def test_optax_then_adamlab_then_optax_is_optax_to_the_bit(rng, carry, options):
    gs = gradients(rng, "float32")
    assert_same_bits(relay(options, ("Optax", "optax", "Optax"), gs, carry), relay(options, ("Optax",) * 3, gs))


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


def same_types(states, like):
    """The states, of the tree, shapes, types and weak types that whoever goes on would have made: no new trace."""
    own = jax.eval_shape(lambda states: states, states)
    assert [key for key in like if own[key] != like[key]] == []
    return states


@pytest.mark.parametrize(("options", "arithmetic"), [(EVERY, "accurate"), (UNCORRECTED, "weighted")])
@pytest.mark.slow
def test_optax_then_adamlab_then_optax_is_as_close_to_optax_as_optax_to_the_exact_run(x64, rng, options, arithmetic):
    gs = gradients(rng, "float64")
    _, _, alone = relay(options, ("Optax",) * 3, gs)
    _, _, updates = relay(options, ("Optax", arithmetic, "Optax"), gs, same_types)
    alone, updates = (jax.tree.map(lambda *parts: np.concatenate(parts), *shares) for shares in (alone, updates))
    too_far = {}
    for key in options:
        errors = jax.tree.map(lambda u, a: np.abs(u - a) / np.abs(a).max(axis=0), updates[key], alone[key])
        largest = max(error.max() for error in jax.tree.leaves(errors))
        if not largest <= distance_of_optax(key):
            too_far[key] = largest
    assert too_far == {}


@halves_of(CORRECTED)
def test_weighted_states_outlast_the_process(rng, carry, options):
    gs = gradients(rng, "float32")
    assert_same_bits(relay(options, ("weighted",) * 2, gs, carry), relay(options, ("weighted",) * 2, gs))


@pytest.mark.parametrize("options", CORRECTED)
def test_a_weighted_state_is_refused_by_all_others_and_refuses_theirs(options):
    params = {"scalar": jnp.ones(()), "vector": jnp.ones(3)}

    def optimizer(library):
        return make((options,), library)[options]

    weighted, plain = (optimizer(library).init(params) for library in ("weighted", "Optax"))
    with pytest.raises(AttributeError, match=r"'Weighted\w+State' object has no attribute '(mu|nu)'"):
        optimizer("Optax").update(params, weighted, params)
    for arithmetic in ("optax", "accurate"):
        with pytest.raises(ValueError, match=r"of type \w+, as init makes it, and got Weighted\w+State\."):
            optimizer(arithmetic).update(params, weighted, params)
    with pytest.raises(ValueError, match=r"of type Weighted\w+State, as init makes it, and got \w+\."):
        optimizer("weighted").update(params, plain, params)
