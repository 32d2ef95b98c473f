"""How accurate the arithmetics are, by the oracle: what adamlab promises, and what there is to be gained."""

import inspect
from typing import Any

import jax
import numpy as np
import optax
import pytest
from mpmath import mpf, sqrt

import adamlab as al
from adamlab.parity.families import FAMILIES, gradients
from adamlab.parity.trajectories import by_family, laid_out, parameters, run
from adamlab.parity.ulps import errors_in_ulps
from adamlab.rules import RULES
from tests import oracle

OPTIONS: dict[str, dict[str, Any]] = {"adadelta": {"learning_rate": 1.0}, "sgd": {"momentum": 0.9}}
CASES = [(name, "accurate") for name in RULES] + [(name, "weighted") for name in ("adam", "adamax", "amsgrad", "nadam")]


def options(name: str) -> dict[str, Any]:
    return {"learning_rate": 0.01} | OPTIONS.get(name, {})


def exact_updates(name: str, gs: dict[str, np.ndarray], **hyper: Any) -> dict[str, np.ndarray]:
    """The updates (steps, columns) by family of the oracle of that name."""
    formula, leaf = getattr(oracle, name), laid_out(gs, "leaf")
    takes_weights = "weights" in inspect.signature(formula).parameters
    columns = [
        formula(column, **({"weights": [mpf(weight)] * len(column)} if takes_weights else {}), **hyper)
        for column, weight in zip(leaf.T.astype(float), parameters(leaf).astype(float), strict=True)
    ]
    return by_family(np.array(columns).T, gs)


def float_updates(
    transform: optax.GradientTransformation, gs: dict[str, np.ndarray], several: bool = True
) -> dict[str, np.ndarray]:
    """The updates (steps, columns) by family as the transformation computes them.

    Its parameters are a single array or two, which XLA rounds differently; two of them are compiled as all would be.
    """
    leaf = laid_out(gs, "leaf")
    tree = np.split(leaf, [3], axis=1) if several else [leaf]  # the parameters repeat after three columns
    return by_family(np.concatenate(run(transform, tree, "scan"), axis=1), gs)


def errors(updates: dict[str, np.ndarray], exact: dict[str, np.ndarray], dtype: str) -> dict[str, np.ndarray]:
    """The errors (steps, columns) of updates by family, in ulps of the type."""
    return {family: errors_in_ulps(u, exact[family], dtype) for family, u in updates.items()}


def medians(errors: dict[str, np.ndarray]) -> np.ndarray:
    return np.array([np.median(e) for e in errors.values()])


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize("name", RULES)
def test_no_rule_is_less_accurate_than_optax_or_five_ulp(name):
    hyper, gs = options(name), gradients(list(FAMILIES), 60, "float32")
    exact = exact_updates(name, gs, **hyper)

    def median_errors(transform: optax.GradientTransformation) -> np.ndarray:
        return medians(errors(float_updates(transform, gs), exact, "float32"))

    bounds = np.maximum(median_errors(getattr(optax, name)(**hyper)), 5)
    for arithmetic in [arithmetic for case, arithmetic in CASES if case == name]:
        ours = median_errors(getattr(al, name)(**hyper, arithmetic=arithmetic))
        too_much = {
            family: (arithmetic, e, bound) for family, e, bound in zip(gs, ours, bounds, strict=True) if not e <= bound
        }
        assert too_much == {}


