"""States of optimizers carried over between PyTorch or Keras and JAX, so that training goes on mid-way."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adamlab.errors import InputError, cut
from adamlab.frameworks import FRAMEWORKS
from adamlab.frameworks.factories import imported
from adamlab.frameworks.keras3 import loaded_keras, places_of
from adamlab.types import PyTree

ADAM = {"step": "count", "exp_avg": "mu", "exp_avg_sq": "nu"}

TORCH_FIELDS: dict[str, dict[str, str]] = {
    "Adadelta": {"step": "count", "square_avg": "e_g", "acc_delta": "e_x"},
    "Adam": ADAM,
    "AdamW": ADAM,
    "Adamax": {"step": "count", "exp_avg": "mu", "exp_inf": "nu"},
    "RMSprop": {"step": "count", "square_avg": "nu", "grad_avg": "mu", "momentum_buffer": "trace"},
    "SGD": {"step": "count", "momentum_buffer": "trace"},
}
"""By PyTorch's optimizer, its fields and those of Optax's and adamlab's states; SGD has no `step`, but can be told."""

KERAS_FIELDS: dict[str, dict[str, str]] = {
    "Adadelta": {"iteration": "count", "accumulated_grad": "e_g", "accumulated_delta_var": "e_x"},
    "Adagrad": {"iteration": "count", "accumulator": "sum_of_squares"},
    "Lamb": {"iteration": "count", "momentum": "mu", "velocity": "nu"},
    "Lion": {"iteration": "count", "momentum": "mu"},
    "RMSprop": {"iteration": "count", "velocity": "nu", "average_gradient": "mu", "momentum": "trace"},
    "SGD": {"iteration": "count", "momentum": "trace"},
}
"""By Keras's optimizer, its variables and the fields of Optax's and adamlab's states."""

COUNTS = ("step", "iteration")
"""The names of the frameworks' counts of steps."""

ONLY_COUNT = ("Adadelta", "Adagrad", "Lion", "RMSprop", "SGD")
"""The optimizers that count their steps without computing with the count, where the learning rate is a number."""


def state_from_torch(optimizer: Any, transform: Any, params: PyTree, count: int | None = None) -> Any:
    """The state of a transformation that goes on where an optimizer of PyTorch is.

    Args:
        optimizer: an optimizer of PyTorch with one group of parameters, mid-way.
        transform: its translation, see `adamlab.translate`, or what `adamlab.from_torch` makes of it.
        params: the parameters, as a tree whose leaves are in the order of PyTorch's; a list of them is simplest.
        count: the number of steps taken, where the transformation needs it and PyTorch's optimizer does not count, as
            with SGD and a schedule.

    Returns:
        A state such as `transform.init(params)`, with PyTorch's values; where a parameter has had no gradient, as it
        begins.

    Raises:
        InputError: the shapes are not PyTorch's, a field of either state has no counterpart, or an argument is of
            another kind.
    """
    _require_transform(transform)
    if count is not None and (isinstance(count, bool) or not hasattr(count, "__index__") or count < 0):
        raise InputError(f"count is the number of steps taken, a whole number from 0 on; not {count!r}.")
    torch_params = _one_group(optimizer)["params"]
    shapes = [tuple(p.shape) for p in torch_params]
    _require_params(shapes, params, "PyTorch")
    entries = [optimizer.state[p] for p in torch_params]
    names = {name for entry in entries for name, value in entry.items() if value is not None}
    begins = not names and {name for entry in _after_a_step(optimizer) for name in entry}
    known = {name: [_array(entry.get(name)) for entry in entries] for name in begins or names}
    if begins and count is None:  # the fields that the first step will make begin as the transformation's do
        count = 0
    title = type(optimizer).__name__
    if count is not None:
        own = {int(x) for x in known.get("step", []) if x is not None}
        if own - {int(count)}:
            raise InputError(f"{title} counts its steps, {', '.join(map(str, sorted(own)))}, and count says {count}.")
        known = {"step": [jnp.asarray(count)] * len(entries)} | known
    return _filled(transform, params, known, TORCH_FIELDS.get(title, {}), _factor_of_torch(optimizer), title)


