"""Ctrl-C ends a command wherever it arrives, and padding is no run."""

import gc
import os
import signal
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress

import pytest
import xarray as xr

import adamlab as al
from adamlab.interrupts import hearing_interrupts
from adamlab.studies.progress import Listener

pytestmark = pytest.mark.optimized(False)

CONFIG = """
name = "interrupted"
steps = 5
seeds = 2
[[problem]]
name = "beale"
[[optimizer]]
name = "adamlab.sgd"
learning_rate = [0.001, 0.002]
"""


@pytest.fixture(autouse=True)
def _as_in_a_terminal():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_what_is_lost_in_a_callback_of_the_collector_is_remembered_and_no_traceback_of_it_shown(monkeypatch):
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)

    def callback(phase, info):
        if phase == "start":
            os.kill(os.getpid(), signal.SIGINT)

    with hearing_interrupts() as heard:
        gc.callbacks.append(callback)
        try:
            gc.collect()
        finally:
            gc.callbacks.remove(callback)
        assert heard.is_set()
    assert (shown, sys.unraisablehook) == ([], shown.append)


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize("moment", ["begin", "working_on", "advance", "note"])
def test_a_run_whose_interrupt_is_lost_ends_with_130(adamlab, monkeypatch, tmp_path, moment):
    from adamlab.terminal.studies.progress import Lines

    class Ended(BaseException):
        pass

    def end(code):
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    original = getattr(Lines, moment)

    def interrupted(self, *arguments):
        with suppress(KeyboardInterrupt):  # as XLA does with whatever its callbacks raise
            signal.raise_signal(signal.SIGINT)
        original(self, *arguments)

    monkeypatch.setattr(Lines, moment, interrupted)
    (tmp_path / "config.toml").write_text(CONFIG)
    with pytest.raises(Ended, match="130"):
        adamlab("run", "config.toml", cwd=tmp_path)


@pytest.mark.parametrize("is_lost", [False, True], ids=["raised", "lost"])
def test_a_run_in_python_says_how_to_go_on(monkeypatch, tmp_path, is_lost):
    monkeypatch.setattr("adamlab.products.draw_outputs", lambda *arguments: ({}, []))
    config = tomllib.loads(CONFIG)

    class Pressed(Listener):
        def working_on(self, what: str):
            with suppress(KeyboardInterrupt) if is_lost else nullcontext():
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=rf"Stopped\. What was done is kept in {tmp_path}/out, and"):
        al.run(config, tmp_path / "out", listener=Pressed())
    assert int(al.load(tmp_path / "out")["beale"].ds.done.sum()) == (4 if is_lost else 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    xr.testing.assert_identical(al.run(config, tmp_path / "out")["beale"].ds, al.run(config)["beale"].ds)


def test_a_run_in_another_thread_leaves_interrupts_to_the_main_one():
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(al.run, tomllib.loads(CONFIG)).result()["beale"].ds.done.all()


def test_a_shells_background_job_goes_on_ignoring_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with hearing_interrupts() as heard:
        os.kill(os.getpid(), signal.SIGINT)
        assert not heard.is_set()
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("error", [SystemExit(0), ImportError("half loaded")])
def test_other_commands_end_with_130_as_well(adamlab, monkeypatch, tmp_path, error):
    from adamlab.terminal import lists

    def interrupted(what):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise error

    monkeypatch.setattr(lists, "show_list", interrupted)
    assert adamlab("list", "plots", cwd=tmp_path).returncode == 130
