"""Symbols' names taken apart: a letter or a word, and the indices that stand below or above it.

A name begins with a letter (of the alphabet, or Greek as SymPy spells it) or else is a word: `beta_1`, `mhat_3`,
`vmax_3` and `epsilon_root` are letters with subscripts, `learning_rate` is a word. The numbers at its end, or letters
such as t and i, are a step and the indices of an entry, as are the indices of `g[i]`. Hyper-parameters have no step:
these are Greek letters with nothing but indices after them, `beta_1` (Optax's `mu` and `nu` excepted, which are
averages), letters with a bar, as `betabar_1_3` for 1 − β₁³, the initial values `G_0` and `v_0`, and every name without
an index.
"""

import re
from collections.abc import Sequence

from sympy.printing.pretty.pretty_symbology import greek_unicode

from adamlab.symbolic.notation.nodes import Name, Negative, Node, Number, Terms, Time
from adamlab.symbolic.notation.order import COUNTERS

GREEK = {spelling: letter for spelling, letter in greek_unicode.items() if letter}
"""Greek letters, by SymPy's names for them."""

AVERAGES = frozenset("μν")
"""Greek letters of quantities that change from step to step."""
INITIAL = ("G_0", "v_0")
"""Names of hyper-parameters that look like quantities at step 0."""
CHANGING = frozenset("gmuvw")
"""Letters of quantities that change from step to step, even where no step is named."""

_LETTER = re.compile(rf"({'|'.join(GREEK)}|[^\W\d_])(hat|bar|max)?(\d*)")


def name(label: str, indices: Sequence[Node] = (), *, superscripts: bool = False) -> Name:
    """The node of a symbol's name, or of an array's with an entry's indices; `superscripts` puts the step on top."""
    front, tail = _split(label)
    all_indices = (*map(_piece, tail), *indices)
    letter = _LETTER.fullmatch(front[0])
    if letter is None:
        head, accent, words = "_".join(front), "", []
    else:
        spelling, mark, digits = letter.groups(default="")
        head = GREEK.get(spelling, spelling)
        accent, word = ("", mark) if mark == "max" else (mark, "")
        words = [*filter(None, [digits, word, *front[1:]])]
    is_fixed = label in INITIAL or accent == "bar" or (head in GREEK.values() and head not in AVERAGES and not words)
    time = None if is_fixed else _time(all_indices, can_change=head in CHANGING and not words)
    goes_up = superscripts and time and all_indices
    lower = (*map(_piece, words), *(all_indices[1:] if goes_up else all_indices))
    return Name(head, accent, lower, all_indices[0] if goes_up else None, time)


def _split(label: str) -> tuple[list[str], list[str]]:
    """The parts of a name, and the indices after them."""
    parts = label.split("_")
    count = len(parts)
    while count > 1 and parts[0] and (parts[count - 1].isdecimal() or parts[count - 1] in COUNTERS):
        count -= 1
    return parts[:count], parts[count:]


def _piece(part: str) -> Node:
    return Number(part) if part.isdecimal() else Name(GREEK.get(part, part))


def _time(indices: Sequence[Node], can_change: bool) -> Time | None:
    """The time that the first index tells; None for a name without indices that cannot change."""
    match indices:
        case []:
            return () if can_change else None
        case [Number(digits), *_]:
            return (0, int(digits))
        case [Name(head), *_]:
            return (1, head, 0)
        case [Terms((Name(head), Number(digits))), *_]:
            return (1, head, int(digits))
        case [Terms((Name(head), Negative(Number(digits)))), *_]:
            return (1, head, -int(digits))
        case _:
            return (2,)
