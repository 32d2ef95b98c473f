"""A config's plain data becomes a study: what is to be run, with every mistake in it found before anything runs."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adamlab.calls import REQUIRED, Call, SpecError, arguments, call
from adamlab.errors import nearest
from adamlab.problems import NAME, PROBLEMS
from adamlab.specs import find, parse
from adamlab.studies.axes import read_arguments
from adamlab.studies.mistakes import ConfigError, Mistakes, join, mistakes_of, shown
from adamlab.studies.study import Optimizer, Study
from adamlab.types import Problem

MOST_SEEDS = 10**6

Plots = Mapping[str, Callable[..., Any]]
"""The kinds of output there are; a table of `output` can set their keyword arguments."""


def load_study(data: Mapping[str, Any], plots: Plots, where: str = "the config") -> Study:
    """The study that a config's plain data describes.

    Args:
        data: as `read_config` gives it.
        plots: the kinds of output there are.
        where: the file's name, for messages.

    Raises:
        ConfigError: with every mistake in the data.
    """
    mistakes = Mistakes()
    head = _head(data, mistakes)
    problems = [made for key, table in _tables(data, "problem") if (made := _problem(key, table, mistakes))]
    optimizers = [one for key, table in _tables(data, "optimizer") for one in _optimizers(key, table, mistakes)]
    outputs = read_outputs(data, plots, mistakes)
    _check_names("problem", [problem.name for problem in problems], mistakes)
    _check_names("optimizer", [optimizer.label for optimizer in optimizers], mistakes)
    _check_record(data, problems, mistakes)
    if head is not None:
        _check_range(head.dtype, optimizers, mistakes)
    if head is not None and not mistakes:
        quantities = {
            problem.name: ["loss", *(m for m in problem.metrics if m in head.record.what)] for problem in problems
        }
        settings = list(dict.fromkeys(name for o in optimizers for one in o.calls() for name in one.numbers()))
        for output in outputs:
            check_output(output, quantities, settings, mistakes)
    if head is None or mistakes:
        raise ConfigError(where, mistakes)
    return Study(
        name=head.name,
        question=head.question,
        steps=head.steps,
        seeds=head.seeds,
        dtype=head.dtype,
        every=head.record.every,
        what=tuple(head.record.what),
        problems=tuple(problems),
        optimizers=tuple(optimizers),
        outputs=tuple(outputs),
        source=data,
    )


def read_output(
    table: Mapping[str, Any], plots: Plots, quantities: Mapping[str, Sequence[str]], settings: Sequence[str]
) -> Mapping[str, Any]:
    """One picture to be drawn: its `kind`, the `problem` (None: each that can be drawn), and the plot's `options`.

    Args:
        table: as it would stand under [[output]].
        plots: the kinds of output there are.
        quantities: for each problem, what was recorded of it over steps.
        settings: the numbers that were set.

    Raises:
        ConfigError: there is no such kind, problem or option.
    """
    mistakes = Mistakes()
    output = _output("", table, plots, mistakes)
    if output is not None:
        check_output(output, quantities, settings, mistakes)
    if output is None or mistakes:
        raise ConfigError("plot", mistakes)
    return output


def read_outputs(data: Mapping[str, Any], plots: Plots, mistakes: Mistakes) -> list[dict[str, Any]]:
    """The pictures that a config asks for; whether they can be drawn is for `check_output` to say."""
    return [made for key, table in _tables(data, "output") if (made := _output(key, table, plots, mistakes))]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _read_seeds(value: Any) -> tuple[int, ...]:
    if type(value) is int and 1 <= value <= MOST_SEEDS:
        return tuple(range(value))
    seeds = value if isinstance(value, list) else []
    if seeds and all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds) and len(set(seeds)) == len(seeds):
        return tuple(seeds)
    raise ValueError(f"how many seeds, from 1 to {MOST_SEEDS:,}, or a list of different seeds from 0 to {2**32 - 1:,}")


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


def _head(data: Mapping[str, Any], mistakes: Mistakes) -> _Head | None:
    try:
        return _Head.model_validate(data)
    except ValidationError as error:
        mistakes += mistakes_of(error, _Head)
    return None


def _tables(data: Mapping[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    tables = data.get(name)
    for i, table in enumerate(tables if isinstance(tables, list) else []):
        if isinstance(table, dict):
            yield join(name, i), table


def _made_by(
    key: str, table: Mapping[str, Any], registry: Mapping[str, Callable[..., Any]], called: str, mistakes: Mistakes
) -> tuple[str, dict[str, Any]] | None:
    """What a table calls for: a name of the registry, under the key `called`, and its options, one value each."""
    before = len(mistakes)
    name, options = table.get(called), {k: v for k, v in table.items() if k != called}
    if not isinstance(name, str) or name not in registry:
        wrong = "is missing" if name is None else f"there is no {key.partition('[')[0] or called} {shown(name)}"
        mistakes.tell(join(key, called), f"{wrong}; {nearest(str(name), registry)}")
        return None
    known = {k: a for k, a in arguments(registry[name]).items() if not (a.kind == "other" and a.required)}
    axes = read_arguments(known, options, key, mistakes, swept=False)
    return (name, {option: axis.forms[0] for option, axis in axes.items()}) if len(mistakes) == before else None


def _problem(key: str, table: Mapping[str, Any], mistakes: Mistakes) -> Problem | None:
    label = table.get("label", table.get("name"))
    if "label" in table and not (isinstance(label, str) and re.fullmatch(NAME, label)):
        mistakes.tell(join(key, "label"), f"expected letters, digits and any of _ -; got {shown(label)}")
        return None
    made = _made_by(key, {k: v for k, v in table.items() if k != "label"}, PROBLEMS, "name", mistakes)
    try:
        return made and replace(PROBLEMS[made[0]](**made[1]), name=label)
    except (ValueError, ModuleNotFoundError) as error:
        mistakes.tell(key, str(error))
    return None


def _output(key: str, table: Mapping[str, Any], plots: Plots, mistakes: Mistakes) -> dict[str, Any] | None:
    made = _made_by(key, {k: v for k, v in table.items() if k != "problem"}, plots, "kind", mistakes)
    return made and {"key": key, "kind": made[0], "problem": table.get("problem"), "options": made[1]}


def _optimizers(key: str, table: Mapping[str, Any], mistakes: Mistakes) -> list[Optimizer]:
    """The optimizers of one table: one for each combination of what is compiled in, such as flags."""
    before = len(mistakes)
    label = table.get("label", table.get("name", table.get("spec")))
    fits = isinstance(label, str) and label and label.isprintable() and not label.startswith("_")
    if "label" in table and not fits:
        mistakes.tell(join(key, "label"), f"expected a printable text that does not start with _; got {shown(label)}")
    template = _template(key, table, mistakes)
    if template is None:
        return []
    spec, given = "spec" in table, {k: v for k, v in table.items() if k not in ("name", "spec", "label")}
    known = (
        {symbol.name: replace(a, default=REQUIRED) for symbol, a in template.symbols()}
        if spec
        else arguments(template.factory)
    )
    axes = read_arguments(known, given, key, mistakes, swept=True)
    if len(mistakes) > before:
        return []
    values = {symbol: numbers for axis in axes.values() for symbol, numbers in axis.values.items()}
    several = [name for name, axis in axes.items() if len(axis.forms) > 1]
    made = []
    for forms in itertools.product(*(axis.forms for axis in axes.values())):
        chosen = dict(zip(axes, forms, strict=True))
        full = template.with_numbers(chosen) if spec else call(template.name, template.factory, chosen)
        suffix = ", ".join(f"{name}={str(chosen[name]).lower()}" for name in several)
        made.append(Optimizer(key, f"{label} ({suffix})" if suffix else str(label), full, values))
    return made


def _template(key: str, table: Mapping[str, Any], mistakes: Mistakes) -> Call | None:
    """The call that an optimizer's table names or spells out."""
    given = [kind for kind in ("name", "spec") if kind in table]
    if len(given) != 1:
        came = "both" if given else "neither"
        mistakes.tell(key, f'expected either name = "adamlab.adam" or spec = "adamlab.adam(0.1)"; got {came}')
        return None
    (kind,) = given
    try:
        if not isinstance(table[kind], str):
            raise SpecError(f'expected a text, such as "adamlab.adam"; got {shown(table[kind])}')
        if kind == "name":
            return Call(table[kind], find(table[kind]), {})
        template = parse(table[kind])
        left_out = [
            name for name, a in arguments(template.factory).items() if a.required and name not in template.arguments
        ]
        if left_out:
            raise SpecError(f"{template.name} needs {', '.join(left_out)}: give a number, or a name that becomes a key")
        reserved = {symbol.name for symbol, _ in template.symbols()} & {"name", "spec", "label"}
        if reserved:
            raise SpecError(f'"{min(reserved)}" cannot name a number, since it is a key of its own')
        return template
    except SpecError as error:
        mistakes.tell(join(key, kind), str(error))
    return None


