"""A config of readings: which states of which optimizers are wanted as formulas, and at which numbers their weights."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adamlab.calls import Argument, Call, arguments
from adamlab.errors import InputError, nearest
from adamlab.interpret.signs import Rate
from adamlab.problems import NAME
from adamlab.specs import parse
from adamlab.studies.axes import read_arguments
from adamlab.studies.config import Plots, check_output, read_outputs
from adamlab.studies.mistakes import ConfigError, Mistake, Mistakes, join, mistakes_of, shown
from adamlab.symbolic.open_optimizer import OpenOptimizer

MOST_STEPS, MOST_LAGS = 100, 1000

TAKEN = (
    {"reading", "label", "spec", "state", "step", "text", "latex", "mathml", "assumptions", "solved"}
    | {"setting", "reading_of", "lag", "lags", "weight", "power", "note"}
    | {"problem", "gradients", "sum", "halved_after"}
)
"""Names that mean something in the results of readings."""


@dataclass(frozen=True)
class Read:
    """One optimizer to be read.

    Attributes:
        key: where it stands in the config, such as "reading[1]".
        label: how tables and figures name it.
        opened: the optimizer; its numbers are symbols but for those that the config gives one value.
        spec: the same as text.
        fixed: the numbers that are given one value, by name; they stand in the formulas.
        swept: the values of others, which stay symbols in the formulas: the weights are taken at each of them.
        states: the fields whose formulas are wanted.
        lags: over how many gradients, the latest first, the weights are taken.
    """

    key: str
    label: str
    opened: OpenOptimizer
    spec: str
    fixed: Mapping[str, float]
    swept: Mapping[str, tuple[float, ...]]
    states: tuple[str, ...]
    lags: int

    def settings(self) -> list[dict[str, float]]:
        """Every combination of the swept values, the last number fastest."""
        return [dict(zip(self.swept, values, strict=True)) for values in itertools.product(*self.swept.values())]


@dataclass(frozen=True)
class Readings:
    """A config of readings, read and checked; `source` is its plain data."""

    name: str
    question: str
    steps: int
    superscripts: bool
    reads: tuple[Read, ...]
    outputs: tuple[Mapping[str, Any], ...]
    source: Mapping[str, Any]


def load_readings(data: Mapping[str, Any], plots: Plots, where: str = "the config") -> Readings:
    """The readings that a config's plain data describes.

    Raises:
        ConfigError: with every mistake in the data.
    """
    mistakes, head = Mistakes(), None
    try:
        head = _Head.model_validate(data)
    except ValidationError as error:
        mistakes += mistakes_of(error, _Head)
    tables = data["reading"] if isinstance(data["reading"], list) else []
    found = [_read(join("reading", i), table, mistakes) for i, table in enumerate(tables) if isinstance(table, dict)]
    reads = tuple(filter(None, found))
    _require_different(reads, mistakes)
    outputs = read_outputs(data, plots, mistakes)
    for output in outputs:
        check_output(output, {"readings": []}, [name for read in reads for name in read.swept], mistakes)
    if head is None or mistakes:
        raise ConfigError(where, mistakes)
    return Readings(head.name, head.question, head.steps, head.superscripts, reads, tuple(outputs), data)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Head(_Strict):
    name: str = Field(pattern=f"^{NAME}$")
    question: str = ""
    steps: int = Field(default=5, ge=1, le=MOST_STEPS)
    superscripts: bool = False
    reading: list[dict[str, Any]] = Field(min_length=1)
    output: list[dict[str, Any]] = []


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class _Table(_Strict):
    spec: str
    label: str | None = None
    state: Annotated[list[str] | None, BeforeValidator(_listed), Field(min_length=1)] = None
    lags: int = Field(default=100, ge=1, le=MOST_LAGS)


def _read(key: str, table: Mapping[str, Any], mistakes: Mistakes) -> Read | None:
    before = len(mistakes)
    options = _options(key, {name: value for name, value in table.items() if name in _Table.model_fields}, mistakes)
    call = _call(key, table.get("spec"), mistakes)
    given = {name: value for name, value in table.items() if name not in _Table.model_fields}
    numbers = {} if call is None else _numbers(key, call, given, mistakes)
    if options is None or call is None or len(mistakes) > before:
        return None
    swept = {name: values for name, values in numbers.items() if isinstance(given[name], (list, Mapping))}
    fixed = {name: value for name, (value, *_) in numbers.items() if name not in swept}
    opened = _opened(key, call, fixed, swept, mistakes)
    if opened is None:
        return None
    states = _states(key, opened, options.state, mistakes)
    label = options.label or options.spec
    made = Read(key, label, opened, options.spec, fixed, swept, states, options.lags)
    return made if len(mistakes) == before else None


def _options(key: str, table: Mapping[str, Any], mistakes: Mistakes) -> _Table | None:
    try:
        return _Table.model_validate(table)
    except ValidationError as error:
        mistakes += [Mistake(join(key, m.key), m.message) for m in mistakes_of(error, _Table)]
    return None


def _call(key: str, spec: Any, mistakes: Mistakes) -> Call | None:
    try:
        return parse(spec) if isinstance(spec, str) else None
    except InputError as error:
        mistakes.tell(join(key, "spec"), str(error))
    return None


def _numbers(key: str, call: Call, given: Mapping[str, Any], mistakes: Mistakes) -> dict[str, tuple[float, ...]]:
    """The values of each number that the table gives: of names that the spec leaves open, and of further arguments."""
    names = {symbol.name: argument for symbol, argument in call.symbols()}
    others = {name: a for name, a in arguments(call.factory).items() if name not in call.arguments}
    numeric = {name: a for name, a in {**others, **names}.items() if a.kind in ("number", "decay")}
    if clash := sorted(TAKEN & names.keys()):
        mistakes.tell(join(key, "spec"), f'"{clash[0]}" cannot name a number, since it has a meaning of its own')
    known = {name: _optional(name, argument) for name, argument in numeric.items()}
    axes = read_arguments(known, given, key, mistakes)
    return {name: tuple(axis.listed()) for name, axis in axes.items()}


def _optional(name: str, argument: Argument) -> Argument:
    return replace(argument, name=name, default=0.0, schedule=False)


def _opened(
    key: str, call: Call, fixed: Mapping[str, float], swept: Mapping[str, tuple[float, ...]], mistakes: Mistakes
) -> OpenOptimizer | None:
    """The optimizer opened; what is swept has to be a symbol in it, and within what the formulas are assumed for."""
    try:
        opened = OpenOptimizer.of(call, fixed, symbols=swept.keys() & arguments(call.factory).keys())
    except InputError as error:
        mistakes.tell(join(key, "spec"), str(error))
        return None
    for name, values in swept.items():
        if name not in opened.hyper:
            mistakes.tell(join(key, name), "cannot be left open, since the code branches on it; give one number")
        elif isinstance(opened.hyper[name], Rate) and not all(0 < value < 1 for value in values):
            mistakes.tell(join(key, name), f"expected numbers between 0 and 1, as a rate is; got {shown([*values])}")
        elif not all(value > 0 for value in values):
            mistakes.tell(join(key, name), f"expected numbers greater than 0; got {shown([*values])}")
    return opened


def _states(key: str, opened: OpenOptimizer, wanted: list[str] | None, mistakes: Mistakes) -> tuple[str, ...]:
    """The fields that are wanted; by default all that hold floats."""
    leaves = jax.tree.leaves(opened.programs.init.shapes)
    floats = [f for f, leaf in zip(opened.fields, leaves, strict=True) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    if not floats:
        mistakes.tell(join(key, "spec"), f"{opened.subject.title} keeps no state to read")
    for i, name in enumerate(wanted or []):
        if floats and name not in floats:
            mistakes.tell(join(key, "state", i), f"there is no state {shown(name)}; {nearest(name, floats)}")
    return tuple(floats if wanted is None else wanted)


def _require_different(reads: tuple[Read, ...], mistakes: Mistakes):
    seen: set[tuple[str, str]] = set()
    for read in reads:
        for state in read.states:
            if (read.label, state) in seen:
                mistakes.tell(read.key, f'{state} of "{read.label}" is read already; give each its own label')
            seen.add((read.label, state))
