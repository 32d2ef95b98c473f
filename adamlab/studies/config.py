"""A TOML file becomes a study: what is to be run, with every mistake in the file found before anything runs."""

import copy
import itertools
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from adamlab.problems import PROBLEMS
from adamlab.specs import Argument, Call, SpecError, arguments, call, find, nearest, parse
from adamlab.studies.axes import Axis, read_axis
from adamlab.studies.mistakes import ConfigError, Mistake, join, mistakes_of, shown
from adamlab.types import Problem

Model = TypeVar("Model", bound=BaseModel)

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""What can be the name of a file, a folder and a group of a store."""


@dataclass(frozen=True)
class Optimizer:
    """One optimizer of a study: a call whose symbols are swept.

    Attributes:
        label: how tables and figures name it.
        template: the call; what is swept is a symbol in it.
        axes: the values of each symbol.
    """

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


def read_config(config: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The plain data of a config file, or of a mapping in its place, with overrides written in.

    Args:
        config: a TOML file's path, or the data itself.
        overrides: texts KEY=VALUE, such as "steps=100" or "optimizer.0.learning_rate=[0.1, 0.2]".

    Raises:
        ConfigError: the file cannot be read or is no TOML, or an override has no such form or place.
    """
    data = copy.deepcopy(dict(config)) if isinstance(config, Mapping) else _read_toml(Path(config))
    return override(data, overrides)


