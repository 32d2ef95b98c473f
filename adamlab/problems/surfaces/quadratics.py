"""Quadratic functions: what every function is near a minimum, ill-conditioned, turned, and noisy."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from adamlab.problems.functions import MOST_DIMENSIONS, Point, Value, normal, problem_of, require
from adamlab.types import Problem


def quadratic(condition: int | float = 100.0, dim: int = 2, spread: int | float = 0.1) -> Problem:
    """½·Σ λ_i·w_i², with curvatures λ from 1 to the condition number in equal ratios. Minimum 0 at 0."""
    return problem_of(
        "quadratic",
        _bowl(_curvatures(condition, dim)),
        start=[1.0] * dim,
        spread=spread,
        minima=[[0.0] * dim],
        minimum=0.0,
        domain=[(-1.5, 1.5)] * dim,
        source="the ill-conditioned quadratic of every textbook, such as Goh 2017, Why momentum really works",
    )


def noisy_quadratic(
    condition: int | float = 100.0, batch_size: int = 1, dim: int = 2, spread: int | float = 0.1
) -> Problem:
    """½·Σ λ_i·w_i² with gradients λ_i·w_i + n_i, n_i normal of variance λ_i / batch_size. Minimum 0 at 0.

    The noisy quadratic model: the noise is largest where the curvature is, its covariance being the Hessian over the
    batch size. It is drawn from the run's seed. What is recorded as the loss is free of noise.

    Args:
        condition: the condition number; the curvatures λ go from 1 to it in equal ratios.
        batch_size: how many examples the gradient is thought of as the mean of.
        dim: the number of parameters.
        spread: the standard deviation of the start's displacement.
    """
    require("batch_size", batch_size, 1, 10**12)
    curvatures = _curvatures(condition, dim)
    objective = _bowl(curvatures)

    def loss(w: Point, noise: Point) -> Value:
        return objective(w) + jnp.sum(noise * w)

    def sample(key, t) -> Point:
        return jnp.asarray(np.sqrt(curvatures / batch_size), float) * normal(key, dim)

    return problem_of(
        "noisy_quadratic",
        loss,
        start=[1.0] * dim,
        spread=spread,
        sample=sample,
        objective=objective,
        minima=[[0.0] * dim],
        minimum=0.0,
        domain=[(-1.5, 1.5)] * dim,
        source="Schaul, Zhang & LeCun 2013, section 4; with covariance H as Zhang et al. 2019, section 3",
    )


def ravine(condition: int | float = 10.0, spread: int | float = 0.1) -> Problem:
    """(x + y)² + (x − y)²/condition: a valley along the diagonal, off both axes. Minimum 0 at 0.

    Scaling each coordinate by itself, as adaptive methods do, leaves the condition number what it is: the Hessian's
    two diagonal entries are equal.
    """
    require("condition", condition, 1, 10**12)

    def function(w: Point) -> Value:
        x, y = w
        return (x + y) ** 2 + (x - y) ** 2 / condition

    return problem_of(
        "ravine",
        function,
        start=[-1.0, 1.5],
        spread=spread,
        minima=[[0.0, 0.0]],
        minimum=0.0,
        domain=[(-2.0, 2.0), (-2.0, 2.0)],
        source="Zhuang et al. 2020, AdaBelief optimizer, figure 3, where the condition is 10",
    )


def booth(spread: int | float = 0.1) -> Problem:
    """(x + 2y − 7)² + (2x + y − 5)²: a tilted quadratic of condition number 9. Minimum 0 at (1, 3)."""

    def function(w: Point) -> Value:
        x, y = w
        return (x + 2.0 * y - 7.0) ** 2 + (2.0 * x + y - 5.0) ** 2

    return problem_of(
        "booth",
        function,
        start=[-5.0, 5.0],
        spread=spread,
        minima=[[1.0, 3.0]],
        minimum=0.0,
        domain=[(-10.0, 10.0), (-10.0, 10.0)],
        source="Jamil & Yang 2013, A literature survey of benchmark functions, under Booth",
    )


def matyas(spread: int | float = 0.1) -> Problem:
    """0.26·(x² + y²) − 0.48·x·y: a nearly flat trough of condition number 25 along the diagonal. Minimum 0 at 0."""

    def function(w: Point) -> Value:
        x, y = w
        return 0.26 * (x**2 + y**2) - 0.48 * x * y

    return problem_of(
        "matyas",
        function,
        start=[-6.0, 8.0],
        spread=spread,
        minima=[[0.0, 0.0]],
        minimum=0.0,
        domain=[(-10.0, 10.0), (-10.0, 10.0)],
        source="Jamil & Yang 2013, A literature survey of benchmark functions, under Matyas",
    )


def _curvatures(condition: int | float, dim: int) -> np.ndarray:
    require("dim", dim, 2, MOST_DIMENSIONS)
    require("condition", condition, 1, 10**12)
    return np.geomspace(1.0, condition, dim)


def _bowl(curvatures: np.ndarray) -> Callable[[Point], Value]:
    def function(w: Point) -> Value:
        return 0.5 * jnp.sum(jnp.asarray(curvatures, w.dtype) * w**2)

    return function
