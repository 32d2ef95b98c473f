"""Configs of comparisons: pairs of optimizers, over types, contexts and numbers."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from adamlab.calls import FLOATS, REQUIRED, Argument, Call, SpecError
from adamlab.errors import InputError, reason
from adamlab.interpret.programs import Subject, names_in
from adamlab.parity.families import FAMILIES
from adamlab.parity.trajectories import CONTEXTS, LAYOUTS
from adamlab.specs import parse
from adamlab.studies.config.errors import ConfigError, Mistakes, join, shown
from adamlab.studies.config.schema import MOST_NAMES, Head, Schema, Tables, as_list, read_table
from adamlab.studies.config.study import Config
from adamlab.studies.config.tables.optimizers import check_label
from adamlab.studies.config.tables.outputs import Plots, check_output, read_outputs, tables_of
from adamlab.studies.config.values.axes import check_complements, read_arguments
from adamlab.studies.config.values.reserved import COMPARISON_NAMES
from adamlab.types import Decay

SWEPT = ("dtype", "context", "layout")
"""The keys of a comparison that can have several values."""

SIDES = ("left", "right")

MOST_PAIRS = 10_000
"""The greatest number of comparisons; each takes a second or more."""


@dataclass(frozen=True)
class Pair:
    """A comparison to compute: its label, the arguments of `al.compare`, the numbers that were set, and its table."""

    key: str
    label: str
    arguments: Mapping[str, Any]
    settings: Mapping[str, float]


@dataclass(frozen=True)
class Comparisons(Config):
    """A config of comparisons, read and checked.

    Attributes:
        pairs: the comparisons to compute.
    """

    pairs: tuple[Pair, ...]

    def calls(self) -> Iterable[Call]:
        """Every optimizer in it."""
        return (pair.arguments[side] for pair in self.pairs for side in SIDES)


class ComparisonsHead(Head):
    """A config of comparisons; its tables are still plain data."""

    steps: int = Field(default=1000, ge=1, le=10**6)
    compare: Tables = Field(min_length=1)


OneOrMore = Annotated[list[str], BeforeValidator(as_list), Field(min_length=1, max_length=MOST_NAMES)]


class PairSchema(Schema):
    """[[compare]]: two specs, and the ways in which they are compared; further keys are numbers."""

    left: str
    right: str
    label: str | None = None
    dtype: OneOrMore = Field(default=["float32"])
    context: OneOrMore = Field(default=["jit"])
    layout: OneOrMore = Field(default=["tree"])
    families: list[str] = Field(default=[*FAMILIES], min_length=1, max_length=MOST_NAMES)
    exact: bool = True
    seed: int = Field(default=0, ge=0)


def read_comparisons(data: Mapping[str, Any], plots: Plots, where: str = "the config") -> Comparisons:
    """The comparisons that a config's plain data describes.

    Args:
        data: the data, from `adamlab.studies.config.toml.read_config`.
        plots: the plots by name.
        where: the file's name, for messages.

    Raises:
        ConfigError: with every mistake in the data.
    """
    mistakes = Mistakes(where)
    head = read_table(ComparisonsHead, data, mistakes)
    pairs: list[Pair] = []
    for key, table in tables_of(data, "compare", mistakes):
        pairs += _pairs(key, table, MOST_PAIRS - len(pairs), mistakes)
    settings = list(dict.fromkeys(name for pair in pairs for name in pair.settings))
    outputs = read_outputs(data, plots, mistakes)
    for output in outputs:
        check_output(output, {"comparisons": []}, settings, mistakes)
    if head is None or mistakes:
        raise ConfigError(where, mistakes)
    return Comparisons(head=head, outputs=tuple(outputs), source=data, pairs=tuple(pairs))


def _pairs(key: str, table: Mapping[str, Any], room: int, mistakes: Mistakes) -> list[Pair]:
    """The comparisons of a table: one for each combination of types, contexts, layouts and numbers, up to `room`."""
    before = len(mistakes)
    options = _options(key, {name: value for name, value in table.items() if name in PairSchema.model_fields}, mistakes)
    calls = [_spec(join(key, side), table.get(side), mistakes) for side in SIDES]
    symbols = {symbol.name: argument for call in calls if call for symbol, argument in call.symbols()}
    clash = sorted(symbols.keys() & {*PairSchema.model_fields, *COMPARISON_NAMES})
    if clash:
        mistakes.tell(key, f'"{clash[0]}" cannot name a number, since it has a meaning of its own')
    given = {name: value for name, value in table.items() if name not in PairSchema.model_fields}
    axes = {} if clash or None in calls else _axes(calls, symbols, given, key, mistakes)
    if options is None or len(mistakes) > before:
        return []
    lengths = [*(len(getattr(options, name)) for name in SWEPT), *map(len, axes.values())]
    if (count := prod(lengths)) > room:
        product = " × ".join(f"{length:,}" for length in lengths if length > 1)
        mistakes.tell(key, f"expected at most {MOST_PAIRS:,} comparisons in all; here are {product} = {count:,}")
        return []
    fixed = {"left": calls[0], "right": calls[1]}
    fixed |= {"families": options.families, "exact": options.exact, "seed": options.seed}
    pairs = []
    for values in itertools.product(*(getattr(options, name) for name in SWEPT), *axes.values()):
        way, numbers = dict(zip(SWEPT, values, strict=False)), dict(zip(axes, values[len(SWEPT) :], strict=True))
        settings = dict(_setting(name, value) for name, value in numbers.items())
        _try(key, calls, numbers, mistakes)
        pairs.append(Pair(key, options.label or options.left, fixed | way | {"hyper": numbers}, settings))
    return pairs


def _try(key: str, calls: Sequence[Any], numbers: Mapping[str, Any], mistakes: Mistakes):
    """Build both optimizers, so that numbers they cannot take are mistakes in the config."""
    for side, call in zip(SIDES, calls, strict=True):
        try:
            Subject.of(call, {name: value for name, value in numbers.items() if name in names_in(call)}).build()
        except Exception as error:  # whatever a factory raises
            mistakes.tell(join(key, side), f"cannot be built: {reason(error, 200)}")


def _options(key: str, table: Mapping[str, Any], mistakes: Mistakes) -> PairSchema | None:
    read = Mistakes()
    options = read_table(PairSchema, table, read, key)
    sides = [join(key, side) for side in SIDES]
    mistakes += [mistake for mistake in read if mistake.key not in sides]  # `_spec` reports those of the sides
    if options is None:
        return None
    if options.label is not None:
        check_label(options.label, join(key, "label"), mistakes)
    for what, known in (("dtype", FLOATS), ("context", CONTEXTS), ("layout", LAYOUTS), ("families", FAMILIES)):
        names = getattr(options, what)
        for i, name in enumerate(names):
            if name not in known:
                mistakes.tell(join(key, what, i), f"expected one of {', '.join(known)}; got {shown(name)}")
            elif name in names[:i]:
                mistakes.tell(join(key, what, i), f"{shown(name)} is given twice")
    return options


def _spec(key: str, text: Any, mistakes: Mistakes) -> Call | None:
    try:
        if not isinstance(text, str):
            raise SpecError("is missing" if text is None else f"expected a spec, a text in quotes; got {shown(text)}")
        call = parse(text)
        Subject.of(call)
        return call
    except InputError as error:
        mistakes.tell(key, str(error))
    return None


def _axes(
    calls: Sequence[Call | None],
    symbols: Mapping[str, Argument],
    table: Mapping[str, Any],
    key: str,
    mistakes: Mistakes,
) -> dict[str, list[Any]]:
    """The values of every symbol."""
    known = {name: replace(argument, name=name, default=REQUIRED, schedule=False) for name, argument in symbols.items()}
    axes = read_arguments(known, table, key, mistakes, complements=True)
    for call in filter(None, calls):
        check_complements(call, ((symbol.name, argument) for symbol, argument in call.symbols()), axes, key, mistakes)
    return {name: axis.listed() for name, axis in axes.items()}


def _setting(name: str, value: Any) -> tuple[str, float]:
    return (f"1-{name}", float(value.complement)) if isinstance(value, Decay) else (name, float(value))
