"""How fast sweeps are, each figure a ratio of two times taken in turn in one process.

python -m tests.benchmarks.sweeps

CPU times of the whole process, but for several devices, where it is the time on the wall. The loop in C is compiled
with `cc -O3 -march=native -fno-math-errno`, which leaves its arithmetic exact.
"""

import ctypes
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from rich.console import Console

import adamlab as al
from adamlab.studies.engine.execution import execute
from adamlab.studies.engine.program import prepare
from adamlab.studies.engine.recording import Recording, recorded_steps
from tests.computing import runs_of

RUNS, STEPS, EVERY = 10_000, 1000, 10
ROUNDS = 5
CONSOLE = Console(highlight=False, width=120)


def timed(cases: dict[str, Callable[[], Any]], clock=time.process_time) -> dict[str, float]:
    """The least time of each, of rounds in which they take turns, after one to warm up."""
    seconds_of: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS + 1):
        for name, case in cases.items():
            began = clock()
            case()
            seconds_of[name].append(clock() - began)
    return {name: min(times[1:]) for name, times in seconds_of.items()}


def say(what: str, value: float, wanted: str) -> None:
    CONSOLE.print(f"{what:68s} {value:8.2f}   wanted {wanted}")


def rates(runs: int) -> np.ndarray:
    return np.geomspace(1e-3, 1e-1, runs)


def ours(spec="adamlab.adam(lr)", runs=RUNS, problem="rosenbrock", steps=STEPS, every=EVERY, devices=(), **numbers):
    """A sweep by the engine, compiled."""
    what = ("loss", "params")
    columns = {"lr": rates(runs)} | numbers
    rows = runs_of(spec, columns, np.arange(runs) % 2**32)
    program = prepare(al.problems.get(problem), rows, Recording(recorded_steps(steps, every), what), devices=devices)
    compiled = program.lowered.compile()
    blocks = range(program.sizes.count(runs))
    return lambda: [None for _ in execute(program, compiled, rows, blocks)]