@pytest.mark.parametrize(
    ("name", "arithmetic"),
    [case if case[0] == "adagrad" else pytest.param(*case, marks=pytest.mark.slow) for case in CASES],
)
def test_compare_tells_these_errors(name, arithmetic):
    hyper, gs = options(name), gradients(list(FAMILIES), 60, "float32")
    given = ", ".join(f"{key}={value}" for key, value in hyper.items())
    ours = f'adamlab.{name}({given}, arithmetic="{arithmetic}")'
    c = al.compare(ours, f"optax.{name}({given})", steps=60, context="scan", layout="leaf")
    exact = exact_updates(name, gs, **hyper)
    left, right = getattr(al, name)(**hyper, arithmetic=arithmetic), getattr(optax, name)(**hyper)
    for side, transform in (("left", left), ("right", right)):
        expected = errors(float_updates(transform, gs, several=False), exact, "float32")
        np.testing.assert_allclose(c.table[f"{side}_median"], medians(expected), rtol=1e-12)
        np.testing.assert_allclose(c.table[f"{side}_max"], [e.max() for e in expected.values()], rtol=1e-12)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_bfloat16_parameters_with_float32_states_are_rounded_once(name):
    gs = gradients(["constant", "normal", "heavy_tailed", "spiked"], 150, "bfloat16")
    exact = exact_updates(name, gs, learning_rate=0.001)
    ours = getattr(al, name)(0.001, mu_dtype="float32", nu_dtype="float32")
    theirs = getattr(optax, name)(0.001, mu_dtype="float32")
    left, right = (errors(float_updates(transform, gs), exact, "bfloat16") for transform in (ours, theirs))
    # 0.6 of a half ulp; to be rounded to nearest once is 0.5 of it in the median, and all of it at most.
    assert (medians(left) <= 0.3).all()
    assert max(e.max() for e in left.values()) <= 0.51
    assert (medians(right) > 1).any()


def gap(updates: np.ndarray, exact: np.ndarray) -> float:
    """The largest relative distance of the updates from exact ones, none of which is 0."""
    return float(np.abs(updates / exact - 1).max())


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-6), ("float64", 2e-15)])
def test_weighted_adam_follows_its_limit_to_adagrad(dtype, bound):
    gs = gradients(["normal", "heavy_tailed", "small"], 120, dtype)
    adagrad = exact_updates("adagrad", gs, learning_rate=0.1, initial_accumulator_value=0.0, eps=0.0)
    for complement in (1e-3, 1e-9, 0.0):
        decay = al.Decay(complement=complement)
        with jax.enable_x64(dtype == "float64"):
            weighted = al.adam(al.schedules.inverse_sqrt(0.1), b1=0.0, b2=decay, eps=0.0, arithmetic="weighted")
            updates = float_updates(weighted, gs)
        adam = (
            exact_updates("adam", gs, learning_rate=inverse_sqrt, b1=0.0, b2=decay.rate, eps=0.0)
            if complement
            else adagrad
        )
        for family in gs:
            exact_gap = gap(adam[family], adagrad[family])
            # What is off the exact gap is the rounding of a mean of squares, a root and a quotient.
            assert abs(gap(updates[family], adagrad[family]) - exact_gap) <= bound, (family, complement)
            # First order in 1 − β₂: at most (t − 1)/4 of it.
            assert complement <= exact_gap <= complement * 119 / 4 * 1.01, (family, complement)


def inverse_sqrt(count):
    """The schedule of that name in exact numbers."""
    return mpf("0.1") / sqrt(count + 1)


def test_weighted_adam_at_its_limit_is_read_as_adagrad():
    c = al.compare(
        'adamlab.adam(inverse_sqrt(0.1), b1=0.0, b2=1.0, eps=0.0, arithmetic="weighted")',
        "optax.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0)",
        steps=20,
        context="scan",
        layout="leaf",
        families=["normal", "heavy_tailed", "small"],
    )
    assert c.kind == "same formula"


def test_a_compensated_sum_loses_nothing():
    gs = gradients(["normal", "spiked"], 1000, "float32")
    exact = exact_updates("adagrad", gs, learning_rate=0.1)
    plain, compensated = (
        laid_out(errors(float_updates(al.adagrad(0.1, compensated=compensated), gs), exact, "float32"), "leaf")
        for compensated in (False, True)
    )
    assert np.median(compensated) < 1
    assert compensated.max() <= 4  # a square, a root, two products
    assert np.median(plain) > 1
