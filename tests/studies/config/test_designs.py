"""Designs: the settings that they have; a larger design begins with the settings of a smaller one."""

import itertools

import numpy as np
import pytest

from adamlab.studies.config.values.designs import GRID, Design, Interval, Points, drawn, spread_out

AXES = {"a": Interval("loguniform", 1e-3, 1.0), "b": Points((1.0, 2.0, 3.0)), "c": Interval("uniform", -2, 2)}
LISTS = {"a": Points((1.0, 2.0)), "b": Points((3.0, 4.0, 5.0))}


def rows(columns):
    return [tuple(row) for row in np.stack([*columns.values()], axis=1).tolist()]


def test_a_grid_is_every_combination_the_last_axis_fastest():
    assert rows(GRID.columns(LISTS)) == list(itertools.product((1, 2), (3, 4, 5)))
    assert GRID.columns({}) == Design("zip").columns({}) == Design("sobol", 5).columns({}) == {}


def test_in_step_the_first_goes_with_the_first():
    axes = {"a": Points((1.0, 2.0, 2.0)), "b": Points((3.0, 3.0, 4.0)), "c": Points((5.0,))}
    assert rows(Design("zip").columns(axes)) == [(1, 3, 5), (2, 3, 5), (2, 4, 5)]
    with pytest.raises(ValueError, match="need as many values, or one; a has 2, b has 3"):
        Design("zip").columns(LISTS)


@pytest.mark.parametrize("kind", ["random", "sobol"])
def test_more_settings_begin_as_fewer_do(kind):
    few, more = (Design(kind, count, seed=3).columns(AXES) for count in (37, 100))
    for name in AXES:
        np.testing.assert_array_equal(more[name][:37], few[name])
        assert len(more[name]) == 100
    assert not np.array_equal(few["a"], Design(kind, 37, seed=4).columns(AXES)["a"])


def test_another_axis_leaves_what_is_drawn_as_it_is():
    alone = Design("random", 20).columns({"a": AXES["a"]})
    np.testing.assert_array_equal(alone["a"], Design("random", 20).columns(AXES)["a"])


def test_the_order_of_axes_does_not_matter_to_what_is_drawn():
    for kind in ("random", "sobol"):
        turned = Design(kind, 20).columns(dict(reversed(AXES.items())))
        for name, column in Design(kind, 20).columns(AXES).items():
            np.testing.assert_array_equal(turned[name], column)


def test_axes_are_drawn_apart():
    a, c = drawn(0, "a", 1000), drawn(0, "c", 1000)
    assert abs(np.corrcoef(a, c)[0, 1]) < 0.13  # four standard deviations of 1/√1000


@pytest.mark.parametrize("kind", ["random", "sobol"])
def test_values_are_as_likely_as_is_said(kind):
    columns = Design(kind, 4096).columns(AXES)
    below = {"a": 10**-1.5, "c": 0.0}  # the middle of the logarithms, and of the numbers
    for name, middle in below.items():
        assert np.mean(columns[name] < middle) == pytest.approx(0.5, abs=4 * 0.5 / 64)
    assert np.mean(columns["b"] == 2) == pytest.approx(1 / 3, abs=4 * 0.48 / 64)
    assert columns["a"].min() >= 1e-3
    assert columns["a"].max() <= 1.0


def test_a_sobol_sequence_is_spread_more_evenly_than_random_points():
    # In each of 16 equal parts of each axis a scrambled net of 64 points has 4; random points hardly ever do.
    points = spread_out(0, 3, 64)
    for column in points.T:
        assert np.bincount((column * 16).astype(int)).tolist() == [4] * 16


def test_whole_numbers_are_all_as_likely():
    ends = Interval("uniform", 1, 4, whole=True).at(np.linspace(0, 1, 4000, endpoint=False))
    assert np.unique(ends, return_counts=True)[1].tolist() == [1000] * 4
    spread = Interval("loguniform", 1, 1000, whole=True).at(np.array([0.0, 0.5, 1 - 1e-16]))
    assert spread.tolist() == [1, 31, 1000]  # √1001 = 31.6


def test_a_setting_that_is_drawn_twice_is_there_once():
    few, more = (rows(Design("random", count).columns(LISTS)) for count in (4, 500))
    assert len(set(more)) == len(more) == 6
    assert more[: len(few)] == few


def test_intervals_as_wide_as_can_be_do_not_overflow():
    assert Interval("uniform", -9e306, 9e306).at(np.array([0.0, 0.5])).tolist() == [-9e306, 0.0]
