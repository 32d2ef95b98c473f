"""Claims that were wrong once: each is refuted, or told with its conditions, or has the value that JAX gives."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest
from jax import lax
from jax.numpy import sign, sqrt, where

import adamlab as al
from adamlab.errors import InputError
from adamlab.interpret.jaxpr import UnreadableError
from tests.fuzzing.formulas import value_of
from tests.fuzzing.judge import wrong_refutation
from tests.fuzzing.pairs import Pair
from tests.fuzzing.programs import Program
from tests.symbolic.examples import transformation

SGD = "optax.sgd(lr)"


def by_count(update: Callable[..., Any], dtype: Any = jnp.int32):
    """u = f(t, g)."""

    def step(g, count, w=None):
        t = count + jnp.asarray(1, dtype)
        return update(t, g), t

    return transformation(lambda w: jnp.zeros([], dtype), step)


def by_last(update: Callable[..., Any]):
    """u = f(g, the gradient before)."""
    return transformation(jnp.zeros_like, lambda g, last, w=None: (update(g, last), g))


def with_state(step: Callable[..., Any], start: float = 0.0):
    """x, u = f(t, x, g)."""

    def update(g, state, w=None):
        t = state[0] + 1
        x, u = step(t, state[1], g)
        return u, (t, x)

    return transformation(lambda w: (jnp.zeros([], jnp.int32), jnp.full_like(w, start)), update)


def sums_then_averages(lr, kept: Callable[..., Any], k: int = 10):
    """A sum of what is kept, and from step k on an average by halves."""

    def step(t, x, g):
        y = where(t > k, x / 2 + g / 2, kept(x, g))
        return y, -lr * y

    return with_state(step)


def latch(lr):
    def update(g, on, w=None):
        on = on | (g > 10)
        return where(on, -2 * lr * g, -lr * g), on

    return transformation(lambda w: jnp.zeros([], bool), update)


def wide(lr, of: Callable[[Any], Any]):
    return by_count(lambda t, g: -lr * g * of(t))


REFUTED: dict[str, tuple[Any, Any, int, float]] = {
    "a count beyond 2³¹": (
        lambda lr: by_count(lambda t, g: where(t * 4e6 > 1e10, -0.1 * lr * g, -lr * g)),
        SGD,
        2501,
        0,
    ),
    "a count below −2³¹": (
        lambda lr: by_count(lambda t, g: where((t > -3e9) & (abs(g) > 1e6), -2 * lr * g, -lr * g)),
        SGD,
        24,
        1e6,
    ),
    "t² wraps": (lambda lr: wide(lr, lambda t: t * t), lambda lr: wide(lr, lambda t: t.astype(float) ** 2), 46341, 0),
    "t − 5 without a sign": (
        lambda lr: by_count(lambda t, g: -lr * g * jnp.maximum(t - jnp.uint32(5), jnp.uint32(0)), jnp.uint32),
        lambda lr: by_count(lambda t, g: -lr * g * jnp.maximum(t - 5, 0)),
        1,
        0,
    ),
    "a state that is always 0": (
        lambda lr: with_state(lambda t, x, g: (x * g, where((t > 2000) & (x == 0), -2 * lr * g, -lr * g))),
        SGD,
        2001,
        0,
    ),
    "the root of a negative": (
        lambda lr: by_count(lambda t, g: lr * g * sqrt(-abs(g) - 1) ** 2),
        lambda lr: by_count(lambda t, g: -lr * g * (abs(g) + 1)),
        1,
        0,
    ),
    "√g²": (lambda lr: by_count(lambda t, g: -lr * sqrt(g) ** 2), SGD, 24, 0),
    "√g² below 0 alone": (lambda lr: by_count(lambda t, g: -lr * where(g < 0, sqrt(g) ** 2, g)), SGD, 24, 0),
    "equal on a half line": (
        lambda lr: by_count(
            lambda t, g: where(sqrt(g * g - 2e6 * g + 1e12) == g - 1e6, -2 * lr * g, -lr * g),
        ),
        SGD,
        24,
        0,
    ),
    "a reset in the first ten steps": (
        lambda lr: sums_then_averages(lr, lambda x, g: x + g),
        lambda lr: sums_then_averages(lr, lambda x, g: where(abs(g) > 1e6, 0, x + g)),
        24,
        1e6,
    ),
    "entries coupled from the sixth step": (
        lambda lr: by_count(lambda t, g: where(t > 5, -lr * g * jnp.sum(abs(g)), -lr * g * abs(g))),
        lambda lr: by_count(lambda t, g: -lr * g * abs(g)),
        24,
        0,
    ),
    "entries coupled from the forty-first step": (
        lambda lr: by_count(lambda t, g: where(t > 40, -lr * jnp.mean(g) + 0 * g, -lr * g)),
        SGD,
        42,
        0,
    ),
    "another rate for arrays": (lambda lr: by_count(lambda t, g: -lr * g * (2 if g.size > 1 else 1)), SGD, 24, 0),
    "another rate for larger arrays": (
        lambda lr: by_count(lambda t, g: -lr * g * (2 if g.size > 3 else 1)),
        SGD,
        24,
        0,
    ),
    "another rate for matrices": (lambda lr: by_count(lambda t, g: -lr * g * (2 if g.ndim > 1 else 1)), SGD, 24, 0),
    "after six thousand steps": (
        lambda lr: by_count(lambda t, g: -lr * g * where(t // 1000 > 5, 2, 1)),
        SGD,
        6000,
        0,
    ),
    "beyond a trillion": (
        lambda lr: by_count(lambda t, g: -lr * g * where(abs(g) > 1e12, 2, 1)),
        SGD,
        24,
        1e12,
    ),
    "below a trillionth": (lambda lr: by_count(lambda t, g: where(abs(g) < 1e-15, 0, -lr * g)), SGD, 24, 0),
    "clipped at a million": (lambda lr: optax.chain(optax.clip(1e6), optax.sgd(lr)), SGD, 24, 1e6),
    "a boundary a step later": (
        lambda lr: by_count(lambda t, g: where(t > 5000, -lr * g, -2 * lr * g)),
        lambda lr: by_count(lambda t, g: where(t > 5001, -lr * g, -2 * lr * g)),
        5001,
        0,
    ),
    "a latch": (latch, SGD, 24, 10),
    "the sign of a late step": (lambda lr: by_count(lambda t, g: -lr * g * sign(t - 3000.0) ** 2), SGD, 3000, 0),
    "a state's sign late": (
        lambda lr: with_state(lambda t, x, g: (x + 1, -lr * g * sign(x - 3000) ** 2)),
        SGD,
        3001,
        0,
    ),
    "every second step": (lambda lr: optax.MultiSteps(optax.sgd(lr), 2).gradient_transformation(), SGD, 2, 0),
}
"""Two sides, the last step at which they may first part, and what a gradient has to be greater than to part them."""


def updates_by_jax(optimizer: Any, numbers: dict[str, float], gradients: list[Any]) -> np.ndarray:
    """The updates in float64."""
    with jax.enable_x64(True):
        tx: Any = optax.sgd(numbers["lr"]) if optimizer == SGD else optimizer(**numbers)
        rows = jnp.asarray(np.array(gradients, float))

        def step(carry, g):
            state, w = carry
            u, state = tx.update(g, state, w)
            return (state, w + u), u

        w = jnp.ones(rows.shape[1:])
        return np.asarray(lax.scan(step, (tx.init(w), w), rows)[1])


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("case", REFUTED)
def test_a_false_statement_is_refuted_by_numbers_on_which_jax_parts(case):
    left, right, latest, least = REFUTED[case]
    verdict = al.prove(left, right)
    assert verdict.status == "refuted", verdict
    c = verdict.counterexample
    assert c is not None
    assert c.step <= latest
    assert np.max(np.abs(np.array(c.gradients, float))) > least
    numbers = {name: float(x) for name, x in c.hyper.items()}
    a, b = (updates_by_jax(side, numbers, c.gradients)[-1] for side in (left, right))
    assert not np.allclose(a, b, rtol=1e-6, atol=0, equal_nan=True)


TOLD: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "not the last of three": (
        lambda lr: by_last(lambda g, last: where(g == last, 0, -lr * g)),
        SGD,
        {"t": 3},
        "no gradient is that of the step before",
    ),
    "not 7": (lambda lr: by_count(lambda t, g: where(g == 7, 0, -lr * g)), SGD, {"t": 3}, "g_t - 7 ≠ 0"),
    "not 7 at any step": (lambda lr: by_count(lambda t, g: where(g == 7, 0, -lr * g)), SGD, {}, "g_t - 7 ≠ 0"),
    "sign(g − last)²": (
        lambda lr: by_last(lambda g, last: -lr * sign(g - last) ** 2),
        lambda lr: by_last(lambda g, last: -lr + 0 * g),
        {},
        "no gradient is that of the step before",
    ),
    "sign(g) and g/|g|": (
        lambda lr: by_count(lambda t, g: -lr * sign(g)),
        lambda lr: by_count(lambda t, g: -lr * g / abs(g)),
        {},
        "no gradient is 0",
    ),
}
"""Two sides that are the same but at single gradients, what is given, and the condition that has to be told."""


@pytest.mark.parametrize("case", TOLD)
def test_single_gradients_that_part_the_two_are_told(case):
    left, right, given, condition = TOLD[case]
    verdict = al.prove(left, right, given=given)
    assert verdict.status == "proved"
    assert condition in verdict.assumptions


OF_SHAPES: dict[str, tuple[Any, str]] = {
    "coupled": (
        lambda lr: by_count(lambda t, g: -lr * g * jnp.sum(abs(g)) / jnp.maximum(jnp.sum(abs(g)), 1e-30)),
        "the entries of an array depend on each other",
    ),
    "large arrays": (
        lambda lr: by_count(lambda t, g: -lr * g * (2 if g.size > 100 else 1)),
        "arrays of some shapes have code of their own",
    ),
    "a number of the shape": (
        lambda lr: by_count(lambda t, g: -lr * g * max(1, g.size // 50)),
        "arrays of some shapes have code of their own",
    ),
}
"""What is as SGD on a single number, and on small arrays, with the reason why nothing is said of others."""


@pytest.mark.parametrize("case", OF_SHAPES)
def test_what_holds_for_single_numbers_alone_is_told_so(case):
    left, reason = OF_SHAPES[case]
    verdict = al.prove(left, (lambda lr: left(lr * 1.0)) if case == "coupled" else SGD)
    assert verdict.status == "proved"
    assert f"the parameter is a single number; {reason}" in verdict.assumptions


def test_of_what_is_the_same_for_every_entry_no_shape_is_told():
    verdict = al.prove("adamlab.adam(lr, b1=b1, b2=b2, eps=eps)", "optax.adam(lr, b1=b1, b2=b2, eps=eps)")
    assert (verdict.status, verdict.horizon) == ("proved", None)
    assert not any("single number" in words for words in verdict.assumptions)


def test_a_proof_that_needs_no_wrap_says_up_to_which_step():
    verdict = al.prove(lambda lr: wide(lr, lambda t: t * 1000), lambda lr: wide(lr, lambda t: t.astype(float) * 1000))
    assert (verdict.status, verdict.horizon) == ("proved", (2**31 - 1) // 1000)


@pytest.mark.parametrize(
    ("of", "horizon"),
    [
        (lambda t: sign(t - 0.5) ** 2, None),
        (lambda t: sign(t - 400_000) ** 2, 399_999),
        (lambda t: (t - 3000.0) * (t + 1.0) / (1.0 * t * t - 2999.0 * t - 3000.0), 2999),
    ],
)
def test_a_step_cannot_be_assumed_away(of, horizon):
    verdict = al.prove(lambda lr: by_count(lambda t, g: -lr * g * of(t)), SGD)
    assert (verdict.status, verdict.horizon) == ("proved", horizon)
    assert not any("≠" in words for words in verdict.assumptions)


def test_code_that_asks_for_the_type_of_a_number_is_not_proved():
    verdict = al.prove(lambda lr, b1=0.5: by_count(lambda t, g: -lr * g * (2 if isinstance(b1, float) else 1)), SGD)
    assert verdict.status != "proved"


def test_a_power_of_two_is_exact():
    verdict = al.prove(lambda lr: by_count(lambda t, g: -lr * (g * 2.0**24) * 2.0**-24), SGD)
    assert (verdict.status, verdict.horizon) == ("proved", None)


def adam(lr):
    return optax.adam(lr)


def sgd(lr):
    return optax.sgd(lr)


ONE_SIDED = {
    "defaults": (adam, "optax.adam(lr)", "b1 = 0.9, b2 = 0.999, eps = 1e-08"),
    "names": ("optax.adam(lr)", "optax.adam(eta)", "eta = lr"),
}


@pytest.mark.parametrize("case", ONE_SIDED)
def test_numbers_open_on_one_side_are_named_and_tied(case):
    left, right, tied = ONE_SIDED[case]
    words = al.prove(left, right).explanation
    assert f"at {tied} they are the same: proved" in words


def test_infinite_limits_have_a_ratio_and_a_difference():
    for right, difference, ratio in (
        (lambda lr: optax.sgd(lr + 1.0), "their difference goes to g_t", "their ratio goes to 1"),
        (lambda lr: optax.sgd(3 * lr), "their difference goes to ∞", "their ratio goes to 1/3"),
    ):
        verdict = al.prove(sgd, right, limit={"lr": "oo"})
        assert verdict.status == "refuted"
        assert difference in verdict.explanation
        assert ratio in verdict.explanation
        assert "zoo" not in f"{verdict} {verdict.to_dict()}"


@pytest.mark.parametrize(
    ("k", "t", "value"), [(10, 11, -5.5), (10, 13, -1.375 - 0.75), (4, 6, -1.25 - 0.5), (15, 16, -8)]
)
def test_a_recurrence_that_changes_late_has_the_late_closed_form(k, t, value):
    f = al.closed_form(lambda lr: sums_then_averages(lr, lambda x, g: x + g, k))
    ones = {("g", i): mpmath.mpf(1) for i in range(1, t + 1)}
    assert mpmath.almosteq(value_of(f.updates, {"lr": mpmath.mpf(1), "t": mpmath.mpf(t)}, ones), value)


def test_an_unsolved_state_is_not_held_constant_in_a_limit():
    def optimizer(lr, b2):
        def step(t, x, g):
            y = sqrt(b2 * x * x + g * g) / (1 - b2)
            return y, -lr * (1 - b2) * y * g

        return with_state(step)

    with pytest.raises(InputError, match="a state without a closed form depends on it"):
        al.closed_form(optimizer).limit(b2=1)


def test_a_closed_form_is_nan_where_the_code_is():
    f = al.closed_form(lambda lr: by_count(lambda t, g: -lr * where(g < 0, sqrt(g) ** 2, g)))
    for g, value in ((2, -2), (-2, mpmath.nan)):
        u = value_of(f.updates, {"lr": mpmath.mpf(1), "t": mpmath.mpf(1)}, {("g", 1): mpmath.mpf(g)})
        assert u == value or (mpmath.isnan(u) and mpmath.isnan(value))


def test_a_closed_form_tells_where_it_is_undefined():
    f = al.closed_form(lambda lr, gamma: with_state(lambda t, x, g: (gamma * x + 1, -lr * (gamma * x + 1) * g)))
    assert "γ - 1 ≠ 0" in f.assumptions


def test_a_closed_form_of_branches_tells_from_which_step_it_holds():
    f = al.closed_form(
        lambda lr: by_count(
            lambda t, g: lax.switch(jnp.minimum(t - 1, 2), [lambda: -lr * g, lambda: -2 * lr * g, lambda: -3 * lr * g])
        )
    )
    assert "the update is that of steps t ≥ 3" in f.assumptions


def test_states_without_names_have_a_letter():
    def update(g, s, w=None):
        return -s[0], [s[0] / 2 + g, s[1] + g]

    f = al.closed_form(lambda: transformation(lambda w: [jnp.zeros_like(w), jnp.zeros_like(w)], update))
    letters = {str(e.lhs.base) for name, e in f.recurrences.items() if name != "update"}
    assert all(letter.isidentifier() for letter in letters)
    assert f.text().startswith("s_(0,t) = ")


def test_whole_numbers_keep_their_defaults_and_that_is_told():
    assert "k = 1, a whole number" in al.closed_form(optax.apply_every).assumptions
    assert al.prove(optax.contrib.muon, optax.sgd).status in ("refuted", "unknown")


def test_the_first_step_of_schedule_free_sgd_is_short():
    u = al.unroll(optax.contrib.schedule_free_sgd, steps=1)
    assert str(u.updates[0]) == "-eta*g_1"


def exact(update: Callable[..., Any], gradients: Any = (1.0,)) -> Any:
    return al.exact(lambda: by_count(update), gradients).updates


EXACT: dict[str, Callable[[Any, Any], Any]] = {
    "uint8 wraps": lambda t, g: g * (jnp.uint8(250) + t.astype(jnp.uint8) * jnp.uint8(6)).astype(float),
    "300 in int8": lambda t, g: (g * 300).astype(jnp.int8).astype(float),
    "not 5 in uint8": lambda t, g: g * (~(t.astype(jnp.uint8) * jnp.uint8(5))).astype(float),
    "the root of −1": lambda t, g: jnp.real(jnp.sqrt((-g).astype(complex)) ** 2),
    "the logarithm of −1": lambda t, g: jnp.imag(jnp.log((-g).astype(complex))),
    "the root of −1 in reals": lambda t, g: jnp.sqrt(-g),
    "atan2": lambda t, g: jnp.arctan2(g, 2.0),
    "atan2 behind": lambda t, g: jnp.arctan2(g, -2.0),
}


@pytest.mark.parametrize("case", EXACT)
def test_an_exact_value_is_that_of_jax(case):
    update = EXACT[case]
    with jax.enable_x64(True):
        value = update(jnp.asarray(1, jnp.int32), jnp.asarray(1.0))
    np.testing.assert_allclose(float(exact(update)[0]), float(value), rtol=1e-14)


@pytest.mark.parametrize("mode", [None, "clip", "wrap"])
def test_entries_beyond_an_array_are_taken_as_jax_does(mode):
    g = jnp.array([1.0, 2.0])
    value = exact(lambda t, g: g * jnp.take(g, t + 5, mode=mode), [np.array([1.0, 2.0])])[0]
    np.testing.assert_array_equal(value.astype(float), np.asarray(g * jnp.take(g, 6, mode=mode)))


def test_a_reduction_that_depends_on_the_order_is_not_read():
    with pytest.raises(UnreadableError, match="reduce"):
        exact(lambda t, g: g * lax.reduce(g, 0.0, lambda a, b: a + 2 * b, (0,)), [np.array([1.0, 2.0])])


def test_a_centered_variance_of_a_constant_is_0():
    spec = "optax.rmsprop(lr, eps_in_sqrt=false, centered=true, bias_correction=true)"
    for u in al.exact(spec, ["0.7"] * 6, hyper={"lr": "0.1"}).updates:
        assert mpmath.almosteq(u, mpmath.mpf("-0.07") / mpmath.mpf("1e-8"), rel_eps=1e-6)


UNDECIDED = {
    "a branch on a number": lambda lr, k: by_count(lambda t, g: -lr * g * (2 if k > 1 else 1)),
    "adafactor": "optax.adafactor(lr)",
    "an integer latch": lambda lr: transformation(
        lambda w: jnp.zeros([], jnp.int32),
        lambda g, s, w=None: (-lr * g * where(s > 0, 2, 1), jnp.maximum(s, (g > 10).astype(jnp.int32))),
    ),
}


@pytest.mark.parametrize("case", UNDECIDED)
def test_prove_gives_a_verdict_whatever_the_state_is(case):
    assert al.prove(UNDECIDED[case], SGD).status in ("refuted", "unknown")


DIVISIONS: dict[str, Callable[[Any], Any]] = {
    "by the gradient": lambda g: g / g,
    "by a power": lambda g: g**2 / g,
    "times an inverse": lambda g: (1 / g) * g,
    "of two inverses": lambda g: 1 / g - 1 / g,
    "by a root": lambda g: sqrt(abs(g)) * lax.rsqrt(abs(g)),
    "by the sign": lambda g: sign(g) / sign(g),
    "by a maximum": lambda g: jnp.maximum(g, 0) / jnp.maximum(g, 0),
    "by cases": lambda g: where(g > 1, g, 0.0) / where(g > 1, g, 0.0),
    "by other cases": lambda g: 2 / where(g > 1, g, 0.0),
    "by what vanishes on a side": lambda g: (abs(g) - g) / (abs(g) - g),
    "by an integer": lambda g: jnp.floor(g) / jnp.floor(g),
    "by the root of a gradient": lambda g: sqrt(g) * lax.rsqrt(g),
    "a logarithm times 0": lambda g: 0 * jnp.log(abs(g)),
    "a maximum times 0": lambda g: 0 * jnp.maximum(1 / g, 1),
    "asked whether it is finite": lambda g: where(jnp.isfinite(1 / g), g, 7),
    "asked whether it is a number": lambda g: where(jnp.isnan(g / abs(g)), 7, g),
}


@pytest.mark.parametrize("case", DIVISIONS)
def test_what_is_divided_by_0_is_told(case):
    f = al.closed_form(lambda: by_count(lambda t, g: DIVISIONS[case](g)))
    excused = [0.0] if any("≠ 0" in text for text in f.assumptions) else []
    for g in sorted({-1.5, 0.0, 0.5, 3.0} - {*excused}):
        with jax.enable_x64(True):
            expected = float(DIVISIONS[case](jnp.asarray(g)))
        np.testing.assert_allclose(float(value_of(f.updates, {"t": 1}, {("g", 1): mpmath.mpf(g)})), expected)


def test_a_sign_or_a_size_that_is_divided_by_is_0_at_a_point_alone():
    for divisor in (sign, abs):
        f = al.closed_form(lambda divisor=divisor: by_count(lambda t, g: divisor(g) / divisor(g)))
        assert "g_t ≠ 0" in f.assumptions


def test_an_infinite_factor_of_the_gradient_stays_so():
    first, *_, last = al.unroll(lambda: by_count(lambda t, g: g * jnp.power(0.0, t - 3.0)), steps=3).updates
    assert float(first.subs(first.free_symbols.pop(), -2)) == -np.inf
    assert str(last) == "g_3"


def test_cases_divided_by_0_have_no_value_of_sympy():
    f = al.closed_form(lambda: by_count(lambda t, g: DIVISIONS["by other cases"](g)))
    assert "zoo" not in str(f.updates)


def test_a_delayed_gradient_whose_state_starts_elsewhere_is_told_as_later_steps():
    f = al.closed_form(lambda: transformation(jnp.ones_like, lambda g, last, w=None: (last, g)))
    assert "the update is that of steps t ≥ 2" in f.assumptions


def test_conditions_among_states_are_written_out():
    def update(g, s, w=None):
        p = g - 1
        on = s["on"] | (abs(p) > 1e6)
        return -p * where(on, 2.0, 1.0), {"on": on, "p": p}

    def init(w):
        return {"on": jnp.zeros([], bool), "p": jnp.zeros_like(w)}

    u = al.unroll(lambda: transformation(init, update), steps=2)
    assert {str(symbol) for step in u.states for symbol in step["on"].free_symbols} == {"g_1", "g_2"}


def test_a_correction_by_another_power_than_the_average_has_needs_no_polynomial():
    def step(t, x, g):
        average = 0.99 * x + 0.01 * g
        corrected = average * (1 / (1 - 0.99 ** (t + 1)))
        return average, -where(corrected < 0, -sqrt(abs(corrected)), sqrt(abs(corrected)))

    f = al.closed_form(lambda: with_state(step))
    u = value_of(f.updates, {"t": mpmath.mpf(1)}, {("g", 1): mpmath.mpf(-2)})
    assert mpmath.almosteq(u, mpmath.sqrt(mpmath.mpf("0.02") / (1 - mpmath.mpf("0.99") ** 2)))


def test_what_fades_away_in_doubles_is_no_difference():
    """A parameter that loses a tenth at each step has a cube that is never 0, but in doubles is after 2,300 steps."""

    def shrinking(otherwise):
        def factory(lr):
            def update(g, s, w: Any = None):
                return where(w**3 > 0, -0.1 * w, otherwise * lr * g), s

            return transformation(lambda w: optax.EmptyState(), update)

        return factory

    assert al.prove(shrinking(-1.0), shrinking(-2.0)).status != "refuted"


@pytest.mark.parametrize(("otherwise", "status"), [(lambda m, g: g, "proved"), (lambda m, g: m, "refuted")])
def test_a_state_that_is_not_a_number_can_be_asked_for_its_sign(otherwise, status):
    """A correction by 1 − 1^t divides by 0, and no condition on what that gives holds."""

    def signed(lr):
        def step(t, m, g):
            m_next = m + g * 0.0 / (1 - 1.0**t)
            return m_next, -lr * where(m_next * g > 0, 2 * g, otherwise(m_next, g))

        return with_state(step)

    assert al.prove(signed, SGD).status == status


def test_a_state_that_fades_away_in_doubles_is_no_difference():
    """The sign of a mean that gets no more gradients is kept for ever, but in doubles it is 0 after 1,200 steps."""

    def sign_of(kept: Callable[..., Any]):
        def factory(lr):
            return with_state(lambda t, m, g: (m_next := kept(t, m, g), -lr * sign(m_next)))

        return factory

    left = sign_of(lambda t, m, g: where(t > 16, m, m / 2 + g / 2))
    right = sign_of(lambda t, m, g: m / 2 + where(t > 16, 0, g / 2))
    assert al.prove(left, right).status != "refuted"


def test_what_overflows_in_doubles_is_no_difference():
    """The right keeps twice the state, which overflows a step or two earlier; they part at step 5001 alone."""
    count, t = ("count", "count_ + 1"), ("t", "count")
    states: dict[str, tuple[str, Any]] = {"count": ("int32", 0), "y": ("float", 0.0)}
    left = Program({"lr": None}, states, (count, t, ("y", "1.5*y_ + abs(g)"), ("u", "-lr*(sqrt(y) + 0.01*w)")))
    late = "where((t > 5000) & (g > 0), 2.0, 1.0)*(1.5*y_ + 2*abs(g))"
    right = Program({"lr": None}, states, (count, t, ("y", late), ("u", "-lr*(sqrt(y/2) + 0.01*w)")))
    pair = Pair("overflow", left, right)
    verdict = al.prove(left.factory, right.factory)
    if verdict.status == "refuted":
        assert wrong_refutation(pair, verdict) == ""
    else:
        assert verdict.status == "unknown" or verdict.horizon in range(1, 5001)
