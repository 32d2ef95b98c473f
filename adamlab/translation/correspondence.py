"""The map of frameworks: which of their optimizers are the same, decided on the code that is installed."""

from collections.abc import Iterator
from typing import Any

from adamlab.errors import InputError
from adamlab.frameworks import FRAMEWORKS
from adamlab.frameworks.factories import imported
from adamlab.symbolic.proving.proofs import prove
from adamlab.translation.table import IN_WORDS, NEAR, SAME, Near, Same


def verdicts_on(library: str) -> Iterator[dict[str, Any]]:
    """Each row of the table of translations that a framework is in, against Optax's form, with its verdict.

    Args:
        library: "torch" or "keras".

    Yields:
        For each row its name, left, right, expected ("proved" or "refuted"), status, as_expected, explanation and
        difference in words, empty where the two are the same.

    Raises:
        InputError: there is no such framework, or it is not installed.
    """
    if library not in FRAMEWORKS:
        raise InputError(f"there is no framework {library!r}; these are {', '.join(FRAMEWORKS)}.")
    imported(library, library, f"{IN_WORDS[library]}'s side")
    for row in (*SAME, *NEAR):
        others = [form for name, form in row.forms.items() if name not in (library, "adamlab")]
        if library in row.forms:
            for other in others:
                yield _decided(row, row.forms[library], other)


def _decided(row: Same | Near, left: str, right: str) -> dict[str, Any]:
    verdict = prove(left, right)
    expected = "proved" if isinstance(row, Same) else "refuted"
    return {
        "name": row.name,
        "left": left,
        "right": right,
        "expected": expected,
        "status": verdict.status,
        "as_expected": verdict.holds if isinstance(row, Same) else verdict.status == expected,
        "explanation": verdict.explanation,
        "difference": row.difference if isinstance(row, Near) else "",
    }


def unmatched(library: str) -> list[str]:
    """The optimizers of a framework that no row of the table has."""
    known = {row.forms[library].partition("(")[0] for row in (*SAME, *NEAR) if library in row.forms}
    return [name for name in FRAMEWORKS[library] if f"{library}.{name}" not in known]


def markdown() -> str:
    """The table of translations as one of Markdown."""
    lines = ["| optimizer | PyTorch | Keras | Optax | |", "|---|---|---|---|---|"]
    for row in (*SAME, *NEAR):
        if isinstance(row, Near) and "adamlab" in row.forms:
            continue
        cells = [f"`{row.forms[library]}`" if library in row.forms else "" for library in ("torch", "keras", "optax")]
        differs = row.difference if isinstance(row, Near) else "the same"
        constant = " while the rate is constant" if isinstance(row, Same) and row.inside else ""
        lines.append(f"| {row.name} | {' | '.join(cells)} | {differs}{constant} |")
    return "\n".join(lines)
