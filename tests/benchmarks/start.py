"""Whole commands, from the start of Python to their end: the CPU seconds of their processes."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.benchmarks.measuring import OURS, PYTHON, Figure, command_seconds

ROOT = Path(__file__).parents[2]
ADAMLAB = (PYTHON, "-m", "adamlab")
EMPTY = """
import typer, pydantic
app = typer.Typer()
@app.command()
def main() -> None: ...
@app.command()
def other() -> None: ...
app()
"""
UNIT = "CPU s"


def figures() -> Iterator[Figure]:
    """Starts against empty ones, the quickstart in its three states, and a first picture."""
    yield _against(
        "adamlab --help", (*ADAMLAB, "--help"), "an empty typer command line", (PYTHON, "-c", EMPTY, "--help")
    )
    yield _against("import adamlab", (PYTHON, "-c", "import adamlab"), "python", (PYTHON, "-c", ""))
    yield _quickstart()
    with tempfile.TemporaryDirectory() as folder:
        picture = (*ADAMLAB, "plot", "beale", "landscape", "--out", str(Path(folder) / "beale.png"))
        values = [command_seconds(*picture, environment=_cache(folder)) for _ in range(4)]
        yield Figure("adamlab plot beale landscape", UNIT, {OURS: values[1:]}, {})


def _against(what: str, ours: tuple[str, ...], name: str, theirs: tuple[str, ...], rounds: int = 5) -> Figure:
    pairs = [(command_seconds(*ours), command_seconds(*theirs)) for _ in range(rounds + 1)][1:]
    return Figure(what, UNIT, {OURS: [a for a, _ in pairs], name: [b for _, b in pairs]}, {})


def _quickstart(rounds: int = 2) -> Figure:
    """The README's first command: with nothing compiled, with compiled programs, with results that are there."""
    values: dict[str, list[float]] = {"nothing compiled": [], "compiled": [], "all there": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for i, state in enumerate(values):
                out = str(Path(folder) / ("first" if i == 0 else "second"))
                command = (*ADAMLAB, "run", str(ROOT / "experiments/quickstart.toml"), "--out", out)
                values[state].append(command_seconds(*command, environment=_cache(folder)))
    return Figure("adamlab run experiments/quickstart.toml", UNIT, values, {})


def _cache(folder: str) -> Mapping[str, str]:
    return {"ADAMLAB_CACHE": str(Path(folder) / "cache"), "PYTHONPATH": str(ROOT)}
