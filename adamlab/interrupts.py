"""Interrupts: Ctrl-C, heard wherever it arrives."""

import signal
import sys
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
    _HEARD.clear()
    tell = sys.unraisablehook
    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else tell(lost)  # no traceback of it
    try:
        yield _HEARD
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = tell
        _HEARD.clear()


def stop_if_interrupted() -> None:
    """Raise KeyboardInterrupt if SIGINT came and what it raised was lost."""
    if _HEARD.is_set():
        raise KeyboardInterrupt
