"""Differences between two configs, key by key."""

from collections.abc import Iterator, Mapping
from typing import Any

from adamlab.studies.config.errors import join, shown

COSMETIC = ("output", "question")
"""Keys without influence on the results."""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A line for each key that differs: "steps: 500 → 600"."""
    return [
        f"{key}: {'nothing' if old is None else shown(old)} → {'nothing' if new is None else shown(new)}"
        for key, old, new in _differences(before, after)
        if key.partition("[")[0] not in COSMETIC
    ]


def _differences(old: Any, new: Any, *path: str | int) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(name), new.get(name), *path, name)
    elif _holds_tables(old) and _holds_tables(new):
        for i in range(max(len(old), len(new))):
            yield from _differences(old[i] if i < len(old) else None, new[i] if i < len(new) else None, *path, i)
    elif old != new:
        yield join(*path), old, new


def _holds_tables(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, Mapping) for item in value)
