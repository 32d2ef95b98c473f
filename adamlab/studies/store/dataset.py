"""Datasets of results: dims run × step (× dim), one child a problem, settings as coordinates."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from adamlab.analysis import with_agreement
from adamlab.analysis.rows import EVALUATION, TUNING
from adamlab.errors import reason
from adamlab.problems.landscapes import has_landscape, landscape
from adamlab.studies.config.study import Study
from adamlab.studies.config.values.reserved import RUN_NAMES
from adamlab.studies.engine.recording import BY_LAYER, dims_of, layers_of
from adamlab.studies.store.blocks import Blocks
from adamlab.studies.store.files import DamageError
from adamlab.studies.store.folder import RUN_AGAIN, StoreError
from adamlab.studies.store.provenance import plain
from adamlab.studies.store.section import Section
from adamlab.types import Problem, Sampler

STAGES = (TUNING, EVALUATION)

OF_STORE = ("todo", "sections", "metadata", "left_out")
"""Attributes of a store of runs that are not of its results."""


def load_runs(path: Path) -> xr.DataTree:
    """Load a store of runs, one child a problem; what is not done is NaN, and −1 among whole numbers.

    Raises:
        StoreError: it is damaged.
    """
    try:
        return tree_of(Blocks.open(path))
    except (DamageError, OSError, LookupError, ValueError) as error:  # parts may each be whole, and not fit together
        raise StoreError(f"{path} is damaged: {reason(error, 200).rstrip('.')}. {RUN_AGAIN}") from error


def problem_metadata(study: Study, problem: Problem) -> xr.Dataset:
    """A problem's part of its dataset that no run is needed for: the recorded steps, landscape, minima and source."""
    metadata = _described(study, problem)
    return metadata.merge(landscape(problem)) if has_landscape(problem) else metadata


def is_metadata_of(metadata: xr.Dataset, study: Study, problem: Problem) -> bool:
    """Whether that is a problem's part as the study asks for it; another of its name may have been there before."""
    described = _described(study, problem)
    drawn = {"landscape", "minima", *"xy"[: len(problem.domain or ())]} if has_landscape(problem) else set()
    if {*metadata.variables} != {"step", *drawn}:
        return False
    return metadata.attrs == described.attrs and metadata.step.identical(described.step)


def _described(study: Study, problem: Problem) -> xr.Dataset:
    attributes: dict[str, Any] = {"of": "runs", "problem": problem.name, "source": problem.source}
    metrics = [metric for metric in problem.metrics if metric in study.head.record.what]
    if any(name in BY_LAYER for name in study.head.record.what):
        attributes["layers"] = layers_of(problem)
    if isinstance(problem.sample, Sampler):
        attributes["steps_per_epoch"] = problem.sample.steps_per_epoch
    attributes |= {"metrics": metrics, "text": study.texts[problem.name]}
    return xr.Dataset({}, {"step": study.recorded}, attributes)


def tree_of(blocks: Blocks) -> xr.DataTree:
    """The results in a store, a child for each problem that has sections; runs that are not done are masked."""
    attributes = {name: value for name, value in blocks.attributes.items() if name not in OF_STORE}
    problems = [name for name in attributes["problems"] if blocks.sections(name)]
    children = {f"/{name}": dataset(blocks, name, attributes["labels"]) for name in problems}
    tree = xr.DataTree.from_dict(children)
    tree.attrs.update(plain(attributes))
    return tree


