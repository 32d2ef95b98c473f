"""Answers and caveats on datasets written by hand, of which a reader can tell what has to be said."""

import numpy as np
import pytest
import xarray as xr

from adamlab import analysis
from adamlab.analysis.answers.words import behind, listed
from tests.analysis.examples import SGD, dataset
from tests.analysis.test_ranking import with_losses


def ranked(medians, seeds=(0,), **coordinates):
    """Optimizers of one setting with the same final loss for each seed."""
    return with_losses({label: [loss] * len(seeds) for label, loss in medians.items()}).assign_coords(coordinates)


def evaluated(losses):
    """Each optimizer at two settings on a tuning seed, and the better on fresh seeds with these losses."""
    rows, stages = [], []
    for label, each in losses.items():
        rows += [(label, SGD.format(rate), 0, [9, 9, loss], -1) for rate, loss in ((0.1, 1), (0.2, 2))]
        rows += [(label, SGD.format(0.1), 10 + i, [9, 9, loss], -1) for i, loss in enumerate(each)]
        stages += ["tuning"] * 2 + ["evaluation"] * len(each)
    return dataset(rows, stage=np.array(stages, object))


def with_accuracy(runs, shares):
    return runs.assign(test_accuracy=(("run", "step"), np.tile(np.array(shares)[:, None], 3)))


def test_one_run():
    text = analysis.answer(ranked({"a": 0.25}))
    assert text == "a has a final loss of 0.25 with one seed."


def test_the_best_the_next_and_the_ranges_of_few_seeds():
    clear = analysis.answer(with_losses({"a": [4, 8, 16], "b": [1, 2, 3]}))
    assert clear == (
        "By the final loss b is best: 2 (median of 3 seeds, 1 to 3). Next: a with 8, 4 times as much. "
        "The worst run of b is better than the best of all that follow."
    )
    unclear = analysis.answer(with_losses({"a": [2, 8, 16], "b": [1, 2, 3]}))
    assert "The order is not sure: the range of a overlaps with that of the first" in unclear


def test_ties_are_named():
    text = analysis.answer(ranked({"a": 0.5, "b": 0.5000001, "c": 0.54}, seeds=(0, 1)))
    assert "a and b tie for the best: a has 0.5 (median of 2 seeds, the same in all of them)" in text
    assert "Next: c with 0.54, 8 % more" in text


@pytest.mark.parametrize(("worse", "words"), [(10, "a's lead is significant"), (6, "cannot be told apart from b")])
def test_many_seeds_are_tested(worse, words):
    """Of ten pairs Wilcoxon's two-sided p is 2 / 2^10 where all are worse; it is 0.43 with four of the others."""
    losses = {
        "a": [1.0 + i / 100 for i in range(10)],
        "b": [2.0 + i for i in range(worse)] + [-2.0 * i for i in (1, 2, 3, 4)],
    }
    text = analysis.answer(with_losses({label: each[:10] for label, each in losses.items()}))
    assert words in text
    assert ("p at most 0.002" in text) is (worse == 10)


def test_a_lead_of_the_median_that_the_signed_ranks_deny():
    """Of 41 pairs 21 are a little better and 20 far worse: the median is a's, and the sum of ranks b's."""
    b = [5 + i / 1000 for i in range(41)]
    bad = [29.0 + i for i in range(20)]
    for late in (bad, [None] * 20):
        runs = with_losses({"a": [4.99] * 21 + late, "b": b})
        text = analysis.answer(runs)
        assert "a is best" in text
        assert "lead is significant" not in text
        assert "a leads by the median alone: Wilcoxon's signed-rank test over the same seeds favours b" in text
        assert analysis.paired_tests(runs).favours.tolist() == ["b"]
        assert analysis.against_first(runs).favours.tolist() == ["b"]


def test_a_decay_just_below_1_keeps_its_digits():
    spec = "optax.adam(learning_rate=0.1, b2={})"
    rows = [("a", spec.format(decay), 0, [9, 9, loss], -1) for decay, loss in ((0.9, 2), (0.9999, 1), (0.99, 3))]
    assert "at b2 0.9999" in analysis.answer(dataset(rows))


def test_so_few_seeds_that_no_test_could_differ_are_told_by_their_ranges():
    text = analysis.answer(with_losses({"a": [1, 2, 3, 4, 5], "b": [6, 7, 8, 9, 10]}))
    assert "Wilcoxon" not in text
    assert "The worst run of a is better" in text


def test_diverged_runs_are_counted():
    text = analysis.answer(with_losses({"a": [1, 2], "b": [3, None], "c": [None, None]}))
    assert "b and c diverged or gave no number in half of the runs or more" in text
    assert text.endswith("3 of 6 runs diverged: 2 of 2 of c and 1 of 2 of b.")
    assert "diverged" not in analysis.answer(with_losses({"a": [1, 2], "b": [3, 4]}))


