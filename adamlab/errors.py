"""Bad input: its error, and the words for it. Loads nothing, so that the command line can import it."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Characters that command a terminal or reverse the order of a line: control, bidirectional, and lone surrogates."""

LONGEST_LINE = 1000
"""The most characters in a line of a message."""

MOST_LISTED = 20
"""The most lines that a message lists."""


class InputError(ValueError):
    """Input that cannot be used: the message says what was expected, what came, and what to do."""

    def __init__(self, message: str):
        super().__init__("\n".join(map(cut, printable(message).split("\n"))))


def printable(text: str) -> str:
    """The text with each character that a terminal would act on written as its code, in four hexadecimal digits."""
    return UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def cut(line: str, most: int = LONGEST_LINE) -> str:
    """The line, with an ellipsis in place of what is beyond `most` characters."""
    return line if len(line) <= most else f"{line[: most - 1]}…"


def listed(lines: Sequence[str]) -> str:
    """Lines under a heading, indented; the first of them where they are many."""
    further = [f"… and {len(lines) - MOST_LISTED:,} more"] if len(lines) > MOST_LISTED else []
    return "\n".join(f"  {line}" for line in [*lines[:MOST_LISTED], *further])


def reason(error: BaseException, most: int | None = None) -> str:
    """The error's message on one line, or its type where it has none; cut to `most` characters."""
    return (" ".join(str(error).split()) or type(error).__name__)[:most]


def nearest(name: str, valid: Iterable[str]) -> str:
    """The hint that leads from a wrong name to the right one, or to all that are valid."""
    valid = list(valid)
    family = [each for each in valid if name and name in each.split("_")]
    if family:
        return f"did you mean one of {', '.join(family)}?" if len(family) > 1 else f'did you mean "{family[0]}"?'
    close = get_close_matches(name, valid, n=1, cutoff=0.5)
    if close:
        return f'did you mean "{close[0]}"?'
    return "valid here: " + (", ".join(valid[:20]) + (", …" if len(valid) > 20 else "") if valid else "nothing")
