"""Interrupts: Ctrl-C, heard wherever it arrives."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

_HEARD = Event()


@contextmanager
def hearing_interrupts() -> Iterator[Event]:
    """Remember SIGINT while it also raises: what is raised in a callback of the garbage collector or of XLA is lost."""

    def interrupt(number: int, frame: object):
        _HEARD.set()
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    is_ours = before is signal.default_int_handler  # a shell's background jobs ignore it
    if is_ours:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield _HEARD
    finally:
        _HEARD.clear()
        if is_ours:
            signal.signal(signal.SIGINT, before)


def stop_if_interrupted() -> None:
    """Raise KeyboardInterrupt if SIGINT came and what it raised was lost."""
    if _HEARD.is_set():
        raise KeyboardInterrupt
