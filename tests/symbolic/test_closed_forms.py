"""Closed forms against steps written out as expressions, and against exact arithmetic, which knows no formulas."""

import re
import time
from functools import cache
from typing import Any

import mpmath
import optax
import pytest
import sympy
from sympy import Abs, Eq, Integer, Max, Rational, Sum, Symbol, expand, sqrt

import adamlab as al
from adamlab.errors import InputError
from adamlab.symbolic.letters import W
from adamlab.symbolic.maximum import Maximum
from adamlab.symbolic.solving import recurrences
from tests.symbolic.examples import (
    coupled,
    delayed,
    fed_by_a_copy,
    fed_by_a_pair,
    fed_late,
    forgetful,
    forgetful_later,
    late,
    moving_average,
    negative_at_first,
    other_at_the_start,
    pair_by,
    resetting,
)
from tests.symbolic.survey import DIGITS, Values

STATES = [
    ("optax.adam", "mu"),
    ("optax.adam", "nu"),
    ("adamlab.adam", "mu"),
    ("adamlab.adam", "nu"),
    ("optax.sgd(lr, momentum=mu)", "trace"),
    ("optax.adagrad", "sum_of_squares"),
    ("optax.rmsprop(initial_scale=s)", "nu"),
    ("optax.lion", "mu"),
    ("optax.adamax", "nu"),
    ("adamlab.adamax", "nu"),
    ("optax.amsgrad", "nu_max"),
    ("optax.rmsprop(momentum=mu)", "trace"),
    ("optax.novograd", "nu"),
    ("optax.novograd", "mu"),
    ("optax.contrib.ademamix", "m2"),
    ("optax.optimistic_gradient_descent", "previous_gradient"),
]

OF_MANY_TERMS = [
    ('adamlab.adam(arithmetic="weighted")', "nu_hat"),
    ("optax.adan", "n"),
    ('adamlab.rmsprop(centered=true, arithmetic="weighted")', "variance"),
    ("optax.adabelief", "nu"),
]
"""States whose polynomials take seconds to write out and to compare after 8 steps."""

GRADIENTS = [Rational(n, 3) for n in (1, -2, 4, 3, -1, 5, 2, -7)]
WITHIN = mpmath.mpf(10) ** -40
"""Of 50 digits, less those that sums of some terms can take."""

closed_form = cache(al.closed_form)
unroll = cache(al.unroll)


def written_out(f, e, t: int, gradients):
    """A closed form at a step whose number is known, over other symbols for the gradients."""
    return e.subs(f.t, t).doit().xreplace({f.g[k]: g for k, g in enumerate(gradients, start=1)})


def number(rational) -> Any:
    return mpmath.mpf(rational.p) / rational.q


@pytest.mark.one_case_in(8)
@pytest.mark.parametrize(
    ("optimizer", "field", "steps"),
    [
        *((*state, 8) for state in STATES),
        *((*state, 5) for state in OF_MANY_TERMS),
        *(pytest.param(*state, 8, marks=pytest.mark.slow) for state in OF_MANY_TERMS),
    ],
)
def test_closed_forms_are_the_steps_written_out(optimizer, field, steps):
    f, u = closed_form(optimizer), unroll(optimizer, steps)
    assert field not in f.unsolved
    with mpmath.workdps(DIGITS):
        point = {s: mpmath.mpf(k + 3) / 17 for k, s in enumerate(f.hyper.values())}
        entries = {f.g[k]: number(g) for k, g in enumerate(GRADIENTS, start=1)}
        values = Values(point | dict(zip(u.gradients, entries.values(), strict=False)))
        for t in range(1, steps + 1):
            ours, theirs = f.states[field], u.states[t - 1][field]
            assert abs(Values({**point, **entries, f.t: mpmath.mpf(t)}).of(ours) - values.of(theirs)) < WITHIN
            if theirs.is_polynomial(*u.gradients):
                difference = written_out(f, ours, t, u.gradients) - theirs
                assert not difference.is_polynomial(*u.gradients) or sympy.cancel(expand(difference)) == 0


@pytest.mark.parametrize("optimizer", dict.fromkeys(optimizer for optimizer, _ in STATES + OF_MANY_TERMS))
def test_updates_have_the_values_of_exact_arithmetic(optimizer):
    f = closed_form(optimizer)
    numbers: dict[str, Any] = {name: Rational(k + 3, 17) for k, name in enumerate(f.hyper)}
    gradients = [1, -2, 4, 3, -1, 5]
    hyper = {name: f"{n.p}/{n.q}" for name, n in numbers.items()}
    exact = al.exact(optimizer, [str(g) for g in gradients], hyper, params="0.5")
    with mpmath.workdps(DIGITS):
        point = {f.hyper[name]: number(n) for name, n in numbers.items()}
        entries = {f.g[k]: mpmath.mpf(g) for k, g in enumerate(gradients, start=1)}
        weights = {W[k]: w for k, w in enumerate(exact.params)}
        for t in range(3, 7):
            update = Values({**point, **entries, **weights, f.t: mpmath.mpf(t)}).of(f.updates)
            assert abs(update - exact.updates[t - 1]) < WITHIN


