"""Comparisons of optimizers: computed one after the other, and gathered in one dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from adamlab.parity.comparison import Comparison, compare
from adamlab.parity.families import FAMILIES
from adamlab.studies.config.comparisons import SWEPT, Comparisons, Pair
from adamlab.studies.options import RunOptions
from adamlab.studies.progress import Listener
from adamlab.studies.store.location import Location
from adamlab.studies.store.once import compute_once


def run_comparisons(
    comparisons: Comparisons, where: str, location: Location, options: RunOptions, listener: Listener
) -> xr.DataTree:
    """Compute a config's comparisons, unless its folder has them.

    Args:
        comparisons: the config.
        where: the config's file, for messages.
        location: where the results are kept.
        options: the options of the run.
        listener: receives the progress.

    Raises:
        StoreError: the folder has results of another config, cannot be written, or is locked by another run.
    """
    return compute_once(comparisons, location, listener, lambda: {"comparisons": compare_all(comparisons, listener)})


def compare_all(comparisons: Comparisons, listener: Listener) -> xr.Dataset:
    """Compute every comparison of a config.

    Returns:
        Variables over comparison × family: the columns of `Comparison.table`, with −1 for a first difference that does
        not exist and NaN for what was not asked for. Coordinates of a comparison: `label`, `left`, `right`, `dtype`,
        `context`, `layout`, `kind`, `verdict`, and each number that the config sets; of a family, the bug it `sees`.
    """
    steps = comparisons.head.steps
    listener.begin(len(comparisons.pairs), steps)
    results = []
    for pair in comparisons.pairs:
        listener.working_on(f"{pair.label} in {', '.join(pair.arguments[key] for key in SWEPT)}")
        results.append(compare(**pair.arguments, steps=steps))
        listener.advance(1)
    return _dataset(comparisons.pairs, results)


def _dataset(pairs: Sequence[Pair], results: Sequence[Comparison]) -> xr.Dataset:
    families = [
        name for name in FAMILIES if any(row["family"] == name for result in results for row in result.families)
    ]
    by_family = [{row["family"]: row for row in result.families} for result in results]
    columns = dict.fromkeys(name for result in results for name in result.families[0] if name not in ("family", "sees"))
    grids = {name: [[rows.get(f, {}).get(name) for f in families] for rows in by_family] for name in columns}
    variables = {
        name: (("comparison", "family"), np.array([[_number(name, x) for x in row] for row in grid]))
        for name, grid in grids.items()
    }
    settings = list(dict.fromkeys(name for pair in pairs for name in pair.settings))
    texts = {
        name: [getattr(result, name) for result in results] for name in ("left", "right", *SWEPT, "kind", "verdict")
    }
    texts["label"] = [pair.label for pair in pairs]
    coordinates = {name: ("comparison", np.array(values, object)) for name, values in texts.items()} | {
        name: ("comparison", np.array([pair.settings.get(name, np.nan) for pair in pairs])) for name in settings
    }
    sees = np.array([FAMILIES[name].sees for name in families], object)
    data = xr.Dataset(variables, {**coordinates, "family": np.array(families, object), "sees": ("family", sees)})
    return data.assign_attrs(
        of="comparisons", problem="comparisons", metrics=[], settings=settings, source="Errors in ulp; al.compare."
    )


def _number(column: str, value: Any) -> float | int:
    if column in ("differing_bits", "first_difference"):
        return -1 if value is None else int(value)
    return np.nan if value is None else float(value)
