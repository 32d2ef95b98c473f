"""One notation for optimizers everywhere: `optax.rmsprop(decay=b2, eps_in_sqrt=false, bias_correction=true)`.

A spec is parsed and never evaluated. It holds literals, calls of schedules, lists in these, and bare names, which are
symbols: numbers to be given later, by a sweep or by a reader of formulas.
"""

import ast
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import optax

import adamlab.rules
from adamlab.calls import Call, SpecError, Symbol, arguments, call
from adamlab.errors import cut, nearest
from adamlab.rules import PARTS, RULES
from adamlab.schedules import SCHEDULES
from adamlab.types import Decay

LIBRARIES: dict[str, ModuleType] = {"adamlab": adamlab.rules, "optax": optax, "optax.contrib": optax.contrib}
"""Where optimizers come from."""

LITERALS = {"true": True, "false": False, "none": None, "True": True, "False": False, "None": None}


def parse(text: str) -> Call:
    """Read a spec, such as "optax.rmsprop(0.01, decay=0.9)", or the bare name of an optimizer.

    Raises:
        SpecError: the text is no spec, or names an optimizer, argument or schedule that does not exist.
    """
    shown = cut(text, 60)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        name = _dotted(tree.func if isinstance(tree, ast.Call) else tree, shown)
        factory = find(name)
        return call(name, factory, _arguments(tree, name, factory, shown) if isinstance(tree, ast.Call) else {})
    except SpecError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two come of deep nesting
        raise SpecError(f'"{shown}" is not a spec; write one as in "optax.rmsprop(0.01, decay=0.9)".') from error


def optimizers(library: str) -> dict[str, Callable[..., Any]]:
    """The optimizers and transformations of "adamlab", "optax" or "optax.contrib" that a spec can write, by name."""
    return {name: f for name, f in _names(library).items() if _is_offered(library, name, f)}


def find(name: str) -> Callable[..., Any]:
    """The factory of that full name.

    Raises:
        SpecError: there is none; names the nearest.
    """
    library, _, short = name.rpartition(".")
    factory = _names(library).get(short)
    if factory is not None and _is_offered(library, short, factory):
        return factory
    everything = [f"{home}.{each}" for home in LIBRARIES for each in optimizers(home)]
    namesakes = [full for full in everything if not library and full.endswith(f".{name}")]
    remedy = f"write {' or '.join(namesakes)}." if namesakes else nearest(name, everything)
    raise SpecError(f'there is no optimizer "{name}"; {remedy}')


def name_of(factory: Callable[..., Any]) -> str:
    """The full name of a factory, or any other function's own name."""
    full = (f"{library}.{name}" for library in LIBRARIES for name, f in _names(library).items() if f is factory)
    return next(full, getattr(factory, "__name__", "the optimizer"))


def _names(library: str) -> Mapping[str, Any]:
    if library == "adamlab":
        return {**RULES, **PARTS}
    return vars(LIBRARIES[library]) if library in LIBRARIES else {}


def _is_offered(library: str, name: str, f: Any) -> bool:
    return library == "adamlab" or (not name.startswith("_") and _makes_a_transform(f))


def _makes_a_transform(f: Any) -> bool:
    returned = getattr(getattr(f, "func", f), "__annotations__", {}).get("return")
    if not inspect.isclass(returned) or not issubclass(returned, optax.GradientTransformation):
        return False
    if any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(f).parameters.values()):
        return False
    return not any(argument.kind == "other" and argument.required for argument in arguments(f).values())


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
        case ast.BinOp(left=ast.Constant(value=1), op=ast.Sub(), right=ast.Constant(value=int() | float() as value)):
            return Decay(complement=value)  # how a decay is written by 1 − b
        case ast.Name(id=name):
            return LITERALS[name] if name in LITERALS else Symbol(name)
        case ast.List(elts=items):
            return tuple(_value(item, text) for item in items)
        case ast.Call(func=ast.Name(id=name)):
            if name not in SCHEDULES:
                raise SpecError(f'"{text}": there is no schedule "{name}"; {nearest(name, SCHEDULES)}')
            return call(name, SCHEDULES[name], _arguments(node, name, SCHEDULES[name], text))
    raise SpecError(
        f'"{text}": {cut(ast.unparse(node), 60)} cannot stand in a spec, which is parsed and never evaluated; '
        "write numbers, true, false, none, names, 1-1e-9 for a decay, or a schedule such as inverse_sqrt(0.1)."
    )


def _dotted(node: ast.expr, text: str) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_dotted(value, text)}.{attr}"
    raise SpecError(f'"{text}" does not start with the name of an optimizer, such as adamlab.adam.')
