"""Test functions: a loss on the plane (or on more dimensions), its known minima, and a start that seeds displace."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adamlab.types import Problem

MOST_DIMENSIONS = 10**6
MOST_SPREAD = 1e6

Point = Float[Array, "dim"]
Value = Float[Array, ""]


def function_problem(
    name: str,
    function: Callable[[Point], Value],
    start: Sequence[float],
    *,
    spread: int | float,
    minima: Sequence[Sequence[float]],
    domain: Sequence[tuple[float, float]],
    source: str,
) -> Problem:
    """A deterministic problem made of a function of one point.

    Args:
        name: as it stands in the registry.
        function: the loss of a point.
        start: the point that runs start around.
        spread: the standard deviation of the normal displacement that a run's seed gives the start; 0 starts all
            runs at the same point.
        minima: the known minimizers.
        domain: the (low, high) of each dimension to be drawn.
        source: where the function comes from.
    """
    if not 0 <= spread <= MOST_SPREAD:
        raise ValueError(f"spread must be from 0 to {MOST_SPREAD:g}, not {spread}.")

    def displaced(key):
        # Drawn in float32 always, so that a seed means the same start in either float type.
        return jnp.asarray(start, float) + spread * jax.random.normal(key, (len(start),), jnp.float32).astype(float)

    return Problem(
        name,
        loss=lambda w, batch: function(w),
        start=displaced,
        objective=function,
        minima=tuple(tuple(map(float, minimum)) for minimum in minima),
        domain=tuple(domain),
        source=source,
    )


def rosenbrock(dim: int = 2, spread: int | float = 0.1) -> Problem:
    """Σ 100·(w_(i+1) − w_i²)² + (1 − w_i)²: a curved valley, easy to enter, hard to follow. Minimum 0 at (1, …, 1)."""
    _require("dim", dim, 2, MOST_DIMENSIONS)

    def function(w: Point) -> Value:
        return jnp.sum(100.0 * (w[1:] - w[:-1] ** 2) ** 2 + (1.0 - w[:-1]) ** 2)

    return function_problem(
        "rosenbrock",
        function,
        start=[-1.2 if i % 2 == 0 else 1.0 for i in range(dim)],
        spread=spread,
        minima=[[1.0] * dim],
        domain=[(-2.0, 2.0), (-1.0, 3.0), *[(-2.0, 2.0)] * (dim - 2)],
        source="Rosenbrock 1960, Computer Journal 3; start of Moré, Garbow & Hillstrom 1981, problem 1",
    )


def beale(spread: int | float = 0.1) -> Problem:
    """Flat, with sharp corners: Σ_i (c_i − x·(1 − y^i))² for c = 1.5, 2.25, 2.625. Minimum 0 at (3, 0.5)."""

    def function(w: Point) -> Value:
        x, y = w
        return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2

    return function_problem(
        "beale",
        function,
        start=[1.0, 1.0],
        spread=spread,
        minima=[[3.0, 0.5]],
        domain=[(-4.5, 4.5), (-4.5, 4.5)],
        source="Beale 1958; start of Moré, Garbow & Hillstrom 1981, problem 5",
    )


def himmelblau(spread: int | float = 0.1) -> Problem:
    """(x² + y − 11)² + (x + y² − 7)²: four minima, all of value 0."""

    def function(w: Point) -> Value:
        x, y = w
        return (x**2 + y - 11.0) ** 2 + (x + y**2 - 7.0) ** 2

    return function_problem(
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
        domain=[(-5.0, 5.0), (-5.0, 5.0)],
        source="Himmelblau 1972, Applied Nonlinear Programming",
    )


def rastrigin(dim: int = 2, spread: int | float = 0.1) -> Problem:
    """10·dim + Σ w_i² − 10·cos(2πw_i): a bowl with a local minimum near every whole point. Minimum 0 at 0."""
    _require("dim", dim, 1, MOST_DIMENSIONS)

    def function(w: Point) -> Value:
        return jnp.sum(10.0 + w**2 - 10.0 * jnp.cos(2.0 * jnp.pi * w))

    return function_problem(
        "rastrigin",
        function,
        start=[2.3 if i % 2 == 0 else -1.6 for i in range(dim)],
        spread=spread,
        minima=[[0.0] * dim],
        domain=[(-5.12, 5.12)] * dim,
        source="Rastrigin 1974; Mühlenbein, Schomisch & Born 1991",
    )


def quadratic(condition: int | float = 100.0, dim: int = 2, spread: int | float = 0.1) -> Problem:
    """½·Σ λ_i·w_i², with curvatures λ from 1 to the condition number in equal ratios. Minimum 0 at 0."""
    _require("dim", dim, 2, MOST_DIMENSIONS)
    _require("condition", condition, 1, 10**12)
    curvatures = np.geomspace(1.0, condition, dim)

    def function(w: Point) -> Value:
        return 0.5 * jnp.sum(jnp.asarray(curvatures, w.dtype) * w**2)

    return function_problem(
        "quadratic",
        function,
        start=[1.0] * dim,
        spread=spread,
        minima=[[0.0] * dim],
        domain=[(-1.5, 1.5)] * dim,
        source="the ill-conditioned quadratic of every textbook, such as Goh 2017, Why momentum really works",
    )


def _require(name: str, value: int | float, least: int, most: int):
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most:g}, not {value}.")
