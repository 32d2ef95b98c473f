"""Studies: problems, optimizers with their settings, and the keys that say how long to run and what to record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np

from adamlab.calls import Call, Symbol
from adamlab.own import digest_of
from adamlab.specs import own_code
from adamlab.studies.config.schema import Head, RunsHead
from adamlab.studies.engine.recording import Recording, recorded_steps
from adamlab.types import Decay, Problem, one_minus_each


@dataclass(frozen=True)
class Optimizer:
    """An optimizer of a study: a call whose symbols are swept.

    Attributes:
        key: its place in the config, such as "optimizer[1]".
        label: its name in tables and figures.
        template: the call; a swept number is a symbol in it.
        columns: for each symbol, its value in every setting; 1 − b of one that stands for a decay by its complement.
        others: the numbers that these were computed from and that are no arguments, by name, in every setting.
    """

    key: str
    label: str
    template: Call
    columns: Mapping[str, np.ndarray]
    others: Mapping[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def count(self) -> int:
        """The number of settings; 1 where nothing is swept."""
        return len(next(iter(self.columns.values()), [None]))

    def specs(self) -> list[str]:
        """The optimizer at each of its settings, numbers written in."""
        marked = {s.name: replace(s, name=f"\0{s.name}\0") for s, _ in self.template.symbols()}
        parts = str(self.template.with_numbers(marked)).split("\0")  # every second part is the name of a symbol
        whole = {s.name for s, argument in self.template.symbols() if argument.is_whole}
        columns = {name: _written(column, name in whole) for name, column in self.columns.items()}
        rows = zip(*(columns[part] if i % 2 else repeat(part, self.count) for i, part in enumerate(parts)), strict=True)
        return ["".join(row) for row in rows]

    def numbers(self) -> dict[str, np.ndarray]:
        """Its numbers, swept or not, at each of its settings; named as by `Call.numbers`.

        A decay b that is given by its complement brings that too, as "1-b". Those it was computed from come last.
        """
        numbers: dict[str, np.ndarray] = {}
        for name, number in self.template.numeric().items():
            given = number.complement if isinstance(number, Decay) else number
            column = self.columns[given.name] if isinstance(given, Symbol) else np.full(self.count, float(given))
            if isinstance(number, Decay) or (isinstance(number, Symbol) and number.complement):
                numbers |= {name: one_minus_each(column), f"1-{name}": column}
            else:
                numbers[name] = column
        return numbers | {name: column for name, column in self.others.items() if name not in numbers}


@dataclass(frozen=True)
class Evaluation:
    """The second stage: the best setting of each optimizer on fresh seeds.

    Attributes:
        seeds: the fresh seeds.
        by: the criterion of the best setting, such as "final_loss".
    """

    seeds: tuple[int, ...]
    by: str


@dataclass(frozen=True)
class Config:
    """A config of any kind, read and checked.

    Attributes:
        head: its keys beside tables.
        outputs: the pictures to draw.
        source: its plain data.
    """

    head: Head
    outputs: tuple[Mapping[str, Any], ...]
    source: Mapping[str, Any]

    @cached_property
    def own_code(self) -> Mapping[str, str]:
        """The digest of the code behind everything in it that is the user's own, as "optimizer mine.cautious"."""
        return {name: digest for call in self.calls() for name, digest in own_code(call).items()}

    def calls(self) -> Iterable[Call]:
        """Every optimizer in it."""
        raise NotImplementedError


@dataclass(frozen=True)
class Study(Config):
    """A config of runs, read and checked.

    Attributes:
        problems: the problems.
        texts: each problem as it was asked for, with its options, by its name.
        starts: the points that runs start from, a row each, by the problem's name; a problem without starts by itself.
        optimizers: the optimizers with their settings.
        evaluation: the second stage; None where there is none.
    """

    head: RunsHead
    problems: tuple[Problem, ...]
    texts: Mapping[str, str]
    starts: Mapping[str, np.ndarray]
    optimizers: tuple[Optimizer, ...]
    evaluation: Evaluation | None

    @property
    def by(self) -> str | None:
        """The criterion of the best setting; None leaves it to the analysis."""
        return self.head.by if self.evaluation is None else self.evaluation.by

    def calls(self) -> Iterable[Call]:
        """Every optimizer in it."""
        return (optimizer.template for optimizer in self.optimizers)

    @cached_property
    def own_code(self) -> Mapping[str, str]:
        """As of every config, and of its problems, as "problem bowl"."""
        problems = [self.own_problem(problem) for problem in self.problems]
        return {name: digest for own in (*problems, *map(own_code, self.calls())) for name, digest in own.items()}

    def own_problem(self, problem: Problem) -> dict[str, str]:
        """The digest of the code behind a problem of the user's; empty for adamlab's."""
        name = self.texts[problem.name].partition("(")[0]
        digest = digest_of("problem", name)
        return {f"problem {name}": digest} if digest else {}

    @cached_property
    def recorded(self) -> np.ndarray:
        """The steps after which quantities are recorded, from 0 (the start) to the last."""
        return recorded_steps(self.head.steps, self.head.record.every)

    @cached_property
    def recording(self) -> Recording:
        """The recorded steps and quantities, as the engine takes them."""
        record = self.head.record
        return Recording(self.recorded, tuple(record.what), record.target, record.costly_every)


def _written(column: np.ndarray, whole: bool) -> list[str]:
    numbers = column.tolist()
    return [str(int(x)) if x.is_integer() else str(x) for x in numbers] if whole else [*map(str, numbers)]
