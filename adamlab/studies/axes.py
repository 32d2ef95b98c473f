"""The values that a config gives arguments: a number, a list, a range, or a schedule made of such."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adamlab.calls import Argument, Symbol, arguments, call
from adamlab.errors import nearest
from adamlab.schedules import SCHEDULES
from adamlab.studies.mistakes import Mistakes, join, shown

RANGES: Mapping[str, Callable[[float, float, int], np.ndarray]] = {"log": np.geomspace, "linear": np.linspace}
MOST = 10**6


@dataclass(frozen=True)
class Axis:
    """What stands for one argument: forms that are compiled in, and the values of the symbols in them.

    Attributes:
        forms: literals, a symbol, or calls of schedules; each form is a program of its own.
        values: the numbers of each symbol.
    """

    forms: list[Any]
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def read_arguments(
    known: Mapping[str, Argument], table: Mapping[str, Any], key: str, mistakes: Mistakes, *, swept: bool
) -> dict[str, Axis]:
    """Reads a table whose keys name arguments.

    Args:
        known: the arguments there are.
        table: plain data, as TOML gives it.
        key: where the table stands, for messages.
        mistakes: takes what is wrong.
        swept: whether an argument can have several values.

    Returns:
        What stands for each argument that the table gives rightly.
    """
    for name in table.keys() - known.keys():
        mistakes.tell(join(key, name), f"there is no such key; {nearest(name, known)}")
    for name, argument in known.items():
        if argument.required and name not in table:
            mistakes.tell(join(key, name), "is missing")
    read = {
        name: _Reader(known[name], swept).read(name, table[name], join(key, name), mistakes)
        for name in table
        if name in known
    }
    return {name: axis for name, axis in read.items() if axis is not None}


@dataclass(frozen=True)
class _Reader:
    """Reads the values of one argument; each method adds to the mistakes and gives None where it cannot."""

    argument: Argument
    swept: bool

    @property
    def is_number(self) -> bool:
        return self.argument.kind in ("number", "decay")

    def read(self, symbol: str, value: Any, key: str, mistakes: Mistakes) -> Axis | None:
        if isinstance(value, Mapping) and "schedule" in value and self.argument.schedule:
            return self._schedule(symbol, value, key, mistakes)
        problem, values = self._values(value)
        if problem is None and any(not self._fits(one) for one in values):
            problem = self.expected()
        literals = [self._literal(one) for one in values] if problem is None else []
        if len(set(literals)) < len(literals):
            problem = "values that differ"
        if problem is not None:
            mistakes.tell(key, f"expected {problem}; got {shown(value)}")
            return None
        if self.is_number and len(literals) > 1:
            return Axis([Symbol(symbol)], {symbol: tuple(literals)})
        return Axis(literals)

    def expected(self) -> str:
        """What can stand here, in words."""
        words = self.argument.expects().removesuffix(" or a schedule")
        if self.swept and self.is_number:
            words += ", a list of numbers, { log = [low, high, count] }, { linear = [low, high, count] }"
        elif self.swept and self.argument.kind != "other":
            words += ", or a list of such"
        return words + (', { schedule = "inverse_sqrt", init = 0.1 }' if self.argument.schedule else "")

    def _fits(self, value: Any) -> bool:
        return not isinstance(value, (Mapping, list)) and self.argument.accepts(value)

    def _literal(self, value: Any) -> Any:
        whole = type(value) is int and type(self.argument.default) is int  # a count that Optax annotates as a number
        return float(value) if self.is_number and not whole else value

    def _values(self, value: Any) -> tuple[str | None, list[Any]]:
        """What is wrong with the form of the value, if anything, and the values it stands for."""
        if isinstance(value, list):
            return (None, value) if value and self.swept else (self.expected(), [])
        if isinstance(value, Mapping) and self.is_number and self.swept:
            if len(value) != 1 or not value.keys() <= RANGES.keys():
                return self.expected(), []
            ((kind, bounds),) = value.items()
            problem = _wrong_bounds(kind, bounds)
            return (problem, []) if problem else (None, _points(kind, *bounds))
        return None, [value]

    def _schedule(self, symbol: str, table: Mapping[str, Any], key: str, mistakes: Mistakes) -> Axis | None:
        name = table["schedule"]
        if not isinstance(name, str) or name not in SCHEDULES:
            mistakes.tell(join(key, "schedule"), f"there is no schedule {shown(name)}; {nearest(str(name), SCHEDULES)}")
            return None
        before = len(mistakes)
        given = {argument: value for argument, value in table.items() if argument != "schedule"}
        axes = read_arguments(arguments(SCHEDULES[name]), given, key, mistakes, swept=self.swept)
        for argument, axis in axes.items():
            if len(axis.forms) > 1:
                mistakes.tell(join(key, argument), "cannot be swept, since it is compiled in; give one value")
        if len(mistakes) > before:
            return None
        values = {
            f"{symbol}.{argument}": numbers for argument, axis in axes.items() for numbers in axis.values.values()
        }
        forms = {a: Symbol(f"{symbol}.{a}") if axis.values else axis.forms[0] for a, axis in axes.items()}
        return Axis([call(name, SCHEDULES[name], forms)], values)


def _wrong_bounds(kind: str, bounds: Any) -> str | None:
    form = f"{kind} = [low, high, count]"
    if not isinstance(bounds, list) or len(bounds) != 3 or any(type(bound) not in (int, float) for bound in bounds):
        return form
    low, high, count = bounds
    if type(count) is not int or not 1 <= count <= MOST:
        return f"{form} with a whole count from 1 to {MOST:,}"
    if not (-1e308 < low < 1e308 and -1e308 < high < 1e308):
        return f"{form} with finite bounds"
    if low >= high and count > 1:
        return f"{form} with low < high"
    return f"{form} with low > 0" if kind == "log" and low <= 0 else None


def _points(kind: str, low: float, high: float, count: int) -> list[float]:
    # To 15 digits, so that a decade's points read as they are meant: 0.01, not 0.010000000000000002.
    points = [float(f"{point:.15g}") for point in RANGES[kind](low, high, count)]
    return [float(low), *points[1:-1], float(high)] if count > 1 else [float(low)]
