"""Readings and whole checks of formulas: the CPU seconds of calls after import, and of commands."""

from collections.abc import Callable, Iterator
from typing import Any

import adamlab as al
from tests.benchmarks.measuring import OURS, PYTHON, Figure, command_seconds, take_turns

CALLS: dict[str, Callable[[], Any]] = {
    'al.closed_form("optax.adam")': lambda: al.closed_form("optax.adam"),
    'al.unroll("optax.adam", 100)': lambda: str(al.unroll("optax.adam", 100)),
    'al.unroll("optax.adam", 400)': lambda: str(al.unroll("optax.adam", 400)),
    'al.prove("adamlab.adam", "optax.adam")': lambda: al.prove("adamlab.adam(lr)", "optax.adam(lr)"),
    'al.stability("optax.adam")': lambda: al.stability("optax.adam"),
}
COMMANDS = (
    ("relations",),
    ("derive", "all"),
    ("compare", "adamlab.adam(0.001)", "optax.adam(0.001)", "--steps", "1000"),
)


def figures() -> Iterator[Figure]:
    """Calls in this process, then commands in their own."""
    for what, call in CALLS.items():
        yield Figure(what, "CPU s", take_turns({OURS: call}, rounds=3), {})
    for command in COMMANDS:
        seconds = [command_seconds(PYTHON, "-m", "adamlab", *command) for _ in range(2)]
        yield Figure(f"adamlab {' '.join(command)}", "CPU s", {OURS: seconds}, {})