def _check_names(table: str, names: Sequence[str], mistakes: Mistakes):
    for name, count in Counter(names).items():
        if count > 1:
            mistakes.tell(table, f'{count} of them are called "{name}"; give each its own label')


def _check_record(data: Mapping[str, Any], problems: Sequence[Problem], mistakes: Mistakes):
    """Whether the problems have what is to be recorded, whatever else is wrong in the config."""
    record, steps = data.get("record"), data.get("steps")
    what, every = (record.get("what"), record.get("every")) if isinstance(record, dict) else (None, None)
    names = [name for name in what if isinstance(name, str)] if isinstance(what, list) else []
    known = ["loss", "params", *dict.fromkeys(metric for problem in problems for metric in problem.metrics)]
    for i, name in enumerate(names):
        if problems and name not in known:
            mistakes.tell(join("record", "what", i), f"there is no {shown(name)} to record; {nearest(name, known)}")
        elif name in names[:i]:
            mistakes.tell(join("record", "what", i), f"{shown(name)} is given twice")
    if type(every) is int and type(steps) is int and every > steps >= 1:
        mistakes.tell("record.every", f"expected at most the number of steps, {steps}; got {every}")


def _check_range(dtype: str, optimizers: Sequence[Optimizer], mistakes: Mistakes):
    largest = float(np.finfo(dtype).max)
    for optimizer in optimizers:
        numbers = [*optimizer.template.numbers().values(), *itertools.chain(*optimizer.axes.values())]
        if any(abs(number) > largest for number in numbers):
            mistakes.tell(optimizer.key, f"expected numbers that {dtype} holds, up to {largest:.3g}")


def check_output(
    output: Mapping[str, Any], quantities: Mapping[str, Sequence[str]], settings: Sequence[str], mistakes: Mistakes
):
    """Whether the picture's problem, quantity and setting are there to be drawn."""
    key, problem, options = output["key"], output["problem"], output["options"]
    if problem is not None and not (isinstance(problem, str) and problem in quantities):
        mistakes.tell(join(key, "problem"), f"{shown(problem)} is not run; {nearest(str(problem), quantities)}")
        return
    recorded = list(dict.fromkeys(q for name, known in quantities.items() if problem in (None, name) for q in known))
    if "what" in options and options["what"] not in recorded:
        what = options["what"]
        mistakes.tell(join(key, "what"), f"no {shown(what)} is recorded over steps; {nearest(what, recorded)}")
    if "setting" in options and options["setting"] not in settings:
        setting = options["setting"]
        mistakes.tell(join(key, "setting"), f"no optimizer is given a {shown(setting)}; {nearest(setting, settings)}")
