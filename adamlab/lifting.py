"""Lifting: a rule on one array as an Optax transformation over a tree of parameters."""

import inspect
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
import optax

from adamlab.arithmetic import ARITHMETICS, Arithmetic, OptaxArithmetic, cast
from adamlab.types import Decay, PyTree, Rule, as_float


@dataclass(frozen=True)
class Part:
    """The static part of one lifted rule: transforms in which it is equal share one compilation."""

    rule: Rule
    arithmetic: type[Arithmetic]
    flags: tuple[tuple[str, Hashable], ...]
    dtypes: tuple[tuple[str, Any], ...]

    @property
    def state(self) -> Any:
        """The NamedTuple in which the state is stored."""
        return self.arithmetic.state_type(self.rule)


@dataclass(frozen=True)
class Lifted:
    """One rule, ready to run: its part, its numbers (of which any may be a schedule), and how its state starts."""

    part: Part
    numbers: Mapping[str, Any]
    start: Mapping[str, Any]

    def init(self, params: PyTree) -> Any:
        """The state before the first step; takes `jax.ShapeDtypeStruct` leaves too."""
        return self.part.state(*(self._first(field, params) for field in self.part.rule.state._fields))

    def _first(self, field: str, params: PyTree) -> Any:
        if field == "count":
            return jnp.zeros([], jnp.int32)
        value, dtype = self.start.get(field, 0), dict(self.part.dtypes).get(field)
        copies_optax = self.part.arithmetic is OptaxArithmetic
        # A type that is asked for is strong: of a parameter that is a Python number a step would make another type.
        return jax.tree.map(
            lambda x: jnp.full_like(x, value, dtype=dtype if dtype or copies_optax else jnp.result_type(x)), params
        )

    def numbers_at(self, state: Any) -> dict[str, Any]:
        """The numbers of the step that follows this state, schedules evaluated.

        Raises:
            ValueError: the state is not of the type that `init` makes; where there is nothing to keep, anything goes.
        """
        if self.part.state._fields and not isinstance(state, self.part.state):
            expected, came = self.part.state.__name__, type(state).__name__
            raise ValueError(f"Expected a state of type {expected}, as init makes it, and got {came}.")
        numbers: dict[str, Any] = {
            name: number(state.count) if callable(number) else number for name, number in self.numbers.items()
        }
        for name in self.part.rule.decays:
            numbers[name] = self.part.arithmetic.numbers(Decay.of(numbers[name]))
        return numbers


class Transform(optax.GradientTransformationExtraArgs):
    """An Optax transformation that remembers the pieces it is a chain of: lifted rules, and wrappers of Optax's.

    Its `update` raises ValueError where a gradient has another shape than its parameter, which Optax may broadcast.
    """

    update: Callable[..., tuple[PyTree, Any]]
    pieces: tuple[Any, ...]


def lift(
    rule: Rule,
    *,
    arithmetic: str = "accurate",
    start: Mapping[str, Any] | None = None,
    dtypes: Mapping[str, Any] | None = None,
    **hyper: Any,
) -> Transform:
    """Make a transformation of a rule and its hyper-parameters.

    Args:
        rule: the rule.
        arithmetic: a key of `ARITHMETICS`.
        start: what state fields hold before the first step, where that is not 0.
        dtypes: the types that state fields are kept in, where they are not the parameter's.
        **hyper: the rule's hyper-parameters. A number can be an array, traced, or, for a rule whose state has a
            count, a schedule.

    Raises:
        ValueError: there is no such arithmetic, or a schedule is given to a rule that does not count, or for a decay
            whose corrected average is all that the weighted arithmetic keeps.
    """
    if arithmetic not in ARITHMETICS:
        raise ValueError(f"arithmetic must be one of {', '.join(map(repr, ARITHMETICS))}, not {arithmetic!r}.")
    parameters = inspect.signature(rule.step).parameters
    flags = {name: bool(value) for name, value in hyper.items() if parameters[name].annotation in (bool, "bool")}
    numbers = {name: as_float(value) for name, value in hyper.items() if name not in flags}
    schedules = [name for name, number in numbers.items() if callable(number)]
    if schedules and "count" not in rule.state._fields:
        raise ValueError(f"{', '.join(schedules)} cannot be a schedule here: {rule.state.__name__} counts no steps.")
    if arithmetic == "weighted" and rule.weighted and (moving := [name for name in schedules if name in rule.decays]):
        raise ValueError(
            f"{', '.join(moving)} cannot be a schedule under the weighted arithmetic, whose state is the mean at one "
            "rate. Use arithmetic='accurate'."
        )
    kept = {field: jax.dtypes.canonicalize_dtype(d) for field, d in (dtypes or {}).items() if d is not None}
    part = Part(rule, ARITHMETICS[arithmetic], tuple(sorted(flags.items())), tuple(sorted(kept.items())))
    lifted = Lifted(part, numbers, start or {})

    def update(updates, state, params=None, **extra_args):
        del extra_args
        done, (state,) = _update((lifted,), updates, (state,), params)
        return _in_their_types(done, updates, params, (lifted,)), state

    return _transform(lifted.init, update, (lifted,))


