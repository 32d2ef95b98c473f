"""Means, their errors and quantiles over seeds, and steps to a target, beside loops and NumPy's own."""

import numpy as np
import pytest

from adamlab import analysis
from adamlab.errors import InputError
from tests.analysis.examples import SGD, at_random, dataset


def worst(runs, what):
    """The recorded values as they are to count, by a loop."""
    values = runs[what].values.copy()
    for run, since in enumerate(runs.diverged_at.values):
        for i, step in enumerate(runs.step.values):
            if np.isinf(values[run, i]) or (since != -1 and step >= since):
                values[run, i] = -np.inf if what == "test_accuracy" else np.inf
    return values


@pytest.mark.parametrize("what", ["loss", "test_accuracy"])
@pytest.mark.parametrize("per_setting", [False, True])
def test_mean_error_and_quantiles_are_those_of_each_group(rng, what, per_setting):
    """Groups differ in size: some runs are not done. NumPy's quantiles do not take infinite values."""
    for _ in range(10):
        runs = at_random(rng, seeds=5)
        runs = runs.assign_coords(done=("run", rng.random(runs.sizes["run"]) < 0.8))
        runs[what][3, :2] = [np.nan, np.inf]
        levels = [0.0, 0.1, 0.5, 0.75, 1.0]
        over = analysis.over_seeds(runs, what, levels, per_setting=per_setting)
        kept = analysis.finished(runs) if per_setting else analysis.best_settings(runs)
        for i, spec in enumerate(over.spec.values):
            group = worst(kept, what)[kept.spec.values == spec]
            for j in range(over.sizes["step"]):
                column = np.sort(group[~np.isnan(group[:, j]), j])
                n = len(column)
                assert over["count"].values[i, j] == n
                np.testing.assert_allclose(over["mean"].values[i, j], column.mean(), rtol=1e-14)
                if n > 1 and np.isfinite(column).all():
                    error = column.std(ddof=1) / np.sqrt(n)
                    np.testing.assert_allclose(over.standard_error.values[i, j], error, rtol=1e-12)
                else:
                    assert np.isnan(over.standard_error.values[i, j])
                for level, quantile in zip(levels, over.quantiles.values[:, i, j], strict=True):
                    around = column[[int(np.floor(level * (n - 1))), int(np.ceil(level * (n - 1)))]]
                    if np.isfinite(around).all():
                        np.testing.assert_allclose(quantile, np.quantile(np.clip(column, -1e9, 1e9), level), rtol=1e-14)
                    else:
                        assert quantile == around[~np.isfinite(around)][0]


def test_a_run_that_diverged_counts_as_infinite_from_then_on():
    rows = [("a", SGD.format(0.1), seed, [4, 3, 2.0], since) for seed, since in ((0, -1), (1, 10), (2, -1))]
    over = analysis.over_seeds(dataset(rows), quantiles=[0.5, 1.0])
    assert over["mean"].values.tolist() == [[4, np.inf, np.inf]]
    assert over.quantiles.values.tolist() == [[[4, 3, 2]], [[4, np.inf, np.inf]]]
    np.testing.assert_array_equal(over.standard_error, [[0, np.nan, np.nan]])


def test_where_nothing_is_recorded_there_is_nothing():
    rows = [("a", SGD.format(0.1), seed, [np.nan, loss, loss], -1) for seed, loss in enumerate((1, 3))]
    over = analysis.over_seeds(dataset(rows))
    assert over["count"].values.tolist() == [[0, 2, 2]]
    np.testing.assert_array_equal(over["mean"], [[np.nan, 2, 2]])
    np.testing.assert_array_equal(over.quantiles.sel(quantile=0.25), [[np.nan, 1.5, 1.5]])


def test_the_standard_error_by_hand():
    """Of 1, 2, 6: the mean 3, s² = (4 + 1 + 9) / 2 = 7, the error √(7/3)."""
    rows = [("a", SGD.format(0.1), seed, [loss] * 3, -1) for seed, loss in enumerate((1, 2, 6))]
    over = analysis.over_seeds(dataset(rows))
    np.testing.assert_allclose(over["mean"], [[3, 3, 3]], rtol=1e-15)
    np.testing.assert_allclose(over.standard_error, [[np.sqrt(7 / 3)] * 3], rtol=1e-15)


def test_evaluation_is_told_of_and_every_setting_in_tuning():
    rows = [("a", SGD.format(0.1), seed, [loss] * 3, -1) for seed, loss in enumerate((1, 2, 6))]
    runs = dataset(rows, stage=np.array(["tuning", "evaluation", "evaluation"], object))
    assert analysis.over_seeds(runs)["mean"].values.tolist() == [[4, 4, 4]]
    assert analysis.over_seeds(runs, per_setting=True)["mean"].values.tolist() == [[1, 1, 1]]


def test_steps_to_are_what_a_loop_finds(rng):
    runs = at_random(rng)
    runs.loss[2, 0] = np.nan
    for what, target, meets in (("loss", 3, np.less_equal), ("test_accuracy", 0.75, np.greater_equal)):
        steps = analysis.steps_to(runs, target, what)
        for run in range(runs.sizes["run"]):
            recorded = zip(runs.step.values, runs[what].values[run], strict=True)
            assert steps.values[run] == next((step for step, value in recorded if meets(value, target)), -1)
        assert steps.seed.values.tolist() == runs.seed.values.tolist()
        assert set(steps.values.tolist()) >= {-1, 0, 10}


@pytest.mark.parametrize("ask", [analysis.over_seeds, lambda runs, what: analysis.steps_to(runs, 1, what)])
def test_what_was_not_recorded_over_steps_is_told(rng, ask):
    for what in ("params", "accuracy"):
        with pytest.raises(InputError, match=f'no "{what}" was recorded over steps; '):
            ask(at_random(rng), what)
