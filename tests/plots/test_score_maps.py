"""Heat maps and box plots of scores, against medians and quartiles by hand."""

import itertools

import numpy as np
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.figure import Figure

import adamlab as al
from adamlab.analysis import pair_scores
from adamlab.plots import NothingToDrawError
from tests.plots.made_runs import paths, runs
from tests.plots.written import unwritten

RATES, DECAYS, EXTRAS, SEEDS = (0.01, 0.1, 1.0), (0.0, 0.9, 0.99, 0.999), (1.0, 2.0), (0, 1, 2)
GRID = [*itertools.product(RATES, DECAYS, EXTRAS, SEEDS)]


def swept(score=lambda rate, decay, extra, seed: rate + decay + extra + seed**2, **more):
    """Runs of adam over a grid, whose final losses are a function of the setting and the seed."""
    loss = [[10.0, score(*setting)] for setting in GRID]
    rate, decay, extra, seed = np.array(GRID).T
    data = runs(["adam"] * len(GRID), loss, seeds=seed.astype(int), learning_rate=rate, b2=decay, extra=extra)
    return data.assign({name: ("run", values) for name, values in more.items()})


def xs(line) -> np.ndarray:
    return np.asarray(line.get_xdata())


def rings(axes) -> list[list[float]]:
    return [line.get_xydata()[0].tolist() for line in axes.get_lines() if line.get_markerfacecolor() == "none"]


def test_a_heat_map_shows_the_median_at_the_best_of_the_others():
    figure = al.plots.heat_map(swept(), x="learning_rate", y="b2")
    axes, _ = figure.axes
    cells = next(drawn for drawn in axes.collections if isinstance(drawn, QuadMesh))
    wanted = [[rate + decay + 1.0 + 1.0 for rate in RATES] for decay in DECAYS]  # the extra 1, the seed 1
    np.testing.assert_allclose(np.asarray(cells.get_array()).reshape(4, 3), wanted)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0", "0.9", "0.99", "0.999"]
    np.testing.assert_allclose(rings(axes)[0], [0.01, 0.0])
    assert "adam over η and β₂: best at (0.01, 0) with 2.01" in str(figure.get_label())
    assert unwritten(figure) == []
    default = al.plots.heat_map(swept())
    assert [default.axes[0].get_xlabel(), default.axes[0].get_ylabel()] == ["η", "β₂"]


def test_diverged_cells_are_hatched_and_zeros_and_wild_values_have_their_colours():
    lost = np.array([rate == 1.0 for rate, *_ in GRID])
    data = swept(lambda rate, decay, *_: 0.0 if decay == 0.9 else 1e25 if decay == 0.0 else rate)
    data = data.assign(diverged_at=("run", np.where(lost, 1, -1)))
    figure = al.plots.heat_map(data)
    axes, bar = figure.axes
    cells = next(drawn for drawn in axes.collections if isinstance(drawn, QuadMesh))
    assert np.ma.getmaskarray(np.ma.asarray(cells.get_array())).reshape(4, 3).tolist() == [[False, False, True]] * 4
    (hatched,) = [drawn for drawn in axes.collections if drawn.get_hatch()]
    assert len(hatched.get_paths()) == 4
    assert bar.get_ylim() == pytest.approx((0.01, 100.0))  # ten times the loss at the start, and no zero
    np.testing.assert_allclose(rings(axes)[0], [0.01, 1.0])
    everywhere = data.assign(diverged_at=("run", np.ones(len(GRID), int)))
    assert "half of the runs or more diverged everywhere" in str(al.plots.heat_map(everywhere).get_label())


def test_settings_of_a_random_design_are_points(rng):
    rates, decays = 10 ** rng.uniform(-3, 0, 40), rng.uniform(0.5, 1.0, 40)
    losses = np.stack([np.full(40, 10.0), np.arange(40.0) + 1], axis=1)
    figure = al.plots.heat_map(runs(["adam"] * 40, losses, learning_rate=rates, b2=decays))
    points = next(drawn for drawn in figure.axes[0].collections if isinstance(drawn, PathCollection))
    order = np.argsort(np.asarray(points.get_array()))
    np.testing.assert_allclose(np.asarray(points.get_offsets())[order], np.stack([rates, decays], axis=1))
    np.testing.assert_allclose(rings(figure.axes[0])[0], [rates[0], decays[0]])