def override(data: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Writes KEY=VALUE texts into the data, and gives it back.

    Raises:
        ConfigError: a text has no such form, or its key no place in the data.
    """
    mistakes = [mistake for text in texts if (mistake := _override(data, text))]
    if mistakes:
        raise ConfigError("--set", mistakes)
    return data


def load_study(data: Mapping[str, Any], plots: Mapping[str, Callable[..., Any]], where: str = "the config") -> Study:
    """The study that a config's plain data describes.

    Args:
        data: as `read_config` gives it.
        plots: the kinds of output there are; an output's table can set their keyword arguments.
        where: the file's name, for messages.

    Raises:
        ConfigError: with every mistake in the data.
    """
    mistakes: list[Mistake] = []
    head = _validate(_Head, data, "", mistakes)
    problems = [made for key, table in _tables(data, "problem") if (made := _problem(key, table, mistakes))]
    optimizers = [one for key, table in _tables(data, "optimizer") for one in _optimizers(key, table, mistakes)]
    names = [problem.name for problem in problems]
    outputs = [made for key, table in _tables(data, "output") if (made := _output(key, table, plots, names, mistakes))]
    mistakes += _twice("problem", "label", [problem.name for problem in problems])
    mistakes += _twice("optimizer", "label", [optimizer.label for optimizer in optimizers])
    mistakes += _unrecordable(data, problems)
    if head is None or mistakes:
        raise ConfigError(where, mistakes)
    record = head.record
    return Study(
        *(head.name, head.question, head.steps, head.seeds, head.dtype, record.every, tuple(record.what)),
        *(tuple(problems), tuple(optimizers), tuple(outputs), data),
    )


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _read_seeds(value: Any) -> tuple[int, ...]:
    if type(value) is int and 1 <= value <= 10**6:
        return tuple(range(value))
    seeds = value if isinstance(value, list) else []
    if seeds and all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds) and len(set(seeds)) == len(seeds):
        return tuple(seeds)
    raise ValueError("expected how many seeds, a whole number ≥ 1, or a list of different seeds ≥ 0")


class _Record(_Strict):
    every: int = Field(default=1, ge=1)
    what: list[str] = ["loss", "params"]


class _Head(_Strict):
    name: str = Field(pattern=f"^{NAME}$")
    question: str = ""
    steps: int = Field(ge=1, lt=2**31 - 1)
    seeds: Annotated[tuple[int, ...], BeforeValidator(_read_seeds)] = (0,)
    dtype: Literal["float32", "float64"] = "float32"
    record: _Record = _Record()
    problem: list[dict[str, Any]] = Field(min_length=1)
    optimizer: list[dict[str, Any]] = Field(min_length=1)
    output: list[dict[str, Any]] = []


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(str(path), [Mistake("", "there is no such file")]) from None
    except OSError as error:
        raise ConfigError(str(path), [Mistake("", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [Mistake("", "is not UTF-8 text, as TOML must be")]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [Mistake("", f"is not valid TOML: {error}")]) from error


def _override(data: dict[str, Any], text: str) -> Mistake | None:
    key, equals, value = text.partition("=")
    if not equals or not key:
        return Mistake(text, "expected KEY=VALUE, such as steps=100 or optimizer.0.learning_rate=0.1")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value  # a bare word is a string, since shells eat quotes
    *path, last = [int(part) if part.isdigit() else part for part in key.strip().split(".")]
    place: Any = data
    try:
        for part in path:
            place = place.setdefault(part, {}) if isinstance(place, dict) and isinstance(part, str) else place[part]
        if not isinstance(place, dict):
            place[last]  # a list's items can be replaced, not added
        place[last] = parsed
    except (KeyError, IndexError, TypeError):
        return Mistake(key, "there is no such place in the config")
    return None


def _tables(data: Mapping[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    tables = data.get(name)
    for i, table in enumerate(tables if isinstance(tables, list) else []):
        if isinstance(table, dict):
            yield join(name, i), table


def _validate(model: type[Model], data: Any, key: str, mistakes: list[Mistake]) -> Model | None:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        mistakes += mistakes_of(error, key, model)
    return None


def _read_arguments(
    known: Mapping[str, Argument], table: Mapping[str, Any], key: str, mistakes: list[Mistake]
) -> dict[str, Axis]:
    """Reads the table's keys as the arguments they name, by a pydantic model made of what is known of them."""
    fields: dict[str, Any] = {
        name: (Annotated[Any, BeforeValidator(partial(read_axis, name, argument))], ... if argument.required else None)
        for name, argument in known.items()
    }
    read = _validate(create_model("Table", __base__=_Strict, **fields), table, key, mistakes)
    return {} if read is None else {name: getattr(read, name) for name in table}


def _made_by(
    key: str, table: dict[str, Any], registry: Mapping[str, Callable[..., Any]], called: str, mistakes: list[Mistake]
) -> tuple[str, dict[str, Any]] | None:
    """What a problem's or an output's table calls for: a name of the registry and its options, one value each."""
    before = len(mistakes)
    name, options = table.get(called), {k: v for k, v in table.items() if k != called}
    if not isinstance(name, str) or name not in registry:
        wrong = "is missing" if name is None else f"there is no {key.partition('[')[0] or called} {shown(name)}"
        mistakes.append(Mistake(join(key, called), f"{wrong}; {nearest(str(name), registry)}"))
        return None
    known = {k: a for k, a in arguments(registry[name]).items() if not (a.kind == "other" and a.required)}
    axes = _read_arguments(known, options, key, mistakes)
    several = [option for option, axis in axes.items() if axis.values or len(axis.forms) > 1]
    mistakes += [Mistake(join(key, option), "cannot be swept; give one value") for option in several]
    return (name, {option: axis.forms[0] for option, axis in axes.items()}) if len(mistakes) == before else None


def _problem(key: str, table: dict[str, Any], mistakes: list[Mistake]) -> Problem | None:
    label = table.get("label", table.get("name"))
    if "label" in table and not (isinstance(label, str) and re.fullmatch(NAME, label)):
        mistakes.append(Mistake(join(key, "label"), f"expected letters, digits and any of _ . -; got {shown(label)}"))
        return None
    made = _made_by(key, {k: v for k, v in table.items() if k != "label"}, PROBLEMS, "name", mistakes)
    try:
        return made and replace(PROBLEMS[made[0]](**made[1]), name=label)
    except (ValueError, ModuleNotFoundError) as error:
        mistakes.append(Mistake(key, str(error)))
    return None


def read_output(
    table: Mapping[str, Any], plots: Mapping[str, Callable[..., Any]], problems: Sequence[str]
) -> dict[str, Any]:
    """One picture to be drawn: its `kind`, the `problem` (None: each that can be drawn), and the plot's `options`.

    Raises:
        ConfigError: there is no such kind, problem or option.
    """
    mistakes: list[Mistake] = []
    output = _output("", dict(table), plots, problems, mistakes)
    if output is None or mistakes:
        raise ConfigError("plot", mistakes)
    return output


def _output(
    key: str,
    table: dict[str, Any],
    plots: Mapping[str, Callable[..., Any]],
    problems: Sequence[str],
    mistakes: list[Mistake],
) -> dict[str, Any] | None:
    problem = table.get("problem")
    if problem is not None and problem not in problems:
        mistakes.append(
            Mistake(join(key, "problem"), f"{shown(problem)} is not run; {nearest(str(problem), problems)}")
        )
    made = _made_by(key, {k: v for k, v in table.items() if k != "problem"}, plots, "kind", mistakes)
    return made and {"kind": made[0], "problem": problem, "options": made[1]}


def _optimizers(key: str, table: dict[str, Any], mistakes: list[Mistake]) -> list[Optimizer]:
    """The optimizers of one table: one for each combination of what is compiled in, such as flags."""
    before = len(mistakes)
    given = {k: v for k, v in table.items() if k not in ("name", "spec", "label")}
    label = table.get("label", table.get("name", table.get("spec")))
    if "label" in table and not (isinstance(label, str) and label):
        mistakes.append(Mistake(join(key, "label"), f"expected a text; got {shown(label)}"))
    template = _template(key, table, mistakes)
    if template is None:
        return []
    if "spec" in table:
        axes = _read_arguments({symbol.name: a for symbol, a in template.symbols()}, given, key, mistakes)
        missing = [s.name for s, _ in template.symbols() if s.name not in given]
        mistakes += [Mistake(join(key, name), f"is missing: {table['spec']} leaves it open") for name in missing]
    else:
        axes = _read_arguments(arguments(template.factory), given, key, mistakes)
    if len(mistakes) > before:
        return []
    values = {symbol: numbers for axis in axes.values() for symbol, numbers in axis.values.items()}
    several = [name for name, axis in axes.items() if len(axis.forms) > 1]
    made = []
    for forms in itertools.product(*(axis.forms for axis in axes.values())):
        chosen = dict(zip(axes, forms, strict=True))
        full = template.with_numbers(chosen) if "spec" in table else call(template.name, template.factory, chosen)
        suffix = ", ".join(f"{name}={shown(chosen[name]).strip(chr(39))}" for name in several)
        made.append(Optimizer(f"{label} ({suffix})" if suffix else str(label), full, values))
    return made


def _template(key: str, table: Mapping[str, Any], mistakes: list[Mistake]) -> Call | None:
    if ("name" in table) == ("spec" in table):
        mistakes.append(
            Mistake(key, 'expected either name = "adamlab.adam" or spec = "adamlab.adam(0.1)"; got both or neither')
        )
        return None
    kind = "name" if "name" in table else "spec"
    text = table[kind]
    try:
        if not isinstance(text, str):
            raise SpecError(
                f'expected a text such as "adamlab.{"adam" if kind == "name" else "adam(0.1)"}"; got {shown(text)}'
            )
        return Call(text, find(text), {}) if kind == "name" else parse(text)
    except SpecError as error:
        mistakes.append(Mistake(join(key, kind), str(error)))
    return None


def _twice(table: str, key: str, names: list[str]) -> list[Mistake]:
    return [
        Mistake(table, f'{count} of them are called "{name}"; give each its own {key}')
        for name, count in Counter(names).items()
        if count > 1
    ]


def _unrecordable(data: Mapping[str, Any], problems: Sequence[Problem]) -> list[Mistake]:
    record, steps = data.get("record"), data.get("steps")
    record = record if isinstance(record, dict) else {}
    what, every = record.get("what"), record.get("every")
    known = ["loss", "params", *dict.fromkeys(metric for problem in problems for metric in problem.metrics)]
    mistakes = [
        Mistake(join("record", "what", i), f"there is nothing called {shown(name)} to record; {nearest(name, known)}")
        for i, name in enumerate(what if isinstance(what, list) and problems else [])
        if isinstance(name, str) and name not in known
    ]
    if type(every) is int and type(steps) is int and every > steps >= 1:
        mistakes.append(Mistake("record.every", f"expected at most the number of steps, {steps}; got {every}"))
    return mistakes
