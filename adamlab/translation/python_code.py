"""Optimizers as lines of Python to paste."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from adamlab.calls import Call, Symbol, arguments
from adamlab.frameworks.pytorch import PAIRS
from adamlab.recipes import RECIPES
from adamlab.types import Decay

HOMES = {"torch": "torch.optim", "keras": "keras.optimizers"}
"""The modules of the frameworks' optimizers."""


def code_of(call: Call) -> str:
    """A call as a line of Python, the learning rate ahead without its name; of PyTorch's with a model's parameters."""
    if call.library in HOMES:
        call = call.with_arguments({key: _at_first(value) for key, value in call.arguments.items()})
    if call.library == "torch":
        return f"torch.optim.{call.short}({', '.join(['model.parameters()', *_regrouped(call)])})"
    if call.library == "keras":
        return f"keras.optimizers.{call.short}({_named(call)})"
    if call.name == "optax.chain":
        return f"optax.chain({', '.join(map(code_of, call.arguments['args']))})"
    first = next(iter(arguments(call.factory)))
    given = [_python(x) if key == first else f"{key}={_python(x)}" for key, x in call.arguments.items()]
    return f"{call.name}({', '.join(given)})"


def on_jax(source: Call) -> str:
    """A line of Python that takes the very steps of a framework's optimizer on JAX; empty for another library's."""
    if source.library == "torch" and source.short in RECIPES:
        return f'adamlab.like_torch("{source.short}"{"".join(f", {given}" for given in _regrouped(source))})'
    if source.library in HOMES:
        return f"adamlab.from_{source.library}({HOMES[source.library]}.{source.short})({_named(source)})"
    return ""


def schedule_code(schedule: Call) -> str:
    """A schedule as a line of Python."""
    return code_of(schedule if "." in schedule.name else replace(schedule, name=f"adamlab.schedules.{schedule.name}"))


def _named(call: Call) -> str:
    return ", ".join(f"{key}={_python(value)}" for key, value in call.arguments.items())


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
        return schedule_code(value) if value.role == "schedule" else code_of(value)
    if isinstance(value, Decay):
        return f"adamlab.Decay(complement={value.complement!r})"
    if type(value) is tuple:
        return f"({', '.join(map(_python, value))},)"
    return str(value) if isinstance(value, Symbol) else repr(value)


def _at_first(value: Any) -> Any:
    """The value that a schedule begins with; any other as it is."""
    if not isinstance(value, Call) or value.role != "schedule":
        return value
    open_numbers = [*value.symbols()] or value.missing()
    return Symbol(f"float({schedule_code(value)}(0))") if open_numbers else float(f"{float(value.build()(0)):.7g}")
