"""An optimizer of one library as that of another, with the verdict on whether both take the same steps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adamlab.calls import REQUIRED, Call, SpecError, Symbol, arguments, call, written
from adamlab.errors import InputError, nearest, reason
from adamlab.frameworks.pytorch import PAIRS
from adamlab.recipes import RECIPES
from adamlab.specs import find, parse
from adamlab.symbolic.proving.proofs import prove
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.translation.pasted import call_of
from adamlab.translation.table import IN_WORDS, LIBRARIES, Near, Same, rows
from adamlab.types import Decay

COUPLED = ("Adadelta", "Adagrad", "Adam", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD")
"""PyTorch's optimizers whose weight decay joins the gradient, unless it is decoupled."""


SEEK = {
    "clipvalue": "optax.clip",
    "clipnorm": "optax.clip_by_block_rms, which goes by the root of the mean of the squares",
    "global_clipnorm": "optax.clip_by_global_norm",
    "gradient_accumulation_steps": "optax.MultiSteps",
}
"""What Optax has that is like arguments of Keras's, none of which is compared here."""


@dataclass(frozen=True)
class Translation:
    """An optimizer in the words of another library.

    Attributes:
        source: the spec that was translated.
        to: the library.
        spec: the optimizer of that library; the nearest that is known where none is known to be the same, None where
            none is near.
        code: a line of Python to paste; None without a spec.
        verdict: the verdict on whether the source and the spec take the same steps; None where that was not decided.
        differences: in words, what differs and how much that matters, or what has to be done besides; empty where
            there is nothing.
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
        no_row = f"the table of translations has no row for this and {library}."
        nothing = f"nothing to paste for {library}:" if self.differences else no_row
        lines = [] if self.holds else [f"the nearest of {library} that is known is" if self.code else nothing]
        lines += [self.code] if self.code else []
        lines += [f"{self.verdict.status}: {self.verdict.explanation}"] if self.verdict else []
        lines += [f"  where {'; '.join(self.verdict.assumptions)}"] if self.verdict and self.conditions else []
        lines += [f"  {difference}" for difference in self.differences]
        lines += [f"the very steps: {self.instead}"] if self.instead else []
        return "\n".join(lines)

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions under which it is proved, in words."""
        return self.verdict.assumptions if self.verdict and self.verdict.status == "proved" else ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        verdict = self.verdict and {
            "status": self.verdict.status,
            "explanation": self.verdict.explanation,
            "assumptions": [*self.verdict.assumptions],
        }
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
        A `Translation`. Its verdict is decided now, on the code that is installed: whether the two, with the numbers
        that they have, take the same steps for every t.

    Raises:
        InputError: no optimizer of these libraries, or no such library.
    """
    if to not in LIBRARIES:
        raise InputError(f"there is no library {to!r} to translate to; {nearest(to, LIBRARIES)}")
    source = _unwrapped(call_of(optimizer))
    library = _library(source)
    if library == to:
        raise InputError(f"{source.name} is {IN_WORDS[to]}'s already; to is one of {', '.join(LIBRARIES)}.")
    candidates = (_decided(source, row, target, to) for row, target in _targets(source, library, to))
    known: list[Translation] = []
    for translation in candidates:
        if translation.holds:
            return translation
        known.append(translation)
    return next((each for each in known if each.code), known[0] if known else _unmatched(source, library, to))


def _unwrapped(call: Call) -> Call:
    """The optimizer itself of a chain of a single link."""
    parts = call.arguments.get("args", ()) if call.name == "optax.chain" else ()
    return _unwrapped(parts[0]) if len(parts) == 1 else call


def _targets(source: Call, library: str, to: str) -> Iterator[tuple[Same | Near | None, Call]]:
    """The optimizers that rows of the table have for a source; at last that of the same name, without a row."""
    core, ahead = _taken_apart(source)
    for row in rows(library, to):
        pattern = parse(row.forms[library])
        for given, before in ((source, {}), (core, ahead))[: 2 if ahead else 1]:
            numbers = _match(pattern, given)
            target = None if numbers is None else _put_ahead(_filled(row.forms[to], numbers, to), before, to)
            if target is not None:
                yield row, target
    namesake = _namesake(source, to) if {library, to} == {"optax", "adamlab"} else None
    if namesake is not None:
        yield None, namesake


def _namesake(source: Call, to: str) -> Call | None:
    """The same names with the same arguments in the other library of Optax's names; None where it lacks them."""
    try:
        renamed = _renamed(source, to)
    except SpecError:
        return None
    return None if _library(renamed) != to else renamed


def _renamed(source: Call, to: str) -> Call:
    if source.role != "optimizer":
        return source
    given = {key: _each(value, lambda link: _link(link, to)) for key, value in source.arguments.items()}
    name = source.name if source.name in ("optax.chain", "optax.scale") else f"{to}.{source.short}"
    return call(name, find(name), given)


def _link(source: Call, to: str) -> Call:
    """A link of a chain; Optax's own where adamlab has none, whose chains are Optax's."""
    try:
        return _renamed(source, to)
    except SpecError:
        if to != "adamlab":
            raise
        return source


