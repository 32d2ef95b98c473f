"""One notation for optimizers everywhere: `optax.rmsprop(decay=b2, eps_in_sqrt=false, bias_correction=true)`.

A spec is parsed and never evaluated. It holds literals, calls of schedules and of optimizers, lists in these, and bare
names, which are symbols: numbers to be given later, by a sweep or by a reader of formulas.
"""

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache, wraps
from types import ModuleType
from typing import Any

import optax

import adamlab.rules
from adamlab.adapters import ADAPTED, injected
from adamlab.calls import Argument, Call, SpecError, Symbol, arguments, call, signature
from adamlab.errors import cut, nearest
from adamlab.frameworks import FRAMEWORKS, installed
from adamlab.optimizers import REGISTERED
from adamlab.own import MODULES, TAKEN, attribute, digest_of
from adamlab.rules import PARTS, RULES
from adamlab.schedules import BUILT_IN, SCHEDULES
from adamlab.types import Decay, Schedule

LIBRARIES: dict[str, ModuleType] = {"adamlab": adamlab.rules, "optax": optax, "optax.contrib": optax.contrib}
"""Where optimizers come from."""

INJECT = "optax.inject_hyperparams"
"""Optax's wrapper of a factory, which is called twice: `optax.inject_hyperparams(optax.adam)(learning_rate=0.1)`."""

LITERALS = {"true": True, "false": False, "none": None, "True": True, "False": False, "None": None}


def parse(text: str) -> Call:
    """Read a spec, such as "optax.rmsprop(0.01, decay=0.9)", or the bare name of an optimizer.

    Raises:
        SpecError: the text is no spec, or names an optimizer, argument or schedule that does not exist.
    """
    shown = cut(text, 60)
    try:
        return _Parser(shown).optimizer(ast.parse(text.strip(), mode="eval").body)
    except SpecError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two come of deep nesting
        raise SpecError(f'"{shown}" is not a spec; write one as in "optax.rmsprop(0.01, decay=0.9)".') from error


def optimizers(library: str) -> dict[str, Callable[..., Any]]:
    """The optimizers and transformations of a library, "adamlab", "optax" or "torch", that a spec can write, by name.

    Of a module of the user's those that say so by their annotation or have a learning rate; a spec can write others.
    """
    if library in MODULES:
        return {name: f for name, f in MODULES[library].functions().items() if _may_make_a_transform(f)}
    if library == "adamlab":
        return dict(_names(library))
    return dict(FRAMEWORKS[library]) if library in FRAMEWORKS else _offered(library)


@cache
def _offered(library: str) -> dict[str, Callable[..., Any]]:
    return {name: f for name, f in _names(library).items() if _is_offered(library, name, f)}


def all_optimizers() -> Iterator[str]:
    """The full names of all optimizers and transformations that a spec can write; of frameworks those installed."""
    yield from (f"{library}.{name}" for library in (*LIBRARIES, *MODULES) for name in optimizers(library))
    yield from (f"{library}.{name}" for library in installed() for name in FRAMEWORKS[library])
    yield from REGISTERED


def all_schedules() -> dict[str, Callable[..., Any]]:
    """The schedules that a spec can write, by their full names: adamlab's, Optax's and those of the user's."""
    own = {
        f"{library}.{name}": f
        for library, module in MODULES.items()
        for name, f in module.functions().items()
        if _makes_a_schedule(f)
    }
    return SCHEDULES | _schedules_of_optax() | own


@cache
def _schedules_of_optax() -> dict[str, Callable[..., Any]]:
    return {f"optax.{n}": f for n, f in vars(optax).items() if _makes_a_schedule(f) and _can_be_written(f)}


def find(name: str) -> Callable[..., Any]:
    """The factory of that full name.

    Raises:
        SpecError: there is none; names the nearest.
    """
    library, _, short = name.rpartition(".")
    if name in REGISTERED:
        return _checked(name, REGISTERED[name], "optimizer")
    if library in MODULES:
        if own := attribute(library, short):
            return _checked(name, own, "optimizer")
        raise SpecError(f'{MODULES[library].place} has no function "{short}"; {nearest(short, optimizers(library))}')
    factory = _names(library).get(short)
    if factory is not None and (library in FRAMEWORKS or _is_offered(library, short, factory)):
        return factory
    if library in FRAMEWORKS:
        raise SpecError(f'there is no optimizer "{name}" that is read; {nearest(short, FRAMEWORKS[library])}')
    _require_library(name, "optimizer")
    everything = [*all_optimizers()]
    namesakes = [full for full in everything if not library and full.endswith(f".{name}")]
    remedy = f"write {' or '.join(namesakes)}." if namesakes else nearest(name, everything)
    raise SpecError(f'there is no optimizer "{name}"; {remedy}')


