"""The output of `adamlab plot PROBLEM`: pictures of a problem, and of optimizers on it, without a config."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from adamlab.calls import Call, arguments, call
from adamlab.errors import InputError, nearest
from adamlab.plots import FILMS, PLOTS_OF
from adamlab.plots.files import figure_name, write_figure
from adamlab.problems import all_problems, find
from adamlab.problems.fields import field as field_of
from adamlab.problems.landscapes import landscape
from adamlab.studies.config.tables.outputs import read_output
from adamlab.studies.config.toml import override
from adamlab.studies.options import RunOptions
from adamlab.studies.progress import Listener
from adamlab.terminal.console import say, waiting
from adamlab.terminal.studies.progress import drawing
from adamlab.types import Problem

RACERS = ("adamlab.adam(0.1)", "adamlab.rmsprop(0.01)", "adamlab.adagrad(0.5)", "adamlab.sgd(0.001, momentum=0.9)")
"""The optimizers of a race where none are given."""

ALONE = "adamlab.adam(0.1)"
"""The optimizer of all other pictures where none is given."""

STEPS = 300
"""The steps of a run where no number is given."""

MOST_RECORDED = 2000
"""The most steps that are recorded; of longer runs steps are left out evenly."""

RECORDED = {
    "race": ("loss", "params"),
    "surface": ("loss", "params"),
    "cartoon": ("params", "updates", "gradients", "m", "v", "m_hat", "v_hat"),
    "moments": ("gradients", "m", "v", "m_hat", "v_hat", "effective_learning_rate"),
}
"""The quantities that are recorded of runs, by the plots that show runs."""


@dataclass(frozen=True)
class Wishes:
    """The options of `adamlab plot` that are for a problem alone.

    Attributes:
        optimizers: specs.
        steps: of the runs.
        start: where they begin, two numbers with a comma between; by default the problem's start for seed 0.
    """

    optimizers: Sequence[str] = field(default=())
    steps: int | None = None
    start: str | None = None

    def refuse(self, why: str) -> None:
        """Raise InputError where any of them is given."""
        given = {"--optimizer": self.optimizers, "--steps": self.steps is not None, "--start": self.start}
        if names := [name for name, value in given.items() if value]:
            raise InputError(f"{', '.join(names)}: {why}")


def plot_problem(name: str, kind: str, out: Path | None, options: Sequence[str], wishes: Wishes) -> None:
    """Draw a problem, or optimizers on it, and print the name of the file."""
    if name not in all_problems():
        hint = nearest(name, all_problems())
        hint += "" if hint.startswith("did you mean") else "; one of your own needs --import mine.py"
        raise InputError(f'"{name}" is neither a folder of results nor a problem; {hint}')
    plots = PLOTS_OF["problem"]
    if kind not in plots:
        drawn = ", ".join(plots)
        raise InputError(f'"{name}" is a problem, not a folder of results; of a problem alone there is {drawn}.')
    table = override({}, options)
    own = {key: value for key, value in table.items() if key in _options(plots[kind])}
    chosen = dict(read_output(own | {"kind": kind}, plots, {name: ["loss"]}, [])["options"])
    rest = {key: value for key, value in table.items() if key not in own}
    for key in rest.keys() - arguments(find(name)).keys():
        hint = nearest(key, [*_options(plots[kind]), *arguments(find(name))])
        raise InputError(f"--set {key}: neither {kind} nor {name} has such an option; {hint}")
    wanted = call(name, find(name), rest)
    data = _data(wanted, kind, chosen, wishes)
    path = out or Path(f"{figure_name(name, kind, {**wanted.arguments, **chosen})}.{'gif' if kind in FILMS else 'png'}")
    with drawing(f"drawing {name}") as advance:
        write_figure(plots[kind](data, **chosen), [path], advance)
    say(str(path))


def _options(plot: Callable[..., Any]) -> list[str]:
    """The options of a plot that can be written."""
    return [name for name, argument in arguments(plot).items() if argument.kind != "other"]


def _data(wanted: Call, kind: str, chosen: dict[str, Any], wishes: Wishes) -> xr.Dataset:
    """The dataset that a plot shows: the problem's landscape, an optimizer's field on it, or runs."""
    if kind in RECORDED and (kind != "surface" or wishes.optimizers):
        return _runs(wanted, kind, chosen, wishes)
    problem = _built(wanted)
    if kind != "vector_field":
        wishes.refuse(f"{kind} shows no runs{'; name an --optimizer, too' if kind in RECORDED else ''}.")
        with waiting(f"computing {wanted.name}"):
            return landscape(problem)
    specs = wishes.optimizers or [ALONE]
    Wishes((), wishes.steps, wishes.start).refuse("a vector field has no runs; it shows steps from all points.")
    if len(specs) > 1:
        raise InputError(f"a vector field is of one --optimizer, not of {len(specs)}; draw each alone.")
    with waiting(f"computing the steps of {specs[0]}"):
        return field_of(problem, specs[0])


def _runs(wanted: Call, kind: str, chosen: dict[str, Any], wishes: Wishes) -> xr.Dataset:
    """The runs of the optimizers on the problem, by a config as a file would have it."""
    from adamlab.running import run_data

    if len(_built(wanted).domain) != 2 and kind != "moments":
        raise InputError(f"{wanted.name}: {kind} takes a problem of two parameters with a domain, such as beale.")
    specs = [*dict.fromkeys(wishes.optimizers or (RACERS if kind == "race" else [ALONE]))]
    needed = max(chosen.get("step", 5), 1) if kind == "cartoon" else STEPS
    steps = wishes.steps or needed
    every = 1 if kind == "cartoon" else -(-steps // MOST_RECORDED)
    starts = {} if wishes.start is None else {"starts": [_point(wishes.start)]}
    config = {
        "name": kind,
        "steps": steps,
        "record": {"every": every, "what": [*RECORDED[kind]]},
        "problem": [{"name": wanted.name, **wanted.arguments, **starts}],
        "optimizer": [{"spec": spec} for spec in specs],
    }
    with waiting(f"running {', '.join(specs)} on {wanted.name}"):
        tree = run_data(config, "plot", None, RunOptions(), Listener())
    return next(iter(tree.children.values())).to_dataset()


def _built(wanted: Call) -> Problem:
    try:
        return wanted.build()
    except (ValueError, ModuleNotFoundError) as error:
        raise InputError(f"{wanted.name}: {error}") from error


def _point(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--start must be numbers with commas between, such as -1.2,1; not {text!r}.") from error
