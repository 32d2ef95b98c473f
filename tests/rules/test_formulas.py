"""Every optimizer against its paper in 50 digits: every option and arithmetic, on gradients that break symmetries."""

import inspect
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import jax
import numpy as np
import pytest
from mpmath import mpf

import adamlab as al
from adamlab.arithmetic import ARITHMETICS
from adamlab.lifting import Transform, lift
from adamlab.rules import RULES
from adamlab.rules.adagrad import rss_rule
from tests import oracle
from tests.gradients import families
from tests.harness import updates_of_all

STEPS = 60
GRADIENTS = families(np.random.default_rng(20150507), STEPS)
COLUMNS = np.stack(list(GRADIENTS.values()), axis=1)
WEIGHTS = np.geomspace(1e-3, 10.0, len(GRADIENTS)) * np.resize([1.0, -1.0], len(GRADIENTS))  # a family's own

each_arithmetic = pytest.mark.parametrize("arithmetic", ARITHMETICS)


def falling(count):
    """A schedule that the oracle can follow in its own numbers: 1/8 is the same in binary and in decimal."""
    return 0.125 / (count + 1.0) ** 0.5


CASES = [
    ("sgd", {"learning_rate": 0.1}),
    ("sgd", {"learning_rate": 0.1, "momentum": 0.9}),
    ("sgd", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("sgd", {"learning_rate": falling, "momentum": 0.9, "nesterov": True}),
    ("adagrad", {"learning_rate": 0.1}),
    ("adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.0, "eps": 0.0}),
    ("rmsprop", {"learning_rate": 0.1}),
    ("rmsprop", {"learning_rate": 0.1, "decay": 0.99, "eps": 1e-3, "eps_in_sqrt": False}),
    ("rmsprop", {"learning_rate": 0.1, "initial_scale": 1.0, "momentum": 0.9}),
    ("rmsprop", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "bias_correction": True}),
    ("rmsprop", {"learning_rate": 0.1, "eps": 1e-3, "eps_in_sqrt": False, "bias_correction": True}),
    # At the first step this variance is 0, that is rounding: 1e-16 of the largest g², against which ε is large.
    ("rmsprop", {"learning_rate": 0.1, "centered": True, "bias_correction": True, "eps": 1e18}),
    ("rmsprop", {"learning_rate": falling, "momentum": 0.9}),
    ("adadelta", {}),
    ("adadelta", {"learning_rate": 0.5, "rho": 0.95, "eps": 1e-3, "weight_decay": 0.1}),
    ("adam", {"learning_rate": 0.1}),
    ("adam", {"learning_rate": 0.1, "b1": 0.8, "b2": 0.95, "eps": 1e-3}),
    ("adam", {"learning_rate": 0.1, "b1": 0.0, "eps_root": 1e-4}),
    ("adam", {"learning_rate": 0.1, "nesterov": True}),
    ("adam", {"learning_rate": 0.1, "bias_correction": False}),
    ("adam", {"learning_rate": 0.1, "b1": 0.8, "nesterov": True, "bias_correction": False}),
    ("adam", {"learning_rate": falling}),
    ("adamw", {"learning_rate": 0.1}),
    ("adamw", {"learning_rate": 0.1, "weight_decay": falling}),
    ("adamw", {"learning_rate": 0.1, "weight_decay": 0.3, "b1": 0.7, "nesterov": True}),
    ("adamax", {"learning_rate": 0.1}),
    ("adamax", {"learning_rate": 0.1, "b1": 0.8, "b2": 0.9, "eps": 1e-3}),
    ("adamaxw", {"learning_rate": 0.1, "weight_decay": 0.3}),
    ("nadam", {"learning_rate": 0.1, "b1": 0.8, "b2": 0.95, "eps": 1e-3}),
    ("nadamw", {"learning_rate": 0.1, "weight_decay": 0.3}),
    ("amsgrad", {"learning_rate": 0.1, "b2": 0.9}),
    ("amsgrad", {"learning_rate": 0.1, "b1": 0.8, "b2": 0.6, "eps": 1e-3, "bias_correction_nu": False}),
    ("amsgrad", {"learning_rate": 0.1, "b2": 0.8, "eps_root": 1e-4, "bias_correction_mu": False}),
]


def run(transforms: Sequence[Transform], gradients: np.ndarray, weights: np.ndarray | None = None) -> list[np.ndarray]:
    """The updates (steps, columns) of each transformation, all of them compiled as one program.

    Args:
        transforms: the transformations.
        gradients: (steps, columns).
        weights: (columns,), held where they are.
    """
    updates = jax.jit(lambda gs, w: updates_of_all(transforms, gs, w))(gradients, weights)
    return [np.asarray(u) for u in updates]


@cache
def exact(name: str, **hyper: Any) -> tuple[np.ndarray, np.ndarray]:
    """The updates (steps, families) of the oracle of that name: the nearest floats, and what is left of the numbers."""
    formula = getattr(oracle, name)
    takes_weights = "weights" in inspect.signature(formula).parameters
    columns = []
    for gs, w in zip(GRADIENTS.values(), WEIGHTS, strict=True):
        columns.append(formula(gs, **({"weights": [mpf(w)] * STEPS} if takes_weights else {}), **hyper))
    numbers = np.array(columns, dtype=object).T
    nearest = numbers.astype(float)
    return nearest, (numbers - nearest).astype(float)


def wrong_families(updates: np.ndarray, nearest: np.ndarray, left: np.ndarray) -> list[str]:
    """The families whose updates (steps, families) are not those of the oracle; a NaN is wrong, too."""
    # A few hundred roundings of 2⁻⁵³, for sums of 60 terms that partly cancel; any other formula is off by > 1e-9.
    close = np.abs((updates - nearest) - left) <= 1e-12 * np.abs(nearest).max(axis=0)
    return [family for family, right in zip(GRADIENTS, close.all(axis=0), strict=True) if not right]


def assert_are_the_papers(cases: Sequence[tuple[str, dict[str, Any]]], arithmetic: str, among: Iterable[str]):
    """The updates of optimizers are those of the oracles of their names, on these families of gradients."""
    transforms = [getattr(al, name)(**hyper, arithmetic=arithmetic) for name, hyper in cases]
    offenders = [
        (name, hyper, family)
        for (name, hyper), updates in zip(cases, run(transforms, COLUMNS, WEIGHTS), strict=True)
        for family in wrong_families(updates, *exact(name, **hyper))
        if family in among
    ]
    assert offenders == []


@pytest.mark.optimized(False)
@each_arithmetic
def test_updates_are_those_of_the_paper(x64, arithmetic):
    assert_are_the_papers(CASES, arithmetic, GRADIENTS)


def test_an_update_that_is_off_or_not_a_number_is_wrong():
    nearest, left = exact("adam", learning_rate=0.1)
    assert wrong_families(nearest, nearest, left) == []
    assert wrong_families(nearest * (1 + 1e-11), nearest, left) == list(GRADIENTS)
    for error in (1e-11 * np.abs(nearest).max(), np.nan, np.inf):
        late = nearest.copy()
        late[-1, 3] += error
        assert wrong_families(late, nearest, left) == ["spiked"]


def test_every_rule_has_a_case():
    assert {name for name, _ in CASES} == set(RULES)


@pytest.mark.optimized(False)
@pytest.mark.one_case_in(3)
@each_arithmetic
def test_centered_rmsprop_is_that_of_the_paper(x64, arithmetic):
    hyper = {"learning_rate": 0.1, "centered": True, "eps": 1e-2}
    cases = [
        ("rmsprop", hyper | {"decay": decay, "bias_correction": bias_correction})
        for decay in (0.05, 0.6, 0.9, 0.98)
        for bias_correction in (False, True)
    ]
    # In the other families v − m² is smaller than ε.
    assert_are_the_papers(cases, arithmetic, ("constant", "normal", "heavy_tailed", "with_zeros"))


def test_weighted_variance_is_never_negative_at_the_first_step():
    hyper = {"centered": True, "bias_correction": True, "arithmetic": "weighted"}
    transforms = [al.rmsprop(1.0, decay=decay, **hyper) for decay in (0.05, 0.5, 0.75, 0.9, 0.98)]
    first = [updates[0, 0] for updates in run(transforms, np.array([[1.0], [3.0]], np.float32))]
    assert first == pytest.approx([-1e4] * len(first))  # the variance of a single number is 0: −1/√ε


@pytest.mark.parametrize("arithmetic", ["accurate", "weighted"])
def test_small_decays_keep_their_own_precision_in_float32(rng, arithmetic):
    gradients = (rng.normal(size=50) * 10.0 ** rng.uniform(-3, 3, size=50)).astype(np.float32)
    decays = (1e-8, 1e-3, 0.3, 0.5)
    transforms = [al.adam(1e-3, b1=b, b2=b, eps=0.0, arithmetic=arithmetic) for b in decays]
    for b, updates in zip(decays, run(transforms, gradients[:, None]), strict=True):
        expected = np.array(oracle.adam(gradients.tolist(), 1e-3, b1=b, b2=b, eps=0.0), float)
        # Both moments are sums of a few terms of one sign or two: some 20 roundings of 2⁻²⁴ each.
        np.testing.assert_allclose(updates[:, 0], expected, rtol=20 * 2.0**-24, err_msg=str(b))


def test_a_small_momentum_keeps_its_own_precision_in_float32():
    gradients = np.array([[1e4], [0.0]], np.float32)
    transforms = [al.sgd(1.0, momentum=1e-5, arithmetic=arithmetic) for arithmetic in ARITHMETICS]
    expected = np.array(oracle.sgd([1e4, 0.0], 1.0, momentum=1e-5), float)
    for arithmetic, updates in zip(ARITHMETICS, run(transforms, gradients), strict=True):
        np.testing.assert_allclose(updates[:, 0], expected, rtol=2.0**-22, err_msg=arithmetic)


def test_accurate_adam_is_within_five_ulp_in_float32(rng):
    drawn = families(rng, 2000)
    gradients = np.stack([drawn[name] for name in ("constant", "normal", "heavy_tailed", "spiked")], axis=1)
    gradients = gradients.astype(np.float32)
    numbers = np.array([oracle.adam(column.tolist(), 1e-3) for column in gradients.T], dtype=object).T
    ulps = np.abs(np.spacing(numbers.astype(np.float32)))
    accurate, optax = (
        np.median(np.abs(updates.astype(float) - numbers) / ulps, axis=0)
        for updates in run([al.adam(1e-3, arithmetic=arithmetic) for arithmetic in ("accurate", "optax")], gradients)
    )
    assert (accurate <= 5).all()
    assert (optax >= 20).all()  # what there is to be gained


def test_weighted_adam_is_adagrad_at_b2_of_one(x64, rng):
    gradients = np.stack([rng.normal(size=1000), 1e-3 * rng.standard_t(2, size=1000)], axis=1)
    complements = (1e-3, 1e-6, 1e-9)
    decays = [1.0, *(al.Decay(complement=complement) for complement in complements)]
    hyper = {"learning_rate": al.schedules.inverse_sqrt(0.1), "b1": 0.0, "eps": 0.0, "arithmetic": "weighted"}
    adagrad, limit, *near = run(
        [al.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0), *(al.adam(**hyper, b2=b2) for b2 in decays)],
        gradients,
    )
    np.testing.assert_allclose(limit, adagrad, rtol=2e-15 * 20)
    for complement, updates in zip(complements, near, strict=True):
        gap = np.abs(updates / adagrad - 1).max()
        # First order in 1 − β₂: at most (t − 1)/4 of it, and not much less.
        assert 0.05 * complement * 999 / 4 < gap < complement * 999 / 4


