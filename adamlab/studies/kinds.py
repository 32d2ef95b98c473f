"""The kinds of configs, as data: how each is read, run, loaded, tabulated and drawn.

Terminal and report loop over them. Results of comparisons and readings are put together here from the documents of
their items, plain data each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from adamlab import analysis
from adamlab.analysis.readings import GENERAL
from adamlab.parity.families import FAMILIES
from adamlab.studies.config.comparisons import read_comparisons
from adamlab.studies.config.runs import read_study
from adamlab.studies.config.study import Config
from adamlab.studies.config.tables.outputs import Plots
from adamlab.studies.options import RunOptions
from adamlab.studies.progress import Listener
from adamlab.studies.store.dataset import load_runs
from adamlab.studies.store.folder import RUN_AGAIN, STORE, StoreError
from adamlab.studies.store.items import Document, load_items
from adamlab.studies.store.location import Location
from adamlab.studies.store.root import read_root

Run = Callable[[Any, str, Location, RunOptions, Listener], xr.DataTree]
"""Computes results, and saves them in a folder: `(config, the file's name, location, options, listener)`."""


@dataclass(frozen=True)
class Table:
    """A table of a dataset, as the terminal and the report show it.

    Attributes:
        rows: computes it, of a dataset or of all datasets by name.
        heading: its heading in the report.
        title: its title on the terminal; `{by}` stands for the criterion of the best setting.
        caption: the sentence under the heading; names in braces stand for attributes of the rows.
        heads: the heads of columns that are not called by their names.
        only_in_report: the columns that are too wide for a terminal.
        notes: the column of remarks on the first column, which a terminal shows in lines under the table.
        best: the columns that rows are sorted by, the best first, which tables for papers have in bold.
        is_formulas: whether its rows are formulas, which are printed one under the other.
    """

    rows: Callable[[Any], pd.DataFrame]
    heading: str
    title: str
    caption: str = ""
    heads: Mapping[str, str] = field(default_factory=dict)
    only_in_report: tuple[str, ...] = ()
    notes: str = ""
    best: tuple[str, ...] = ()
    is_formulas: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of config, and of its results.

    Attributes:
        of: its name, which is the attribute `of` of its datasets.
        table: the name of the tables that mark a config of this kind, such as [[compare]].
        read: reads and checks a config's plain data; `(data, plots, the file's name)`.
        run: computes the results, and saves them where there is a folder.
        load: loads a store of its results.
        tables: the tables of a dataset, in the order in which they are shown.
        summary: computes a dataset's rows of summary.csv.
        outputs: the plots to draw where a config asks for none.
        tests: the tables of a dataset that only the report shows.
        across: the tables of all datasets together, which only the report shows.
    """

    of: str
    table: str
    read: Callable[[Mapping[str, Any], Plots, str], Config]
    run: Run
    load: Callable[[Path], xr.DataTree]
    tables: tuple[Table, ...]
    summary: Callable[[xr.Dataset], pd.DataFrame]
    outputs: tuple[str, ...]
    tests: tuple[Table, ...] = ()
    across: tuple[Table, ...] = ()


def _run_study(*arguments: Any) -> xr.DataTree:
    from adamlab.studies.sweep.run import run_study

    return run_study(*arguments)


def _run_comparisons(*arguments: Any) -> xr.DataTree:
    from adamlab.studies.comparisons import run_comparisons

    return run_comparisons(*arguments, assemble=comparisons_of)


def _read_readings(*arguments: Any) -> Config:
    from adamlab.studies.config.readings import read_readings  # loads SymPy, which no other kind needs

    return read_readings(*arguments)


def _run_readings(*arguments: Any) -> xr.DataTree:
    from adamlab.studies.readings import run_readings

    return run_readings(*arguments, assemble=readings_of)


