"""The picture of weights shows the dataset's numbers, and says why where there are none."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

import adamlab as al
from adamlab.plots import NothingToDrawError
from adamlab.plots.files import draw
from tests.plots.written import unwritten


def readings(*tables) -> xr.Dataset:
    return al.run({"name": "made", "steps": 2, "reading": list(tables)})["readings"].to_dataset()


def named(axes) -> list[Any]:
    """The lines with names."""
    return [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]


@pytest.fixture(scope="module")
def adam():
    return readings({"spec": "optax.adam", "label": "$Adam_", "state": "nu", "b2": [0.9, 0.75], "lags": 8})


def test_a_line_for_each_setting_on_a_log_axis(adam):
    (axes,) = al.plots.weights(adam).axes
    for line, weights in zip(named(axes), adam.weight.values, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(8))
        np.testing.assert_array_equal(line.get_ydata(), weights)
    dots = [np.asarray(line.get_xydata())[0].tolist() for line in axes.get_lines() if np.size(line.get_xdata()) == 1]
    assert dots == [[7, adam.weight.values[0, 7]], [3, adam.weight.values[1, 3]]], "where a weight is half the latest"
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "weight of the squared gradient"


def test_the_legend_tells_sum_and_half_life_and_labels_stay_as_they_are(adam):
    figure = al.plots.weights(adam)
    assert unwritten(figure) == []
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        f"$Adam_: v, β₂ 0.9 (the last 8 weigh {1 - 0.9**8:.3g}, half as much after 7)",
        f"$Adam_: v, β₂ 0.75 (the last 8 weigh {1 - 0.75**8:.3g}, half as much after 3)",
    ]


def test_the_closed_form_stands_in_the_picture_of_one_state(adam):
    (formula,) = al.plots.weights(adam).axes[0].texts
    assert formula.get_text() == f"${adam.latex.sel(step='t').item()}$"
    two = readings({"spec": "optax.adam", "b1": 0.5, "b2": 0.5, "lags": 3})
    figure = al.plots.weights(two)
    assert not figure.axes[0].texts
    assert figure.axes[0].get_ylabel() == "weight of the gradient or its square"


def test_different_lags_are_drawn_as_far_as_they_go():
    tables = [{"spec": "optax.rmsprop(0.1, decay=d)", "label": str(n), "d": 0.5, "lags": n} for n in (2, 5)]
    lines = named(al.plots.weights(readings(*tables)).axes[0])
    assert [np.isfinite(line.get_ydata()).sum() for line in lines] == [2, 5]


def test_weights_below_zero_are_drawn_on_a_plain_axis(adam):
    axes = al.plots.weights(adam.assign(weight=-adam.weight)).axes[0]
    assert axes.get_yscale() == "linear"


def test_weights_that_are_all_alike_have_no_half_life(adam):
    figure = al.plots.weights(adam.assign(weight=adam.weight * 0 + 1))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "$Adam_: v, β₂ 0.9 (the last 8 weigh 8, all alike)",
        "$Adam_: v, β₂ 0.75 (the last 8 weigh 8, all alike)",
    ]
    assert str(figure.get_label()).endswith("in a state: $Adam_: v, β₂ 0.9, all alike; $Adam_: v, β₂ 0.75, all alike.")


def test_the_picture_ends_where_weights_have_faded(adam):
    short = adam.assign(weight=adam.weight**20)
    assert al.plots.weights(short).axes[0].get_ylim()[0] == pytest.approx(1e-2 * short.weight.values[:, 0].min())


def test_a_state_without_weights_is_told():
    with pytest.raises(NothingToDrawError, match=r"no weights in nu of optax\.adamax: it is no sum of the gradients"):
        al.plots.weights(readings({"spec": "optax.adamax", "state": "nu"}))


def test_each_kind_of_results_has_its_own_pictures(tmp_path):
    tree = al.run({"name": "made", "reading": [{"spec": "optax.rmsprop", "decay": [0.5]}]})
    for kind in ("curves", "errors"):
        with pytest.raises(NothingToDrawError, match=f"{kind} is a picture of"):
            draw(tree, "readings", kind, [tmp_path / "x.svg"])
    draw(tree, "readings", "weights", [tmp_path / "x.svg"])
    assert (tmp_path / "x.svg").exists()
