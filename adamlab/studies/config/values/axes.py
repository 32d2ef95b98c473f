"""Axes: the values that a config gives an argument, as a number, a list, a range, or a schedule made of such."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from math import prod
from typing import Any

import numpy as np

from adamlab.calls import REQUIRED, Argument, Call, SpecError, Symbol, arguments, call
from adamlab.errors import nearest
from adamlab.specs import find_schedule
from adamlab.studies.config.errors import Mistakes, join, shown
from adamlab.studies.config.values.designs import DRAWN, GRID, MOST_SETTINGS, Design, Interval, Points, Values, drawn
from adamlab.studies.config.values.expressions import Coupled, names_used, parse_expression
from adamlab.types import Decay

RANGES: Mapping[str, Callable[[float, float, int], np.ndarray]] = {"log": np.geomspace, "linear": np.linspace}
INTERVALS = ("uniform", "loguniform")
FARTHEST = 1e307

MOST_VALUES = 3 * 10**6
"""The greatest number of values in one table that are drawn or go in step; some seconds of work."""


@dataclass(frozen=True)
class Axis:
    """The values of one argument: forms that are compiled in, and the numbers of the symbols in them.

    Attributes:
        forms: literals, a symbol, or calls of schedules; each form becomes a program of its own.
        values: the numbers of each symbol.
        coupled: the symbols whose numbers are computed from others.
        are_named: whether labels say the form though it be the only one, so that others can join it.
    """

    forms: list[Any]
    values: Mapping[str, Values] = field(default_factory=dict)
    coupled: Mapping[str, Coupled] = field(default_factory=dict)
    are_named: bool = False

    @property
    def is_complement(self) -> bool:
        """Whether the values are of 1 − b in place of a decay b."""
        form = self.forms[0]
        return isinstance(form, Decay) or (isinstance(form, Symbol) and form.complement)

    def listed(self) -> list[Any]:
        """The values in a list, whether they are symbols' or forms."""
        points = [point for values in self.values.values() for point in values.points]
        return [Decay(complement=point) for point in points] if points and self.is_complement else points or self.forms


def read_arguments(
    known: Mapping[str, Argument],
    table: Mapping[str, Any],
    key: str,
    mistakes: Mistakes,
    design: Design | None = GRID,
    *,
    listed: bool = False,
    complements: bool = False,
    coupled: bool = False,
    others: Collection[str] = (),
    prefix: str = "",
) -> dict[str, Axis]:
    """Read a table whose keys name arguments.

    Args:
        known: the arguments by name.
        table: plain data, as TOML gives it.
        key: the table's place in the config, for messages.
        mistakes: receives the mistakes.
        design: the design of arguments with several values; None where an argument can only have one.
        listed: whether a list gives an argument several values even without a design.
        complements: whether { complement = … } can give a decay b by 1 − b.
        coupled: whether an expression can give a number by others.
        others: the keys that such a table has beside arguments, for hints.
        prefix: the beginning of symbols' names, ahead of the argument's.

    Returns:
        The axis of each argument whose value has no mistake.
    """
    unused = "there is no such key" + (", and no expression uses it" if coupled and names_used(table) else "")
    for name in table.keys() - known.keys():
        mistakes.tell(join(key, name), f"{unused}; {_hint(name, known, others)}")
    for name, argument in known.items():
        if argument.required and name not in table:
            mistakes.tell(join(key, name), "is missing")
    if problem := _too_many(known, table, design):
        mistakes.tell(key, problem)
        return {}
    readers = {name: _Reader(known[name], design, listed, complements, coupled) for name in table if name in known}
    read = {
        name: reader.read(prefix + name, table[name], join(key, name), mistakes) for name, reader in readers.items()
    }
    return {name: axis for name, axis in read.items() if axis is not None}


def _hint(name: str, known: Collection[str], others: Collection[str]) -> str:
    """The hint from a wrong key to the nearest of all keys, if that is very near, or else to the nearest argument."""
    hint = nearest(name, known)
    is_argument = hint.startswith("did you mean") and not get_close_matches(name, others, cutoff=0.75)
    return hint if is_argument else nearest(name, [*known, *others])


