"""The values that a config gives one argument: a number, a list, a range, or a schedule made of such."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adamlab.schedules import SCHEDULES
from adamlab.specs import Argument, Call, Symbol, arguments, call, nearest
from adamlab.studies.mistakes import shown

RANGES: Mapping[str, Callable[[float, float, int], np.ndarray]] = {"log": np.geomspace, "linear": np.linspace}


@dataclass(frozen=True)
class Axis:
    """What stands for one argument: forms that are compiled in, and the values of the symbols in them.

    Attributes:
        forms: literals, a symbol, or calls of schedules; each form is a program of its own.
        values: the numbers of each symbol.
    """

    forms: tuple[Any, ...]
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def read_axis(symbol: str, argument: Argument, value: Any) -> Axis:
    """Reads what a config gives an argument.

    Args:
        symbol: what the argument's number is called where it is swept.
        argument: the argument.
        value: plain data, as TOML gives it.

    Raises:
        ValueError: the argument cannot take that; says what it can.
    """
    if isinstance(value, Mapping) and "schedule" in value:
        return _schedule(symbol, argument, value)
    if isinstance(value, Mapping):
        return _swept(symbol, argument, _range(value, argument))
    if isinstance(value, list):
        return _swept(symbol, argument, _distinct(value, argument))
    return Axis((_literal(argument, value),))


def _literal(argument: Argument, value: Any) -> Any:
    if isinstance(value, (Symbol, Call)) or not argument.accepts(value):
        raise ValueError(f"expected {expected(argument)}")
    return float(value) if argument.kind in ("number", "decay") else value


def expected(argument: Argument) -> str:
    """What a config can give the argument, in words."""
    if argument.kind in ("number", "decay"):
        form = "{ log = [low, high, count] }, { linear = [low, high, count] }"
        schedule = ', { schedule = "inverse_sqrt", init = 0.1 }' if argument.schedule else ""
        return f"{argument.expects().removesuffix(' or a schedule')}, a list of numbers, {form}{schedule}"
    return argument.expects() + ("" if argument.kind == "other" else ", or a list of such")


def _swept(symbol: str, argument: Argument, values: list[Any]) -> Axis:
    literals = [_literal(argument, value) for value in values]
    if argument.kind not in ("number", "decay"):
        return Axis(tuple(literals))
    if len(literals) == 1:
        return Axis((literals[0],))
    return Axis((Symbol(symbol),), {symbol: tuple(literals)})


def _distinct(values: list[Any], argument: Argument) -> list[Any]:
    if not values:
        raise ValueError(f"the list is empty; expected {expected(argument)}")
    twice = [value for i, value in enumerate(values) if value in values[:i]]
    if twice:
        raise ValueError(f"{shown(twice[0])} is given twice")
    return values


def _range(value: Mapping[str, Any], argument: Argument) -> list[float]:
    if argument.kind not in ("number", "decay") or len(value) != 1 or not value.keys() <= RANGES.keys():
        raise ValueError(f"expected {expected(argument)}")
    ((kind, bounds),) = value.items()
    numbers = isinstance(bounds, list) and len(bounds) == 3 and all(type(b) in (int, float) for b in bounds)
    if not numbers or type(bounds[2]) is not int or not 1 <= bounds[2] <= 10**6 or not np.isfinite(bounds).all():
        raise ValueError(f"expected {kind} = [low, high, count], with a whole count ≥ 1")
    low, high, count = bounds
    if low >= high and count > 1:
        raise ValueError(f"expected {kind} = [low, high, count] with low < high")
    if kind == "log" and low <= 0:
        raise ValueError("expected log = [low, high, count] with low > 0")
    # Rounded so that a decade's points read as they are meant: 0.01, not 0.010000000000000002.
    return [float(f"{number:.12g}") for number in RANGES[kind](low, high, count)]


def _schedule(symbol: str, argument: Argument, table: Mapping[str, Any]) -> Axis:
    name = table["schedule"]
    if not argument.schedule:
        raise ValueError(f"expected {expected(argument)}; {argument.name} takes no schedule")
    if not isinstance(name, str) or name not in SCHEDULES:
        raise ValueError(f"there is no schedule {shown(name)}; {nearest(str(name), SCHEDULES)}")
    known, given, values = arguments(SCHEDULES[name]), {}, {}
    for key, value in table.items():
        if key == "schedule":
            continue
        if key not in known:
            raise ValueError(f"{name} has no argument {key}; {nearest(key, known)}")
        axis = read_axis(f"{symbol}.{key}", known[key], value)
        if len(axis.forms) != 1:
            raise ValueError(f"{name}: {key} cannot be swept; give one value")
        given[key] = axis.forms[0]
        values |= axis.values
    missing = [key for key, one in known.items() if one.required and key not in given]
    if missing:
        raise ValueError(f"{name} needs {', '.join(missing)}")
    return Axis((call(name, SCHEDULES[name], given),), values)