def state_to_torch(state: Any, optimizer: Any, params: PyTree) -> None:
    """Put the state of a transformation into an optimizer of PyTorch, whose parameters get the values of `params`.

    Args:
        state: a state of the optimizer's translation, or of what `adamlab.from_torch` makes of it.
        optimizer: the optimizer, with one group of parameters.
        params: the parameters, in the order of PyTorch's.

    Raises:
        InputError: the shapes are not PyTorch's, or the optimizer is none that is carried over.
    """
    torch: Any = imported("torch", "torch", "a state of PyTorch's")
    torch_params = _one_group(optimizer)["params"]
    _require_params([tuple(p.shape) for p in torch_params], params, "PyTorch")
    values = _read(state, params, _fields_of(TORCH_FIELDS, optimizer, state), _factor_of_torch(optimizer))
    needed = _after_a_step(optimizer)
    for k, first in enumerate(needed):
        _require_fields({name: leaves[k] for name, leaves in values.items()}, first, optimizer, "step")
        _require_same_shapes({name: (values[name][k], x.shape) for name, x in first.items() if name in values})
    with torch.no_grad():
        for k, (p, w) in enumerate(zip(torch_params, jax.tree.leaves(params), strict=True)):
            p.copy_(torch.as_tensor(_wide(w)))
            entry = {name: torch.as_tensor(_wide(values[name][k] if name in values else 0)) for name in needed[k]}
            optimizer.state[p].update({name: x.to(needed[k][name]) for name, x in entry.items()})


def state_from_keras(optimizer: Any, transform: Any, params: PyTree) -> Any:
    """The state of a transformation that goes on where a built optimizer of Keras is; as `state_from_torch`."""
    _require_transform(transform)
    variables = _built_for(optimizer)
    _require_params([tuple(v.shape) for v in variables], params, "Keras")
    known: dict[str, list[Any]] = {}
    for (name, number), variable in _named(optimizer):
        leaves = known.setdefault(name, [None] * len(variables))
        for k in range(len(variables)) if number is None else [number]:
            leaves[k] = jnp.asarray(variable.value)
    fields = KERAS_FIELDS.get(type(optimizer).__name__, {})
    return _filled(transform, params, known, fields, _factor_of_keras(optimizer), type(optimizer).__name__)


def state_to_keras(state: Any, optimizer: Any, params: PyTree) -> None:
    """Put the state of a transformation into a built optimizer of Keras; as `state_to_torch`."""
    variables = _built_for(optimizer)
    _require_params([tuple(v.shape) for v in variables], params, "Keras")
    values = _read(state, params, _fields_of(KERAS_FIELDS, optimizer, state), _factor_of_keras(optimizer))
    for (name, number), _ in _named(optimizer):
        if name != "learning_rate":
            _require_fields({key: x[number or 0] for key, x in values.items()}, [name], optimizer, "iteration")
    named = {name: (values[name][number or 0], v.shape) for (name, number), v in _named(optimizer) if name in values}
    _require_same_shapes(named)
    for variable, w in zip(variables, jax.tree.leaves(params), strict=True):
        variable.assign(w)
    for (name, number), variable in _named(optimizer):
        if name in values:
            variable.assign(values[name][number or 0])


def _built_for(optimizer: Any) -> list[Any]:
    """The parameters that an optimizer of Keras is built for."""
    keras = loaded_keras("a state of Keras's")
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise InputError(f"expected an optimizer of Keras, such as keras.optimizers.Adam(); got {_shown(optimizer)}.")
    title = type(optimizer).__name__
    _require_read("keras", title)
    if not optimizer.built:
        raise InputError(f"{title} is not built, so that it has no state: call optimizer.build(variables) first.")
    return optimizer._trainable_variables


def _after_a_step(optimizer: Any) -> list[dict[str, Any]]:
    """What an optimizer of PyTorch keeps for each parameter, from a step of its copy on zeros."""
    torch: Any = imported("torch", "torch", "a state of PyTorch's")
    group = _one_group(optimizer)
    zeros = [torch.zeros_like(p) for p in group["params"]]
    for p in zeros:
        p.grad = torch.zeros_like(p)
    kind = type(optimizer)
    copy = object.__new__(kind)
    # Hooks, and schedulers that have wrapped `step`, are the original's own.
    own = {"_optimizer_step_pre_hooks": {}, "_optimizer_step_post_hooks": {}}
    vars(copy).update(vars(optimizer), **own, state=defaultdict(dict), param_groups=[{**group, "params": zeros}])
    kind.step(copy)
    return [{name: x for name, x in copy.state[p].items() if x is not None} for p in zeros]


def _require_fields(values: Mapping[str, Any], needed: Any, optimizer: Any, count: str) -> None:
    """Check that nothing which the optimizer needs is missing, but for a count that it does not compute with."""
    kind = type(optimizer).__name__
    scheduled = callable(getattr(optimizer, "_learning_rate", None))
    for name in needed:
        if values.get(name) is None and not (name == count and kind in ONLY_COUNT and not scheduled):
            raise InputError(f"the state has nothing that is {name} of {kind}: is it of its translation?")


