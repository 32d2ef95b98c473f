"""The picture of the edge of stability, from runs whose ratios are written by hand."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import adamlab as al
from adamlab.analysis import of_optimizer
from adamlab.errors import InputError
from adamlab.plots import NothingToDrawError
from tests.analysis.test_edge import all_states
from tests.plots.written import unwritten


def heights(axes, dashed):
    return [np.asarray(line.get_ydata())[-1] for line in axes.get_lines() if (line.get_linestyle() == "--") == dashed]


def test_each_optimizer_has_its_curves_and_thresholds():
    figure = al.plots.edge(all_states())
    sgd, adam = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["adamlab.sgd", "optax.adam"]
    np.testing.assert_allclose(heights(sgd, True), [20, 200])  # and none of the run that diverged
    np.testing.assert_allclose(heights(sgd, False), [0.96 * 20, 0.5 * 200])
    np.testing.assert_allclose(heights(adam, True), [20])
    legend = sgd.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["η 0.1", "η 0.01"]
    assert str(figure.get_label()).startswith("Preconditioned sharpness over 50 steps on made. 1 of 4 runs come to")
    assert str(figure.get_label()).endswith("Left out: 1 that diverged.")
    assert unwritten(figure) == []


def test_a_run_far_above_its_threshold_is_in_sight():
    runs = all_states().isel(run=[2])
    runs["preconditioned_sharpness"] = 9 * runs.stability_threshold
    (axes,) = al.plots.edge(runs).axes
    assert axes.get_ylim()[1] > 9 * 20


def test_a_sharpness_below_0_and_a_threshold_of_none_are_no_matter():
    runs = all_states().isel(run=[0, 1, 2])
    runs["preconditioned_sharpness"] = -abs(runs.preconditioned_sharpness)
    runs["stability_threshold"] = runs.stability_threshold * np.array([1, np.nan, np.inf])[:, None]
    figure = al.plots.edge(runs)
    (axes,) = figure.axes
    assert axes.get_ylim() == pytest.approx((20 / 1.3, 80))
    assert str(figure.get_label()).endswith("Left out: 1 without a threshold.")


def test_what_cannot_be_drawn_is_told():
    runs = all_states()
    with pytest.raises(NothingToDrawError, match='put "preconditioned_sharpness" and "stability_threshold" among'):
        al.plots.edge(runs.drop_vars("preconditioned_sharpness"))
    with pytest.raises(NothingToDrawError, match="no run that stayed finite"):
        al.plots.edge(runs.isel(run=[3]))
    axes = Figure().subplots()
    with pytest.raises(InputError, match="each optimizer takes a panel"):
        al.plots.edge(runs, ax=axes)
    al.plots.edge(of_optimizer(runs, "optax.adam"), ax=axes)
    assert len(axes.get_lines()) == 2
