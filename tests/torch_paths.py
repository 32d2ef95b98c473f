"""The paths of PyTorch's optimizers, recorded so that recipes are tested where PyTorch is not installed.

python -m tests.torch_paths writes them anew, where it is.
"""

import inspect
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from adamlab.recipes import HOW, RECIPES

FILE = Path(__file__).with_suffix(".json")

STEPS = 60
START = np.array([1.0, -2.0, 0.5, 0.3, -0.7, 0.02])
KEPT = [1, 2, 3, 20, 21, 40, 41, 60]
"""The steps whose parameters are recorded: the first ones, the last, and those where columns of gradients change."""

Arguments = dict[str, Any]

CASES: list[tuple[str, Arguments]] = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.9}),
    ("SGD", {"lr": 0.1, "dampening": 0.5}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.05, "eps": 1e-2}),
    ("Adagrad", {"initial_accumulator_value": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.9, "eps": 1e-3, "momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.8, "weight_decay": 0.1, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.95, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adam", {"amsgrad": True}),
    ("Adam", {"amsgrad": True, "betas": (0.8, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"betas": (0.8, 0.95), "eps": 1e-3, "momentum_decay": 0.5, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"momentum_decay": 0.0, "weight_decay": 0.1, "decoupled_weight_decay": True}),
]
"""Names and arguments of PyTorch's optimizers: every argument of each, and its defaults."""

SCHEDULED: list[tuple[str, Arguments]] = [
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.9, "centered": True}),
    ("Adadelta", {"lr": 1.0}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.1}),
    ("NAdam", {"lr": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.1}),
]
"""The same with the learning rate times `factor`, by LambdaLR."""


def factor(count):
    return 1 / (1 + 0.5 * count)


def gradients() -> np.ndarray:
    """(STEPS, 6): scales from 1e-3 to 10, flipping signs, a column that starts with exact zeros, one that ends so."""
    rng = np.random.default_rng(20150507)
    drawn = rng.normal(size=(STEPS, len(START))) * np.array([1e-3, 1e-2, 0.1, 1.0, 10.0, 1.0])
    drawn[:, 3] = np.abs(drawn[:, 3]) * np.where(np.arange(STEPS) % 2, -1.0, 1.0)
    drawn[:20, 4] = drawn[40:, 5] = 0.0
    return drawn


def torch_path(torch: Any, name: str, arguments: Arguments, scheduled: bool = False) -> np.ndarray:
    """The parameters after each step, by PyTorch itself."""
    param = torch.nn.Parameter(torch.tensor(START))
    optimizer = getattr(torch.optim, name)([param], **arguments)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor if scheduled else lambda count: 1.0)
    path = []
    for g in gradients():
        param.grad = torch.tensor(g)
        optimizer.step()
        scheduler.step()
        path.append(param.detach().numpy().copy())
    return np.stack(path)


def defaults(optimizer: Callable[..., Any]) -> Arguments:
    """The arguments of one of PyTorch's optimizers with their defaults, but for those on how a step is computed."""
    parameters = inspect.signature(optimizer).parameters
    return {name: p.default for name, p in parameters.items() if name not in ("params", *HOW)}


def key(name: str, arguments: Arguments, scheduled: bool = False) -> str:
    return f"{name}({', '.join(f'{k}={v}' for k, v in arguments.items())}){' scheduled' if scheduled else ''}"


def made_by(torch: Any) -> dict[str, Any]:
    """The record: of each case the parameters at some steps and the lengths of the path, and all defaults."""
    cases = [*((*case, False) for case in CASES), *((*case, True) for case in SCHEDULED)]
    paths = {key(*case): torch_path(torch, *case) for case in cases}
    lengths = {name: np.abs(np.diff(np.vstack([START, path]), axis=0)).sum(axis=0) for name, path in paths.items()}
    return {
        "paths": {name: path[np.array(KEPT) - 1].tolist() for name, path in paths.items()},
        "lengths": {name: each.tolist() for name, each in lengths.items()},
        "defaults": {name: defaults(getattr(torch.optim, name)) for name in RECIPES},
    }


def recorded() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    torch = import_module("torch")
    torch.set_default_dtype(torch.float64)
    text = json.dumps(made_by(torch)).replace("], ", "],\n").replace("}, ", "},\n")
    FILE.write_text(text + "\n", encoding="utf-8")
