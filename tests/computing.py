"""The engine as tests use it: runs in, recorded arrays out, with the runs as the first axis."""

from typing import Any

import jax
import numpy as np

from adamlab.specs import parse
from adamlab.studies.engine import block_sizes
from adamlab.studies.engine.execution import execute
from adamlab.studies.engine.program import Runs, prepare
from adamlab.studies.engine.recording import Recording, recorded_steps

UNOPTIMIZED: dict[str, Any] = {"xla_backend_optimization_level": 0}
"""XLA's options that take some four fifths off the time of a compilation; last bits can differ."""
if jax.__version_info__ < (0, 11):  # later ones have no such option
    UNOPTIMIZED["xla_cpu_use_fusion_emitters"] = False

XLA_FLAGS = " ".join(f"--{option}={str(value).lower()}" for option, value in UNOPTIMIZED.items())
"""The same for a process of its own, as its environment's XLA_FLAGS."""


def make_blocks_small(monkeypatch, runs=8):
    """Let blocks have eight runs, so that a small study has several."""
    monkeypatch.setattr(block_sizes, "RECORDS", 1)
    monkeypatch.setattr(block_sizes, "LANES", runs)


def runs_of(spec, numbers=None, seeds=(0,), starts=None):
    numbers = {name: np.asarray(values, float) for name, values in (numbers or {}).items()}
    return Runs(parse(spec), numbers, np.array(seeds, np.uint32), starts)


def computed(
    problem,
    spec,
    numbers=None,
    seeds=(0,),
    steps=12,
    every: Any = 5,
    what=("loss", "params"),
    *,
    starts=None,
    target=None,
    costly_every=1,
    devices=(),
    sizes=None,
    shared=0,
):
    """The recorded quantities of runs, by name."""
    runs = runs_of(spec, numbers, seeds, starts)
    recording = Recording(recorded_steps(steps, every), what, target, costly_every)
    program = prepare(problem, runs, recording, devices=devices, sizes=sizes, shared=shared)
    compiled = program.compile()
    blocks = range(program.sizes.count(len(runs)))
    calls = execute(program, compiled, runs, blocks)
    done = {call.block: call.records for call in calls if call.is_done}
    pieces = [done[block] for block in blocks]
    return {name: np.moveaxis(np.concatenate([piece[name] for piece in pieces], axis=-1), -1, 0) for name in pieces[0]}


def sample_of(problem) -> Any:
    """The problem's `sample`, which it has."""
    assert problem.sample is not None
    return problem.sample
