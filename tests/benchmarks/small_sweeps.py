"""What a small study costs in a warm process, beyond computing.

    python -m tests.benchmarks.small_sweeps [--rounds N]

CPU time of the whole process, of two runs of 100 steps at 20 learning rates: the first study of the process, then
studies of the same shape with other learning rates, then such of another shape, which compile.
"""

import argparse
import time
from typing import Any

from rich.console import Console

import adamlab as al


def config(least: float, steps: int) -> dict[str, Any]:
    return {
        "name": "small",
        "steps": steps,
        "seeds": 2,
        "record": {"every": 10},
        "problem": [{"name": "rosenbrock"}],
        "optimizer": [{"name": "adamlab.adam", "learning_rate": {"log": [least, 0.1, 20]}}],
    }


def seconds(least: float, steps: int) -> float:
    began = time.process_time()
    al.run(config(least, steps))
    return time.process_time() - began


def rows(rounds: int = 5) -> list[dict[str, Any]]:
    """The least CPU seconds of each kind of study."""
    first = seconds(1e-3, 100)
    same = [seconds(1e-3 / (i + 2), 100) for i in range(rounds)]
    other = [seconds(1e-3, 110 + 10 * i) for i in range(rounds)]
    kinds = {"first in the process": [first], "of the same shape": same, "of another shape": other}
    return [{"study": name, "CPU s": min(times)} for name, times in kinds.items()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.small_sweeps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    console = Console(highlight=False, width=120)
    for row in rows(parser.parse_args().rounds):
        console.print(f"{row['study']:24} {row['CPU s']:.3f} CPU s")
