"""Ranks of optimizers over instances, with intervals of confidence."""

import numpy as np
import xarray as xr

from adamlab.analysis.comparing.instances import Results, by_instance, datasets
from adamlab.analysis.scores import criterion, score
from adamlab.errors import InputError

AT_ONCE = 2**20
"""About how many numbers are drawn at a time."""


def ranks(
    results: Results, by: str | None = None, level: float = 0.95, draws: int = 10_000, seed: int = 0
) -> xr.Dataset:
    """Each optimizer's mean rank over instances, 1 being the best, with a bootstrap interval.

    On every instance the optimizers, each at its best setting for the problem, are ranked by score; those that tie
    share the mean of their ranks, and diverged runs tie for the last (Demšar 2006, section 3.2.2). The interval is the
    percentile interval (Efron & Tibshirani 1993, section 13.3) of the mean rank over instances drawn with replacement,
    the same ones for all optimizers. It says how sure the mean is over instances like these; seeds of one problem are
    more alike than problems are, so that it is too narrow for what is claimed of other problems.

    Args:
        results: the dataset of a problem, or several by name.
        by: what runs are compared by, see `adamlab.analysis.score`.
        level: how much of the bootstrap's distribution is inside the interval.
        draws: how often instances are drawn anew.
        seed: of these draws; the same seed gives the same interval.

    Returns:
        `rank` (optimizer × instance), `mean_rank`, `low` and `high` (optimizer,); coordinates of an instance:
        `problem`, `seed`, and `start` where there are several.

    Raises:
        InputError: the level is not between 0 and 1, there are no draws, or no instance has results of all optimizers.
    """
    if not 0 < level < 1 or draws < 1:
        raise InputError(f"expected a level between 0 and 1 and at least one draw; got {level} and {draws}.")
    problems = datasets(results)
    scores, problem = by_instance(problems, lambda runs: score(runs, by), by)
    table = average_ranks(scores.values)
    means = _means_of_draws(table, draws, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return xr.Dataset(
        {
            "rank": (scores.dims, table),
            "mean_rank": ("optimizer", table.mean(axis=1)),
            "low": ("optimizer", low),
            "high": ("optimizer", high),
        },
        scores.coords,
        {"problem": problem, "by": criterion(next(iter(problems.values())), by), "level": level, "draws": draws},
    )


def average_ranks(scores: np.ndarray) -> np.ndarray:
    """The ranks of each column's entries (optimizer, instance), the least being 1; ties share their mean rank."""
    others, own = scores[None], scores[:, None]
    return (others < own).sum(axis=1) + ((others == own).sum(axis=1) + 1) / 2


def _means_of_draws(table: np.ndarray, draws: int, generator: np.random.Generator) -> np.ndarray:
    """The mean ranks (draw, optimizer) over instances drawn with replacement."""
    instances = table.shape[1]
    size = max(1, AT_ONCE // instances)
    counts = [min(size, draws - first) for first in range(0, draws, size)]
    drawn = (generator.multinomial(instances, np.full(instances, 1 / instances), size=n) for n in counts)
    return np.concatenate([times @ table.T / instances for times in drawn])
