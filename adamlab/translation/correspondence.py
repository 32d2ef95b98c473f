"""The map of frameworks: which of their optimizers are the same, decided on the code that is installed."""

from collections.abc import Iterator, Mapping
from typing import Any

from adamlab.calls import Call, Symbol, arguments
from adamlab.errors import InputError
from adamlab.frameworks import FRAMEWORKS
from adamlab.frameworks.factories import imported
from adamlab.frameworks.keras3 import loaded_keras
from adamlab.specs import parse
from adamlab.symbolic.proving.proofs import prove
from adamlab.translation.papers.standings import Standing, decided, standing_of, standings
from adamlab.translation.table import IN_WORDS, NEAR, SAME, Near, Same


def verdicts_on(library: str) -> Iterator[dict[str, Any]]:
    """Each row of the table of translations that a framework is in, against the others' forms and its paper.

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
    needed_by = f"{IN_WORDS[library]}'s side"
    loaded_keras(needed_by) if library == "keras" else imported(library, library, needed_by)
    for row in (*SAME, *NEAR):
        others = [form for name, form in row.forms.items() if name not in (library, "adamlab")]
        if library in row.forms:
            for other in others:
                yield _decided(row, row.forms[library], other)
    for form, name in {row.forms[library]: row.name for row in (*SAME, *NEAR) if library in row.forms}.items():
        standing = standing_of(form)
        if standing is not None:
            yield _decided_by_paper(name, form, standing, library)


def _decided_by_paper(name: str, form: str, standing: Standing, library: str) -> dict[str, Any]:
    verdict, as_stated = decided(form, standing)
    return {
        "name": name,
        "left": form,
        "right": standing.paper,
        "expected": "proved" if standing.is_same else "refuted",
        "status": verdict.status,
        "as_expected": as_stated,
        "explanation": verdict.explanation,
        "difference": "" if standing.is_same else _stands(standing, {library: form}),
    }


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
    lines = ["| optimizer | PyTorch | Keras | Optax | | paper |", "|---|---|---|---|---|---|"]
    for row in (*SAME, *NEAR):
        if isinstance(row, Near) and "adamlab" in row.forms:
            continue
        cells = [f"`{row.forms[library]}`" if library in row.forms else "" for library in SHOWN]
        differs = row.difference if isinstance(row, Near) else "the same" if len(row.forms) > 1 else ""
        constant = " while the rate is constant" if isinstance(row, Same) and row.inside else ""
        lines.append(f"| {row.name} | {' | '.join(cells)} | {differs}{constant} | {_paper(row)} |")
    return "\n".join(lines)


SHOWN = ("torch", "keras", "optax")
"""The libraries with columns of their own in the table; adamlab's forms are Optax's."""


def _paper(row: Same | Near) -> str:
    """The paper of a row's optimizers, and how each of them stands to its algorithm."""
    known = standings(row)
    if not known:
        return ""
    groups: list[tuple[Standing | None, dict[str, str]]] = []
    for library in (library for library in SHOWN if library in row.forms):
        forms = next((forms for other, forms in groups if other == known.get(library)), None)
        if forms is None:
            groups.append((known.get(library), forms := {}))
        forms[library] = row.forms[library]
    texts = ["not decided" if standing is None else _stands(standing, forms) for standing, forms in groups]
    if len(groups) > 1:
        sides = [" and ".join(IN_WORDS[library] for library in forms) for _, forms in groups]
        texts = [f"{side}: {text}" for side, text in zip(sides, texts, strict=True)]
    return f"{next(iter(known.values())).paper}: {'. '.join(texts)}"


def _stands(standing: Standing, forms: Mapping[str, str]) -> str:
    """In words, under which conditions these forms are the paper's algorithm."""
    if standing.is_same:
        return "the same"
    numbers = [f"{name} = {value:g}{_by_default(name, value, forms)}" for name, value in standing.given.items()]
    where = f"at {' and '.join(numbers)}" if numbers else ""
    if not standing.but:
        return f"the same {where}"
    rest = "" if standing.variant else "; that nothing else differs is not proved"
    return f"{where}{where and ', '}with this difference: {standing.but}{rest}"


def _by_default(name: str, value: float, forms: Mapping[str, str]) -> str:
    """The default that each library has for a number of its form."""
    known = {library: _default(parse(form), name) for library, form in forms.items()}
    values = {library: f"{x:g}" for library, x in known.items() if isinstance(x, (int, float))}
    if {*values.values()} == {f"{value:g}"}:
        return ", the default"
    if len({*values.values()}) > 1:
        return f" (by default {', '.join(f'{x} in {IN_WORDS[library]}' for library, x in values.items())})"
    return f" (by default {next(iter(values.values()))})" if values else ""


def _default(pattern: Call, name: str) -> Any:
    """The default of the argument that a symbol of that name stands for; None where the form has none."""
    for inner in pattern.calls():
        for key, value in inner.arguments.items():
            if value == Symbol(name):
                return arguments(inner.factory)[key].default
    return None
