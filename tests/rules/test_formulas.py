"""Every optimizer against its paper in 50 digits: every option and arithmetic, on gradients that break symmetries."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mpf

import adamlab as al
from adamlab.rules import RULES
from tests import oracle
from tests.gradients import families

STEPS = 60


def falling(count):
    """A schedule that the oracle can follow in its own numbers: 1/8 is one number in binary and in decimal."""
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


def run(transform, gradients: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The updates (steps, columns) of gradients (steps, columns), the weights (columns,) held where they are."""
    params = None if weights is None else jnp.asarray(weights)

    def step(state, g):
        u, state = transform.update(g, state, params)
        return state, u

    _, updates = jax.jit(lambda gs: jax.lax.scan(step, transform.init(gs[0]), gs))(jnp.asarray(gradients))
    return np.asarray(updates)


def assert_close(updates: np.ndarray, exact: list, family: str):
    # A few hundred roundings of 2⁻⁵³, for sums of 60 terms that partly cancel; any other formula is off by > 1e-9.
    errors = [abs(float(mpf(float(u)) - e)) for u, e in zip(updates, exact, strict=True)]
    tolerance = 1e-12 * max(abs(float(e)) for e in exact)
    assert all(error <= tolerance for error in errors), family  # false for NaN, which max would pass over


def assert_is_the_papers(transform, name: str, hyper: dict, rng: np.random.Generator):
    """The updates are those of the oracle of that name, on every family of gradients, each with a weight of its own."""
    gradients, formula = families(rng, STEPS), getattr(oracle, name)
    weights = np.geomspace(1e-3, 10.0, len(gradients)) * np.resize([1.0, -1.0], len(gradients))
    updates = run(transform, np.stack(list(gradients.values()), axis=1), weights)
    for column, (family, gs) in enumerate(gradients.items()):
        takes_weights = "weights" in inspect.signature(formula).parameters
        given = {"weights": [mpf(weights[column])] * STEPS} if takes_weights else {}
        assert_close(updates[:, column], formula(gs, **given, **hyper), family)


@pytest.mark.parametrize("arithmetic", ["optax", "accurate", "weighted"])
@pytest.mark.parametrize(("name", "hyper"), CASES)
def test_updates_are_those_of_the_paper(x64, rng, name, hyper, arithmetic):
    assert_is_the_papers(getattr(al, name)(**hyper, arithmetic=arithmetic), name, hyper, rng)


def test_a_late_nan_is_not_close():
    with pytest.raises(AssertionError, match="family"):
        assert_close(np.array([1.0, np.nan]), [mpf(1), mpf(1)], "family")


def test_every_rule_has_a_case():
    assert {name for name, _ in CASES} == set(RULES)


@pytest.mark.parametrize("arithmetic", ["optax", "accurate", "weighted"])
@pytest.mark.parametrize("decay", [0.05, 0.6, 0.9, 0.98])
@pytest.mark.parametrize("bias_correction", [False, True])
def test_centered_rmsprop_is_that_of_the_paper(x64, rng, bias_correction, decay, arithmetic):
    hyper = {"learning_rate": 0.1, "decay": decay, "centered": True, "eps": 1e-2, "bias_correction": bias_correction}
    gradients = families(rng, STEPS)
    for family in ("constant", "normal", "heavy_tailed", "with_zeros"):  # where v − m² is no smaller than ε
        updates = run(al.rmsprop(**hyper, arithmetic=arithmetic), gradients[family][:, None])[:, 0]
        assert_close(updates, oracle.rmsprop(gradients[family], **hyper), family)


@pytest.mark.parametrize("decay", [0.05, 0.5, 0.75, 0.9, 0.98])
def test_weighted_variance_is_never_negative_at_the_first_step(decay):
    transform = al.rmsprop(1.0, decay=decay, centered=True, bias_correction=True, arithmetic="weighted")
    updates = run(transform, np.array([[1.0], [3.0]], np.float32))
    assert updates[0, 0] == pytest.approx(-1e4)  # the variance of one number is 0: −1/√ε