def dataset(blocks: Blocks, name: str, labels: Mapping[str, str], stages: Collection[str] = STAGES) -> xr.Dataset:
    """The dataset of one problem.

    Args:
        blocks: the store.
        name: the problem.
        labels: for each optimizer's part its label, in the order of the config.
        stages: the stages whose runs are read.

    Returns:
        Variables: the recorded quantities, see `adamlab.studies.engine.recording.QUANTITIES`, `final_params`,
        `diverged_at` (−1 where all stayed finite), each run's distance from Optax's, see
        `adamlab.analysis.with_agreement`, and the `landscape` and `minima` of a problem that has them. Coordinates of a
        run: `optimizer` (its label), `spec` (the optimizer in full, with its numbers), `seed`, each number that the
        config sets, NaN for the optimizers that do not have it, `run_id`, `done` (where it is false the run's values
        are NaN), `start`, its number from 0 on, where the config gives starts, and `stage` in a study that has several.

    Raises:
        DamageError: a file is not as it was written.
    """
    sections = [
        (label, section)
        for part, label in labels.items()
        for section in blocks.sections(name, part)
        if section.stage in stages
    ]
    for _, section in sections:
        section.verify_files()  # digests take little time, and what they miss is looked for in what is read
    names, metadata = sections[0][1].names, blocks.metadata(name)
    for _, section in sections:
        section.verify({"step": metadata.sizes["step"]})
        if {*section.names} != {*names}:
            raise DamageError(f"{section.name}: it has other quantities than {sections[0][1].name}")
    places = np.concatenate([section.order() for _, section in sections])
    rows = np.argsort(places, kind="stable")
    rows = rows[places[rows] >= 0]
    done = [section.done() for _, section in sections]
    for (_, section), flags in zip(sections, done, strict=True):
        section.verify_flags(flags)
    variables = {
        quantity: (("run", *dims_of(quantity)), _runs_first(quantity, sections, done, rows)) for quantity in names
    }
    coordinates, settings = _coordinates(sections, done, rows)
    criterion = {"by": by} if (by := blocks.attributes.get("by")) else {}
    attributes = {**metadata.attrs, "settings": settings, **criterion}
    attributes.pop("text", None)
    if layers := attributes.pop("layers", None):
        coordinates["layer"] = np.array(layers, object)
    runs = xr.Dataset(variables, {"step": metadata.step, **coordinates}, attributes)
    return with_agreement(runs.merge(metadata, combine_attrs="override"))


def _runs_first(
    quantity: str, sections: Sequence[tuple[str, Section]], done: Sequence[np.ndarray], rows: np.ndarray
) -> np.ndarray:
    values = [section.read(quantity, marks) for (_, section), marks in zip(sections, done, strict=True)]
    joined = np.concatenate(values, axis=-1)
    in_order = joined if np.array_equal(rows, np.arange(joined.shape[-1])) else joined[..., rows]
    return np.moveaxis(in_order, -1, 0)


def _coordinates(
    sections: Sequence[tuple[str, Section]], done: Sequence[np.ndarray], rows: np.ndarray
) -> tuple[dict[str, Any], list[str]]:
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("optimizer", "spec", "seed", "run_id", "done")}
    starts, stages, numbers = [], [], []
    for (label, section), marks in zip(sections, done, strict=True):
        (specs, own), which = section.settings(), section.column("setting")
        columns["optimizer"].append(np.full(len(which), label, object))
        columns["spec"].append(specs[which])
        columns["seed"].append(section.column("seed").astype(np.int64))
        columns["run_id"].append(np.array([f"{i:016x}" for i in section.column("run_id").tolist()], object))
        columns["done"].append(np.repeat(marks, section.block)[: len(which)])
        starts.append(section.starts())
        stages.append(np.full(len(which), section.stage, object))
        numbers.append({_setting(name): values[which] for name, values in own.items()})
    names = list(dict.fromkeys(name for own in numbers for name in own))
    for name in names:
        columns[name] = [own.get(name, np.full(len(start), np.nan)) for own, start in zip(numbers, starts, strict=True)]
    if any((start >= 0).any() for start in starts):
        columns["start"] = starts
    if len({*np.concatenate(stages)[rows]}) > 1:
        columns["stage"] = stages
    return {name: ("run", np.concatenate(parts)[rows]) for name, parts in columns.items()}, names


def _setting(argument: str) -> str:
    """The coordinate of an argument: its name, unless that is reserved (optax.noisy_sgd has a seed of its own)."""
    return f"argument.{argument}" if argument in RUN_NAMES else argument
