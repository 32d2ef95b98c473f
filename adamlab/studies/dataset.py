"""The runs of a store become one labelled dataset a problem: dims run × step (× dim), settings as coordinates."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from adamlab.analysis import with_agreement
from adamlab.problems.landscapes import has_landscape, landscape
from adamlab.studies.blocks import Blocks, Section, dims_of
from adamlab.studies.study import Study
from adamlab.types import Problem

TAKEN = (
    {"run", "step", "dim", "parameter", "optimizer", "spec", "seed", "problem", "steps", "x", "y", "diverged"}
    | {"run_id", "done", "stage", "start"}
)  # fmt: skip
"""Names that an optimizer's argument cannot have among the coordinates."""


def about(study: Study, problem: Problem) -> xr.Dataset:
    """What is known of a problem before it is run: the recorded steps, its landscape and minima, its source."""
    attributes = {"of": "runs", "problem": problem.name, "source": problem.source}
    metrics = [metric for metric in problem.metrics if metric in study.what]
    known = xr.Dataset({}, {"step": study.recorded}, {**attributes, "metrics": metrics})
    return known.merge(landscape(problem)) if has_landscape(problem) else known


def tree_of(blocks: Blocks) -> xr.DataTree:
    """The results that a store holds, a child for each problem that was begun, masked where they are not done."""
    attributes = {name: value for name, value in blocks.attributes.items() if name != "todo"}
    begun = [name for name in attributes["problems"] if blocks.sections(name)]
    children = {f"/{name}": dataset(blocks, name, attributes["labels"]) for name in begun}
    tree = xr.DataTree.from_dict(children)
    tree.attrs.update(attributes)
    return tree


def dataset(blocks: Blocks, name: str, labels: Mapping[str, str]) -> xr.Dataset:
    """The dataset of one problem.

    Args:
        blocks: the store.
        name: the problem.
        labels: for each optimizer's part its label, in the order of the config.

    Returns:
        Variables: what was recorded, see `adamlab.studies.quantities.QUANTITIES`, `final_params`, `diverged_at` (−1
        where all stayed finite), how far each run is from Optax's, see `adamlab.analysis.with_agreement`, and the
        `landscape` and `minima` of a problem that has them. Coordinates of a run: `optimizer` (its label), `spec` (the
        optimizer in full, with its numbers), `seed`, each number that the config sets, NaN for the optimizers that do
        not have it, `run_id`, `done` (where it is false the run's values are NaN), and `start` and `stage` in a study
        that has several.

    Raises:
        DamageError: a block that is done cannot be read.
    """
    known = blocks.about(name)
    sections = [(label, section) for part, label in labels.items() for section in blocks.sections(name, part)]
    places = np.concatenate([section.column("order") for _, section in sections])
    rows = np.argsort(places, kind="stable")
    rows = rows[places[rows] >= 0]
    done = [section.done() for _, section in sections]
    variables = {
        quantity: (("run", *dims_of(quantity)), _runs_first(quantity, sections, done, rows))
        for quantity in sections[0][1].names
    }
    coordinates, settings = _coordinates(blocks, sections, done, rows)
    judged = {"by": by} if (by := blocks.attributes.get("by")) else {}
    attributes = {**known.attrs, "settings": settings, **judged}
    made = xr.Dataset(variables, {"step": known.step, **coordinates}, attributes)
    return with_agreement(made.merge(known, combine_attrs="override"))


def _runs_first(
    quantity: str, sections: Sequence[tuple[str, Section]], done: Sequence[np.ndarray], rows: np.ndarray
) -> np.ndarray:
    values = [section.read(quantity, marks) for (_, section), marks in zip(sections, done, strict=True)]
    joined = np.concatenate(values, axis=-1)
    in_order = joined if np.array_equal(rows, np.arange(joined.shape[-1])) else joined[..., rows]
    return np.moveaxis(in_order, -1, 0)


def _coordinates(
    blocks: Blocks, sections: Sequence[tuple[str, Section]], done: Sequence[np.ndarray], rows: np.ndarray
) -> tuple[dict[str, Any], list[str]]:
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("optimizer", "spec", "seed", "run_id", "done")}
    starts, stages, numbers = [], [], []
    for (label, section), marks in zip(sections, done, strict=True):
        settings, which = blocks.settings(section), section.column("setting")
        columns["optimizer"].append(np.full(len(which), label, object))
        columns["spec"].append(settings.spec.values.astype(object)[which])
        columns["seed"].append(section.column("seed").astype(np.int64))
        columns["run_id"].append(np.array([f"{i:016x}" for i in section.column("run_id").tolist()], object))
        columns["done"].append(np.repeat(marks, section.block)[: len(which)])
        starts.append(section.column("start"))
        stages.append(np.full(len(which), section.stage, object))
        numbers.append({_setting(str(name)): settings[name].values[which] for name in settings.data_vars})
    names = list(dict.fromkeys(name for one in numbers for name in one))
    for name in names:
        columns[name] = [one.get(name, np.full(len(start), np.nan)) for one, start in zip(numbers, starts, strict=True)]
    if any((start >= 0).any() for start in starts):
        columns["start"] = starts
    if len({*np.concatenate(stages)[rows]}) > 1:
        columns["stage"] = stages
    return {name: ("run", np.concatenate(parts)[rows]) for name, parts in columns.items()}, names


def _setting(argument: str) -> str:
    """The coordinate's name: the argument's, unless that is taken (optax.noisy_sgd has a seed of its own)."""
    return f"argument.{argument}" if argument in TAKEN else argument
