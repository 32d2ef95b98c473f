"""Measurements of several sides that take turns in one process, and how they are kept and shown."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from math import isnan
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from typing import Any

OURS = "adamlab"
RESULTS = Path(__file__).with_name("results.json")
PYTHON = sys.executable
PACKAGES = ("jax", "jaxlib", "optax", "numpy", "torch")


@dataclass(frozen=True)
class Figure:
    """A quantity measured on several sides, one value a round of each.

    Attributes:
        what: the thing measured.
        unit: the unit of the values, of which less is better.
        values: by side, the values of its rounds; round i of every side was taken at about the same time.
        wanted: by side, the most that adamlab's value may be as a multiple of that side's.
    """

    what: str
    unit: str
    values: Mapping[str, Sequence[float]]
    wanted: Mapping[str, float]

    def ratio(self, side: str) -> float:
        """The median over rounds of adamlab's value as a multiple of a side's; NaN where adamlab has none."""
        rounds = zip(self.values.get(OURS, ()), self.values[side], strict=False)
        return median([ours / theirs for ours, theirs in rounds if theirs] or [float("nan")])


def take_turns(
    cases: Mapping[str, Callable[[], Any]],
    per: Mapping[str, float] | float = 1.0,
    rounds: int = 5,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, list[float]]:
    """The seconds of each case over a number of its own, round by round, after a round to warm up."""
    values: dict[str, list[float]] = {name: [] for name in cases}
    for i in range(rounds + 1):
        for name, case in cases.items():
            began = clock()
            case()
            if i:
                values[name].append((clock() - began) / (per if isinstance(per, int | float) else per[name]))
    return values


def command_seconds(*command: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> float:
    """The CPU seconds of a whole process and its children, which may say with exit code 1 that something differs."""
    before = getrusage(RUSAGE_CHILDREN)
    environment = os.environ | dict(environment or {})
    run = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=cwd)
    after = getrusage(RUSAGE_CHILDREN)
    if run.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)} ended with {run.returncode}: {run.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def machine() -> dict[str, str]:
    """What the figures depend on: the processor, the number of its cores, and the versions."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "none"
    return {"processor": _processor(), "cores": str(os.cpu_count()), "python": platform.python_version()} | versions


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def to_json(topics: Mapping[str, Iterable[Figure]]) -> str:
    """The figures by topic, with the machine, as JSON."""
    figures = {topic: [asdict(figure) for figure in of] for topic, of in topics.items()}
    return json.dumps({"machine": machine(), "topics": figures}, indent=1) + "\n"


def from_json(text: str) -> tuple[dict[str, str], dict[str, list[Figure]]]:
    """The machine, and the figures by topic."""
    content = json.loads(text)
    return content["machine"], {topic: [Figure(**each) for each in of] for topic, of in content["topics"].items()}


def to_markdown(about: Mapping[str, str], topics: Mapping[str, Iterable[Figure]]) -> str:
    """A table a topic: the median of each side with its range, and adamlab's as a multiple of it."""
    lines = [", ".join(f"{name} {value}" for name, value in about.items()), ""]
    for topic, figures in topics.items():
        lines += [f"## {topic}", "", "| | side | median | range | adamlab's is | wanted |", "|---|---|--:|--:|--:|--:|"]
        for figure in figures:
            head = f"{figure.what}, {figure.unit}"
            for side, values in figure.values.items():
                ratio = "" if side == OURS or OURS not in figure.values else f"{digits(figure.ratio(side))} ×"
                wanted = f"≤ {figure.wanted[side]:g} ×" if side in figure.wanted else ""
                spread = f"{digits(min(values))} – {digits(max(values))}"
                lines.append(f"| {head} | {side} | {digits(median(values))} | {spread} | {ratio} | {wanted} |")
                head = ""
        lines.append("")
    return "\n".join(lines)


def summary(about: Mapping[str, str], topics: Mapping[str, Iterable[Figure]]) -> str:
    """A table for a page: adamlab's median of each thing measured, as a multiple of what stands beside it."""
    head = f"On {', '.join(f'{name} {value}' for name, value in about.items())}:"
    lines = [head, "", "| | adamlab takes | which is |", "|---|--:|---|"]
    for figure in [figure for figures in topics.values() for figure in figures]:
        if OURS in figure.values:
            beside = [f"{digits(figure.ratio(side))} × {side}" for side in figure.values if side != OURS]
            taken, unit = digits(median(figure.values[OURS])), figure.unit
        else:
            beside, unit = [], figure.unit
            taken = ", ".join(f"{side}: {digits(median(values))}" for side, values in figure.values.items())
        lines.append(f"| {figure.what} | {taken} {unit} | {', '.join(beside)} |")
    return "\n".join(lines)


def digits(value: float) -> str:
    """A number with three digits, in plain notation."""
    if not value or isnan(value):
        return "–" if value else "0"
    places = max(0, 2 - int(f"{value:e}".partition("e")[2]))
    return f"{value:,.{places}f}"
