"""A config of comparisons: pairs of optimizers, over types, contexts and numbers, each compared by `al.compare`."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import xarray as xr
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adamlab.calls import FLOATS, REQUIRED, Argument, Call, SpecError
from adamlab.errors import InputError
from adamlab.interpret.programs import Subject, names_in
from adamlab.parity.comparison import Comparison, compare
from adamlab.parity.families import FAMILIES
from adamlab.parity.trajectories import CONTEXTS, LAYOUTS
from adamlab.problems import NAME
from adamlab.specs import parse
from adamlab.studies.axes import read_arguments
from adamlab.studies.config import Plots, check_output, read_outputs
from adamlab.studies.listening import Listener
from adamlab.studies.mistakes import ConfigError, Mistake, Mistakes, join, mistakes_of, shown
from adamlab.types import Decay

SWEPT = ("dtype", "context", "layout")
"""Keys of a comparison that can have several values."""

SIDES = ("left", "right")


@dataclass(frozen=True)
class Pair:
    """One comparison to be made: its label, what `al.compare` is given, and the numbers that were set, by name."""

    label: str
    arguments: Mapping[str, Any]
    settings: Mapping[str, float]


@dataclass(frozen=True)
class Comparisons:
    """A config of comparisons, read and checked; `source` is its plain data."""

    name: str
    question: str
    steps: int
    pairs: tuple[Pair, ...]
    outputs: tuple[Mapping[str, Any], ...]
    source: Mapping[str, Any]


def load_comparisons(data: Mapping[str, Any], plots: Plots, where: str = "the config") -> Comparisons:
    """The comparisons that a config's plain data describes.

    Raises:
        ConfigError: with every mistake in the data.
    """
    mistakes, head = Mistakes(), None
    try:
        head = _Head.model_validate(data)
    except ValidationError as error:
        mistakes += mistakes_of(error, _Head)
    tables = data["compare"] if isinstance(data["compare"], list) else []
    pairs = [
        pair
        for i, table in enumerate(tables)
        if isinstance(table, dict)
        for pair in _pairs(join("compare", i), table, mistakes)
    ]
    settings = list(dict.fromkeys(name for pair in pairs for name in pair.settings))
    outputs = read_outputs(data, plots, mistakes)
    for output in outputs:
        check_output(output, {"comparisons": []}, settings, mistakes)
    if head is None or mistakes:
        raise ConfigError(where, mistakes)
    return Comparisons(head.name, head.question, head.steps, tuple(pairs), tuple(outputs), data)


def compare_all(comparisons: Comparisons, listener: Listener) -> xr.Dataset:
    """Makes every comparison.

    Returns:
        Variables over comparison × family: the columns of `Comparison.table`, with −1 for a first difference that is
        not there and NaN for what was not asked for. Coordinates of a comparison: `label`, `left`, `right`, `dtype`,
        `context`, `layout`, `kind`, `verdict`, and each number that the config sets; of a family, the bug it `sees`.
    """
    listener.begin(len(comparisons.pairs), comparisons.steps)
    found = []
    for pair in comparisons.pairs:
        ways = ", ".join(pair.arguments[way] for way in SWEPT)
        listener.working_on(f"{pair.label} in {ways}")
        found.append(compare(**pair.arguments, steps=comparisons.steps))
        listener.advance(1)
    return _dataset(comparisons.pairs, found)


def _dataset(pairs: Sequence[Pair], found: Sequence[Comparison]) -> xr.Dataset:
    families = [name for name in FAMILIES if any(record["family"] == name for c in found for record in c.families)]
    by_family = [{record["family"]: record for record in c.families} for c in found]
    columns = dict.fromkeys(name for c in found for name in c.families[0] if name not in ("family", "sees"))
    grids = {name: [[one.get(f, {}).get(name) for f in families] for one in by_family] for name in columns}
    variables = {
        name: (("comparison", "family"), np.array([[_number(name, x) for x in row] for row in grid]))
        for name, grid in grids.items()
    }
    settings = list(dict.fromkeys(name for pair in pairs for name in pair.settings))
    texts = {name: [getattr(c, name) for c in found] for name in ("left", "right", *SWEPT, "kind", "verdict")}
    texts["label"] = [pair.label for pair in pairs]
    coordinates = {name: ("comparison", np.array(values, object)) for name, values in texts.items()} | {
        name: ("comparison", np.array([pair.settings.get(name, np.nan) for pair in pairs])) for name in settings
    }
    sees = np.array([FAMILIES[name].sees for name in families], object)
    made = xr.Dataset(variables, {**coordinates, "family": np.array(families, object), "sees": ("family", sees)})
    return made.assign_attrs(
        of="comparisons", problem="comparisons", metrics=[], settings=settings, source="Errors in ulp; al.compare."
    )


def _number(column: str, value: Any) -> float | int:
    if column in ("differing_bits", "first_difference"):
        return -1 if value is None else int(value)
    return np.nan if value is None else float(value)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Head(_Strict):
    name: str = Field(pattern=f"^{NAME}$")
    question: str = ""
    steps: int = Field(default=1000, ge=1, le=10**6)
    compare: list[dict[str, Any]] = Field(min_length=1)
    output: list[dict[str, Any]] = []


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


OneOrMore, AtLeastOne = BeforeValidator(_listed), Field(min_length=1)


class _Pair(_Strict):
    left: str
    right: str
    label: str | None = None
    dtype: Annotated[list[str], OneOrMore, AtLeastOne] = ["float32"]
    context: Annotated[list[str], OneOrMore, AtLeastOne] = ["jit"]
    layout: Annotated[list[str], OneOrMore, AtLeastOne] = ["tree"]
    families: list[str] = Field(default=[*FAMILIES], min_length=1)
    exact: bool = True
    seed: int = Field(default=0, ge=0)


TAKEN = (
    {*_Pair.model_fields, "family", "sees", "comparison", "kind", "verdict", "gap", "exact_gap"}
    | {f"{what}_{how}" for what in ("apart", *SIDES) for how in ("median", "max")}
    | {"differing_bits", "first_difference"}
)
"""Names that mean something in a table of comparisons, or in the results."""


def _pairs(key: str, table: Mapping[str, Any], mistakes: Mistakes) -> list[Pair]:
    """The comparisons of one table: one for each combination of types, contexts, layouts and numbers."""
    before = len(mistakes)
    options = _options(key, {name: value for name, value in table.items() if name in _Pair.model_fields}, mistakes)
    calls = [_spec(join(key, side), table.get(side), mistakes) for side in SIDES]
    symbols = {symbol.name: argument for call in calls if call for symbol, argument in call.symbols()}
    clash = sorted(symbols.keys() & TAKEN)
    if clash:
        mistakes.tell(key, f'"{clash[0]}" cannot name a number, since it has a meaning of its own')
    given = {name: value for name, value in table.items() if name not in _Pair.model_fields}
    axes = {} if clash or None in calls else _axes(calls, symbols, given, key, mistakes)
    if options is None or len(mistakes) > before:
        return []
    fixed = {"left": calls[0], "right": calls[1]}
    fixed |= {"families": options.families, "exact": options.exact, "seed": options.seed}
    pairs = []
    for values in itertools.product(*(getattr(options, name) for name in SWEPT), *axes.values()):
        way, numbers = dict(zip(SWEPT, values, strict=False)), dict(zip(axes, values[len(SWEPT) :], strict=True))
        settings = dict(_setting(name, value) for name, value in numbers.items())
        _try(key, calls, numbers, mistakes)
        pairs.append(Pair(options.label or options.left, fixed | way | {"hyper": numbers}, settings))
    return pairs


def _try(key: str, calls: Sequence[Any], numbers: Mapping[str, Any], mistakes: Mistakes):
    """Builds both optimizers, so that numbers they cannot take are mistakes in the config."""
    for side, call in zip(SIDES, calls, strict=True):
        try:
            Subject.of(call, {name: value for name, value in numbers.items() if name in names_in(call)}).build()
        except Exception as error:  # whatever a factory raises
            message = f"cannot be built: {' '.join(str(error).split())[:200]}"
            if (join(key, side), message) not in [(m.key, m.message) for m in mistakes]:
                mistakes.tell(join(key, side), message)


def _options(key: str, table: Mapping[str, Any], mistakes: Mistakes) -> _Pair | None:
    try:
        options = _Pair.model_validate(table)
    except ValidationError as error:
        mistakes += [Mistake(join(key, m.key), m.message) for m in mistakes_of(error, _Pair) if m.key not in SIDES]
        return None
    for what, known in (("dtype", FLOATS), ("context", CONTEXTS), ("layout", LAYOUTS), ("families", FAMILIES)):
        for i, name in enumerate(getattr(options, what)):
            if name not in known:
                mistakes.tell(join(key, what, i), f"expected one of {', '.join(known)}; got {shown(name)}")
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
    """The values of every symbol; of a decay, { complement = … } gives what is left to 1."""
    plain, complements = {}, []
    for name, value in table.items():
        is_complement = isinstance(value, Mapping) and value.keys() == {"complement"} and name in symbols
        plain[name] = value["complement"] if is_complement else value
        complements += [name] if is_complement else []
    for call in filter(None, calls):
        for symbol, argument in call.symbols():
            if symbol.name in complements and call.library == "adamlab" and argument.kind != "decay":
                mistakes.tell(join(key, symbol.name), f"{call.name} has no decay here that its complement could give")
    known = {name: replace(argument, name=name, default=REQUIRED, schedule=False) for name, argument in symbols.items()}
    axes = read_arguments(known, plain, key, mistakes)
    return {
        name: [Decay(complement=x) for x in axis.listed()] if name in complements else axis.listed()
        for name, axis in axes.items()
    }


def _setting(name: str, value: Any) -> tuple[str, float]:
    return (f"1-{name}", float(value.complement)) if isinstance(value, Decay) else (name, float(value))
