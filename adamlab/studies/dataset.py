"""What the engine computed becomes one labelled dataset a problem: dims run × step (× dim), settings as coordinates."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from adamlab.problems.landscapes import has_landscape, landscape
from adamlab.studies.engine import Runs, recorded_steps
from adamlab.studies.study import Optimizer, Study
from adamlab.types import Problem

TAKEN = ("run", "step", "dim", "parameter", "optimizer", "spec", "seed", "problem", "steps", "x", "y", "diverged")
"""Names that an optimizer's argument cannot have among the coordinates."""

DIMS = {"params": ("run", "step", "dim"), "final_params": ("run", "parameter"), "diverged_at": ("run",)}


def plan(optimizer: Optimizer, seeds: Sequence[int]) -> Runs:
    """Every setting of an optimizer with every seed."""
    rows = [(setting, seed) for setting in optimizer.settings() for seed in seeds]
    numbers = {symbol: np.array([setting[symbol] for setting, _ in rows]) for symbol in optimizer.axes}
    return Runs(optimizer.template, numbers, np.array([seed for _, seed in rows], np.uint32))


def dataset(study: Study, problem: Problem, computed: Sequence[Mapping[str, np.ndarray]]) -> xr.Dataset:
    """The dataset of one problem.

    Args:
        study: the study.
        problem: the problem.
        computed: what the engine made of each of the study's optimizers, in their order.

    Returns:
        Variables: what was recorded, `final_params`, `diverged_at` (−1 where all stayed finite), and the `landscape`
        and `minima` of a problem that has them, see `adamlab.problems.landscape`. Coordinates of a run: `optimizer`
        (its label), `spec` (the optimizer in full, with its numbers), `seed`, and each number that the config sets, NaN
        for the optimizers that do not have it.
    """
    runs = [
        (optimizer.label, call, seed)
        for optimizer in study.optimizers
        for call in optimizer.calls()
        for seed in study.seeds
    ]
    variables = {
        name: (DIMS.get(name, ("run", "step")), np.concatenate([one[name] for one in computed])) for name in computed[0]
    }
    numbers = [{_setting(name): number for name, number in call.numbers().items()} for _, call, _ in runs]
    names = list(dict.fromkeys(name for one in numbers for name in one))
    coordinates = {
        "step": recorded_steps(study.steps, study.every),
        "optimizer": ("run", np.array([label for label, _, _ in runs], object)),
        "spec": ("run", np.array([str(call) for _, call, _ in runs], object)),
        "seed": ("run", np.array([seed for _, _, seed in runs], np.int64)),
    } | {name: ("run", np.array([one.get(name, np.nan) for one in numbers])) for name in names}
    attributes = {
        "of": "runs",
        "problem": problem.name,
        "source": problem.source,
        "settings": names,
        "metrics": [metric for metric in problem.metrics if metric in variables],
    }
    made = xr.Dataset(variables, coordinates, attributes)
    return made.merge(landscape(problem)) if has_landscape(problem) else made


def _setting(argument: str) -> str:
    """The coordinate's name: the argument's, unless that is taken (optax.noisy_sgd has a seed of its own)."""
    return f"argument.{argument}" if argument in TAKEN else argument
