"""The best of k random trials, beside all sets and all sequences of k trials that there are."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adamlab import analysis
from adamlab.errors import InputError
from tests.analysis.examples import SGD, at_random, dataset


def with_losses(losses, label="a"):
    """An optimizer whose i-th setting ends at the i-th loss; infinite where it diverged."""
    specs = [SGD.format(float(i)) for i in range(len(losses))]
    runs = zip(specs, losses, strict=True)
    return dataset([(label, spec, 0, [9, 9, loss], 10 if np.isinf(loss) else -1) for spec, loss in runs])


DRAWS = {
    False: itertools.combinations,
    True: lambda losses, k: itertools.product(losses, repeat=k),
}

losses = st.lists(st.one_of(st.integers(-5, 5).map(float), st.just(np.inf)), min_size=1, max_size=6)


@pytest.mark.parametrize("replacement", [False, True])
@given(losses=losses)
def test_expectation_and_quantiles_are_those_of_all_draws(replacement, losses):
    n, levels = len(losses), [0.0, 0.2, 0.25, 0.5, 1.0]
    over = analysis.tuning_budget(with_losses(losses), None, range(1, n + 1), levels, replacement)
    for k in range(1, n + 1):
        best = np.sort([min(drawn) for drawn in DRAWS[replacement](losses, k)])
        np.testing.assert_allclose(over.expected_best.sel(optimizer="a", trials=k), best.mean(), rtol=1e-13, atol=1e-13)
        for level, quantile in zip(levels, over.best_quantiles.sel(optimizer="a", trials=k).values, strict=True):
            needed = max(int(np.ceil(level * len(best) - 1e-9)), 1)  # so many draws are at or below it
            assert quantile == best[needed - 1]


def test_the_expectation_by_hand():
    """Of 1, 2, 4: pairs have the best 1, 1, 2; with replacement 5, 3 and 1 of 9 pairs have the best 1, 2 and 4."""
    runs = with_losses([4.0, 1.0, 2.0])
    over = analysis.tuning_budget(runs, trials=[1, 2, 3])
    np.testing.assert_allclose(over.expected_best, [[7 / 3, 4 / 3, 1]], rtol=1e-15)
    over = analysis.tuning_budget(runs, trials=[1, 2], replacement=True)
    np.testing.assert_allclose(over.expected_best, [[7 / 3, 15 / 9]], rtol=1e-15)


def test_chances_are_right_to_the_last_digits():
    """Of 997 settings one is better than all others, which are alike; 1 − (1 − 1/997) would be 4e-14 off."""
    over = analysis.tuning_budget(with_losses([-1.0] + [0.0] * 996), trials=[1, 2])
    np.testing.assert_allclose(over.expected_best, [[-1 / 997, -2 / 997]], rtol=1e-15)


def test_without_replacement_it_is_unbiased_and_with_replacement_it_is_not():
    """Of n uniform draws the i-th least is i/(n+1) on average, and the estimates are linear in these."""
    n, trials = 10, np.arange(1, 11)
    runs = with_losses(np.arange(1, n + 1) / (n + 1))
    over = analysis.tuning_budget(runs, trials=trials.tolist())
    np.testing.assert_allclose(over.expected_best, [1 / (trials + 1)], rtol=1e-14)
    biased = analysis.tuning_budget(runs, trials=trials.tolist(), replacement=True)
    assert bool((biased.expected_best > over.expected_best)[0, 1:].all())


def test_an_accuracy_keeps_its_sign():
    accuracy = np.array([0.5, 0.9, 0.6])
    runs = with_losses([1.0, 1.0, 1.0]).assign(test_accuracy=(("run", "step"), np.tile(accuracy[:, None], 3)))
    over = analysis.tuning_budget(runs, "final_test_accuracy", [2], [0.0, 1.0])
    np.testing.assert_allclose(over.expected_best, [[(0.9 + 0.9 + 0.6) / 3]], rtol=1e-15)
    assert over.best_quantiles.values.ravel().tolist() == [0.9, 0.6]


def test_optimizers_have_budgets_of_their_own():
    losses = (("a", 1.0), ("a", 2.0), ("a", 3.0), ("b", 9.0))
    runs = dataset([(label, SGD.format(loss), 0, [9, 9, loss], -1) for label, loss in losses])
    over = analysis.tuning_budget(runs)
    assert over.settings.values.tolist() == [3, 1]
    assert over.trials.values.tolist() == [1, 2, 3]
    np.testing.assert_allclose(over.expected_best, [[2, 4 / 3, 1], [9, np.nan, np.nan]])


def test_a_trial_is_the_median_over_its_seeds_in_tuning():
    rows = [("a", SGD.format(1.0), seed, [9, 9, loss], -1) for seed, loss in enumerate((1, 5, 100, 0))]
    runs = dataset(rows, stage=np.array(["tuning"] * 3 + ["evaluation"], object))
    assert analysis.tuning_budget(runs).expected_best.values.tolist() == [[5]]


def test_a_hundred_thousand_settings_are_exact_at_both_ends(rng):
    """The best of one is the mean, of all the least; of half the n-th is the best with a chance of about 2⁻ⁿ."""
    scores = np.arange(100_000.0)
    runs = dataset([("a", SGD.format(1.0), 0, [9, 9, 0], -1)]).isel(run=np.zeros(len(scores), int))
    runs = runs.assign_coords(spec=("run", np.array([f"{i}" for i in rng.permutation(len(scores))], object)))
    runs["loss"] = ("run", "step"), np.tile(scores[:, None], 3)
    over = analysis.tuning_budget(runs, trials=[1, 50_000, 100_000])
    np.testing.assert_allclose(over.expected_best, [[scores.mean(), 50_000 / 50_001, 0]], rtol=1e-10)


def test_no_trials_are_told():
    with pytest.raises(InputError, match="expected numbers of trials from 1 up; got 0"):
        analysis.tuning_budget(with_losses([1.0]), trials=[0, 1])


def test_runs_that_are_stopped_know_nothing_of_what_comes_later():
    rows = [
        ("a", SGD.format(rate), 0, losses, at) for rate, losses, at in ((1, [9, 5, np.nan], 20), (2, [9, 6, 1], -1))
    ]
    runs = dataset(rows).assign(steps_to_target=("run", np.array([15, 5])))
    budget = analysis.tuning_budget(runs, trials=[1, 2], steps=[10, 20])
    assert budget.expected_best.sel(optimizer="a", steps=10).values.tolist() == [5.5, 5]
    assert budget.expected_best.sel(optimizer="a", steps=20).values.tolist() == [np.inf, 1]
    assert budget.settings.values.tolist() == [2]
    reached = analysis.tuning_budget(runs, "steps_to_target", trials=[1, 2], steps=[10, 20])
    assert reached.expected_best.sel(optimizer="a").values.tolist() == [[np.inf, 5], [10, 5]]
    with pytest.raises(InputError, match=r"expected recorded steps; got 15, and recorded are \[ 0 10 20\]"):
        analysis.tuning_budget(runs, steps=[15])


def test_a_budget_is_divided_as_suits_it_best(rng):
    """Beside all pairs of lengths and numbers of trials, each from its own call."""
    runs = at_random(rng, settings=(4, 3), seeds=2, steps=4)
    spent = analysis.best_per_budget(runs, "best_test_accuracy", budgets=[5, 25, 60])
    for label, most in (("adamlab.sgd", 4), ("optax.adam", 3)):
        for budget in (25, 60):
            values = {
                (k, s): float(
                    analysis.tuning_budget(runs, "best_test_accuracy", [k], steps=[s])
                    .expected_best.sel(optimizer=label)
                    .squeeze()
                )
                for k in range(1, most + 1)
                for s in (10, 20, 30)
                if k * s <= budget
            }
            row = spent.sel(optimizer=label, budget=budget)
            assert float(row.expected_best) == max(values.values())
            assert values[int(row.trials), int(row.steps)] == max(values.values())
        below = spent.sel(optimizer=label, budget=5)
        assert np.isnan(below.expected_best)
        assert (int(below.trials), int(below.steps)) == (-1, -1)
