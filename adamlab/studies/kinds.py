"""The kinds of configs: how each is read, made and told of. Whoever has a config, or results, asks here what to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

from adamlab import analysis
from adamlab.studies import formulas
from adamlab.studies.comparisons import Comparisons, compare_all, load_comparisons
from adamlab.studies.config import Plots, load_study
from adamlab.studies.readings import Readings, load_readings
from adamlab.studies.runs import run_study
from adamlab.studies.study import Study
from adamlab.studies.whole import Run, run_whole

Config = Study | Comparisons | Readings
"""A config that has been read and checked."""


@dataclass(frozen=True)
class Kind:
    """What is done with one kind of config, and with its results.

    Attributes:
        of: its name, which its datasets have as their attribute `of`.
        table: the table that makes a config one of this kind, such as [[compare]].
        load: reads and checks a config's plain data; `(data, plots, where)`.
        run: makes the results, and keeps them where there is a folder; `(config, where, place, listener)`.
        tables: what to tell of a dataset, by name.
        summary: a dataset's rows in summary.csv.
        outputs: the pictures to draw where a config asks for none.
    """

    of: str
    table: str
    load: Callable[[Mapping[str, Any], Plots, str], Config]
    run: Run
    tables: Callable[[xr.Dataset], dict[str, pd.DataFrame]]
    summary: Callable[[xr.Dataset], pd.DataFrame]
    outputs: tuple[str, ...]


RUNS = Kind(
    "runs",
    "optimizer",
    load_study,
    run_study,
    lambda data: {"standings": analysis.standings(data), "agreement": analysis.agreement(data)},
    analysis.summary,
    ("trajectories", "curves"),
)
COMPARISONS = Kind(
    "comparisons",
    "compare",
    load_comparisons,
    run_whole(
        lambda comparisons, where: None,
        lambda comparisons, _, listener: {"comparisons": compare_all(comparisons, listener)},
    ),
    lambda data: {"verdicts": analysis.verdicts(data)},
    lambda data: data.to_dataframe().reset_index(),
    ("errors", "gap"),
)
READINGS = Kind(
    "readings",
    "reading",
    load_readings,
    run_whole(
        formulas.prepare_readings,
        lambda readings, found, listener: {"readings": formulas.read_all(readings, found, listener)},
    ),
    lambda data: {"formulas": formulas.formula_rows(data), "weights": formulas.weight_rows(data)},
    formulas.summary,
    ("weights",),
)
KINDS = {kind.of: kind for kind in (COMPARISONS, READINGS, RUNS)}
"""By name."""


def kind_of(data: xr.Dataset) -> Kind:
    """What a dataset is of."""
    return KINDS[data.attrs.get("of", RUNS.of)]


def kind_in(config: Mapping[str, Any]) -> Kind:
    """What a config's plain data is of: runs, unless it has a table of another kind."""
    return next((kind for kind in KINDS.values() if kind.table in config), RUNS)
