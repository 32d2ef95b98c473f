"""Runs of adamlab find those of Optax at the same settings, and are as far from them as they are."""

import numpy as np
import pytest

from adamlab import analysis
from adamlab.rules import RULES
from tests.analysis.examples import dataset

OURS, THEIRS = "adamlab.sgd(learning_rate={})", "optax.sgd(learning_rate={}, nesterov=false)"


@pytest.fixture
def runs():
    return dataset(
        [
            ("ours", OURS.format(0.1), 0, [5, 3, 1.0], -1),
            ("ours", OURS.format(0.1), 1, [5, 3, 9.0], -1),
            ("ours", OURS.format(0.1), 2, [5, 3, 2.0], -1),
            ("ours", OURS.format(1.0), 0, [5, 0.5, 0.5], -1),
            ("ours", OURS.format(1.0), 1, [5, 50, np.inf], 20),
            ("ours", OURS.format(1.0), 2, [5, 50, np.nan], 20),
            ("theirs", THEIRS.format(0.1), 1, [5, 3.25, 9.0], -1),
            ("theirs", THEIRS.format(0.1), 0, [5, 3, 1.0], -1),
            ("theirs", THEIRS.format(1.0), 1, [5, 60, np.inf], 20),
            ("theirs", THEIRS.format(1.0), 2, [5, 50, 7.0], -1),
        ]
    )


def test_runs_are_paired_with_optax_by_settings_and_seed(runs):
    paired = analysis.with_agreement(runs)
    assert paired.optax_run.values.tolist() == [7, 6, -1, -1, 8, 9, -1, -1, -1, -1]
    expected = [0, 0.25, np.nan, np.nan, np.nan, np.inf] + 4 * [np.nan]
    np.testing.assert_array_equal(paired.params_difference, expected)
    np.testing.assert_array_equal(paired.loss_difference, expected)
    (row,) = analysis.agreement(paired).to_dict("records")
    assert (row["runs"], row["both_diverged"], row["identical"]) == (4, 1, 1)
    assert row["params_difference"] == np.inf


def test_pairs_are_counted_by_how_they_end():
    """The same, the loss alone apart, the end alone apart, one diverged, and three times both."""
    same, on_the_way, lost = [5, 3, 1.0], [5, 4, 1.0], [5, 50, np.nan]
    pairs = [(same, same), (same, on_the_way), (same, same), (same, lost), *[(lost, lost)] * 3]
    rows = [
        (label, spec.format(0.1), seed, losses, 20 if losses is lost else -1)
        for seed, pair in enumerate(pairs)
        for label, spec, losses in zip(("ours", "theirs"), (OURS, THEIRS), pair, strict=True)
    ]
    runs = dataset(rows).drop_vars("params")
    runs.final_params[5] += 1
    paired = analysis.with_agreement(runs)
    (row,) = analysis.agreement(paired).to_dict("records")
    assert (row["runs"], row["identical"], row["both_diverged"]) == (7, 1, 3)
    assert (paired.params_difference.values[::2] == 0).sum() == 2


@pytest.mark.parametrize("name", ["start", "stage"])
def test_runs_of_another_start_or_stage_are_no_twins(runs, name):
    values = np.array(["tuning"] * 7 + ["evaluation"] + ["tuning"] * 2, object)
    apart = runs.assign_coords({name: ("run", values if name == "stage" else (values == "tuning").astype(int))})
    assert analysis.with_agreement(apart).optax_run.values.tolist() == [-1, 6, -1, -1, 8, 9, -1, -1, -1, -1]


def test_runs_that_are_not_done_are_nobodys_twins(runs):
    done = np.ones(10, bool)
    done[[0, 6]] = False
    paired = analysis.with_agreement(runs.assign_coords(done=("run", done)))
    assert paired.optax_run.values.tolist() == [-1, -1, -1, -1, 8, 9, -1, -1, -1, -1]
    assert analysis.agreement(paired).runs.tolist() == [2]


def twins(*specs):
    """The number of each spec's twin among them."""
    rows = [(f"{i}", spec, 0, [1, 1, 1], -1) for i, spec in enumerate(specs)]
    return analysis.with_agreement(dataset(rows)).optax_run.values.tolist()


def test_arithmetic_leaves_the_formula_and_other_settings_do_not():
    ours = 'adamlab.adam(learning_rate=0.1, arithmetic="optax", nu_dtype="float32")'
    other, theirs = "adamlab.adam(learning_rate=0.1, b1=0.0)", "optax.adam(learning_rate=0.1, b2=0.999)"
    assert twins(ours, other, theirs) == [2, -1, -1]
    assert twins("adamlab.sgd(learning_rate=0.1)", "optax.sgd(learning_rate=0.1, momentum=0.9)") == [-1, -1]
    assert twins("adamlab.sgd(learning_rate=0.1)", "optax.sgd(learning_rate=0.1, nesterov=true)") == [-1, -1]
    assert twins("adamlab.adam(learning_rate=0.1)", "optax.nadam(learning_rate=0.1)") == [-1, -1]
    assert twins("adamlab.adamax(learning_rate=0.1, eps=0.001)", "optax.yogi(learning_rate=0.1)") == [-1, -1]


def test_twins_are_found_however_they_are_written():
    pairs = twins(
        "adamlab.sgd(learning_rate=exponential(init=1, rate=0.9))",
        "optax.sgd(learning_rate=exponential(init=1.0, rate=0.9, every=1))",
        "optax.sgd(learning_rate=exponential(init=1.0, rate=0.8))",
    )
    assert pairs == [1, -1, -1]


def test_another_schedule_of_the_same_numbers_is_no_twin():
    ours = "adamlab.sgd(learning_rate=cosine(init=0.5, steps=9, alpha=0.1))"
    assert twins(ours, ours.replace("adamlab", "optax")) == [1, -1]
    assert twins(ours, "optax.sgd(learning_rate=linear(init=0.5, steps=9, end=0.1))") == [-1, -1]
    assert twins(ours, "optax.sgd(learning_rate=0.1)") == [-1, -1]


def test_of_two_equal_runs_of_optax_the_first_is_taken():
    twice = dataset([("b", THEIRS.format(1.0), 0, [1, 1, 1], -1)] * 2 + [("a", OURS.format(1.0), 0, [1, 1, 2], -1)])
    assert analysis.with_agreement(twice).optax_run.values.tolist() == [-1, -1, 0]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_its_twin_in_optax(name):
    assert twins(f"adamlab.{name}(learning_rate=0.5)", f"optax.{name}(learning_rate=0.5)") == [1, -1]


def test_difference_by_step_is_the_largest_over_runs(runs):
    finite = analysis.with_agreement(runs.isel(run=[0, 1, 2, 3, 6, 7]))
    steps = analysis.difference_by_step(finite)
    assert steps.optimizer.values.tolist() == ["ours"]
    assert steps.difference.values.tolist() == [[0, 0.25, 0]]