def test_weighted_variance_at_a_decay_of_one_is_that_of_all_gradients(x64, rng):
    gradients = rng.normal(size=(50, 3))
    hyper = {"decay": 1.0, "centered": True, "bias_correction": True, "eps": 0.25, "arithmetic": "weighted"}
    (updates,) = run([al.rmsprop(0.1, **hyper)], gradients)
    variances = np.array([gradients[: t + 1].var(axis=0) for t in range(len(gradients))])
    np.testing.assert_allclose(updates, -0.1 * gradients / np.sqrt(variances + 0.25), rtol=1e-12)


def test_a_weighted_lookahead_at_a_decay_of_one_is_the_limit(x64, rng):
    gradients, hyper = rng.normal(size=(50, 3)), {"b2": 0.9, "nesterov": True, "arithmetic": "weighted"}
    limit, near = run([al.adam(0.1, b1=b1, **hyper) for b1 in (1.0, al.Decay(complement=1e-12))], gradients)
    np.testing.assert_allclose(limit, near, rtol=1e-9)


@each_arithmetic
def test_adagrad_stays_where_it_has_seen_only_zeros(arithmetic):
    hyper: dict[str, Any] = {"initial_accumulator_value": 0.0, "eps": 0.0, "arithmetic": arithmetic}
    outside = lift(rss_rule, arithmetic=arithmetic, eps=0.0, eps_in_sqrt=False)
    transforms = [al.scale_by_rss(**hyper), al.scale_by_rss(**hyper, compensated=True), outside]
    for updates in run(transforms, np.array([[0.0], [0.0], [-2.0]], np.float32)):
        np.testing.assert_allclose(updates[:, 0], [0, 0, -1], rtol=1e-6)


