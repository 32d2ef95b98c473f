"""Real processes: killed and begun again, several on one run, several devices; always the same results, bit for bit."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
import xarray as xr

import adamlab as al
from adamlab.errors import InputError
from adamlab.studies.store.folder import StoreError
from adamlab.studies.store.locks import LOCK, locked
from adamlab.terminal.studies import last_words
from tests.computing import make_blocks_small
from tests.one_process import empty_report

ROOT = Path(__file__).parents[1]

CONFIG = """
name = "processes"
steps = 60
seeds = 4
record = { every = 20 }

[[problem]]
name = "rosenbrock"

[[optimizer]]
name = "adamlab.adam"
learning_rate = { log = [1e-3, 1.0, 10] }
b2 = [0.9, 0.99]

[[output]]
kind = "sensitivity"
"""
BLOCKS = 10


@pytest.fixture(autouse=True)
def _empty_report(monkeypatch):
    monkeypatch.setattr("adamlab.running.write_products", empty_report)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def whole(config):
    with pytest.MonkeyPatch.context() as patch:
        make_blocks_small(patch)
        return al.run(config)


def started(*arguments, after=-1, sent="SIGKILL"):
    command = [sys.executable, "-m", "tests.one_process", str(after), sent, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process):
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def done_in(folder):
    return int(al.load(folder)["rosenbrock"].ds.done.sum())


def same(folder, whole):
    xr.testing.assert_identical(al.load(folder)["rosenbrock"].to_dataset(), whole["rosenbrock"].to_dataset())


@pytest.mark.parametrize("kills", [(8,), pytest.param((3, 5), marks=pytest.mark.slow)], ids=["once", "twice"])
def test_a_killed_run_goes_on_and_its_lock_is_freed(adamlab, config, whole, tmp_path, kills):
    for after in kills:
        code, _, _ = ended(started("run", config, "--out", tmp_path, after=after))
        assert code == -signal.SIGKILL
        assert (tmp_path / f"{LOCK}.0").exists()
    assert done_in(tmp_path) == 8 * 8  # the second went on where the first was killed
    assert not (tmp_path / "report.html").exists()
    result = adamlab("run", config, "--out", tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "16 runs of 60 steps" in result.stdout
    assert not [*tmp_path.glob(f"{LOCK}*")]
    assert (tmp_path / "report.html").exists()
    same(tmp_path, whole)


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_go_on(adamlab, config, whole, tmp_path):
    code, out, err = ended(started("run", config, "--out", tmp_path, after=2, sent="SIGINT"))
    assert code == 130
    assert f"Stopped. What was done is kept in {tmp_path}" in out
    assert "Traceback" not in out + err
    assert done_in(tmp_path) in (16, 24)
    assert adamlab("run", config, "--out", tmp_path).returncode == 0
    same(tmp_path, whole)


def test_two_devices_compute_what_one_does(config, whole, tmp_path):
    code, _, err = ended(started("run", config, "--out", tmp_path, "--devices", "2"))
    assert (code, err) == (0, "")
    same(tmp_path, whole)
    assert al.load(tmp_path).attrs["device"].startswith("2 × ")


def free_port():
    """A port that nobody listens at, below those that the system gives to anybody who asks for one."""
    for port in np.random.default_rng().integers(15_000, 30_000, 100).tolist():
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


def shared(config, folder, after=-1, killed=1):
    """The ends of two processes that share a run; one is killed after some blocks, unless `after` is −1."""
    coordinator = f"127.0.0.1:{free_port()}"
    how = ("run", config, "--out", folder, "--coordinator", coordinator, "--processes", "2")
    second = started(*how, "--process", "1", after=after if killed == 1 else -1)
    first = started(*how, "--process", "0", after=after if killed == 0 else -1)
    return ended(first), ended(second)


def test_two_processes_share_a_run(config, whole, tmp_path):
    (code, out, err), (other, quiet, other_err) = shared(config, tmp_path)
    assert (code, other) == (0, 0), f"{err}\n{other_err}"
    assert "40 runs of 60 steps" in out  # its half of them
    assert "Results" not in quiet
    assert (tmp_path / "report.html").exists()
    same(tmp_path, whole)


@pytest.mark.slow
def test_a_process_that_dies_costs_its_unfinished_blocks_only(adamlab, config, whole, tmp_path):
    (code, _, err), (other, _, _) = shared(config, tmp_path, after=1)
    assert other == -signal.SIGKILL
    assert code == 2
    assert "process 1 of 2 ended before its work was done; 4 blocks are missing" in err
    assert "Traceback" not in err
    assert done_in(tmp_path) == 8 * (BLOCKS // 2 + 1)
    result = adamlab("run", config, "--out", tmp_path)
    assert result.returncode == 0
    assert "32 runs of 60 steps" in result.stdout
    same(tmp_path, whole)


@pytest.mark.slow
def test_where_process_0_dies_the_other_says_so_in_a_line(config, tmp_path):
    (code, _, _), (other, _, err) = shared(config, tmp_path, after=1, killed=0)
    assert (code, other) == (-signal.SIGKILL, -signal.SIGABRT)
    assert "stack trace" not in err
    assert [line for line in err.splitlines() if "process" in line][-1] == last_words.MESSAGE.decode().strip()


OF_JAX = """W1129 21:24:59.325555   10124 preemption_sync_manager.cc:147] Failed to retrieve preemption notice
Additional GRPC error information from remote target coordination_service
E1129 21:24:59.334397   10124 coordination_service_agent.cc:289] Polled an error from coordination service
F1129 21:24:59.334405   10124 client.h:80] Terminating process because the JAX distributed service detected errors.
*** Check failure stack trace: ***
    @     0x7fa924610634  absl::lts_20260107::log_internal::LogMessage::SendToLog()
"""
"""What JAX writes where process 0 of a run died."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("W1129 a warning\nours\n" + OF_JAX, "W1129 a warning\nours\n" + last_words.MESSAGE.decode()),
        (OF_JAX.partition("F1129")[0] + "adamlab: ours\n", OF_JAX.partition("F1129")[0] + "adamlab: ours\n"),
    ],
    ids=["ended", "not ended"],
)
def test_pages_of_last_words_become_a_line(text, expected):
    command = [sys.executable, last_words.__file__]
    assert subprocess.run(command, input=text, capture_output=True, text=True, check=True).stderr == expected


def test_a_warning_is_passed_on_while_the_process_goes_on(monkeypatch):
    monkeypatch.setattr(last_words, "PATIENCE", 0.0)
    lines = SimpleQueue()
    lines.put(b"ours\n")
    assert last_words._page(b"a warning\n", lines) == (b"a warning\nours\n", False)


@pytest.mark.slow
def test_a_second_run_is_refused_while_the_first_is_at_work(config, tmp_path):
    with locked(tmp_path, 0):
        code, _, err = ended(started("run", config, "--out", tmp_path))
        assert code == 2
        assert f"is being written by another run (process {os.getpid()} on {socket.gethostname()}" in err
    with locked(tmp_path, 1), pytest.raises(StoreError, match="is being written by another run"):
        al.run(config, tmp_path)  # its first process is gone, and another still writes
    al.run(config, tmp_path)


def test_devices_that_are_not_there_are_told(config):
    with pytest.raises(InputError, match=r"64 devices were asked for, and this process has 1\. A CPU is d"):
        al.run(config, devices=64)


def test_results_have_no_trace_of_who_computed_them(whole):
    runs = whole["rosenbrock"].ds
    assert runs.done.values.all()
    assert np.isfinite(runs.loss.values).all()
