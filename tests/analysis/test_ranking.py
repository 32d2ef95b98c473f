"""Ranks beside SciPy's, and bootstrap intervals beside all draws that there are."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from adamlab import analysis
from adamlab.analysis.comparing.instances import by_instance
from adamlab.analysis.comparing.ranking import average_ranks
from adamlab.errors import InputError
from tests.analysis.examples import SGD, dataset


def with_losses(losses, problem="made"):
    """One setting an optimizer, whose run with seed i ends at the i-th loss; None where it diverged."""
    rows = [
        (label, SGD.format(0.1), seed, [9, 9, np.nan if loss is None else loss], 10 if loss is None else -1)
        for label, each in losses.items()
        for seed, loss in enumerate(each)
    ]
    return dataset(rows, problem=problem)


scores = st.lists(st.lists(st.sampled_from([0, 1, 2, np.inf]), min_size=4, max_size=4), min_size=1, max_size=6)


@given(scores)
def test_ranks_are_scipys(columns):
    table = np.array(columns).T
    np.testing.assert_array_equal(average_ranks(table), rankdata(table, axis=0))


def test_mean_ranks_by_hand():
    over = analysis.ranks(with_losses({"a": [1, 2, None], "b": [3, 2, None], "c": [2, 5, 1]}))
    assert over["rank"].values.tolist() == [[1, 1.5, 2.5], [3, 1.5, 2.5], [2, 3, 1]]
    np.testing.assert_allclose(over.mean_rank, [5 / 3, 7 / 3, 2])


def test_ranks_go_by_what_is_asked_for_and_divergence_is_last():
    runs = with_losses({"a": [1, 2], "b": [3, 1], "c": [2, 3]})
    runs.diverged_at[0] = 20  # its loss is the least, and finite
    runs = runs.assign(test_accuracy=(("run", "step"), np.array([0.8, 0.3, 0.4, 0.2, 0.5, 0.1])[:, None] * [1, 1, 1]))
    assert analysis.ranks(runs)["rank"].values.tolist() == [[3, 2], [2, 1], [1, 3]]
    assert analysis.ranks(runs, "final_test_accuracy")["rank"].values.tolist() == [[3, 1], [2, 2], [1, 3]]
    runs.diverged_at[0] = -1
    assert analysis.ranks(runs)["rank"].values.tolist() == [[1, 2], [3, 1], [2, 3]]
    assert analysis.ranks(runs, "final_test_accuracy")["rank"].values.tolist() == [[1, 1], [3, 2], [2, 3]]


def test_a_run_whose_number_is_none_counts_as_the_worst():
    runs = with_losses({"a": [1, 2], "b": [3, 1]})
    numbers, _ = by_instance(runs, lambda chosen: chosen.loss.isel(step=-1).where(chosen.optimizer != "a"))
    assert numbers.values.tolist() == [[np.inf, np.inf], [3, 1]]


def test_problems_are_joined_and_each_optimizer_is_at_its_best_on_each():
    losses = (("a", 0.5), ("a", 0.1), ("b", 0.3))
    first = dataset([(label, SGD.format(loss), 0, [9, 9, loss], -1) for label, loss in losses])
    over = analysis.ranks({"one": first, "two": with_losses({"a": [3], "b": [2]}, "two")})
    assert over["rank"].values.tolist() == [[1, 2], [2, 1]]
    assert over.problem.values.tolist() == ["one", "two"]
    assert over.attrs["problem"] == "2 problems"


def test_settings_are_chosen_by_what_is_asked_for():
    """Of a, 0.5 ends best, and 0.1 was best on its way."""
    losses = (("a", 0.5, 1, 3), ("a", 0.1, 0, 4), ("b", 0.3, 0.5, 2))
    runs = dataset([(label, SGD.format(rate), 0, [9, best, final], -1) for label, rate, best, final in losses])
    assert analysis.ranks(runs)["rank"].values.tolist() == [[2], [1]]
    assert analysis.ranks(runs, "best_loss")["rank"].values.tolist() == [[1], [2]]


def test_the_interval_is_that_of_all_draws_with_replacement():
    """Of 5 instances there are 3125 draws; the quantiles looked at lie inside flats of the discrete distribution."""
    losses = {"a": [1, 1, 1, 3, 2], "b": [2, 3, 2, 1, 3], "c": [3, 2, 3, 2, 1]}
    table = rankdata(np.array(list(losses.values())), axis=0)
    means = np.array([table[:, drawn].mean(axis=1) for drawn in itertools.product(range(5), repeat=5)])
    level = 0.9
    over = analysis.ranks(with_losses(losses), level=level, draws=40_000)
    for optimizer, row in enumerate(means.T):
        for q, bound in ((0.05, over.low), (0.95, over.high)):
            value = np.quantile(row, q)
            spread = 5 * np.sqrt(q * (1 - q) / 40_000)  # five standard errors of a share among the draws
            assert np.mean(row <= value + 1e-9) > q + spread
            assert np.mean(row < value - 1e-9) < q - spread
            np.testing.assert_allclose(bound.values[optimizer], value, rtol=1e-12)


def test_the_same_seed_gives_the_same_interval(rng):
    runs = with_losses({name: rng.random(30).tolist() for name in "abcd"})
    assert analysis.ranks(runs).identical(analysis.ranks(runs))
    assert not analysis.ranks(runs, draws=50).low.identical(analysis.ranks(runs, draws=50, seed=1).low)


def test_many_draws_are_made_some_at_a_time(rng, monkeypatch):
    runs = with_losses({name: rng.random(7).tolist() for name in "ab"})
    whole = analysis.ranks(runs, draws=101)
    monkeypatch.setattr("adamlab.analysis.comparing.ranking.AT_ONCE", 30)
    assert analysis.ranks(runs, draws=101).identical(whole)


@pytest.mark.parametrize("wrong", [{"level": 1.0}, {"level": 0.0}, {"draws": 0}])
def test_impossible_intervals_are_told(wrong):
    with pytest.raises(InputError, match="expected a level between 0 and 1 and at least one draw"):
        analysis.ranks(with_losses({"a": [1], "b": [2]}), **wrong)
