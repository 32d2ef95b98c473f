"""Which optimizers of another library can stand for one: by the table's rows, by the same name, or nearly."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from adamlab.calls import Call, SpecError, Symbol, call, written
from adamlab.specs import find, parse
from adamlab.translation.ahead import Ahead, can_have_ahead, put_ahead, splits
from adamlab.translation.matching import bound, each, filled, library_of, links, match
from adamlab.translation.table import Near, Same, rows


class Lost(NamedTuple):
    """A part of the source that a target does not have.

    Attributes:
        key: the keyword that a framework has for it; empty where none has.
        words: what it is in the words of the source.
    """

    key: str
    words: str


@dataclass(frozen=True)
class Target:
    """An optimizer of another library that may stand for the source.

    Attributes:
        call: the optimizer.
        row: the row of the table that it is of; None where it has the source's own name.
        lost: what of the source it does not have.
    """

    call: Call
    row: Same | Near | None
    lost: tuple[Lost, ...] = ()


def targets(source: Call, to: str) -> Iterator[Target]:
    """The targets that have all of the source: those of the table's rows, at last the one of the same name."""
    library = library_of(source)
    for row in rows(library, to):
        pattern = parse(row.forms[library])
        for core, ahead in splits(source):
            numbers = match(pattern, core)
            target = None if numbers is None else put_ahead(filled(row.forms[to], numbers, to), ahead, to)
            if target is not None:
                yield Target(target, row)
    if {library, to} == {"optax", "adamlab"}:
        yield from _namesake(source, to)


def nearest_targets(source: Call, to: str) -> list[Target]:
    """The targets that lack something of the source, those that lack the least first."""
    *_, (core, ahead) = splits(source)
    *before, last = links(source)
    if core.name == "optax.chain":
        core, ahead, parts = last, {}, [Lost("", str(link)) for link in before]
    elif before:
        parts = [Lost(key, str(link)) for key, link in zip(ahead, before, strict=True)]
    else:
        parts = [Lost(key, f"{key}={written(value)}") for key, value in ahead.items()]
    lacking = [_lacking(core, ahead, parts, odd, row, bare, to) for odd, row, bare in _cut_to_rows(core, to)]
    return sorted(lacking, key=lambda target: len(target.lost))


def _lacking(
    core: Call, ahead: Ahead, parts: list[Lost], odd: list[str], row: Same | Near, bare: Call, to: str
) -> Target:
    """The target that has the parts ahead of the rule which its library can say, and not the odd arguments."""
    given = bound(core)
    kept = {key: value for key, value in ahead.items() if can_have_ahead(bare, key, to)}
    lost = [
        *(Lost(key, f"{key}={written(given[key])}") for key in odd),
        *(part for part in parts if part.key not in kept),
    ]
    return Target(put_ahead(bare, kept, to) or bare, row, tuple(lost))


def _cut_to_rows(core: Call, to: str) -> Iterator[tuple[list[str], Same | Near, Call]]:
    """The rows with the same optimizer, the arguments that each of them has not, and its form of the other library."""
    library, given = library_of(core), bound(core)
    for row in rows(library, to):
        pattern = parse(row.forms[library])
        if pattern.name != core.name:
            continue
        wanted = bound(pattern)
        odd = [key for key, value in wanted.items() if match(value, given[key]) is None]
        if not any(isinstance(wanted[key], Symbol) for key in odd):
            numbers = {v.name: given[key] for key, v in wanted.items() if isinstance(v, Symbol) and key not in odd}
            yield odd, row, filled(row.forms[to], numbers, to)


def _namesake(source: Call, to: str) -> Iterator[Target]:
    """The same names with the same arguments in the other library of Optax's names, if it has them."""
    try:
        renamed = _renamed(source, to)
    except SpecError:
        return
    if library_of(renamed) == to:
        yield Target(renamed, None)


def _renamed(source: Call, to: str) -> Call:
    if source.role != "optimizer":
        return source
    given: dict[str, Any] = {key: each(x, lambda link: _link(link, to)) for key, x in source.arguments.items()}
    name = source.name if source.name in ("optax.chain", "optax.scale") else f"{to}.{source.short}"
    return call(name, find(name), given)


def _link(source: Call, to: str) -> Call:
    """A link of a chain; Optax's own where adamlab has none, whose chains are Optax's."""
    try:
        return _renamed(source, to)
    except SpecError:
        if to != "adamlab":
            raise
        return source