def find_schedule(name: str) -> Callable[..., Any]:
    """The factory of the schedule of that name.

    Raises:
        SpecError: there is none; names the nearest.
    """
    library, _, short = name.rpartition(".")
    known = all_schedules()
    factory = known.get(name) or (attribute(library, short) if library in MODULES else None)
    if factory is None:
        _require_library(name, "schedule")
        raise SpecError(f'there is no schedule "{name}"; {nearest(name, known)}')
    return factory if name in BUILT_IN or library == "optax" else _checked(name, factory, "schedule")


def name_of(factory: Callable[..., Any]) -> str:
    """The full name of a factory, or any other function's own name."""
    homes: dict[str, Mapping[str, Any]] = {library: _names(library) for library in LIBRARIES}
    homes |= {library: module.functions() for library, module in MODULES.items()}
    full = (f"{library}.{name}" for library, names in homes.items() for name, f in names.items() if f is factory)
    registered = (name for name, f in REGISTERED.items() if f is factory)
    return next(registered, next(full, getattr(factory, "__name__", "the optimizer")))


def own_code(call: Call) -> dict[str, str]:
    """The digest of the code behind each optimizer and schedule of the user's, by "optimizer mine.cautious"."""
    names = [(inner.role, inner.name.removeprefix(f"{INJECT}(").removesuffix(")")) for inner in call.calls()]
    digests = {f"{role} {name}": digest_of(role, name) for role, name in names}
    return {name: digest for name, digest in digests.items() if digest}


def _names(library: str) -> Mapping[str, Any]:
    if library == "adamlab":
        return {**RULES, **PARTS}
    if library == "optax":
        return {**vars(optax), **ADAPTED}
    if library in FRAMEWORKS:
        return FRAMEWORKS[library]
    return vars(LIBRARIES[library]) if library in LIBRARIES else {}


def _is_offered(library: str, name: str, f: Any) -> bool:
    return library == "adamlab" or (not name.startswith("_") and _makes_a_transform(f))


def _makes_a_transform(f: Any) -> bool:
    returned = getattr(getattr(f, "func", f), "__annotations__", {}).get("return")
    return inspect.isclass(returned) and issubclass(returned, optax.GradientTransformation) and _can_be_written(f)


def _can_be_written(f: Callable[..., Any]) -> bool:
    """Whether a spec can write all that a factory needs."""
    positional = [p for p in signature(f).parameters.values() if p.kind is p.VAR_POSITIONAL]
    known = arguments(f)
    return all(p.name in known for p in positional) and not any(
        a.kind == "other" and a.required for a in known.values()
    )


def _makes_a_schedule(f: Any) -> bool:
    return inspect.isroutine(f) and signature(f).return_annotation in (optax.Schedule, Schedule)


def _may_make_a_transform(f: Any) -> bool:
    read = signature(f)
    says = inspect.isclass(read.return_annotation) and issubclass(read.return_annotation, optax.GradientTransformation)
    return says or (read.return_annotation is read.empty and not {"learning_rate", "lr"}.isdisjoint(read.parameters))


def _require_library(name: str, kind: str):
    """Raise SpecError where the name has a library ahead that is not known, which may be the user's own."""
    library = name.partition(".")[0]
    if "." in name and library not in LIBRARIES and name.rpartition(".")[0] not in MODULES:
        if library in TAKEN:
            instead = "; write Optax's or adamlab's, such as cosine(0.1, 90)" if kind == "schedule" else ""
            raise SpecError(f'there is no {kind} "{name}"; {library} has none in specs{instead}.')
        raise SpecError(
            f'there is no {kind} "{name}", since no library "{library}" is known; if {library} is code of your own, '
            f'import it: --import {library}.py on the command line, imports=["{library}.py"] for al.run.'
        )