def _require_same_shapes(pairs: Mapping[str, tuple[Any, Any]]) -> None:
    """Check that a state is of the parameters that it is put beside."""
    for name, (value, shape) in pairs.items():
        if value is not None and np.shape(value) not in ((), tuple(shape)):
            raise InputError(
                f"the state is of other parameters: its {name} has the shape {np.shape(value)}, and {tuple(shape)} is "
                "expected."
            )


def _require_read(framework: str, title: str) -> None:
    if why := FRAMEWORKS[framework].unread.get(title):
        raise InputError(f"the state of {title} is not carried over: {why}.")


def _named(optimizer: Any) -> list[tuple[tuple[str, int | None], Any]]:
    """The variables of an optimizer with their names and the numbers of their parameters."""
    own = {variable.path.replace("/", "_") for variable in optimizer._trainable_variables}
    return places_of(optimizer, own)


def _require_transform(transform: Any) -> None:
    if not (isinstance(transform, tuple) and hasattr(transform, "init")):
        raise InputError(f"expected a transformation that is built, such as optax.adam(0.1); got {_shown(transform)}.")


def _shown(value: Any) -> str:
    return cut(" ".join(repr(value).split()), 60)


def _one_group(optimizer: Any) -> Any:
    torch: Any = imported("torch", "torch", "a state of PyTorch's")
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise InputError(f"expected an optimizer of PyTorch, such as torch.optim.Adam(…); got {_shown(optimizer)}.")
    if len(optimizer.param_groups) != 1:
        raise InputError(
            f"expected an optimizer with one group of parameters; got {len(optimizer.param_groups)}: "
            "carry each over by itself."
        )
    _require_read("torch", type(optimizer).__name__)
    return optimizer.param_groups[0]


def _require_params(shapes: list[tuple[int, ...]], params: PyTree, framework: str) -> None:
    leaves: list[Any] = [params] if isinstance(params, Iterator) else jax.tree.leaves(params)
    for w in leaves:
        if not _is_inexact(w):
            how = {
                "PyTorch": "[p.detach().numpy() for p in model.parameters()]",
                "Keras": "[v.value for v in variables]",
            }
            raise InputError(
                f"expected arrays of floating-point numbers as parameters, such as {how[framework]}; got {_shown(w)}."
            )
    given = [np.shape(w) for w in leaves]
    if [*map(id, _as_written(params))] != [*map(id, leaves)]:
        raise InputError(
            f"JAX sorts the keys of dictionaries, so that the parameters are not in the order as written, which may "
            f"be {framework}'s: give them as a list in {framework}'s order."
        )
    if shapes != given:
        raise InputError(
            f"the parameters have to be in {framework}'s order, with the shapes {shapes}; not {given}. "
            "Give them as a list."
        )


def _is_inexact(w: Any) -> bool:
    """Whether it is an array of floating-point or complex numbers, or such a number."""
    try:
        return not isinstance(w, str) and bool(jnp.issubdtype(jnp.result_type(w), jnp.inexact))
    except TypeError:
        return False


def _as_written(tree: PyTree) -> Iterator[Any]:
    """The leaves of a tree whose dictionaries keep their order; of any other node as JAX has them."""
    if isinstance(tree, dict):
        for part in tree.values():
            yield from _as_written(part)
    else:
        yield from jax.tree.leaves(tree)


Scale = Callable[[str], float]
"""What a field of PyTorch's or Keras's is multiplied by to be Optax's."""


def _factor_of_torch(optimizer: Any) -> Scale:
    """Optax's RMSprop has the learning rate inside of the momentum, with its sign."""
    if type(optimizer).__name__ != "RMSprop":
        return lambda name: 1.0
    return lambda name: -_rate(_one_group(optimizer)["lr"], "RMSprop") if name == "momentum_buffer" else 1.0


def _factor_of_keras(optimizer: Any) -> Scale:
    """Keras's SGD has the learning rate inside of the momentum; its RMSprop takes the momentum off the parameter."""
    kind = type(optimizer).__name__
    factor = {"SGD": lambda: -1 / _rate(optimizer.learning_rate, kind), "RMSprop": lambda: -1.0}
    return lambda name: factor[kind]() if name == "momentum" and kind in factor else 1.0


def _rate(value: Any, title: str) -> float:
    """The learning rate, by which momenta of the two libraries differ."""
    if float(value) == 0:
        raise InputError(f"the learning rate of {title} is 0, and its momentum cannot be carried over without it.")
    return float(value)


def _array(value: Any) -> Any:
    if not hasattr(value, "detach"):
        return None if value is None else jnp.asarray(value)
    plain = value.detach().cpu()
    if str(plain.dtype) == "torch.bfloat16":  # which NumPy does not have
        return jnp.asarray(plain.float().numpy()).astype(jnp.bfloat16)
    return jnp.asarray(plain.numpy())


