"""The output of `adamlab plot`."""

from collections.abc import Sequence
from pathlib import Path

from adamlab.analysis.rows import over_steps
from adamlab.errors import InputError
from adamlab.plots import FILMS, PLOTS, PLOTS_OF, NothingToDrawError
from adamlab.plots.files import draw, figure_name
from adamlab.problems import all_problems
from adamlab.studies.config.tables.outputs import read_output
from adamlab.studies.config.toml import override
from adamlab.studies.store.folder import STORE, require_own_files
from adamlab.terminal.console import say
from adamlab.terminal.studies.problem_figures import Wishes, plot_problem
from adamlab.terminal.studies.progress import drawing


def plot_and_show(
    source: str, kind: str, out: Path | None, problem: str | None, options: Sequence[str], wishes: Wishes
) -> None:
    """Draw a kind of figure of a results folder, or of a problem alone, and print the names of the files."""
    folder = Path(source)
    # A folder of results goes before a problem of its name; what is neither is told as a misspelt problem.
    if not (folder / STORE).exists() and (
        source in all_problems() or (kind in PLOTS_OF["problem"] and not folder.exists())
    ):
        if problem is not None and source in all_problems():
            raise InputError(f'--problem is for a folder of results; "{source}" is a problem already.')
        plot_problem(source, kind, out, options, wishes)
    else:
        wishes.refuse(f"only a problem alone is drawn with these; the runs of {folder} are done.")
        _plot_results(folder, kind, out, problem, options)


def _plot_results(folder: Path, kind: str, out: Path | None, problem: str | None, options: Sequence[str]):
    """Draw the figure for a single problem, or for each that has the data for it."""
    from adamlab.studies.kinds import load  # which loads zarr

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
        ending = "gif" if kind in FILMS else "png"
        path = out or folder / "figures" / f"{figure_name(name, kind, output['options'])}.{ending}"
        try:
            with drawing(f"drawing {name}") as advance:
                draw(tree, name, kind, [path], advance, **output["options"])
        except NothingToDrawError as error:
            refused.append(error)
        else:
            say(str(path))
    if len(refused) == len(problems):
        raise refused[0]
