"""Curved valleys, flats and a saddle: where the gradient does not point to the minimum."""

import jax.numpy as jnp

from adamlab.problems.functions import MOST_DIMENSIONS, Point, Value, problem_of, require
from adamlab.types import Problem


def rosenbrock(dim: int = 2, spread: int | float = 0.1) -> Problem:
    """Σ 100·(w_(i+1) − w_i²)² + (1 − w_i)²: a curved valley, easy to enter, hard to follow. Minimum 0 at (1, …, 1).

    In four dimensions and more there is a second, local minimum of nearly 4 near (−1, 1, …, 1), where runs that start
    here may well end.
    """
    require("dim", dim, 2, MOST_DIMENSIONS)

    def function(w: Point) -> Value:
        return jnp.sum(100.0 * (w[1:] - w[:-1] ** 2) ** 2 + (1.0 - w[:-1]) ** 2)

    return problem_of(
        "rosenbrock",
        function,
        start=[-1.2 if i % 2 == 0 else 1.0 for i in range(dim)],
        spread=spread,
        minima=[[1.0] * dim],
        minimum=0.0,
        domain=[(-2.0, 2.0), (-1.0, 3.0), *[(-2.0, 2.0)] * (dim - 2)],
        source="Rosenbrock 1960, Computer Journal 3; start of Moré, Garbow & Hillstrom 1981, problem 1; in more "
        "dimensions chained as in Shang & Qiu 2006, Evolutionary Computation 14",
    )


def beale(spread: int | float = 0.1) -> Problem:
    """Flat, with sharp corners: Σ_i (c_i − x·(1 − y^i))² for c = 1.5, 2.25, 2.625. Minimum 0 at (3, 0.5)."""

    def function(w: Point) -> Value:
        x, y = w
        return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2

    return problem_of(
        "beale",
        function,
        start=[1.0, 1.0],
        spread=spread,
        minima=[[3.0, 0.5]],
        minimum=0.0,
        domain=[(-4.5, 4.5), (-4.5, 4.5)],
        source="Beale 1958; start of Moré, Garbow & Hillstrom 1981, problem 5",
    )


def saddle(spread: int | float = 0.01) -> Problem:
    """½·x² + ¼·y⁴ − ½·y²: a saddle at 0 between two minima of −¼ at (0, ±1).

    Nesterov starts gradient descent at (1, 0), on the ridge y = 0, from where it goes to the saddle and stays. Runs
    start there, displaced by the seed; with a spread of 0 they stay on the ridge.
    """

    def function(w: Point) -> Value:
        x, y = w
        return 0.5 * x**2 + 0.25 * y**4 - 0.5 * y**2

    return problem_of(
        "saddle",
        function,
        start=[1.0, 0.0],
        spread=spread,
        minima=[[0.0, -1.0], [0.0, 1.0]],
        minimum=-0.25,
        domain=[(-1.5, 1.5), (-1.5, 1.5)],
        source="Nesterov 2004, Introductory Lectures on Convex Optimization, example 1.2.2",
    )