def _too_many(known: Mapping[str, Argument], table: Mapping[str, Any], design: Design | None) -> str | None:
    """The mistake of a table whose values, which are yet to be made, are too many."""
    counts = [_count(value) for name, value in table.items() if name in known and known[name].kind != "steps list"]
    several = [count for count in counts if count > 1]
    if design is None:
        return None
    if design.draws:
        return _beyond(MOST_VALUES, "numbers", [design.count, len(counts)])
    if design.kind == "zip":
        return _beyond(MOST_VALUES, "numbers", [sum(several)])
    return _beyond(MOST_SETTINGS, "settings", several)


def _beyond(most: int, what: str, factors: Sequence[int]) -> str | None:
    if (total := prod(factors)) <= most:
        return None
    product = " × ".join(f"{factor:,}" for factor in factors)
    return f"expected at most {most:,} {what}; got {product}" + (f" = {total:,}" if len(factors) > 1 else "")


def values_in(table: Mapping[str, Any]) -> int:
    """The number of values that a table asks for, those of its schedules and what is drawn included."""
    drawn = [table[way] for way in DRAWN if type(table.get(way)) is int]
    inner = [value for value in table.values() if isinstance(value, Mapping)]
    return max(drawn, default=0) + sum(map(values_in, inner)) + sum(map(_count, table.values()))


def _count(value: Any) -> int:
    """The number of values in a list or range; 1 where it is something else, or no range that can be read."""
    if isinstance(value, Mapping) and value.keys() in ({"complement"}, {"choice"}, {"compiled"}):
        return _count(*value.values())
    if isinstance(value, list):
        return len(value)
    bounds = next(iter(value.values())) if isinstance(value, Mapping) and len(value) == 1 else None
    count = bounds[2] if isinstance(bounds, list) and len(bounds) == 3 else 1
    return count if type(count) is int and 1 <= count <= MOST_SETTINGS else 1


def check_complements(
    template: Call, uses: Iterable[tuple[str, Argument]], axes: Mapping[str, Axis], key: str, mistakes: Mistakes
) -> None:
    """Check that what is given by its complement is a decay, where the library tells decays from other numbers."""
    for name, argument in uses:
        is_complement = name in axes and axes[name].is_complement
        if is_complement and template.library == "adamlab" and argument.kind != "decay":
            mistakes.tell(join(key, name), f"{template.name} has no decay here that its complement could give")


def read_choice(
    key: str,
    table: Mapping[str, Any],
    registry: Mapping[str, Callable[..., Any]],
    called: str,
    mistakes: Mistakes,
    *,
    listed: bool = False,
    others: Collection[str] = (),
) -> tuple[str, dict[str, Axis]] | None:
    """A table's choice from a registry, under the key `called`, and its options' axes; None if it has mistakes.

    The table may have other keys, which hints name with that one.
    """
    before = len(mistakes)
    name, options = table.get(called), {k: v for k, v in table.items() if k != called}
    if not isinstance(name, str) or name not in registry:
        wrong = "is missing" if name is None else f"there is no {key.partition('[')[0] or called} {shown(name)}"
        mistakes.tell(join(key, called), f"{wrong}; {nearest(str(name), registry)}")
        return None
    known = {k: a for k, a in arguments(registry[name]).items() if a.kind != "other"}
    axes = read_arguments(known, options, key, mistakes, None, listed=listed, others=(called, *others))
    return (name, axes) if len(mistakes) == before else None


