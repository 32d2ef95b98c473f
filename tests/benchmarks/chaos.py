"""Chaos: runs that are killed at random file operations and times, and stores with files deleted and bits flipped.

python -m tests.benchmarks.chaos [--kind KIND]… [--kills 120] [--flips 200] [--reruns 40] [--seed 0]

A run is killed, begun again and killed again until it ends; then its results, and summary.csv, are compared bit for bit
with those of a run that was let alone. Of a small store of each kind every file is deleted once and flipped at so many
places, or in each of its bits where it has fewer, with `al.load` after each, and a run into the folder after some.
Prints a table; exit code 0 where all held.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr
from rich.console import Console
from rich.table import Table

import adamlab as al
from adamlab import products
from adamlab.errors import InputError
from adamlab.studies.engine import block_sizes, execution, program
from adamlab.studies.store import folder as stores
from adamlab.studies.sweep import worker

RATES = {"log": [1e-3, 1e-1, 6]}
CONFIGS: dict[str, dict[str, Any]] = {
    "runs": {
        "name": "runs",
        "steps": 30,
        "seeds": 3,
        "record": {"every": 10, "what": ["loss", "params"]},
        "evaluation": {"seeds": 2},
        "problem": [{"name": "rosenbrock"}, {"name": "noisy_quadratic"}],
        "optimizer": [{"name": "adamlab.adam", "learning_rate": RATES}, {"name": "optax.sgd", "learning_rate": 1e-3}],
    },
    "long-runs": {
        "name": "long-runs",
        "steps": 400,
        "seeds": 2,
        "record": {"every": 50},
        "problem": [{"name": "beale"}],
        "optimizer": [{"name": "adamlab.adam", "learning_rate": RATES}],
    },
    "comparisons": {
        "name": "comparisons",
        "steps": 3,
        "compare": [
            {"left": "adamlab.sgd(lr)", "right": "optax.sgd(lr)", "lr": [0.1, 0.2]},
            {"left": "optax.sgd(0.1, momentum=m)", "right": "adamlab.sgd(0.1, momentum=m)", "m": [0.5, 0.9]},
        ],
    },
    "readings": {
        "name": "readings",
        "steps": 2,
        "reading": [
            {"spec": "optax.trace(decay=d)", "d": [0.5, 0.9], "lags": 4},
            {"spec": "optax.scale_by_rss()", "lags": 4},
            {"spec": "optax.ema(d)", "d": 0.5, "lags": 4},
        ],
    },
}
"""A config of each kind, and one of runs that are long enough for checkpoints."""

FEWER: dict[str, dict[str, Any]] = {
    "runs": {
        "seeds": 1,
        "evaluation": {"seeds": 1},
        "problem": [{"name": "rosenbrock"}],
        "optimizer": [{"name": "optax.sgd", "learning_rate": [1e-3, 1e-2]}],
    },
    "long-runs": {"optimizer": [{"name": "adamlab.adam", "learning_rate": 1e-2}]},
}
"""The keys by which a store has as few files as it can, each of its kinds among them."""

WRITES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "shutil.rmtree"}
"""Python's audit events of operations on files; of those that open one only such as can write count."""

LONGEST = 4.0
"""The seconds within which a run is killed that is not killed at a file operation."""

PATIENCE = 600.0
"""The seconds after which a run that is let alone hangs."""

MOST = 15
"""The kills of a run after which it is let alone: on a slow machine it would never end."""


@dataclass
class Tally:
    """What was tried on one kind, and what came of it."""

    tried: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def settle() -> None:
    """Make blocks small, checkpoints frequent, and leave pictures out: a kill then meets as many states as can be."""
    block_sizes.RECORDS = 1
    program.CALL, execution.SECONDS = 1000, 0.0
    worker.PAUSE = 0.0
    products.__dict__["draw_outputs"] = lambda *arguments: ({}, [])


