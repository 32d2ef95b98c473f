"""An optimizer of one library as that of another, with the verdict on whether both take the same steps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adamlab.calls import REQUIRED, Call, Symbol, arguments
from adamlab.errors import InputError, nearest
from adamlab.frameworks.pytorch import PAIRS
from adamlab.recipes import RECIPES
from adamlab.specs import parse
from adamlab.symbolic.proving.proofs import prove
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.translation.pasted import call_of
from adamlab.translation.table import IN_WORDS, LIBRARIES, Near, Same, rows

COUPLED = ("Adadelta", "Adagrad", "Adam", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD")
"""PyTorch's optimizers whose weight decay joins the gradient, unless it is decoupled."""


@dataclass(frozen=True)
class Translation:
    """An optimizer in the words of another library.

    Attributes:
        source: the spec that was translated.
        to: the library.
        spec: the optimizer of that library; the nearest where none is the same, None where none is near.
        code: a line of Python to paste; None without a spec.
        verdict: the verdict on whether the two take the same steps; None without a spec.
        differences: in words, what differs and how much that matters; empty where nothing does.
        instead: a line of Python that takes the very steps all the same; empty where `code` does.
    """

    source: str
    to: str
    spec: str | None
    code: str | None
    verdict: Verdict | None
    differences: tuple[str, ...] = ()
    instead: str = ""

    @property
    def holds(self) -> bool:
        """Whether the two were proved to be the same for every step."""
        return self.verdict is not None and self.verdict.holds

    def text(self) -> str:
        """The translation as lines to read."""
        library = IN_WORDS[self.to]
        lines = [] if self.holds else [f"no optimizer of {library} does this{'; the nearest is' if self.code else '.'}"]
        lines += [self.code] if self.code else []
        lines += [f"{self.verdict.status}: {self.verdict.explanation}"] if self.verdict else []
        lines += [f"  {difference}" for difference in self.differences]
        lines += [f"the very steps: {self.instead}"] if self.instead else []
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        verdict = self.verdict and {"status": self.verdict.status, "explanation": self.verdict.explanation}
        return {**vars(self), "verdict": verdict, "differences": [*self.differences], "holds": self.holds}

    def __str__(self):
        return self.text()


def translate(optimizer: str, to: str) -> Translation:
    """Translate an optimizer between PyTorch, Keras, Optax and adamlab.

    >>> translate("adamlab.adam(0.1)", to="optax").code
    'optax.adam(0.1, b1=0.9, b2=0.999, eps=1e-08)'

    Args:
        optimizer: a spec, such as "torch.RMSprop(lr=0.01, alpha=0.99)"; or a whole call as it stands in a program, such
            as "torch.optim.Adam(model.parameters(), lr=3e-4)", which is parsed and never evaluated.
        to: "optax", "adamlab", "torch" or "keras".

    Returns:
        A `Translation`. Its verdict is decided now, on the code that is installed: whether the two take the same steps
        for every t, whatever the numbers are.

    Raises:
        InputError: no optimizer of these libraries, or no such library.
    """
    if to not in LIBRARIES:
        raise InputError(f"there is no library {to!r} to translate to; {nearest(to, LIBRARIES)}")
    source = call_of(optimizer)
    library = _library(source)
    if library == to:
        raise InputError(f"{source.name} is {IN_WORDS[to]}'s already; to is one of {', '.join(LIBRARIES)}.")
    core, ahead = _taken_apart(source)
    for row in rows(library, to):
        pattern = parse(row.forms[library])
        numbers = _match(pattern, core)
        target = None if numbers is None else _put_ahead(parse(row.forms[to]), ahead, to)
        if numbers is not None and target is not None:
            return _decided(source, row, pattern, target, {**numbers, **_values(ahead)}, ahead, to)
    return _unmatched(source, core, ahead, to)


def _library(call: Call) -> str:
    """The library of an optimizer; of a chain that of its last part."""
    parts = call.arguments.get("args") if call.name == "optax.chain" else None
    last = parts[-1] if isinstance(parts, tuple) and parts and isinstance(parts[-1], Call) else call
    library = last.library.partition(".")[0]
    if library not in LIBRARIES:
        raise InputError(f"{call.name} is of no library that is translated; these are {', '.join(LIBRARIES)}.")
    return library


Ahead = Mapping[str, Any]
"""What happens to the gradient ahead of the rule, by the keyword that PyTorch has for it."""


def _taken_apart(call: Call) -> tuple[Call, Ahead]:
    """The rule itself, and what happens to the gradient ahead of it."""
    ahead: dict[str, Any] = {}
    if call.library == "torch":
        bound = call.bound()
        coupled = call.short in COUPLED and not bound.get("decoupled_weight_decay")
        if bound.get("maximize"):
            ahead["maximize"] = True
        if coupled and bound.get("weight_decay"):
            ahead["weight_decay"] = bound["weight_decay"]
        return call.with_arguments({key: x for key, x in call.arguments.items() if key not in ahead}), ahead
    parts: Any = call.arguments.get("args", ()) if call.name == "optax.chain" else ()
    for part in parts[:-1]:
        bound = part.bound()
        if part.short == "scale" and bound.get("step_size") == -1:
            ahead["maximize"] = True
        elif part.short == "add_decayed_weights" and "weight_decay" not in ahead and bound.get("mask") is None:
            ahead["weight_decay"] = bound["weight_decay"]
        else:
            return call, {}
    return (parts[-1], ahead) if ahead else (call, {})


