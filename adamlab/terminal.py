"""What the command line shows: progress, tables, lists."""

import inspect
import json
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
import xarray as xr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from adamlab.calls import arguments
from adamlab.errors import InputError, nearest
from adamlab.parity.comparison import compare
from adamlab.plots import PLOTS, NothingToDrawError
from adamlab.problems import PROBLEMS
from adamlab.report import number, rows
from adamlab.running import Listener, draw, figure_name
from adamlab.running import run as run_config
from adamlab.specs import LIBRARIES, optimizers
from adamlab.studies.analysis import agreement, standings, verdicts
from adamlab.studies.config import read_output
from adamlab.studies.reading import override, read_config
from adamlab.studies.store import load


def run_and_show(config: Path, out: Path | None, overrides: Sequence[str], fresh: bool) -> None:
    """Runs a config with progress, then prints the standings and where everything is."""
    console = _console()
    if out is None:
        out = Path("results") / str(read_config(config, overrides).get("name", config.stem))
    with Bar(console) if console.is_terminal else Lines(console) as listener:
        tree = run_config(config, out, overrides=overrides, fresh=fresh, listener=listener)
    for name, child in tree.children.items():
        data = child.to_dataset()
        if data.attrs.get("of") == "comparisons":
            console.print(_table(f"{name}: what was found", verdicts(data).drop(columns=["left", "right"])))
        else:
            show_problem(console, name, data)
    console.print(f"\nResults, summary.csv, figures and report.html are in {out}", soft_wrap=True)


def plot_and_show(folder: Path, kind: str, out: Path | None, problem: str | None, options: Sequence[str]) -> None:
    """Draws one kind of figure for one problem, or for each that has what it shows, and prints the files' names."""
    tree = load(folder)
    quantities = {name: ["loss", *child.attrs["metrics"]] for name, child in tree.children.items()}
    settings = list(dict.fromkeys(name for child in tree.children.values() for name in child.attrs["settings"]))
    table = override({}, options)
    if table.keys() & {"kind", "problem"}:
        raise InputError("--set is for the plot's options; KIND and --problem say what to draw.")
    output = read_output(table | {"kind": kind, "problem": problem}, PLOTS, quantities, settings)
    problems = [problem] if problem else list(tree.children)
    if out is not None and len(problems) > 1:
        raise InputError(f"--out is one file, and {folder} has {', '.join(problems)}; say which with --problem.")
    refused = []
    for name in problems:
        path = out or folder / "figures" / f"{figure_name(name, kind, output['options'])}.png"
        try:
            draw(tree, name, kind, [path], **output["options"])
        except NothingToDrawError as error:
            refused.append(error)
        else:
            _console().print(str(path), soft_wrap=True)
    if len(refused) == len(problems):
        raise refused[0]


def compare_and_show(left: str, right: str, numbers: Sequence[str], form: str, **how: Any) -> bool:
    """Compares two specs and prints what was found; whether they are bit-identical."""
    if form not in ("table", "json"):
        raise InputError(f"there is no format {form!r}; {nearest(form, ('table', 'json'))}")
    found = compare(left, right, hyper=override({}, numbers), **how)
    console = _console()
    if form == "json":
        console.print(json.dumps(strict_json(found.to_dict()), indent=2, ensure_ascii=False), soft_wrap=True)
        return found.identical
    heads = {column: str(column).replace("_", " ") for column in found.table.columns}
    title = f"{found.left} (left) and {found.right} (right): {found.steps} steps in {found.dtype}, {found.context}"
    console.print(_table(title + "; errors in ulp", found.table.drop(columns="sees").rename(columns=heads)))
    console.print(found.verdict, soft_wrap=True)
    if found.first_difference is not None:
        console.print(f"{found.differing_bits:,} bits differ, from step {found.first_difference} on", soft_wrap=True)
    return found.identical


def strict_json(data: Any) -> Any:
    """The data with texts for what JSON has no numbers for: "inf", "nan"."""
    if isinstance(data, dict):
        return {key: strict_json(value) for key, value in data.items()}
    if isinstance(data, list):
        return [strict_json(value) for value in data]
    return str(data) if isinstance(data, float) and not math.isfinite(data) else data


