"""Keras's optimizers as transformations: their own code on JAX's backend, with their numbers as arguments."""

import inspect
import os
import re
import sys
from collections import namedtuple
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import optax

from adamlab.calls import SpecError
from adamlab.errors import InputError, reason
from adamlab.frameworks.branches import along_each_branch, holds
from adamlab.frameworks.factories import Rate, factory, imported, is_traced, parameter, placeholder, require_floats
from adamlab.types import PyTree

READ = (
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "RMSprop",
    "SGD",
    "ScheduleFreeAdamW",
)
"""The optimizers of `keras.optimizers` that are read."""

UNREAD = {
    "LossScaleOptimizer": "it scales the loss for another optimizer, which a spec cannot give it",
    "MultiOptimizer": "it hands layers of a model to other optimizers",
}
"""The others, each with the reason."""

UNUSED = ("name", "exclude_layers", "exclude_embeddings")
"""The arguments that say nothing of a step, or that go by the names of layers, which arrays do not have."""

AT_TIMES = ("ema_momentum",)
"""The numbers that say something only if others are given: none here stands for Keras's own default."""

RATES = {"beta_1", "beta_2", "adam_beta_1", "adam_beta_2", "rho", "momentum"}
"""The numbers that are rates between 0 and 1."""

WHOLE = {"ema_overwrite_frequency", "gradient_accumulation_steps"}
"""Whole numbers that are none by default."""


def from_keras(optimizer: Any, **defaults: Any) -> Callable[..., optax.GradientTransformation]:
    """The factory of an optimizer of Keras 3 as an Optax transformation: its own code, on JAX's backend.

    >>> import keras, adamlab as al
    >>> amsgrad = al.from_keras(keras.optimizers.Adam, amsgrad=True)
    >>> transform = amsgrad(learning_rate=0.1, beta_1=0.8)

    An update is the difference of the parameters before and after Keras's step: its formula is Keras's, its rounding is
    not claimed to be.

    Args:
        optimizer: a class such as `keras.optimizers.Adam`, or one of your own that derives from
            `keras.optimizers.Optimizer`.
        **defaults: defaults that replace Keras's, by Keras's names.

    Returns:
        A factory whose arguments are Keras's keywords. `learning_rate` can be a schedule of the number of finished
        updates. The fields of the state are Keras's variables.

    Raises:
        SpecError: it is no such class, cannot be read, has no such argument, or Keras runs on another backend.
    """
    keras = loaded_keras("an optimizer of Keras")
    if not (isinstance(optimizer, type) and issubclass(optimizer, keras.optimizers.Optimizer)):
        raise SpecError(f"expected a class of Keras's optimizers, such as keras.optimizers.Adam; got {optimizer!r}.")
    own = getattr(keras.optimizers, optimizer.__name__, None) is optimizer
    name = f"keras.{optimizer.__name__}" if own else optimizer.__name__
    if own and optimizer.__name__ in UNREAD:
        raise SpecError(f"{name} cannot be read: {UNREAD[optimizer.__name__]}.")
    if optimizer.update_step is keras.optimizers.Optimizer.update_step:
        raise SpecError(f"{name} cannot be read: it has no update_step of its own.")

    def make(**given: Any) -> optax.GradientTransformation:
        return _transform(_Optimizer(name, optimizer, given))

    doc = f"{inspect.cleandoc(optimizer.__doc__ or name).partition(chr(10))[0]}\n\nRead from Keras's own code."
    return factory(name, [*_parameters(optimizer)], defaults, make, doc)


@cache
def keras_optimizer(name: str) -> Callable[..., optax.GradientTransformation]:
    """The factory of the optimizer of that name in `keras.optimizers`.

    Raises:
        SpecError: it cannot be read, or Keras is not installed, does not have it or runs on another backend.
    """
    if name in UNREAD:
        raise SpecError(f"keras.{name} cannot be read: {UNREAD[name]}.")
    keras = loaded_keras(f"keras.{name}")
    if not hasattr(keras.optimizers, name):
        raise SpecError(f"keras.{name}: Keras {keras.__version__} has no keras.optimizers.{name}; a newer one may.")
    return from_keras(getattr(keras.optimizers, name))


def loaded_keras(needed_by: str) -> Any:
    """Keras on its backend for JAX.

    Raises:
        SpecError: it is not installed, or runs on another backend.
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it once, while it is imported
    try:
        keras = imported("keras", "keras", needed_by)
    except ImportError as error:
        raise SpecError(
            f"Keras cannot be imported ({reason(error)}), and {needed_by} is read on its backend for JAX: set "
            "KERAS_BACKEND=jax before Keras is imported."
        ) from error
    backend = keras.backend.backend()
    if backend != "jax":
        raise SpecError(
            f"{needed_by} is read on Keras's backend for JAX, and Keras runs on {backend} here: set KERAS_BACKEND=jax "
            "before Keras is imported."
        )
    return keras


def _parameters(optimizer: type) -> Iterator[inspect.Parameter]:
    for p in inspect.signature(optimizer).parameters.values():
        if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in UNUSED:
            default = None if p.name in AT_TIMES else p.default
            annotation = _annotation(p.name, default)
            yield parameter(p.name, default, annotation | None if _may_be_none(optimizer, p.name) else annotation)


def _may_be_none(optimizer: type, name: str) -> bool:
    """Whether Keras's documentation says that an argument can be None, or has an effect only if it is set."""
    entry = re.search(rf"^ +{name}: (.*?)(?=^ +\w+: |^ *\n|\Z)", optimizer.__doc__ or "", re.MULTILINE | re.DOTALL)
    return entry is not None and bool(re.search(r"\bNone\b|\bIf set\b", entry[1]))


