"""Ctrl-C ends a command wherever it arrives, and padding is no run."""

import gc
import os
import signal
from contextlib import suppress

import pytest

from adamlab.terminal.interrupts import hearing_interrupts

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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_lost_in_a_callback_of_the_collector_is_remembered():
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


@pytest.mark.parametrize("moment", ["begin", "working_on", "advance", "note"])
def test_a_run_whose_interrupt_is_lost_ends_with_130(adamlab, monkeypatch, tmp_path, moment):
    from adamlab.terminal.progress import Lines

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


def test_a_shells_background_job_goes_on_ignoring_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with hearing_interrupts() as heard:
        os.kill(os.getpid(), signal.SIGINT)
        assert not heard.is_set()
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_other_commands_end_with_130_as_well(adamlab, monkeypatch, tmp_path):
    from adamlab.terminal import lists

    def interrupted(what):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(lists, "show_list", interrupted)
    assert adamlab("list", "plots", cwd=tmp_path).returncode == 130
