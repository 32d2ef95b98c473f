"""The output of `adamlab run`."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import xarray as xr
from rich.console import Console

from adamlab.errors import InputError
from adamlab.running import keep_programs, run_data, study_of
from adamlab.studies import distributed
from adamlab.studies.config.sizes import in_bytes
from adamlab.studies.config.study import Study
from adamlab.studies.config.toml import read_config, text_of
from adamlab.studies.kinds import Table, kind_of
from adamlab.studies.options import RunOptions
from adamlab.studies.progress import Listener
from adamlab.studies.store.location import Location
from adamlab.studies.sweep.estimate import Estimate, compiling_time, estimate
from adamlab.terminal.console import console, say, table_of
from adamlab.terminal.studies.last_words import shorten_last_words
from adamlab.terminal.studies.progress import Bar, Lines


def run_and_show(
    config: Path, out: Path | None, overrides: Sequence[str], options: RunOptions, *, dry_run: bool = False
) -> None:
    """Run a config with progress, then print the results' tables and their folder."""
    data = read_config(config, overrides)
    folder = Path("results") / str(data.get("name", config.stem)) if out is None else out
    if dry_run:
        keep_programs(options)
        _show_estimate(study_of(data, str(config)), str(config), Location(folder, options.fresh), options)
        return
    if options.is_shared:
        shorten_last_words()
    distributed.begin(options)
    screen = console()
    is_first = not options.is_shared or distributed.is_first()
    progress = Bar(screen) if screen.is_terminal else Lines(screen)
    with progress if is_first else nullcontext(Listener()) as listener:
        try:
            tree = run_data(data, str(config), folder, options, listener, text_of(config, overrides))
        except KeyboardInterrupt as stopped:
            listener.note(str(stopped) or "Stopped.")
            raise
    if is_first:
        for name, child in tree.children.items():
            _show_tables(screen, name, child.to_dataset())
        say(f"\n{progress.answered}")
        say(f"\nResults, summary.csv, figures and report.html are in {folder}")


def _show_tables(screen: Console, name: str, data: xr.Dataset):
    for table in kind_of(data).tables:
        rows = table.rows(data)
        if len(rows):
            _show_formulas(screen, name, rows) if table.is_formulas else _show_table(screen, name, table, rows)


def _show_table(screen: Console, name: str, table: Table, rows: pd.DataFrame):
    title = table.title.format(by=rows.attrs.get("by", "").replace("_", " "))
    columns = rows.drop(columns=[*table.only_in_report]).rename(columns=dict(table.heads))
    screen.print(table_of(f"{name}: {title}", columns))
    for about, note in zip(rows.iloc[:, 0], rows[table.notes] if table.notes else [], strict=False):
        if note:
            say(f"{about}: {note}")


def _show_formulas(screen: Console, name: str, rows: pd.DataFrame):
    for _, lines in rows.groupby(["label", "state"], sort=False):
        head = f"{name}: {lines.label.iloc[0]}, {lines.state.iloc[0]}"
        screen.print(head, *(f"  {line}" for line in lines.text), sep="\n", soft_wrap=True)


def _show_estimate(study: object, where: str, location: Location, options: RunOptions):
    if not isinstance(study, Study):
        raise InputError("--dry-run is for configs of problems and optimizers.")
    estimates = estimate(study, where, location, options)
    rows = [
        {
            "problem": item.problem,
            "optimizer": item.optimizer,
            "runs": f"{item.runs:,}",
            "blocks": item.blocks,
            "bytes": in_bytes(item.bytes),
            "time": _time(item.seconds),
        }
        for item in estimates
    ]
    if rows:
        console().print(table_of(f"{study.head.name}: what is to be done", pd.DataFrame(rows)))
    say(_total(estimates, study.head.steps))
    if study.evaluation is not None:
        evaluated = len(study.problems) * len(study.optimizers) * len(study.evaluation.seeds)
        say(f"Then {evaluated:,} runs of the best settings on fresh seeds, more where a problem has several starts.")


def _total(estimates: Sequence[Estimate], steps: int) -> str:
    if not estimates:
        return "All runs of this config are done."
    runs, size, seconds = (sum(getattr(item, name) for item in estimates) for name in ("runs", "bytes", "seconds"))
    return (
        f"{runs:,} runs of {steps:,} steps: {len(estimates)} programs, {in_bytes(size)} of results, about "
        f"{_time(seconds)}, and {_time(compiling_time(estimates))} to compile what is not kept from before."
    )


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.3g} h"