def _annotation(name: str, default: Any) -> Any:
    if isinstance(default, bool) or (isinstance(default, int) and name != "adam_lr_ratio"):
        return type(default)
    if default is None:
        return int | None if name in WHOLE else float | None
    return Rate if name in RATES else float | optax.Schedule if name == "learning_rate" else float


class _Number:
    """A traced number, which Keras's code computes with and branches on."""

    def __init__(self, value: Any):
        self.value = value

    def __jax_array__(self) -> Any:
        return self.value

    def __getattr__(self, name: str) -> Any:
        return getattr(self.value, name)

    def __bool__(self) -> bool:
        return holds(self.value != 0, "bool", self.value)

    def __neg__(self) -> Any:
        return -self.value


def _compute(name: str) -> Callable[..., Any]:
    return lambda self, *others: getattr(self.value, name)(*(getattr(x, "value", x) for x in others))


class _Condition:
    """What a traced number is asked for."""

    def __init__(self, name: str, left: Any, right: Any):
        self.condition = getattr(left, name)(right)
        self.compared = (name, left, right)

    def __bool__(self) -> bool:
        return holds(self.condition, *self.compared)


def _compare(name: str) -> Callable[..., Any]:
    return lambda self, other: _Condition(name, self.value, getattr(other, "value", other))


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(_Number, f"__{_name}__", _compute(f"__{_name}__"))
    setattr(_Number, f"__r{_name}__", _compute(f"__r{_name}__"))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(_Number, f"__{_name}__", _compare(f"__{_name}__"))


class _Optimizer:
    """An optimizer of Keras with its arguments, and its steps on a list of parameters."""

    def __init__(self, name: str, cls: type, given: Mapping[str, Any]):
        self.name = name
        self.cls = cls
        self.given = given
        self.schedule = given["learning_rate"] if callable(given.get("learning_rate")) else None

    def begin(self, leaves: list[Any]) -> dict[Any, Any]:
        """The state before the first step, whatever branch the code takes."""
        known: dict[Any, Any] = {}

        def run(number: Callable[[Any], Any]) -> list[Any]:
            with _as_wide_as(leaves):
                _, places = self._built(leaves, 0, number)
            known.update({place: jnp.asarray(v.value) for place, v in places if place != _RATE})
            return []

        _on_each_branch(run)
        return known

    def step(
        self, gradients: list[Any], state: Mapping[Any, Any], leaves: list[Any]
    ) -> tuple[list[Any], dict[Any, Any]]:
        """The changes of the parameters, and the next state."""
        rate = {_RATE: self.given["learning_rate"]}

        def run(number: Callable[[Any], Any]) -> tuple[list[Any], list[Any]]:
            with _as_wide_as(leaves):
                optimizer, places = self._built(leaves, state["iteration", None], number)
                before = [{**state, **rate}[place] for place, _ in places]
                after, changed = optimizer.stateless_apply(before, gradients, leaves)
            new = {place: value for (place, _), value in zip(places, changed, strict=True)}
            values = [jnp.asarray(new.get(place, x)).astype(x.dtype) for place, x in state.items()]
            return [x - w for x, w in zip(after, leaves, strict=True)], values

        changes, values = _on_each_branch(run)
        return changes, dict(zip(state, values, strict=True))

    def _built(self, leaves: list[Any], count: Any, number: Callable[[Any], Any]) -> tuple[Any, list[tuple[Any, Any]]]:
        """The optimizer of these parameters, and its variables with the field and the parameter that each is of."""
        keras: Any = import_module("keras")

        defaults = {key: p.default for key, p in inspect.signature(self.cls).parameters.items()}
        own = {key: defaults[key] if key in AT_TIMES and x is None else x for key, x in self.given.items()}
        given = {key: placeholder(value, defaults[key]) for key, value in own.items()}
        schedule = self.schedule
        if schedule:
            given["learning_rate"] = lambda: schedule(count)
        try:
            optimizer = self.cls(**given)
        except (ValueError, TypeError) as error:
            raise SpecError(f"{self.name}: {reason(error)}") from error
        for key, value in self.given.items():
            if is_traced(value) and key != "learning_rate":
                setattr(optimizer, key, number(value))
        if is_traced(self.given.get("clipvalue")):
            optimizer._clip_gradients = _clip_by_value(self.given["clipvalue"])
        optimizer.build([keras.Variable(w, dtype=str(w.dtype), name=_PARAMETER) for w in leaves])
        return optimizer, places_of(optimizer, {_PARAMETER})