def run_until_killed(config: dict[str, Any], out: str, operation: int) -> None:
    """Run in this process; SIGKILL it at that operation on the folder's files, −1 for never."""
    settle()
    remaining = iter(range(operation)) if operation >= 0 else None

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if remaining is None or event not in WRITES or not str(arguments[0]).startswith(out):
            return
        if event == "open" and not (arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        if next(remaining, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    al.run(config, out)


def killed_run(context: Any, config: dict[str, Any], out: Path, chance: random.Random) -> int:
    """Run a config with a kill in every second attempt or more, until it ends, after `MOST` kills at the latest."""
    kills = 0
    while True:
        at_operation = chance.random() < 0.7
        operation = int(chance.expovariate(1 / 40)) if at_operation and kills < MOST else -1
        process = context.Process(target=run_until_killed, args=(config, str(out), operation))
        process.start()
        is_timed = not at_operation and kills < MOST
        process.join(chance.uniform(0.2, LONGEST) if is_timed else PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
            assert is_timed, f"{config['name']} did not end within {PATIENCE:g} s"
        if process.exitcode == 0:
            return kills
        assert process.exitcode == -signal.SIGKILL, f"{config['name']} ended with {process.exitcode}"
        kills += 1


def differences(folder: Path, reference: Path) -> list[str]:
    """What differs between a folder and that of a run that was let alone, and what should not be left in it."""
    results, expected = al.load(folder), al.load(reference)
    differing = [name for name in expected.children if not _same(results, expected, name)]
    if [*results.children] != [*expected.children]:
        differing.append("the problems")
    if (folder / "summary.csv").read_bytes() != (reference / "summary.csv").read_bytes():
        differing.append("summary.csv")
    left = [path.name for path in folder.rglob("*") if path.name.startswith(".adamlab") or "partial" in path.name]
    return differing + left


def _same(results: xr.DataTree, expected: xr.DataTree, name: str) -> bool:
    return name in results.children and results[name].to_dataset().identical(expected[name].to_dataset())


def kill(kind: str, reference: Path, kills: int, chance: random.Random, tally: Tally) -> None:
    """Kill runs of a kind so many times."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["adamlab.running"])
    while tally.tried["kills"] < kills:
        with tempfile.TemporaryDirectory() as place:
            out = Path(place) / "out"
            tally.tried["kills"] += killed_run(context, CONFIGS[kind], out, chance)
            tally.tried["runs that ended"] += 1
            tally.failures += [f"killed: {what} differs" for what in differences(out, reference)]


def damage(config: Any, reference: Path, flips: int, reruns: int, chance: random.Random, tally: Tally) -> None:
    """Delete each file of a config's store once, and flip bits in it; load after each, and run again after some."""
    al.run(config, reference)
    files = [path.relative_to(reference) for path in (reference / stores.STORE).rglob("*") if path.is_file()]
    damages: list[tuple[str, Path, Callable[[bytes], bytes | None]]] = []
    for file in files:
        bits = 8 * (reference / file).stat().st_size
        damages.append(("deleted", file, lambda content: None))
        for at in sorted(chance.sample(range(bits), min(flips, bits))):
            damages.append(("flipped", file, lambda content, at=at: _flipped(content, at)))
    chosen = {*chance.sample(range(len(damages)), min(reruns, len(damages)))}
    expected = al.load(reference)
    with tempfile.TemporaryDirectory() as place:
        folder = shutil.copytree(reference, Path(place) / "out")
        for i, (what, file, change) in enumerate(damages):
            content = (folder / file).read_bytes()
            changed = change(content)
            (folder / file).unlink() if changed is None else (folder / file).write_bytes(changed)
            tally.tried[what] += 1
            if not _told_or_right(folder, expected):
                tally.failures.append(f"{file} {what}: other values are served")
            if i not in chosen:
                (folder / file).write_bytes(content)
                continue
            tally.tried["repairs"] += 1
            al.run(config, folder)
            tally.failures += [f"{file} {what}, run again: {name} differs" for name in differences(folder, reference)]
            shutil.rmtree(folder)
            shutil.copytree(reference, folder)


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _told_or_right(folder: Path, expected: xr.DataTree) -> bool:
    """Whether loading refuses, or gives the values that are expected."""
    try:
        results = al.load(folder)
    except InputError:
        return True
    return [*results.children] == [*expected.children] and all(_same(results, expected, n) for n in expected.children)


def main(arguments: list[str] | None = None) -> int:
    """Try everything on every kind, and print a table of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", action="append", choices=[*CONFIGS], help="by default all, one after the other")
    parser.add_argument("--kills", type=int, default=120, help="over all kinds")
    parser.add_argument("--flips", type=int, default=200, help="of each file")
    parser.add_argument("--reruns", type=int, default=40, help="of each kind, after damage")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    settle()
    tallies = {kind: Tally() for kind in options.kind or CONFIGS}
    with tempfile.TemporaryDirectory() as place:
        for kind, tally in tallies.items():
            chance, reference = random.Random(f"{options.seed} {kind}"), Path(place) / kind
            al.run(CONFIGS[kind], reference)
            kill(kind, reference, -(-options.kills // len(CONFIGS)), chance, tally)
            fewer = CONFIGS[kind] | FEWER.get(kind, {})
            damage(fewer, Path(place) / f"{kind}-fewer", options.flips, options.reruns, chance, tally)
    columns = ["kills", "runs that ended", "deleted", "flipped", "repairs"]
    table = Table("kind", *columns, "failed")
    for kind, tally in tallies.items():
        table.add_row(kind, *(f"{tally.tried[column]:,}" for column in columns), str(len(tally.failures)))
    console = Console(width=120)
    console.print(table)
    failures = [f"{kind}: {failure}" for kind, tally in tallies.items() for failure in tally.failures]
    for failure in failures[:50]:
        console.print(failure, markup=False)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
