"""Calls: factories with their arguments, which are literals, symbols or calls of schedules."""

import inspect
import json
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from adamlab.arithmetic import ARITHMETICS
from adamlab.errors import InputError, nearest
from adamlab.schedules import Count
from adamlab.types import Decay

REQUIRED = inspect.Parameter.empty
"""The default of an argument that has none."""

MOST_STEPS = 2**31 - 2
"""The greatest number of steps that can be counted."""

FLOATS = ("float16", "bfloat16", "float32", "float64")
"""The floating-point types that can be named."""


class SpecError(InputError):
    """An unusable spec: the message says what was expected and the nearest valid name."""


@dataclass(frozen=True)
class Symbol:
    """A number that is given later; with `complement` as 1 − b of a decay b."""

    name: str
    complement: bool = False

    def __str__(self):
        return f"1-{self.name}" if self.complement else self.name


@dataclass(frozen=True)
class Argument:
    """An argument of an optimizer or a schedule.

    Attributes:
        name: the argument's name.
        kind: "number"; "decay", a number that can be an `adamlab.Decay`; "steps", a whole number of a schedule's;
            "integer", "steps list", "flag" or "choice", which are compiled in, as is "text"; "dtype"; or "other", which
            cannot be written in a spec.
        default: `REQUIRED` where there is none.
        schedule: whether a schedule can stand for the number.
        choices: the values of a "choice".
    """

    name: str
    kind: str
    default: Any
    schedule: bool = False
    choices: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is REQUIRED

    @property
    def is_whole(self) -> bool:
        """Whether whole numbers stay so: those of steps, and counts that Optax annotates as numbers."""
        return self.kind == "steps" or type(self.default) is int

    def expects(self) -> str:
        """The values that the argument takes, in words."""
        words = {
            "number": "a number" + (" or a schedule" if self.schedule else ""),
            "decay": "a number in [0, 1]",
            "steps": "a whole number of steps from 1",
            "steps list": "a list of whole numbers of steps, each greater than the one before",
            "integer": "a whole number",
            "flag": "true or false",
            "choice": "one of " + ", ".join(f'"{choice}"' for choice in self.choices),
            "text": "a text",
            "dtype": 'the name of a floating-point type, such as "float32"',
            "other": "nothing: it takes a Python object, which a spec cannot write",
        }
        return words[self.kind]

    def accepts(self, value: Any) -> bool:
        """Whether the argument takes a literal, a symbol or a call."""
        if value is None:
            return self.default is None
        match self.kind:
            case "number" | "decay" if isinstance(value, Call):
                return self.schedule
            case "number" | "decay" | "steps" if isinstance(value, Symbol):
                return True
            case "number" | "decay" if isinstance(value, Decay):
                return 0 <= value.complement <= 1
            case "number":
                return type(value) in (int, float) and abs(value) <= sys.float_info.max
            case "decay":
                return type(value) in (int, float) and 0 <= value <= 1
            case "steps":
                return type(value) is int and 1 <= value <= MOST_STEPS
            case "steps list":
                return _are_rising_steps(value)
            case "integer" | "flag":
                return type(value) is (int if self.kind == "integer" else bool)
            case "choice":
                return value in self.choices
            case "text":
                return isinstance(value, str)
            case "dtype":
                return value in FLOATS
        return False


