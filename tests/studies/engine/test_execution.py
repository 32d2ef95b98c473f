"""Tests of blocks that are computed at once, on the threads of a CPU and on several devices."""

from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from threading import Lock, active_count, get_ident
from typing import cast
from unittest.mock import create_autospec

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adamlab import problems
from adamlab.studies.engine import equations, execution, program
from adamlab.studies.engine.block_sizes import Sizes
from adamlab.studies.engine.program import prepare
from adamlab.studies.engine.recording import Recording, recorded_steps
from adamlab.types import Problem
from tests.computing import computed, runs_of

RUNS = 70
"""Runs that do not fill their last block."""


def results(devices, **how):
    numbers = {"lr": np.geomspace(1e-3, 1e-1, RUNS)}
    sizes = Sizes(16, 16)
    return computed(
        problems.get("rosenbrock"), "adamlab.adam(lr)", numbers, range(RUNS), 30, 7, devices=devices, sizes=sizes, **how
    )


@pytest.mark.parametrize("count", [2, 3, 9])
def test_threads_compute_what_one_does(x64, monkeypatch, count):
    monkeypatch.setattr(program, "CALL", 2 * 16 * 4)  # four steps a call
    monkeypatch.setattr(execution, "SECONDS", 0.0)
    threads, collect = set(), execution.Computed.collect

    def watched(self):
        threads.add(get_ident())
        collect(self)

    monkeypatch.setattr(execution.Computed, "collect", watched)
    got = results(jax.local_devices()[:1] * count)
    assert got["loss"].dtype == np.float64
    assert len(threads) == min(count, 5)
    chex.assert_trees_all_equal(got, results(()))


def started(devices):
    runs = runs_of("optax.sgd(lr)", {"lr": np.full(64, 0.1)}, range(64))
    recording = Recording(recorded_steps(30, 7), ("loss",))
    return prepare(problems.get("beale"), runs, recording, devices=devices, sizes=Sizes(16, 16)), runs


def test_what_fails_on_a_thread_is_raised():
    failing = create_autospec(jax.stages.Compiled, instance=True, side_effect=ValueError("of a thread"))
    prepared, runs = started(2 * jax.local_devices())
    with pytest.raises(ValueError, match="of a thread"):
        list(execution.execute(prepared, [prepared.compiled[0], failing], runs, range(4)))


def test_settings_of_the_caller_hold_on_threads():
    numbers = {"lr": np.full(32, 1e30)}
    with jax.debug_nans(True), pytest.raises(Exception, match="nan"):
        computed(
            problems.get("rosenbrock"),
            "optax.sgd(lr)",
            numbers,
            range(32),
            sizes=Sizes(16, 16),
            devices=2 * jax.local_devices(),
        )


def test_the_time_is_divided_among_what_is_computed_at_once(monkeypatch):
    now, collect = [0.0], execution.Computed.collect

    def watched(self):
        with lock:
            now[0] += 3.0
        collect(self)

    lock = Lock()
    monkeypatch.setattr(execution.Computed, "collect", watched)
    monkeypatch.setattr(execution, "_spent", lambda: now[0])
    recorded = computed(
        problems.get("beale"),
        "optax.sgd(lr)",
        {"lr": np.full(64, 0.1)},
        range(64),
        6,
        2,
        ("seconds",),
        sizes=Sizes(16, 16),
        devices=2 * jax.local_devices(),
    )["seconds"]
    assert recorded.min() > 0
    assert 6.0 <= recorded.sum() <= 4 * 3.0 + 1e-3  # what passes while a thread finds that it has no more is of none


def test_threads_end_where_no_more_is_taken():
    prepared, runs = started(2 * jax.local_devices())
    before = active_count()
    with closing(cast("Generator", execution.execute(prepared, prepared.compiled, runs, range(4)))) as calls:
        assert next(calls).is_done
    assert active_count() == before


def compare_devices():
    """Accelerators as far as a CPU can play them: each has a program of its own."""
    devices = jax.local_devices()
    assert len(devices) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "default_backend", lambda: "gpu")
        prepared, runs = started(devices)
        used = set()
        for call in execution.execute(prepared, prepared.compiled, runs, range(4)):
            used |= {device for values in call._results.values() for device in values.devices()}
        assert used == {*devices}
        chex.assert_trees_all_equal(results(devices), results(()))


def test_devices_have_a_program_each():
    with pytest.MonkeyPatch.context() as patch, ProcessPoolExecutor(1, get_context("spawn")) as pool:
        patch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
        pool.submit(compare_devices).result()


def held(rows):
    """A problem whose code holds these rows."""
    rows = jnp.asarray(rows)
    return Problem(
        "held",
        lambda w, batch: jnp.mean((rows[batch] @ w - 1) ** 2),
        lambda key: jnp.zeros(rows.shape[1]),
        lambda w: jnp.mean((rows @ w - 1) ** 2),
        sample=lambda key, t: jax.random.randint(key, (4,), 0, len(rows)),
        side_by_side=2,
    )


def test_large_data_is_an_argument(rng, monkeypatch):
    rows = rng.normal(size=(40, 3)).astype(np.float32)
    runs, recording = runs_of("optax.sgd(0.1)", seeds=range(4)), Recording(recorded_steps(8, 4), ("loss",))

    def computed_with(rows, **how):
        return computed(held(rows), "optax.sgd(0.1)", seeds=range(4), steps=8, every=4, what=("loss",), **how)

    constant, expected = prepare(held(rows), runs, recording), computed_with(rows)
    monkeypatch.setattr(equations, "LARGE", rows.nbytes)
    given, other = (prepare(held(x), runs, recording) for x in (rows, 2 * rows))
    assert [x.shape for x in given.data] == [rows.shape]
    assert not constant.data
    texts = [[line for line in x.lowered[0].as_text().splitlines() if "40x3" in line] for x in (constant, given)]
    assert [any("dense" in line for line in lines) for lines in texts] == [True, False]
    assert len({x.digest for x in (given, other, constant)}) == 3
    chex.assert_trees_all_close(computed_with(rows), expected, rtol=1e-5)
    chex.assert_trees_all_equal(computed_with(rows, devices=2 * jax.local_devices()), computed_with(rows))
