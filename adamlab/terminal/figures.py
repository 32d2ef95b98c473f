"""The output of `adamlab plot`."""

from collections.abc import Sequence
from pathlib import Path

from adamlab.analysis.rows import over_steps
from adamlab.calls import call
from adamlab.errors import InputError, nearest
from adamlab.plots import PLOTS, PLOTS_OF, NothingToDrawError
from adamlab.plots.files import draw, figure_name, write_figure
from adamlab.problems import all_problems, find
from adamlab.problems.landscapes import landscape
from adamlab.studies.config.outputs import read_output
from adamlab.studies.config.toml import override
from adamlab.studies.kinds import load
from adamlab.studies.store.folder import STORE, require_own_files
from adamlab.terminal.console import say, waiting


def plot_and_show(source: str, kind: str, out: Path | None, problem: str | None, options: Sequence[str]) -> None:
    """Draw a kind of figure of a results folder, or of a problem alone, and print the names of the files."""
    folder = Path(source)
    # A folder of results goes before a problem of its name; what is neither is told as a misspelt problem.
    if not (folder / STORE).exists() and (
        source in all_problems() or (kind in PLOTS_OF["problem"] and not folder.exists())
    ):
        _plot_problem(source, kind, out, problem, options)
    else:
        _plot_results(folder, kind, out, problem, options)


def _plot_problem(name: str, kind: str, out: Path | None, problem: str | None, options: Sequence[str]):
    if name not in all_problems():
        hint = nearest(name, all_problems())
        hint += "" if hint.startswith("did you mean") else "; one of your own needs --import mine.py"
        raise InputError(f'"{name}" is neither a folder of results nor a problem; {hint}')
    if kind not in PLOTS_OF["problem"]:
        drawn = ", ".join(PLOTS_OF["problem"])
        raise InputError(f'"{name}" is a problem, not a folder of results; of a problem alone there is {drawn}.')
    if problem is not None:
        raise InputError(f'--problem is for a folder of results; "{name}" is a problem already.')
    wanted = call(name, find(name), override({}, options))
    try:
        built = wanted.build()
    except (ValueError, ModuleNotFoundError) as error:
        raise InputError(f"{name}: {error}") from error
    path = out or Path(f"{figure_name(name, kind, wanted.arguments)}.png")
    with waiting(f"drawing {name}"):
        write_figure(PLOTS_OF["problem"][kind](landscape(built)), [path])
    say(str(path))


def _plot_results(folder: Path, kind: str, out: Path | None, problem: str | None, options: Sequence[str]):
    """Draw the figure for a single problem, or for each that has the data for it."""
    if out is None:
        require_own_files(folder)
    tree = load(folder)
    quantities = {name: over_steps(child.to_dataset()) for name, child in tree.children.items()}
    settings = list(dict.fromkeys(name for child in tree.children.values() for name in child.attrs["settings"]))
    table = override({}, options)
    if table.keys() & {"kind", "problem"}:
        raise InputError("--set is for the plot's options; KIND and --problem say what to draw.")
    output = read_output(table | {"kind": kind, "problem": problem}, PLOTS, quantities, settings)
    problems = [problem] if problem else list(tree.children)
    if out is not None and len(problems) > 1:
        raise InputError(f"--out is one file, and {folder} has {', '.join(problems)}; say which with --problem.")
    refused = []
    for name in problems:
        path = out or folder / "figures" / f"{figure_name(name, kind, output['options'])}.png"
        try:
            draw(tree, name, kind, [path], **output["options"])
        except NothingToDrawError as error:
            refused.append(error)
        else:
            say(str(path))
    if len(refused) == len(problems):
        raise refused[0]
