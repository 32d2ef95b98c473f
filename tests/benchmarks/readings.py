"""What readings cost, each a command in a fresh process.

    python -m tests.benchmarks.readings

CPU time of the process, imports included.
"""

import os
import subprocess
import sys
from typing import Any

from rich.console import Console

COMMANDS = {
    "relations": ["relations"],
    "derive all": ["derive", "all"],
    "closed-form": ["closed-form", "optax.adam(lr)"],
    "compare": ["compare", "adamlab.adam(0.001)", "optax.adam(0.001)", "--steps", "1000"],
}


def rows() -> list[dict[str, Any]]:
    """For each command its CPU seconds."""
    table = []
    for name, arguments in COMMANDS.items():
        before = os.times()
        subprocess.run([sys.executable, "-m", "adamlab", *arguments], stdout=subprocess.DEVNULL, check=False)
        after = os.times()
        spent = after.children_user - before.children_user + after.children_system - before.children_system
        table.append({"reading": name, "CPU s": spent})
    return table


if __name__ == "__main__":
    for row in rows():
        Console(highlight=False).print(f"{row['reading']:12} {row['CPU s']:.2f} CPU s")