@cache
def _checked(name: str, factory: Callable[..., Any], role: str) -> Callable[..., Any]:
    """A factory of the user's, which tells where it does not make what it should."""

    @wraps(factory)
    def make(*given: Any, **named: Any) -> Any:
        result = factory(*given, **named)
        if role == "optimizer" and not (hasattr(result, "init") and hasattr(result, "update")):
            raise SpecError(
                f"{name} has to make a transformation with init and update, as optax.adam does; not {result!r}."
            )
        if role == "schedule" and not callable(result):
            raise SpecError(f"{name} has to make a schedule, a function of the number of updates; not {result!r}.")
        return result

    return make


class _Parser:
    """A parser of a spec's syntax tree.

    Attributes:
        text: the spec, for messages.
    """

    def __init__(self, text: str):
        self.text = text

    def optimizer(self, node: ast.expr) -> Call:
        """The call that a node writes: an optimizer with its arguments, or its bare name."""
        name, factory = self._factory(node.func if isinstance(node, ast.Call) else node)
        return call(name, factory, self._arguments(node, name, factory) if isinstance(node, ast.Call) else {})

    def _factory(self, node: ast.expr) -> tuple[str, Callable[..., Any]]:
        if isinstance(node, ast.Call):
            if self._dotted(node.func) == INJECT and len(node.args) == 1 and not node.keywords:
                name, factory = self._factory(node.args[0])
                return f"{INJECT}({name})", injected(factory)
            raise SpecError(
                f'"{self.text}": only {INJECT} is called twice, as {INJECT}(optax.adam)(learning_rate=0.1).'
            )
        name = self._dotted(node)
        if name == INJECT:
            raise SpecError(f'"{self.text}": {INJECT} is called twice, as {INJECT}(optax.adam)(learning_rate=0.1).')
        return name, find(name)

    def _arguments(self, node: ast.Call, name: str, factory: Callable[..., Any]) -> dict[str, Any]:
        known = arguments(factory)
        parameters = signature(factory).parameters.values()
        names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        several = next((key for key, argument in known.items() if argument.kind == "optimizers"), None)
        if len(node.args) > len(names) and several is None:
            raise SpecError(f"{name} takes at most {len(names)} arguments without a name, not {len(node.args)}.")
        given = {key: self._value(n, known.get(key)) for key, n in zip(names, node.args, strict=False)}
        if several is not None and len(node.args) <= len(names):
            raise SpecError(f"{name}: {several} must be {known[several].expects()}, at least one; not none.")
        if several is not None:
            given[several] = tuple(self._value(n, known[several]) for n in node.args[len(names) :])
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg in given:
                raise SpecError(f'"{self.text}": {keyword.arg or "**"} is given twice or cannot be unpacked here.')
            given[keyword.arg] = self._value(keyword.value, known.get(keyword.arg))
        return given

    def _value(self, node: ast.expr, argument: Argument | None) -> Any:
        takes_optimizers = argument is not None and argument.kind in ("optimizer", "optimizers")
        match node:
            case ast.Constant(value=int() | float() | str() | None as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if value is not True:
                return -value
            case ast.BinOp(
                left=ast.Constant(value=1), op=ast.Sub(), right=ast.Constant(value=int() | float() as value)
            ):
                return Decay(complement=value)  # how a decay is written by 1 − b
            case ast.Name(id=name) if name in LITERALS:
                return LITERALS[name]
            case ast.Call() | ast.Attribute() | ast.Name() if takes_optimizers:
                return self.optimizer(node)
            case ast.Name(id=name):
                return Symbol(name)
            case ast.List(elts=items):
                return tuple(self._value(item, argument) for item in items)
            case ast.Call(func=function) if _is_dotted(function):
                if argument is not None and argument.kind == "mask":
                    given = cut(ast.unparse(node), 60)
                    raise SpecError(f'"{self.text}": {argument.name} must be {argument.expects()}, not {given}.')
                name = self._dotted(function)
                factory = find_schedule(name)
                return call(name, factory, self._arguments(node, name, factory), "schedule")
        raise SpecError(
            f'"{self.text}": {cut(ast.unparse(node), 60)} cannot stand in a spec, which is parsed and never evaluated; '
            "write numbers, true, false, none, names, 1-1e-9 for a decay, or a schedule such as inverse_sqrt(0.1)."
        )

    def _dotted(self, node: ast.expr) -> str:
        match node:
            case ast.Name(id=name):
                return name
            case ast.Attribute(value=value, attr=attr):
                return f"{self._dotted(value)}.{attr}"
        raise SpecError(f'"{self.text}" does not start with the name of an optimizer, such as adamlab.adam.')


def _is_dotted(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and _is_dotted(node.value))