def _wide(value: Any) -> np.ndarray:
    """An array in double precision, into which every other goes."""
    return np.array(value, np.complex128 if jnp.iscomplexobj(value) else np.float64)


def _is_absent(value: Any) -> bool:
    """Whether a parameter does not have a field, or is masked."""
    return value is None or isinstance(value, optax.MaskedNode)


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
    used = {*COUNTS, "learning_rate"}  # which a transformation need not keep
    own = [leaves for name, leaves in known.items() if name not in COUNTS] or [*known.values()]
    begun = [any(leaves[k] is not None for leaves in own) for k in range(tree.num_leaves)]
    filled: set[tuple[str, int]] = set()

    def fill(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: fill(part) for key, part in node.items()}
        if not hasattr(node, "_fields"):
            return type(node)(map(fill, node)) if type(node) in (tuple, list) else node
        return node._replace(**{field: value(field, getattr(node, field), type(node)) for field in node._fields})

    def value(field: str, now: Any, kind: Any) -> Any:
        structure = jax.tree.structure(now, is_leaf=_is_absent)
        of_params = structure == tree
        if not jax.tree.leaves(now) or not (of_params or structure == jax.tree.structure(0)):
            return fill(now)
        firsts = jax.tree.leaves(now, is_leaf=_is_absent)
        leaves = theirs(field, kind, [k for k, a in enumerate(firsts) if of_params and not _is_absent(a)])
        if not of_params:
            leaves = [_common(field, leaves, kind.__name__)]
        pairs = zip(firsts, leaves, strict=True)
        return structure.unflatten(
            [a if _is_absent(a) or b is None else jnp.asarray(b).astype(a.dtype) for a, b in pairs]
        )

    def require_once(field: str, kind: str, name: str, present: list[int]) -> None:
        for k in present:
            if begun[k] and known[name][k] is None:
                raise InputError(f"the state of {title} has nothing that is {field} of {kind} for parameter {k}.")
            if (name, k) in filled:
                raise InputError(
                    f"{title} has a single {name}, which {field} of several states of the transformation is."
                )
            filled.add((name, k))

    def theirs(field: str, kind: Any, present: list[int]) -> list[Any]:
        ours = kind.__name__ == f"{title}State"
        name = field if ours else homes.get(field, "")
        if name not in known and name == "step":
            if ours and not kind.scheduled:
                return begun  # it asks only whether a step is the first
            raise InputError(f"{title} does not count its steps, and {kind.__name__} does: give count=….")
        if name not in known:
            raise InputError(
                f"the state of {title} has nothing that is {field} of {kind.__name__}: is this its translation?"
            )
        used.add(name)
        if name not in COUNTS:
            require_once(field, kind.__name__, name, present)
        factor = 1.0 if ours else scale(name)
        return [x if x is None or factor == 1.0 else factor * x for x in known[name]]

    state = fill(transform.init(params))
    if lost := known.keys() - used:
        raise InputError(
            f"the state of {title} has {', '.join(sorted(lost))}, which the transformation does not keep: is this its "
            "translation?"
        )
    return state


def _common(field: str, leaves: list[Any], kind: str) -> Any:
    """The number that all parameters have, but for those that have none."""
    present = [x for x in leaves if x is not None] or [None]
    if any(x != present[0] for x in present):
        raise InputError(
            f"{kind} has one {field} for all parameters, and here each has its own: {', '.join(map(str, present))}."
        )
    return present[0]


def _read(state: Any, params: PyTree, fields: Mapping[str, str], scale: Scale) -> dict[str, list[Any]]:
    """The values of a state by the names of the framework: a list with one, or None, for each parameter."""
    homes = {field: name for name, field in fields.items()}
    tree = jax.tree.structure(params)
    values: dict[str, list[Any]] = {}

    def visit(node: Any) -> None:
        for field in getattr(node, "_fields", ()):
            now = getattr(node, field)
            if field in homes and jax.tree.leaves(now):
                name = homes[field]
                structure = jax.tree.structure(now, is_leaf=_is_absent)
                alone = structure != tree
                if alone and structure != jax.tree.structure(0):
                    raise InputError(
                        f"the state is of other parameters: its {field} is {structure}, and they are {tree}."
                    )
                leaves = [now] * tree.num_leaves if alone else jax.tree.leaves(now, is_leaf=_is_absent)
                factor = 1.0 if name == field else scale(name)
                read = [None if _is_absent(x) else x if factor == 1.0 else x / factor for x in leaves]
                values[name] = [b if a is None else a for a, b in zip(read, values.get(name, read), strict=True)]
        for part in node.values() if isinstance(node, dict) else node if isinstance(node, tuple) else ():
            visit(part)

    visit(state)
    return values
