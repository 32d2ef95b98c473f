"""Starts: the points that a value of a config describes."""

import itertools

import numpy as np
import pytest

from adamlab.problems import get
from adamlab.studies.config.errors import Mistakes
from adamlab.studies.config.tables.starts import read_starts
from adamlab.studies.config.values.designs import spread_out


def starts(value, problem="rosenbrock", **options) -> np.ndarray:
    mistakes = Mistakes()
    points = read_starts(value, get(problem, **options), "starts", mistakes)
    assert not mistakes
    assert points is not None
    assert points.dtype == np.float64
    return points


def test_listed_points_are_as_they_stand():
    assert starts([[0, 1.5], [-2.0, 3]]).tolist() == [[0.0, 1.5], [-2.0, 3.0]]
    assert starts([[0.5]], "reddi").tolist() == [[0.5]]


def test_a_grid_goes_over_the_domain():
    (a, b), (c, d) = get("rosenbrock").domain
    expected = itertools.product((a, (a + b) / 2, b), (c, (c + d) / 2, d))
    assert starts({"grid": 3}).tolist() == [[*point] for point in expected]


@pytest.mark.parametrize("way", ["random", "sobol"])
def test_drawn_points_fill_the_domain(way):
    low, high = np.array(get("ackley", dim=3).domain).T
    few, more = (starts({way: count, "seed": 5}, "ackley", dim=3) for count in (100, 512))
    np.testing.assert_array_equal(more[:100], few)
    places = (more - low) / (high - low)
    assert places.min() >= 0
    assert places.max() <= 1
    # Uniform to within four standard deviations of a mean of 512.
    np.testing.assert_allclose(places.mean(axis=0), 0.5, atol=4 * 12**-0.5 / 512**0.5)
    assert not np.array_equal(few, starts({way: 100}, "ackley", dim=3))


def test_a_seed_has_its_place_in_every_domain():
    """That of the numbers between 0 and 1, by which a problem with another domain has the same."""
    low, high = np.array(get("rosenbrock").domain).T
    numbers = {"random": np.random.default_rng(5).random((8, 2)), "sobol": spread_out(5, 2, 8)}
    for way, unit in numbers.items():
        np.testing.assert_allclose(starts({way: 8, "seed": 5}), low + unit * (high - low), rtol=1e-14)


def test_ways_differ():
    assert not np.array_equal(starts({"random": 8}), starts({"sobol": 8}))
