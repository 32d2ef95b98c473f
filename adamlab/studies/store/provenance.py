"""Provenance: the config, versions, machine and repository that results were computed with."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

FORMAT = 4
"""The version of the store's layout that is written; it changes where an older adamlab cannot read what is new."""

OLDEST = 3
"""The oldest version that is read, and gone on with."""

PACKAGES = ("adamlab", "jax", "jaxlib", "optax", "numpy", "sympy")


def provenance(source: Mapping[str, Any], own_code: Mapping[str, str]) -> dict[str, Any]:
    """A store's attributes: its format, the config, versions, machine and device, the repository's state, the time.

    With them the digest of the user's own code behind each thing that is not adamlab's or Optax's.
    """
    import jax

    return {
        "adamlab_format": FORMAT,
        "config": json.dumps(source, sort_keys=True),
        "own_code": dict(own_code),
        "versions": versions(),
        "platform": platform.platform(),
        "device": f"{jax.local_device_count()} × {jax.devices()[0].device_kind}",
        "processes": jax.process_count(),
        "git": git_state(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def config_of(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """The plain data of the config that results were computed from, taken from their attributes."""
    return json.loads(attributes["config"])


def plain(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes that every format can hold: what is no text, number or list of these is written as JSON."""
    return {str(name): value if _is_plain(value) else json.dumps(value) for name, value in attributes.items()}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return len({type(item) for item in value}) <= 1 and all(_is_plain(item) for item in value)
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def versions() -> dict[str, str]:
    """The versions of the packages that results depend on; of frameworks those that were loaded."""
    loaded = [name for name in ("torch", "keras") if name in sys.modules]
    return {package: version(package) for package in (*PACKAGES, *loaded)}


def changed_versions(attributes: Mapping[str, Any]) -> str:
    """The note for results that were begun with other versions; empty where they were not."""
    before, now = attributes["versions"], versions()
    known = [name for name in now if name in PACKAGES or name in before]  # a framework may be loaded for other reasons
    changed = [f"{name} {before.get(name)} → {now[name]}" for name in known if before.get(name) != now[name]]
    note = f"Begun with other versions: {', '.join(changed)}. What was done then is kept as it is."
    return note if changed else ""


def changed_code(attributes: Mapping[str, Any], own_code: Mapping[str, str]) -> list[str]:
    """The names of what is the user's own and has another digest now than when results were computed."""
    before = attributes.get("own_code", {})
    return [name for name, digest in own_code.items() if before.get(name, digest) != digest]


def note_on_code(names: Sequence[str]) -> str:
    """The note for results of code that has changed, or may have."""
    return f"The code of {', '.join(names)} has changed, or may have: what depends on it is computed anew."


def git_state() -> dict[str, Any] | None:
    """The commit of the current folder's repository and whether it has changes; None outside of a repository."""
    try:
        commit, changes = (
            subprocess.run(["git", *command], capture_output=True, text=True, check=True, timeout=10).stdout.strip()
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": bool(changes)}
