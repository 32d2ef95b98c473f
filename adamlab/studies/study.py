"""What a study is: problems, optimizers with their settings, and how long and what of it to record."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np

from adamlab.calls import Call, Symbol
from adamlab.types import Problem


@dataclass(frozen=True)
class Optimizer:
    """One optimizer of a study: a call whose symbols are swept.

    Attributes:
        key: where it stands in the config, such as "optimizer[1]".
        label: how tables and figures name it.
        template: the call; what is swept is a symbol in it.
        columns: for each symbol, its value in every setting.
    """

    key: str
    label: str
    template: Call
    columns: Mapping[str, np.ndarray]

    @cached_property
    def count(self) -> int:
        """The number of settings; 1 where nothing is swept."""
        return len(next(iter(self.columns.values()), [None]))

    def specs(self) -> list[str]:
        """The optimizer at each of its settings, numbers written in."""
        marked = {name: Symbol(f"\0{name}\0") for name in self.columns}
        parts = str(self.template.with_numbers(marked)).split("\0")  # what stands between is the name of a symbol
        whole = {s.name for s, argument in self.template.symbols() if argument.is_whole}
        columns = {name: _written(column, name in whole) for name, column in self.columns.items()}
        rows = zip(*(columns[part] if i % 2 else repeat(part, self.count) for i, part in enumerate(parts)), strict=True)
        return ["".join(row) for row in rows]

    def numbers(self) -> dict[str, np.ndarray]:
        """Every number that it is given, swept or not, at each of its settings; named as by `Call.numbers`."""
        given = self.template.numeric().items()
        return {
            name: self.columns[number.name] if isinstance(number, Symbol) else np.full(self.count, float(number))
            for name, number in given
        }


@dataclass(frozen=True)
class Evaluation:
    """The second stage: the best setting of each optimizer is run anew.

    Attributes:
        seeds: fresh ones.
        by: what the best is judged by, such as "final_loss".
    """

    seeds: tuple[int, ...]
    by: str


@dataclass(frozen=True)
class Study:
    """A config, read and checked.

    Attributes:
        name: of the study.
        question: that it is to answer.
        steps: how many each run takes.
        seeds: one run of each setting for each.
        dtype: "float32" or "float64".
        recorded: the steps after which something is recorded, from 0 (the start) to the last.
        what: names of what is recorded.
        target: the loss that "steps_to_target" is about.
        problems: what is minimized.
        texts: each problem as it was asked for, with its options, by its name.
        starts: the points that runs start from, a row each, by the problem's name; a problem without starts by itself.
        optimizers: with their settings.
        evaluation: the second stage; None where there is none.
        outputs: the pictures to be drawn.
        source: the config's plain data.
    """

    name: str
    question: str
    steps: int
    seeds: tuple[int, ...]
    dtype: str
    recorded: np.ndarray
    what: tuple[str, ...]
    target: float | None
    problems: tuple[Problem, ...]
    texts: Mapping[str, str]
    starts: Mapping[str, np.ndarray]
    optimizers: tuple[Optimizer, ...]
    evaluation: Evaluation | None
    outputs: tuple[Mapping[str, Any], ...]
    source: Mapping[str, Any]


def recorded_steps(steps: int, every: int | Mapping[str, int]) -> np.ndarray:
    """The steps after which something is recorded: 0 (the start), every k-th, and the last.

    With {"log": n} in place of k, about n steps, each as many times the one before, as far as these are whole numbers.
    """
    if isinstance(every, Mapping):
        chosen = np.unique(np.rint(np.geomspace(1, steps, every["log"])))
        return np.unique([0, *chosen, steps]).astype(np.int32)
    return np.append(np.arange(0, steps, every), steps).astype(np.int32)


def _written(column: np.ndarray, whole: bool) -> list[str]:
    numbers = column.tolist()
    return [str(int(x)) if x.is_integer() else str(x) for x in numbers] if whole else [*map(str, numbers)]