def test_centered_rmsprop_never_turns_negative_in_float32():
    gradients = np.full((2000, 1), 0.7, np.float32)
    hyper = {"learning_rate": 0.1, "decay": 0.99, "centered": True}
    optax, accurate, weighted = (
        run([al.rmsprop(**hyper, arithmetic=arithmetic)], gradients)[0]  # alone, as its rounding depends on company
        for arithmetic in ("optax", "accurate", "weighted")
    )
    assert np.isnan(optax).any()
    assert np.isfinite(accurate).all()
    # Weighted: the variance stays accurate, with some four roundings of 2⁻²⁴ in each of 2000 steps.
    expected = np.array(oracle.rmsprop(gradients[:, 0].tolist(), **hyper), float)
    np.testing.assert_allclose(weighted[:, 0], expected, rtol=2000 * 4 * 2.0**-24)


def test_a_variance_of_nearly_constant_gradients_is_never_negative(rng):
    """That of a constant gradient hardly ever is; of these 60 runs Optax's is in many."""
    gradients = (rng.uniform(0.5, 2, size=60) * (1 + 1e-4 * rng.normal(size=(100, 60)))).astype(np.float32)
    hyper = {"learning_rate": 0.1, "decay": 0.9, "centered": True, "eps": 0.0, "bias_correction": True}
    optax, accurate = (run([al.rmsprop(**hyper, arithmetic=a)], gradients)[0] for a in ("optax", "accurate"))
    assert np.isnan(optax).any(axis=0).sum() >= 10
    assert not np.isnan(accurate).any()


def test_the_first_steps_of_accurate_adam_are_within_two_ulp_in_float32():
    """Where corrections cancel most: a median over a long run does not see them."""
    gradients = np.array([[0.7, -1.25, 3e-3], [0.2, 0.5, -4e-3]], np.float32)
    (updates,) = run([al.adam(0.1, eps=0.0)], gradients)
    for column, ours in zip(gradients.T, updates.T, strict=True):
        expected = np.array(oracle.adam(column.tolist(), 0.1, eps=0.0), float)
        np.testing.assert_allclose(ours, expected, rtol=2 * 2.0**-23)


def test_weighted_arithmetic_refuses_an_initial_scale_under_bias_correction():
    with pytest.raises(ValueError, match=r"initial_scale must be 0, not 1\.0"):
        al.rmsprop(0.1, initial_scale=1.0, bias_correction=True, arithmetic="weighted")
    with pytest.raises(ValueError, match="initial_scale must be 0"):
        al.scale_by_stddev(initial_scale=1.0, bias_correction=True, arithmetic="weighted")


def test_unknown_arithmetic_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="one of 'optax', 'accurate', 'weighted', not 'exact'"):
        al.adam(0.1, arithmetic="exact")
