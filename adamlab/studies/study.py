"""What a study is: problems, optimizers with their settings, and how long and what of it to record."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adamlab.calls import Call
from adamlab.types import Problem


@dataclass(frozen=True)
class Optimizer:
    """One optimizer of a study: a call whose symbols are swept.

    Attributes:
        key: where it stands in the config, such as "optimizer[1]".
        label: how tables and figures name it.
        template: the call; what is swept is a symbol in it.
        axes: the values of each symbol.
    """

    key: str
    label: str
    template: Call
    axes: Mapping[str, tuple[float, ...]]

    def settings(self) -> list[dict[str, float]]:
        """Every combination of the symbols' values, the last symbol fastest."""
        return [dict(zip(self.axes, values, strict=True)) for values in itertools.product(*self.axes.values())]

    def calls(self) -> list[Call]:
        """The optimizer at each of its settings, numbers written in."""
        return [self.template.with_numbers(setting) for setting in self.settings()]


@dataclass(frozen=True)
class Study:
    """A config, read and checked; `source` is its plain data."""

    name: str
    question: str
    steps: int
    seeds: tuple[int, ...]
    dtype: str
    every: int
    what: tuple[str, ...]
    problems: tuple[Problem, ...]
    optimizers: tuple[Optimizer, ...]
    outputs: tuple[Mapping[str, Any], ...]
    source: Mapping[str, Any]
