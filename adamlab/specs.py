"""One notation for optimizers everywhere: `optax.rmsprop(decay=b2, eps_in_sqrt=false, bias_correction=true)`.

A spec is parsed and never evaluated. It holds literals, calls of schedules, and bare names, which are symbols: numbers
to be given later, by a sweep or by a reader of formulas.
"""

import ast
import inspect
import json
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

import optax

from adamlab.arithmetic import ARITHMETICS
from adamlab.errors import InputError
from adamlab.rules import PARTS, RULES
from adamlab.schedules import SCHEDULES
from adamlab.types import Decay

LITERALS = {"true": True, "false": False, "none": None, "True": True, "False": False, "None": None}


REQUIRED = inspect.Parameter.empty
"""The default of an argument that has none."""


class SpecError(InputError):
    """A spec or a name in it that means nothing: says what was expected and the nearest valid name."""


@dataclass(frozen=True)
class Symbol:
    """A number that is given later."""

    name: str

    def __str__(self):
        return self.name


@dataclass(frozen=True)
class Argument:
    """What an optimizer or schedule takes under one name.

    Attributes:
        name: the argument's name.
        kind: "number"; "decay", a number that can be an `adamlab.Decay`; "integer", "flag" or "choice", which are
            compiled in, as is "text"; "dtype"; or "other", which cannot be written in a spec.
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

    def expects(self) -> str:
        """What can stand here, in words."""
        words = {
            "number": "a number" + (" or a schedule" if self.schedule else ""),
            "decay": "a number in [0, 1]",
            "integer": "a whole number",
            "flag": "true or false",
            "choice": "one of " + ", ".join(f'"{choice}"' for choice in self.choices),
            "text": "a text",
            "dtype": 'the name of a floating-point type, such as "float32"',
            "other": "nothing: it takes a Python object, which a spec cannot write",
        }
        return words[self.kind]

    def accepts(self, value: Any) -> bool:
        """Whether a literal, a symbol or a call can stand here."""
        if value is None:
            return self.default is None
        match self.kind:
            case "number" | "decay" if isinstance(value, Call):
                return self.schedule
            case "number" | "decay" if isinstance(value, Symbol):
                return True
            case "number":
                return type(value) in (int, float) and abs(value) <= sys.float_info.max
            case "decay":
                return type(value) in (int, float) and 0 <= value <= 1
            case "integer":
                return type(value) is int
            case "flag":
                return isinstance(value, bool)
            case "choice":
                return value in self.choices
            case "text":
                return isinstance(value, str)
            case "dtype":
                return isinstance(value, str) and _is_floating(value)
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
        """Where the factory comes from: "adamlab", "optax", "optax.contrib", or "" for a schedule."""
        return self.name.rpartition(".")[0]

    def build(self, numbers: Mapping[str, Any] | None = None) -> Any:
        """Calls the factory, with the given numbers for the symbols.

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
        found = {}
        for name, value in self.arguments.items():
            if isinstance(value, Call):
                found |= {f"{name}.{inner}": number for inner, number in value.numbers().items()}
            elif type(value) in (int, float):
                found[name] = float(value)
        return found

    def __str__(self):
        return f"{self.name}({', '.join(f'{key}={_write(value)}' for key, value in self.arguments.items())})"


