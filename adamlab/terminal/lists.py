"""What `adamlab list` shows."""

import inspect
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adamlab.calls import arguments
from adamlab.errors import InputError, nearest
from adamlab.plots import PLOTS
from adamlab.problems import PROBLEMS
from adamlab.specs import LIBRARIES, optimizers
from adamlab.terminal.console import say


def show_list(what: str) -> None:
    """Prints the names of one kind of thing, each with a line on what it is."""
    lists: dict[str, Callable[[], Mapping[str, str]]] = {
        "optimizers": _optimizers,
        "problems": lambda: {name: _first_line(make) for name, make in PROBLEMS.items()},
        "plots": lambda: {name: _first_line(plot) for name, plot in PLOTS.items()},
        "experiments": _experiments,
    }
    if what not in lists:
        raise InputError(f"there is no list of {what!r}; {nearest(what, lists)}")
    names = lists[what]()
    width = max(map(len, names), default=0)
    for name, line in names.items():
        say(f"{name:{width}}  {line}")


def _optimizers() -> dict[str, str]:
    return {
        f"{library}.{name}": _first_line(getattr(factory, "func", factory))
        for library in LIBRARIES
        for name, factory in optimizers(library).items()
        if "learning_rate" in arguments(factory) and not name.startswith("scale_by")
    }


def _experiments() -> dict[str, str]:
    files = sorted(Path("experiments").glob("*.toml"))
    if not files:
        raise InputError(f"there is no experiments folder with configs in {Path.cwd()}.")
    return {str(file): tomllib.loads(file.read_text(encoding="utf-8")).get("question", "") for file in files}


def _first_line(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]
