"""The words of `al.compare`: the cause that a pair was made with, whatever its sides are."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab.interpret.programs import Subject
from adamlab.parity.constants import constants, revisable
from adamlab.parity.readings import Readings

pytestmark = pytest.mark.optimized(False)

FEW: dict[str, Any] = {"steps": 6, "families": ["normal", "scales"], "context": "scan"}


def words(left: Any, right: Any, **how: Any) -> str:
    return al.compare(left, right, **FEW | how).verdict


def hidden(factory: Callable[..., Any], **numbers: Any) -> Callable[[], Any]:
    """A function without arguments that builds the optimizer."""
    return lambda: factory(**numbers)


NUMBERS = {
    "optax.adam": ({"learning_rate": 0.1, "b1": 0.9, "b2": 0.999, "eps": 1e-8}, {"b1": 0.85, "eps": 1e-6}),
    "optax.adamw": ({"learning_rate": 0.001, "weight_decay": 0.01}, {"weight_decay": 0.0001}),
    "optax.adagrad": ({"learning_rate": 0.1, "initial_accumulator_value": 0.1}, {"initial_accumulator_value": 0.7}),
    "optax.rmsprop": ({"learning_rate": 0.01, "decay": 0.9, "momentum": 0.8}, {"decay": 0.97, "momentum": 0.7}),
    "adamlab.adam": ({"learning_rate": 0.001, "b2": 0.999}, {"b2": 0.95, "learning_rate": 0.03}),
}
CHANGED = [(name, number) for name, (_, others) in NUMBERS.items() for number in others]


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize(("name", "number"), CHANGED)
def test_a_hidden_number_is_named_by_the_other_side(name, number):
    numbers, others = NUMBERS[name]
    library, factory = name.split(".")
    left = hidden(getattr({"optax": optax, "adamlab": al}[library], factory), **numbers)
    right = f"{name}({', '.join(f'{key}={value}' for key, value in {**numbers, number: others[number]}.items())})"
    told = f"the same with equal numbers, {number} is {numbers[number]} on the left, {others[number]} on the right"
    assert words(left, right) == f"different formulas: {told}"


def moment(learning_rate, rate, weight):
    """Steps along a state that keeps `rate` of itself, and takes `weight` of each gradient."""

    def init(params):
        return jax.tree.map(jnp.zeros_like, params)

    def update(updates, state, params=None):
        m = jax.tree.map(lambda m, g: rate * m + weight * g, state, updates)
        return jax.tree.map(lambda m: -learning_rate * m, m), m

    return optax.GradientTransformation(init, update)


def eps_ahead(learning_rate, decay=0.0):
    """Adam with ε ahead of the bias correction, and weight decay."""

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return jnp.zeros([], jnp.int32), zeros, zeros

    def update(updates, state, params=None):
        count, m, v = state
        count = count + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, updates)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, updates)
        rate = learning_rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        step = jax.tree.map(lambda m, v, w: -rate * m / (jnp.sqrt(v) + 1e-8) - learning_rate * decay * w, m, v, params)
        return step, (count, m, v)

    return optax.GradientTransformation(init, update)


def centered(learning_rate, by_distance):
    """Steps over the root of a running variance, which is a mean of squares less a square or a mean of distances."""

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return zeros, zeros

    def update(updates, state, params=None):
        m, v = state
        if by_distance:
            v = jax.tree.map(lambda m, v, g: 0.5 * (v + 0.5 * (g - m) ** 2), m, v, updates)
        else:
            v = jax.tree.map(lambda v, g: 0.5 * v + 0.5 * g * g, v, updates)
        m = jax.tree.map(lambda m, g: 0.5 * m + 0.5 * g, m, updates)
        variance = v if by_distance else jax.tree.map(lambda m, v: v - m * m, m, v)
        return jax.tree.map(lambda g, x: -learning_rate * g / (jnp.sqrt(x) + 1e-30), updates, variance), (m, v)

    return optax.GradientTransformation(init, update)


def mapped(function):
    """A factory of the optimizer whose update is a function of each gradient."""
    return lambda: optax.stateless(lambda g, _: jax.tree.map(function, g))


def injected(momentum):
    return optax.inject_hyperparams(optax.sgd)(optax.exponential_decay(0.1, 10, 0.5), momentum=momentum)


def clipped(learning_rate, bound):
    return optax.chain(optax.clip(bound), optax.sgd(learning_rate))


def stepped(boundary):
    return optax.sgd(optax.piecewise_constant_schedule(0.1, {boundary: 0.5}))


CASES = {
    "recipe, spec": (
        hidden(al.like_torch, name="Adam"),
        "optax.adam(0.001, eps=1e-7)",
        "the same with equal numbers, eps is 1e-08 on the left, 1e-07 on the right",
    ),
    "recipe, spec: the decay": (
        hidden(al.like_torch, name="AdamW"),
        "optax.adamw(0.001)",
        "the same with equal numbers, weight_decay is 0.01 on the left, 0.0001 on the right",
    ),
    "spec, recipe": (
        "optax.adamw(0.001)",
        hidden(al.like_torch, name="AdamW"),
        "the same with equal numbers, weight_decay is 0.0001 on the left, 0.01 on the right",
    ),
    "three things": (
        hidden(al.like_torch, name="RMSprop", lr=0.02),
        "optax.rmsprop(0.01)",
        "ε outside the root on the left, inside the root on the right; besides, "
        "learning_rate is 0.02 on the left, 0.01 on the right, decay is 0.99 on the left, 0.9 on the right",
    ),
    "function, spec": (
        hidden(optax.rmsprop, learning_rate=1e-3, decay=0.99, eps_in_sqrt=False),
        "optax.rmsprop(0.001, decay=0.99)",
        "ε outside the root on the left, inside the root on the right",
    ),
    "functions": (
        hidden(optax.rmsprop, learning_rate=1e-3),
        hidden(optax.rmsprop, learning_rate=1e-3, eps_in_sqrt=False),
        "ε inside the root on the left, outside the root on the right",
    ),
    "functions, ε": (
        hidden(optax.adam, learning_rate=0.1, eps=1e-6),
        hidden(optax.adam, learning_rate=0.1),
        "the same with equal numbers, ε is 1e-06 on the left, 1e-08 on the right",
    ),
    "functions, a rate": (
        hidden(optax.adam, learning_rate=0.1),
        hidden(optax.adam, learning_rate=0.1, b2=0.95),
        "the same with equal numbers, 0.999 in the left's code is 0.95 in the right's",
    ),
    "functions, a number that stands there with a minus": (
        hidden(optax.sgd, learning_rate=0.1),
        hidden(optax.sgd, learning_rate=0.2),
        "the same with equal numbers, 0.1 in the left's code is 0.2 in the right's",
    ),
    "functions, equal but for their sign": (
        hidden(optax.lion, learning_rate=0.001, weight_decay=0.001),
        hidden(optax.lion, learning_rate=0.001, weight_decay=0.007),
        "the same with equal numbers, 0.001 in the left's code is 0.007 in the right's",
    ),
    "ε and the correction": (
        hidden(eps_ahead, learning_rate=0.1),
        "optax.adam(0.1)",
        "ε ahead of the bias correction on the left, after it on the right",
    ),
    "ε and the correction, mirrored, beside weight decay": (
        "optax.adamw(0.1, weight_decay=0.01)",
        hidden(eps_ahead, learning_rate=0.1, decay=0.01),
        "ε after the bias correction on the left, ahead of it on the right",
    ),
    "average, sum": (
        hidden(moment, learning_rate=0.1, rate=0.9, weight=1 - 0.9),
        "optax.sgd(0.1, momentum=0.9)",
        "the left averages with 0.9 and 0.1, the right adds up with 0.9 and 1",
    ),
    "sum, average": (
        hidden(moment, learning_rate=0.1, rate=1.0, weight=1.0),
        hidden(moment, learning_rate=0.1, rate=0.9, weight=1 - 0.9),
        "the right averages with 0.9 and 0.1, the left adds up with 1 and 1",
    ),
    "schedules": (
        hidden(injected, momentum=0.9),
        "optax.sgd(exponential(0.1, 0.5, 10), momentum=0.8)",
        "the same with equal numbers, momentum is 0.9 on the left, 0.8 on the right",
    ),
    "a wrapper": (
        lambda: optax.MultiSteps(optax.sgd(0.1, momentum=0.9), 2).gradient_transformation(),
        lambda: optax.MultiSteps(optax.sgd(0.1, momentum=0.8), 2).gradient_transformation(),
        "the same with equal numbers, 0.9 in the left's code is 0.8 in the right's",
    ),
    "a wrapper, none": (
        lambda: optax.MultiSteps(optax.sgd(0.1), 2).gradient_transformation(),
        "optax.sgd(0.1)",
        "the left is 0 at step 1, and the other side is not",
    ),
    "a bound": (
        hidden(clipped, learning_rate=0.1, bound=0.5),
        "optax.sgd(0.1)",
        "0.5 stands in the left's code; they agree where it is infinite",
    ),
    "a cause and another elsewhere": (
        hidden(clipped, learning_rate=0.1, bound=5.0),
        "optax.sgd(0.2)",
        "the same with equal numbers, learning_rate is 0.1 on the left, 0.2 on the right; "
        "on other gradients something else parts them",
    ),
    "L2 and decay": (
        hidden(al.like_torch, name="Adam", weight_decay=0.01),
        "optax.adamw(0.001, weight_decay=0.01)",
        "0.01 stands elsewhere; they agree where it is 0 on both sides",
    ),
    "NaN on the right": (
        "optax.sgd(0.1)",
        mapped(lambda g: -0.1 * g * (g / g)),
        "the right is not a number at step 5, and the other side is",
    ),
    "a factor near 1": (
        mapped(lambda g: -g),
        mapped(lambda g: -g * (1 - 2.0**-40)),
        "the left is 1 + 9.09e-13 times the right",
    ),
}


@pytest.mark.one_case_in(6)
@pytest.mark.parametrize(("left", "right", "cause"), CASES.values(), ids=CASES.keys())
def test_the_cause_is_named(left, right, cause):
    assert words(left, right).removeprefix("bit-identical here, but ") == f"different formulas: {cause}"


def test_a_late_cause_is_named_where_it_shows():
    told = words(hidden(stepped, boundary=10), hidden(stepped, boundary=12), steps=13, families=["normal"])
    late = "they agree on ordinary gradients, and part in normal at step 11"
    assert (
        told == f"different formulas: {late}: the same with equal numbers, 10 in the left's code is 12 in the right's"
    )


def test_two_sides_part_where_any_family_does_first():
    steps = {"early": 2, "late": 5, "never": None}
    for names in permutations(steps):
        left = {name: np.ones((6, 2)) for name in names}
        right = {name: ones.copy() for name, ones in left.items()}
        for name in names:
            if step := steps[name]:
                right[name][step - 1 :, 1] = 2
        subject = Subject.of("optax.sgd(0.1)")
        assert Readings((subject, subject), left, "tree", 50, [left, right]).parting == ("early", 2)


def test_constants_are_decimals_and_whole_ones_stay_whole():
    def optimizer():
        def update(g: Any, s: Any, w: Any = None):
            single = (g.astype(jnp.float32) * jnp.float32(0.1)).astype(g.dtype)
            return jnp.where(jnp.arange(5) < 3, single, 0.7 * g), s

        factory: Any = optax.GradientTransformation
        return factory(lambda w: jnp.full_like(w, 0.25), update)

    subject, g = revisable(Subject.of(optimizer)), np.ones(5)
    numbers = {3, 0.1, 0.7, 0.25}
    assert numbers <= {*constants(subject, g)}
    for old, new, taken in [(3, 1.5, 3), (3, 2.0, 2), *((old, 1.5, 1.5) for old in numbers - {3})]:
        known = {*constants(replace(subject, constants={old: new}), g)}
        assert known & {*numbers, new, taken} == numbers - {old} | {taken}


def test_a_number_without_effect_is_no_cause():
    def ours(learning_rate=0.1, unused=1.0):
        return optax.sgd(learning_rate * (1 + 0 * unused))

    def theirs(learning_rate=0.2, unused=2.0):
        return ours(learning_rate, unused)

    told = "the same with equal numbers, learning_rate is 0.1 on the left, 0.2 on the right"
    assert words(ours, theirs) == f"different formulas: {told}"


def test_two_spellings_that_nearly_cancel_are_the_same_formula():
    spellings = (hidden(centered, learning_rate=0.1, by_distance=by) for by in (True, False))
    c = al.compare(*spellings, steps=80, families=["constant"], context="scan")
    assert c.kind == "same formula"
    assert c.table.exact_gap[0] < 1e-30


def test_what_loses_all_the_digits_that_were_asked_for_is_read_in_more():
    def cancelling(learning_rate):
        small = 1e-25
        return mapped(lambda g: -learning_rate * ((1 + small * g) - 1) / small)()

    few = {"hyper": {"learning_rate": 0.5}, "digits": 20, "steps": 3, "families": ["normal"]}
    c = al.compare(cancelling, optax.sgd, **few, context="eager")  # XLA would leave out 1 - 1
    assert c.kind == "same formula"
    assert c.table.exact_gap[0] < 1e-30


def test_what_is_nowhere_a_number_is_the_same_as_itself():
    for function in (lambda g: g * jnp.nan, lambda g: g * 0, lambda g: g * jnp.inf):
        assert words(mapped(function), mapped(function)) == "bit-identical"


def test_infinitely_far_apart_is_never_the_same_formula():
    def counting(dtype):
        def init(params):
            return jnp.zeros([], dtype)

        def update(updates, state, params=None):
            count = state + jnp.ones([], dtype)
            return jax.tree.map(lambda g: -g / count.astype(g.dtype), updates), count

        return optax.GradientTransformation(init, update)

    c = al.compare(*(hidden(counting, dtype=t) for t in (jnp.uint8, jnp.int32)), **FEW | {"steps": 257})
    assert c.table.apart_max[0] == float("inf")
    assert c.kind != "same formula"
    assert "same formula" not in c.verdict
