"""Schedules against what they say and against Optax's, at the first update, at every bound and beyond the end."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adamlab.calls import arguments
from adamlab.schedules import SCHEDULES, cosine, exponential, inverse_sqrt, linear, piecewise, warmup_cosine

EXPECTED = {
    "inverse_sqrt": ({"init": 0.3}, lambda count: 0.3 / math.sqrt(count + 1)),
    "exponential": ({"init": 0.3, "rate": 0.5, "every": 4}, lambda count: 0.3 * 0.5 ** (count / 4)),
    "linear": ({"init": 0.3, "end": 0.1, "steps": 4}, lambda count: max(0.1, 0.3 - 0.05 * count)),
    "cosine": (
        {"init": 0.3, "steps": 8, "alpha": 0.1},
        lambda count: 0.3 * (0.9 * (1 + math.cos(math.pi * min(count, 8) / 8)) / 2 + 0.1),
    ),
    "warmup_cosine": (
        {"peak": 0.4, "warmup": 4, "steps": 12},
        lambda count: 0.1 * count if count < 4 else 0.2 * (1 + math.cos(math.pi * min(count - 4, 8) / 8)),
    ),
    "piecewise": (
        {"init": 0.4, "boundaries": (3, 5, 11), "factor": 0.5},
        lambda count: 0.4 if count < 3 else 0.2 if count < 5 else 0.1 if count < 11 else 0.05,
    ),
}

THEIRS = {
    "exponential": optax.exponential_decay(0.3, 4, 0.5),
    "linear": optax.linear_schedule(0.3, 0.1, 4),
    "cosine": optax.cosine_decay_schedule(0.3, 8, 0.1),
    "warmup_cosine": optax.warmup_cosine_decay_schedule(0.0, 0.4, 4, 12),
    "piecewise": optax.piecewise_constant_schedule(0.4, dict.fromkeys((3, 5, 11), 0.5)),
}

COUNTS = (0, 1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 20, 10**6)


def values(schedule) -> np.ndarray:
    return np.array([np.asarray(schedule(count)).item() for count in COUNTS])


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_has_the_values_it_says(x64, name):
    given, expected = EXPECTED[name]
    np.testing.assert_allclose(
        values(SCHEDULES[name](**given)), [expected(count) for count in COUNTS], rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize("name", THEIRS)
def test_schedule_is_optaxs(dtype, name):
    # A power and a cosine are within an ulp of exact, and some ten operations round by half of one.
    ours, theirs = values(SCHEDULES[name](**EXPECTED[name][0])), values(THEIRS[name])
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(ours, theirs, rtol=8 * eps, atol=8 * eps * 0.4)


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize("name", SCHEDULES)
def test_numbers_that_are_traced_give_the_same(dtype, name):
    given, _ = EXPECTED[name]
    known = arguments(SCHEDULES[name])
    swept = {key: value for key, value in given.items() if known[key].kind in ("number", "steps")}
    fixed = {key: value for key, value in given.items() if key not in swept}
    rows = {key: jnp.array([value, 2 * value], float) for key, value in swept.items()}
    counts = jnp.array(COUNTS)

    def along(numbers):
        return jax.vmap(SCHEDULES[name](**numbers, **fixed))(counts)

    traced = jax.jit(jax.vmap(along))(rows)
    assert traced.dtype == dtype
    for row, scale in zip(traced, (1, 2), strict=True):
        written = {key: scale * value for key, value in swept.items()}
        # Compiled as a whole the loop may round otherwise, by some ulp of the greatest value.
        eps = float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(row, along(written), rtol=8 * eps, atol=8 * eps * 0.8)


def test_one_program_does_for_all_whole_numbers():
    compiled = []

    @jax.jit
    def at_three(steps):
        compiled.append(steps)
        return cosine(0.3, steps)(3)

    assert [float(at_three(steps)) > 0 for steps in (4.0, 8.0, 3.0)] == [True, True, False]
    assert len(compiled) == 1


@pytest.mark.parametrize(
    "make",
    [
        inverse_sqrt,
        lambda init: exponential(init, 0.5, 4),
        lambda init: linear(init, 0.0, 4),
        lambda init: cosine(init, 4, 0.1),
        lambda init: warmup_cosine(init, 2, 4, 0.1),
        lambda init: piecewise(init, (2, 3), 0.5),
    ],
)
def test_the_type_is_that_of_the_levels(dtype, make):
    for init in (jnp.float32(0.3), jnp.bfloat16(0.3), jnp.array(0.3, dtype)):
        value = make(init)(jnp.int32(1))
        assert value.dtype == init.dtype
    for init in (0.3, 1):
        assert make(init)(jnp.int32(1)).dtype == dtype


def test_a_schedule_made_before_64_bit_types_are_on_has_them_when_it_is_called():
    schedule = linear(0.3, 0.1, 3)
    with jax.enable_x64(True):
        assert np.asarray(schedule(1)).item() == pytest.approx(0.3 - 0.2 / 3, rel=1e-15)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: linear(0.1, 0.0, 0), "steps must be at least 1, not 0"),
        (lambda: cosine(0.1, np.array([5.0, -2.0, 1.0])), "steps must be at least 1, not -2"),
        (lambda: exponential(0.1, 0.5, 0), "every must be at least 1, not 0"),
        (lambda: warmup_cosine(0.1, 0, 5), "warmup must be at least 1, not 0"),
        (lambda: warmup_cosine(0.1, 5, 5), "steps must be greater than warmup"),
        (lambda: warmup_cosine(0.1, np.array([2, 9]), np.array([5, 9])), "steps must be greater than warmup"),
        (lambda: piecewise(0.1, ()), "boundaries must be steps from 1"),
        (lambda: piecewise(0.1, (0, 1)), "boundaries must be steps from 1"),
        (lambda: piecewise(0.1, (3, 3)), r"each after the one before, not \[3, 3\]"),
    ],
)
def test_whole_numbers_out_of_range_are_told(make, message):
    with pytest.raises(ValueError, match=message):
        make()