def test_adam_is_as_in_the_derivation():
    f = al.closed_form(optax.adam)
    (i,) = f.states["nu"].atoms(Sum).pop().variables
    b2 = f.hyper["b2"]
    assert f.states["nu"] == (1 - b2) * Sum(b2 ** (f.t - i) * f.g[i] ** 2, (i, 1, f.t))
    assert f.states["count"] == f.t
    assert f.unsolved == ()
    assert str(f).splitlines()[1] == "v_t = (1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·g_i²"
    assert f.text(superscripts=True).splitlines()[1] == "v^t = (1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·(g^i)²"
    assert str(f.t) == "t"
    assert (str(i), str(f.g)) == ("i", "g")


def test_maxima_are_over_all_steps():
    f = al.closed_form(optax.adamax)
    assert f.states["nu"].func is Maximum
    assert f.states["nu"].subs(f.t, 2).doit() == Max(
        f.hyper["b2"] * (Abs(f.g[1]) + f.hyper["eps"]), Abs(f.g[2]) + f.hyper["eps"]
    )


def test_what_has_no_closed_form_is_a_recurrence_and_says_so():
    f = al.closed_form(optax.adadelta)
    assert f.unsolved == ("e_x",)
    assert f.states["e_x"] == f.recurrences["e_x"]
    assert isinstance(f.states["e_x"], Eq)
    assert "e_x has no closed form that was found" in f.assumptions
    assert al.closed_form(optax.yogi).unsolved == ("nu",)


def test_schedules_stand_in_the_update():
    f = al.closed_form("optax.sgd(inverse_sqrt(lr))")
    assert f.updates == -f.hyper["lr"] * f.g[f.t] / sqrt(f.t)
    late_part = al.closed_form("optax.sgd(linear(lr, end, 5))")
    assert late_part.updates == -late_part.hyper["end"] * late_part.g[late_part.t]
    assert "the update is that of steps t ≥ 6" in late_part.assumptions


def test_hand_made_recurrences():
    f = al.closed_form(moving_average)
    assert written_out(f, f.states["average"], 4, [1, 2, 3, 4]) == Rational(10, 4)
    assert not f.unsolved
    f = al.closed_form(forgetful)
    assert f.states["last"] == f.g[f.t]
    f = al.closed_form(delayed)
    assert not f.unsolved
    assert written_out(f, f.states["slow"], 3, [1, 2, 3]).subs(
        {f.hyper["b1"]: 0, f.hyper["b2"]: Rational(1, 2)}
    ) == Rational(17, 4)
    f = al.closed_form(late)
    u = al.unroll(late, steps=6)
    for t in range(3, 7):
        assert expand(written_out(f, f.states["s"], t, u.gradients) - u.states[t - 1]["s"]) == 0
    f = al.closed_form(coupled)
    u = al.unroll(coupled, steps=6)
    for t in range(1, 7):
        for field in ("fast", "slow"):
            assert sympy.cancel(expand(written_out(f, f.states[field], t, u.gradients) - u.states[t - 1][field])) == 0


@pytest.mark.parametrize("start", [0.0, 3.0])
def test_a_sum_that_is_fed_by_a_copy_of_the_gradient_knows_where_it_starts(start):
    f, u = al.closed_form(fed_by_a_copy(start)), al.unroll(fed_by_a_copy(start), steps=4)
    assert f.unsolved == (("sum",) if start else ())
    for t in range(1, 5):
        assert written_out(f, f.states["copy"], t, u.gradients) == u.states[t - 1]["copy"]
        if not start:
            ours = written_out(f, f.states["sum"], t, u.gradients).xreplace({f.g[0]: Integer(0)})
            assert expand(ours - u.states[t - 1]["sum"]) == 0


def test_what_has_no_memory_is_told_from_its_own_late_step_on():
    f, u = al.closed_form(forgetful_later), al.unroll(forgetful_later, steps=9)
    told = " ".join(f.assumptions)
    since = {name: int(t) for name, t in re.findall(r"(\w+) is so for t ≥ (\d+)", told)}
    assert since == {"copy": 6, "last": 7, "sum": 6}
    assert "the update is that of steps t ≥ 8" in told
    start = {f.recurrences["sum"].lhs.base[6]: u.states[5]["sum"]}
    for field, first in since.items():
        for t in range(first, 10):
            ours = written_out(f, f.states[field], t, u.gradients).xreplace(start)
            assert sympy.cancel(ours - u.states[t - 1][field]) == 0
    assert [written_out(f, f.updates, t, u.gradients) - u.updates[t - 1] for t in (8, 9)] == [0, 0]


