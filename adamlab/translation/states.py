"""States of optimizers carried over between PyTorch or Keras and JAX, so that training goes on mid-way."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from adamlab.errors import InputError
from adamlab.frameworks.keras3 import places_of
from adamlab.types import PyTree

ADAM = {"step": "count", "exp_avg": "mu", "exp_avg_sq": "nu"}

TORCH_FIELDS: dict[str, dict[str, str]] = {
    "Adadelta": {"square_avg": "e_g", "acc_delta": "e_x"},
    "Adam": ADAM,
    "AdamW": ADAM,
    "Adamax": {"step": "count", "exp_avg": "mu", "exp_inf": "nu"},
    "RMSprop": {"square_avg": "nu", "grad_avg": "mu", "momentum_buffer": "trace"},
    "SGD": {"momentum_buffer": "trace"},
}
"""By PyTorch's optimizer, its fields and those of Optax's and adamlab's states."""

KERAS_FIELDS: dict[str, dict[str, str]] = {
    "Adadelta": {"accumulated_grad": "e_g", "accumulated_delta_var": "e_x"},
    "Adagrad": {"accumulator": "sum_of_squares"},
    "Lamb": {"iteration": "count", "momentum": "mu", "velocity": "nu"},
    "Lion": {"iteration": "count", "momentum": "mu"},
    "RMSprop": {"velocity": "nu", "average_gradient": "mu", "momentum": "trace"},
    "SGD": {"momentum": "trace"},
}
"""By Keras's optimizer, its variables and the fields of Optax's and adamlab's states."""


def state_from_torch(optimizer: Any, transform: Any, params: PyTree) -> Any:
    """The state of a transformation that goes on where an optimizer of PyTorch is.

    Args:
        optimizer: an optimizer of PyTorch with one group of parameters, mid-way.
        transform: its translation, see `adamlab.translate`, or what `adamlab.from_torch` makes of it.
        params: the parameters, as a tree whose leaves are in the order of PyTorch's; a list of them is simplest.

    Returns:
        A state such as `transform.init(params)`, with PyTorch's values.

    Raises:
        InputError: the shapes are not PyTorch's, or a field of the state has no counterpart.
    """
    torch_params = _one_group(optimizer)["params"]
    shapes = [tuple(p.shape) for p in torch_params]
    _require_shapes(shapes, params, "PyTorch")
    entries = [optimizer.state[p] for p in torch_params]
    names = {name for entry in entries for name in entry}
    known = {name: [_array(entry.get(name)) for entry in entries] for name in names}
    fields = TORCH_FIELDS.get(type(optimizer).__name__, {})
    return _filled(transform, params, known, fields, _factor_of_torch(optimizer), type(optimizer).__name__)


def state_to_torch(state: Any, optimizer: Any, params: PyTree) -> None:
    """Put the state of a transformation into an optimizer of PyTorch, whose parameters get the values of `params`.

    Args:
        state: a state of the optimizer's translation, or of what `adamlab.from_torch` makes of it.
        optimizer: the optimizer, with one group of parameters.
        params: the parameters, in the order of PyTorch's.

    Raises:
        InputError: the shapes are not PyTorch's, or the optimizer is none that is carried over.
    """
    from importlib import import_module

    torch: Any = import_module("torch")
    torch_params = _one_group(optimizer)["params"]
    _require_shapes([tuple(p.shape) for p in torch_params], params, "PyTorch")
    values = _read(state, params, _fields_of(TORCH_FIELDS, optimizer, state), _factor_of_torch(optimizer))
    with torch.no_grad():
        for k, (p, w) in enumerate(zip(torch_params, jax.tree.leaves(params), strict=True)):
            p.copy_(torch.as_tensor(np.array(w)))
            entry = {name: torch.as_tensor(np.array(leaves[k])) for name, leaves in values.items()}
            if type(optimizer).__name__ != "SGD":
                count = entry.get("step", torch.zeros(()))
                entry["step"] = count.to(torch.get_default_dtype())
            optimizer.state[p].update(entry)


def state_from_keras(optimizer: Any, transform: Any, params: PyTree) -> Any:
    """The state of a transformation that goes on where an optimizer of Keras is; as `state_from_torch`."""
    variables = optimizer._trainable_variables
    _require_shapes([tuple(v.shape) for v in variables], params, "Keras")
    known: dict[str, list[Any]] = {}
    for (name, number), variable in _named(optimizer):
        leaves = known.setdefault(name, [None] * len(variables))
        for k in range(len(variables)) if number is None else [number]:
            leaves[k] = jnp.asarray(variable.value)
    fields = KERAS_FIELDS.get(type(optimizer).__name__, {})
    return _filled(transform, params, known, fields, _factor_of_keras(optimizer), type(optimizer).__name__)


