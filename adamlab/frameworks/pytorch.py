"""PyTorch's optimizers as transformations, read from their own Python code."""

import inspect
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import optax

from adamlab.calls import SpecError
from adamlab.errors import InputError, reason
from adamlab.frameworks.branches import along_each_branch
from adamlab.frameworks.factories import Rate, factory, imported, parameter, placeholder, require_floats
from adamlab.types import PyTree

READ = (
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ASGD",
    "Muon",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SGD",
)
"""The optimizers of `torch.optim` that are read."""

UNREAD = {
    "LBFGS": "it asks for the loss and its gradient several times in a step",
    "SparseAdam": "it takes sparse gradients alone, which JAX's optimizers do not have",
}
"""The others, each with the reason."""

HOW = ("foreach", "fused", "capturable", "differentiable")
"""The arguments on how a step is computed; they do not change its formula."""

PAIRS = {
    "betas": ("beta1", "beta2"),
    "etas": ("etaminus", "etaplus"),
    "step_sizes": ("step_size_min", "step_size_max"),
    "eps": ("eps1", "eps2"),
    "ns_coefficients": ("ns_a", "ns_b", "ns_c"),
}
"""The numbers of arguments that are tuples, as PyTorch's code and papers call them."""

RATES = {"beta1", "beta2", "rho", "momentum", "dampening"}
"""The numbers that are rates between 0 and 1; `alpha` is in RMSprop alone."""


def from_torch(optimizer: Any, **defaults: Any) -> Callable[..., optax.GradientTransformation]:
    """The factory of an optimizer of PyTorch as an Optax transformation, read from its own code.

    >>> import torch, adamlab as al
    >>> amsgrad = al.from_torch(torch.optim.Adam, amsgrad=True)
    >>> transform = amsgrad(lr=0.1, beta1=0.8)

    PyTorch's code runs as it stands, on tensors whose values are JAX's: what comes out has PyTorch's formula, and can
    be compiled, swept, read and compared as Optax's own. Its rounding is not claimed to be PyTorch's: an update is the
    difference of the parameters, and JAX's functions round in their own way.

    Args:
        optimizer: a class such as `torch.optim.Adam`, or one of your own that derives from `torch.optim.Optimizer`.
        **defaults: defaults that replace PyTorch's, by the names below.

    Returns:
        A factory whose arguments are PyTorch's keywords, without those on how a step is computed. The numbers of a pair
        have names of their own, such as `beta1` and `beta2` of `betas`. `lr` can be a schedule of the number of
        finished updates. The fields of the state are PyTorch's; where PyTorch's optimizer has no `step` and its first
        step is another, or where `lr` is a schedule, the state has one besides.

    Raises:
        SpecError: it is no such class, cannot be read, or has no such argument.
    """
    torch = imported("torch", "torch", "an optimizer of PyTorch")
    if not (isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer)):
        raise SpecError(f"expected a class of PyTorch's optimizers, such as torch.optim.Adam; got {optimizer!r}.")
    own = getattr(torch.optim, optimizer.__name__, None) is optimizer
    name = f"torch.{optimizer.__name__}" if own else optimizer.__name__
    if own and optimizer.__name__ in UNREAD:
        raise SpecError(f"{name} cannot be read: {UNREAD[optimizer.__name__]}.")
    if optimizer.step is torch.optim.Optimizer.step:
        raise SpecError(f"{name} cannot be read: it has no step of its own.")
    _, *asked = inspect.signature(optimizer.step).parameters.values()
    if needed := [p.name for p in asked if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]:
        raise SpecError(f"{name} cannot be read: its step needs {', '.join(needed)}, and a transformation has none.")
    parameters = [*_parameters(optimizer)]

    def make(**given: Any) -> optax.GradientTransformation:
        return _transform(_Optimizer(name, optimizer, given))

    doc = f"{inspect.cleandoc(optimizer.__doc__ or name).partition(chr(10))[0]}\n\nRead from PyTorch's own code."
    return factory(name, parameters, defaults, make, doc)


