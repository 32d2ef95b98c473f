"""The best setting of each optimizer, and how much a number matters."""

import numpy as np
import pytest

from adamlab import analysis
from adamlab.errors import InputError
from tests.analysis.examples import ADAM, SGD, at_random, dataset


@pytest.fixture
def runs():
    return dataset(
        [
            ("sgd", SGD.format(0.1), 0, [5, 3, 1.0], -1),
            ("sgd", SGD.format(0.1), 1, [5, 3, 9.0], -1),
            ("sgd", SGD.format(0.1), 2, [5, 3, 2.0], -1),
            ("sgd", SGD.format(1.0), 0, [5, 0.5, 0.5], -1),
            ("sgd", SGD.format(1.0), 1, [5, 50, np.inf], 20),
            ("sgd", SGD.format(1.0), 2, [5, 50, np.nan], 20),
        ]
    )


def test_the_best_setting_has_the_least_median_and_divergence_counts_as_infinite(runs):
    best = analysis.best_setting(runs, "sgd")
    assert best.learning_rate.values.tolist() == [0.1, 0.1, 0.1]
    assert best.seed.values.tolist() == [0, 1, 2]


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("by", ["final_loss", "best_loss", "final_test_accuracy", "best_test_accuracy"])
def test_every_setting_and_the_best_are_what_a_loop_finds(rng, by):
    for _ in range(20):
        runs = at_random(rng)
        scores = analysis.score(runs, by).values
        groups = {}
        for i in range(runs.sizes["run"]):
            groups.setdefault((runs.optimizer.values[i], runs.spec.values[i]), []).append(scores[i])
        medians = {key: float(np.median(values)) for key, values in groups.items()}
        table = analysis.setting_scores(runs, by)
        assert list(zip(table.optimizer.values, table.spec.values, strict=True)) == list(medians)
        assert table.score.values.tolist() == list(medians.values())
        assert [
            SGD.format(rate) if "sgd" in label else ADAM.format(rate)
            for label, rate in zip(table.optimizer.values, table.learning_rate.values, strict=True)
        ] == table.spec.values.tolist()
        for label in ("adamlab.sgd", "optax.adam"):
            mine = {spec: median for (owner, spec), median in medians.items() if owner == label}
            best = analysis.best_setting(runs, label, by)
            assert set(best.spec.values) == {min(mine, key=lambda spec: mine[spec])}
            assert best.sizes["run"] == 3


def test_ties_in_the_steps_to_a_target_are_broken_by_the_final_loss():
    losses = {0.1: (3, 2), 0.2: (1, 2), 0.4: (2, 2)}
    rows = [
        ("a", SGD.format(rate), seed, [5, 5, loss], -1)
        for rate, each in losses.items()
        for seed, loss in enumerate(each)
    ]
    runs = dataset(rows).assign(steps_to_target=("run", np.array([4, 6, 3, 7, 4, -1])))
    assert {*analysis.best_settings(runs, "steps_to_target").spec.values} == {SGD.format(0.2)}
    never = runs.assign(steps_to_target=("run", np.full(6, -1)))
    assert {*analysis.best_settings(never, "steps_to_target").spec.values} == {SGD.format(0.2)}
    assert analysis.sensitivity_to(never, "a", "learning_rate", "steps_to_target").sizes["value"] == 3


def test_one_spec_under_two_labels_is_two_settings():
    rows = [(label, SGD.format(0.1), 0, [5, 5, loss], -1) for label, loss in (("a", 1), ("b", 2))]
    assert analysis.setting_scores(dataset(rows)).score.values.tolist() == [1, 2]
    assert analysis.best_settings(dataset(rows)).optimizer.values.tolist() == ["a", "b"]


def staged(fresh):
    """Two settings tuned on seeds 0 and 1; the runs in `fresh` are evaluated."""
    rows = [
        ("a", SGD.format(0.1), 0, [5, 5, 1.0], -1),
        ("a", SGD.format(0.2), 0, [5, 5, 3.0], -1),
        ("a", SGD.format(0.1), 1, [5, 5, 2.0], -1),
        ("a", SGD.format(0.2), 1, [5, 5, 3.0], -1),
        ("b", SGD.format(0.7), 0, [5, 5, 4.0], -1),
    ]
    stages = ["tuning"] * len(rows) + ["evaluation"] * len(fresh)
    return dataset(rows + fresh, stage=np.array(stages, object))


