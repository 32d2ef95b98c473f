"""The kinds of configs, as data: how each is read, run, tabulated and drawn. Terminal and report loop over them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import xarray as xr

from adamlab import analysis
from adamlab.studies.config.comparisons import read_comparisons
from adamlab.studies.config.outputs import Plots
from adamlab.studies.config.runs import read_study
from adamlab.studies.config.study import Config
from adamlab.studies.options import RunOptions
from adamlab.studies.progress import Listener
from adamlab.studies.store.location import Location

Run = Callable[[Any, str, Location, RunOptions, Listener], xr.DataTree]
"""Computes results, and saves them in a folder: `(config, the file's name, location, options, listener)`."""


@dataclass(frozen=True)
class Table:
    """A table of a dataset, as the terminal and the report show it.

    Attributes:
        rows: computes it.
        heading: its heading in the report.
        title: its title on the terminal; `{by}` stands for the criterion of the best setting.
        caption: the sentence under the heading.
        heads: the heads of columns that are not called by their names.
        only_in_report: the columns that are too wide for a terminal.
        is_formulas: whether its rows are formulas, which are printed one under the other.
    """

    rows: Callable[[xr.Dataset], pd.DataFrame]
    heading: str
    title: str
    caption: str = ""
    heads: Mapping[str, str] = field(default_factory=dict)
    only_in_report: tuple[str, ...] = ()
    is_formulas: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of config, and of its results.

    Attributes:
        of: its name, which is the attribute `of` of its datasets.
        table: the name of the tables that mark a config of this kind, such as [[compare]].
        read: reads and checks a config's plain data; `(data, plots, the file's name)`.
        run: computes the results, and saves them where there is a folder.
        tables: the tables of a dataset, in the order in which they are shown.
        summary: computes a dataset's rows of summary.csv.
        outputs: the plots to draw where a config asks for none.
    """

    of: str
    table: str
    read: Callable[[Mapping[str, Any], Plots, str], Config]
    run: Run
    tables: tuple[Table, ...]
    summary: Callable[[xr.Dataset], pd.DataFrame]
    outputs: tuple[str, ...]


def _run_study(*arguments: Any) -> xr.DataTree:
    from adamlab.studies.sweep.run import run_study

    return run_study(*arguments)


def _run_comparisons(*arguments: Any) -> xr.DataTree:
    from adamlab.studies.comparisons import run_comparisons

    return run_comparisons(*arguments)


def _read_readings(*arguments: Any) -> Config:
    from adamlab.studies.config.readings import read_readings  # loads SymPy, which no other kind needs

    return read_readings(*arguments)


def _run_readings(*arguments: Any) -> xr.DataTree:
    from adamlab.studies.readings import run_readings

    return run_readings(*arguments)


RUNS = Kind(
    of="runs",
    table="optimizer",
    read=read_study,
    run=_run_study,
    tables=(
        Table(
            analysis.standings,
            heading="Standings",
            title="{by} at each optimizer's best setting, over seeds",
            caption="Each optimizer at its best setting by the median of the {by} over the seeds; where there is an "
            "evaluation, on the seeds of that.",
            heads={"spec": "best setting"},
            only_in_report=("spec",),
        ),
        Table(
            analysis.agreement,
            heading="Against Optax",
            title="largest difference from Optax at the same settings",
            caption="The largest difference between two runs at the same settings and seed, over all recorded steps; "
            "pairs that both diverged are only counted.",
            heads={"params_difference": "Δ params", "loss_difference": "Δ loss"},
            only_in_report=("optax",),
        ),
    ),
    summary=analysis.summary,
    outputs=("trajectories", "curves"),
)
COMPARISONS = Kind(
    of="comparisons",
    table="compare",
    read=read_comparisons,
    run=_run_comparisons,
    tables=(Table(analysis.verdicts, heading="Verdicts", title="what was found", only_in_report=("left", "right")),),
    summary=lambda data: data.to_dataframe().reset_index(),
    outputs=("errors", "gap"),
)
READINGS = Kind(
    of="readings",
    table="reading",
    read=_read_readings,
    run=_run_readings,
    tables=(
        Table(analysis.formula_rows, heading="Formulas", title="", is_formulas=True),
        Table(analysis.weight_rows, heading="Weights", title="what the gradients of the past weigh"),
    ),
    summary=analysis.formula_summary,
    outputs=("weights",),
)
KINDS = {kind.of: kind for kind in (COMPARISONS, READINGS, RUNS)}
"""The kinds by name."""


def kind_of(data: xr.Dataset) -> Kind:
    """The kind of a dataset."""
    return KINDS[data.attrs.get("of", RUNS.of)]


def kind_in(config: Mapping[str, Any]) -> Kind:
    """The kind of a config's plain data: runs, unless it has tables of another kind."""
    return next((kind for kind in KINDS.values() if kind.table in config), RUNS)
