"""Derivatives through several steps against differences of the papers' formulas in 50 digits, and finite at 0."""

import inspect
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mpf

import adamlab as al
from tests import oracle
from tests.harness import updates_of_all
from tests.rules.test_formulas import CASES

pytestmark = pytest.mark.optimized(False)

GRADIENTS = (0.5, -1.25, 0.75, 0.25, -0.625)
WITH_ZEROS = (0.0, 0.0, 0.5, 0.0, -1.25)
ZEROS = (0.0,) * 5
START = 0.75
SHARES = (1.0, -0.5, 2.0, 0.75, 1.25)
"""What each update counts in the result that is differentiated."""

GAP = mpf(10) ** -15
RTOL = 1e-3
NEXT_TO_1 = 1 - 2.0**-23
"""The float32 nearest to 0.9999999."""

DECAYS: tuple[str, ...] = ("b1", "b2", "rho", "decay", "momentum")

ours = pytest.mark.parametrize("arithmetic", ["accurate", "weighted"])


def single(numbers: Any) -> Any:
    return np.asarray(numbers, np.float32)


def numbers_of(case: int, at: dict[str, float]) -> dict[str, float]:
    """The numbers of a case, its decays among them where they are left at their defaults, moved to a place."""
    name, hyper = CASES[case]
    known = inspect.signature(getattr(al, name)).parameters
    defaults = {decay: known[decay].default for decay in DECAYS if decay in known}
    numbers = {key: value for key, value in (defaults | hyper).items() if type(value) is float}
    return {key: at.get(key, value) for key, value in numbers.items()}


def others_of(case: int) -> dict[str, Any]:
    return {key: value for key, value in CASES[case][1].items() if type(value) is not float}


def result(make: Callable[..., Any], numbers: Any, gradients: Any, start: Any) -> Any:
    """A sum of all updates, each with its share, where the parameter follows them."""
    transform = make(**numbers)

    def step(carry, inputs):
        (w, state), (g, share) = carry, inputs
        u, state = transform.update(g, state, w)
        return (w + u, state), share * u

    shares = jnp.asarray(SHARES, gradients.dtype)
    return jax.lax.scan(step, (start, transform.init(start)), (gradients, shares))[1].sum()


def exact_result(formula: Callable[..., Any], numbers: Any, gradients: Any, start: Any) -> Any:
    """The same in 50 digits, by the paper's formula."""
    takes_weights = "weights" in inspect.signature(formula).parameters
    weights, total = [start], mpf(0)
    for t, share in enumerate(SHARES, start=1):
        u = formula(gradients[:t], **({"weights": weights} if takes_weights else {}), **numbers)[-1]
        weights, total = [*weights, weights[-1] + u], total + share * u
    return total


def differences(function: Callable[..., Any], *point: Any) -> Any:
    """The central differences of a function of trees of numbers."""
    leaves, tree = jax.tree.flatten(jax.tree.map(mpf, point))

    def moved(i: int, by: Any) -> Any:
        return function(*jax.tree.unflatten(tree, [x + by if i == j else x for j, x in enumerate(leaves)]))

    return jax.tree.unflatten(tree, [(moved(i, GAP) - moved(i, -GAP)) / (2 * GAP) for i in range(len(leaves))])


def exact_slopes(case: int, numbers: dict[str, float], gradients: tuple[float, ...]) -> Any:
    formula = partial(getattr(oracle, CASES[case][0]), **others_of(case))
    return jax.tree.map(float, differences(partial(exact_result, formula), numbers, gradients, START))


@cache
def program(cases: tuple[int, ...], arithmetic: str) -> Callable[..., Any]:
    """The derivatives of cases by their numbers, the gradients and the start, compiled together."""

    def slopes(points: dict[int, dict[str, float]], gradients: Any, start: Any) -> dict[int, Any]:
        makes = {case: partial(getattr(al, CASES[case][0]), **others_of(case), arithmetic=arithmetic) for case in cases}
        return {
            case: jax.grad(partial(result, make), argnums=(0, 1, 2))(points[case], gradients, start)
            for case, make in makes.items()
        }

    return jax.jit(slopes)


def assert_close(slopes: Any, exact: Any, label: Any):
    """Each derivative by a number is right in proportion, those by gradients in proportion to the largest."""
    (numbers, by_gradients, by_start), (exact_numbers, exact_gradients, exact_start) = slopes, exact
    for name, slope in exact_numbers.items():
        np.testing.assert_allclose(numbers[name], slope, rtol=RTOL, err_msg=f"{label} {name}")
    largest = np.abs(exact_gradients).max()
    np.testing.assert_allclose(by_gradients, exact_gradients, atol=RTOL * largest, rtol=0, err_msg=f"{label} g")
    np.testing.assert_allclose(by_start, exact_start, rtol=RTOL, err_msg=f"{label} w")