def parse(text: str) -> Call:
    """Reads a spec, such as "optax.rmsprop(0.01, decay=0.9)", or the bare name of an optimizer.

    Raises:
        SpecError: the text is no spec, or names an optimizer, argument or schedule that does not exist.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        name = _dotted(tree.func if isinstance(tree, ast.Call) else tree, text)
        factory = find(name)
        return call(name, factory, _arguments(tree, name, factory, text) if isinstance(tree, ast.Call) else {})
    except SpecError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        shown = text if len(text) <= 60 else text[:57] + "…"
        raise SpecError(f'"{shown}" is not a spec; write one as in "optax.rmsprop(0.01, decay=0.9)".') from error


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
            raise SpecError(f"{name}: {key} must be {known[key].expects()}, not {_write(value)}.")
    return Call(name, factory, {key: given[key] for key in known if key in given})


def optimizers(library: str) -> dict[str, Callable[..., Any]]:
    """The optimizers and transformations of "adamlab", "optax" or "optax.contrib" that a spec can write, by name."""
    if library == "adamlab":
        return {**RULES, **PARTS}
    module = optax.contrib if library == "optax.contrib" else optax
    return {name: f for name, f in vars(module).items() if not name.startswith("_") and _makes_a_transform(f)}


def find(name: str) -> Callable[..., Any]:
    """The factory of that full name.

    Raises:
        SpecError: there is none; names the nearest.
    """
    library, _, short = name.rpartition(".")
    if library in ("adamlab", "optax", "optax.contrib") and short in optimizers(library):
        return optimizers(library)[short]
    everything = [f"{home}.{each}" for home in ("adamlab", "optax", "optax.contrib") for each in optimizers(home)]
    namesakes = [full for full in everything if not library and full.endswith(f".{name}")]
    remedy = f"write {' or '.join(namesakes)}." if namesakes else nearest(name, everything)
    raise SpecError(f'there is no optimizer "{name}"; {remedy}')


def nearest(name: str, valid: Iterable[str]) -> str:
    """The words that point from a wrong name to the right one, or to all there are."""
    valid = list(valid)
    close = get_close_matches(name, valid, n=1, cutoff=0.5)
    if close:
        return f'did you mean "{close[0]}"?'
    return "valid here: " + (", ".join(valid[:20]) + (", …" if len(valid) > 20 else "") if valid else "nothing")


@cache
def arguments(factory: Callable[..., Any]) -> dict[str, Argument]:
    """What a factory takes, by name, read off its signature."""
    parameters = inspect.signature(factory).parameters.values()
    return {p.name: _argument(p) for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def _argument(parameter: inspect.Parameter) -> Argument:
    name, default = parameter.name, parameter.default
    leaves = set(_leaves(parameter.annotation))
    schedule = any(typing.get_origin(leaf) is not None or "Schedule" in str(leaf) for leaf in leaves)
    if name == "arithmetic":
        return Argument(name, "choice", default, choices=tuple(ARITHMETICS))
    if name.endswith("dtype"):
        return Argument(name, "dtype", default)
    if isinstance(default, str) or leaves == {str}:
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


def _leaves(annotation: Any) -> Iterator[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _leaves(part)
    else:
        yield annotation


def _makes_a_transform(f: Any) -> bool:
    made = getattr(getattr(f, "func", f), "__annotations__", {}).get("return")
    if not inspect.isclass(made) or not issubclass(made, optax.GradientTransformation):
        return False
    if any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(f).parameters.values()):
        return False
    return not any(argument.kind == "other" and argument.required for argument in arguments(f).values())


def _is_floating(name: str) -> bool:
    return name in ("float16", "bfloat16", "float32", "float64")


def _arguments(tree: ast.Call, name: str, factory: Callable[..., Any], text: str) -> dict[str, Any]:
    names = [p.name for p in inspect.signature(factory).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    if len(tree.args) > len(names):
        raise SpecError(f"{name} takes at most {len(names)} arguments without a name, not {len(tree.args)}.")
    given = dict(zip(names, (_value(node, text) for node in tree.args), strict=False))
    for keyword in tree.keywords:
        if keyword.arg is None or keyword.arg in given:
            raise SpecError(f'"{text}": {keyword.arg or "**"} is given twice or cannot be unpacked here.')
        given[keyword.arg] = _value(keyword.value, text)
    return given


def _value(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Constant(value=int() | float() | str() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if value is not True:
            return -value
        case ast.Name(id=name):
            return LITERALS[name] if name in LITERALS else Symbol(name)
        case ast.Call(func=ast.Name(id=name)):
            if name not in SCHEDULES:
                raise SpecError(f'"{text}": there is no schedule "{name}"; {nearest(name, SCHEDULES)}')
            return call(name, SCHEDULES[name], _arguments(node, name, SCHEDULES[name], text))
    raise SpecError(
        f'"{text}": {ast.unparse(node)} cannot stand in a spec, which is parsed and never evaluated; '
        "write numbers, true, false, none, names, or a schedule such as inverse_sqrt(0.1)."
    )


def _dotted(node: ast.expr, text: str) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_dotted(value, text)}.{attr}"
    raise SpecError(f'"{text}" does not start with the name of an optimizer, such as adamlab.adam.')


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


def _write(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
