"""Tests that what runs draw is what `jax.random` draws from its own keys, bit for bit."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adamlab.studies.engine.keys import KIND, OF_JAX, keys_of, kind_for
from adamlab.types import Problem
from tests.computing import computed

DRAWS = {
    "seed": jax.random.key_data,
    "split": lambda key: jax.random.key_data(jax.random.split(key, (2, 3))),
    "fold_in": lambda key: jax.random.key_data(jax.random.fold_in(key, 2**31 + 3)),
    "fold_in side by side": lambda key: jax.random.key_data(
        jax.vmap(jax.random.fold_in)(jax.random.split(key, 3), jnp.arange(3))
    ),
    "bits": lambda key: jax.random.bits(key, (7, 9), jnp.uint32),
    "few": lambda key: jax.random.bits(key, (3,)),
    "none": lambda key: jax.random.bits(key, (0,)),
    "single": jax.random.bits,
    "bytes": lambda key: jax.random.bits(key, (33,), jnp.uint8),
    "pairs": lambda key: jax.random.bits(key, (33,), jnp.uint16),
    "normal": lambda key: jax.random.normal(key, (5, 17)),
    "randint": lambda key: jax.random.randint(key, (64,), 0, 577),
    "permutation": lambda key: jax.random.permutation(key, 40),
    "bernoulli": lambda key: jax.random.bernoulli(key, 0.3, (4, 4, 4)),
    "gamma": lambda key: jax.random.gamma(key, 2.0, (20,)),
    "side by side": lambda key: jax.vmap(lambda k: jax.random.normal(k, (31,)))(jax.random.split(key, 4)),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("is_wide", [False, True])
def test_bits_are_those_of_jax(name, is_wide):
    draw = DRAWS[name]
    with jax.enable_x64(is_wide):
        for seed in (0, 7, 2**32 - 1):
            expected = np.asarray(draw(jax.random.key(seed, impl=OF_JAX)))
            for drawn in (draw, jax.jit(draw)):
                got = np.asarray(drawn(jax.random.key(seed, impl=KIND)))
                assert got.dtype == expected.dtype
                assert got.tobytes() == expected.tobytes()


def test_bits_of_64_are_those_of_jax():
    with jax.enable_x64(True):
        expected, got = (jax.random.bits(jax.random.key(5, impl=kind), (40,), jnp.uint64) for kind in (OF_JAX, KIND))
        assert expected.tolist() == got.tolist()


def _sampled(draw):
    return Problem(
        "sampled",
        lambda w, batch: jnp.mean((w - batch) ** 2),
        lambda key: jax.random.normal(key, (24,)),
        lambda w: jnp.sum(w**2),
        sample=lambda key, t: draw(key),
        side_by_side=2,
    )


def _of_mixed_kinds(key):
    """What a user's code may do with a key, and only with JAX's: put one of its own in its place."""
    return jax.random.normal(jnp.where(jnp.bool_(True), key, jax.random.key(3)), (24,))


@pytest.mark.parametrize(
    ("draw", "kind"),
    [
        (lambda key: jax.random.normal(key, (24,)), KIND),
        (lambda key: jax.random.poisson(key, 3.0, (24,)).astype(float), None),
        (_of_mixed_kinds, None),
    ],
)
def test_runs_draw_what_jax_draws_from_their_seeds(draw, kind):
    problem = _sampled(draw)
    assert kind_for(problem) == kind
    result = computed(problem, "adamlab.sgd(0.5)", seeds=(3, 4, 5), steps=2, every=2, what=("loss",))
    for seed, final in zip((3, 4, 5), result["final_params"], strict=True):
        start_key, sample_key = keys_of(seed)
        w = problem.start(start_key)
        for t in range(2):
            w = w - 0.5 * 2 / 24 * (w - draw(jax.random.fold_in(sample_key, t)))
        np.testing.assert_allclose(final, w, rtol=1e-5, atol=1e-6)


def test_another_default_of_jax_is_left_to_it():
    problem = _sampled(lambda key: jax.random.normal(key, (24,)))
    with jax.default_prng_impl("rbg"):
        assert kind_for(problem) is None
    with jax.threefry_partitionable(False):
        assert kind_for(problem) is None


def _with_state(**changes):
    """A problem whose state is a key, which its loss draws with."""
    return replace(
        Problem(
            "stateful",
            lambda w, given: jnp.mean((w - jax.random.normal(given[1], (24,))) ** 2),
            lambda key: jax.random.normal(key, (24,)),
            lambda w, key: jnp.sum(w**2),
            sample=lambda key, t: key,
            state=lambda key: key,
            next_state=lambda params, given: jax.random.fold_in(given[1], 1),
            side_by_side=2,
        ),
        **changes,
    )


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, KIND),
        ({"objective": lambda w, key: jnp.sum(w**2) + jax.random.poisson(key, 3.0)}, None),
        ({"metrics": {"drawn": lambda w, key: jnp.sum(jax.random.poisson(key, 3.0, (24,))).astype(float)}}, None),
        ({"state": lambda key: jax.random.key(0), "next_state": lambda params, given: given[0]}, None),
    ],
)
def test_keys_in_the_state_are_those_of_its_runs(changes, kind):
    problem = _with_state(**changes)
    assert kind_for(problem) == kind
    result = computed(problem, "adamlab.sgd(0.5)", seeds=(3, 4), steps=3, every=3, what=("loss", *problem.metrics))
    assert problem.state
    assert problem.next_state
    for seed, final in zip((3, 4), result["final_params"], strict=True):
        start_key, sample_key = keys_of(seed)
        w, state = problem.start(start_key), problem.state(start_key)
        for t in range(3):
            given = (jax.random.fold_in(sample_key, t), state)
            w, state = w - 0.5 * jax.grad(problem.loss)(w, given), problem.next_state(w, given)
        np.testing.assert_allclose(final, w, rtol=1e-5, atol=1e-6)