def state_to_keras(state: Any, optimizer: Any, params: PyTree) -> None:
    """Put the state of a transformation into a built optimizer of Keras; as `state_to_torch`."""
    variables = optimizer._trainable_variables
    _require_shapes([tuple(v.shape) for v in variables], params, "Keras")
    values = _read(state, params, _fields_of(KERAS_FIELDS, optimizer, state), _factor_of_keras(optimizer))
    for variable, w in zip(variables, jax.tree.leaves(params), strict=True):
        variable.assign(w)
    for (name, number), variable in _named(optimizer):
        if name in values:
            variable.assign(values[name][number or 0])


def _named(optimizer: Any) -> list[tuple[tuple[str, int | None], Any]]:
    """The variables of an optimizer with their names and the numbers of their parameters."""
    own = {variable.path.replace("/", "_") for variable in optimizer._trainable_variables}
    return places_of(optimizer, own)


def _one_group(optimizer: Any) -> Any:
    if len(optimizer.param_groups) != 1:
        raise InputError(
            f"expected an optimizer with one group of parameters; got {len(optimizer.param_groups)}: "
            "carry each over by itself."
        )
    return optimizer.param_groups[0]


def _require_shapes(shapes: list[tuple[int, ...]], params: PyTree, framework: str) -> None:
    given = [np.shape(w) for w in jax.tree.leaves(params)]
    if shapes != given:
        raise InputError(
            f"the parameters have to be in {framework}'s order, with the shapes {shapes}; not {given}. "
            "Give them as a list."
        )


Scale = Callable[[str], float]
"""What a field of PyTorch's or Keras's is multiplied by to be Optax's."""


def _factor_of_torch(optimizer: Any) -> Scale:
    """Optax's RMSprop has the learning rate inside of the momentum, with its sign."""
    rate = -float(_one_group(optimizer)["lr"]) if type(optimizer).__name__ == "RMSprop" else 1.0
    return lambda name: rate if name == "momentum_buffer" else 1.0


def _factor_of_keras(optimizer: Any) -> Scale:
    """Keras's SGD has the learning rate inside of the momentum; its RMSprop takes the momentum off the parameter."""
    kind = type(optimizer).__name__
    factor = {"SGD": lambda: -1 / float(optimizer.learning_rate), "RMSprop": lambda: -1.0}
    return lambda name: factor[kind]() if name == "momentum" and kind in factor else 1.0


def _array(value: Any) -> Any:
    return None if value is None else jnp.asarray(value.detach().cpu().numpy())


def _fields_of(table: Mapping[str, dict[str, str]], optimizer: Any, state: Any) -> dict[str, str]:
    name = type(optimizer).__name__
    own = getattr(state, "_fields", None)
    if own and type(state).__name__ == f"{name}State":
        return {field: field for field in own}
    if name not in table:
        raise InputError(f"the state of {name} is not carried over; these are: {', '.join(table)}.")
    return table[name]


def _filled(
    transform: Any, params: PyTree, known: Mapping[str, list[Any]], fields: Mapping[str, str], scale: Scale, title: str
) -> Any:
    """The transformation's first state with the known values in place of its fields."""
    tree = jax.tree.structure(params)
    homes = {field: name for name, field in fields.items()}

    def fill(node: Any) -> Any:
        if not hasattr(node, "_fields"):
            return type(node)(map(fill, node)) if type(node) in (tuple, list) else node
        kind = type(node).__name__
        return node._replace(**{field: value(field, getattr(node, field), kind) for field in node._fields})

    def value(field: str, now: Any, kind: str) -> Any:
        of_params = jax.tree.structure(now) == tree
        if not jax.tree.leaves(now) or not (of_params or jax.tree.structure(now) == jax.tree.structure(0)):
            return fill(now)
        ours = kind == f"{title}State"
        name = field if ours else homes.get(field, "")
        if ours and name == "step" and name not in known:
            return jax.tree.map(jnp.ones_like, now)  # PyTorch's SGD does not count: after its first step all are alike
        if name not in known:
            raise InputError(f"the state of {title} has nothing that is {field} of {kind}: is this its translation?")
        factor = 1.0 if ours else scale(name)
        leaves = [x if x is None or factor == 1.0 else factor * x for x in known[name]]
        values = tree.unflatten(leaves) if of_params else leaves[0]
        return jax.tree.map(lambda a, b: jnp.asarray(b).astype(a.dtype), now, values)

    begun = transform.init(params)
    return fill(begun) if known else begun


def _read(state: Any, params: PyTree, fields: Mapping[str, str], scale: Scale) -> dict[str, list[Any]]:
    """The values of a state by the names of the framework, a list with one for each parameter."""
    homes = {field: name for name, field in fields.items()}
    tree = jax.tree.structure(params)
    values: dict[str, list[Any]] = {}

    def visit(node: Any) -> None:
        for field in getattr(node, "_fields", ()):
            now = getattr(node, field)
            if field in homes and jax.tree.leaves(now):
                name = homes[field]
                alone = jax.tree.structure(now) != tree
                leaves = [now] * tree.num_leaves if alone else jax.tree.leaves(now)
                factor = 1.0 if name == field else scale(name)
                values[name] = [x if factor == 1.0 else x / factor for x in leaves]
        for part in node if isinstance(node, tuple) else ():
            visit(part)

    visit(state)
    return values
