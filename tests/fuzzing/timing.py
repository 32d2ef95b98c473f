"""A bound on the processor time of a computation."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class StoppedError(BaseException):
    """The time is over; no handler of exceptions takes it for a failure of its own."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Stop what runs within after so many seconds of processor time.

    Raises:
        StoppedError: the time was over.
    """

    def stop(*_: Any):
        raise StoppedError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 1.0)  # again, since callbacks of C code drop what is raised
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