def test_each_optimizer_has_a_panel_over_its_own_numbers():
    nan = np.nan
    data = runs(
        ["a"] * 4 + ["b"] * 4 + ["c"],
        np.ones((9, 2)),
        learning_rate=[1, 1, 2, 2] * 2 + [1],
        b2=[1, 2, 1, 2] + [nan] * 5,
        momentum=[nan] * 4 + [1, 2, 1, 2] + [nan],
    )
    figure = al.plots.heat_map(data)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["a", "b"]
    assert [axes.get_ylabel() for axes in figure.axes[:2]] == ["β₂", "momentum"]
    assert [axes.get_title() for axes in al.plots.heat_map(data, y="momentum").axes[:1]] == ["b"]
    with pytest.raises(
        NothingToDrawError, match="no optimizer has several values of b1; swept here: learning_rate, b2"
    ):
        al.plots.heat_map(data, x="b1")
    with pytest.raises(NothingToDrawError, match="several values of two numbers; swept here: none"):
        al.plots.heat_map(data.isel(run=[8]))
    with pytest.raises(NothingToDrawError, match='compared by "final_x"'):
        al.plots.heat_map(data, by="final_x")
    ax = Figure().add_subplot()
    al.plots.heat_map(data, ax=ax)
    assert ax.get_title() == "a"


def test_accuracies_are_better_when_greater():
    data = swept()
    data["test_accuracy"] = 1 - data.loss / 100
    scores = pair_scores(data, "adam", "learning_rate", "b2", "final_test_accuracy")
    wanted = [[1 - (rate + decay + 2) / 100 for rate in RATES] for decay in DECAYS]
    np.testing.assert_allclose(scores.final_test_accuracy, wanted)
    figure = al.plots.heat_map(data, by="final_test_accuracy")
    assert "best at (0.01, 0) with 0.9799" in str(figure.get_label())


