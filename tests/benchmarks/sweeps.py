"""Sweeps of small functions: thousands of runs of one optimizer, each a time of one step of one run.

The loop in C is compiled with `cc -O3 -march=native -fno-math-errno`, which leaves its arithmetic exact.
"""

import ctypes
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import adamlab as al
from adamlab.studies.engine.execution import execute
from adamlab.studies.engine.program import prepare
from adamlab.studies.engine.recording import Recording, recorded_steps
from tests.benchmarks.measuring import OURS, Figure, take_turns
from tests.computing import runs_of

EVERY = 10
SIZES = (
    (2_000, 1_000),
    (10_000, 1_000),
    (100_000, 1_000),
    (2_000, 10_000),
    (10_000, 10_000),
    (2_000, 100_000),
    (10_000, 100_000),
)
OTHERS = (
    ("rmsprop", optax.rmsprop, "beale", 10_000, 1_000),
    ("adagrad", optax.adagrad, "rosenbrock", 10_000, 1_000),
    ("nadam", optax.nadam, "himmelblau", 20_000, 500),
    ("amsgrad", optax.amsgrad, "quadratic", 5_000, 2_000),
)
UNIT = "CPU ns a run-step"
FEW, FEW_STEPS = 100, 100


def figures() -> Iterator[Figure]:
    """Adam on Rosenbrock at many sizes, other optimizers, two devices, and several optimizers in one config."""
    for runs, steps in SIZES:
        yield _of_size(runs, steps)
    for name, transform, problem, runs, steps in OTHERS:
        mapped, seeds, rates = by_hand(transform, problem, runs, steps)
        cases = {
            OURS: ours(f"adamlab.{name}(lr)", runs, steps, problem),
            "jit(vmap(scan)) by hand": lambda mapped=mapped, seeds=seeds, rates=rates: wait(mapped(seeds, rates)),
        }
        values = take_turns(cases, 1e-9 * runs * steps)
        yield Figure(f"{name} on {problem}, {runs:,} × {steps:,}", UNIT, values, {"jit(vmap(scan)) by hand": 1.0})
    yield _ways()
    yield _devices()
    yield _several()


def learning_rates(runs: int) -> np.ndarray:
    """As many rates as there are runs."""
    return np.geomspace(1e-3, 1e-1, runs)


def ours(
    spec: str, runs: int, steps: int, problem: str = "rosenbrock", devices: Any = (), **numbers: Any
) -> Callable[[], Any]:
    """A sweep by the engine, compiled."""
    rows = runs_of(spec, {"lr": learning_rates(runs)} | numbers, np.arange(runs) % 2**32)
    recording = Recording(recorded_steps(steps, EVERY), ("loss", "params"))
    program = prepare(al.problems.get(problem), rows, recording, devices=devices)
    compiled, blocks = program.compile(), range(program.sizes.count(runs))
    return lambda: [None for _ in execute(program, compiled, rows, blocks)]


