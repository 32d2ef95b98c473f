"""The output of `adamlab list`."""

import inspect
import tomllib
from collections.abc import Callable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from adamlab.calls import arguments, written
from adamlab.errors import InputError, nearest
from adamlab.frameworks import FRAMEWORKS, installed
from adamlab.optimizers import REGISTERED
from adamlab.own import MODULES
from adamlab.problems import all_problems
from adamlab.specs import LIBRARIES, all_schedules, optimizers
from adamlab.terminal.console import say


def show_list(what: str) -> None:
    """Print a list of names, each with its description, and problems with their options."""
    lists: dict[str, Callable[[], Mapping[str, str]]] = {
        "optimizers": _optimizers,
        "problems": _problems,
        "plots": _plots,
        "schedules": _schedules,
        "experiments": _experiments,
        "derivations": _derivations,
    }
    if what not in lists:
        raise InputError(f"there is no list of {what!r}; {nearest(what, lists)}")
    names = lists[what]()
    width = max(map(len, names), default=0)
    for name, text in names.items():
        for head, line in zip_longest([name], text.split("\n"), fillvalue=""):
            say(f"{head:{width}}  {line}")


def _optimizers() -> dict[str, str]:
    known = {
        f"{library}.{name}": _first_line(getattr(factory, "func", factory))
        for library in LIBRARIES
        for name, factory in optimizers(library).items()
        if "learning_rate" in arguments(factory) and not name.startswith("scale_by")
    }
    own = {f"{library}.{name}": f for library in MODULES for name, f in optimizers(library).items()} | REGISTERED
    read = {
        f"{library}.{name}": f"{library}'s own code{'' if library in installed() else f', after pip install {library}'}"
        for library, names in FRAMEWORKS.items()
        for name in names
    }
    return known | read | {name: _first_line(factory) for name, factory in own.items()}


def _schedules() -> dict[str, str]:
    return {name: "\n".join([_first_line(schedule), *_options(schedule)]) for name, schedule in all_schedules().items()}


def _problems() -> dict[str, str]:
    # From the factories alone: to build a problem can mean to download its data.
    return {name: "\n".join([_first_line(make), *_options(make)]) for name, make in all_problems().items()}


def _options(make: Callable[..., Any]) -> list[str]:
    """A line of the options with their defaults; no line where there are none."""
    options = [name if a.required else f"{name}={written(a.default)}" for name, a in arguments(make).items()]
    return [f"({', '.join(options)})"] if options else []


def _plots() -> dict[str, str]:
    from adamlab.plots import PLOTS, PLOTS_OF

    return {
        name: "\n".join([_first_line(plot), *_about_plot([of for of in PLOTS_OF if name in PLOTS_OF[of]], plot)])
        for name, plot in PLOTS.items()
    }


def _about_plot(takes: list[str], plot: Callable[..., Any]) -> list[str]:
    """A line of what a plot takes and its options."""
    options = [name for name, argument in arguments(plot).items() if argument.kind != "other"]
    of = " or ".join(["a problem alone" if kind == "problem" else kind for kind in takes])
    return [f"(of {of}{'; ' if options else ''}{', '.join(options)})"]


def _derivations() -> dict[str, str]:
    from adamlab.derivations import DERIVATIONS

    return {name: _first_line(derive) for name, derive in DERIVATIONS.items()}


def _experiments() -> dict[str, str]:
    files = sorted(Path("experiments").glob("*.toml"))
    if not files:
        raise InputError(f"there is no experiments folder with configs in {Path.cwd()}.")
    return {str(file): tomllib.loads(file.read_text(encoding="utf-8")).get("question", "") for file in files}


def _first_line(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]
