"""Kinds: every table of each is on the terminal and in the report, and its reserved names are those of its datasets."""

import contextlib
import html
import io
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import adamlab as al
from adamlab.exporting.cells import number
from adamlab.report import write_report
from adamlab.studies.config.comparisons import PairSchema
from adamlab.studies.config.readings import ReadSchema
from adamlab.studies.config.values.reserved import COMPARISON_NAMES, READING_NAMES, RUN_NAMES
from adamlab.studies.engine.recording import QUANTITIES
from adamlab.studies.kinds import KINDS, Table
from adamlab.studies.options import RunOptions
from adamlab.terminal.studies.runs import run_and_show
from tests.analysis.test_ranking import with_losses

pytestmark = pytest.mark.optimized(False)

CONFIGS = {
    "runs": """
        steps = 3
        seeds = 2
        evaluation = { seeds = 1 }
        record = { what = ["loss", "params", "layer_norms", "steps_to_target"], target = 1.0 }

        [[problem]]
        name = "beale"
        starts = { grid = 2 }

        [[optimizer]]
        name = "adamlab.adam"
        learning_rate = [0.01, 0.1]

        [[optimizer]]
        name = "optax.adam"
        label = "theirs <1>"
        learning_rate = [0.01, 0.1]
    """,
    "comparisons": """
        steps = 3

        [[compare]]
        left = "adamlab.sgd(rate)"
        right = "optax.sgd(rate, momentum=0.5)"
        rate = [0.1, 0.2]
        families = ["zeros", "normal"]
    """,
    "readings": """
        steps = 2

        [[reading]]
        spec = "optax.adam"
        label = "theirs <1>"
        b1 = [0.5, 0.75]
        b2 = [0.9]
        lags = 3
    """,
}

RESERVED = {"runs": RUN_NAMES, "comparisons": COMPARISON_NAMES, "readings": READING_NAMES}
KEYS = {"runs": {}, "comparisons": PairSchema.model_fields, "readings": ReadSchema.model_fields}
"""The keys of a kind's tables, which no number can be called by either."""


FEW: dict[str, Any] = {"steps": 3, "families": ["zeros", "normal"]}
"""How the comparisons above are made."""


class Page(HTMLParser):
    """A report: its headings, and the cells of its tables by row."""

    def __init__(self, text: str):
        super().__init__()
        self.headings: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.heading_of: list[str] = []
        self.place = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]):
        if tag in ("h3", "td", "th"):
            self.place = tag
        if tag == "h3":
            self.headings.append("")
        if tag == "table":
            self.tables.append([])
            self.heading_of.append(self.headings[-1])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str):
        self.place = "" if tag == self.place else self.place

    def handle_data(self, data: str):
        if self.place == "h3":
            self.headings[-1] += data
        if self.place in ("td", "th"):
            self.tables[-1][-1][-1] += data