def assert_are_the_papers(cases: tuple[int, ...], arithmetic: str, at: dict[str, float], gradients: tuple[float, ...]):
    points = {case: numbers_of(case, at) for case in cases}
    slopes = program(cases, arithmetic)(points, single(gradients), single(START))
    for case in cases:
        assert_close(slopes[case], exact_slopes(case, points[case], gradients), (CASES[case], at, gradients))


IN_GATE = (3, 5, 10, 11, 14, 24, 26, 32)
"""A case for each piece that rules are made of; the slow leg has the others."""
THE_REST = tuple(case for case in range(len(CASES)) if case not in IN_GATE)
each_part = pytest.mark.parametrize("cases", [IN_GATE, pytest.param(THE_REST, marks=pytest.mark.slow)], ids=str)


@pytest.mark.one_case_in(2)
@ours
@each_part
@pytest.mark.parametrize(
    "decays",
    [
        ({}, dict.fromkeys(DECAYS, NEXT_TO_1)),
        pytest.param((dict.fromkeys(DECAYS, 0.3),), marks=pytest.mark.slow),
    ],
    ids=["theirs, next to 1", "0.3"],
)
def test_derivatives_are_those_of_the_paper(cases, arithmetic, decays):
    for at in decays:
        assert_are_the_papers(cases, arithmetic, at, GRADIENTS)


def test_the_cases_of_the_gate_have_every_rule_on_one_array():
    named = {CASES[case][0] for case in IN_GATE}
    assert {"sgd", "adagrad", "rmsprop", "adadelta", "adamw", "adamax", "amsgrad"} == named


def has_kink(case: int) -> bool:
    """Whether the update of a gradient of 0 is its sign."""
    return CASES[case][1].get("initial_accumulator_value") == CASES[case][1].get("eps") == 0


@pytest.mark.parametrize(
    ("cases", "arithmetic"),
    [
        (IN_GATE, "accurate"),
        (IN_GATE[::2], "weighted"),
        pytest.param(IN_GATE[1::2], "weighted", marks=pytest.mark.slow),
        *(pytest.param(THE_REST, arithmetic, marks=pytest.mark.slow) for arithmetic in ("accurate", "weighted")),
    ],
    ids=str,
)
def test_derivatives_at_gradients_of_0_are_those_of_the_paper(cases, arithmetic):
    slopes = program(cases, arithmetic)({c: numbers_of(c, {}) for c in cases}, single(ZEROS), single(START))
    chex.assert_tree_all_finite(slopes)
    for case in cases:
        numbers, _, _ = slopes[case]
        decayed = "weight_decay" in CASES[case][1] or CASES[case][0].endswith("w")
        assert decayed or not any(numbers.values()), CASES[case]
    for gradients in (ZEROS, WITH_ZEROS):
        smooth = tuple(case for case in cases if not has_kink(case))
        points = {case: numbers_of(case, {}) for case in cases}
        slopes = program(cases, arithmetic)(points, single(gradients), single(START))
        for case in smooth:
            assert_close(slopes[case], exact_slopes(case, points[case], gradients), (CASES[case], gradients))


@ours
def test_updates_stay_the_same_where_they_are_differentiated(arithmetic):
    """Also those whose squares overflow or vanish, of which the derivatives' own form makes ∞ − ∞ or 0 / 0."""
    gs = single([[1e30, 1e-30, 0.0, np.inf, 0.5], [1.0, 0.0, 0.0, 1.0, -2.0]])
    names = ("sgd", "adagrad", "adam")
    transforms = [getattr(al, name)(0.1, arithmetic=arithmetic) for name in names]

    def updates(gs):
        return updates_of_all(transforms, gs, gs[0])

    plain, differentiated = jax.jit(lambda gs: (updates(gs), jax.jvp(updates, (gs,), (gs,))[0]))(gs)
    for name, expected, ours in zip(names, plain, differentiated, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, err_msg=name)


PLAIN = single(GRADIENTS), single(START)


def nadam(arithmetic: str, **hyper: Any) -> Callable[..., Any]:
    """The result of NAdam, which takes every path of the averages, by its decays."""
    make = partial(al.nadam, 0.1, arithmetic=arithmetic, **hyper)
    return lambda numbers, gradients=PLAIN[0]: result(make, numbers, gradients, PLAIN[1])


def exact_nadam(numbers: Any) -> Any:
    return exact_result(partial(oracle.nadam, learning_rate=0.1), numbers, tuple(map(mpf, GRADIENTS)), mpf(START))