def run_by_hand(transform: Callable[..., Any], name: str, steps: int) -> Callable[..., Any]:
    """What a user would write for one run: a scan of steps in a scan of records."""
    problem = al.problems.get(name)

    def run(seed, rate):
        tx = transform(rate)
        w = problem.start(jax.random.split(jax.random.key(seed))[0])

        def step(carry, _):
            w, state = carry
            updates, state = tx.update(jax.grad(problem.loss)(w, None), state, w)
            return (optax.apply_updates(w, updates), state), None

        def segment(carry, _):
            carry, _ = jax.lax.scan(step, carry, None, length=EVERY)
            return carry, (carry[0], problem.objective(carry[0]))

        return jax.lax.scan(segment, (w, tx.init(w)), None, length=steps // EVERY)[1]

    return run


def by_hand(transform: Callable[..., Any], name: str, runs: int, steps: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """The same for many, compiled by `jit(vmap(scan))`, with what it takes."""
    seeds, rates = np.arange(runs, dtype=np.uint32), learning_rates(runs).astype(np.float32)
    return jax.jit(jax.vmap(run_by_hand(transform, name, steps))), seeds, rates


def wait(results: Any) -> Any:
    """The results, when they are there."""
    return jax.block_until_ready(results)


def in_c(folder: Path, runs: int, steps: int) -> Callable[[], None]:
    """A loop with SIMD on one core, over 500 runs at a time."""
    source, library = Path(__file__).with_name("rosenbrock.c"), folder / "rosenbrock.so"
    flags = ["-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, "-o", library, source, "-lm"], check=True)
    sweep, chunk = ctypes.CDLL(str(library)).sweep, 500
    rates = learning_rates(runs).astype(np.float32)

    def pointer(array):
        return array.ctypes.data_as(ctypes.c_void_p)

    def run():
        for first in range(0, runs, chunk):
            state = [np.full(chunk, value, np.float32) for value in (-1.2, 1.0, 0, 0, 0, 0)]
            out = np.empty((steps // EVERY, 3, chunk), np.float32)
            sweep(*map(ctypes.c_long, (chunk, steps, EVERY)), *map(pointer, (rates[first:], *state, out)))

    return run


def in_numpy(runs: int, steps: int) -> Callable[[], Any]:
    """Adam on arrays of all runs."""

    def run():
        x, y = np.full(runs, -1.2, np.float32), np.ones(runs, np.float32)
        rate = learning_rates(runs).astype(np.float32)
        m, v = np.zeros((2, runs), np.float32), np.zeros((2, runs), np.float32)
        for t in range(1, steps + 1):
            r = y - x * x
            g = np.stack([-400 * x * r - 2 * (1 - x), 200 * r])
            m += np.float32(0.1) * (g - m)
            v += np.float32(0.001) * (g * g - v)
            u = rate * (m / np.float32(1 - 0.9**t)) / (np.sqrt(v / np.float32(1 - 0.999**t)) + np.float32(1e-8))
            x, y = x - u[0], y - u[1]
        return x

    return run


def in_torch(runs: int, steps: int) -> Callable[[], Any] | None:
    """Adam on tensors of all runs, with gradients by torch.func; None where PyTorch is not installed."""
    try:
        torch = import_module("torch")
    except ModuleNotFoundError:
        return None
    torch.set_num_threads(1)

    def loss(w):
        return 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2

    gradient = torch.func.vmap(torch.func.grad(loss))

    def run():
        w = torch.tensor([-1.2, 1.0]).repeat(runs, 1)
        rate = torch.from_numpy(learning_rates(runs).astype(np.float32))[:, None]
        m, v = torch.zeros_like(w), torch.zeros_like(w)
        for t in range(1, steps + 1):
            g = gradient(w)
            m, v = m.lerp(g, 0.1), v.lerp(g * g, 0.001)
            w = w - rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
        return w

    return run


def _of_size(runs: int, steps: int) -> Figure:
    mapped, seeds, rates = by_hand(optax.adam, "rosenbrock", runs, steps)
    with tempfile.TemporaryDirectory() as folder:
        cases = {
            OURS: ours("adamlab.adam(lr)", runs, steps),
            "jit(vmap(scan)) by hand": lambda: wait(mapped(seeds, rates)),
            "C": in_c(Path(folder), runs, steps),
        }
        values = take_turns(cases, 1e-9 * runs * steps, rounds=5 if runs * steps < 10**9 else 2)
    return Figure(
        f"Adam on Rosenbrock, {runs:,} runs × {steps:,} steps", UNIT, values, {"jit(vmap(scan)) by hand": 1.0, "C": 1.6}
    )


def _ways() -> Figure:
    """Other ways to compute the sweep; the slow ones with fewer runs or steps."""
    runs, steps = 10_000, 1_000
    single = jax.jit(run_by_hand(optax.adam, "rosenbrock", steps))
    rates = jnp.asarray(learning_rates(FEW), jnp.float32)
    cases: dict[str, tuple[Callable[[], Any] | None, float]] = {
        OURS: (ours("adamlab.adam(lr)", runs, steps), runs * steps),
        "with swept betas": (
            ours("adamlab.adam(lr, b1=b1, b2=b2)", runs, steps, b1=np.full(runs, 0.9), b2=np.full(runs, 0.999)),
            runs * steps,
        ),
        "NumPy, all runs an array": (in_numpy(runs, FEW_STEPS), runs * FEW_STEPS),
        "torch.func, all runs a tensor": (in_torch(runs, FEW_STEPS), runs * FEW_STEPS),
        "a loop over one compiled scan": (lambda: [wait(single(np.uint32(0), rate)) for rate in rates], FEW * steps),
    }
    known = {name: (case, count) for name, (case, count) in cases.items() if case is not None}
    values = take_turns(
        {name: case for name, (case, _) in known.items()}, {name: 1e-9 * count for name, (_, count) in known.items()}
    )
    wanted = {"a loop over one compiled scan": 0.1}
    return Figure(f"Adam on Rosenbrock in other ways, {runs:,} × {steps:,}", UNIT, values, wanted)


def _devices() -> Figure:
    runs = 200_000
    both = ours("adamlab.adam(lr)", runs, 1_000, devices=jax.local_devices())
    cases = {OURS: both, "the same on one device": ours("adamlab.adam(lr)", runs, 1_000)}
    values = take_turns(cases, 1e-9 * runs * 1_000, rounds=3, clock=time.perf_counter)
    return Figure("200,000 runs on two devices", "ns a run-step on the wall", values, {"the same on one device": 0.56})


def _several() -> Figure:
    names = ("adam", "rmsprop", "adagrad")

    def config(*names: str) -> dict[str, Any]:
        sweep = {"log": [1e-3, 1e-1, 2000]}
        return {
            "name": "several",
            "steps": 1_000,
            "record": {"every": EVERY},
            "problem": [{"name": "rosenbrock"}],
            "optimizer": [{"name": f"adamlab.{name}", "learning_rate": sweep} for name in names],
        }

    cases = {OURS: lambda: al.run(config(*names)), "three configs": lambda: [al.run(config(n)) for n in names]}
    return Figure(
        "adam, rmsprop and adagrad in one config, 6,000 × 1,000",
        "CPU s",
        take_turns(cases, rounds=3),
        {"three configs": 1.1},
    )
