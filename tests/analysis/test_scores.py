"""Scores, by which runs are compared."""

import numpy as np
import pytest

from adamlab import analysis
from adamlab.errors import InputError
from tests.analysis.examples import SGD, at_random, dataset


@pytest.fixture
def runs():
    rows = [
        ("a", SGD.format(0.1), 0, [5, 1, 3.0], -1),
        ("a", SGD.format(0.1), 1, [5, 2, np.nan], -1),
        ("a", SGD.format(0.1), 2, [5, 0, 4.0], 20),
        ("a", SGD.format(0.1), 3, [5, np.inf, 2.0], -1),
    ]
    accuracy = [[0.1, 0.9, 0.8], [0.1, np.nan, 0.3], [0.1, 1.0, 1.0], [0.1, 0.2, 0.7]]
    return dataset(rows).assign(test_accuracy=(("run", "step"), np.array(accuracy)))


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("final_loss", [3, np.inf, np.inf, 2]),
        ("best_loss", [1, 2, np.inf, 2]),
        ("final_test_accuracy", [-0.8, -0.3, np.inf, -0.7]),
        ("best_test_accuracy", [-0.9, -0.3, np.inf, -0.7]),
    ],
)
def test_lower_is_better_and_divergence_is_worst(runs, by, expected):
    np.testing.assert_array_equal(analysis.score(runs, by), expected)


def test_steps_count_where_the_target_was_reached(runs):
    runs = runs.assign(steps_to_target=("run", np.array([20, -1, 0, 7])))
    assert analysis.score(runs, "steps_to_target").values.tolist() == [20, np.inf, 0, 7]  # the third diverged later


def test_the_dataset_can_say_what_it_is_judged_by(runs):
    np.testing.assert_array_equal(analysis.score(runs), analysis.score(runs, "final_loss"))
    told = runs.assign_attrs(by="best_loss")
    np.testing.assert_array_equal(analysis.score(told), analysis.score(runs, "best_loss"))
    np.testing.assert_array_equal(analysis.score(told, "final_loss"), analysis.score(runs))


@pytest.mark.parametrize("by", ["loss", "least_loss", "final_params", "best_accuracy", ""])
def test_what_was_not_recorded_is_told(runs, by):
    with pytest.raises(InputError, match=f'cannot be compared by "{by}"; (did you mean|valid here)'):
        analysis.score(runs, by)


def test_best_loss_is_the_least_finite_one_even_of_a_run_that_diverged(runs):
    assert analysis.best_loss(runs).values.tolist() == [1, 2, 0, 2]
    losses = [[5, -np.inf, 3], [np.inf, np.nan, -np.inf], [np.nan] * 3, [np.inf] * 3]
    endless = runs.assign(loss=(("run", "step"), np.array(losses)))
    np.testing.assert_array_equal(analysis.best_loss(endless), [3, np.nan, np.nan, np.nan])


EVERY = {
    "score": analysis.score,
    "best_loss": analysis.best_loss,
    "setting_scores": analysis.setting_scores,
    "best_settings": analysis.best_settings,
    "best_setting": lambda runs: analysis.best_setting(runs, "optax.adam"),
    "sensitivity_to": lambda runs: analysis.sensitivity_to(runs, "optax.adam", "learning_rate"),
    "over_seeds": analysis.over_seeds,
    "over_seeds of every setting": lambda runs: analysis.over_seeds(runs, per_setting=True),
    "steps_to": lambda runs: analysis.steps_to(runs, 3),
    "performance_profiles": lambda runs: analysis.performance_profiles(runs, lambda r: analysis.steps_to(r, 3)),
    "ranks": analysis.ranks,
    "tuning_budget": analysis.tuning_budget,
    "best_per_budget": analysis.best_per_budget,
    "paired_tests": lambda runs: analysis.paired_tests(runs).to_xarray(),
    "standings": lambda runs: analysis.standings(runs).to_xarray(),
    "range_ends": lambda runs: analysis.range_ends(runs).to_xarray(),
    "summary": lambda runs: analysis.summary(analysis.with_agreement(runs)).to_xarray(),
    "agreement": lambda runs: analysis.agreement(analysis.with_agreement(runs)).to_xarray(),
    "difference_by_step": lambda runs: analysis.difference_by_step(analysis.with_agreement(runs)),
}


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("name", EVERY)
def test_runs_that_are_not_done_never_count(rng, name):
    """Whether they hold NaN, or numbers better than all others."""
    runs = at_random(rng, settings=(9, 9), seeds=4)
    done = rng.random(runs.sizes["run"]) < 0.8
    assert done.any() != done.all()
    for wrong in (np.nan, -1000.0):
        spoilt = runs.assign({n: runs[n].where(runs.run.isin(np.flatnonzero(done)), wrong) for n in ("loss", "params")})
        spoilt = spoilt.assign_coords(done=("run", done))
        alone = runs.isel(run=np.flatnonzero(done)).assign_coords(done=("run", done[done]))
        assert EVERY[name](spoilt).identical(EVERY[name](alone))
