"""Optax's optimizers unrolled, against Optax itself in float64: none is wrong, and those that are not read say why."""

import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest
from optax import contrib

import adamlab as al
from tests.symbolic.survey import DIGITS, Case, Numbers, Values
from tests.symbolic.surveyed import ALIASES, CONTRIBUTED, LARGE, READ, UNREAD

pytestmark = pytest.mark.optimized(False)

DRAWS = 2

WITHIN = {False: 1e-8, True: 1e-5}
"""Distances from float64 runs: what cancellation leaves of 1e-16 over a few steps; where Optax has float32, of 6e-8."""

WRITTEN_OUT = ["adam", "amsgrad", "lion", "rmsprop", "lamb", "rprop"]


def distance(formulas, run) -> float:
    """The largest distance between two arrays, relative to the larger entry of both, NaNs alike."""
    ours, theirs = (np.asarray(side, float).reshape(np.shape(run)) for side in (formulas, run))
    scale = max(1e-30, float(np.nanmax(np.abs(theirs), initial=0.0)))
    assert (np.isnan(ours) == np.isnan(theirs)).all()
    return float(np.nanmax(np.abs(ours - theirs), initial=0.0)) / scale


def defined(case: Case, numbers: Numbers) -> Values:
    """The values of all that the definitions name."""
    values = numbers.values(case.unrolled)
    for symbol, e in case.unrolled.definitions:
        values.known[symbol] = values.of(e)
    return values


def check(case: Case, numbers: Numbers):
    values, run = defined(case, numbers), case.run(numbers)
    for t, named in enumerate(case.unrolled._named):
        assert distance(values.of(named["u"]), run.updates[t]) < WITHIN[case.float32]
        assert distance(values.of(named["w"]), run.params[t + 1]) < WITHIN[case.float32]
        for ours, theirs in zip(named["states"].values(), run.states[t], strict=True):
            if np.issubdtype(theirs.dtype, np.floating):
                assert distance(values.of(ours), theirs) < WITHIN[case.float32]


def slow(names) -> list:
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


HEAVY = ("orthogonal, a row", "adafactor")


@pytest.mark.one_case_in(8)
@pytest.mark.filterwarnings("ignore:.optimistic_adam. is deprecated")
@pytest.mark.parametrize("name", [*(name for name in READ if name not in HEAVY), *slow((*HEAVY, *LARGE))])
def test_formulas_are_what_optax_computes(name):
    case, rng = (READ | LARGE)[name], np.random.default_rng([4, *name.encode()])
    with mpmath.workdps(DIGITS):
        for _ in range(DRAWS):
            check(case, case.draw(rng))


@pytest.mark.filterwarnings("ignore:.optimistic_adam. is deprecated")
@pytest.mark.parametrize("name", [*WRITTEN_OUT, *slow(name for name in READ if name not in WRITTEN_OUT)])
def test_what_is_written_out_is_what_the_definitions_say(name):
    u = READ[name].unrolled
    with mpmath.workdps(DIGITS):
        values = defined(READ[name], READ[name].draw(np.random.default_rng(5)))
        for k in range(min(2, READ[name].steps)):
            named = u._named[k]
            assert distance_of(values, u.updates[k], named["u"]) < 1e-30
            assert u.states[k].keys() == named["states"].keys()
            for field, e in named["states"].items():
                assert distance_of(values, u.states[k][field], e) < 1e-30


def distance_of(values: Values, left, right) -> float:
    return distance(*(values.of(np.asarray(side, object)) for side in (left, right)))


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
