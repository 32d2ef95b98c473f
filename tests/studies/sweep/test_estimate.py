"""Estimates beside what a run then does: its runs, blocks and bytes; and times put together of those of steps."""

from typing import Any
from unittest.mock import create_autospec

import jax
import numpy as np
import pytest

import adamlab as al
from adamlab import running
from adamlab.running import study_of
from adamlab.studies import distributed
from adamlab.studies.config.study import Study
from adamlab.studies.engine import block_sizes
from adamlab.studies.engine.execution import try_out
from adamlab.studies.engine.program import prepare
from adamlab.studies.engine.recording import Recording, recorded_steps
from adamlab.studies.kinds import load
from adamlab.studies.options import RunOptions
from adamlab.studies.store.location import Location
from adamlab.studies.sweep import estimate as estimates
from adamlab.studies.sweep.estimate import TRIED, Estimate, compiling_time, estimate
from tests.computing import make_blocks_small, runs_of

pytestmark = pytest.mark.optimized(False)

CONFIG: dict[str, Any] = {
    "name": "estimated",
    "steps": 40,
    "seeds": 3,
    "dtype": "float64",
    "record": {"every": 10, "what": ["loss", "params", "m", "steps_to_target"], "target": 1.0},
    "problem": [{"name": "rosenbrock"}],
    "optimizer": [
        {"name": "adamlab.adam", "learning_rate": [0.01, 0.02, 0.05, 0.1]},
        {"name": "optax.sgd", "learning_rate": [1e-3, 1e-4], "label": "sgd"},
    ],
}
RECORDED = ("loss", "params", "m", "steps_to_target", "final_params", "diverged_at")

A_STEP = 0.25
"""The seconds that a step of a block takes, for these tests."""


@pytest.fixture(autouse=True)
def _small_blocks_and_steady_steps(monkeypatch):
    make_blocks_small(monkeypatch)
    monkeypatch.setattr(running, "write_products", lambda *arguments: None)
    monkeypatch.setattr(estimates, "try_out", lambda program, compiled, runs, steps: A_STEP * steps)


def estimated(config: dict[str, Any], folder: Any = None) -> list[Estimate]:
    study = study_of(config)
    assert isinstance(study, Study)
    return estimate(study, "the config", Location(folder), RunOptions())


def test_runs_blocks_and_bytes_are_those_of_the_run(tmp_path):
    adam, sgd = estimated(CONFIG, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    al.run(CONFIG, tmp_path / "out")
    runs = load(tmp_path / "out")["rosenbrock"].to_dataset()
    for item, label in ((adam, "adamlab.adam"), (sgd, "sgd")):
        mine = runs.isel(run=np.flatnonzero(runs.optimizer.values == label))
        assert (item.problem, item.optimizer, item.runs) == ("rosenbrock", label, mine.sizes["run"])
        assert item.blocks == -(-item.runs // 8)
        assert item.bytes == sum(mine[name].values.nbytes for name in RECORDED)
        assert item.compiling > 0
    assert estimated(CONFIG, tmp_path / "out") == []


def test_what_is_done_costs_nothing_more(tmp_path):
    al.run(CONFIG, tmp_path)
    more = CONFIG | {"seeds": 5}
    assert [(item.optimizer, item.runs) for item in estimated(more, tmp_path)] == [("adamlab.adam", 8), ("sgd", 4)]


def test_time_grows_with_steps_and_with_blocks_and_is_shared_by_devices(monkeypatch):
    many = CONFIG | {"steps": 1000, "seeds": 20, "optimizer": CONFIG["optimizer"][1:]}  # 40 runs, in blocks of 8
    assert [(item.blocks, item.seconds) for item in estimated(many)] == [(5, 5 * 1000 * A_STEP)]
    few = many | {"steps": TRIED // 2}
    assert [item.seconds for item in estimated(few)] == [5 * few["steps"] * A_STEP]
    monkeypatch.setattr(distributed, "devices", lambda count: 4 * jax.devices()[:1])
    monkeypatch.setattr(block_sizes, "ALONE", 1)
    assert [item.seconds for item in estimated(many)] == [2 * 1000 * A_STEP]  # 4 blocks at once, and then the fifth


def test_runs_that_share_batches_are_tried_seed_by_seed(monkeypatch):
    """As they are run: 17 settings fill two groups of 9 of each seed."""
    tried = []
    monkeypatch.setattr(estimates, "try_out", lambda program, compiled, runs, steps: tried.append(runs.seeds) or 1.0)
    rates = {"log": [1e-3, 1.0, 17]}
    digits = {"steps": 10, "seeds": 2, "problem": [{"name": "digits_softmax"}]}
    (item,) = estimated(CONFIG | digits | {"optimizer": [{"name": "optax.sgd", "learning_rate": rates}]})
    assert item.runs == 34
    assert tried[0].tolist() == [0] * 18 + [1] * 18


def test_so_many_steps_are_tried():
    problem = al.problems.get("rosenbrock")
    runs = runs_of("optax.sgd(lr)", {"lr": [0.1]})
    program = prepare(problem, runs, Recording(recorded_steps(50, 10), ("loss",)))
    compiled = create_autospec(jax.stages.Compiled, instance=True, return_value=None)
    try_out(program, compiled, runs, 20)
    spans = [call.args[3] for call in compiled.call_args_list]
    assert [(int(span.begin), int(span.end)) for span in spans] == [(0, 20)]


@pytest.mark.parametrize(("cores", "expected"), [(1, 9.0), (2, 4.5), (64, 3.0), (None, 9.0)])
def test_programs_are_compiled_side_by_side(monkeypatch, cores, expected):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    programs = [Estimate("p", str(seconds), 1, 1, 1, 1.0, seconds) for seconds in (2.0, 3.0, 4.0)]
    assert compiling_time(programs) == expected
    assert compiling_time([]) == 0