def _clip_by_value(bound: Any) -> Callable[[list[Any]], list[Any]]:
    """Keras's clipping with a traced bound, which Keras hands on to a compiled function of JAX's after asking it."""
    return lambda gradients: [jnp.where(bound > 0, jnp.clip(g, -bound, bound), g) for g in gradients]


@contextmanager
def _as_wide_as(leaves: list[Any]) -> Iterator[None]:
    """Keras with the parameters' type as its default, in which it keeps the learning rate, if that is wider."""
    keras: Any = import_module("keras")

    before = keras.config.floatx()
    keras.config.set_floatx("float64" if any(w.dtype == jnp.float64 for w in leaves) else "float32")
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def _on_each_branch(run: Callable[[Callable[[Any], Any]], Any]) -> Any:
    """Run with the numbers as they are, or, where Keras's code branches on them, as numbers that can be asked."""
    try:
        return run(lambda value: value)
    except jax.errors.TracerBoolConversionError:
        return along_each_branch(lambda: run(_Number))


_PARAMETER = "parameter"
_RATE = ("learning_rate", None)


def places_of(optimizer: Any, parameters: Collection[str]) -> list[tuple[tuple[str, int | None], Any]]:
    """Each variable of the optimizer with its field and the number of the parameter that it is of, if it is of any.

    Args:
        optimizer: an optimizer that is built.
        parameters: the names of the parameters, which Keras puts ahead of the fields.
    """
    homes: dict[int, tuple[str, int | None]] = {}
    for attribute, value in vars(optimizer).items():
        if attribute in ("_variables", "_trainable_variables"):
            continue
        if isinstance(value, list):
            homes |= {id(v): (attribute, k) for k, v in enumerate(value)}
        homes[id(value)] = attribute, None
    places = []
    longest_first = sorted(parameters, key=len, reverse=True)
    for v in optimizer.variables:
        attribute, number = homes[id(v)]
        own = next((v.name.removeprefix(f"{p}_") for p in longest_first if v.name.startswith(f"{p}_")), v.name)
        named = own != v.name or v.name in ("iteration", "learning_rate")
        places.append(((own if named else attribute.strip("_"), number), v))
    return places


def _transform(optimizer: _Optimizer) -> optax.GradientTransformation:
    """The optimizer as a transformation of trees, whose leaves are its variables."""

    def init(params: PyTree) -> Any:
        leaves, tree = jax.tree.flatten(jax.tree.map(jnp.asarray, params))
        require_floats(optimizer.name, leaves)
        return _as_state(optimizer.cls.__name__, tree, optimizer.begin(leaves))

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple[PyTree, Any]:
        if params is None:
            raise InputError(f"{optimizer.name} steps from the parameters: call update(updates, state, params).")
        gradients, tree = jax.tree.flatten(updates)
        leaves = [*map(jnp.asarray, tree.flatten_up_to(params))]
        given = [jnp.asarray(g).astype(w.dtype) for g, w in zip(gradients, leaves, strict=True)]
        changes, new = optimizer.step(given, _flat(state, tree), leaves)
        changes = [u.astype(jnp.asarray(g).dtype) for u, g in zip(changes, gradients, strict=True)]
        return tree.unflatten(changes), _as_state(optimizer.cls.__name__, tree, new)

    return optax.GradientTransformation(init, update)


def _as_state(title: str, tree: Any, values: Mapping[Any, Any]) -> Any:
    """A named tuple with a number or a tree for each field, None where a parameter does not have it."""
    fields = {field: number is None for field, number in values}
    trees = {
        field: values[field, None]
        if alone
        else tree.unflatten([values.get((field, k)) for k in range(tree.num_leaves)])
        for field, alone in fields.items()
    }
    return _state_type(title, tuple(fields.items()))(**trees)


def _flat(state: Any, tree: Any) -> dict[Any, Any]:
    """The inverse of `_as_state`."""
    values: dict[Any, Any] = {}
    for field, value in zip(state._fields, state, strict=True):
        alone = field in state.alone
        leaves = [value] if alone else tree.flatten_up_to(value)
        values |= {(field, None if alone else k): x for k, x in enumerate(leaves) if x is not None}
    return values


@cache
def _state_type(title: str, fields: tuple[tuple[str, bool], ...]) -> Any:
    """The type of a state; `alone` has its fields that are of no parameter."""
    kind = namedtuple(f"{title}State", [field for field, _ in fields])
    alone = {field for field, alone in fields if alone}

    def reduced(self: Any) -> Any:
        return _unpickled, ((title, fields), tuple(self))

    return type(kind.__name__, (kind,), {"alone": alone, "__reduce__": reduced, "__slots__": ()})


def _unpickled(arguments: Any, values: tuple[Any, ...]) -> Any:
    """A state out of a pickle, in which its type cannot be."""
    return _state_type(*arguments)(*values)