def _put_ahead(core: Call, ahead: Ahead, to: str) -> Call | None:
    """The rule with what happens to the gradient ahead of it; None where the library cannot say that."""
    symbols = {key: Symbol("decay_ahead") if key == "weight_decay" else value for key, value in ahead.items()}
    if not ahead:
        return core
    if to == "torch":
        known = arguments(core.factory)
        fits = all(key in known and key not in core.arguments for key in ahead)
        fits = fits and (core.short in COUPLED or "weight_decay" not in ahead)
        return core.with_arguments({**core.arguments, **symbols}) if fits else None
    if to == "keras":
        return None
    parts = ["optax.scale(-1.0)"] if "maximize" in ahead else []
    parts += [f"{to}.add_decayed_weights(weight_decay=decay_ahead)"] if "weight_decay" in ahead else []
    return parse(f"optax.chain({', '.join([*parts, str(core)])})")


def _values(ahead: Ahead) -> dict[str, Any]:
    return {"decay_ahead": ahead["weight_decay"]} if "weight_decay" in ahead else {}


def _match(pattern: Any, given: Any) -> dict[str, Any] | None:
    """The values of the pattern's symbols with which it is the given call; None where there are none."""
    if isinstance(pattern, Symbol):
        usable = given is not None and not isinstance(given, bool | tuple)
        return {pattern.name: given} if usable else None
    if isinstance(pattern, Call) and isinstance(given, Call):
        wanted, actual = _bound(pattern), _bound(given)
        pairs = [(wanted[key], actual[key]) for key in wanted] if pattern.name == given.name else [(0, 1)]
    elif type(pattern) is tuple and type(given) is tuple and len(pattern) == len(given):
        pairs = [*zip(pattern, given, strict=True)]
    else:
        return {} if pattern is given or _equal(pattern, given) else None
    numbers: dict[str, Any] = {}
    for wanted, actual in pairs:
        inner = _match(wanted, actual)
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


def _bound(call: Call) -> dict[str, Any]:
    """All arguments; of what is needed and not given a symbol of that name."""
    needed = {name: Symbol(name) for name, a in arguments(call.factory).items() if a.default is REQUIRED}
    return {**needed, **call.bound()}


def _decided(
    source: Call, row: Same | Near, pattern: Call, target: Call, numbers: Mapping[str, Any], ahead: Ahead, to: str
) -> Translation:
    """The translation by a row, with its verdict and, where the row is of a near one, how near."""
    left = pattern
    if ahead and _library(pattern) == "torch":
        symbols = {"weight_decay": Symbol("decay_ahead")} if "weight_decay" in ahead else {}
        left = pattern.with_arguments({**pattern.arguments, **ahead, **symbols})
    elif ahead:
        left = _put_ahead(pattern, ahead, _library(pattern)) or pattern
    schedules = {name: value for name, value in numbers.items() if isinstance(value, Call)}
    verdict = prove(left.with_numbers(schedules), target.with_numbers(schedules))
    result = _in_numbers(target, numbers)
    differences = _differences(source, row, result, _library(source), to, bool(schedules), verdict)
    instead = "" if verdict.holds else _instead(source)
    return Translation(str(source), to, str(result), code_of(result), verdict, tuple(differences), instead)


def _differences(
    source: Call, row: Same | Near, result: Call, library: str, to: str, scheduled: bool, verdict: Verdict
) -> Iterator[str]:
    if isinstance(row, Near):
        yield f"what differs: {row.difference}."
    elif (library in row.inside) != (to in row.inside) and not scheduled:
        inside = IN_WORDS[library if library in row.inside else to]
        yield f"while the learning rate is constant: {inside} has it inside of the momentum."
    if not verdict.holds:
        yield from _how_much(source, result)


def _in_numbers(call: Call, numbers: Mapping[str, Any]) -> Call:
    return call.with_numbers({name: value for name, value in numbers.items() if value != Symbol(name)})