@dataclass(frozen=True)
class Call:
    """A factory with its arguments by name: literals, symbols, and calls of schedules.

    Attributes:
        name: the factory's full name, such as "optax.adam", or a schedule's.
        factory: the function itself.
        arguments: what was given, in the order of the signature.
    """

    name: str
    factory: Callable[..., Any]
    arguments: Mapping[str, Any]

    @property
    def library(self) -> str:
        """The library of the factory: "adamlab", "optax", "optax.contrib", or "" for a schedule."""
        return self.name.rpartition(".")[0]

    def build(self, numbers: Mapping[str, Any] | None = None) -> Any:
        """Call the factory, with the given numbers for the symbols.

        Raises:
            SpecError: a symbol has no number.
            TypeError, ValueError: whatever the factory makes of what it is given.
        """
        return self.factory(**{key: _build(value, numbers or {}) for key, value in self.arguments.items()})

    def symbols(self) -> Iterator[tuple[Symbol, Argument]]:
        """Every symbol with the argument it stands for, schedules' included."""
        known = arguments(self.factory)
        for key, value in self.arguments.items():
            if isinstance(value, Symbol):
                yield value, known[key]
            elif isinstance(value, Call):
                yield from value.symbols()

    def with_numbers(self, numbers: Mapping[str, Any]) -> "Call":
        """The same call with numbers written in for symbols."""
        return Call(self.name, self.factory, {key: _fill(v, numbers) for key, v in self.arguments.items()})

    def bound(self) -> dict[str, Any]:
        """All arguments with the defaults filled in."""
        defaults = {name: a.default for name, a in arguments(self.factory).items() if not a.required}
        return defaults | dict(self.arguments)

    def numbers(self) -> dict[str, float]:
        """The numbers it was given, by argument; a schedule's as "learning_rate.init"."""
        given = self.numeric().items()
        return {
            name: float(number.rate if isinstance(number, Decay) else number)
            for name, number in given
            if not isinstance(number, Symbol)
        }

    def numeric(self) -> dict[str, int | float | Decay | Symbol]:
        """The numbers it was given and the symbols that stand for such, by argument; as `numbers`."""
        numbers: dict[str, int | float | Decay | Symbol] = {}
        for name, value in self.arguments.items():
            if isinstance(value, Call):
                numbers |= {f"{name}.{inner}": number for inner, number in value.numeric().items()}
            elif type(value) in (int, float) or isinstance(value, (Decay, Symbol)):
                numbers[name] = value
        return numbers

    def __str__(self):
        return f"{self.name}({', '.join(f'{key}={written(value)}' for key, value in self.arguments.items())})"


def call(name: str, factory: Callable[..., Any], given: Mapping[str, Any]) -> Call:
    """A checked call of a factory.

    Raises:
        SpecError: an argument that the factory does not have, or cannot take in this form; the first one found.
    """
    known = arguments(factory)
    for key, value in given.items():
        if key not in known:
            raise SpecError(f"{name} has no argument {key!r}; {nearest(key, known)}")
        if not known[key].accepts(value):
            raise SpecError(f"{name}: {key} must be {known[key].expects()}, not {written(value)}.")
    return Call(name, factory, {key: _taken(known[key], given[key]) for key in known if key in given})


def _taken(argument: Argument, value: Any) -> Any:
    """The value as the argument takes it: a decay's rate, where it is no `adamlab.Decay`."""
    return value.rate if isinstance(value, Decay) and argument.kind == "number" else value


@cache
def arguments(factory: Callable[..., Any]) -> dict[str, Argument]:
    """The arguments of a factory by name, read off its signature."""
    parameters = inspect.signature(factory).parameters.values()
    return {p.name: _argument(p) for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def _argument(parameter: inspect.Parameter) -> Argument:
    name, default = parameter.name, parameter.default
    leaves = set(_leaves(parameter.annotation))
    schedule = any(typing.get_origin(leaf) is not None or "Schedule" in str(leaf) for leaf in leaves)
    if leaves == {*_leaves(Count)}:
        return Argument(name, "steps", default)
    if leaves == {Sequence[int]}:
        return Argument(name, "steps list", default)
    if name == "arithmetic":
        return Argument(name, "choice", default, choices=tuple(ARITHMETICS))
    if name.endswith("dtype"):
        return Argument(name, "dtype", default)
    if isinstance(default, str) or leaves - {types.NoneType} == {str}:
        return Argument(name, "text", default)
    if isinstance(default, bool) or leaves == {bool}:
        return Argument(name, "flag", default)
    if leaves - {types.NoneType} == {int} or (parameter.annotation is parameter.empty and type(default) is int):
        return Argument(name, "integer", default)
    if Decay in leaves:
        return Argument(name, "decay", default, schedule)
    if float in leaves or type(default) is float:
        return Argument(name, "number", default, schedule)
    return Argument(name, "other", default)


def _are_rising_steps(value: Any) -> bool:
    whole = isinstance(value, tuple) and bool(value) and all(type(step) is int for step in value)
    return whole and [*value] == sorted(set(value)) and value[0] >= 1 and value[-1] <= MOST_STEPS


def _leaves(annotation: Any) -> Iterator[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _leaves(part)
    else:
        yield annotation


def _build(value: Any, numbers: Mapping[str, Any]) -> Any:
    match value:
        case Symbol(name=name) if name not in numbers:
            raise SpecError(f"{name} is a symbol that was given no number.")
        case Symbol(name=name):
            return numbers[name]
        case Call():
            return value.build(numbers)
    return value


def _fill(value: Any, numbers: Mapping[str, Any]) -> Any:
    if isinstance(value, Call):
        return value.with_numbers(numbers)
    return numbers.get(value.name, value) if isinstance(value, Symbol) else value


def written(value: Any) -> str:
    """A value as a spec writes it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, Decay):
        return f"1-{value.complement}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