def comparisons_of(documents: Sequence[Document]) -> xr.Dataset:
    """The dataset of comparisons.

    Args:
        documents: see `adamlab.studies.comparisons.document_of`.

    Returns:
        Variables over comparison × family: the columns of `Comparison.table`, with NaN for what was not asked
        for, and −1 among whole numbers, as for a first difference that does not exist. Coordinates of a comparison:
        `label`, `left`, `right`, `dtype`, `context`, `layout`, `kind`, `verdict`, and each number that the config sets;
        of a family, the bug it `sees`.
    """
    sees = {row["family"]: row["sees"] for document in documents for row in document["families"]}
    known = [*FAMILIES]
    families = sorted(sees, key=lambda name: known.index(name) if name in known else len(known))
    by_family = [{row["family"]: row for row in document["families"]} for document in documents]
    columns = _union(name for document in documents for name in document["families"][0])
    grids = {
        name: [[rows.get(family, {}).get(name) for family in families] for rows in by_family]
        for name in columns
        if name not in ("family", "sees")
    }
    variables = {
        name: (("comparison", "family"), np.array([[_number(name, x) for x in row] for row in grid]))
        for name, grid in grids.items()
    }
    settings = _union(name for document in documents for name in document["settings"])
    coordinates = {
        name: ("comparison", _texts(document[name] for document in documents))
        for name in ("left", "right", "dtype", "context", "layout", "kind", "verdict", "label")
    } | {
        name: ("comparison", np.array([float(document["settings"].get(name, np.nan)) for document in documents]))
        for name in settings
    }
    coordinates["sees"] = ("family", _texts(sees[name] for name in families))
    data = xr.Dataset(variables, {**coordinates, "family": _texts(families)})
    return data.assign_attrs(
        of="comparisons", problem="comparisons", metrics=[], settings=settings, source="Errors in ulp; al.compare."
    )


def readings_of(documents: Sequence[Document]) -> xr.Dataset:
    """The dataset of formulas and weights.

    Args:
        documents: see `adamlab.studies.readings.document_of`.

    Returns:
        Over reading × step: each state's formula as `text`, `latex` and `mathml`, at steps "1" … "T" and for every t at
        step "t". Over setting × lag: `weight`, the factor of the gradient `lag` steps ago in the state after as many
        steps as there are lags; NaN beyond a reading's own, and where the state is no weighted sum.
        Coordinates of a reading: `label`, `spec`, `state`, `assumptions`, and `solved`, whether there is a closed form;
        of a setting: the number of its reading, `reading_of`, each number that it sets, and the `power` of the
        gradients in the sum, which is 0 where there is no such sum, and then a `note` says why.
    """
    rows = [(document, state) for document in documents for state in document["states"]]
    of_optimizer = {name: [document[name] for document, _ in rows] for name in ("label", "spec", "assumptions")}
    texts = {**of_optimizer, "state": [state["state"] for _, state in rows]}
    coordinates = {name: ("reading", _texts(texts[name])) for name in ("label", "spec", "state", "assumptions")}
    coordinates["solved"] = ("reading", np.array([bool(state["solved"]) for _, state in rows]))
    printed = {
        name: (("reading", "step"), np.array([_texts(state[name]) for _, state in rows]))
        for name in ("text", "latex", "mathml")
    }
    steps = range(1, len(rows[0][1]["text"]))
    data = xr.Dataset(printed, {**coordinates, "step": _texts([*map(str, steps), GENERAL])}).merge(_weights(rows))
    settings = _union(name for document in documents for name in document["swept"])
    source = "Read off the optimizers' own code; al.unroll, al.closed_form."
    return data.assign_attrs(of="readings", problem="readings", metrics=[], settings=settings, source=source)


def _weights(rows: Sequence[tuple[Document, Any]]) -> xr.Dataset:
    sums = [(k, weighted) for k, (_, state) in enumerate(rows) for weighted in state["weights"]]
    names = _union(name for _, weighted in sums for name in weighted["setting"])
    lags = max(len(weighted["values"]) for _, weighted in sums)
    values = np.full((len(sums), lags), np.nan)
    for row, (_, weighted) in zip(values, sums, strict=True):
        row[: len(weighted["values"])] = weighted["values"]
    coordinates = {
        "reading_of": ("setting", np.array([k for k, _ in sums])),
        "power": ("setting", np.array([int(weighted["power"]) for _, weighted in sums])),
        "note": ("setting", _texts(weighted["note"] for _, weighted in sums)),
    } | {
        name: ("setting", np.array([float(weighted["setting"].get(name, np.nan)) for _, weighted in sums]))
        for name in names
    }
    return xr.Dataset({"weight": (("setting", "lag"), values)}, {**coordinates, "lag": np.arange(lags)})


