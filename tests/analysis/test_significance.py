"""Tests of differences beside published examples, and beside SciPy's on plain arrays."""

import itertools

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, wilcoxon

from adamlab import analysis
from adamlab.analysis.comparing.significance import holm
from adamlab.errors import InputError
from tests.analysis.test_ranking import with_losses

# Demšar 2006, table 6: the ranks of four variants of C4.5 on 14 data sets.
RANKS = {
    "C4.5": [4, 1, 4, 4, 4, 1, 3, 2.5, 4, 2.5, 4, 3, 4, 3],
    "C4.5+m": [3, 2, 1, 1, 2, 2.5, 2, 2.5, 3, 2.5, 2.5, 2, 1, 1],
    "C4.5+cf": [2, 3, 2, 3, 3, 4, 4, 4, 2, 2.5, 1, 4, 2, 4],
    "C4.5+m+cf": [1, 4, 3, 2, 1, 2.5, 1, 1, 1, 2.5, 2.5, 1, 3, 2],
}


def test_critical_values_are_those_of_demsar():
    """Table 5 (a): q of Nemenyi's test at 5 % for 2 to 10 classifiers."""
    q = [analysis.critical_difference(k, 1) / np.sqrt(k * (k + 1) / 6) for k in range(2, 11)]
    np.testing.assert_allclose(q, [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164], atol=1.1e-3)
    tenth = [analysis.critical_difference(k, 1, 0.9) / np.sqrt(k * (k + 1) / 6) for k in (2, 6, 10)]
    np.testing.assert_allclose(tenth, [1.645, 2.589, 2.920], atol=1.1e-3)


def test_friedmans_test_is_that_of_demsar():
    """Section 3.2.2: mean ranks 3.143, 2.000, 2.893, 1.964, χ² = 9.28 without regard to ties, CD = 1.25 for N = 14."""
    test = analysis.friedman(with_losses(RANKS))
    np.testing.assert_allclose(test.mean_rank, [3.143, 2.000, 2.893, 1.964], atol=1e-3)
    ties = sum(count**3 - count for row in zip(*RANKS.values(), strict=True) for count in map(row.count, {*row}))
    assert test.statistic * (1 - ties / (14 * (4**3 - 4))) == pytest.approx(9.28, abs=0.01)
    assert test.critical_difference == pytest.approx(1.25, abs=0.005)
    assert int(test.n) == 14
    assert test.p == pytest.approx(friedmanchisquare(*RANKS.values()).pvalue)


def test_blocks_are_problems_and_seeds():
    losses = {"a": [1, 2, 5], "b": [2, 3, 4], "c": [3, 4, 6]}
    test = analysis.friedman(
        {"one": with_losses(losses), "two": with_losses({k: v[:2] for k, v in losses.items()}, "two")}
    )
    assert test.n == 5
    np.testing.assert_allclose(test.mean_rank, [(1 + 1 + 2 + 1 + 1) / 5, (2 + 2 + 1 + 2 + 2) / 5, 3])
    assert analysis.friedman(with_losses({"a": [1, 1], "b": [1, 1], "c": [1, 1]})).p == 1


def test_paired_tests_are_scipys(rng):
    losses = {label: rng.normal(shift, 1, 9).tolist() for label, shift in (("a", 0), ("b", 1), ("c", 3))}
    table = analysis.paired_tests(with_losses(losses))
    assert table[["first", "second"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    for row in table.to_dict("records"):
        ours, theirs = np.array(losses[row["first"]]), np.array(losses[row["second"]])
        assert row["p"] == pytest.approx(wilcoxon(ours, theirs, method="exact")[1])
        assert row["difference"] == pytest.approx(np.median(ours - theirs))
        assert row["n"] == 9
        assert (row["first_wins"], row["second_wins"]) == ((ours < theirs).sum(), (ours > theirs).sum())


def test_the_exact_p_is_a_count_of_all_signs():
    """Differences −1, 2, 3, 4, 5, 6: the sum of the negative ranks is 1, which 2 of 64 signs reach on each side."""
    table = analysis.paired_tests(with_losses({"a": [0, 2, 3, 4, 5, 6], "b": [1, 0, 0, 0, 0, 0]}))
    sums = [sum(i + 1 for i, negative in enumerate(signs) if negative) for signs in itertools.product([0, 1], repeat=6)]
    assert table.p[0] == pytest.approx(2 * np.mean(np.array(sums) <= 1))


def test_runs_that_diverged_are_further_off_than_any_and_those_alike_are_left_out():
    table = analysis.paired_tests(with_losses({"a": [1, 2, 3, None, 4, 5], "b": [9, 9, 9, None, None, 4]}))
    assert table[["n", "first_wins", "second_wins"]].to_numpy().tolist() == [[6, 4, 1]]
    assert table.p[0] == pytest.approx(wilcoxon([-8, -7, -6, -99, 1])[1])
    assert analysis.paired_tests(with_losses({"a": [1, 2], "b": [1, 2]})).p[0] == 1


def test_an_accuracy_is_better_when_greater():
    runs = with_losses({"a": [1] * 6, "b": [1] * 6})
    accuracy = np.repeat([[0.9], [0.5]], 6, axis=0)
    runs = runs.assign(test_accuracy=(("run", "step"), accuracy * np.ones(3)))
    (row,) = analysis.paired_tests(runs, "final_test_accuracy").to_dict("records")
    assert (row["first_wins"], row["second_wins"]) == (6, 0)
    assert row["difference"] == pytest.approx(0.4)


def test_holms_adjustment_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, never falling.
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.02])), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.5, 0.9])), [1, 1])


def test_the_report_has_tests_where_there_are_enough_runs():
    first = {"a": [5, 5, 5, 5, 5, 6], "b": [1, 2, 3, 4, 5, 5], "c": [7, 7, 7, 8, 9, 7]}
    table = analysis.against_first(with_losses(first))
    assert (table.optimizer.tolist(), table.attrs["first"]) == (["a", "c"], "b")
    assert table.p_holm[1] == pytest.approx(2 / 32)
    assert analysis.against_first(with_losses({label: each[:4] for label, each in first.items()})).empty
    assert analysis.against_first(with_losses({"a": first["a"]})).empty
    both = {"one": with_losses(first), "two": with_losses(first, "two")}
    ranks = analysis.rank_rows(both)
    assert ranks.optimizer.tolist() == ["b", "a", "c"]
    assert ranks.n.tolist() == [12] * 3
    assert ranks.attrs["difference"] == pytest.approx(2.343 * np.sqrt(12 / 72), abs=1e-3)
    assert ranks.differs.tolist() == ["", "no", "yes"]  # behind by 0.83 and 1.92, of 0.957
    assert analysis.rank_rows(both["one"]).empty
    assert analysis.rank_rows({name: runs.isel(run=slice(12)) for name, runs in both.items()}).empty


def test_what_cannot_be_tested_is_told():
    runs = with_losses({"a": [1, 2], "b": [1, 2]})
    for call, message in (
        (lambda: analysis.paired_tests(runs, against="c"), 'there is no optimizer "c"; valid here: a, b'),
        (lambda: analysis.paired_tests(with_losses({"a": [1]})), "there is a alone"),
        (lambda: analysis.friedman(runs), "takes three optimizers; there are 2"),
        (lambda: analysis.friedman(runs, level=1.0), "a level between 0 and 1; got 1.0"),
    ):
        with pytest.raises(InputError, match=message):
            call()
