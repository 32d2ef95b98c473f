"""Calls: factories with their arguments, which are literals, symbols or further calls, of schedules and optimizers."""

import inspect
import json
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, count
from typing import Any

from optax import GradientTransformation

from adamlab.arithmetic import ARITHMETICS
from adamlab.errors import InputError, nearest
from adamlab.masks import mask
from adamlab.schedules import Count
from adamlab.types import Decay, Schedule

REQUIRED = inspect.Parameter.empty
"""The default of an argument that has none."""

MOST_STEPS = 2**31 - 2
"""The greatest number of steps that can be counted."""

FLOATS = ("float16", "bfloat16", "float32", "float64")
"""The floating-point types that can be named."""


class SpecError(InputError):
    """An unusable spec: the message says what was expected and the nearest valid name."""


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _are_rising_steps(value: Any) -> bool:
    whole = isinstance(value, tuple) and bool(value) and all(type(step) is int for step in value)
    return whole and [*value] == sorted(set(value)) and value[0] >= 1 and value[-1] <= MOST_STEPS


def _are_texts(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(each, str) for each in value)


def _are_calls(role: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(isinstance(v, Call) and v.role == role for v in value)


_LITERALS: dict[str, Callable[[Any], bool]] = {
    "number": _is_number,
    "decay": lambda value: _is_number(value) and 0 <= value <= 1,
    "steps": lambda value: type(value) is int and 1 <= value <= MOST_STEPS,
    "steps list": _are_rising_steps,
    "integer": lambda value: type(value) is int,
    "flag": lambda value: isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
    "texts": lambda value: isinstance(value, str) or _are_texts(value),
    "dtype": lambda value: value in FLOATS,
    "mask": lambda value: isinstance(value, bool) or (isinstance(value, str) and value not in ("", "!")),
    "optimizers": _are_calls("optimizer"),
    "schedules": _are_calls("schedule"),
}
"""By the kind of an argument, whether it takes a value; `Argument.accepts` knows symbols, calls and choices."""


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
            "integer", "steps list", "flag" or "choice", which are compiled in, as are "text" and "texts", of which
            there can be a list; "dtype"; "mask", a pattern of paths; "optimizer", "optimizers", as many as are given
            without a name, "schedule", "schedules", a list; or "other", which cannot be written in a spec.
        default: `REQUIRED` where there is none.
        schedule: whether a schedule can stand for the number.
        choices: the values of a "choice".
        optional: whether none can stand for a value.
    """

    name: str
    kind: str
    default: Any
    schedule: bool = False
    choices: tuple[str, ...] = ()
    optional: bool = False

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
            "texts": "a text or a list of texts",
            "dtype": 'the name of a floating-point type, such as "float32"',
            "mask": 'a pattern of the paths of parameters, such as "*kernel"; "!*bias" for all but those',
            "optimizer": "an optimizer, such as optax.adam(0.1)",
            "optimizers": "optimizers, such as optax.clip(1.0), optax.adam(0.1)",
            "schedule": "a schedule, such as inverse_sqrt(0.1)",
            "schedules": "a list of schedules, such as [linear(0.0, 0.1, 10), cosine(0.1, 90)]",
            "other": "nothing: it takes a Python object, which a spec cannot write",
        }
        return words[self.kind]

    def accepts(self, value: Any) -> bool:
        """Whether the argument takes a literal, a symbol or a call."""
        if value is None:
            return self.optional
        if isinstance(value, Symbol):
            return self.kind in ("number", "decay", "steps", "integer")
        if isinstance(value, Call):
            return value.role == self.kind or (self.schedule and value.role == "schedule")
        if isinstance(value, Decay):
            return self.kind in ("number", "decay") and 0 <= value.complement <= 1
        if self.kind == "choice":
            return value in self.choices
        return self.kind in _LITERALS and _LITERALS[self.kind](value)


@dataclass(frozen=True)
class Call:
    """A factory with its arguments by name: literals, symbols, and calls of schedules and optimizers.

    Attributes:
        name: the factory's full name, such as "optax.adam", or a schedule's.
        factory: the function itself.
        arguments: what was given, in the order of the signature.
        role: what the factory makes, "optimizer" or "schedule".
    """

    name: str
    factory: Callable[..., Any]
    arguments: Mapping[str, Any]
    role: str = "optimizer"

    @property
    def library(self) -> str:
        """The library of the factory, such as "adamlab", "optax" or "optax.contrib"; "" for a schedule of adamlab's."""
        return self.name.partition("(")[0].rpartition(".")[0]

    def build(self, numbers: Mapping[str, Any] | None = None) -> Any:
        """Call the factory, with the given numbers for the symbols.

        Raises:
            SpecError: a symbol has no number.
            TypeError, ValueError: whatever the factory makes of what it is given.
        """
        known = arguments(self.factory)
        given = {key: _build(value, numbers or {}, known[key]) for key, value in self.arguments.items()}
        without_name = [value for key, values in given.items() if known[key].kind == "optimizers" for value in values]
        return self.factory(*without_name, **{k: v for k, v in given.items() if known[k].kind != "optimizers"})

    def calls(self) -> Iterator["Call"]:
        """The call itself and every call in its arguments."""
        yield self
        for value in self.arguments.values():
            for inner in calls_in(value):
                yield from inner.calls()

    def symbols(self) -> Iterator[tuple[Symbol, Argument]]:
        """Every symbol with the argument it stands for, those of inner calls included."""
        known = arguments(self.factory)
        for key, value in self.arguments.items():
            if isinstance(value, Symbol):
                yield value, known[key]
            for inner in calls_in(value):
                yield from inner.symbols()

    def missing(self) -> list[str]:
        """The arguments that it and the optimizers inside of it need and were not given."""
        return [
            name
            for inner in self.calls()
            for name, argument in arguments(inner.factory).items()
            if argument.required and name not in inner.arguments
        ]

    def with_numbers(self, numbers: Mapping[str, Any]) -> "Call":
        """The same call with numbers written in for symbols."""
        return self.with_arguments({key: _fill(v, numbers) for key, v in self.arguments.items()})

    def with_arguments(self, given: Mapping[str, Any]) -> "Call":
        """The same factory with these arguments."""
        return replace(self, arguments=given)

    def bound(self) -> dict[str, Any]:
        """All arguments with the defaults filled in."""
        defaults = {name: a.default for name, a in arguments(self.factory).items() if not a.required}
        return defaults | dict(self.arguments)

    def bound_inside(self) -> dict[str, Any]:
        """The same with those of the optimizers inside of it; of two with one name the outer or the first."""
        optimizers = [call for call in self.calls() if call.role == "optimizer"]
        return {name: value for call in reversed(optimizers) for name, value in call.bound().items()}

    def numbers(self) -> dict[str, float]:
        """The numbers it was given, by argument; a schedule's as "learning_rate.init".

        Of optimizers inside of it the numbers have their own names, with the optimizer's ahead where two have the same.
        """
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
            for inner in calls_in(value):
                for key, number in inner.numeric().items():
                    full = key if inner.role == "optimizer" else f"{name}.{key}"
                    numbers[unused(full, inner, numbers)] = number
            if type(value) in (int, float) or isinstance(value, (Decay, Symbol)):
                numbers[name] = value
        return numbers

    @property
    def short(self) -> str:
        """The factory's name without its library."""
        return self.name[self.name.partition("(")[0].rfind(".") + 1 :]

    def __str__(self):
        known, parts = arguments(self.factory), []
        for key, value in self.arguments.items():
            parts += map(str, value) if known[key].kind == "optimizers" else [f"{key}={written(value)}"]
        return f"{self.name}({', '.join(parts)})"


def call(name: str, factory: Callable[..., Any], given: Mapping[str, Any], role: str = "optimizer") -> Call:
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
    return Call(name, factory, {key: _taken(known[key], given[key]) for key in known if key in given}, role)


def _taken(argument: Argument, value: Any) -> Any:
    """The value as the argument takes it: a decay's rate, where it is no `adamlab.Decay`."""
    return value.rate if isinstance(value, Decay) and argument.kind == "number" else value


@cache
def arguments(factory: Callable[..., Any]) -> dict[str, Argument]:
    """The arguments of a factory by name, read off its signature."""
    read = {parameter.name: _argument(parameter) for parameter in signature(factory).parameters.values()}
    return {name: argument for name, argument in read.items() if argument is not None}


@cache
def signature(factory: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function, with annotations that are texts evaluated where that can be done."""
    try:
        return inspect.signature(factory, eval_str=True)
    except (NameError, SyntaxError, TypeError, AttributeError):  # they name what exists for type checkers alone
        return inspect.signature(factory)


def _argument(parameter: inspect.Parameter) -> Argument | None:
    """The argument of a parameter; None of further ones that cannot be given."""
    name, default = parameter.name, parameter.default
    leaves = set(_leaves(parameter.annotation))
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        several = parameter.kind == parameter.VAR_POSITIONAL and _are_optimizers(leaves)
        return Argument(name, "optimizers", REQUIRED) if several else None
    bare = parameter.annotation is parameter.empty
    schedule = bare or any(typing.get_origin(leaf) is not None or "Schedule" in str(leaf) for leaf in leaves)
    choices = tuple(ARITHMETICS) if name == "arithmetic" else ()
    kinds = {
        "optimizer": _are_optimizers(leaves),
        "schedule": leaves == {Schedule},
        "schedules": _lists(leaves, Schedule),
        "mask": name.endswith("mask") and (default in (None, REQUIRED) or default is True),
        "steps": leaves == {*_leaves(Count)},
        "steps list": _lists(leaves, int),
        "choice": bool(choices),
        "dtype": name.endswith("dtype"),
        "texts": _lists(leaves, str),
        "text": isinstance(default, str) or leaves - {types.NoneType} == {str},
        "flag": isinstance(default, bool) or leaves == {bool},
        "integer": leaves - {types.NoneType} == {int} or (bare and type(default) is int),
        "decay": Decay in leaves,
        "number": float in leaves or type(default) is float or (bare and default is REQUIRED),
        "other": True,
    }
    kind = next(kind for kind, fits in kinds.items() if fits)
    takes_schedule = schedule and kind in ("number", "decay", "schedule")
    return Argument(name, kind, default, takes_schedule, choices, default is None or types.NoneType in leaves)


def _lists(annotations: set[Any], of: Any) -> bool:
    return any(typing.get_origin(leaf) is Sequence and typing.get_args(leaf) == (of,) for leaf in annotations)


def _are_optimizers(annotations: set[Any]) -> bool:
    others = annotations - {types.NoneType}
    return bool(others) and all(inspect.isclass(o) and issubclass(o, GradientTransformation) for o in others)


def _leaves(annotation: Any) -> Iterator[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _leaves(part)
    else:
        yield annotation


def calls_in(value: Any) -> Iterator[Call]:
    """The calls that an argument's value is or lists."""
    yield from (item for item in (value if type(value) is tuple else (value,)) if isinstance(item, Call))


def unused(name: str, owner: Call, taken: Collection[str]) -> str:
    """A number's name; where it is taken, with the owner's ahead, and where that is taken too, a count behind it."""
    full = f"{owner.short}.{name}"
    return next(n for n in chain([name, full], (f"{full}.{k}" for k in count(2))) if n not in taken)


def _build(value: Any, numbers: Mapping[str, Any], argument: Argument) -> Any:
    match value:
        case Symbol(name=name) if name not in numbers:
            raise SpecError(f"{name} is a symbol that was given no number.")
        case Symbol(name=name):
            return numbers[name]
        case Call():
            return value.build(numbers)
        case tuple() if type(value) is tuple:  # and not a transformation that is a default
            return tuple(_build(item, numbers, argument) for item in value)
        case str() if argument.kind == "mask":
            return mask(value)
    return value


def _fill(value: Any, numbers: Mapping[str, Any]) -> Any:
    match value:
        case Call():
            return value.with_numbers(numbers)
        case Symbol(name=name):
            return numbers.get(name, value)
        case tuple() if type(value) is tuple:  # and not a transformation that is a default
            return tuple(_fill(item, numbers) for item in value)
    return value


def written(value: Any) -> str:
    """A value as a spec writes it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, Decay):
        return f"1-{value.complement}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
