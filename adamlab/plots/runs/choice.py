"""Choice of the runs that are drawn: each optimizer's best setting, the best at given numbers, in words."""

import numpy as np
import xarray as xr

from adamlab.analysis import best_settings
from adamlab.analysis.rows import finished
from adamlab.analysis.scores import STEPS, criterion
from adamlab.errors import InputError, nearest
from adamlab.plots.style import NothingToDrawError
from adamlab.plots.words import letter, listing, number


def choose(runs: xr.Dataset, by: str | None = None, at: str | None = None) -> tuple[xr.Dataset, str]:
    """The runs of each optimizer's best setting, and how they were chosen, in words.

    Args:
        runs: the dataset of a problem.
        by: the criterion, see `adamlab.analysis.score`; by default the dataset's.
        at: numbers at which settings are compared, such as "learning_rate=0.01, b2=0.9"; an optimizer that does not
            have such a number is left as it is.

    Raises:
        NothingToDrawError: there are no finished runs, or the results lack the criterion.
        InputError: `at` cannot be read, or no run has such a number.
    """
    if not finished(runs).sizes["run"]:
        raise NothingToDrawError(f"{runs.attrs['problem']}: no run is done yet.")
    require_criterion(runs.attrs["problem"], runs, by)
    pool = runs_at(runs, at)
    words = "its best setting" if at is None else f"its best setting with {_written(at)}"
    return best_settings(pool, by), f"{words} by {criterion(runs, by).replace('_', ' ', 1)}"


def runs_at(runs: xr.Dataset, at: str | None) -> xr.Dataset:
    """The finished runs at given numbers, see `choose`."""
    runs = finished(runs)
    kept = np.ones(runs.sizes["run"], bool)
    for name, value in _numbers(at).items():
        if name not in runs.attrs["settings"]:
            raise InputError(f'at: no optimizer is given a "{name}"; {nearest(name, runs.attrs["settings"])}')
        given = runs[name].values
        equal = np.isclose(given, value, rtol=1e-6, atol=0)
        if not equal.any():
            tried = listing([f"{each:g}" for each in np.unique(given[~np.isnan(given)])], 20)
            raise InputError(f"at: no run has {name}={value:g}; {name} was {tried}.")
        kept &= equal | np.isnan(given)
    return runs if kept.all() else runs.isel(run=np.flatnonzero(kept))


def require_criterion(name: str, runs: xr.Dataset, by: str | None) -> None:
    """Raise NothingToDrawError unless the results have what they are to be compared by."""
    try:
        criterion(runs, by)
    except InputError as error:
        raise NothingToDrawError(f"{name}: {error}") from error


def missed(by: str) -> str:
    """What a run did that has no finite score."""
    return "did not reach the target" if by == STEPS else "diverged"


def _numbers(at: str | None) -> dict[str, float]:
    numbers = {}
    for part in at.split(",") if at else ():
        name, _, value = map(str.strip, part.partition("="))
        try:
            numbers[name] = float(value)
        except ValueError:
            expected = 'expected numbers such as "learning_rate=0.01, b2=0.9"'
            raise InputError(f"at: {expected}; got {part.strip()!r}") from None
    return numbers


def _written(at: str) -> str:
    return ", ".join(f"{letter(name)} {number(value)}" for name, value in _numbers(at).items())