@pytest.mark.parametrize(
    "matrix",
    [("b1", "1", "1", "b2"), ("1", "1/2", "2", "1"), ("2", "-1", "1", "0"), ("b1", "b2", "b2", "b1")],
    ids=["open", "singular", "a double rate", "rates without a root"],
)
def test_pairs_that_feed_each_other_are_the_steps_written_out(matrix):
    f, u = al.closed_form(pair_by(*matrix)), al.unroll(pair_by(*matrix), steps=4)
    numbers = {f.hyper["b1"]: Rational(1, 3), f.hyper["b2"]: Rational(2, 5)}
    gradients = dict(zip(u.gradients, (Integer(k) for k in (3, -1, 2, 5)), strict=True))
    assert f.unsolved == ()
    for t, state in enumerate(u.states, start=1):
        for field in ("fast", "slow"):
            ours = written_out(f, f.states[field], t, u.gradients)
            assert expand((ours - state[field]).xreplace(numbers | gradients)) == 0


def test_a_pair_that_rotates_has_no_form_in_roots_of_negative_numbers():
    assert al.closed_form(pair_by("b1", "-b2", "b2", "b1")).unsolved == ("fast", "slow")


def test_three_states_that_feed_each_other_take_seconds():
    began = time.process_time()
    f, u = al.closed_form(fed_by_a_pair), al.unroll(fed_by_a_pair, steps=3)
    assert time.process_time() - began < 10
    numbers = {f.hyper["b1"]: Rational(1, 3), f.hyper["b2"]: Rational(2, 5)}
    gradients = {f.g[k]: g for k, g in enumerate(u.gradients, start=1)}
    drawn = dict(zip(u.gradients, map(Integer, (1, -2, 4)), strict=True))
    difference = recurrences.written_out(f.states["last"], 3).xreplace(gradients) - u.states[2]["last"]
    assert expand(difference.xreplace(numbers | drawn)) == 0


def test_limits_go_through_sums_and_corrections():
    f = al.closed_form("optax.adam(lr, b1=0.0, eps=0.0)")
    (i,) = f.states["nu"].atoms(Sum).pop().variables
    limit = f.limit(b2=1)
    assert limit.updates == -f.hyper["lr"] * f.g[f.t] * sqrt(f.t) / sqrt(Sum(f.g[i] ** 2, (i, 1, f.t)))
    assert "b2" not in limit.hyper
    assert al.closed_form("optax.rmsprop(lr, eps=0.0)").limit(decay=0).updates == -f.hyper["lr"] * f.g[f.t] / Abs(
        f.g[f.t]
    )
    assert al.closed_form("optax.sgd(lr, momentum=mu)").limit(mu=1).states["trace"] == Sum(f.g[i], (i, 1, f.t))
    assert al.closed_form("optax.rmsprop(lr)").limit(eps="oo").updates == 0
    assert not al.closed_form("optax.rmsprop(lr, decay=d, eps=0.0)").limit(d=1).updates.is_finite


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: al.closed_form(optax.adam).limit(b3=1), "no open number 'b3'; did you mean"),
        (
            lambda: al.closed_form(optax.adam).limit(b2=0.5),
            "no limit for b2 → 0.5 that was found: limits go to 0, 1 or oo",
        ),
        (lambda: al.closed_form(optax.sm3), r"cannot be read on an array of shape \(\)"),
        (lambda: al.closed_form(optax.lbfgs, {"learning_rate": 1, "linesearch": None}), "keeps an array of shape"),
        (lambda: al.closed_form(optax.apply_every, {"k": 3}), "has no general step|is no count"),
    ],
)
def test_bad_input_is_told(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_a_parameter_that_is_decayed_stands_in_the_update():
    f = al.closed_form(optax.adamw)
    assert any(str(base) == "w" for base in (x.base for x in f.updates.atoms(sympy.Indexed)))
    assert isinstance(f.hyper["weight_decay"], Symbol)


@pytest.mark.parametrize(("factory", "first"), [(negative_at_first, 1), (fed_late, 3), (other_at_the_start, 2)])
def test_what_later_steps_say_is_not_believed_of_earlier_ones(factory, first):
    f, gradients = al.closed_form(factory), [1, -2, 3, 5, -1, 2]
    exact = al.exact(factory, [str(g) for g in gradients], {"learning_rate": "1"})
    for t in range(first, 7):
        e = written_out(f, f.updates, t, list(map(sympy.Integer, gradients))).xreplace({f.hyper["learning_rate"]: 1})
        assert float(e) == pytest.approx(float(exact.updates[t - 1]))
    assert first == 1 or f"the update is that of steps t ≥ {first}" in f.assumptions


def test_a_count_that_begins_anew_is_no_count():
    with pytest.raises(InputError, match="is no count"):
        al.closed_form(resetting)


def test_a_count_is_one_where_the_general_step_is_read_from_the_second_on():
    assert "the update is that of steps t ≥ 2" in al.closed_form(optax.optimistic_adam_v2).assumptions