def chain(*transforms: optax.GradientTransformation) -> Transform:
    """The transformations one after the other, as `optax.chain`; lifted rules in a row are one compiled step.

    Between them the updates keep the type that was computed with; they leave in the type in which they came, or in the
    parameters' where that is wider.
    """
    foreign = optax.with_extra_args_support
    pieces = tuple(piece for transform in transforms for piece in getattr(transform, "pieces", (foreign(transform),)))

    def init(params):
        return tuple(piece.init(params) for piece in pieces)

    def update(updates, state, params=None, **extra_args):
        if len(state) != len(pieces):
            raise ValueError(f"Expected a state of {len(pieces)} parts, as init makes it, and got {len(state)}.")
        done, states = updates, []
        for is_lifted, run in groupby(zip(pieces, state, strict=True), lambda pair: isinstance(pair[0], Lifted)):
            row, before = zip(*run, strict=True)
            if is_lifted:
                done, after = _update(row, done, before, params)
                states.extend(after)
                continue
            for piece, inner in zip(row, before, strict=True):
                done, inner_after = piece.update(done, inner, params, **extra_args)
                states.append(inner_after)
        return _in_their_types(done, updates, params, pieces), tuple(states)

    return _transform(init, update, pieces)


def _transform(init, update, pieces: tuple[Any, ...]) -> Transform:
    transform = Transform(init, update)
    transform.pieces = pieces
    return transform


def _in_their_types(done: PyTree, updates: PyTree, params: PyTree, pieces: tuple[Any, ...]) -> PyTree:
    """The updates in the wider type of gradient and parameter; where Optax is copied, in the type that results."""
    if any(isinstance(piece, Lifted) and piece.part.arithmetic is OptaxArithmetic for piece in pieces):
        return done

    def in_its_type(u, g, *w):
        dtype = jnp.result_type(g, *w)
        return cast(u, dtype) if jnp.issubdtype(dtype, jnp.inexact) else u

    if params is None:
        return jax.tree.map(in_its_type, done, updates)
    return jax.tree.map(in_its_type, done, updates, _where_updated(updates, params))


def _where_updated(updates: PyTree, params: PyTree) -> PyTree:
    """The parameters that have a gradient; the others may hold something else than an array."""
    return jax.tree.map(lambda g, w: None if g is None else w, updates, params, is_leaf=lambda g: g is None)


def _update(lifted: tuple[Lifted, ...], updates: PyTree, states: tuple[Any, ...], params: PyTree):
    parts = tuple(piece.part for piece in lifted)
    numbers = tuple(piece.numbers_at(state) for piece, state in zip(lifted, states, strict=True))
    needs_params = any(part.rule.needs_params for part in parts)
    if needs_params and params is None:
        raise ValueError("The weight decay needs the parameters: call update(updates, state, params).")
    return _apply(parts, numbers, updates, states, _where_updated(updates, params) if needs_params else None)


# Inlined in an outer jit, Python numbers become literals again and the jaxpr has equations where a call would be.
@partial(jax.jit, static_argnums=0, inline=True)
def _apply(parts: tuple[Part, ...], numbers, updates, states, params):
    new_states = []
    for part, part_numbers, state in zip(parts, numbers, states, strict=True):
        updates, new_state = _step(part, part_numbers, updates, state, params)
        new_states.append(new_state)
    return updates, tuple(new_states)


def _require_same_shapes(tree: Any, gradients: list[Any], column: list[Any], name: str) -> None:
    """Raise ValueError where a gradient has another shape than its state or parameter: it might broadcast unnoticed."""
    column = [None if g is None else x for g, x in zip(gradients, column, strict=True)]
    if all(g is None or jnp.shape(g) == jnp.shape(x) for g, x in zip(gradients, column, strict=True)):
        return
    # Only now, for its message: importing it takes 0.2 s, and it does not know the keys of every tree.
    import chex

    chex.assert_trees_all_equal_shapes(
        tree.unflatten(gradients),
        tree.unflatten(column),
        custom_message=f"tree 0: the updates; tree 1: {name}",
        include_default_message=False,
        exception_type=ValueError,
    )


def _step(part: Part, numbers: dict[str, Any], updates: PyTree, state: Any, params: PyTree) -> tuple[PyTree, Any]:
    """One step of one rule on every leaf; where the gradient is None, update and state stay as they are."""
    rule = part.rule
    stored = rule.state(*state) if rule.state._fields else rule.state()  # values under the names that the rule knows
    fields = [field for field in rule.state._fields if field != "count"]
    count = {"count": optax.safe_increment(stored.count)} if "count" in rule.state._fields else {}
    decays = {name: part.arithmetic(numbers[name], count.get("count")) for name in rule.decays}
    step = partial(rule.step, **{**numbers, **decays}, **dict(part.flags))
    kept = {*rule.kept, *dict(part.dtypes)} if part.arithmetic is OptaxArithmetic else fields

    def step_leaf(g, w, *values):
        if g is None:
            return None, values
        g, w, *wide = part.arithmetic.widened(g, w, *values)
        u, new = step(g, w, rule.state(**dict(zip(fields, wide, strict=True)), **count))
        after = [getattr(new, field) for field in fields]
        return u, [
            cast(x, old.dtype) if field in kept else x for field, x, old in zip(fields, after, values, strict=True)
        ]

    gradients, tree = jax.tree.flatten(updates, is_leaf=lambda g: g is None)
    weights = tree.flatten_up_to(params) if rule.needs_params else [None] * len(gradients)
    columns = [tree.flatten_up_to(getattr(stored, field)) for field in fields]
    for name, column in [*zip(fields, columns, strict=True), *([("params", weights)] if rule.needs_params else [])]:
        _require_same_shapes(tree, gradients, column, name)
    done = [step_leaf(*row) for row in zip(gradients, weights, *columns, strict=True)]
    new = {field: tree.unflatten([values[i] for _, values in done]) for i, field in enumerate(fields)} | count
    after = part.state(*(new[field] for field in rule.state._fields)) if rule.state._fields else state
    return tree.unflatten([u for u, _ in done]), after
