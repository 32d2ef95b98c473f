"""Relations are decided as they should be, by proofs, by running both sides, and against deliberately wrong ones."""

import json
from dataclasses import replace
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
import mpmath
import numpy as np
import optax
import pytest
from sympy import IndexedBase, Rational

import adamlab as al
from adamlab.errors import InputError
from adamlab.interpret.programs import Subject
from adamlab.relations import RELATIONS, UNDECIDED, Relation, decide, variants, verdict_rows
from adamlab.rules import RULES
from adamlab.symbolic.letters import T
from adamlab.symbolic.open_optimizer import rates_in
from tests.wrong_relations import NOT_PROVED, REFUTED

STEPS, COLUMNS = 12, 5

EXACT = [name for name, r in RELATIONS.items() if r.holds and not r.limit]
LIMITS = [
    name for name, relation in RELATIONS.items() if relation.holds and relation.limit and "t" not in relation.limit
]

OURS = [name for name, r in RELATIONS.items() if r.on("adamlab") != r]
"""Those that speak of something that adamlab has too."""

EDGES = {RELATIONS[name].general: name for name in reversed(OURS)}
"""Of these the first from each optimizer, and one from none."""

DECIDED = [
    *((name, "optax") for name in RELATIONS),
    *((name, "adamlab") for name in [*EDGES.values()][::2]),
    *(pytest.param(n, "adamlab", marks=pytest.mark.slow) for n in OURS if n not in [*EDGES.values()][::2]),
]
"""Fewer in the gate of adamlab, whose rules are proved to be Optax's."""

NEAR = {"b2": (1 - 1e-2, 1 - 1e-4), "eps": (1e4, 1e6), "p": (20.0, 200.0)}
"""Far from the limit, and near to it."""


