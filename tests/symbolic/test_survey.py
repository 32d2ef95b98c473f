"""Optax's optimizers unrolled, against Optax itself in float64: none is wrong, and those that are not read say why."""

import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest
from optax import contrib

import adamlab as al
from tests.symbolic.survey import DIGITS, Numbers
from tests.symbolic.surveyed import ALIASES, COMPOSED, CONTRIBUTED, PARTS, UNREAD

READ = {**ALIASES, **CONTRIBUTED, **PARTS, **COMPOSED}

DRAWS = 2

WITHIN = {False: 1e-8, True: 1e-5}
"""Distances from float64 runs: what cancellation leaves of 1e-16 over a few steps; where Optax has float32, of 6e-8."""


def distance(found, run) -> float:
    """The largest distance between two arrays, relative to the larger entry of both, NaNs alike."""
    ours, theirs = (np.asarray(side, float).reshape(np.shape(run)) for side in (found, run))
    scale = max(1e-30, float(np.nanmax(np.abs(theirs), initial=0.0)))
    assert (np.isnan(ours) == np.isnan(theirs)).all()
    return float(np.nanmax(np.abs(ours - theirs), initial=0.0)) / scale


def check(case, numbers: Numbers):
    u, _ = case.read
    with mpmath.workdps(DIGITS):
        compare(u, case, numbers)


def compare(u, case, numbers: Numbers):
    values, run = numbers.values(u), case.run(numbers)
    for symbol, e in u.definitions:
        values.known[symbol] = values.of(e)
    for t in range(case.steps):
        named = u._named[t]
        assert distance(values.of(np.asarray(named["u"], object)), run.updates[t]) < WITHIN[case.float32]
        assert distance(values.of(np.asarray(named["w"], object)), run.params[t + 1]) < WITHIN[case.float32]
        for ours, theirs in zip(named["states"].values(), run.states[t], strict=True):
            if np.issubdtype(theirs.dtype, np.floating):
                assert distance(values.of(np.asarray(ours, object)), theirs) < WITHIN[case.float32]


@pytest.mark.filterwarnings("ignore:.optimistic_adam. is deprecated")
@pytest.mark.parametrize("name", READ)
def test_formulas_are_what_optax_computes(name):
    rng = np.random.default_rng([4, *name.encode()])
    for _ in range(DRAWS):
        check(READ[name], READ[name].draw(rng))


@pytest.mark.parametrize("name", ["adam", "amsgrad", "lion", "rmsprop", "lamb", "rprop"])
def test_what_is_written_out_is_what_the_definitions_say(name):
    case = READ[name]
    u, _ = case.read
    numbers = case.draw(np.random.default_rng(5))
    with mpmath.workdps(DIGITS):
        compare_written_out(u, numbers)


def compare_written_out(u, numbers: Numbers):
    values = numbers.values(u)
    for symbol, e in u.definitions:
        values.known[symbol] = values.of(e)
    for k in range(2):
        assert (
            distance(values.of(np.asarray(u.updates[k], object)), values.of(np.asarray(u._named[k]["u"], object)))
            < 1e-30
        )
        assert u.states[k].keys() == u._named[k]["states"].keys()


def test_more_than_35_of_optax_are_read():
    assert len(ALIASES) + len(CONTRIBUTED) >= 35
    assert all(hasattr(optax, name) for name in ALIASES)
    assert all(hasattr(contrib, name) for name in CONTRIBUTED)


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_read_says_why(name):
    refusal = UNREAD[name]
    with pytest.raises(refusal.error, match=refusal.match):
        al.unroll(refusal.case.factory, 2, refusal.case.fixed, shape=refusal.case.shape)


def test_nothing_is_left_in_64_bits():
    assert jnp.asarray(1.0).dtype == "float32"