def _union(names: Any) -> list[str]:
    """The names, each once, in the order in which they come."""
    return list(dict.fromkeys(names))


def _texts(texts: Any) -> np.ndarray:
    listed = [*texts]
    if not all(isinstance(text, str) for text in listed):  # of a document that somebody wrote by hand
        raise TypeError("expected texts")
    return np.array(listed, object)


def _number(column: str, value: Any) -> float | int:
    if column in ("differing_bits", "first_difference"):
        return -1 if value is None else int(value)
    return np.nan if value is None else float(value)


RUNS = Kind(
    of="runs",
    table="optimizer",
    read=read_study,
    run=_run_study,
    load=load_runs,
    tables=(
        Table(
            analysis.standings,
            heading="Standings",
            title="{by} at each optimizer's best setting, over seeds",
            caption="Each optimizer at its best setting by the median of the {by} over the seeds; where there is an "
            "evaluation, on the seeds of that.",
            heads={"spec": "best setting", "at_end": "at the end of its range"},
            only_in_report=("spec", "at_end"),
            notes="at_end",
            best=("median",),
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
    tests=(
        Table(
            analysis.against_first,
            heading="Against the first",
            title="",
            caption="Wilcoxon's signed-rank test of the {by} on the same seeds: {first}, the first of the standings, "
            "against each of the others. p is two-sided; Holm's p is adjusted for all of these tests.",
            heads={
                "first_wins": "first is better",
                "second_wins": "worse",
                "difference": "median difference",
                "favours": "ranks favour",
                "p_holm": "Holm's p",
            },
        ),
    ),
    across=(
        Table(
            analysis.rank_rows,
            heading="Mean ranks",
            title="",
            caption="Mean ranks by {by} over n problems and seeds. Friedman's test, whether there is any difference: "
            "p = {p:.2g}. By Nemenyi's test at 5 % two optimizers differ where their mean ranks are at least "
            "{difference:.3g} apart. Seeds of one problem are more alike than problems are.",
            heads={"behind": "behind the first", "differs": "differs from it"},
            best=("mean_rank",),
        ),
    ),
)
COMPARISONS = Kind(
    of="comparisons",
    table="compare",
    read=read_comparisons,
    run=_run_comparisons,
    load=partial(load_items, assemble=comparisons_of),
    tables=(Table(analysis.verdicts, heading="Verdicts", title="what was found", only_in_report=("left", "right")),),
    summary=lambda data: data.to_dataframe().reset_index(),
    outputs=("errors", "gap"),
)
READINGS = Kind(
    of="readings",
    table="reading",
    read=_read_readings,
    run=_run_readings,
    load=partial(load_items, assemble=readings_of),
    tables=(
        Table(analysis.formula_rows, heading="Formulas", title="", is_formulas=True),
        Table(analysis.weight_rows, heading="Weights", title="what the gradients of the past weigh"),
    ),
    summary=analysis.formula_summary,
    outputs=("weights",),
)
KINDS = {kind.of: kind for kind in (COMPARISONS, READINGS, RUNS)}
"""The kinds by name."""


def load(folder: str | Path) -> xr.DataTree:
    """Load the results of a run, one child a problem.

    Of a run that was cut off, what is not done is NaN, and −1 among whole numbers; the coordinate `done` marks the runs
    that are. Comparisons and readings are loaded when all of them are done.

    Args:
        folder: the results folder, as in `al.run(config, out=folder)`, or the store in it, results.zarr.

    Raises:
        StoreError: it has no results, their format is another, or they are damaged; or not all items are done.
    """
    path = Path(folder)
    if path.name != STORE and not (path / "zarr.json").is_file():
        path /= STORE
    of = read_root(path).get("of", RUNS.of)
    if of not in KINDS:
        raise StoreError(f"{path} is damaged: it holds neither {', nor '.join(KINDS)}. {RUN_AGAIN}")
    return KINDS[of].load(path)


def kind_of(data: xr.Dataset) -> Kind:
    """The kind of a dataset."""
    return KINDS[data.attrs.get("of", RUNS.of)]


def kind_in(config: Mapping[str, Any]) -> Kind:
    """The kind of a config's plain data: runs, unless it has tables of another kind."""
    return next((kind for kind in KINDS.values() if kind.table in config), RUNS)
