"""Pictures of profiles, ranks and budgets: what is drawn is what the analysis found."""

from typing import Any

import numpy as np
import pytest

from adamlab import analysis
from adamlab.plots import PLOTS, NothingToDrawError, budget, curves, profiles, ranks, sensitivity
from tests.analysis.examples import at_random, dataset
from tests.plots.made_runs import runs as runs_of
from tests.plots.written import unwritten


@pytest.fixture(scope="module")
def runs():
    return analysis.with_agreement(at_random(np.random.default_rng(20150507), settings=(4, 3), seeds=5))


def caption(figure) -> str:
    return str(figure.get_label())


def lines(figure) -> dict[str, Any]:
    """The drawn lines by their labels in the legend."""
    (axes,) = figure.axes
    return {str(line.get_label()): line for line in axes.get_lines() if not str(line.get_label()).startswith("_")}


@pytest.mark.parametrize(("target", "what"), [(3, "loss"), (0.75, "test_accuracy")])
def test_profiles_are_steps_at_the_factors(runs, target, what):
    over = analysis.performance_profiles(runs, lambda dataset: analysis.steps_to(dataset, target, what))
    figure = profiles(runs, target, what)
    for label, line in lines(figure).items():
        assert line.get_drawstyle() == "steps-post"
        np.testing.assert_array_equal(line.get_xdata()[:-1], over.factor)
        np.testing.assert_array_equal(line.get_ydata()[:-1], over.profile.sel(optimizer=label))
        assert line.get_ydata()[-1] == line.get_ydata()[-2]
    assert figure.axes[0].get_ylabel() == "share of 5 seeds"
    assert figure.axes[0].get_title() == f"made: steps to {what} {target}, each optimizer at its best setting"


def test_profiles_take_the_recorded_target_and_several_problems(runs):
    recorded = runs.assign(steps_to_target=analysis.steps_to(runs, 3))
    together = profiles({"one": recorded, "two": recorded})
    assert together.axes[0].get_ylabel() == "share of 10 runs"
    assert together.axes[0].get_title().startswith("2 problems: steps to the target")
    alone = lines(profiles(runs, target=3))
    for label, line in lines(together).items():
        np.testing.assert_array_equal(line.get_xydata(), alone[label].get_xydata())


def test_pictures_can_be_written(runs):
    pictures = profiles(runs, target=3), ranks(runs), budget(runs), curves(runs, mean=True)
    assert [unwritten(figure) for figure in pictures] == [[]] * 4
    assert [len(figure.axes[0].get_title()) > len("made: ") for figure in pictures] == [True] * 4


def test_ranks_are_points_in_their_intervals(runs):
    over = analysis.ranks(runs)
    (axes,) = ranks(runs).axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == over.optimizer.values[np.argsort(-over.mean_rank.values, kind="stable")].tolist()
    intervals, points = axes.get_lines()[::2], axes.get_lines()[1::2]
    colors = {label: line.get_color() for label, line in lines(profiles(runs, target=3)).items()}
    assert len({*colors.values()}) == len(labels)
    for height, label in enumerate(labels):
        mine = over.sel(optimizer=label)
        np.testing.assert_array_equal(intervals[height].get_xydata(), [[mine.low, height], [mine.high, height]])
        np.testing.assert_array_equal(points[height].get_xydata(), [[mine.mean_rank, height]])
        assert intervals[height].get_color() == points[height].get_color() == colors[label]


@pytest.mark.parametrize("by", ["final_loss", "best_test_accuracy"])
def test_budget_is_the_expected_best_in_its_quartiles(runs, by):
    over = analysis.tuning_budget(runs, by)
    figure = budget(runs, by)
    (axes,) = figure.axes
    assert list(lines(figure)) == ["adamlab.sgd, 4 settings", "optax.adam, 3 settings"]
    for i, line in enumerate(lines(figure).values()):
        expected = over.expected_best.values[i]
        np.testing.assert_array_equal(line.get_ydata(), np.where(np.isfinite(expected), expected, np.nan))
        low, median, high = np.where(np.isfinite(over.best_quantiles), over.best_quantiles, np.nan)[:, i]
        np.testing.assert_array_equal(axes.get_lines()[2 * i + 1].get_ydata(), median)
        band = np.concatenate([np.asarray(path.vertices)[:, 1] for path in axes.collections[i].get_paths()])
        both = np.where(np.isnan(low + high), np.nan, [low, high])  # where one is infinite there is no band
        assert (band.min(), band.max()) == (np.nanmin(both), np.nanmax(both))
    assert axes.get_ylabel() == f"best {by.replace('_', ' ', 1)}: mean, median, quartiles"


