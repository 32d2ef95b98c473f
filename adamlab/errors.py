"""Bad input: its error, and the words for it. Loads nothing, so that the command line can import it."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Input that cannot be used: the message says what was expected, what came, and what to do."""


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
