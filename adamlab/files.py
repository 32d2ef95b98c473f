"""Files: read within bounds, and written whole or not at all, whatever stands in their place."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

UNFINISHED = ".adamlab-new-"
"""The beginning of the names of files that are being written."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, in the same folder and with the same ending, whose file then takes the place of `path`.

    A link in that place is replaced, not followed, and a process that is killed leaves the old file as it was.
    """
    new = path.with_name(f"{UNFINISHED}{secrets.token_hex(8)}{path.suffix}")
    try:
        with new.open("x"):
            pass
        yield new
        new.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        new.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, see `replacing`."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")


def read_text(path: Path, most: int) -> str:
    """The text of a regular file in UTF-8.

    Raises:
        OSError: it cannot be read, is no regular file, or has more than `most` bytes.
        UnicodeDecodeError: it is not UTF-8.
    """
    # Without O_NONBLOCK a named pipe would be waited for.
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(None, "it is no regular file", str(path))
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(None, f"it has more than {most:,} bytes", str(path))
    return data.decode()


def discard(stream: TextIO) -> None:
    """Drop what a stream holds and cannot write; Python would try again at its end, and report that."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
