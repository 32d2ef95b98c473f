"""The last words of a process that JAX ends because process 0 of its run did: pages from C++ become one line.

JAX's client of process 0 ends its own process from C++, and has no public setting for what it then does. As a script
this file reads another process's standard error, which it outlives.
"""

import os
import re
import subprocess
import sys

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
    held = b""
    for line in sys.stdin.buffer:
        if held or OF_CLIENT.match(line):
            held += line
        else:
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
    sys.stderr.buffer.write(MESSAGE if END in held else held)


if __name__ == "__main__":
    pass_on()
