"""Calls as the table of translations has them: whose they are, with which numbers they fit a form, and forms filled."""

from collections.abc import Callable, Mapping
from typing import Any

from adamlab.calls import REQUIRED, Call, Symbol, arguments
from adamlab.errors import InputError
from adamlab.specs import parse
from adamlab.translation.table import LIBRARIES
from adamlab.types import Decay


def links(call: Call) -> list[Call]:
    """The links of a chain, and of the chains in it; any other optimizer alone."""
    if call.name != "optax.chain":
        return [call]
    return [inner for part in call.arguments.get("args", ()) for inner in links(part)]


def chained(parts: list[Call]) -> Call:
    """The optimizer of these links; of a single one itself."""
    return parts[0] if len(parts) == 1 else parse("optax.chain").with_arguments({"args": tuple(parts)})


def library_of(call: Call) -> str:
    """The library of an optimizer; of a chain that of its last link.

    Raises:
        InputError: it is none that is translated.
    """
    last = (links(call) or [call])[-1]
    library = last.library.partition(".")[0]
    if library not in LIBRARIES:
        raise InputError(f"{call.name} is of no library that is translated; these are {', '.join(LIBRARIES)}.")
    return library


def match(pattern: Any, given: Any) -> dict[str, Any] | None:
    """The values of the pattern's symbols with which it is the given call; None where there are none."""
    if isinstance(pattern, Symbol):
        usable = given is not None and not isinstance(given, bool | tuple)
        return {pattern.name: given} if usable else None
    if isinstance(pattern, Call) and isinstance(given, Call):
        wanted, actual = bound(pattern), bound(given)
        pairs = [(wanted[key], actual[key]) for key in wanted] if pattern.name == given.name else [(0, 1)]
    elif type(pattern) is tuple and type(given) is tuple and len(pattern) == len(given):
        pairs = [*zip(pattern, given, strict=True)]
    else:
        return {} if pattern is given or _equal(pattern, given) else None
    numbers: dict[str, Any] = {}
    for wanted, actual in pairs:
        inner = match(wanted, actual)
        if inner is None or any(numbers.get(name, value) != value for name, value in inner.items()):
            return None
        numbers |= inner
    return numbers


def _equal(left: Any, right: Any) -> bool:
    absent = {None, 0}  # momentum=None and momentum=0 are both none
    try:
        return bool(left == right) or (left in absent and right in absent and not isinstance(left, bool))
    except (TypeError, ValueError):
        return False


def bound(call: Call) -> dict[str, Any]:
    """All arguments; of what is needed and not given a symbol of that name."""
    needed = {name: Symbol(name) for name, a in arguments(call.factory).items() if a.default is REQUIRED}
    return {**needed, **call.bound()}


def filled(form: str, numbers: Mapping[str, Any], to: str) -> Call:
    """The optimizer of a form of the table with numbers written in, as its arguments take them."""
    return as_taken(parse(form).with_numbers(numbers), to)


def as_taken(given: Call, to: str) -> Call:
    """Whole numbers as floats where the argument is no whole one; decays as plain rates where no others are taken."""
    known = arguments(given.factory)

    def taken(key: str, value: Any) -> Any:
        if isinstance(value, Decay) and to != "adamlab":
            return float(value.rate)
        if type(value) is int and known[key].kind in ("number", "decay") and not known[key].is_whole:
            return float(value)
        return each(value, lambda inner: as_taken(inner, to) if inner.role == "optimizer" else inner)

    return given.with_arguments({key: taken(key, value) for key, value in given.arguments.items()})


def each(value: Any, change: Callable[[Call], Any]) -> Any:
    """A value with each of its calls changed."""
    if isinstance(value, Call):
        return change(value)
    return tuple(each(item, change) for item in value) if type(value) is tuple else value


def explicit(optimizer: Call) -> Call:
    """The call with the numbers that are written nowhere, so that these are no symbols."""
    known, values = arguments(optimizer.factory), bound(optimizer)
    given = {
        key: each(values[key], lambda inner: explicit(inner) if inner.role == "optimizer" else inner)
        for key in known
        if key in optimizer.arguments or type(values.get(key)) in (int, float, Symbol)
    }
    return optimizer.with_arguments(given)


def has_open_numbers(call: Call) -> bool:
    """Whether a number is a symbol, or is needed and not given."""
    return bool([*call.symbols()] or call.missing())


def masks(optimizer: Call) -> list[Any]:
    """The masks in an optimizer that may leave parameters out."""
    given = [
        (arguments(inner.factory)[key], value) for inner in optimizer.calls() for key, value in inner.arguments.items()
    ]
    return [value for argument, value in given if argument.kind == "mask" and value not in (None, True)]