def by_hand(runs: int):
    """What one would write: jit of vmap of scan."""
    problem = al.problems.get("rosenbrock")

    def run(seed, rate):
        tx = optax.adam(rate)
        w = problem.start(jax.random.split(jax.random.key(seed))[0])

        def step(carry, _):
            w, state = carry
            updates, state = tx.update(jax.grad(problem.loss)(w, None), state, w)
            return (optax.apply_updates(w, updates), state), None

        def segment(carry, _):
            carry, _ = jax.lax.scan(step, carry, None, length=EVERY)
            return carry, (carry[0], problem.objective(carry[0]))

        return jax.lax.scan(segment, (w, tx.init(w)), None, length=STEPS // EVERY)[1]

    seeds, given = np.arange(runs, dtype=np.uint32), rates(runs).astype(np.float32)
    return jax.jit(jax.vmap(run)), jax.jit(run), seeds, given


def in_c(folder: Path):
    source, library = Path(__file__).with_name("rosenbrock.c"), folder / "rosenbrock.so"
    flags = ["-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, "-o", library, source, "-lm"], check=True)
    sweep, chunk = ctypes.CDLL(str(library)).sweep, 500

    def pointer(array):
        return array.ctypes.data_as(ctypes.c_void_p)

    def run():
        for first in range(0, RUNS, chunk):
            state = [np.full(chunk, value, np.float32) for value in (-1.2, 1.0, 0, 0, 0, 0)]
            out = np.empty((STEPS // EVERY, 3, chunk), np.float32)
            given = rates(RUNS)[first : first + chunk].astype(np.float32)
            sweep(*map(ctypes.c_long, (chunk, STEPS, EVERY)), *map(pointer, (given, *state, out)))

    return run


def sweeps_of_rosenbrock():
    mapped, single, seeds, given = by_hand(RUNS)
    few = 200
    with tempfile.TemporaryDirectory() as folder:
        cases = {
            "C": in_c(Path(folder)),
            "ours": ours(),
            "by hand": lambda: jax.block_until_ready(mapped(seeds, given)),
            "loop": lambda: [jax.block_until_ready(single(seeds[i], given[i])) for i in range(few)],
            "ours × 10": ours(runs=10 * RUNS),
            "swept betas": ours("adamlab.adam(lr, b1=b1, b2=b2)", b1=np.full(RUNS, 0.9), b2=np.full(RUNS, 0.999)),
        }
        seconds_of = timed(cases)
    runs = dict.fromkeys(seconds_of, RUNS) | {"loop": few, "ours × 10": 10 * RUNS}
    for name, seconds in seconds_of.items():
        CONSOLE.print(f"  {name:20s} {seconds / STEPS / runs[name] * 1e9:8.2f} CPU ns a run-step")
    say("speed of a loop in C with SIMD on one core, as a share", seconds_of["C"] / seconds_of["ours"], "≥ 0.55")
    say("speed against jit(vmap(scan)) by hand", seconds_of["by hand"] / seconds_of["ours"], "≥ 1")
    say(
        "speed against a Python loop of one compiled scan", seconds_of["loop"] / few * RUNS / seconds_of["ours"], "≥ 10"
    )
    say(
        "100,000 runs: time of a run against that of 10,000", seconds_of["ours × 10"] / seconds_of["ours"] / 10, "≤ 1.2"
    )


def on_two_devices():
    devices = jax.local_devices()
    seconds_of = timed({"one": ours(runs=20 * RUNS), "two": ours(runs=20 * RUNS, devices=devices)}, time.perf_counter)
    say("200,000 runs on two devices: speed on the wall against one", seconds_of["one"] / seconds_of["two"], "≥ 1.8")


def several_optimizers():
    def config(*names):
        sweep = {"log": [1e-3, 1e-1, 2000]}
        return {
            "name": "several",
            "steps": STEPS,
            "record": {"every": EVERY},
            "problem": [{"name": "rosenbrock"}],
            "optimizer": [{"name": f"adamlab.{name}", "learning_rate": sweep} for name in names],
        }

    names = ("adam", "rmsprop", "adagrad")
    seconds_of = timed(
        {"together": lambda: al.run(config(*names)), "apart": lambda: [al.run(config(n)) for n in names]}
    )
    say(
        "adam, rmsprop and adagrad in one config, against the sum of three",
        seconds_of["together"] / seconds_of["apart"],
        "≤ 1.1",
    )


def networks():
    for name, options, steps, wanted in (
        ("digits_softmax", {}, 200, "≥ 2"),
        ("digits_conv", {}, 20, "≥ 0.91"),
    ):
        problem = al.problems.get(name, **options)
        recording = Recording(recorded_steps(steps, steps), ("loss",))
        rows = runs_of("adamlab.adam(lr)", {"lr": rates(32)}, [0] * 32)
        program = prepare(problem, rows, recording, shared=16)
        compiled, blocks = program.lowered.compile(), range(program.sizes.count(32))
        looped = loop_of_steps(problem, steps)
        seconds_of = timed(
            {
                "ours": lambda program=program, compiled=compiled, blocks=blocks, rows=rows: [
                    None for _ in execute(program, compiled, rows, blocks)
                ],
                "loop": lambda looped=looped: [jax.block_until_ready(looped(np.float32(rate))) for rate in rates(32)],
            }
        )
        say(
            f"32 learning rates of {name}: speed against a loop over them",
            seconds_of["loop"] / seconds_of["ours"],
            wanted,
        )


def loop_of_steps(problem, steps: int):
    """One run, compiled: a scan of steps."""

    def run(rate):
        tx = optax.adam(rate)
        start_key, sample_key = jax.random.split(jax.random.key(0))
        w = problem.start(start_key)

        def step(carry, t):
            w, state = carry
            batch = None if problem.sample is None else problem.sample(jax.random.fold_in(sample_key, t), t + 1)
            updates, state = tx.update(jax.grad(problem.loss)(w, batch), state, w)
            return (optax.apply_updates(w, updates), state), None

        (w, _), _ = jax.lax.scan(step, (w, tx.init(w)), np.arange(steps, dtype=np.int32))
        return problem.objective(w)

    return jax.jit(run)


WRITING = """
import sys, time
began = time.perf_counter()
import adamlab as al
from adamlab.studies.store.blocks import Blocks
from adamlab.studies.store.section import Section
spent = [0.0]
def timed(of, name):
    plain = getattr(of, name)
    def f(*arguments):
        start = time.perf_counter()
        made = plain(*arguments)
        spent[0] += time.perf_counter() - start
        return made
    setattr(of, name, f)
for of, name in ((Section, "write"), (Blocks, "add"), (Blocks, "update_attributes")):
    timed(of, name)
al.run({"name": "writing", "steps": 1000, "record": {"every": 10}, "problem": [{"name": "rosenbrock"}],
        "optimizer": [{"name": "adamlab.adam", "learning_rate": {"log": [1e-3, 0.1, 10000]}}]}, sys.argv[1])
print(spent[0] / (time.perf_counter() - began))
"""


def writing():
    with tempfile.TemporaryDirectory() as folder:
        shares = [
            float(
                subprocess.run([sys.executable, "-c", WRITING, f"{folder}/{i}"], check=True, capture_output=True).stdout
            )
            for i in range(3)
        ]
    say("writing 10,000 runs × 1000 steps: share of the process' time", min(shares), "≤ 0.15")


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    sweeps_of_rosenbrock()
    on_two_devices()
    several_optimizers()
    networks()
    writing()
