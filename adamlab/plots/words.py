"""Words in pictures: letters for numbers' names, numbers to three digits, labels that fit."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from adamlab.analysis.answers.words import number

LETTERS = {"learning_rate": "η", "lr": "η", "b1": "β₁", "b2": "β₂", "eps": "ε"}
"""The letters of the papers, by the names of arguments."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

POINTS = 72
"""Points in an inch."""


def letter(name: str) -> str:
    """A number's name with the letters of the papers: "1-b2" is "1 − β₂", "learning_rate.init" is "η.init"."""
    ahead, _, rest = name.partition("1-")
    if not ahead and rest:
        return f"1 − {letter(rest)}"
    return ".".join(LETTERS.get(part, part) for part in name.split("."))


def best_of(values: Mapping[str, float], direction: int = 1, shown: Callable[[float], str] = number) -> list[str]:
    """The names of the best, least value times the direction, and of all that are shown like it; none of no values."""
    order = sorted(values, key=lambda name: direction * values[name])
    return [name for name in order if shown(values[name]) == shown(values[order[0]])]


def power(exponent: int) -> str:
    """A power of ten, in plain letters: "10⁻⁶"."""
    return "10" + str(exponent).translate(SUPERSCRIPTS)


def listing(words: Sequence[str], most: int = 4) -> str:
    """Words in a row: "a, b and c", or "a, b and 7 others" where there are more than so many."""
    if len(words) > most:
        words = [*words[: most - 1], f"{len(words) - most + 1} others"]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def width(text: str, size: float) -> float:
    """The width in inches of a text in letters of so many points."""
    return TextToPath().get_text_width_height_descent(text, FontProperties(size=size), ismath=False)[0] / POINTS


def shortened(text: str, most: float, size: float) -> str:
    """The text, or its beginning and its end, to fit into so many inches."""
    kept = len(text)
    short = text
    while kept > 8 and width(short, size) > most:
        kept = min(kept - 1, int(kept * most / width(short, size)))
        short = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
    return short