@pytest.mark.parametrize("b", [1e-8, 1e-3, 0.3, 0.5])
@pytest.mark.parametrize("arithmetic", ["accurate", "weighted"])
def test_small_decays_keep_their_own_precision_in_float32(rng, b, arithmetic):
    gradients = (rng.normal(size=50) * 10.0 ** rng.uniform(-3, 3, size=50)).astype(np.float32)
    updates = run(al.adam(1e-3, b1=b, b2=b, eps=0.0, arithmetic=arithmetic), gradients[:, None])[:, 0]
    exact = np.array(oracle.adam(gradients.tolist(), 1e-3, b1=b, b2=b, eps=0.0), float)
    # Both moments are sums of a few terms of one sign or two: some 20 roundings of 2⁻²⁴ each.
    np.testing.assert_allclose(updates, exact, rtol=20 * 2.0**-24)


@pytest.mark.parametrize("arithmetic", ["accurate", "weighted", "optax"])
def test_a_small_momentum_keeps_its_own_precision_in_float32(arithmetic):
    gradients = np.array([[1e4], [0.0]], np.float32)
    updates = run(al.sgd(1.0, momentum=1e-5, arithmetic=arithmetic), gradients)[:, 0]
    np.testing.assert_allclose(updates, np.array(oracle.sgd([1e4, 0.0], 1.0, momentum=1e-5), float), rtol=2.0**-22)


@pytest.mark.parametrize("family", ["constant", "normal", "heavy_tailed", "spiked"])
def test_accurate_adam_is_within_five_ulp_in_float32(rng, family):
    gradients = families(rng, 2000)[family].astype(np.float32)
    errors = {}
    for arithmetic in ("accurate", "optax"):
        updates = run(al.adam(1e-3, arithmetic=arithmetic), gradients[:, None])[:, 0]
        exact = oracle.adam(gradients.tolist(), 1e-3)
        ulp = np.spacing(np.array(exact, np.float32))
        errors[arithmetic] = np.median(
            [abs(float(mpf(float(u)) - e)) for u, e in zip(updates, exact, strict=True)] / np.abs(ulp)
        )
    assert errors["accurate"] <= 5
    assert errors["optax"] >= 20  # what there is to be gained


def test_weighted_adam_is_adagrad_at_b2_of_one(x64, rng):
    gradients = np.stack([rng.normal(size=1000), 1e-3 * rng.standard_t(2, size=1000)], axis=1)
    inverse_sqrt = al.schedules.inverse_sqrt(0.1)
    hyper = {"b1": 0.0, "eps": 0.0, "arithmetic": "weighted"}
    adagrad = run(al.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0), gradients)
    limit = run(al.adam(inverse_sqrt, b2=1.0, **hyper), gradients)
    np.testing.assert_allclose(limit, adagrad, rtol=2e-15 * 20)
    for complement in (1e-3, 1e-6, 1e-9):
        near = run(al.adam(inverse_sqrt, b2=al.Decay(complement=complement), **hyper), gradients)
        gap = np.abs(near / adagrad - 1).max()
        # First order in 1 − β₂: at most (t − 1)/4 of it, and not much less.
        assert 0.05 * complement * 999 / 4 < gap < complement * 999 / 4


def test_centered_rmsprop_never_turns_negative_in_float32():
    gradients = np.full((2000, 1), 0.7, np.float32)
    hyper = {"learning_rate": 0.1, "decay": 0.99, "centered": True}
    assert np.isnan(run(al.rmsprop(**hyper, arithmetic="optax"), gradients)).any()
    exact = np.array([float(u) for u in oracle.rmsprop(gradients[:, 0].tolist(), **hyper)])
    for arithmetic in ("accurate", "weighted"):
        updates = run(al.rmsprop(**hyper, arithmetic=arithmetic), gradients)[:, 0]
        assert np.isfinite(updates).all()
    # Weighted: the variance stays accurate, with some four roundings of 2⁻²⁴ in each of 2000 steps.
    np.testing.assert_allclose(updates, exact, rtol=2000 * 4 * 2.0**-24)


def test_weighted_arithmetic_refuses_an_initial_scale_under_bias_correction():
    with pytest.raises(ValueError, match=r"initial_scale must be 0, not 1\.0"):
        al.rmsprop(0.1, initial_scale=1.0, bias_correction=True, arithmetic="weighted")
    with pytest.raises(ValueError, match="initial_scale must be 0"):
        al.scale_by_stddev(initial_scale=1.0, bias_correction=True, arithmetic="weighted")


def test_unknown_arithmetic_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="one of 'optax', 'accurate', 'weighted', not 'exact'"):
        al.adam(0.1, arithmetic="exact")
