"""The last words of a process that JAX ends because process 0 of its run did: pages from C++ become one line.

JAX's client of process 0 ends its own process from C++, and has no public setting for what it then does. As a script
this file reads another process's standard error, which it outlives.
"""

import os
import re
import subprocess
import sys
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

PATIENCE = 5.0
"""The seconds for which what may be last words is held back."""

OF_CLIENT = re.compile(rb"[WEF]\d{4} .* (preemption_sync_manager|coordination_service_agent|client)\.")
"""The beginning of what JAX's client of process 0 writes."""

END = b"Terminating process because the JAX distributed service"

MESSAGE = (
    b"adamlab: process 0 of this run ended, and the others with it. What was done is kept; the same command goes on "
    b"from there.\n"
)

_READERS: list[subprocess.Popen[bytes]] = []


def shorten_last_words() -> None:
    """Let another process read this one's standard error from now on, and write it to where it went before."""
    reader = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, start_new_session=True)
    assert reader.stdin is not None
    sys.stderr.flush()
    os.dup2(reader.stdin.fileno(), 2)
    reader.stdin.close()
    _READERS.append(reader)


def pass_on() -> None:
    """Pass on what is read, but for what the client writes as it ends its process."""
    lines: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_read, args=(lines,), daemon=True).start()
    while line := lines.get():
        if OF_CLIENT.match(line):
            page, is_end = _page(line, lines)
            _write(MESSAGE if END in page else page)
            if is_end:
                return
        else:
            _write(line)


def _page(first: bytes, lines: "SimpleQueue[bytes]") -> tuple[bytes, bool]:
    """What is written within `PATIENCE` from a first line on, and whether it is the end: it is no warning then."""
    page, until = first, monotonic() + PATIENCE
    with suppress(Empty):
        while line := lines.get(timeout=max(0.0, until - monotonic())):
            page += line
        return page, True
    return page, False


def _read(lines: "SimpleQueue[bytes]") -> None:
    """Read lines until there are no more, which an empty one says."""
    for line in sys.stdin.buffer:
        lines.put(line)
    lines.put(b"")


def _write(text: bytes) -> None:
    sys.stderr.buffer.write(text)
    sys.stderr.buffer.flush()


if __name__ == "__main__":
    pass_on()