@dataclass(frozen=True)
class _Reader:
    """A reader of one argument's values, which adds mistakes to the others."""

    argument: Argument
    design: Design | None
    listed: bool
    complements: bool
    coupled: bool

    @property
    def is_swept(self) -> bool:
        return self.design is not None and self.argument.kind in ("number", "decay", "steps")

    def read(self, symbol: str, value: Any, key: str, mistakes: Mistakes) -> Axis | None:
        if isinstance(value, Mapping) and "schedule" in value and self.argument.schedule:
            return self._schedule(symbol, value, key, mistakes)
        if isinstance(value, Mapping) and value.keys() == {"complement"} and self.complements and self.is_swept:
            return self._complement(symbol, value["complement"], key, mistakes)
        if isinstance(value, str) and self.coupled and self.is_swept and (expression := parse_expression(value)):
            return Axis([Symbol(symbol)], coupled={symbol: Coupled(key, self.argument, expression)})
        if isinstance(value, Mapping) and value.keys() == {"compiled"} and self.is_swept:
            return self._compiled(symbol, value["compiled"], key, mistakes)
        choice = value["choice"] if isinstance(value, Mapping) and value.keys() == {"choice"} else None
        return self._values(symbol, choice if isinstance(choice, list) else value, key, mistakes)

    def _values(self, symbol: str, value: Any, key: str, mistakes: Mistakes) -> Axis | None:
        is_range = isinstance(value, Mapping) and self.is_swept and len(value) == 1
        problem, values = self._range(symbol, *value.items()) if is_range else self._listed(value)
        bounds = [values.low, values.high] if isinstance(values, Interval) else values
        if problem is None and any(not self._fits(bound) for bound in bounds):
            problem = self.expected()
        if isinstance(values, Interval) and problem is None:
            return Axis([Symbol(symbol)], {symbol: values})
        literals = [self._literal(bound) for bound in bounds] if problem is None else []
        in_step = self.design is not None and self.design.kind == "zip"
        if len(set(literals)) < len(literals) and not in_step:
            problem = "values that differ"
        if problem is not None:
            mistakes.tell(key, f"expected {problem}; got {shown(value)}")
            return None
        if self.is_swept and len(literals) > 1:
            return Axis([Symbol(symbol)], {symbol: Points(tuple(literals))})
        return Axis(literals)

    def _compiled(self, symbol: str, values: Any, key: str, mistakes: Mistakes) -> Axis | None:
        """The listed numbers as forms, each of which becomes a program of its own."""
        if not isinstance(values, list):
            mistakes.tell(key, f"expected {{ compiled = [0.1, 0.2] }}, a list of numbers; got {shown(values)}")
            return None
        axis = self._values(symbol, values, key, mistakes)
        return None if axis is None else Axis(axis.listed(), are_named=True)

    def expected(self) -> str:
        """The values that the argument takes, in words."""
        words = self.argument.expects().removesuffix(" or a schedule")
        if self.design is not None and self.is_swept:
            words += ", a list of numbers, { log = [low, high, count] }, or linear, uniform, loguniform in place of log"
            words += ", the last two without a count" if self.design.draws else ""
            words += ", { complement = [0.1, 0.001] }" if self.complements and self.argument.kind == "decay" else ""
            words += ', or an expression such as "a * eps"' if self.coupled else ""
        elif (self.listed or self.design) and self.argument.kind != "other":
            words += ", or a list of such"
        return words + (', { schedule = "inverse_sqrt", init = 0.1 }' if self.argument.schedule else "")

    def _fits(self, value: Any) -> bool:
        return not isinstance(value, (Mapping, list)) and self.argument.accepts(value)

    def _literal(self, value: Any) -> Any:
        whole = type(value) is int and self.argument.is_whole
        return float(value) if self.argument.kind in ("number", "decay") and not whole else value

    def _listed(self, value: Any) -> tuple[str | None, list[Any]]:
        """The mistake in the form of a value that is no range, if any, and its values."""
        takes_lists = self.argument.kind in ("steps list", "texts")
        if not isinstance(value, list) or (takes_lists and not any(isinstance(item, list) for item in value)):
            several = [value]
        else:
            several = value if self.listed or self.design else []
        if not several:
            return self.expected(), []
        return None, [tuple(item) if takes_lists and isinstance(item, list) else item for item in several]

    def _range(self, symbol: str, item: tuple[str, Any]) -> tuple[str | None, list[Any] | Interval]:
        """The mistake in a range, if any, and its values or its interval."""
        kind, bounds = item
        if kind not in RANGES and kind not in INTERVALS:
            return self.expected(), []
        open_ended = kind in INTERVALS and self.design is not None and self.design.draws
        if problem := _wrong_bounds(kind, bounds, counted=not open_ended):
            return problem, []
        low, high, *count = bounds
        whole = self.argument.kind == "steps"
        if whole and not (self._fits(low) and self._fits(high)):
            return f"{kind} = [low, high, count] of whole numbers from 1", []
        if kind in INTERVALS:
            interval = Interval(kind, low, high, whole)
            if open_ended:
                return None, interval
            points = list(dict.fromkeys(interval.at(drawn(0, symbol, *count)).tolist()))
        else:
            points = _points(kind, low, high, *count)
        return None, [round(point) for point in points] if whole else points

    def _schedule(self, symbol: str, table: Mapping[str, Any], key: str, mistakes: Mistakes) -> Axis | None:
        name = table["schedule"]
        try:
            factory = find_schedule(name if isinstance(name, str) else shown(name))
        except SpecError as error:
            mistakes.tell(join(key, "schedule"), str(error))
            return None
        before = len(mistakes)
        given = {argument: value for argument, value in table.items() if argument != "schedule"}
        known = arguments(factory)
        axes = read_arguments(
            known,
            given,
            key,
            mistakes,
            self.design,
            complements=self.complements,
            coupled=self.coupled,
            prefix=f"{symbol}.",
        )
        for argument, axis in axes.items():
            if len(axis.forms) > 1:
                mistakes.tell(join(key, argument), "cannot be swept, since it is compiled in; give one value")
        if len(mistakes) > before:
            return None
        values = {symbol: numbers for axis in axes.values() for symbol, numbers in axis.values.items()}
        coupled = {symbol: numbers for axis in axes.values() for symbol, numbers in axis.coupled.items()}
        forms = {argument: axis.forms[0] for argument, axis in axes.items()}
        return Axis([call(str(name), factory, forms, "schedule")], values, coupled)

    def _complement(self, symbol: str, value: Any, key: str, mistakes: Mistakes) -> Axis | None:
        if self.argument.kind == "steps":
            mistakes.tell(key, f"expected {self.expected()}; got {shown({'complement': value})}")
            return None
        rate = replace(self.argument, kind="decay", default=REQUIRED, schedule=False)
        axis = replace(self, argument=rate, complements=False).read(symbol, value, key, mistakes)
        if axis is None:
            return None
        forms = [
            replace(form, complement=True) if isinstance(form, Symbol) else Decay(complement=form)
            for form in axis.forms
        ]
        return replace(axis, forms=forms)


def _wrong_bounds(kind: str, bounds: Any, *, counted: bool) -> str | None:
    form = f"{kind} = [low, high, count]" if counted else f"{kind} = [low, high], since the design says how many"
    if not isinstance(bounds, list) or len(bounds) != 2 + counted:
        return form
    if any(type(bound) not in (int, float) for bound in bounds):
        return form
    low, high, *count = bounds
    if counted and not (type(count[0]) is int and 1 <= count[0] <= MOST_SETTINGS):
        return f"{form} with a whole count from 1 to {MOST_SETTINGS:,}"
    if not (abs(low) < FARTHEST and abs(high) < FARTHEST):
        return f"{form} with finite bounds"
    if low >= high and count != [1]:
        return f"{form} with low < high"
    return f"{form} with low > 0" if kind in ("log", "loguniform") and low <= 0 else None


def _points(kind: str, low: int | float, high: int | float, count: int) -> list[float]:
    # To 15 digits, so that a decade's points read as they are meant: 0.01, not 0.010000000000000002.
    points = [float(f"{point:.15g}") for point in RANGES[kind](low, high, count)]
    return [float(low), *points[1:-1], float(high)] if count > 1 else [float(low)]