def test_settings_are_chosen_in_tuning_and_told_of_in_evaluation():
    """The evaluation of 0.1 went badly; another setting would have done better there, and is not taken for that."""
    fresh = [("a", SGD.format(0.1), seed, [5, 5, 8.0 + seed], -1) for seed in (7, 8)]
    fresh += [("a", SGD.format(0.2), 7, [5, 5, 0.0], -1)]
    best = analysis.best_settings(staged(fresh))
    assert best.optimizer.values.tolist() == ["a", "a", "b"]
    assert best.seed.values.tolist() == [7, 8, 0]
    assert best.stage.values.tolist() == ["evaluation", "evaluation", "tuning"]
    assert analysis.setting_scores(staged(fresh)).score.values.tolist() == [1.5, 3, 4]
    over = analysis.sensitivity_to(staged(fresh), "a", "learning_rate")
    np.testing.assert_array_equal(over.final_loss, [[1, 2], [3, 3]])


def test_what_was_evaluated_is_judged_by_any_criterion():
    """By the best loss 0.2 would have been chosen; it was not evaluated, and ranks are of what was."""
    fresh = [("a", SGD.format(0.1), seed, [5, 5, 8.0], -1) for seed in (7, 8)]
    fresh += [("b", SGD.format(0.7), seed, [4, 9, 9.0], -1) for seed in (7, 8)]
    runs = staged(fresh)
    runs["loss"][1, 1] = runs["loss"][3, 1] = 0.5
    assert analysis.best_settings(runs.isel(run=slice(5)), "best_loss").learning_rate.values.tolist() == [0.2, 0.2, 0.7]
    best = analysis.best_settings(runs, "best_loss")
    assert best.learning_rate.values.tolist() == [0.1, 0.1, 0.7, 0.7]
    assert analysis.ranks(runs, by="best_loss").mean_rank.values.tolist() == [2, 1]


def test_without_evaluation_the_runs_of_tuning_are_given():
    assert analysis.best_settings(staged([])).seed.values.tolist() == [0, 1, 0]


def test_an_optimizer_that_is_not_there_is_told(runs):
    with pytest.raises(InputError, match='no runs of an optimizer "sdg"; did you mean "sgd"'):
        analysis.best_setting(runs, "sdg")


def test_sensitivity_is_the_final_loss_at_each_value(runs):
    over = analysis.sensitivity_to(runs, "sgd", "learning_rate")
    assert over.value.values.tolist() == [0.1, 1.0]
    assert over.seed.values.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(over.final_loss, [[1, 9, 2], [0.5, np.inf, np.inf]])
    assert analysis.sensitivity_to(runs, "sgd", "b2").sizes == {"value": 0, "instance": 0}


def test_sensitivity_takes_the_best_of_the_other_numbers():
    spec = "adamlab.sgd(learning_rate={}, momentum={})"
    losses = {(0.1, 0.5): (4, 4), (0.1, 0.9): (1, 2), (0.2, 0.5): (3, 5), (0.2, 0.9): (9, 0)}
    rows = [
        ("a", spec.format(*setting), seed, [9, 9, values[seed]], -1)
        for setting, values in losses.items()
        for seed in (0, 1)
    ]
    over = analysis.sensitivity_to(dataset(rows), "a", "learning_rate")
    np.testing.assert_array_equal(over.final_loss, [[1, 2], [3, 5]])
    over = analysis.sensitivity_to(dataset(rows), "a", "momentum")
    np.testing.assert_array_equal(over.final_loss, [[4, 4], [1, 2]])


def test_starts_and_seeds_make_instances():
    rows = [("a", SGD.format(0.1), seed, [9, 9, 10 * seed + start], -1) for seed in (3, 4) for start in (0, 1)]
    over = analysis.sensitivity_to(dataset(rows, start=[0, 1, 0, 1]), "a", "learning_rate")
    assert over.final_loss.values.tolist() == [[30, 31, 40, 41]]
    assert (over.seed.values.tolist(), over.start.values.tolist()) == ([3, 3, 4, 4], [0, 1, 0, 1])