@pytest.fixture(autouse=True)
def _unchecked():
    """Types are checked in the tests of the parts; here it would take most of the time, at millions of calls."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize(("name", "library"), DECIDED)
def test_relations_are_decided_as_they_should_be(name, library):
    relation = RELATIONS[name]
    verdict = decide(relation, library)
    assert verdict.status == ("proved" if relation.holds else "refuted"), verdict.explanation
    if relation.holds:
        assert verdict.horizon == relation.given.get("t"), "all steps, or those that are spoken of"
    else:
        assert verdict.counterexample is not None


def test_every_number_of_the_family_is_there():
    numbers = {int(relation.row.rstrip("abcde")) for relation in RELATIONS.values()}
    assert numbers == set(range(1, 27)) - {25}
    assert all("Reddi" in reason for reason in UNDECIDED.values())
    assert not set(UNDECIDED) & set(RELATIONS)


def test_most_relations_speak_of_adamlab_too():
    assert len(OURS) > 0.9 * len(RELATIONS)
    on = RELATIONS["adam-to-rmsprop"].on("adamlab")
    assert str(on.left).startswith("adamlab.adam(")
    assert str(on.right).startswith("adamlab.rmsprop(")
    assert RELATIONS["adam-to-rmsprop"].on("optax") == RELATIONS["adam-to-rmsprop"]


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize("wrong", REFUTED)
def test_wrong_relations_are_refuted(wrong):
    name, changes = REFUTED[wrong]
    verdict = decide(replace(RELATIONS[name], **changes))
    assert verdict.status == "refuted", verdict.explanation


@pytest.mark.parametrize("wrong", NOT_PROVED)
def test_wrong_limits_in_time_are_not_proved(wrong):
    name, changes = NOT_PROVED[wrong]
    assert decide(replace(RELATIONS[name], **changes)).status == "unknown"


# Adam and Adagrad


def test_adam_goes_to_adagrad_to_first_order():
    verdict = al.prove(
        "optax.adam(inverse_sqrt(learning_rate), b1=0.0, b2=b2, eps=0.0)",
        "optax.adagrad(learning_rate, initial_accumulator_value=0.0, eps=0.0)",
        limit={"b2": 1},
    )
    assert (verdict.status, verdict.horizon, verdict.order) == ("proved", None, 1)
    g: Any = IndexedBase("g", real=True)
    gradients = [Rational(x) for x in ("0.5", "-3", "2", "0.25", "-1", "7", "1")]
    assert verdict.relative is not None
    for t in range(1, len(gradients) + 1):
        values = {g[i]: gradients[i - 1] for i in range(1, t + 1)}
        coefficient = verdict.relative.subs(T, t).doit().subs(values)
        squares = [x**2 for x in gradients[:t]]
        expected = sum((i - Rational(t + 1, 2)) * x for i, x in enumerate(squares, start=1)) / sum(squares)
        assert coefficient == -expected / 2
        assert float(coefficient) == pytest.approx(_measured_coefficient(t, gradients), rel=1e-9, abs=1e-12)


def _measured_coefficient(t: int, gradients: list[Any]) -> float:
    """(u − u')/(u'·δ) at δ = 1e-15, of both run in exact arithmetic: off by some t²·δ."""
    numbers = {"learning_rate": "0.1", "eps": "0"}
    texts = [str(x) for x in gradients[:t]]
    adam = al.exact(
        "optax.adam(inverse_sqrt(lr), b1=0.0, b2=b2)", texts, {"lr": "0.1", "b2": f"0.{'9' * 15}", "eps": "0"}
    )
    adagrad = al.exact(optax.adagrad, texts, numbers | {"initial_accumulator_value": "0"})
    with mpmath.workdps(50):
        return float((adam.updates[-1] / adagrad.updates[-1] - 1) * mpmath.mpf(10) ** 15)


# By running both


def numbers_of(relation: Relation, rng: np.random.Generator) -> dict[str, float]:
    """Random numbers for all that a statement leaves open, and those that it gives."""
    subjects = [Subject.left_open(side) for side in (relation.left, relation.right)]
    rates = {name for subject in subjects for name in rates_in(subject)}
    names = dict.fromkeys(name for subject in subjects for name, value in subject.numbers.items() if value is None)
    drawn = {name: rng.uniform(0.3, 0.95) if name in rates else rng.uniform(0.1, 2.0) for name in names}
    return drawn | {name: float(value) for name, value in relation.given.items() if name in drawn}


def run(side: Any, numbers: dict[str, float], gradients: np.ndarray) -> np.ndarray:
    """The updates, by the optimizer itself in float64; the loss at each step is 1."""
    subject = Subject.left_open(side)
    filled = {name: numbers[name] if value is None else value for name, value in subject.numbers.items()}
    transform = optax.with_extra_args_support(replace(subject, numbers=filled).build())
    step = jax.jit(lambda g, state, w: transform.update(g, state, w, value=jnp.ones(())))
    w = jnp.ones(gradients.shape[1:])
    state, updates = transform.init(w), []
    for g in gradients:
        u, state = step(jnp.asarray(g), state, w)
        w = w + u
        updates.append(np.asarray(u))
    return np.stack(updates)


def gradients_of(relation: Relation, rng: np.random.Generator) -> np.ndarray:
    """Of either sign; where a running maximum is to rise, each is greater than all before it."""
    sizes = rng.uniform(0.5, 2.0, (STEPS, COLUMNS)) * rng.choice([-1, 1], (STEPS, COLUMNS))
    growing = "rising" in relation.given.values()
    return (sizes * 4.0 ** np.arange(STEPS)[:, None] if growing else sizes)[: relation.given.get("t")]


@pytest.mark.one_case_in(4)
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", EXACT)
def test_both_sides_take_the_same_steps(name, rng):
    # A step rounds some 16 times a side, each by 2⁻⁵³ of what a rate of at most 0.95 makes 1/(1 − 0.95) = 20 of: what
    # sums have lost stays in them for all steps. Accumulated gradients are rounded to float32, see below.
    relation = RELATIONS[name]
    numbers, gradients = numbers_of(relation, rng), gradients_of(relation, rng)
    left, right = (run(side, numbers, gradients) for side in (relation.left, relation.right))
    bound = 2 * 16 * 20 * STEPS * 2.0 ** (-24 if name == "accumulation" else -53)
    np.testing.assert_allclose(left, right, rtol=bound, atol=bound * np.abs(right).max())
    assert np.abs(right).max() > 0


@pytest.mark.usefixtures("x64")
def test_no_relation_is_of_a_program_with_itself(rng):
    """Where both sides compute the same, operation for operation, the statement says nothing."""

    def program(side: Any, numbers: dict[str, float]) -> str:
        subject = Subject.left_open(side)
        filled = {name: numbers[name] if value is None else value for name, value in subject.numbers.items()}
        transform = optax.with_extra_args_support(replace(subject, numbers=filled).build())
        w = jnp.ones(())
        step = jax.make_jaxpr(lambda g, state: transform.update(g, state, w, value=w))
        return str(step(w, transform.init(w)))

    trivial = []
    for name, relation in RELATIONS.items():
        numbers = numbers_of(relation, rng)
        if program(relation.left, numbers) == program(relation.right, numbers):
            trivial.append(name)
    assert trivial == ["adamw-to-adam"], "a weight decay of 0, which Optax leaves out"
    assert [name for name, relation in RELATIONS.items() if relation.left == relation.right] == []


@pytest.mark.one_case_in(2)
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", LIMITS)
def test_both_sides_come_together_on_the_way_to_the_limit(name, rng):
    # At first order in 1/p or δ the gap falls tenfold at the least; a half is left for higher orders.
    relation = RELATIONS[name]
    numbers, gradients = numbers_of(relation, rng), gradients_of(relation, rng)
    ((number, _),) = relation.limit.items()
    gaps = []
    for value in NEAR[number]:
        left, right = (run(side, numbers | {number: value}, gradients) for side in (relation.left, relation.right))
        gaps.append(np.abs(left - right).max() / np.abs(right).max())
    far, near = gaps
    assert 0 < near < far / 5
    assert near < 0.05


@pytest.mark.usefixtures("x64")
def test_the_two_variances_are_those_of_a_loop(rng):
    """A refuted relation holds of any two sides that differ."""
    b, gradients = 0.75, rng.normal(size=(STEPS, COLUMNS))
    m, squares, belief, expected = 0.0, 0.0, 0.0, []
    for g in gradients:
        m, squares = b * m + (1 - b) * g, b * squares + (1 - b) * g**2
        belief = b * belief + (1 - b) * (g - m) ** 2
        expected.append((squares - m**2, belief))
    sides = (variants.variance_of_rmsprop, variants.variance_of_adabelief)
    for side, variances in zip(sides, zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(run(side, {"b1": b}, gradients), variances, rtol=1e-10)


@pytest.mark.usefixtures("x64")
def test_radam_comes_to_adam_late(rng):
    # ρ_∞ − ρ_t is 2·t·β₂^t, 1e-4 at the end, of a ρ_∞ of 1999: the ratio is off by 1e-7 or less.
    gradients = jnp.asarray(rng.normal(size=20_000))

    def late(transform) -> Any:
        def step(state, g):
            u, state = transform.update(g, state)
            return state, u

        return jax.lax.scan(step, transform.init(jnp.zeros(())), gradients)[1]

    ratio = late(optax.radam(0.1, b2=0.999)) / late(optax.adam(0.1, b2=0.999))
    assert abs(ratio[-1] - 1) < 1e-7
    assert abs(ratio[1000] - 1) > 1e-3


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("k", [2, 3, 5])
def test_accumulation_is_rounded_to_float32_unless_told_otherwise(k, rng):
    gradients = rng.normal(size=(STEPS * k, COLUMNS))
    means = gradients.reshape(STEPS, k, COLUMNS).mean(axis=1)
    plain = run(lambda: optax.adam(0.1), {}, means)
    for dtype, least, most in ((jnp.float32, 1e-10, 1e-6), (jnp.float64, 0, 1e-14)):
        steps = run(lambda dtype=dtype: optax.MultiSteps(optax.adam(0.1), k, accumulator_dtype=dtype), {}, gradients)
        assert not steps[np.arange(STEPS * k) % k != k - 1].any()
        assert least <= np.abs(steps[k - 1 :: k] - plain).max() < most


# As data


def test_rows_are_plain_data():
    (row,) = verdict_rows(["uncorrected-adam-to-adagrad"])
    assert json.loads(json.dumps(row)) == row
    assert (row["status"], row["expected"], row["as_expected"]) == ("refuted", "refuted", True)
    assert (row["row"], row["general"], row["special"], row["limit"]) == ("2c", "RMSProp", "Adagrad", {"b2": "1"})


def test_rows_are_decided_on_the_code_of_the_library_that_is_named(monkeypatch):
    @wraps(al.adam)
    def doubled(learning_rate, **hyper):
        return al.adam(2 * learning_rate, **hyper)

    monkeypatch.setitem(RULES, "adam", doubled)
    statuses = [verdict_rows(["adam-to-rmsprop"], library)[0]["status"] for library in ("optax", "adamlab")]
    assert statuses == ["proved", "refuted"]
    with pytest.raises(InputError, match="no library 'flax' to decide on"):
        verdict_rows(["adam-to-rmsprop"], "flax")


def test_an_unknown_name_is_told():
    with pytest.raises(InputError, match=r'no relation "adam-to-rmspop"; did you mean "adam-to-rmsprop"\?'):
        verdict_rows(["adam-to-rmspop"])


def test_edges_have_both_ends_and_a_condition():
    for relation in RELATIONS.values():
        assert bool(relation.general) == bool(relation.special) == bool(relation.condition), relation.name
