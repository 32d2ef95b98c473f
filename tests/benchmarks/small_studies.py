"""Small studies in a warm process: what `al.run` costs where there is little to compute."""

from collections.abc import Iterator
from typing import Any

import adamlab as al
from tests.benchmarks.measuring import OURS, Figure, take_turns

NEW = iter(range(10**6))
"""Numbers that no earlier config had."""


def figures() -> Iterator[Figure]:
    """A config whose program is there, one with another program each time, and ten thousand runs."""
    config = _config(5)

    def same() -> Any:
        return al.run(config | {"optimizer": [{"name": "adamlab.adam", "learning_rate": {"log": [1e-3, _fresh(), 5]}}]})

    def another() -> Any:
        return al.run(config | {"optimizer": [{"spec": f"adamlab.adam(lr, eps={1e-8 * (1 + _fresh())})", "lr": 0.1}]})

    values = take_turns({OURS: same}, rounds=9)
    yield Figure("al.run of 5 runs × 100 steps, a config of the same shape again", "CPU s", values, {})
    values = take_turns({OURS: another}, rounds=5)
    yield Figure("al.run of 1 run × 100 steps, a program that is new, compiled too", "CPU s", values, {})
    values = take_turns({OURS: lambda: al.run(_config(10_000, steps=1_000))}, rounds=3)
    yield Figure("al.run of 10,000 runs × 1,000 steps", "CPU s", values, {})


def _config(runs: int, steps: int = 100) -> dict[str, Any]:
    return {
        "name": "small",
        "steps": steps,
        "record": {"every": 10},
        "problem": [{"name": "rosenbrock"}],
        "optimizer": [{"name": "adamlab.adam", "learning_rate": {"log": [1e-3, 0.1, runs]}}],
    }


def _fresh() -> float:
    return 0.1 + 1e-4 * next(NEW)