def test_nothing_that_converged():
    runs = with_losses({"a": [None, None], "b": [None, None]})
    assert analysis.answer(runs) == (
        "No optimizer has a finite final loss at any setting. 4 of 4 runs diverged: 2 of 2 of a and 2 of 2 of b."
    )
    assert analysis.caveats(runs) == ["4 of 4 runs diverged; a diverged run counts as the worst."]


def test_losses_of_0_and_below_are_told_by_differences():
    assert "Next: b with -2, 1 more" in analysis.answer(ranked({"a": -3.0, "b": -2.0}))
    assert "Next: b with 0.5, 0.5 more" in analysis.answer(ranked({"a": 0.0, "b": 0.5}))


def test_accuracies_are_in_percent_and_better_when_greater():
    runs = with_accuracy(ranked({"a": 1.0, "b": 2.0}), [0.961, 0.972]).assign_attrs(by="final_test_accuracy")
    text = analysis.answer(runs)
    assert text.startswith("By the final test accuracy b is best: 97.2 % with one seed.")
    assert "Next: a with 96.1 %, 1.1 percentage points less." in text
    clear = with_accuracy(with_losses({"a": [1, 1], "b": [1, 1]}), [0.5, 0.6, 0.7, 0.8])
    assert "The worst run of b is better" in analysis.answer(clear.assign_attrs(by="final_test_accuracy"))


def test_the_best_of_the_test_data_is_told_where_the_training_loss_ranks():
    runs = with_accuracy(ranked({"a": 1.0, "b": 2.0}), [0.961, 0.972])
    assert "the final test accuracy is best with b, 97.2 %; a has 96.1 %." in analysis.answer(runs)
    assert any('by = "final_test_accuracy" ranks by the test data' in text for text in analysis.caveats(runs))
    same = with_accuracy(ranked({"a": 1.0, "b": 2.0}), [0.972, 0.961])
    assert "is best with a, 97.2 %." in analysis.answer(same)


def test_steps_to_a_target():
    runs = ranked({"a": 1.0, "b": 2.0, "c": 3.0}).assign(steps_to_target=("run", [40, 10, -1]))
    text = analysis.answer(runs.assign_attrs(by="steps_to_target"))
    assert text.startswith("By the number of steps to the target b is best: 10 with one seed.")
    assert "Next: a with 40, 4 times as many." in text
    assert "c did not reach the target" in text
    nobody = runs.assign(steps_to_target=("run", [-1, -1, -1])).assign_attrs(by="steps_to_target")
    assert analysis.answer(nobody) == "No optimizer reached the target in half of the runs of its best setting."


def test_the_setting_and_the_end_of_its_range():
    rows = [("a", SGD.format(rate), 0, [9, 9, loss], -1) for rate, loss in ((0.1, 3), (0.2, 1))]
    text = analysis.answer(dataset(rows))
    assert "a has a final loss of 1 with one seed, at learning_rate 0.2, the best of its 2 settings." in text
    assert "a's learning_rate = 0.2 is the largest that was tried: values beyond may be better." in text
    inside = analysis.answer(dataset([*rows, ("a", SGD.format(0.4), 0, [9, 9, 2], -1)]))
    assert "tried" not in inside


def test_an_evaluation_is_of_fresh_seeds():
    runs = evaluated({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]})
    assert "a is best: 2 (median of 3 fresh seeds, 1 to 3), at learning_rate 0.1" in analysis.answer(runs)
    assert not any("flatters" in text for text in analysis.caveats(runs))
    tuning = runs.isel(run=np.flatnonzero(runs.stage.values == "tuning")).drop_vars("stage")
    assert any("flatters" in text for text in analysis.caveats(tuning))


def test_several_problems():
    problems = {
        "one": with_losses({"a": [1, 1], "b": [2, 2]}, "one"),
        "two": with_losses({"a": [2, 2], "b": [2, 2]}, "two"),
        "three": with_losses({"a": [3, 3], "b": [5, 5]}, "three"),
        "four": with_losses({"a": [None, None], "b": [None, None]}, "four"),
    }
    whole, *lines = analysis.answer(problems).splitlines()
    assert whole == (
        "Best of 4 problems: a on 2 (one and three); a and b on 1 (two); "
        "nobody on 1 (four), where none has a finite result."
    )
    assert [line.partition(":")[0] for line in lines] == [*problems]
    assert lines[0].removeprefix("one: ") == analysis.answer(problems["one"])