def _each(value: Any, change: Callable[[Call], Any]) -> Any:
    """A value with each of its calls changed."""
    if isinstance(value, Call):
        return change(value)
    return tuple(_each(item, change) for item in value) if type(value) is tuple else value


def _filled(form: str, numbers: Mapping[str, Any], to: str) -> Call:
    """The optimizer of a row with numbers written in, as its arguments take them."""
    return _as_taken(parse(form).with_numbers(numbers), to)


def _as_taken(given: Call, to: str) -> Call:
    """Whole numbers as floats where the argument is no whole one; decays as plain rates where no others are taken."""
    known = arguments(given.factory)

    def taken(key: str, value: Any) -> Any:
        if isinstance(value, Decay) and to != "adamlab":
            return float(value.rate)
        if type(value) is int and known[key].kind in ("number", "decay") and not known[key].is_whole:
            return float(value)
        return _each(value, lambda inner: _as_taken(inner, to) if inner.role == "optimizer" else inner)

    return given.with_arguments({key: taken(key, value) for key, value in given.arguments.items()})


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
        if part.short == "scale" and not ahead and bound.get("step_size") == -1:
            ahead["maximize"] = True
        elif part.short == "add_decayed_weights" and "weight_decay" not in ahead and bound.get("mask") is None:
            ahead["weight_decay"] = bound["weight_decay"]
        else:  # PyTorch turns the gradient around before weight decay, and does each once
            return call, {}
    return (parts[-1], ahead) if ahead else (call, {})


def _put_ahead(core: Call, ahead: Ahead, to: str) -> Call | None:
    """The rule with what happens to the gradient ahead of it; None where the library cannot say that."""
    if not ahead:
        return core
    if to == "torch":
        known = arguments(core.factory)
        fits = all(key in known and key not in core.arguments for key in ahead)
        fits = fits and (core.short in COUPLED or "weight_decay" not in ahead)
        return core.with_arguments({**core.arguments, **ahead}) if fits else None
    if to == "keras":
        return None
    parts = ["optax.scale(-1.0)"] if "maximize" in ahead else []
    parts += [f"{to}.add_decayed_weights({written(ahead['weight_decay'])})"] if "weight_decay" in ahead else []
    return _as_taken(parse(f"optax.chain({', '.join([*parts, str(core)])})"), to)


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


def _decided(source: Call, row: Same | Near | None, target: Call, to: str) -> Translation:
    """The translation to a target, with its verdict and, where that is no proof, how near the two are."""
    refused = _refused(target)
    if refused:
        words = f"{IN_WORDS[to]} does not take {target}: {refused}"
        return Translation(str(source), to, None, None, None, (words,), _instead(source))
    verdict, undecided = _compared(source, target, row, to)
    holds = verdict is not None and verdict.holds
    differences = [*undecided, *_differences(source, row, target, to, holds), *_scheduled(target, to)]
    instead = "" if holds else _instead(source)
    return Translation(str(source), to, str(target), code_of(target), verdict, tuple(differences), instead)


def _compared(source: Call, target: Call, row: Same | Near | None, to: str) -> tuple[Verdict | None, list[str]]:
    """The verdict on the very calls; none, and why, where one of them cannot be read."""
    if _masks(source) != _masks(target):
        return None, ["not compared: a mask goes by the paths of parameters, and a proof is about a single number."]
    try:
        verdict = prove(_explicit(source), _explicit(target))
        if row is not None and not verdict.holds and verdict.status != "refuted":
            verdict = _proof_of_the_row(source, row, to) or verdict
    except InputError as error:
        return None, [f"not compared: {reason(error, 200)}"]
    return verdict, []


def _masks(optimizer: Call) -> list[Any]:
    """The masks in an optimizer that may leave parameters out."""
    given = [
        (arguments(inner.factory)[key], value) for inner in optimizer.calls() for key, value in inner.arguments.items()
    ]
    return [value for argument, value in given if argument.kind == "mask" and value not in (None, True)]


def _proof_of_the_row(source: Call, row: Same | Near, to: str) -> Verdict | None:
    """A proof for all numbers above 0, and of decays below 1, where the source's are such and others are written in."""
    pattern = parse(row.forms[_library(source)])
    numbers = _match(pattern, source)
    if numbers is None:
        return None
    decays = {symbol.name for symbol, argument in pattern.symbols() if argument.kind == "decay"}
    fixed = {name: value for name, value in numbers.items() if not _is_usual(value, name in decays)}
    verdict = prove(_explicit(pattern.with_numbers(fixed)), _explicit(_filled(row.forms[to], fixed, to)))
    return verdict if verdict.holds else None


def _is_usual(value: Any, is_decay: bool) -> bool:
    return type(value) in (int, float) and 0 < value < (1 if is_decay else float("inf"))


def _refused(target: Call) -> str:
    """Why the library does not take an optimizer's numbers; nothing where it does, or where that cannot be tried."""
    if [*target.symbols()] or target.missing() or _masks(target):
        return ""
    try:
        target.build().init(jnp.ones(1))
    except (ValueError, TypeError) as error:
        return reason(error)
    return ""


