"""Designs: the settings made of the axes' values: a grid, a zip, or points drawn at random or from a Sobol sequence."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from adamlab.studies.config.errors import Mistakes, join, shown

MOST_SETTINGS = 10**6
"""The greatest number of settings of one optimizer, of the values of one number, and of those in all tables."""

DRAWN = ("random", "sobol")
EXPECTED = 'expected "grid", "zip", { random = 64 } or { sobol = 64 }, with seed = 0 where another is wanted'


@dataclass(frozen=True)
class Points:
    """Listed values."""

    points: tuple[int | float, ...]

    def at(self, quantiles: np.ndarray) -> np.ndarray:
        """The value at each quantile in [0, 1), all equally likely."""
        return np.array(self.points, float)[(quantiles * len(self.points)).astype(int)]


@dataclass(frozen=True)
class Interval:
    """The numbers, or whole numbers, between two bounds.

    Attributes:
        kind: "uniform", or "loguniform": their logarithms are.
        low: the lower bound.
        high: the upper bound.
        whole: whether they are whole numbers.
    """

    kind: str
    low: int | float
    high: int | float
    whole: bool = False

    points = ()

    def at(self, quantiles: np.ndarray) -> np.ndarray:
        """The number at each quantile in [0, 1)."""
        low, high = float(self.low), float(self.high) + self.whole
        if self.kind == "loguniform":
            spread = np.exp((1 - quantiles) * np.log(low) + quantiles * np.log(high))
        else:
            spread = (1 - quantiles) * low + quantiles * high
        # To 12 digits, which a reader can copy and which no machine's exponential function disagrees on.
        values = np.floor(spread) if self.whole else np.array([float(f"{x:.12g}") for x in spread.tolist()])
        return np.clip(values, self.low, self.high)


Values = Points | Interval


def drawn(seed: int, name: str, count: int) -> np.ndarray:
    """Random numbers in [0, 1), the same for the same seed and name; a larger count begins with a smaller one's."""
    return np.random.default_rng([seed, *name.encode()]).random(count)


def spread_out(seed: int, dimensions: int, count: int) -> np.ndarray:
    """Points of a scrambled Sobol sequence in the unit cube, a row each; larger counts begin with smaller ones."""
    from scipy.stats.qmc import Sobol

    power = (count - 1).bit_length()  # SciPy warns of counts that are no power of 2, which they are cut from here
    return Sobol(dimensions, rng=np.random.default_rng(seed)).random_base2(power)[:count]


@dataclass(frozen=True)
class Design:
    """The settings of an optimizer as made of the values of its axes.

    Attributes:
        kind: "grid", every combination, the last axis fastest; "zip", the first values, the second ones, and so on;
            "random" or "sobol", `count` points of the axes' space.
        count: the number of points that are drawn.
        seed: the seed that they are drawn with.
    """

    kind: str = "grid"
    count: int = 0
    seed: int = 0

    @cached_property
    def draws(self) -> bool:
        """Whether the design itself has a count of settings."""
        return self.kind in DRAWN

    def columns(self, axes: Mapping[str, Values]) -> dict[str, np.ndarray]:
        """The values of every axis, one for each setting; a setting that is drawn twice is kept once.

        Raises:
            ValueError: there are too many settings, or lists that do not go together.
        """
        if self.draws:
            return _distinct(self._drawn(axes))
        lengths = {name: len(values.points) for name, values in axes.items()}
        columns = {name: np.array(values.points, float) for name, values in axes.items()}
        if self.kind == "zip":
            return _zipped(columns, lengths)
        total = prod(lengths.values())
        if total > MOST_SETTINGS:
            product = " × ".join(f"{length:,}" for length in lengths.values() if length > 1)
            raise ValueError(f"expected at most {MOST_SETTINGS:,} settings; got {product} = {total:,}")
        indices = np.unravel_index(np.arange(total), tuple(lengths.values())) if axes else ()
        return {name: columns[name][index] for name, index in zip(axes, indices, strict=True)}

    def _drawn(self, axes: Mapping[str, Values]) -> dict[str, np.ndarray]:
        if self.kind == "random":
            return {name: values.at(drawn(self.seed, name, self.count)) for name, values in axes.items()}
        # By name, so that a design does not depend on the order of the file.
        rows = spread_out(self.seed, len(axes), self.count).T if axes else ()
        quantiles = dict(zip(sorted(axes), rows, strict=True))
        return {name: values.at(quantiles[name]) for name, values in axes.items()}


GRID = Design()


def read_design(value: Any, key: str, mistakes: Mistakes) -> Design:
    """The design of a config's value, or the likeliest one where it has mistakes, which are added to the others."""
    if isinstance(value, str) and value in ("grid", "zip"):
        return Design(value)
    table = value if isinstance(value, dict) else {}
    kinds = [kind for kind in DRAWN if kind in table]
    if len(kinds) != 1 or not table.keys() <= {*kinds, "seed"}:
        mistakes.tell(key, f"{EXPECTED}; got {shown(value)}")
        return Design("random", 1) if table else GRID
    (kind,) = kinds
    count = read_whole(table[kind], 1, MOST_SETTINGS, join(key, kind), mistakes)
    return Design(kind, count, read_whole(table.get("seed", 0), 0, 2**32 - 1, join(key, "seed"), mistakes))


def read_whole(value: Any, least: int, most: int, key: str, mistakes: Mistakes) -> int:
    """The value if it is a whole number in that range; otherwise the least, with a mistake added to the others."""
    if type(value) is int and least <= value <= most:
        return value
    mistakes.tell(key, f"expected a whole number from {least:,} to {most:,}; got {shown(value)}")
    return least


def _zipped(columns: Mapping[str, np.ndarray], lengths: Mapping[str, int]) -> dict[str, np.ndarray]:
    longest = max(lengths.values(), default=1)
    if any(length not in (1, longest) for length in lengths.values()):
        each = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f'under design = "zip" all need as many values, or one; {each}')
    settings = {name: np.resize(column, longest) for name, column in columns.items()}
    if settings and len(next(iter(_distinct(settings).values()))) < longest:
        raise ValueError('under design = "zip" the same setting comes twice')
    return settings


def _distinct(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The settings without repetitions, in the order in which they first appear."""
    if not columns:
        return columns
    _, first = np.unique(np.stack([*columns.values()]), axis=1, return_index=True)
    return {name: column[np.sort(first)] for name, column in columns.items()}
