"""Run the nearest tests under each wrong version, and write down what noticed it.

python -m tests.benchmarks.wrong_versions [--only TEXT…] [--list]

Each change is applied by itself to a copy of the source tree in a temporary directory. With --only those alone whose
path has one of the texts, such as plots; their rows replace the earlier ones in table.md. With --list nothing is run,
and only the changes that do not apply are told. PyTorch counts as not installed, as it is not where the tests run.
"""

import argparse
import importlib
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import NoReturn

import pytest
from rich.console import Console

from tests.benchmarks.wrong_versions import analysis, formulas, parity, problems, rules, showing, studies
from tests.benchmarks.wrong_versions.change import Change

CONSOLE = Console(markup=False, highlight=False, soft_wrap=True)
ROOT = Path(__file__).parents[3]
TABLE = Path(__file__).with_name("table.md")
CHANGES: list[Change] = [
    change for module in (rules, formulas, parity, problems, analysis, studies, showing) for change in module.CHANGES
]
OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "-o", "addopts=--strict-markers", "-m", "")
"""Pytest's options: one process, and types unchecked, which saves half of the time."""

LONGEST = 600
"""The seconds after which a test that a change keeps from ending counts as failed."""

SURVIVED = "**SURVIVED**"
HEADER = "| file | before | after | tests | caught by |\n|---|---|---|---|---|\n"


PRELOADED = (
    *("chex", "jax", "matplotlib.figure", "mpmath", "numpy", "optax", "pandas", "pydantic", "rich.progress"),
    *("scipy.optimize", "sympy", "typer", "xarray"),
)
"""Libraries that are imported once, for all runs of tests: they take most of the time of a short one."""


class Copy:
    """A copy of the source tree, whose tests are run."""

    def __init__(self, folder: Path):
        self.folder, self.absent, self.clock = folder / "tree", folder / "absent", time.time()
        self.output = folder / "output"
        self.folder.mkdir()
        for name in ("adamlab", "experiments", "tests", "pyproject.toml", "README.md"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, self.folder / name)
        self.absent.mkdir()
        (self.absent / "torch.py").write_text("raise ModuleNotFoundError('torch')\n")
        for library in PRELOADED:
            importlib.import_module(library)

    def write(self, path: str, text: str) -> None:
        """Write a file with a time of its own, by which Python sees that it is another."""
        self.clock += 2
        file = self.folder / "adamlab" / path
        file.write_text(text, encoding="utf-8")
        os.utime(file, (self.clock, self.clock))

    def failure(self, tests: str) -> str:
        """The name of the first test that fails; "" where all pass."""
        process = os.fork()
        if not process:
            self._run(tests)
        ends = time.monotonic() + LONGEST
        while not (ended := os.waitpid(process, os.WNOHANG))[0] and time.monotonic() < ends:
            time.sleep(0.05)
        if not ended[0]:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return "(no end)"
        printed, code = self.output.read_text(encoding="utf-8", errors="replace"), os.waitstatus_to_exitcode(ended[1])
        if code not in (0, 1, 2):
            raise SystemExit(f"{tests}: code {code}\n{printed[-2000:]}")
        failed = re.findall(r"^(?:FAILED|ERROR) ([^\s\[]+)", printed, re.MULTILINE)
        return "" if code == 0 else failed[0] if failed else "(error)"

    def _run(self, tests: str) -> NoReturn:
        """Run tests in this process, which has been forked off, and end it."""
        with self.output.open("wb") as output:
            for stream in (1, 2):
                os.dup2(output.fileno(), stream)
        for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
            del sys.modules[name]
        paths = [str(self.folder), str(self.absent)]
        sys.path[:] = paths + [path for path in sys.path if path not in ("", str(ROOT))]
        os.environ |= {
            "PYTHONPATH": os.pathsep.join(paths),
            "ADAMLAB_CACHE": str(self.absent.with_name("cache")),
            "PYTEST_XDIST_WORKER": "gw0",  # so that all runs share the cache of compiled programs
        }
        os.chdir(self.folder)
        code = 3
        try:
            code = int(pytest.main([*OPTIONS, *shlex.split(tests)]))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def row(change: Change, caught: str) -> str:
    """The row of a change in the table."""
    cells = [change.before, change.after or "nothing"]
    shown = (f"`{' ⏎ '.join(line.strip() for line in cell.splitlines())}`" for cell in cells)
    cells = [change.path, *shown, change.tests.replace("tests/", ""), caught.rpartition("/")[2] or SURVIVED]
    bar, escaped = "|", "\\|"
    return f"| {' | '.join(cell.replace(bar, escaped) for cell in cells)} |\n"


def misfits(changes: list[Change]) -> list[str]:
    """The changes that do not apply exactly once, or are there twice."""
    files = {change.path: ROOT / "adamlab" / change.path for change in changes}
    texts = {path: file.read_text(encoding="utf-8") if file.exists() else "" for path, file in files.items()}
    times = [(change, texts[change.path].count(change.before)) for change in changes]
    twice = [change for change, count in Counter(changes).items() if count > 1]
    wrong = [f"{change.path}: {count} times: {change.before!r}" for change, count in times if count != 1]
    return wrong + [f"{change.path}: listed twice: {change.before!r}" for change in twice]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--only", nargs="+", default=[""])
    arguments.add_argument("--list", action="store_true")
    given = arguments.parse_args()
    chosen = [change for change in CHANGES if any(part in change.path for part in given.only)]
    if wrong := misfits(chosen):
        raise SystemExit("\n".join(wrong))
    CONSOLE.print(f"{len(chosen)} of {len(CHANGES)} changes")
    if given.list:
        return
    noticed = []
    warnings.simplefilter("ignore", RuntimeWarning)  # JAX warns of forks, and has started no thread yet
    with tempfile.TemporaryDirectory(prefix="adamlab-wrong-") as folder:
        copy = Copy(Path(folder))
        for change in chosen:
            text = (copy.folder / "adamlab" / change.path).read_text(encoding="utf-8")
            copy.write(change.path, text.replace(change.before, change.after))
            began = time.monotonic()
            caught = copy.failure(change.tests)
            copy.write(change.path, text)
            noticed += [caught] if caught else []
            CONSOLE.print(f"{time.monotonic() - began:4.1f} s {row(change, caught)}", end="")
            note(change, caught)
        tests = dict.fromkeys(test for test in noticed if "::" in test)
        if failed := tests and copy.failure(shlex.join(tests)):
            CONSOLE.print(f"{failed} fails without any change")
    CONSOLE.print(f"{len(chosen) - len(noticed)} of {len(chosen)} survived")


def note(change: Change, caught: str) -> None:
    """Write the row of a change into the table, which has those of all changes."""
    lines = TABLE.read_text(encoding="utf-8").splitlines(keepends=True) if TABLE.exists() else []
    known = {_key(line): line for line in lines} | {_key(row(change, "")): row(change, caught)}
    lines = [known.get(_key(row(each, "")), row(each, "not run")) for each in CHANGES]
    survivors = sum(SURVIVED in line for line in lines)
    head = f"{len(lines)} wrong versions, {survivors} not noticed.\n\n{HEADER}"
    TABLE.write_text(head + "".join(lines), encoding="utf-8")


def _key(line: str) -> str:
    """A row of the table without what noticed the change."""
    return line.rpartition(" | ")[0]


if __name__ == "__main__":
    main()