@dataclass(frozen=True)
class Shown:
    """The datasets of a config, its lines on the terminal, its report and the columns of its summary.csv."""

    datasets: dict[str, xr.Dataset]
    lines: list[str]
    report: str
    summary: set[str]

    def on_terminal(self) -> list[tuple[str, list[list[str]]]]:
        """The terminal's tables: the text since the table before, and the cells by row."""
        tables, text = [], ""
        for line in self.lines:
            if line.startswith(("┃", "│")):
                cells = [cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")]
                tables[-1][1].append(cells)
            elif line.startswith("┏"):
                tables.append((text, []))
                text = ""
            elif not line.startswith(("┡", "└")):
                text += line
        return tables


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> dict[str, Shown]:
    """All kinds, run as `adamlab run` does, but for the pictures."""
    folder, results = tmp_path_factory.mktemp("kinds"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "400")
        patch.setattr("adamlab.products.draw_outputs", lambda *arguments: ({}, []))
        for of, text in CONFIGS.items():
            path, out = folder / f"{of}.toml", folder / of
            path.write_text(f'name = "{of}"\n{text}', encoding="utf-8")
            with contextlib.redirect_stdout(io.StringIO()) as screen:
                run_and_show(path, out, [], RunOptions())
            results[of] = _shown(out, screen.getvalue())
    return results


def _shown(out: Path, printed: str) -> Shown:
    datasets = {name: child.to_dataset() for name, child in al.load(out).children.items()}
    for name, child in al.load(out / "results.zarr").children.items():
        xr.testing.assert_identical(child.to_dataset(), datasets[name])
    summary = {*map(str, pd.read_csv(out / "summary.csv").columns)}
    return Shown(datasets, printed.splitlines(), (out / "report.html").read_text(encoding="utf-8"), summary)


def tables_of(of: str, datasets: dict[str, xr.Dataset], *, formulas: bool) -> list[tuple[str, Table, pd.DataFrame]]:
    """The tables of a kind that have rows, with the name of their dataset."""
    tables = [(name, table, table.rows(data)) for name, data in datasets.items() for table in KINDS[of].tables]
    return [(name, table, rows) for name, table, rows in tables if len(rows) and table.is_formulas is formulas]


def squeezed(text: str) -> str:
    """The text without spaces, which a terminal may break at."""
    return "".join(text.split())


def test_every_kind_and_each_of_its_tables_is_looked_at(shown):
    assert {*CONFIGS} == {*KINDS} == {*RESERVED} == {*KEYS}
    for of, kind in KINDS.items():
        looked_at = [
            table for formulas in (False, True) for _, table, _ in tables_of(of, shown[of].datasets, formulas=formulas)
        ]
        assert {id(table) for table in looked_at} == {id(table) for table in kind.tables}, of


@pytest.mark.parametrize("of", KINDS)
def test_the_terminal_shows_every_table_of_a_kind(shown, of):
    printed = shown[of].on_terminal()
    tables = tables_of(of, shown[of].datasets, formulas=False)
    assert len(printed) == len(tables)
    for (text, cells), (name, table, rows) in zip(printed, tables, strict=True):
        columns = [str(column) for column in rows if column not in table.only_in_report]
        assert table.only_in_report == tuple(name for name in rows if name in table.only_in_report)
        title = table.title.format(by=rows.attrs.get("by", "").replace("_", " "))
        assert squeezed(text).endswith(squeezed(f"{name}: {title}"))
        assert cells[0] == [table.heads.get(column, column).replace("_", " ") for column in columns]
        assert cells[1:] == [[number(row[column]) for column in columns] for row in rows.to_dict("records")]


@pytest.mark.parametrize("of", KINDS)
def test_the_report_shows_every_table_of_a_kind(shown, of):
    page = Page(shown[of].report)
    tables = tables_of(of, shown[of].datasets, formulas=False)
    assert page.heading_of == [table.heading for _, table, _ in tables]
    for cells, (_, table, rows) in zip(page.tables, tables, strict=True):
        caption = table.caption.format(by=rows.attrs.get("by", "").replace("_", " "))
        assert squeezed(caption) in squeezed(html.unescape(shown[of].report))
        assert cells[0] == [table.heads.get(column, column.replace("_", " ")) for column in map(str, rows)]
        assert cells[1:] == [[number(value) for value in row.values()] for row in rows.to_dict("records")]


def by_head(cells: list[list[str]]) -> list[dict[str, str]]:
    """The rows of a table, each cell by the head of its column."""
    return [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]


def test_columns_of_runs_hold_what_their_heads_say(shown):
    """Computed from the dataset alone, since the tables' own code is what could be wrong."""
    data = shown["runs"].datasets["beale"]
    standings, against = map(by_head, Page(shown["runs"].report).tables)
    for row in standings:
        mine = data.isel(run=np.flatnonzero(data.optimizer.values == row["optimizer"]))
        judged = mine.isel(run=np.flatnonzero(mine.stage.values == "evaluation"))
        finals = judged.loss.values[:, -1]
        assert {row["best setting"]} == {*judged.spec.values}
        for head, value in (("median", np.median(finals)), ("least", finals.min()), ("greatest", finals.max())):
            assert float(row[head]) == pytest.approx(float(value), rel=0.006), head
        assert len({row["median"], row["least"], row["greatest"]}) == 3
        assert (int(row["settings"]), int(row["runs"]), int(row["diverged"])) == (2, mine.sizes["run"], 0)
    (row,) = against
    ours = np.flatnonzero(data.optimizer.values == "adamlab.adam")
    theirs = data.optax_run.values[ours]
    assert {row["adamlab"], *data.optimizer.values[ours]} == {"adamlab.adam"}
    assert {row["optax"], *data.optimizer.values[theirs]} == {"theirs <1>"}
    for head, name in (("Δ params", "params"), ("Δ loss", "loss")):
        apart = np.abs(data[name].values[ours] - data[name].values[theirs])
        assert float(row[head]) == pytest.approx(float(apart.max()), rel=0.006), head
    assert row["Δ params"] != row["Δ loss"]
    assert row["runs"] == str(len(ours))


def test_columns_of_comparisons_hold_what_their_heads_say(shown):
    data = shown["comparisons"].datasets["comparisons"]
    (table,) = map(by_head, Page(shown["comparisons"].report).tables)
    for i, row in enumerate(table):
        c = al.compare("adamlab.sgd(rate)", "optax.sgd(rate, momentum=0.5)", hyper={"rate": data.rate.values[i]}, **FEW)
        assert (row["left"], row["right"]) == (
            "adamlab.sgd(learning_rate=rate)",
            "optax.sgd(learning_rate=rate, momentum=0.5)",
        )
        assert (data.left.values[i], data.right.values[i]) == (row["left"], row["right"])
        assert (row["differing bits"], row["from step"]) == (str(c.differing_bits), str(c.first_difference))
        assert len({*c.table.first_difference}) == 2, "families that part at different steps"
        assert (row["verdict"], row["rate"]) == (c.verdict, number(float(data.rate.values[i])))
    assert [row["rate"] for row in table] == ["0.1", "0.2"]


@pytest.mark.parametrize("of", KINDS)
def test_formulas_are_printed_as_text_and_reported_as_mathml(shown, of):
    page = Page(shown[of].report)
    for name, _, rows in tables_of(of, shown[of].datasets, formulas=True):
        formulas = [line.strip() for line in shown[of].lines if line.startswith("  ") and " = " in line]
        assert formulas == rows.text.tolist()
        states = list(dict.fromkeys(zip(rows.label, rows.state, strict=True)))
        assert page.headings[: len(states)] == [f"{label}: {state}" for label, state in states]
        heads = [f"{name}: {label}, {state}" for label, state in states]
        assert [line for line in shown[of].lines if line in heads] == heads
        assert [mathml for mathml in rows.mathml if mathml not in shown[of].report] == []


@pytest.mark.parametrize("of", KINDS)
def test_reserved_names_are_those_of_the_datasets(shown, of):
    """A number of that name would be taken for what the dataset, a table or summary.csv holds under it."""
    recorded = {*QUANTITIES, "final_params", "diverged_at"} if of == "runs" else set()
    names, columns = set(), set(shown[of].summary)
    for data in shown[of].datasets.values():
        own = {*data.attrs["settings"], *data.attrs["metrics"]}
        names |= {*map(str, data.variables), *map(str, data.dims)} - own - recorded
        columns |= {str(column) for table in KINDS[of].tables for column in table.rows(data)}
    assert names - RESERVED[of] - KEYS[of].keys() == set()
    assert RESERVED[of] - names - columns == set()


def test_the_report_tells_of_tests_and_mean_ranks_where_there_are_enough_runs(tmp_path):
    losses = {"a": [5, 5, 5, 5, 5, 6], "b": [1, 2, 3, 4, 5, 5], "c": [7, 7, 7, 8, 9, 7]}

    def page(problems: int, seeds: int) -> str:
        datasets = {
            f"/{i}": al.analysis.with_agreement(
                with_losses({name: each[:seeds] for name, each in losses.items()}, str(i))
            )
            for i in range(problems)
        }
        tree = xr.DataTree.from_dict(datasets)
        tree.attrs |= {"versions": "{}", "created": "", "platform": ""}
        write_report(tree, {"name": "tests"}, {}, tmp_path / "report.html")
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    whole = page(2, 6)
    assert Page(whole).heading_of == ["Mean ranks"] + ["Standings", "Against the first"] * 2
    ranks, _, against, *_ = map(by_head, Page(whole).tables)
    assert [(row["optimizer"], row["worse"], row["Holm's p"]) for row in against] == [
        ("a", "0", "0.0625"),
        ("c", "0", "0.0625"),
    ]
    assert [(row["mean rank"], row["differs from it"]) for row in ranks] == [("1.08", ""), ("1.92", "no"), ("3", "yes")]
    assert "their mean ranks are at least 0.957 apart" in whole
    assert "b, the first of the standings, against each" in whole
    assert "at the end of its range" not in whole  # nobody tried more than a setting
    assert Page(page(1, 6)).heading_of == ["Standings", "Against the first"]
    assert Page(page(2, 2)).heading_of == ["Standings"] * 2
