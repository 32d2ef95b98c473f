"""Interrupts: Ctrl-C, heard wherever it arrives."""

import signal
import threading
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

    # A shell's background jobs ignore it, others may handle it in their own way, and only the main thread hears it.
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield _HEARD
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield _HEARD
    finally:
        _HEARD.clear()
        signal.signal(signal.SIGINT, signal.default_int_handler)


def stop_if_interrupted() -> None:
    """Raise KeyboardInterrupt if SIGINT came and what it raised was lost."""
    if _HEARD.is_set():
        raise KeyboardInterrupt
