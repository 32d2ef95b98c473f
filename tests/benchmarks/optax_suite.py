"""Optax's own tests, as it ships them, with adamlab's functions in the place of Optax's.

    python -m tests.benchmarks.optax_suite [--arithmetic optax|accurate|weighted] [-k EXPRESSION] [MODULE ...]

A module is, say, _src/alias_test; without any, all that Optax ships are run. Each runs twice, every time in a process
of its own: as it is, and with every function that adamlab offers under a name of Optax's swapped in wherever Optax
holds its own. A module's row has its number of tests, those that fail unswapped and swapped, the calls of adamlab's
functions, and the tests that only the swap breaks; if there are any, the exit code is 1. Tracebacks go to stderr.
"""

import argparse
import functools
import inspect
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jax
import optax
import pytest
from packaging.version import Version
from rich.console import Console

HOME = Path(optax.__file__).parent
OUTCOMES = ("passed", "skipped", "failed")


@dataclass(frozen=True)
class Run:
    """What came of each test, by its id, and how often each function of adamlab was called."""

    outcomes: dict[str, str]
    calls: Counter[str]

    def __str__(self):
        return f"{list(self.outcomes.values()).count('failed')} of {len(self.outcomes)}"

    def broken_since(self, before: "Run") -> list[str]:
        """The tests that fail here and did not before, and those that are no longer run or now skipped."""
        ids = self.outcomes.keys() | before.outcomes.keys()
        kept = {i for i in ids if self.outcomes.get(i) in (before.outcomes.get(i), "passed")}
        return sorted(i for i in ids - kept if before.outcomes.get(i) != "failed")


def shipped() -> list[str]:
    """Every test module in Optax's wheel."""
    return sorted(path.relative_to(HOME).with_suffix("").as_posix() for path in HOME.rglob("*_test.py"))


def run(modules: Sequence[str], arithmetic: str | None = None, expression: str = "") -> Run:
    """Runs tests in a fresh process, with adamlab's functions under that arithmetic, or as they are.

    Args:
        modules: of `shipped()`.
        arithmetic: a key of `adamlab.arithmetic.ARITHMETICS`; None swaps nothing.
        expression: which tests to take, as pytest's -k.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_run_here, modules, arithmetic, expression).result()


def _run_here(modules: Sequence[str], arithmetic: str | None, expression: str) -> Run:
    jax.__version__ = _Comparable(jax.__version__)
    calls = Counter[str]() if arithmetic is None else _swap(arithmetic)
    recorder = _Recorder()
    paths = [str(HOME / f"{module}.py") for module in modules]
    isolated = ["-c", os.devnull, f"--rootdir={HOME}", "--noconftest", "-p", "no:cacheprovider"]
    with redirect_stdout(sys.stderr):
        code = pytest.main([*isolated, "-q", "--tb=short", "--disable-warnings", "-k", expression, *paths], [recorder])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise RuntimeError(f"pytest ended with {code!r} on {', '.join(modules)}.")
    return Run(recorder.outcomes, calls)


class _Comparable(str):
    """A version's text that compares as a version; Optax compares texts, takes 0.10 for less than 0.7, and skips."""

    def __lt__(self, other: str) -> bool:
        return Version(self) < Version(other)

    def __ge__(self, other: str) -> bool:
        return not self < other


class _Recorder:
    """The worst of each test's phases and subtests; a module that cannot be imported is a failed test."""

    def __init__(self):
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport):
        so_far = self.outcomes.get(report.nodeid, "passed")
        self.outcomes[report.nodeid] = max(so_far, report.outcome, key=OUTCOMES.index)

    def pytest_collectreport(self, report: pytest.CollectReport):
        if not report.passed:
            self.outcomes[report.nodeid] = report.outcome


def _swap(arithmetic: str) -> Counter[str]:
    """Swaps in what adamlab offers, and counts from then on how often each of it is called."""
    from adamlab.rules import PARTS, RULES

    calls = Counter[str]()
    namespaces = [vars(module) for name, module in sys.modules.items() if name.split(".")[0] == "optax"]
    for name in (RULES | PARTS).keys() & vars(optax).keys():
        theirs = getattr(optax, name)
        ours = _counted((RULES | PARTS)[name], theirs, arithmetic, calls)
        for namespace in namespaces:
            namespace.update({key: ours for key, value in namespace.items() if value is theirs})
    return calls


def _counted(
    factory: Any, theirs: Any, arithmetic: str, calls: Counter[str]
) -> Callable[..., optax.GradientTransformation]:
    # Optax goes by signatures: it injects their defaults, and its tests look in their types for what takes a schedule.
    factory.__kwdefaults__["arithmetic"] = arithmetic
    factory.__annotations__ |= {name: p.annotation for name, p in inspect.signature(theirs).parameters.items()}

    @functools.wraps(factory)
    def counted(*args, **hyper):
        calls[factory.__name__] += 1
        return factory(*args, **hyper)

    return counted


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.optax_suite", description="Optax's own tests, with adamlab swapped in."
    )
    parser.add_argument("--arithmetic", choices=("optax", "accurate", "weighted"), default="optax")
    parser.add_argument("-k", dest="expression", default="", help="which tests to take, as pytest's -k")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as _src/alias_test; all by default")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.modules) - set(shipped()))
    if unknown:
        parser.error(f"Optax ships no {', '.join(unknown)}; it ships {', '.join(shipped())}.")

    console = Console(soft_wrap=True, markup=False, highlight=False)
    console.print(f"{'module':44}{'unswapped':>12}{'swapped':>12}{'calls':>8}  broken by the swap")
    any_broken = False
    for module in arguments.modules or shipped():
        before = run([module], None, arguments.expression)
        after = run([module], arguments.arithmetic, arguments.expression)
        broken = after.broken_since(before)
        any_broken |= bool(broken)
        console.print(
            f"{module:44}{before!s:>12}{after!s:>12}{after.calls.total():8}  "
            + (", ".join(test.split("::", 1)[-1] for test in broken) or "-")
        )
    return int(any_broken)


if __name__ == "__main__":
    sys.exit(main())
