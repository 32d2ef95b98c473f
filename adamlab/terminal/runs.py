"""What `adamlab run` shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from adamlab.errors import InputError
from adamlab.running import run as run_config
from adamlab.running import study_of
from adamlab.studies import machines
from adamlab.studies.estimates import Estimate, compiling_time, estimate
from adamlab.studies.kinds import kind_of
from adamlab.studies.place import Place
from adamlab.studies.source import read_config
from adamlab.studies.study import Study
from adamlab.terminal.console import console, say, table_of
from adamlab.terminal.progress import Bar, Lines, Silent


@dataclass(frozen=True)
class Way:
    """How a config is run.

    Attributes:
        fresh: whether to start anew.
        devices: on how many devices; None takes all there are.
        keep_compiled: whether compiled programs are kept.
        dry_run: whether only to say what it takes.
        shared: coordinator, number of processes and number of this one, None where each is to be found; None where
            this process is alone.
    """

    fresh: bool = False
    devices: int | None = None
    keep_compiled: bool = True
    dry_run: bool = False
    shared: tuple[str | None, int | None, int | None] | None = None


def run_and_show(config: Path, out: Path | None, overrides: Sequence[str], way: Way) -> None:
    """Runs a config with progress, then prints what was found and where everything is."""
    if out is None:
        out = Path("results") / str(read_config(config, overrides).get("name", config.stem))
    if way.dry_run:
        _show_estimate(config, out, overrides, way)
        return
    if way.shared is not None:
        if way.devices is not None:
            machines.divide(way.devices)
        machines.join(*way.shared)
    screen = console()
    first = way.shared is None or machines.is_first()
    with (Bar(screen) if screen.is_terminal else Lines(screen)) if first else Silent() as listener:
        try:
            tree = run_config(
                config,
                out,
                overrides=overrides,
                fresh=way.fresh,
                devices=way.devices,
                keep_compiled=way.keep_compiled,
                listener=listener,
            )
        except KeyboardInterrupt:
            listener.note(f"Stopped. What was done is kept in {out}, and the same command goes on from there.")
            raise
    if not first:
        return
    for name, child in tree.children.items():
        data = child.to_dataset()
        for told, table in kind_of(data).tables(data).items():
            if len(table):
                SHOWN[told](screen, name, table)
    say(f"\nResults, summary.csv, figures and report.html are in {out}")


def _show_estimate(config: Path, out: Path, overrides: Sequence[str], way: Way):
    data = read_config(config, overrides)
    study = study_of(data, str(config))
    if not isinstance(study, Study):
        raise InputError("--dry-run is for configs of problems and optimizers.")
    found = estimate(study, str(config), Place(out, way.fresh, way.devices))
    rows = [
        {
            "problem": one.problem,
            "optimizer": one.optimizer,
            "runs": f"{one.runs:,}",
            "blocks": one.blocks,
            "bytes": _size(one.bytes),
            "time": _time(one.seconds),
        }
        for one in found
    ]
    if rows:
        console().print(table_of(f"{study.name}: what is to be done", pd.DataFrame(rows)))
    say(_in_all(found, study.steps))
    if study.evaluation is not None:
        more = len(study.problems) * len(study.optimizers) * len(study.evaluation.seeds)
        say(f"Then {more:,} runs of the best settings on fresh seeds, more where a problem has several starts.")


def _in_all(found: Sequence[Estimate], steps: int) -> str:
    runs, size, seconds = (sum(getattr(one, name) for one in found) for name in ("runs", "bytes", "seconds"))
    if not found:
        return "All runs of this config are done."
    return (
        f"{runs:,} runs of {steps:,} steps: {len(found)} programs, {_size(size)} of results, about "
        f"{_time(seconds)}, and {_time(compiling_time(found))} to compile what is not kept from before."
    )


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.3g} h"


def _standings(screen: Console, name: str, table: pd.DataFrame):
    title = f"{name}: {table.attrs['by'].replace('_', ' ')} at each optimizer's best setting, over seeds"
    screen.print(table_of(title, table.drop(columns=["spec"])))


def _agreement(screen: Console, name: str, table: pd.DataFrame):
    heads = {"params_difference": "Δ params", "loss_difference": "Δ loss"}
    title = f"{name}: largest difference from Optax at the same settings"
    screen.print(table_of(title, table.drop(columns=["optax"]).rename(columns=heads)))


def _verdicts(screen: Console, name: str, table: pd.DataFrame):
    screen.print(table_of(f"{name}: what was found", table.drop(columns=["left", "right"])))


def _formulas(screen: Console, name: str, table: pd.DataFrame):
    for _, lines in table.groupby(["label", "state"], sort=False):
        head = f"{name}: {lines.label.iloc[0]}, {lines.state.iloc[0]}"
        screen.print(head, *(f"  {line}" for line in lines.text), sep="\n", soft_wrap=True)


def _weights(screen: Console, name: str, table: pd.DataFrame):
    screen.print(table_of(f"{name}: what the gradients of the past weigh", table))


SHOWN = {
    "standings": _standings,
    "agreement": _agreement,
    "verdicts": _verdicts,
    "formulas": _formulas,
    "weights": _weights,
}
"""How each table that a kind of config tells of is shown."""
