"""Figures in files: drawn from results, one file a format; the same data gives the same PNG and SVG."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib import rc_context
from matplotlib.figure import Figure

from adamlab.errors import InputError
from adamlab.files import replacing
from adamlab.plots import FILMS, PLOTS, PLOTS_OF, NothingToDrawError
from adamlab.plots.picture import lay_out
from adamlab.plots.updates.films import MOVING, Advance, write_film

FORMATS = ("png", "svg")

FILM_FORMATS = ("png", "gif")
"""Of a film, whose PNG is its last frame."""

SAVING: dict[str, dict[str, Any]] = {
    ".svg": {"metadata": {"Date": None}},  # so that the same data gives the same file
    ".png": {"pil_kwargs": {"compress_level": 3}},  # a tenth larger than at 6, in a third of the time
}
"""What `Figure.savefig` is told, by the ending of the file."""

COMMANDS = {
    "problem": "adamlab plot PROBLEM {kind}",
    "stability": "adamlab stability SPEC --plot {kind}",
    "influence": "adamlab influence SPEC --plot {kind}",
}
"""The commands that draw pictures of what is no result, by what they are of."""

LONGEST_STEM = 200
"""The most bytes of a file's name without its ending; names have at most 255."""


@dataclass(frozen=True)
class Drawing:
    """A figure that was written.

    Attributes:
        path: the file that a report shows.
        kind: the plot.
        caption: the sentence that says what it shows; empty where its plot gives none.
    """

    path: Path
    kind: str
    caption: str


def draw_outputs(
    tree: xr.DataTree, outputs: Sequence[Mapping[str, Any]], folder: Path
) -> tuple[dict[str, list[Drawing]], list[str]]:
    """Draw outputs for every problem that has what they show.

    Old figures are removed first, so that the folder shows only this run's.

    Args:
        tree: the results, a child a problem.
        outputs: each with its `kind`, its `problem` (None: each that can be drawn) and its `options`.
        folder: the folder of the figures.

    Returns:
        The drawings, by problem, each with its SVG file, or a film's GIF; and a note for each output that no problem
        has the data for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in drawn_in(folder):
        old.unlink()
    figures: dict[str, list[Drawing]] = {name: [] for name in tree.children}
    notes = []
    for output in outputs:
        problems = [output["problem"]] if output["problem"] else list(tree.children)
        refused = []
        for problem in problems:
            stem = figure_name(problem, output["kind"], output["options"])
            try:
                figure = picture(tree, problem, output["kind"], **output["options"])
            except InputError as error:
                refused.append(str(error))
                continue
            formats = FILM_FORMATS if output["kind"] in FILMS else FORMATS
            paths = [folder / f"{stem}.{form}" for form in formats]
            write_figure(figure, paths)
            figures[problem].append(Drawing(paths[-1], output["kind"], str(figure.get_label())))
        if len(refused) == len(problems):
            notes.append(f"no figure for {output['kind']}: {refused[0]}")
    return figures, notes


def drawn_in(folder: Path) -> list[Path]:
    """The files of figures in a folder."""
    return sorted(path for form in {*FORMATS, *FILM_FORMATS} for path in folder.glob(f"*.{form}"))


def figure_name(problem: str, kind: str, options: Mapping[str, Any]) -> str:
    """The name of a figure's file, without its ending."""
    values = {key: "-".join(value) if isinstance(value, tuple) else value for key, value in options.items()}
    name = re.sub(r"[^\w.=-]", "_", "-".join([problem, kind, *(f"{key}={value}" for key, value in values.items())]))
    if len(name.encode()) <= LONGEST_STEM:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: LONGEST_STEM - 9].decode(errors='ignore')}-{digest}"


def draw(
    tree: xr.DataTree, problem: str, kind: str, paths: Sequence[Path], advance: Advance | None = None, **options: Any
) -> None:
    """Draw a figure into files, whose endings give the formats; see `write_figure`.

    Raises:
        NothingToDrawError: the problem's dataset lacks what the picture shows.
        InputError: a file cannot be written, or its format is not known.
    """
    write_figure(picture(tree, problem, kind, **options), paths, advance)


def picture(tree: xr.DataTree, problem: str, kind: str, **options: Any) -> Figure:
    """A plot of one of the datasets.

    Raises:
        NothingToDrawError: the problem's dataset lacks what the picture shows.
    """
    data = tree[problem].to_dataset()
    if kind not in PLOTS_OF[data.attrs.get("of", "runs")]:
        holder = next(of for of, plots in PLOTS_OF.items() if kind in plots)
        command = COMMANDS.get(holder)
        hint = f"; draw it with: {command.format(kind=kind)}" if command else ""
        article = "a " if holder == "problem" else ""
        raise NothingToDrawError(f"{problem}: {kind} is a picture of {article}{holder}, not of these results{hint}.")
    return PLOTS[kind](data, **options)


def svg(figure: Figure) -> bytes:
    """A figure as SVG."""
    lay_out(figure)
    written = BytesIO()
    with rc_context({"svg.hashsalt": "adamlab"}):
        figure.savefig(written, format="svg", **SAVING[".svg"])
    return written.getvalue()


def write_figure(figure: Figure, paths: Sequence[Path], advance: Advance | None = None) -> None:
    """Write a figure into files, whose endings give the formats; `advance` is told of the frames of a film.

    Raises:
        InputError: a file cannot be written, or its format is not known.
    """
    for path in paths:
        if not path.suffix:
            raise InputError(f"{path}: expected a file name whose ending says the format, such as .png or .svg.")
    lay_out(figure)
    with rc_context({"svg.hashsalt": "adamlab"}):
        for path in paths:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing(path) as new:
                    if path.suffix in MOVING:
                        write_film(figure, new, advance)
                    else:
                        figure.savefig(new, **SAVING.get(path.suffix, {}))
            except (ValueError, OSError) as error:
                raise InputError(f"{path} cannot be written: {error}") from error