@pytest.mark.parametrize("by_loop", [False, True])
def test_weighted_derivatives_at_a_decay_of_1_are_the_limit(by_loop):
    """The difference of the formulas goes across 1, where they have no hole."""
    at_1 = {"b1": single(0.9), "b2": single(1.0)}
    (exact,) = differences(exact_nadam, {"b1": mpf("0.9"), "b2": 1 - mpf(10) ** -22})

    def loop(numbers):
        transform, w = al.nadam(0.1, **numbers, arithmetic="weighted"), PLAIN[1]
        state, total = transform.init(w), 0.0
        for g, share in zip(*PLAIN[:1], SHARES, strict=True):
            u, state = transform.update(g, state, w)
            w, total = w + u, total + share * u
        return total

    slopes = jax.grad(loop if by_loop else nadam("weighted"))(at_1)
    for name in ("b1", "b2"):
        np.testing.assert_allclose(slopes[name], float(exact[name]), rtol=RTOL, err_msg=name)


@pytest.mark.slow
@ours
def test_forward_and_reverse_mode_agree_on_the_paper_side_by_side(arithmetic):
    columns = {"b1": single([0.9, NEXT_TO_1, 0.2, 0.99]), "b2": single([NEXT_TO_1, 0.999, 0.9999, 0.3])}
    function = nadam(arithmetic)
    forward, reverse = (jax.jit(jax.vmap(of(function)))(columns) for of in (jax.jacfwd, jax.jacrev))
    for i in range(4):
        (exact,) = differences(exact_nadam, {name: float(column[i]) for name, column in columns.items()})
        for name in columns:
            for slopes in (forward, reverse):
                np.testing.assert_allclose(slopes[name][i], float(exact[name]), rtol=RTOL, err_msg=f"{name} {i}")


@ours
def test_derivatives_by_a_complement(arithmetic):
    def by_complement(c):
        return nadam(arithmetic)({"b2": al.Decay(complement=c)})

    (exact,) = differences(lambda c: exact_nadam({"b2": 1 - c}), 1e-9)
    np.testing.assert_allclose(jax.jit(jax.grad(by_complement))(single(1e-9)), float(exact), rtol=RTOL)


@pytest.mark.slow
@ours
def test_second_derivatives(arithmetic):
    function = nadam(arithmetic)
    hessian = jax.jit(jax.hessian(function, argnums=(0, 1)))
    numbers = {"b1": 0.75, "b2": NEXT_TO_1}
    for gradients in (ZEROS, WITH_ZEROS):
        chex.assert_tree_all_finite(hessian(numbers, single(gradients)))
    curvature = jax.jit(jax.hessian(function))(numbers)

    def by(name: str) -> Callable[..., Any]:
        return lambda numbers: differences(exact_nadam, numbers)[0][name]

    for name in numbers:
        (exact,) = differences(by(name), numbers)
        for other in numbers:
            np.testing.assert_allclose(
                curvature[name][other], float(exact[other]), rtol=1e-2, err_msg=f"{name} {other}"
            )


@pytest.mark.parametrize("b2", [0.5, 0.999, NEXT_TO_1])
def test_derivatives_of_the_state(b2):
    """The accurate state's own, as long as the correction is not that of a fresh state; and then that of v̂."""

    def last(b2):
        transform = al.scale_by_adam(b2=b2)
        state: Any = transform.init(PLAIN[1])
        for g in PLAIN[0]:
            _, state = transform.update(g, state)
        return state.nu

    def exact(b2, scale=None):
        v = sum((1 - b2) * b2 ** (len(GRADIENTS) - t) * mpf(g) ** 2 for t, g in enumerate(GRADIENTS, start=1))
        return v if scale is None else v / (1 - b2 ** len(GRADIENTS)) * scale

    scale = 1 - mpf(b2) ** len(GRADIENTS) if b2 == NEXT_TO_1 else None
    (expected,) = differences(partial(exact, scale=scale), b2)
    np.testing.assert_allclose(jax.jit(jax.grad(last))(single(b2)), float(expected), rtol=RTOL)


def test_derivatives_by_what_moving_decays_are_made_of():
    """b₂ rises as 1 − θ/t: at each step its correction is that of another decay."""

    def moving(theta):
        state, total = al.adam(0.1).init(PLAIN[1]), 0.0
        for t, (g, share) in enumerate(zip(PLAIN[0], SHARES, strict=True), start=1):
            u, state = al.adam(0.1, b2=1 - theta / t).update(g, state)
            total = total + share * u
        return total

    def exact(theta):
        m, v, total = mpf(0), mpf(0), mpf(0)
        for t, (g, share) in enumerate(zip(map(mpf, GRADIENTS), SHARES, strict=True), start=1):
            b1, b2 = mpf("0.9"), 1 - theta / t
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
            total -= share * m / (1 - b1**t) / ((v / (1 - b2**t)) ** mpf("0.5") + mpf(10) ** -8) / 10
        return total

    (expected,) = differences(exact, 0.25)
    np.testing.assert_allclose(jax.jit(jax.grad(moving))(single(0.25)), float(expected), rtol=RTOL)
