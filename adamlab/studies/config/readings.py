"""Configs of readings: states of optimizers wanted as formulas, and the numbers at which their weights are taken."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from pydantic import BeforeValidator, Field

from adamlab.calls import Argument, Call, arguments
from adamlab.errors import InputError, nearest
from adamlab.interpret.signs import Rate
from adamlab.specs import parse
from adamlab.studies.config.errors import ConfigError, Mistakes, join, shown
from adamlab.studies.config.schema import MOST_NAMES, Head, Schema, Tables, as_list, read_table
from adamlab.studies.config.study import Config
from adamlab.studies.config.tables.optimizers import check_label
from adamlab.studies.config.tables.outputs import Plots, check_output, read_outputs, tables_of
from adamlab.studies.config.values.axes import read_arguments
from adamlab.studies.config.values.reserved import READING_NAMES
from adamlab.symbolic.open_optimizer import OpenOptimizer

MOST_STEPS, MOST_LAGS = 100, 1000

MOST_WEIGHED = 10_000
"""The greatest number of settings and states in which weights are taken; each takes a part of a second."""


@dataclass(frozen=True)
class Read:
    """A reading to compute: the states of one optimizer.

    Attributes:
        key: its place in the config, such as "reading[1]".
        label: its name in tables and figures.
        opened: the optimizer; its numbers are symbols but for those that the config gives one value.
        spec: the optimizer as text.
        fixed: the numbers that are given one value, by name; the formulas contain them.
        swept: the values of other numbers, which stay symbols in the formulas; weights are taken at each of them.
        states: the fields to read.
        lags: the number of latest gradients whose weights are taken.
    """

    key: str
    label: str
    opened: OpenOptimizer
    spec: str
    fixed: Mapping[str, float]
    swept: Mapping[str, tuple[float, ...]]
    states: tuple[str, ...]
    lags: int

    def weighed(self) -> int:
        """The number of settings and states in which weights are taken."""
        return prod(map(len, self.swept.values())) * len(self.states)

    def settings(self) -> list[dict[str, float]]:
        """Every combination of the swept values, the last number fastest."""
        return [dict(zip(self.swept, values, strict=True)) for values in itertools.product(*self.swept.values())]


@dataclass(frozen=True)
class Readings(Config):
    """A config of readings, read and checked.

    Attributes:
        reads: the readings to compute.
    """

    head: "ReadingsHead"
    reads: tuple[Read, ...]

    def calls(self) -> Iterable[Call]:
        """Every optimizer in it."""
        return (read.opened.subject.call for read in self.reads)


class ReadingsHead(Head):
    """A config of readings; its tables are still plain data."""

    steps: int = Field(default=5, ge=1, le=MOST_STEPS)
    superscripts: bool = False
    reading: Tables = Field(min_length=1)


class ReadSchema(Schema):
    """[[reading]]: a spec and the states to read; further keys are numbers."""

    spec: str
    label: str | None = None
    state: Annotated[list[str] | None, BeforeValidator(as_list), Field(min_length=1, max_length=MOST_NAMES)] = None
    lags: int = Field(default=100, ge=1, le=MOST_LAGS)


def read_readings(data: Mapping[str, Any], plots: Plots, where: str = "the config") -> Readings:
    """The readings that a config's plain data describes.

    Args:
        data: the data, from `adamlab.studies.config.toml.read_config`.
        plots: the plots by name.
        where: the file's name, for messages.

    Raises:
        ConfigError: with every mistake in the data.
    """
    mistakes = Mistakes(where)
    head = read_table(ReadingsHead, data, mistakes)
    reads: list[Read] = []
    for key, table in tables_of(data, "reading", mistakes):
        if read := _read(key, table, MOST_WEIGHED - sum(map(Read.weighed, reads)), mistakes):
            reads.append(read)
    _require_different(reads, mistakes)
    outputs = read_outputs(data, plots, mistakes)
    for output in outputs:
        check_output(output, {"readings": []}, [name for read in reads for name in read.swept], mistakes)
    if head is None or mistakes:
        raise ConfigError(where, mistakes)
    return Readings(head=head, outputs=tuple(outputs), source=data, reads=tuple(reads))


def _read(key: str, table: Mapping[str, Any], room: int, mistakes: Mistakes) -> Read | None:
    before = len(mistakes)
    own = {name: value for name, value in table.items() if name in ReadSchema.model_fields}
    options = read_table(ReadSchema, own, mistakes, key)
    call = _call(key, table.get("spec"), mistakes)
    given = {name: value for name, value in table.items() if name not in ReadSchema.model_fields}
    numbers = {} if call is None else _numbers(key, call, given, mistakes)
    if options is not None and options.label is not None:
        check_label(options.label, join(key, "label"), mistakes)
    if options is None or call is None or len(mistakes) > before:
        return None
    swept = {name: values for name, values in numbers.items() if isinstance(given[name], (list, Mapping))}
    fixed = {name: value for name, (value, *_) in numbers.items() if name not in swept}
    opened = _opened(key, call, fixed, swept, mistakes)
    if opened is None:
        return None
    states = _states(key, opened, options.state, mistakes)
    label = options.label or options.spec
    read = Read(key, label, opened, options.spec, fixed, swept, states, options.lags)
    if (count := read.weighed()) > room:
        product = " × ".join(f"{len(values):,}" for values in [*swept.values(), states])
        message = f"expected weights in at most {MOST_WEIGHED:,} places in all; here are {product} = {count:,}"
        mistakes.tell(key, message)
    return read if len(mistakes) == before else None


def _call(key: str, spec: Any, mistakes: Mistakes) -> Call | None:
    try:
        return parse(spec) if isinstance(spec, str) else None
    except InputError as error:
        mistakes.tell(join(key, "spec"), str(error))
    return None


def _numbers(key: str, call: Call, given: Mapping[str, Any], mistakes: Mistakes) -> dict[str, tuple[float, ...]]:
    """The values of each number in the table: of names that the spec leaves open, and of further arguments."""
    names = {symbol.name: argument for symbol, argument in call.symbols()}
    others = {name: a for name, a in arguments(call.factory).items() if name not in call.arguments}
    numeric = {name: a for name, a in {**others, **names}.items() if a.kind in ("number", "decay")}
    if clash := sorted({*ReadSchema.model_fields, *READING_NAMES} & names.keys()):
        mistakes.tell(join(key, "spec"), f'"{clash[0]}" cannot name a number, since it has a meaning of its own')
    known = {name: _optional(name, argument) for name, argument in numeric.items()}
    axes = read_arguments(known, given, key, mistakes)
    return {name: tuple(axis.listed()) for name, axis in axes.items()}


def _optional(name: str, argument: Argument) -> Argument:
    return replace(argument, name=name, default=0.0, schedule=False)


def _opened(
    key: str, call: Call, fixed: Mapping[str, float], swept: Mapping[str, tuple[float, ...]], mistakes: Mistakes
) -> OpenOptimizer | None:
    """The optimizer with its numbers left open; swept ones have to be symbols, within what the formulas assume."""
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
    """The fields to read; by default all that hold floats."""
    leaves = jax.tree.leaves(opened.programs.init.shapes)
    floats = [f for f, leaf in zip(opened.fields, leaves, strict=True) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    if not floats:
        mistakes.tell(join(key, "spec"), f"{opened.subject.title} keeps no state to read")
    for i, name in enumerate(wanted or []):
        if floats and name not in floats:
            mistakes.tell(join(key, "state", i), f"there is no state {shown(name)}; {nearest(name, floats)}")
    return tuple(floats if wanted is None else wanted)


def _require_different(reads: Sequence[Read], mistakes: Mistakes):
    seen: set[tuple[str, str]] = set()
    for read in reads:
        for state in read.states:
            if (read.label, state) in seen:
                mistakes.tell(read.key, f'{state} of "{read.label}" is read already; give each its own label')
            seen.add((read.label, state))