def _unmatched(source: Call, core: Call, ahead: Ahead, to: str) -> Translation:
    """What is said where no row fits: the arguments without a counterpart, and the nearest."""
    given, library = _bound(core), _library(source)
    candidates = []
    for row in rows(library, to):
        pattern = parse(row.forms[library])
        if pattern.name == core.name:
            odd = [key for key, value in _bound(pattern).items() if _match(value, given[key]) is None]
            candidates.append((len(odd), odd, row, pattern))
    extra = [key for key in ahead if candidates and to == "keras"]
    if not candidates:
        return Translation(str(source), to, None, None, None, instead=_instead(source))
    _, odd, row, pattern = min(candidates, key=lambda candidate: candidate[0])
    without = {key: value for key, value in given.items() if key not in odd}
    numbers = _match(pattern, pattern.with_arguments({**pattern.arguments, **_given_to(pattern, without)})) or {}
    target = _in_numbers(
        _put_ahead(parse(row.forms[to]), ahead, to) or parse(row.forms[to]), {**numbers, **_values(ahead)}
    )
    named = [f"{key}={given[key] if key in given else ahead[key]}" for key in [*odd, *extra]]
    words = f"what differs: {', '.join(named)} has no counterpart in {IN_WORDS[to]}."
    near = [f"what differs: {row.difference}."] if isinstance(row, Near) else []
    verdict = prove(source.with_arguments(_explicit(source)), target)
    differences = (words, *near, *_how_much(source, target))
    instead = "" if verdict.holds else _instead(source)
    return Translation(str(source), to, str(target), code_of(target), verdict, differences, instead)


def _explicit(call: Call) -> dict[str, Any]:
    """The arguments with the numbers that are written nowhere, so that these are no symbols."""
    known, bound = arguments(call.factory), call.bound()
    return {key: bound[key] for key in known if key in call.arguments or type(bound.get(key)) is float}


def _given_to(pattern: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values of the arguments that are symbols in a pattern."""
    return {key: given[key] for key, value in pattern.arguments.items() if isinstance(value, Symbol) and key in given}


def _instead(source: Call) -> str:
    """A line of Python that takes the source's very steps on JAX."""
    if source.library == "torch" and source.short in RECIPES:
        return f'adamlab.like_torch("{source.short}"{"".join(f", {given}" for given in _regrouped(source))})'
    if source.library in ("torch", "keras"):
        home = {"torch": "torch.optim", "keras": "keras.optimizers"}[source.library]
        given = ", ".join(f"{key}={_python(value)}" for key, value in source.arguments.items())
        return f"adamlab.from_{source.library}({home}.{source.short})({given})"
    return ""


def code_of(call: Call) -> str:
    """A call as a line of Python, the learning rate ahead without its name; of PyTorch's with a model's parameters."""
    if call.library == "torch":
        return f"torch.optim.{call.short}({', '.join(['model.parameters()', *_regrouped(call)])})"
    if call.library == "keras":
        given = [f"{key}={_python(value)}" for key, value in call.arguments.items()]
        return f"keras.optimizers.{call.short}({', '.join(given)})"
    if call.name == "optax.chain":
        return f"optax.chain({', '.join(map(code_of, call.arguments['args']))})"
    first = next(iter(arguments(call.factory)))
    return (
        f"{call.name}("
        + ", ".join(
            _python(value) if key == first else f"{key}={_python(value)}" for key, value in call.arguments.items()
        )
        + ")"
    )


def _regrouped(call: Call) -> Iterator[str]:
    """The arguments of PyTorch's with pairs as PyTorch has them."""
    bound = call.bound()
    homes = {name: (key, names) for key, names in PAIRS.items() for name in names}
    written: dict[str, str] = {}
    for name, value in call.arguments.items():
        key, names = homes.get(name, (name, ()))
        written[key] = f"({', '.join(_python(bound[entry]) for entry in names)})" if names else _python(value)
    yield from (f"{key}={value}" for key, value in written.items())


def _python(value: Any) -> str:
    if isinstance(value, Call):
        schedule = value if "." in value.name else replace(value, name=f"adamlab.schedules.{value.name}")
        return code_of(schedule)
    return str(value) if isinstance(value, Symbol) else repr(value)


SIZES = (1.0, 1e-6)
"""The sizes of gradients at which two optimizers are measured against each other."""


def _how_much(left: Call, right: Call) -> Iterator[str]:
    """In words, how much the updates of two optimizers differ in their first steps; nothing where numbers are open."""
    if [*left.symbols(), *right.symbols()] or left.missing() or right.missing():
        return
    with jax.enable_x64(True):
        gradients = np.random.default_rng(0).normal(size=(100, 16))
        for size in SIZES:
            u, v = (_updates(call, jnp.asarray(size * gradients)) for call in (left, right))
            scale = np.median(np.abs(u), axis=1)
            apart = np.median(np.abs(u - v), axis=1) / np.where(scale > 0, scale, 1.0)
            yield (
                f"for gradients of size {size:g} the updates differ by {apart[0]:.2g} of their size at step 1, "
                f"{apart[9]:.2g} at step 10, {apart[99]:.2g} at step 100."
            )


def _updates(call: Call, gradients: Any) -> np.ndarray:
    transform = optax.with_extra_args_support(call.build())
    w = jnp.ones(gradients.shape[1])

    def step(carry: Any, g: Any) -> Any:
        u, state = transform.update(g, carry[1], carry[0])
        return (optax.apply_updates(carry[0], u), state), u

    return np.asarray(jax.lax.scan(step, (w, transform.init(w)), gradients)[1])
