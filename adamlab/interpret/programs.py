"""An optimizer as two programs, `init` and `update`, with its hyper-parameters as inputs."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adamlab.calls import REQUIRED, Argument, Call, SpecError, Symbol, arguments, unused
from adamlab.errors import nearest
from adamlab.interpret.jaxpr import Program, trace
from adamlab.specs import name_of, parse
from adamlab.types import Decay, PyTree


@dataclass(frozen=True)
class Subject:
    """An optimizer to be read: a call with a symbol in place of every number, and the numbers apart.

    Attributes:
        call: the factory with its symbols, flags and schedules.
        numbers: the value given for each symbol, by name; None where none is given.
        title: the optimizer as it was given.
        defaults: the factory's own defaults for the symbols, where it has some.
    """

    call: Call
    numbers: Mapping[str, Any]
    title: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    _traced: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, optimizer: Call | str | Callable[..., Any], hyper: Mapping[str, Any] | None = None) -> "Subject":
        """Take a factory or a spec apart; `hyper` gives arguments by name, and the spec's symbols.

        Raises:
            SpecError: an unknown name in `hyper`, an argument without a value, or a spec that cannot be read.
        """
        call = as_call(optimizer)
        given = {name: value if call.library == "adamlab" else _rate(value) for name, value in (hyper or {}).items()}
        known, valid = arguments(call.factory), names_in(call)
        for name in given:
            if name not in valid:
                raise SpecError(f"{call.name} has no argument {name!r}; {nearest(name, valid)}")
        symbols = {symbol.name for symbol, _ in call.symbols()}
        written = dict(call.arguments) | {n: value for n, value in given.items() if n in known and n not in symbols}
        as_given = call.with_arguments(written)
        if missing := as_given.missing():
            raise SpecError(f"{call.name} needs a value for {', '.join(missing)}: give hyper={{{missing[0]!r}: …}}.")
        numbers: dict[str, Any] = {symbol.name: given.get(symbol.name) for symbol, _ in call.symbols()}
        _check(call, {**{s.name: a for s, a in call.symbols()}, **known}, given)
        return cls(_opened(as_given, "", numbers), numbers, str(as_given))

    @classmethod
    def left_open(
        cls,
        optimizer: Call | str | Callable[..., Any],
        hyper: Mapping[str, Any] | None = None,
        symbols: Collection[str] = (),
    ) -> "Subject":
        """Take a factory or a spec apart, with a symbol for every number that is neither given nor 0 by default.

        Args:
            optimizer: the factory or the spec.
            hyper: as in `of`.
            symbols: names of numbers that are symbols whatever their default is.

        Raises:
            SpecError: as `of`, or a name in `symbols` that is not a number's.
        """
        call, given = as_call(optimizer), dict(hyper or {})
        numeric = [
            name for part in _optimizers(call) for name, a in arguments(part.factory).items() if a.kind in NUMERIC
        ]
        for name in symbols:
            if name not in numeric:
                raise SpecError(f"{call.name} has no number {name!r}; {nearest(name, dict.fromkeys(numeric))}")
        known = arguments(call.factory)
        left = [name for name, a in known.items() if name in symbols or _is_left_open(a)]
        written = {name: Symbol(name) for name in left if name not in given and name not in call.arguments}
        opened = {name: known[name].default for name in written}
        taken = {*known, *(symbol.name for symbol, _ in call.symbols())}
        everything = {**written, **_parts_left_open(call, symbols, taken, opened).arguments}
        subject = cls.of(call.with_arguments({name: everything[name] for name in known if name in everything}), given)
        defaults = {name: default for name, default in opened.items() if default is not REQUIRED}
        return replace(subject, title=title_of(optimizer, call), defaults=defaults)

    def given_numbers(self) -> Mapping[str, Any]:
        """The value of every number, by name.

        Raises:
            SpecError: a symbol has no value.
        """
        if missing := [name for name, value in self.numbers.items() if value is None]:
            raise SpecError(f"{', '.join(missing)} has no value: give hyper={{{missing[0]!r}: …}}.")
        return self.numbers

    def build(self) -> Any:
        """The optimizer itself, built with its numbers as floats."""
        return self.call.build(as_floats(self.given_numbers()))

    def programs(self, gradient: PyTree, *, with_value: bool = False) -> "Programs":
        """The traced `init(numbers, params)` and `update(numbers, gradient, state, params)`, for parameters like g.

        With a value, `update` takes the loss as a further argument. A number that the factory's code branches on is a
        constant of the programs; where it is more than one, all numbers are constants.
        """
        shapes = jax.tree.map(lambda g: jax.ShapeDtypeStruct(np.shape(g), np.dtype("float64")), gradient)
        numbers = {name: _placeholder(value) for name, value in self.numbers.items()}
        key = id(self.call), str(shapes), jax.tree.structure(numbers), with_value
        if key in self._traced:  # `replace` keeps this cache for the same call with other numbers
            return self._traced[key][1]
        try:
            programs = self._trace(shapes, numbers, {}, with_value)
            self._traced[key] = self.call, programs  # keep the call alive: a freed object's id() may be used again
            return programs
        except jax.errors.JAXTypeError:
            return self._trace_with_constants(shapes, numbers, with_value)

    def built(self, numbers: Mapping[str, Any]) -> "Subject":
        """The same optimizer with its numbers written in as floats, as it is built to be run."""
        return Subject(self.call.with_numbers(as_floats(numbers)), {}, self.title)

    def _trace_with_constants(self, shapes: PyTree, numbers: Any, with_value: bool) -> "Programs":
        known = {n: self.defaults.get(n, ANY) if value is None else value for n, value in self.numbers.items()}
        plain = as_floats(known)
        for name, value in plain.items():  # most often the code branches on a single number
            try:
                return self._trace(shapes, numbers, {name: value}, with_value)
            except jax.errors.JAXTypeError:
                continue
        return self._trace(shapes, numbers, plain, with_value)

    def _trace(self, shapes: PyTree, numbers: Any, constants: Mapping[str, Any], with_value: bool) -> "Programs":
        def build(given):
            return optax.with_extra_args_support(self.call.build({**given, **constants}))

        def update(given, g, s, w, *value):
            return build(given).update(g, s, w, **({"value": value[0]} if with_value else {}))

        init = trace(lambda given, w: build(given).init(w), numbers, shapes)
        value = [jax.ShapeDtypeStruct((), np.dtype("float64"))] if with_value else []
        return Programs(init, trace(update, numbers, shapes, init.shapes, shapes, *value), tuple(constants))


class Programs(NamedTuple):
    """The programs of an optimizer, and the numbers that are constants in them, since its code branches on these."""

    init: Program
    update: Program
    constants: tuple[str, ...]


def _check(call: Call, known: Mapping[str, Argument], given: Mapping[str, Any]):
    """Reject a value that its argument cannot take."""
    ours = call.library == "adamlab"
    for name, value in given.items():
        argument = known[name]
        fits = {
            "number": (is_numeric(value) and not (ours and isinstance(value, Decay)))
            or (argument.schedule and callable(value)),
            "decay": is_numeric(value) or callable(value),
            "flag": isinstance(value, (bool, np.bool_)),
            "choice": value in argument.choices,
        }.get(argument.kind, True)
        if not fits and not (value is None and argument.optional):
            raise SpecError(f"{call.name}: {name} must be {argument.expects()}, not {value!r}.")


def as_call(optimizer: Call | str | Callable[..., Any]) -> Call:
    """A spec as the call that it writes, a factory as a call without arguments."""
    if isinstance(optimizer, str):
        return parse(optimizer)
    if isinstance(optimizer, tuple):
        raise SpecError(
            "a transformation already built hides its numbers; give its factory, such as optax.adam, or a spec."
        )
    if not callable(optimizer) and not isinstance(optimizer, Call):
        raise SpecError(f"expected an optimizer's factory, such as optax.adam, or a spec; got {optimizer!r}.")
    return optimizer if isinstance(optimizer, Call) else Call(name_of(optimizer), optimizer, {})


def renamed(call: Call, name: str, other: str) -> Call:
    """The call with another symbol for one of its numbers."""
    if name in {symbol.name for symbol, _ in call.symbols()}:
        return call.with_numbers({name: Symbol(other)})
    return call.with_arguments({**call.arguments, name: Symbol(other)})


def title_of(optimizer: Any, call: Call) -> str:
    """The optimizer as it was given: a spec as it stands, a factory by its name."""
    return optimizer if isinstance(optimizer, str) else str(call) if call.arguments else call.name


def names_in(call: Call) -> list[str]:
    """The names of all that can be given: the factory's arguments, and the call's symbols."""
    return list(dict.fromkeys([*arguments(call.factory), *(symbol.name for symbol, _ in call.symbols())]))


def _optimizers(call: Call) -> list[Call]:
    """The call and the optimizers inside of it."""
    return [inner for inner in call.calls() if inner.role == "optimizer"]


def _parts_left_open(call: Call, symbols: Collection[str], taken: set[str], opened: dict[str, Any]) -> Call:
    """The call with a symbol for each number of the optimizers inside of it that is neither written nor 0 by default.

    Their names are put into `taken`, and their defaults into `opened`.
    """

    def left_open(part: Any) -> Any:
        if type(part) is tuple:
            return tuple(map(left_open, part))
        if not isinstance(part, Call) or part.role != "optimizer":
            return part
        known, given = arguments(part.factory), dict(_parts_left_open(part, symbols, taken, opened).arguments)
        for name, argument in known.items():
            if name not in given and (name in symbols or _is_left_open(argument)):
                symbol = unused(name, part, taken)
                taken.add(symbol)
                opened[symbol], given[name] = argument.default, Symbol(symbol)
        return part.with_arguments({name: given[name] for name in known if name in given})

    return call.with_arguments({name: left_open(value) for name, value in call.arguments.items()})


def _opened(call: Call, prefix: str, numbers: dict[str, Any]) -> Call:
    """The call with symbols in place of its numbers, which are moved into `numbers`; defaults are written in."""

    def opened(value: Any, full: str, argument: Argument) -> Any:
        if type(value) is tuple:
            return tuple(opened(item, full, argument) for item in value)
        if isinstance(value, Call):
            return _opened(value, "" if value.role == "optimizer" else f"{full}.", numbers)
        if not _is_number(argument, value):
            return value
        symbol = unused(full, call, numbers)
        numbers[symbol] = value
        return Symbol(symbol)

    known, given = arguments(call.factory), call.bound() if call.role == "optimizer" else call.arguments
    return call.with_arguments({name: opened(value, prefix + name, known[name]) for name, value in given.items()})


ANY = 0.1
"""The value of a number that the code branches on, where none is given and there is no default."""

NUMERIC = ("number", "decay", "integer", "other")
"""The kinds of arguments that can be numbers."""


def whole_by_default(call: Call) -> dict[str, int]:
    """The whole numbers that a factory has by default, by name: these keep their values and are not left open."""
    return {
        name: a.default
        for part in _optimizers(call)
        for name, a in arguments(part.factory).items()
        if a.kind in NUMERIC and _is_whole(a) and a.default and part.arguments.get(name, a.default) == a.default
    }


def _is_whole(argument: Argument) -> bool:
    return type(argument.default) is int


def _is_left_open(argument: Argument) -> bool:
    if _is_whole(argument):
        return False
    if argument.required:
        return argument.kind in ("number", "decay", "other")
    return argument.kind in ("number", "decay") and is_numeric(argument.default) and argument.default > 0


def _is_number(argument: Argument, value: Any) -> bool:
    if not is_numeric(value):
        return False
    if type(value) is int and _is_whole(argument):
        return False
    # An unannotated whole number can be a count; anything else in its place shows that it is not.
    return argument.kind in ("number", "decay", "other") or (argument.kind == "integer" and type(value) is not int)


def is_numeric(value: Any) -> bool:
    """Whether a value is a finite real number, or a text that writes one."""
    if isinstance(value, str):
        try:
            return abs(Fraction(value)) < 10**300
        except (ValueError, ZeroDivisionError):
            return False
    if isinstance(value, Decay):
        return True
    if isinstance(value, (np.ndarray, jax.Array)):
        return value.ndim == 0 and jnp.issubdtype(value.dtype, jnp.number)
    return isinstance(value, (Real, Decimal)) and not isinstance(value, bool) and abs(float(value)) < 1e300


def _rate(value: Any) -> Any:
    """A decay as the text of its exact rate, for factories that do not take a `Decay`; other values as they are."""
    return str(1 - Decimal(repr(float(value.complement)))) if isinstance(value, Decay) else value


def _placeholder(value: Any) -> Any:
    return Decay(0.5) if isinstance(value, Decay) else 0.5


def _plain(value: Any) -> Any:
    return value if isinstance(value, Decay) else float(Fraction(value)) if isinstance(value, str) else float(value)


def as_floats(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Given numbers as floats, as an optimizer is built with them; a `Decay` as it is."""
    return {name: _plain(value) for name, value in numbers.items()}


def state_names(state: PyTree) -> list[str]:
    """A name for each leaf of a state: its field, or where that repeats the shortest path that no other leaf has."""
    paths = [[_key(key) for key in path] for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    return [_shortest(path, [other for other in paths if other is not path]) for path in paths]


def _shortest(path: list[str], others: list[list[str]]) -> str:
    own = (path[-n:] for n in range(1, len(path) + 1))
    return (
        ".".join(next((tail for tail in own if all(other[-len(tail) :] != tail for other in others)), path)) or "state"
    )


def _key(key: Any) -> str:
    return str(next(getattr(key, kind) for kind in ("name", "key", "idx") if hasattr(key, kind)))
