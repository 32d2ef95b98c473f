"""The plain data of a config: a TOML file or a mapping, with overrides from the command line applied."""

import copy
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adamlab.files import read_text
from adamlab.studies.config.errors import ConfigError, Mistake

MOST_BYTES = 10**6
"""The greatest size of a config file."""

DEEPEST = 100
"""The most levels of tables and lists in a config; data beyond Python's recursion limit cannot be copied."""

_PIECES = re.compile("[^=,\\n]*")
"""What a dotted key can stand in: tomllib's time grows with the square of a key's parts."""


def read_config(config: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The plain data of a config file or a mapping, with overrides applied.

    Args:
        config: a TOML file's path, or the data itself.
        overrides: texts KEY=VALUE, such as "steps=100" or "optimizer.0.learning_rate=[0.1, 0.2]".

    Raises:
        ConfigError: the file cannot be read or is no TOML, or an override has no such form or place.
    """
    if isinstance(config, Mapping):
        _require_shallow(config, "the config")
        data = copy.deepcopy(dict(config))
    else:
        data = _read_toml(Path(config))
    data = override(data, overrides)
    _require_shallow(data, "the config" if isinstance(config, Mapping) else str(config))
    return data


def text_of(config: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> str:
    """The text of a config's file, under its overrides as comments; empty of a mapping.

    Raises:
        ConfigError: the file cannot be read any more.
    """
    if isinstance(config, Mapping):
        return ""
    return "".join(f"# --set {text}\n" for text in overrides) + _text(Path(config))


def override(data: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Apply KEY=VALUE texts to the data, and return it.

    Raises:
        ConfigError: a text has no such form, or its key no place in the data.
    """
    mistakes = [mistake for text in texts if (mistake := _override(data, text))]
    if mistakes:
        raise ConfigError("--set", mistakes)
    return data


def _text(path: Path) -> str:
    try:
        return read_text(path, MOST_BYTES)
    except FileNotFoundError:
        message = "there is no such file"
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError:
        message = "is not UTF-8 text, as TOML must be"
    raise ConfigError(str(path), [Mistake("", message)])


def _read_toml(path: Path) -> dict[str, Any]:
    text = _text(path)
    try:
        if text.startswith("\ufeff"):
            raise ValueError("it begins with a byte order mark; save it as UTF-8 without one")
        if max(text.count(".", *piece.span()) for piece in _PIECES.finditer(text)) > DEEPEST:
            raise ValueError(f"it has a key of more than {DEEPEST} parts")
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also an integer too long, a list nested too deep
        raise ConfigError(str(path), [Mistake("", f"is not valid TOML: {error}")]) from error


def _require_shallow(data: Mapping[str, Any], where: str):
    level: list[Any] = [data]
    for _ in range(DEEPEST + 1):
        inner = [value.values() if isinstance(value, Mapping) else value for value in level]
        level = [value for values in inner for value in values if isinstance(value, (Mapping, list, tuple))]
        if not level:
            return
    raise ConfigError(where, [Mistake("", f"its tables and lists are nested more than {DEEPEST} levels deep")])


def _override(data: dict[str, Any], text: str) -> Mistake | None:
    key, equals, value = text.partition("=")
    if not equals or not key:
        return Mistake(text, "expected KEY=VALUE, such as steps=100 or optimizer.0.learning_rate=0.1")
    *path, last = [int(part) if part.isdecimal() else part for part in key.strip().split(".")]
    parent: Any = data
    try:
        for part in path:
            parent = parent.setdefault(part, {}) if isinstance(parent, dict) and isinstance(part, str) else parent[part]
        if not isinstance(parent, dict):
            parent[last]  # a list's items can be replaced, not added
        parent[last] = parsed(value)
    except (KeyError, IndexError, TypeError):
        return Mistake(key, "there is no such place in the config")
    return None


def parsed(value: str) -> Any:
    """A value as TOML reads it; a bare word is a text, since shells remove quotes."""
    try:
        read = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        return value
    return read["value"] if len(read) == 1 else value
