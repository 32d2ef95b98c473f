"""The plain data of a config: a TOML file or a mapping, with overrides from the command line applied."""

import copy
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adamlab.studies.config.errors import ConfigError, Mistake


def read_config(config: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The plain data of a config file or a mapping, with overrides applied.

    Args:
        config: a TOML file's path, or the data itself.
        overrides: texts KEY=VALUE, such as "steps=100" or "optimizer.0.learning_rate=[0.1, 0.2]".

    Raises:
        ConfigError: the file cannot be read or is no TOML, or an override has no such form or place.
    """
    data = copy.deepcopy(dict(config)) if isinstance(config, Mapping) else _read_toml(Path(config))
    return override(data, overrides)


def override(data: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Apply KEY=VALUE texts to the data, and return it.

    Raises:
        ConfigError: a text has no such form, or its key no place in the data.
    """
    mistakes = [mistake for text in texts if (mistake := _override(data, text))]
    if mistakes:
        raise ConfigError("--set", mistakes)
    return data


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = "there is no such file"
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        message = "is not UTF-8 text, as TOML must be"
    except (ValueError, RecursionError) as error:  # also an integer too long, a list nested too deep
        message = f"is not valid TOML: {error}"
    raise ConfigError(str(path), [Mistake("", message)])


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
