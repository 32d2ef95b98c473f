"""Starts: the points that runs start from, listed, on a grid, or drawn from a problem's domain."""

import sys
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from adamlab.studies.config.errors import Mistakes, join, shown
from adamlab.studies.config.values.designs import MOST_SETTINGS, read_whole, spread_out
from adamlab.types import Problem

WAYS = ("grid", "random", "sobol")
MOST_NUMBERS = 10**7
"""The greatest number of coordinates in all starts."""

EXPECTED = (
    "expected a list of points, { grid = 5 } for each dimension, { random = 64 } or { sobol = 64 }, with seed = 0"
)


def read_starts(value: Any, problem: Problem, key: str, mistakes: Mistakes) -> np.ndarray | None:
    """The points of a config's value, a row each; None where it has mistakes, which are added to the others."""
    params = jax.eval_shape(problem.start, jax.random.key(0))
    if not isinstance(params, jax.ShapeDtypeStruct) or params.ndim != 1:
        mistakes.tell(key, f"the parameters of {problem.name} are not one vector; it starts as it does by itself")
        return None
    before, dimension = len(mistakes), params.size
    if isinstance(value, list) and value:
        return _listed(value, dimension, key, mistakes)
    table = value if isinstance(value, Mapping) else {}
    ways = [way for way in WAYS if way in table]
    if len(ways) != 1 or not table.keys() <= {*ways, "seed"} or (ways == ["grid"] and "seed" in table):
        mistakes.tell(key, f"{EXPECTED}; got {shown(value)}")
        return None
    if len(problem.domain) != dimension:
        mistakes.tell(key, f"{problem.name} has no domain that points could be taken from; give a list of points")
        return None
    (way,) = ways
    count = read_whole(table[way], 2 if way == "grid" else 1, MOST_SETTINGS, join(key, way), mistakes)
    seed = read_whole(table.get("seed", 0), 0, 2**32 - 1, join(key, "seed"), mistakes)
    most = _most(way, dimension)
    if len(mistakes) == before and count > most:
        mistakes.tell(join(key, way), f"{dimension} dimensions take at most {most:,}; got {count:,}")
    return _points(way, count, seed, problem.domain) if len(mistakes) == before else None


def _listed(points: list[Any], dimension: int, key: str, mistakes: Mistakes) -> np.ndarray | None:
    before, seen = len(mistakes), set[tuple[float, ...]]()
    for i, point in enumerate(points):
        if not isinstance(point, list) or len(point) != dimension or not all(map(_is_finite, point)):
            form = "a finite number" if dimension == 1 else f"{dimension} finite numbers"
            mistakes.tell(join(key, i), f"expected a list of {form}; got {shown(point)}")
        elif tuple(point) in seen:
            mistakes.tell(join(key, i), f"{shown(point)} is given twice")
        else:
            seen.add(tuple(point))
    return np.array(points, float) if len(mistakes) == before else None


def _is_finite(x: Any) -> bool:
    return type(x) in (int, float) and abs(x) <= sys.float_info.max


def _most(way: str, dimension: int) -> int:
    """The largest count that a design of points may have in that many dimensions."""
    if way == "grid":
        return int(MOST_SETTINGS ** (1 / dimension) + 1e-9)
    from scipy.stats.qmc import Sobol

    return 0 if way == "sobol" and dimension > Sobol.MAXDIM else MOST_NUMBERS // dimension


def _points(way: str, count: int, seed: int, domain: tuple[tuple[float, float], ...]) -> np.ndarray:
    low, high = np.array(domain).T[:, None, :]
    if way == "grid":
        axes = [[float(f"{x:.15g}") for x in np.linspace(*bounds, count)] for bounds in domain]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(domain))
    if way == "random":
        unit = np.random.default_rng(seed).random((count, len(domain)))
    else:
        unit = spread_out(seed, len(domain), count)
    return (1 - unit) * low + unit * high