def _differences(source: Call, row: Same | Near | None, target: Call, to: str, holds: bool) -> Iterator[str]:
    library = _library(source)
    if isinstance(row, Near) and not holds:
        yield f"what differs: {row.difference}."
    if isinstance(row, Same) and (library in row.inside) != (to in row.inside) and not _schedules(target):
        inside = IN_WORDS[library if library in row.inside else to]
        yield f"while the learning rate is constant: {inside} has it inside of the momentum."
    if not holds:
        yield from _how_much(source, target)


def _schedules(optimizer: Call) -> list[Call]:
    return [inner for inner in optimizer.calls() if inner.role == "schedule"]


def _scheduled(target: Call, to: str) -> Iterator[str]:
    """In words, what a schedule is in a framework that does not take one as a number."""
    rate = {"torch": 'for group in optimizer.param_groups: group["lr"] =', "keras": "optimizer.learning_rate ="}
    for schedule in _schedules(target) if to in rate else ():
        yield (
            f"the line has the first rate alone; for the same steps, with schedule = {_schedule(schedule)}, do after "
            f"the t-th step {rate[to]} float(schedule(t))"
        )


def _unmatched(source: Call, library: str, to: str) -> Translation:
    """What is said where no row fits: what the table has no row with, and the nearest."""
    core, ahead = _taken_apart(source)
    parts = core.arguments["args"] if core.name == "optax.chain" else ()
    core = _unwrapped(parts[-1]) if parts else core
    near = _nearest(core, library, to)
    if near is None:
        return Translation(str(source), to, None, None, None, instead=_instead(source))
    odd, row, bare = near
    target = _put_ahead(bare, ahead, to)
    given = {**_bound(core), **ahead}
    lost = [*odd, *(ahead if target is None else ())]
    left_out = [*map(str, parts[:-1]), *(f"{key}={written(given[key])}" for key in lost)]
    translation = _decided(source, row, bare if target is None else target, to)
    why = "which changes no step in exact arithmetic" if translation.holds else "since the table has no row with it"
    words = [f"left out, {why}: {', '.join(left_out)}."] if left_out else []
    if to in ("optax", "adamlab"):
        words += [f"like {key}, and not compared: {SEEK[key]}." for key in odd if key in SEEK and library == "keras"]
    return replace(translation, differences=(*words, *translation.differences))


def _nearest(core: Call, library: str, to: str) -> tuple[list[str], Same | Near, Call] | None:
    """The row whose optimizer has the most arguments of the given one, those it has not, and its target."""
    given, candidates = _bound(core), []
    for row in rows(library, to):
        pattern = parse(row.forms[library])
        if pattern.name == core.name and core.name != "optax.chain":
            wanted = _bound(pattern)
            odd = [key for key, value in wanted.items() if _match(value, given[key]) is None]
            numbers = {v.name: given[key] for key, v in wanted.items() if isinstance(v, Symbol) and key not in odd}
            if not any(isinstance(wanted[key], Symbol) for key in odd):
                candidates.append((odd, row, _filled(row.forms[to], numbers, to)))
    return min(candidates, key=lambda candidate: len(candidate[0]), default=None)


def _explicit(optimizer: Call) -> Call:
    """The call with the numbers that are written nowhere, so that these are no symbols."""
    known, bound = arguments(optimizer.factory), _bound(optimizer)
    given = {
        key: _each(bound[key], lambda inner: _explicit(inner) if inner.role == "optimizer" else inner)
        for key in known
        if key in optimizer.arguments or type(bound.get(key)) in (int, float, Symbol)
    }
    return optimizer.with_arguments(given)


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
    if call.library in ("torch", "keras"):
        call = call.with_arguments({key: _at_first(value) for key, value in call.arguments.items()})
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
        return _schedule(value) if value.role == "schedule" else code_of(value)
    if isinstance(value, Decay):
        return f"adamlab.Decay(complement={value.complement!r})"
    return f"({', '.join(map(_python, value))},)" if type(value) is tuple else _number(value)


def _number(value: Any) -> str:
    return str(value) if isinstance(value, Symbol) else repr(value)


def _schedule(schedule: Call) -> str:
    return code_of(schedule if "." in schedule.name else replace(schedule, name=f"adamlab.schedules.{schedule.name}"))


def _at_first(value: Any) -> Any:
    """The value that a schedule begins with; any other as it is."""
    if not isinstance(value, Call) or value.role != "schedule":
        return value
    open_numbers = [*value.symbols()] or value.missing()
    return Symbol(f"float({_schedule(value)}(0))") if open_numbers else float(f"{float(value.build()(0)):.7g}")


SIZES = (1.0, 1e-6)
"""The sizes of gradients at which two optimizers are measured against each other."""


def _how_much(left: Call, right: Call) -> Iterator[str]:
    """In words, how much the updates differ in the first steps; nothing where numbers are open or masks in use."""
    if [*left.symbols(), *right.symbols()] or left.missing() or right.missing() or _masks(left) or _masks(right):
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
