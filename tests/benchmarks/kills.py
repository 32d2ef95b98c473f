"""A run that is killed at twenty random moments, and begun again each time, against one that was let alone.

python -m tests.benchmarks.kills [SEED]

Takes some minutes. Exit code 0 where the two hold the same, bit for bit.
"""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

import xarray as xr

import adamlab as al

CONFIG = """
name = "kills"
steps = 4000
seeds = 40
record = { every = 10 }
problem = [{ name = "rosenbrock" }, { name = "digits_softmax", batch_size = 8 }]
optimizer = [{ name = "adamlab.adam", learning_rate = { log = [1e-3, 1e-1, 4] }, b2 = [0.9, 0.99] }]
"""
KILLS = 20


def killed_run(config: Path, out: Path, moments: random.Random):
    """Runs it with kills, most of them while blocks are computed and written, some while it starts."""
    kills = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-m", "adamlab", "run", str(config), "--out", str(out)], stdout=subprocess.DEVNULL
        )
        try:
            span = (1.0, 4.0) if kills % 5 == 0 else (4.5, 8.0)
            code = process.wait(moments.uniform(*span) if kills < KILLS else None)
            assert code == 0, f"ended with {code}"
            return kills
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        config, out = Path(folder) / "kills.toml", Path(folder) / "out"
        config.write_text(CONFIG)
        kills = killed_run(config, out, random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
        resumed, whole = al.load(out), al.run(config)
        for name, child in whole.children.items():
            xr.testing.assert_identical(resumed[name].to_dataset(), child.to_dataset())
            runs = child.sizes["run"]
            sys.stdout.write(
                f"{name}: {runs} runs, killed {kills} times, each run there once and the same to the bit\n"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