def test_boxes_show_quartiles_and_every_seed_at_the_best_setting():
    finals = np.array([3.0, 1.0, 4.0, 1.5, 9.0])
    loss = [[10.0, value] for value in [*finals, *(finals + 100), 2.0, 7.0]]
    data = runs(
        ["a"] * 10 + ["b"] * 2,
        loss,
        seeds=[0, 1, 2, 3, 4] * 2 + [0, 1],
        learning_rate=[0.1] * 5 + [1.0] * 5 + [0.1] * 2,
    )
    data = data.assign(diverged_at=("run", [-1] * 11 + [1]))
    figure = al.plots.boxes(data)
    (axes,) = figure.axes
    points = [np.asarray(line.get_xdata()) for line in axes.get_lines() if line.get_marker() == "o"]
    points = [drawn for drawn in points if len(drawn)]
    np.testing.assert_allclose(points[0], finals)
    np.testing.assert_allclose(points[1], [2.0])
    box = next(line for line in axes.get_lines() if xs(line).size == 5 and line.get_marker() != "o")
    assert {*np.unique(xs(box))} == {*np.percentile(finals, [25, 75])}
    assert [text.get_text() for text in axes.texts] == ["1 of 2 diverged"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a\nη 0.1", "b"]
    assert "medians: a 3; b: 1 of 2 diverged." in str(figure.get_label())
    all_lost = al.plots.boxes(data.assign(diverged_at=("run", np.ones(12, int))))
    assert [text.get_text() for text in all_lost.axes[0].texts] == ["all 5 of 5 diverged", "all 2 of 2 diverged"]
    with pytest.raises(NothingToDrawError, match='compared by "final_x"'):
        al.plots.boxes(data, by="final_x")


def test_boxes_count_diverged_runs_as_the_worst():
    def drawn(sound):
        data = runs(["a"] * 5, [[10.0, (i + 1) / 10] for i in range(5)], seeds=range(5))
        figure = al.plots.boxes(data.assign(diverged_at=("run", np.where(np.arange(5) < sound, -1, 1))))
        return figure, [line for line in figure.axes[0].get_lines() if line.get_marker() != "o"]

    figure, lines = drawn(2)
    assert lines == []
    assert str(figure.get_label()).endswith("its best setting; a: 3 of 5 diverged.")
    figure, lines = drawn(3)
    assert {*np.concatenate([xs(line) for line in lines]).round(9)} == {0.1, 0.2, 0.3}
    assert "medians: a 0.3; a: 2 of 5 diverged." in str(figure.get_label())


def test_two_numbers_make_rows_and_columns_of_panels():
    figure = al.plots.sensitivity(swept(), panels=["extra", "b2"])
    shown = [*itertools.product(EXTRAS, DECAYS)]
    assert [axes.get_title() for axes in figure.axes] == [f"extra {extra:g}, β₂ {decay:g}" for extra, decay in shown]
    places = [axes.get_subplotspec() for axes in figure.axes]
    assert [(at.rowspan.start, at.colspan.start) for at in places if at] == [*itertools.product(range(2), range(4))]
    for axes, (extra, decay) in zip(figure.axes, shown, strict=True):
        wanted = [rate + decay + extra + 1.0 for rate in RATES]  # the seed 1
        np.testing.assert_allclose(np.asarray(axes.get_lines()[0].get_ydata()), wanted)
    assert "a panel for each extra and β₂" in str(figure.get_label())


def test_a_target_that_is_not_reached_is_no_divergence():
    data = swept(steps_to_target=np.full(len(GRID), -1)).assign_attrs(by="steps_to_target")
    for figure in (al.plots.heat_map(data), al.plots.sensitivity(data), al.plots.sensitivity(data, panels="b2")):
        assert "half of the runs or more did not reach the target" in str(figure.get_label())
        assert "diverged" not in str(figure.get_label())
    title = al.plots.heat_map(data).get_suptitle()
    assert "did not reach the target" in title
    assert "diverged" not in title


def test_a_decay_just_below_1_keeps_its_digits_and_ties_are_listed():
    loss = [[10.0, 1.0], [10.0, 1.0], [10.0, 2.0], [10.0, 2.0]]
    data = runs(["a"] * 4, loss, learning_rate=[0.1, 0.2] * 2, b2=[0.9999, 0.9999, 0.9, 0.9])
    figure = al.plots.heat_map(data)
    assert "best at (0.1, 0.9999) and (0.2, 0.9999) with 1." in str(figure.get_label())
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["0.9", "0.9999"]


def sensitivities(**medians):
    """The sensitivity of optimizers with these losses at the rates 0.1, 0.2 and so on."""
    rows = [(label, loss, (i + 1) / 10) for label, of in medians.items() for i, loss in enumerate(of)]
    labels, losses, rates = zip(*rows, strict=True)
    return al.plots.sensitivity(runs(labels, [[10.0, loss] for loss in losses], learning_rate=rates))


@pytest.mark.parametrize(
    ("medians", "words"),
    [
        ({"a": [1, 2, 3]}, ": a is best, 1 at η 0.1, the smallest value that was tried."),
        ({"a": [3, 2, 1]}, ": a is best, 1 at η 0.3, the largest value that was tried."),
        ({"a": [2, 1, 3]}, ": a is best, 1 at η 0.2."),
        ({"a": [1, 1, 3]}, ": a is best, 1 at η 0.1 and 0.2."),
        ({"a": [1, 1, 1]}, ": a is best, 1 at η 0.1, 0.2 and 0.3."),
        ({"a": [1, 2, 3], "b": [2, 3, 1.0001]}, ": a at η 0.1 and b at η 0.3 are best, with 1."),
    ],
)
def test_the_best_value_and_what_ties_with_it(medians, words):
    figure = sensitivities(**medians)
    assert str(figure.get_label()).endswith(words)
    arrows = [text.get_text() for text in figure.axes[0].texts if text.get_text() in "←→"]
    assert bool(arrows) is ("that was tried" in words or len(medians) > 1)


def test_boxes_keep_zeros_on_a_logarithmic_axis():
    data = runs(["a"] * 3, [[10.0, 0.0], [10.0, 1e-3], [10.0, 1.0]], seeds=[0, 1, 2])
    (axes,) = al.plots.boxes(data).axes
    assert axes.get_xscale() == "log"
    (open_points,) = [line for line in axes.get_lines() if line.get_markerfacecolor() == "white" and xs(line).size]
    np.testing.assert_allclose(xs(open_points), [1e-3])
    assert axes.get_xlabel() == "final loss; open points: less than 1e-03"


@pytest.mark.parametrize("kind", ["race", "cartoon", "moments", "boxes"])
def test_runs_of_which_none_is_done_are_told(kind):
    begun = paths(straight=np.ones((5, 2))).assign_coords(done=("run", [False]))
    with pytest.raises(NothingToDrawError, match="bowl: no run is done yet"):
        al.plots.__dict__[kind](begun)
