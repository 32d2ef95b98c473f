"""From a config to results, figures and a report: what `adamlab run` does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from matplotlib import rc_context
from matplotlib.figure import Figure

from adamlab.errors import InputError
from adamlab.plots import PLOTS, PLOTS_OF, NothingToDrawError
from adamlab.problems.openml import cache_folder
from adamlab.problems.registry import BUILT_IN
from adamlab.report import write_report
from adamlab.studies import machines, store
from adamlab.studies.changes import differences
from adamlab.studies.kinds import Config, kind_in, kind_of
from adamlab.studies.listening import Listener
from adamlab.studies.place import Place
from adamlab.studies.source import read_config

FORMATS = ("png", "svg")


def run(
    config: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    fresh: bool = False,
    devices: int | None = None,
    keep_compiled: bool = True,
    listener: Listener | None = None,
) -> xr.DataTree:
    """Runs an experiment config.

    Runs that the folder has are taken as they are, whoever computed them: a run that was cut off goes on, and a config
    to which settings, seeds, starts, problems or optimizers were added has only those computed.

    Args:
        config: a TOML file, or a mapping of the same form.
        out: a folder for results.zarr, summary.csv, figures/ and report.html; None writes nothing.
        overrides: texts KEY=VALUE that replace keys of the config, such as "steps=100".
        fresh: whether to start anew where the folder already has results.
        devices: on how many devices of this process; by default all that JAX has. A CPU can be divided into several
            as long as JAX has not been used.
        keep_compiled: whether compiled programs are kept for later processes, in `ADAMLAB_CACHE` or the user's cache
            folder, unless JAX has been given a folder already.
        listener: who is told of the progress.

    Returns:
        One child a problem: a dataset with dims run × step (× dim), see `adamlab.studies.dataset.dataset`. Of a config
        of comparisons one child, `comparisons`, see `adamlab.studies.comparisons.compare_all`; of readings `readings`,
        see `adamlab.studies.formulas.read_all`.

    Raises:
        ConfigError: the config has mistakes; all of them are named, and nothing has been written.
        StoreError: the folder holds results of another config, or cannot be written, or another run is at work there.

    >>> results = run("experiments/quickstart.toml", out="results/quickstart")  # doctest: +SKIP
    """
    listener = listener or Listener()
    data = read_config(config, overrides)
    where = "the config" if isinstance(config, Mapping) else str(config)
    kind, study = kind_in(data), study_of(data, where)
    folder = None if out is None else Path(out)
    own = sorted(_names_of_problems(data) - BUILT_IN)
    if own and not fresh and folder is not None and (folder / store.STORE).exists():
        if changed := differences(store.config_of(store.root_attributes(folder / store.STORE)), data):
            raise store.another(folder, changed)
        fresh = True
        listener.note(f"{', '.join(own)}: a problem of your own may have changed, so that all is computed anew.")
    if keep_compiled:
        machines.keep_compiled(cache_folder() / "programs")
    tree = kind.run(study, where, Place(folder, fresh, devices), listener)
    if folder is not None and machines.is_first():
        _write_products(study, tree, folder, listener)
    return tree


def study_of(data: Mapping[str, Any], where: str = "the config") -> Config:
    """What a config's plain data describes: runs of problems, comparisons, or readings.

    Raises:
        ConfigError: with every mistake in the data.
    """
    kind = kind_in(data)
    return kind.load(data, PLOTS_OF[kind.of], where)


def _names_of_problems(data: Mapping[str, Any]) -> set[str]:
    return {table["name"] for table in data.get("problem", [])}


def _write_products(study: Config, tree: xr.DataTree, folder: Path, listener: Listener) -> None:
    try:
        datasets = [child.to_dataset() for child in tree.children.values()]
        summaries = [kind_of(data).summary(data) for data in datasets]
        pd.concat(summaries, ignore_index=True).to_csv(folder / "summary.csv", index=False)
        figures = draw_all(study, tree, folder / "figures", listener)
        write_report(tree, study.source, figures, folder / "report.html")
    except OSError as error:
        raise store.StoreError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error


def draw_all(study: Config, tree: xr.DataTree, folder: Path, listener: Listener) -> dict[str, list[Path]]:
    """Draws the study's outputs of every problem that has what they show; the SVG files, by problem.

    Figures that are there from before are removed, lest they be taken for these.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in [path for end in FORMATS for path in folder.glob(f"*.{end}")]:
        old.unlink()
    kinds = kind_in(study.source).outputs
    outputs = study.outputs or [{"kind": kind, "problem": None, "options": {}} for kind in kinds]
    figures: dict[str, list[Path]] = {name: [] for name in tree.children}
    for output in outputs:
        wanted = [output["problem"]] if output["problem"] else list(tree.children)
        refused = []
        for problem in wanted:
            stem = figure_name(problem, output["kind"], output["options"])
            try:
                draw(tree, problem, output["kind"], [folder / f"{stem}.{end}" for end in FORMATS], **output["options"])
                figures[problem].append(folder / f"{stem}.svg")
            except NothingToDrawError as error:
                refused.append(str(error))
        if len(refused) == len(wanted):
            listener.note(f"no figure for {output['kind']}: {refused[0]}")
    return figures


def figure_name(problem: str, kind: str, options: Mapping[str, Any]) -> str:
    """What a figure's file is called, without its ending."""
    return "-".join([problem, kind, *map(str, options.values())])


def draw(tree: xr.DataTree, problem: str, kind: str, paths: Sequence[Path], **options: Any) -> None:
    """Draws one figure into files, whose endings say the formats; the same data gives the same PNG and SVG.

    Raises:
        NothingToDrawError: the problem's dataset lacks what the picture shows.
        InputError: a file that cannot be written, or a format that is not known.
    """
    data = tree[problem].to_dataset()
    if kind not in PLOTS_OF[kind_of(data).of]:
        holder = next(of for of, plots in PLOTS_OF.items() if kind in plots)
        raise NothingToDrawError(f"{problem}: {kind} is a picture of {holder}, which these results do not have.")
    write_figure(PLOTS[kind](data, **options), paths)


def write_figure(figure: Figure, paths: Sequence[Path]) -> None:
    """Writes a figure into files, whose endings say the formats.

    Raises:
        InputError: a file that cannot be written, or a format that is not known.
    """
    with rc_context({"svg.hashsalt": "adamlab"}):
        for path in paths:
            if not path.suffix:
                raise InputError(f"{path}: expected a file name whose ending says the format, such as .png or .svg.")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
            except (ValueError, OSError) as error:
                raise InputError(f"{path} cannot be written: {error}") from error