def test_runs_that_are_not_done():
    runs = with_losses({"a": [1, 2], "b": [3, 4]}).assign_coords(done=("run", [True, True, False, False]))
    assert analysis.answer(runs).startswith("a has a final loss of 1.5")
    assert "2 of 4 runs are not done" in analysis.caveats(runs)[0]
    nothing = runs.assign_coords(done=("run", [False] * 4))
    assert analysis.answer(nothing) == "No run is done yet."


def test_caveats_of_seeds_and_budgets_name_their_problems():
    alone = analysis.caveats(ranked({"a": 1.0, "b": 2.0}))
    assert alone == ["One seed only: how much luck there is in the order is not known."]
    assert "3 seeds are too few" in analysis.caveats(with_losses({"a": [1, 2, 3], "b": [4, 5, 6]}))[0]
    assert analysis.caveats(with_losses({"a": [1, 2, 3, 4, 5], "b": [4, 5, 6, 7, 8]})) == []
    rows = [("a", SGD.format(rate), 0, [9, 9, 1], -1) for rate in (0.1, 0.2)]
    uneven = dataset([*rows, ("b", SGD.format(0.1), 0, [9, 9, 1], -1)], problem="uneven")
    told = analysis.caveats({"even": ranked({"a": 1.0, "b": 2.0}), "uneven": uneven})
    assert "uneven: Optimizers had unequal numbers of settings to choose from: a 2, b 1." in told
    assert alone[0] in told


def compared(kinds, gaps):
    """Comparisons of one family with so large gaps."""
    count = len(kinds)
    return xr.Dataset(
        {
            "gap": (("comparison", "family"), np.array(gaps, float)[:, None]),
            "apart_max": (("comparison", "family"), np.arange(1.0, count + 1)[:, None]),
        },
        {
            "kind": ("comparison", np.array(kinds, object)),
            "label": ("comparison", np.array([f"label {i}" for i in range(count)], object)),
            "dtype": ("comparison", np.array(["float32"] * count, object)),
            "b2": ("comparison", np.linspace(0, 1, count)),
            "family": ["normal"],
        },
        {"of": "comparisons", "problem": "comparisons", "settings": ["b2"]},
    )


def test_comparisons():
    assert analysis.answer(compared(["bit-identical"] * 27, [0] * 27)) == "27 of 27 comparisons are bit-identical."
    kinds = ["bit-identical", "same formula", "same formula", "different formulas", "different formulas"]
    assert analysis.answer(compared(kinds, [0, 0, 0, 0.5, 0.25])) == (
        "1 of 5 comparisons is bit-identical. 2 have the same formula, rounded differently: at most 3 ulp apart "
        "(label 2, float32, b2 0.5). 2 have different formulas; the nearest has a largest relative gap of 0.25 "
        "(label 4, float32, b2 1)."
    )
    unknown = analysis.answer(compared(["different bits", "different formulas"], [np.nan, np.nan]))
    assert unknown.endswith("1 has different formulas. 1 differs in bits, and no formula could be compared.")


def test_comparisons_that_leave_the_range_of_their_type_are_no_unread_ones():
    data = compared(["different bits"] * 3, [np.nan] * 3)
    data["left_median"] = ("comparison", "family"), [[0.5], [np.nan], [0.5]]
    text = analysis.answer(data)
    assert "2 have the same formula in exact numbers, but leave the range of numbers of the type." in text
    assert text.endswith("1 differs in bits, and no formula could be compared.")


def read(solved, weights):
    """States with or without a closed form; the weights of the first over lags."""
    count = len(solved)
    return xr.Dataset(
        {"weight": (("setting", "lag"), np.array([weights], float))},
        {
            "label": ("reading", np.array(["Adam"] * count, object)),
            "state": ("reading", np.array([f"s{i}" for i in range(count)], object)),
            "solved": ("reading", np.array(solved)),
            "power": ("setting", [2]),
            "reading_of": ("setting", [0]),
            "b2": ("setting", [0.5]),
        },
        {"of": "readings", "problem": "readings", "settings": ["b2"]},
    )


def test_readings():
    text = analysis.answer(read([True, True, False], [1, 0.6, 0.3]))
    assert text == (
        "Closed form found for 2 of 3, not for s2 of Adam. "
        "A gradient weighs at most half of what it did after 2 steps (s0 of Adam, b2 0.5)."
    )
    assert analysis.answer(read([True], [1, 0.9])).startswith("Closed form found for 1 of 1: s0 of Adam.")


def test_long_lists_of_names_are_cut():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c", "d"]) == "a, b, c and d"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 others"
    assert listed(["a" * 80, "b" * 80, "c" * 80]) == f"{'a' * 80} and 2 others"
    assert listed(["a" * 80, "b" * 80]) == f"{'a' * 80} and 1 other"


def test_differences_from_the_best():
    assert behind("final_loss", 2.0, 3.0) == "1.5 times as much"
    assert behind("final_loss", 2.0, 2.04) == "2 % more"
