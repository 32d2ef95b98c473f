"""Tables of a dataset: standings and the summary."""

import numpy as np
import pytest
import xarray as xr

from adamlab import analysis
from adamlab.analysis import rows
from adamlab.analysis.tables import verdicts
from tests.analysis.examples import SGD, dataset


@pytest.fixture
def runs():
    of_runs = [
        ("a", SGD.format(0.1), 0, [5, 3, 1.0], -1),
        ("a", SGD.format(0.1), 1, [5, 3, 9.0], -1),
        ("a", SGD.format(0.1), 2, [5, 3, 2.0], -1),
        ("a", SGD.format(1.0), 0, [5, 0.5, 0.5], -1),
        ("a", SGD.format(1.0), 1, [5, 50, np.inf], 20),
        ("a", SGD.format(1.0), 2, [5, 50, np.nan], 20),
        ("b", SGD.format(0.1), 0, [5, 3, 1.5], -1),
    ]
    accuracy = [0.5, 0.25, 0.75, 0.9, 0.1, 0.1, 0.6]
    return dataset(of_runs).assign(test_accuracy=(("run", "step"), np.tile(np.array(accuracy)[:, None], 3)))


def test_a_run_diverges_at_its_start_too(runs):
    at = np.array([-1, 0, 1, -1, 20, 20, -1])
    assert rows.diverged(runs.assign(diverged_at=("run", at))).values.tolist() == (at != -1).tolist()


def test_standings_are_those_of_the_best_settings(runs):
    best, other = analysis.standings(runs).to_dict("records")
    assert (best["optimizer"], other["optimizer"]) == ("b", "a")
    assert (other["spec"], other["median"], other["least"], other["greatest"]) == (SGD.format(0.1), 2, 1, 9)
    assert (other["settings"], other["runs"], other["diverged"]) == (2, 6, 2)
    assert (best["settings"], best["runs"], best["diverged"]) == (1, 1, 0)


def test_standings_by_an_accuracy_put_the_greatest_first(runs):
    table = analysis.standings(runs, "final_test_accuracy")
    assert table.optimizer.tolist() == ["b", "a"]
    assert table["median"].tolist() == [0.6, 0.5]
    assert table.greatest.tolist() == [0.6, 0.75]


def test_standings_tell_of_the_evaluation(runs):
    stages = np.array(["tuning", "tuning", "evaluation", *["tuning"] * 4], object)
    table = analysis.standings(runs.assign_coords(stage=("run", stages))).set_index("optimizer")
    assert (table.loc["a", "spec"], table.loc["a", "median"]) == (SGD.format(0.1), 2)
    assert table.loc["b", "median"] == 1.5


def test_the_summary_tells_the_distances_from_optax_apart(runs):
    apart = {"params_difference": np.arange(7.0), "loss_difference": np.arange(7.0) + 10}
    table = analysis.summary(analysis.with_agreement(runs).assign({name: ("run", d) for name, d in apart.items()}))
    for name, expected in apart.items():
        assert table[f"optax_{name}"].tolist() == expected.tolist()


def test_the_summary_has_a_row_a_run(runs):
    runs = runs.assign(steps_to_target=("run", np.arange(7))).assign_coords(start=("run", np.arange(7)[::-1]))
    table = analysis.summary(analysis.with_agreement(runs))
    assert table.seed.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert table.start.tolist() == [6, 5, 4, 3, 2, 1, 0]
    assert table.steps_to_target.tolist() == list(range(7))
    assert table.steps.tolist() == [20] * 7
    np.testing.assert_array_equal(table.final_loss, [1, 9, 2, 0.5, np.inf, np.nan, 1.5])
    assert table.best_loss.tolist() == [1, 3, 2, 0.5, 5, 5, 1.5]
    assert table.final_test_accuracy.tolist() == [0.5, 0.25, 0.75, 0.9, 0.1, 0.1, 0.6]
    assert table.diverged.tolist() == [False] * 4 + [True] * 2 + [False]


def test_a_verdict_is_from_the_first_step_at_which_any_family_differs():
    texts = {name: ("comparison", ["it"] * 3) for name in ("label", "dtype", "context", "layout", "verdict")}
    sides = {name: ("comparison", [name] * 3) for name in ("left", "right")}
    steps = {"first_difference": (("comparison", "family"), [[-1, 5, 3], [-1, -1, -1], [7, -1, 9]])}
    bits = {"differing_bits": (("comparison", "family"), [[0, 4, 2], [0, 0, 0], [1, 0, 1]])}
    table = verdicts(xr.Dataset(texts | sides | steps | bits, attrs={"settings": []}))
    assert table.from_step.tolist() == ["3", "", "7"]
    assert table.differing_bits.tolist() == [6, 0, 2]
    assert (table.left + table.right).tolist() == ["leftright"] * 3