def test_values_that_axes_cannot_reach_are_not_drawn(runs):
    """In double a run can go to 1e300 and be finite; Matplotlib's logarithmic axes overflow there."""
    wild = runs.assign(loss=runs.loss.where(runs.seed > 0, 1e300)).assign(diverged_at=runs.diverged_at * 0 - 1)
    for figure in (curves(wild), curves(wild, mean=True), budget(wild), sensitivity(wild), ranks(wild)):
        assert unwritten(figure) == []
        drawn = [np.asarray(line.get_ydata(), float) for line in figure.axes[0].get_lines()]
        assert not any((np.abs(each) > 1e30).any() for each in drawn)
    assert len(lines(curves(wild, mean=True))) == len(lines(curves(wild))) == 2


def test_curves_can_show_the_mean_in_its_standard_error(runs):
    over = analysis.over_seeds(runs)
    figure = curves(runs, mean=True)
    (axes,) = figure.axes
    for i, line in enumerate(lines(figure).values()):
        mean, error = over["mean"].values[i], over.standard_error.values[i]
        np.testing.assert_array_equal(line.get_ydata(), np.where(np.isfinite(mean), mean, np.nan))
        band = np.asarray(axes.collections[i].get_paths()[0].vertices)[:, 1]
        assert (band.min(), band.max()) == (np.nanmin(mean - error), np.nanmax(mean + error))
    assert axes.get_ylabel() == "loss (mean ± standard error of 5 seeds)"


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("profiles", {}, 'give a target, or put "steps_to_target" among record.what'),
        ("profiles", {"target": 0.5}, "no run reached the target"),
        ("profiles", {"target": 0.5, "what": "accuracy"}, "no accuracy was recorded over steps"),
        ("ranks", {"by": "final_lost"}, 'cannot be compared by "final_lost"; did you mean'),
        ("budget", {"by": "final_lost"}, 'cannot be compared by "final_lost"; did you mean'),
    ],
)
def test_what_cannot_be_drawn_is_told(runs, kind, options, message):
    with pytest.raises(NothingToDrawError, match=f"^made: .*{message}"):
        PLOTS[kind](runs, **options)


def test_captions_tell_ties():
    tied = runs_of(["a", "b", "c"] * 2, [[9, 0]] * 4 + [[9, 0], [9, 5]], seeds=[0, 0, 0, 1, 1, 1])
    worse = tied.assign(loss=tied.loss.where(tied.optimizer != "c", 5.0))
    assert ": a, b and c end at 0." in caption(curves(tied.isel(run=[0, 1, 2])))
    assert ": a and b end lowest, at 0, before c at 5." in caption(curves(worse))
    assert ": a, b and c have the same, 2" in caption(ranks(tied.isel(run=[0, 1, 2])))
    told = caption(ranks(worse))
    assert "a and b are first with 1.5, c not told apart from them by" in told
    lost = tied.assign(diverged_at=("run", np.ones(6, int)))
    assert "a, b and c have the same, 2" in caption(ranks(lost))
    settings = runs_of(["a"] * 2 + ["b"] * 3, [[9, 1]] * 5, learning_rate=[1, 2, 1, 2, 3])
    assert ": a after 2 and b after 3 get to 1." in caption(budget(settings))


def test_lines_that_break_off_say_why():
    data = runs_of(["a", "b"] * 2, [[9, np.inf], [9, 1]] * 2, seeds=[0, 0, 1, 1])
    assert "of a the median is not finite at the end" in caption(curves(data))
    lost = data.assign(diverged_at=("run", [1, -1, 1, -1]))
    assert "of a at least half of the runs diverged" in caption(curves(lost))


def test_one_optimizer_of_one_setting_is_not_compared():
    alone = analysis.with_agreement(dataset([("a", "adamlab.sgd(learning_rate=0.1)", 0, [3, 2, 1], -1)]))
    with pytest.raises(NothingToDrawError, match="ranks take two optimizers; there is a alone"):
        ranks(alone)
    with pytest.raises(NothingToDrawError, match="no optimizer has two settings to choose from"):
        budget(alone)
