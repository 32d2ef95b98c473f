"""What is read off a dataset, on hand-made ones whose answers are plain."""

import numpy as np
import pytest
import xarray as xr

from adamlab.rules import RULES
from adamlab.studies import analysis


def made(rows, steps=3):
    """A dataset of runs given as (optimizer, spec, seed, learning rate, losses, diverged at)."""
    labels, specs, seeds, rates, losses, diverged = zip(*rows, strict=True)
    losses = np.array(losses, float)
    return xr.Dataset(
        {
            "loss": (("run", "step"), losses),
            "params": (("run", "step", "dim"), np.stack([losses, -losses], axis=2)),
            "final_params": (("run", "parameter"), losses[:, -1:] * [1, -1]),
            "diverged_at": ("run", np.array(diverged)),
        },
        {
            "step": np.arange(steps),
            "optimizer": ("run", np.array(labels, object)),
            "spec": ("run", np.array(specs, object)),
            "seed": ("run", np.array(seeds)),
            "learning_rate": ("run", np.array(rates)),
        },
        {"problem": "made", "source": "", "settings": ["learning_rate"], "metrics": []},
    )


OURS, THEIRS = "adamlab.sgd(learning_rate={})", "optax.sgd(learning_rate={}, nesterov=false)"


@pytest.fixture
def runs():
    return made(
        [
            ("ours", OURS.format(0.1), 0, 0.1, [5, 3, 1.0], -1),
            ("ours", OURS.format(0.1), 1, 0.1, [5, 3, 9.0], -1),
            ("ours", OURS.format(0.1), 2, 0.1, [5, 3, 2.0], -1),
            ("ours", OURS.format(1.0), 0, 1.0, [5, 0.5, 0.5], -1),
            ("ours", OURS.format(1.0), 1, 1.0, [5, 50, np.inf], 2),
            ("ours", OURS.format(1.0), 2, 1.0, [5, 50, np.nan], 2),
            ("theirs", THEIRS.format(0.1), 1, 0.1, [5, 3.25, 9.0], -1),
            ("theirs", THEIRS.format(0.1), 0, 0.1, [5, 3, 1.0], -1),
            ("theirs", THEIRS.format(1.0), 1, 1.0, [5, 60, np.inf], 2),
            ("theirs", THEIRS.format(1.0), 2, 1.0, [5, 50, 7.0], -1),
        ]
    )


def test_the_best_setting_has_the_least_median_and_divergence_counts_as_infinite(runs):
    best = analysis.best_setting(runs, "ours")
    assert best.learning_rate.values.tolist() == [0.1, 0.1, 0.1]
    assert best.seed.values.tolist() == [0, 1, 2]
    table = analysis.standings(runs).set_index("optimizer").loc["ours"]
    assert (table["median"], table["least"], table["greatest"]) == (2.0, 1.0, 9.0)
    assert (table["runs"], table["diverged"]) == (6, 2)


def test_best_loss_is_the_least_finite_one(runs):
    assert analysis.best_loss(runs).values.tolist() == [1, 3, 2, 0.5, 5, 5, 3.25, 1, 5, 5]


def test_runs_are_paired_with_optax_by_settings_and_seed(runs):
    paired = analysis.with_agreement(runs)
    assert paired.optax_run.values.tolist() == [7, 6, -1, -1, 8, 9, -1, -1, -1, -1]
    expected = [0, 0.25, np.nan, np.nan, np.nan, np.inf] + 4 * [np.nan]
    np.testing.assert_array_equal(paired.params_difference, expected)
    np.testing.assert_array_equal(paired.loss_difference, expected)
    (row,) = analysis.agreement(paired).to_dict("records")
    assert (row["runs"], row["both_diverged"], row["identical"]) == (4, 1, 1)
    assert row["params_difference"] == np.inf


def test_arithmetic_leaves_the_formula_and_other_settings_do_not(runs):
    rows = [
        ("a", 'adamlab.adam(learning_rate=0.1, arithmetic="optax", nu_dtype="float32")', 0, 0.1, [1, 1, 1], -1),
        ("b", "adamlab.adam(learning_rate=0.1, b1=0)", 0, 0.1, [1, 1, 1], -1),
        ("c", "optax.adam(learning_rate=0.1, b2=0.999)", 0, 0.1, [1, 1, 1], -1),
    ]
    assert analysis.with_agreement(made(rows)).optax_run.values.tolist() == [2, -1, -1]


def test_twins_are_found_however_they_are_written():
    rows = [
        ("a", "adamlab.sgd(learning_rate=exponential(init=1, rate=0.9))", 0, np.nan, [1, 1, 1], -1),
        ("b", "optax.sgd(learning_rate=exponential(init=1.0, rate=0.9, every=1))", 0, np.nan, [1, 1, 1], -1),
        ("c", "optax.sgd(learning_rate=exponential(init=1.0, rate=0.8))", 0, np.nan, [1, 1, 1], -1),
    ]
    assert analysis.with_agreement(made(rows)).optax_run.values.tolist() == [1, -1, -1]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_its_twin_in_optax(name):
    rows = [
        ("ours", f"adamlab.{name}(learning_rate=0.5)", 0, np.nan, [1, 1, 1], -1),
        ("theirs", f"optax.{name}(learning_rate=0.5)", 0, np.nan, [1, 1, 1], -1),
    ]
    assert analysis.with_agreement(made(rows)).optax_run.values.tolist() == [1, -1]


def test_difference_by_step_is_the_largest_over_runs(runs):
    finite = analysis.with_agreement(runs.isel(run=[0, 1, 2, 3, 6, 7]))
    steps = analysis.difference_by_step(finite)
    assert steps.optimizer.values.tolist() == ["ours"]
    assert steps.difference.values.tolist() == [[0, 0.25, 0]]


def test_sensitivity_is_the_final_loss_at_each_value(runs):
    over = analysis.sensitivity_to(runs, "ours", "learning_rate")
    assert over.value.values.tolist() == [0.1, 1.0]
    np.testing.assert_array_equal(over.final_loss, [[1, 9, 2], [0.5, np.inf, np.inf]])
    assert analysis.sensitivity_to(runs, "ours", "b2").sizes == {"value": 0, "seed": 0}