def show_list(what: str) -> None:
    """Prints the names of one kind of thing, each with a line on what it is."""
    lists: dict[str, Callable[[], Mapping[str, str]]] = {
        "optimizers": _optimizers,
        "problems": lambda: {name: _first_line(make) for name, make in PROBLEMS.items()},
        "plots": lambda: {name: _first_line(plot) for name, plot in PLOTS.items()},
        "experiments": _experiments,
    }
    if what not in lists:
        raise InputError(f"there is no list of {what!r}; {nearest(what, lists)}")
    names = lists[what]()
    console, width = _console(), max(map(len, names), default=0)
    for name, line in names.items():
        console.print(f"{name:{width}}  {line}", soft_wrap=True)


def show_problem(console: Console, name: str, runs: xr.Dataset) -> None:
    """Prints a problem's standings, and how far its runs are from Optax's."""
    shown = standings(runs).drop(columns=["spec"])
    console.print(_table(f"{name}: final loss at each optimizer's best setting, over seeds", shown))
    twins = agreement(runs)
    if len(twins):
        heads = {"params_difference": "Δ params", "loss_difference": "Δ loss"}
        shown = twins.drop(columns=["optax"]).rename(columns=heads)
        console.print(_table(f"{name}: largest difference from Optax at the same settings", shown))


class Lines(Listener, AbstractContextManager):
    """Progress as plain lines, for output that is no terminal."""

    def __init__(self, console: Console):
        self.console = console
        self.runs = self.done = self.steps = 0
        self.started = perf_counter()

    def __exit__(self, *exception):
        return None

    def begin(self, runs: int, steps: int) -> None:
        """Says how much there is to do."""
        self.runs, self.steps, self.started = runs, steps, perf_counter()
        self.note(f"{runs:,} runs of {steps:,} steps")

    def working_on(self, what: str) -> None:
        """Names what comes next."""
        self.note(what)

    def advance(self, runs: int) -> None:
        """Says how far it is, how fast, and how long it will take."""
        self.done += runs
        seconds = perf_counter() - self.started
        left = seconds / self.done * (self.runs - self.done)
        rate = self.done * self.steps / seconds
        self.note(f"  {self.done:,} of {self.runs:,} runs, {rate:,.0f} run-steps/s, {left:.0f} s left")

    def note(self, text: str) -> None:
        """Prints a line."""
        self.console.print(text, soft_wrap=True)


class Bar(Lines):
    """Progress as a bar."""

    def __init__(self, console: Console):
        super().__init__(console)
        columns = (MofNCompleteColumn(), TextColumn("runs, {task.fields[rate]}"), TimeRemainingColumn())
        self.progress = Progress(TextColumn("{task.description}", markup=False), BarColumn(), *columns, console=console)
        self.task = self.progress.add_task("tracing", total=None, rate="")

    def __enter__(self):
        self.progress.start()
        return self

    def __exit__(self, *exception):
        self.progress.stop()

    def begin(self, runs: int, steps: int) -> None:
        """Sets the bar's length."""
        self.runs, self.steps, self.started = runs, steps, perf_counter()
        self.progress.update(self.task, total=runs)

    def working_on(self, what: str) -> None:
        """Names what comes next."""
        self.progress.update(self.task, description=what)

    def advance(self, runs: int) -> None:
        """Moves the bar."""
        self.done += runs
        rate = self.done * self.steps / (perf_counter() - self.started)
        self.progress.update(self.task, completed=self.done, rate=f"{rate:,.0f} run-steps/s")


def _console() -> Console:
    """Plain text is plain: labels may hold brackets. Output that is no terminal is not cut at 80 columns."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, 160)
    return console


def _table(title: str, data: pd.DataFrame) -> Table:
    table = Table(title=title, title_justify="left")
    for i, column in enumerate(data.columns):
        table.add_column(str(column).replace("_", " "), justify="left" if i == 0 else "right")
    for row in rows(data):
        table.add_row(*(number(value) for value in row.values()))
    return table


def _optimizers() -> dict[str, str]:
    return {
        f"{library}.{name}": _first_line(getattr(factory, "func", factory))
        for library in LIBRARIES
        for name, factory in optimizers(library).items()
        if "learning_rate" in arguments(factory) and not name.startswith("scale_by")
    }


def _experiments() -> dict[str, str]:
    files = sorted(Path("experiments").glob("*.toml"))
    if not files:
        raise InputError(f"there is no experiments folder with configs in {Path.cwd()}.")
    return {str(file): tomllib.loads(file.read_text(encoding="utf-8")).get("question", "") for file in files}


def _first_line(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]