@cache
def torch_optimizer(name: str) -> Callable[..., optax.GradientTransformation]:
    """The factory of the optimizer of that name in `torch.optim`.

    Raises:
        SpecError: it cannot be read, or PyTorch is not installed or does not have it.
    """
    if name in UNREAD:
        raise SpecError(f"torch.{name} cannot be read: {UNREAD[name]}.")
    torch = imported("torch", "torch", f"torch.{name}")
    if not hasattr(torch.optim, name):
        raise SpecError(f"torch.{name}: PyTorch {torch.__version__} has no torch.optim.{name}; a newer one may.")
    return from_torch(getattr(torch.optim, name))


def keywords(optimizer: type) -> dict[str, inspect.Parameter]:
    """The parameters of the class's constructor that change its steps, by PyTorch's names."""
    every = inspect.signature(optimizer).parameters.values()
    named = [p for p in every if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {p.name: p for p in named[1:] if p.name not in HOW}


def names_in(key: str, default: Any) -> tuple[str, ...]:
    """The names of an argument's numbers: its own, or those of a tuple's entries."""
    if not isinstance(default, tuple):
        return (key,)
    return PAIRS.get(key) or tuple(f"{key.removesuffix('s')}{k}" for k in range(1, len(default) + 1))


def _parameters(optimizer: type) -> Iterator[inspect.Parameter]:
    for key, p in keywords(optimizer).items():
        entries = p.default if isinstance(p.default, tuple) else (p.default,)
        for name, default in zip(names_in(key, p.default), entries, strict=True):
            kind = type(default) if _is_compiled_in(p, default) else _annotation(optimizer.__name__, name, default)
            optional = not isinstance(p.default, tuple) and "None" in str(p.annotation)
            yield parameter(name, default, kind | None if optional else kind)


def _is_compiled_in(p: inspect.Parameter, default: Any) -> bool:
    """Whether a default is a flag or a whole number; where PyTorch says no type, a number such as 5 is taken for one.

    A decay of 0 or a greatest step of 50 are numbers, whatever Python says.
    """
    whole = p.annotation in (int, "int") or (p.annotation is p.empty and default != 0)
    return isinstance(default, bool) or (isinstance(default, int) and whole)


def _annotation(optimizer: str, name: str, default: Any) -> Any:
    if name == "adjust_lr_fn":
        return str | None
    if name in RATES or (optimizer, name) == ("RMSprop", "alpha"):
        return Rate
    return float | optax.Schedule if name == "lr" else float | None if default is None else float


class _Optimizer:
    """An optimizer of PyTorch with its arguments, and its steps on one parameter."""

    def __init__(self, name: str, cls: type, given: Mapping[str, Any]):
        self.name = name
        self.cls = cls
        self.keywords = keywords(cls)
        self.given: dict[str, Any] = {}
        for key, p in self.keywords.items():
            entries = tuple(given[name] for name in names_in(key, p.default))
            self.given[key] = entries if isinstance(p.default, tuple) else entries[0]
        self.schedule = self.given["lr"] if callable(self.given.get("lr")) else None
        if self.schedule:
            self.given["lr"] = self.keywords["lr"].default

    def begin(self, w: Any) -> dict[str, Any]:
        """The state that PyTorch makes ahead of the first step, whatever branch its code takes."""
        known: dict[str, Any] = {}
        start = jnp.zeros((), jnp.int32)
        along_each_branch(lambda: known.update(_values(self._prepared(w, jnp.zeros_like(w), {}, start)[2], w)))
        return known

    def fields(self, w: Any) -> dict[str, Any]:
        """The shapes and types of the state after a step, by field, whatever branch the step took."""
        known: dict[str, Any] = {}

        def run() -> Any:
            after, state = self.step(jnp.zeros_like(w), w, {}, jnp.zeros(()))
            known.update({name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in state.items()})
            return after

        jax.eval_shape(lambda: along_each_branch(run))
        return known

    def step(self, g: Any, w: Any, state: Mapping[str, Any], count: Any) -> tuple[Any, dict[str, Any]]:
        """The next parameter and state; of no state, as PyTorch begins."""
        try:
            tensor, optimizer, entries = self._prepared(w, g, state, count)
            with _as_wide_as(w):
                optimizer.step()
        except NotImplementedError as error:
            raise SpecError(f"{self.name} cannot be read: its code uses {reason(error)}.") from error
        return tensor.value, _values(entries, w)

    def _prepared(self, w: Any, g: Any, state: Mapping[str, Any], count: Any) -> tuple[Any, Any, dict[str, Any]]:
        """A tensor with its gradient, the optimizer of it, and the entries of its state there."""
        from adamlab.frameworks.torch_tensors import JaxTensor

        def number(value: Any) -> Any:
            return JaxTensor(value) if isinstance(value, jax.Array) else value

        tensor = JaxTensor(w)
        tensor.grad = JaxTensor(g)
        optimizer = self._constructed(tensor)
        numbers = {"lr": self.schedule(count)} if self.schedule else {}
        numbers = {
            key: tuple(map(number, value)) if isinstance(value, tuple) else number(value)
            for key, value in {**self.given, **numbers}.items()
        }
        optimizer.defaults.update(numbers)
        optimizer.param_groups[0].update(numbers)
        for key, value in numbers.items():
            if isinstance(value, JaxTensor) and hasattr(optimizer, key):
                setattr(optimizer, key, value)
        optimizer.state.clear()
        entries = optimizer.state[tensor]
        entries.update({name: JaxTensor(value) for name, value in state.items()})
        if not state and hasattr(optimizer, "_init_group"):
            lists = len(inspect.signature(optimizer._init_group).parameters) - 1
            with _as_wide_as(w):
                optimizer._init_group(optimizer.param_groups[0], *([] for _ in range(lists)))
            entries.update({name: JaxTensor(value) for name, value in _values(entries, w).items()})
        return tensor, optimizer, entries

    def _constructed(self, tensor: Any) -> Any:
        """The optimizer as its constructor makes it, which checks the numbers that are known."""
        given = {
            key: tuple(map(placeholder, value, self.keywords[key].default))
            if isinstance(value, tuple)
            else placeholder(value, self.keywords[key].default)
            for key, value in self.given.items()
        }
        how = {"foreach": False} if "foreach" in inspect.signature(self.cls).parameters else {}
        try:
            return self.cls([tensor], **given, **how)
        except (ValueError, TypeError) as error:
            raise SpecError(f"{self.name}: {reason(error)}") from error


@contextmanager
def _as_wide_as(w: Any) -> Iterator[None]:
    """PyTorch with the parameter's type as its default, in which it keeps single numbers, if that is wider."""
    torch = import_module("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64 if w.dtype == jnp.float64 else torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _values(entries: Mapping[str, Any], w: Any) -> dict[str, Any]:
    """The state as arrays: the count of steps whole, other numbers of PyTorch's as wide as the parameter or wider."""
    from adamlab.frameworks.torch_tensors import JaxTensor, value_of

    values = {
        name: (jnp.asarray(value_of(x)), isinstance(x, JaxTensor)) for name, x in entries.items() if x is not None
    }
    wide = jnp.promote_types(w.dtype, jnp.float32)
    # PyTorch counts in float32, which stops at 2²⁴.
    types = {name: jnp.int32 if name == "step" else x.dtype if ours else wide for name, (x, ours) in values.items()}
    return {name: x.astype(types[name]) for name, (x, _) in values.items()}


def _transform(optimizer: _Optimizer) -> optax.GradientTransformation:
    """The optimizer as a transformation of trees, each leaf of which is a parameter of its own."""

    def init(params: PyTree) -> Any:
        leaves, tree = jax.tree.flatten(jax.tree.map(jnp.asarray, params))
        require_floats(optimizer.name, leaves)
        late: set[str] = set()
        states = []
        for w in leaves:
            ahead, after = optimizer.begin(w), optimizer.fields(w)
            late |= after.keys() - ahead.keys()
            states.append(ahead | {name: jnp.zeros(x.shape, x.dtype) for name, x in after.items() if name not in ahead})
        fields = dict.fromkeys(name for state in states for name in state)
        counts = "step" not in fields and bool(late or optimizer.schedule)
        states = [state | ({"step": jnp.zeros((), jnp.int32)} if counts else {}) for state in states]
        names = (*fields, *(["step"] if counts else []))
        kind = _state_type(optimizer.cls.__name__, names, frozenset(late), counts, optimizer.schedule is not None)
        return _as_state(kind, tree, states)

    def stepped(g: Any, state: dict[str, Any], w: Any, kind: Any) -> tuple[Any, dict[str, Any]]:
        count = state.get("step", 0)
        own = {name: x for name, x in state.items() if not (kind.counts and name == "step")}

        def run(begins: bool) -> Any:
            before = {name: x for name, x in own.items() if not (begins and name in kind.late)}
            after, changed = optimizer.step(g.astype(w.dtype), w, before, count)
            return after - w, {name: changed.get(name, x).astype(x.dtype) for name, x in own.items()}

        result = along_each_branch(lambda: run(begins=False))
        if kind.late:
            first = along_each_branch(lambda: run(begins=True))
            result = jax.tree.map(lambda a, b: jnp.where(count == 0, a, b), first, result)
        u, new = result
        return u.astype(g.dtype), new | ({"step": optax.safe_increment(count)} if kind.counts else {})

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple[PyTree, Any]:
        if params is None:
            raise InputError(f"{optimizer.name} steps from the parameters: call update(updates, state, params).")
        gradients, tree = jax.tree.flatten(updates)
        leaves = zip(gradients, _by_leaf(state, len(gradients), tree), tree.flatten_up_to(params), strict=True)
        results = [stepped(jnp.asarray(g), s, jnp.asarray(w), type(state)) for g, s, w in leaves]
        return tree.unflatten([u for u, _ in results]), _as_state(type(state), tree, [new for _, new in results])

    return optax.GradientTransformation(init, update)


def _as_state(kind: Any, tree: Any, leaves: list[dict[str, Any]]) -> Any:
    """A named tuple with a tree for each field, None where a parameter does not have it."""
    return kind(*(tree.unflatten([leaf.get(name) for leaf in leaves]) for name in kind._fields))


def _by_leaf(state: Any, count: int, tree: Any) -> list[dict[str, Any]]:
    """The inverse of `_as_state`."""
    leaves: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, values in zip(state._fields, state, strict=True):
        for leaf, value in zip(leaves, tree.flatten_up_to(values), strict=True):
            if value is not None:
                leaf[name] = value
    return leaves


@cache
def _state_type(title: str, fields: tuple[str, ...], late: frozenset[str], counts: bool, scheduled: bool) -> Any:
    """The type of a state.

    `late` has the fields that PyTorch makes in the first step; `counts` says whether `step` is not PyTorch's own;
    `scheduled`, whether the learning rate is a schedule of it.
    """
    kind = namedtuple(f"{title}State", fields)
    described = {"late": late, "counts": counts, "scheduled": scheduled}
    arguments = title, fields, late, counts, scheduled

    def reduced(self: Any) -> Any:
        return _unpickled, (arguments, tuple(self))

    return type(kind.__name__, (kind,), {**described, "__reduce__": reduced, "__slots__": ()})


def _unpickled(arguments: Any, values: tuple[Any, ...]) -> Any:
    """A state out of a pickle, in which its type cannot be."""
    return _state_type(*arguments)(*values)
