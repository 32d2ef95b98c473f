"""Functions with several minima, of which an optimizer finds the one that its start and its steps lead to."""

import jax.numpy as jnp
import numpy as np

from adamlab.problems.functions import MOST_DIMENSIONS, Point, Value, problem_of, require
from adamlab.types import Problem


def himmelblau(spread: int | float = 0.1) -> Problem:
    """(x² + y − 11)² + (x + y² − 7)²: four minima, all of value 0."""

    def function(w: Point) -> Value:
        x, y = w
        return (x**2 + y - 11.0) ** 2 + (x + y**2 - 7.0) ** 2

    return problem_of(
        "himmelblau",
        function,
        start=[0.0, 0.0],
        spread=spread,
        minima=[
            [3.0, 2.0],
            [-2.8051180869527448, 3.1313125182505730],
            [-3.7793102533777469, -3.2831859912861694],
            [3.5844283403304917, -1.8481265269644034],
        ],
        minimum=0.0,
        domain=[(-5.0, 5.0), (-5.0, 5.0)],
        source="Himmelblau 1972, Applied Nonlinear Programming",
    )


def branin(spread: int | float = 0.1) -> Problem:
    """(y − b·x² + 5x/π − 6)² + (10 − c)·cos x + 10, b = 5.1/(4π²), c = 5/(4π): three minima of c = 0.397887…."""
    b, c = 5.1 / (4.0 * np.pi**2), 5.0 / (4.0 * np.pi)

    def function(w: Point) -> Value:
        x, y = w
        return (y - b * x**2 + 5.0 / np.pi * x - 6.0) ** 2 + (10.0 - c) * jnp.cos(x) + 10.0

    return problem_of(
        "branin",
        function,
        start=[2.5, 7.5],
        spread=spread,
        minima=[[-np.pi, 12.275], [np.pi, 2.275], [3.0 * np.pi, 2.475]],
        minimum=c,
        domain=[(-5.0, 10.0), (0.0, 15.0)],
        source="Branin 1972, IBM Journal of Research and Development 16; Dixon & Szegő 1978",
    )


def rastrigin(dim: int = 2, spread: int | float = 0.1) -> Problem:
    """10·dim + Σ w_i² − 10·cos(2πw_i): a bowl with a local minimum near every whole point. Minimum 0 at 0."""
    require("dim", dim, 1, MOST_DIMENSIONS)

    def function(w: Point) -> Value:
        return jnp.sum(10.0 + w**2 - 10.0 * jnp.cos(2.0 * jnp.pi * w))

    return problem_of(
        "rastrigin",
        function,
        start=[2.3 if i % 2 == 0 else -1.6 for i in range(dim)],
        spread=spread,
        minima=[[0.0] * dim],
        minimum=0.0,
        domain=[(-5.12, 5.12)] * dim,
        source="Rastrigin 1974; Mühlenbein, Schomisch & Born 1991",
    )


def ackley(dim: int = 2, spread: int | float = 0.1) -> Problem:
    """20 + e − 20·exp(−0.2·√mean w²) − exp(mean cos 2πw): a hole in a plain of ripples. Minimum 0 at 0.

    At the minimum it has a corner, where no gradient exists; automatic differentiation gives 0 there.
    """
    require("dim", dim, 1, MOST_DIMENSIONS)

    def function(w: Point) -> Value:
        mean_square = jnp.mean(w**2)
        # A root of 0 has an infinite slope, which would be NaN times 0: where w is 0 it is never taken.
        radius = jnp.where(mean_square > 0, jnp.sqrt(jnp.where(mean_square > 0, mean_square, 1.0)), 0.0)
        # With exp(x) − 1 the terms vanish at the minimum one by one, and nothing cancels.
        return -20.0 * jnp.expm1(-0.2 * radius) - np.e * jnp.expm1(jnp.mean(jnp.cos(2.0 * jnp.pi * w) - 1.0))

    return problem_of(
        "ackley",
        function,
        start=[2.3 if i % 2 == 0 else -1.6 for i in range(dim)],
        spread=spread,
        minima=[[0.0] * dim],
        minimum=0.0,
        domain=[(-5.0, 5.0)] * dim,
        source="Ackley 1987, A Connectionist Machine for Genetic Hillclimbing; in any dimension Bäck 1996",
    )


def styblinski_tang(dim: int = 2, spread: int | float = 0.1) -> Problem:
    """½·Σ w_i⁴ − 16w_i² + 5w_i: 2^dim minima, the lowest −39.1661657…·dim where all w_i = −2.90353402…."""
    require("dim", dim, 1, MOST_DIMENSIONS)

    def function(w: Point) -> Value:
        return 0.5 * jnp.sum(w**4 - 16.0 * w**2 + 5.0 * w)

    return problem_of(
        "styblinski_tang",
        function,
        start=[-1.0 if i % 2 == 0 else 1.0 for i in range(dim)],
        spread=spread,
        minima=[[-2.903534027771177] * dim],  # the least root of 4w³ − 32w + 5
        minimum=-39.16616570377141 * dim,
        domain=[(-5.0, 5.0)] * dim,
        source="Styblinski & Tang 1990, Neural Networks 3",
    )
