"""Which values of the axes go together: a grid, in step, drawn at random, or spread out evenly."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from adamlab.studies.mistakes import Mistakes, join, shown

MOST_SETTINGS = 10**6
"""The greatest number of settings of one optimizer, and of the values of one number."""

DRAWN = ("random", "sobol")
EXPECTED = 'expected "grid", "zip", { random = 64 } or { sobol = 64 }, with seed = 0 where another is wanted'


@dataclass(frozen=True)
class Points:
    """Values that are listed."""

    points: tuple[int | float, ...]

    def at(self, where: np.ndarray) -> np.ndarray:
        """One of them for each place from 0 up to 1, each as likely."""
        return np.array(self.points, float)[(where * len(self.points)).astype(int)]


@dataclass(frozen=True)
class Interval:
    """All numbers, or whole numbers, between two bounds.

    Attributes:
        kind: "uniform", or "loguniform": their logarithms are.
        low: the least.
        high: the greatest.
        whole: whether they are whole numbers.
    """

    kind: str
    low: int | float
    high: int | float
    whole: bool = False

    points = ()

    def at(self, where: np.ndarray) -> np.ndarray:
        """The number at each place from 0 up to 1."""
        low, high = float(self.low), float(self.high) + self.whole
        if self.kind == "loguniform":
            spread = np.exp((1 - where) * np.log(low) + where * np.log(high))
        else:
            spread = (1 - where) * low + where * high
        # To 12 digits, which a reader can copy and which no machine's exponential function disagrees on.
        values = np.floor(spread) if self.whole else np.array([float(f"{x:.12g}") for x in spread.tolist()])
        return np.clip(values, self.low, self.high)


Values = Points | Interval


def drawn(seed: int, name: str, count: int) -> np.ndarray:
    """Places from 0 up to 1, the same for the same seed and name; more of them begin as fewer do."""
    return np.random.default_rng([seed, *name.encode()]).random(count)


def spread_out(seed: int, dimensions: int, count: int) -> np.ndarray:
    """Points of a Sobol sequence, scrambled, a row each, in the cube of so many dimensions; more begin as fewer do."""
    from scipy.stats.qmc import Sobol

    power = (count - 1).bit_length()  # SciPy warns of counts that are no power of 2, which they are cut from here
    return Sobol(dimensions, rng=np.random.default_rng(seed)).random_base2(power)[:count]


@dataclass(frozen=True)
class Design:
    """How the settings of an optimizer are made of the values of its axes.

    Attributes:
        kind: "grid", every combination, the last axis fastest; "zip", the first values, the second ones, and so on;
            "random" or "sobol", so many points of the axes' space.
        count: how many points are drawn.
        seed: what they are drawn from.
    """

    kind: str = "grid"
    count: int = 0
    seed: int = 0

    @cached_property
    def draws(self) -> bool:
        """Whether it says itself how many settings there are."""
        return self.kind in DRAWN

    def columns(self, axes: Mapping[str, Values]) -> dict[str, np.ndarray]:
        """The values of every axis, one for each setting; a setting that is drawn twice is there once.

        Raises:
            ValueError: there are too many settings, or lists that do not go together.
        """
        if self.draws:
            return _distinct(self._drawn(axes))
        lengths = {name: len(values.points) for name, values in axes.items()}
        columns = {name: np.array(values.points, float) for name, values in axes.items()}
        if self.kind == "zip":
            return _in_step(columns, lengths)
        total = prod(lengths.values())
        if total > MOST_SETTINGS:
            raise ValueError(f"expected at most {MOST_SETTINGS:,} settings; got {total:,}")
        places = np.unravel_index(np.arange(total), tuple(lengths.values())) if axes else ()
        return {name: columns[name][place] for name, place in zip(axes, places, strict=True)}

    def _drawn(self, axes: Mapping[str, Values]) -> dict[str, np.ndarray]:
        if self.kind == "random":
            return {name: values.at(drawn(self.seed, name, self.count)) for name, values in axes.items()}
        # By name, so that a design does not depend on the order of the file.
        rows = spread_out(self.seed, len(axes), self.count).T if axes else ()
        places = dict(zip(sorted(axes), rows, strict=True))
        return {name: values.at(places[name]) for name, values in axes.items()}


GRID = Design()


def read_design(value: Any, key: str, mistakes: Mistakes) -> Design:
    """The design that a config's value stands for; tells where it stands for none, and gives what may be meant."""
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
    """The value, which has to be a whole number in that range; tells the mistake where it is none."""
    if type(value) is int and least <= value <= most:
        return value
    mistakes.tell(key, f"expected a whole number from {least:,} to {most:,}; got {shown(value)}")
    return least


def _in_step(columns: Mapping[str, np.ndarray], lengths: Mapping[str, int]) -> dict[str, np.ndarray]:
    longest = max(lengths.values(), default=1)
    if any(length not in (1, longest) for length in lengths.values()):
        each = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f'under design = "zip" all need as many values, or one; {each}')
    made = {name: np.resize(column, longest) for name, column in columns.items()}
    if made and len(next(iter(_distinct(made).values()))) < longest:
        raise ValueError('under design = "zip" the same setting comes twice')
    return made


def _distinct(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The settings without those that were there before."""
    if not columns:
        return columns
    _, first = np.unique(np.stack([*columns.values()]), axis=1, return_index=True)
    return {name: column[np.sort(first)] for name, column in columns.items()}
