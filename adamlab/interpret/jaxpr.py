"""The walker: a function is traced to a jaxpr, and the jaxpr is evaluated in an algebra of another kind of numbers.

Values are NumPy arrays of objects, scalars 0-d. Booleans and integers stay Python's; floats are the algebra's.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cmp_to_key, partial, reduce
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import source_info_util
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun

from adamlab.errors import InputError
from adamlab.interpret.arrays import Values, accumulated, along, contracted, each, objects, over_entries, reduced
from adamlab.interpret.constants import Constant, meant_by
from adamlab.interpret.integers import range_of_type, saturated, wrapped
from adamlab.interpret.plans import Plan, Step, is_key, plan_of
from adamlab.types import PyTree

WHOLE = (bool, int, np.integer, np.bool_)
"""The types of booleans and integers."""

Rename = Callable[[Values], Values]
"""Puts other values in place of those that it is given."""

EMPTY: Mapping[int, Rename] = MappingProxyType({})


class UnreadableError(InputError):
    """A primitive without a meaning in an algebra; the message names it and the line that it comes from."""

    WHY = "it has no meaning in this algebra"

    def __init__(self, primitive: str, line: str = "", why: str = WHY):
        self.primitive, self.line, self.why = primitive, line, why
        super().__init__(f"cannot read the primitive {primitive!r}, at {line}: {why}.")


class Algebra(ABC):
    """A kind of numbers to take the place of floats, with the meaning of JAX's primitives for them."""

    @property
    @abstractmethod
    def elementwise(self) -> Mapping[str, Callable[..., Any]]:
        """The meaning of every elementwise primitive, by its name in JAX, on single numbers.

        A primitive that means something else for some numbers stands as "integer div" or "complex sqrt", too.
        """

    @abstractmethod
    def number(self, constant: int | Constant) -> Any:
        """A whole number, or a constant of the code, as a float of this algebra."""

    @abstractmethod
    def whole(self, number: Any) -> Any:
        """A float as an integer, towards 0: 0 for NaN, and beyond all types for an infinity."""

    def in_width(self, value: Any, dtype: Any) -> Any:
        """An integer as its type has it; a number wraps."""
        return wrapped(int(value), dtype) if isinstance(value, WHOLE) else self.symbolic_in_width(value, dtype)

    def symbolic_in_width(self, value: Any, dtype: Any) -> Any:
        """An integer in symbols as its type has it."""
        return value

    def combined(self, name: str, entries: Sequence[Any]) -> Any:
        """Several numbers, at least one, combined in order by an elementwise primitive."""
        return reduce(self.elementwise[name], entries)

    def settled(self, condition: Any) -> Any:
        """A condition decided as far as it can be; on numbers every condition is decided already."""
        return condition

    def as_number(self, x: Any) -> Any:
        """A condition as 0 or 1, anything else as it is; on numbers no condition is left."""
        return x

    @abstractmethod
    def select(self, which: Any, cases: Sequence[Any]) -> Any:
        """The case at an index, which is a boolean, an integer or a condition."""


@dataclass(frozen=True, eq=False)
class Program:
    """A traced function of trees of arrays.

    Attributes:
        jaxpr: the computation.
        shapes: the tree that the function returns, with a `jax.ShapeDtypeStruct` for every array.
    """

    jaxpr: ClosedJaxpr
    shapes: PyTree

    def is_same_as(self, other: "Program") -> bool:
        """Whether both compute the same: equation by equation, with equal constants."""
        ours, theirs = self.jaxpr, other.jaxpr
        if str(ours.jaxpr) != str(theirs.jaxpr) or len(ours.consts) != len(theirs.consts):
            return False
        pairs = ([np.asarray(x) for x in pair] for pair in zip(ours.consts, theirs.consts, strict=True))
        return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)

    def function(self) -> Callable[..., PyTree]:
        """The function again, on arrays."""
        compute, structure = jaxpr_as_fun(self.jaxpr), jax.tree.structure(self.shapes)
        return lambda *arguments: jax.tree.unflatten(structure, compute(*jax.tree.leaves(arguments)))


def trace(function: Callable[..., PyTree], *arguments: PyTree) -> Program:
    """Trace a function with 64-bit types on; the arguments' leaves need only have shapes and types."""
    with jax.enable_x64(True):
        jaxpr, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    return Program(jaxpr, shapes)


@dataclass
class Reader:
    """A reader of programs in an algebra.

    Programs are read again and again, a time for each step: plans and movements of arrays are kept by the id of what
    they come from, together with that object itself, since the id of a freed object may be used again. A step whose
    operands are the same objects as the last time has the same results.
    """

    algebra: Algebra
    _plans: dict[Any, tuple[Plan, list[Step], list[Any]]] = field(default_factory=dict)
    _moves: dict[Any, tuple[Any, list[np.ndarray]]] = field(default_factory=dict)

    def read(self, program: Program, *arguments: PyTree, rename: Mapping[int, Rename] | None = None) -> PyTree:
        """The program's result for arguments whose leaves are objects, or arrays of them.

        `rename` puts other values in place of some results, by their number among all leaves, as soon as they are
        known: later results of the program are then in terms of these.
        """
        values = [objects(leaf) for leaf in jax.tree.leaves(arguments)]
        with np.errstate(all="ignore"):  # NaN is a number like others
            results = self._walk(program.jaxpr, values, rename or {})
        return jax.tree.unflatten(jax.tree.structure(program.shapes), results)

    def _walk(
        self, closed: ClosedJaxpr, arguments: Iterable[Values], rename: Mapping[int, Rename] = EMPTY
    ) -> list[Values]:
        plan, steps, constants = self._plan(closed, rename)
        values = constants.copy()
        for place, value in zip(plan.arguments, arguments, strict=True):
            values[place] = value
        for step in steps:
            inputs = [values[place] for place in step.inputs]
            if step.leaf is not None:
                values[step.outputs[0]] = rename[step.leaf](inputs[0])
                continue
            if step.only_for and not _may_be(step.only_for[1], values[step.only_for[0]]):
                for place in step.outputs:
                    values[place] = NEVER
                continue
            if step.before is None or not all(map(_is_same, step.before, inputs)):
                step.results = self._apply(step, inputs)
                step.before = inputs
            for place, value in zip(step.outputs, step.results, strict=True):
                values[place] = value
        return [values[place] for place in plan.results]

    def _plan(self, closed: ClosedJaxpr, rename: Mapping[int, Rename]) -> tuple[Plan, list[Step], list[Any]]:
        """The plan of a program, its steps for this reader, and its constants at their places."""
        key = id(closed.jaxpr), *rename
        if key not in self._plans:
            plan = plan_of(closed, tuple(rename))
            steps = [replace(step) for step in plan.steps]  # they keep what they gave last
            constants: list[Any] = [None] * plan.size
            for place, value in plan.constants:
                if is_key(value):
                    raise UnreadableError("random_bits", why="the code holds a key of random numbers")
                constants[place] = self._as_written(np.asarray(value))
            for step in steps:
                if step.leaf is None:
                    step.meaning = self._elementwise(step.equations[0])
            self._plans[key] = plan, steps, constants
        return self._plans[key]

    def _apply(self, step: Step, inputs: list[Values]) -> list[Values]:
        equation = step.equations[0]
        try:
            return [step.meaning(*inputs)] if step.meaning else self._applied_as_a_whole(equation, inputs)
        except UnreadableError as error:
            line = error.line or next(filter(None, map(line_of, step.equations)), "")
            raise UnreadableError(error.primitive or equation.primitive.name, line, error.why) from None

    def _applied_as_a_whole(self, equation: Any, inputs: list[Values]) -> list[Values]:
        """The results of an equation that is no function of single entries."""
        name, params = equation.primitive.name, equation.params
        if not equation.outvars:  # prints and the like
            return []
        if name in MOVES and params.get("update_jaxpr") is None:
            return self._move(equation, inputs)
        if name in CONTROL:
            return CONTROL[name](self, inputs, **params)
        results = self._computed(equation, inputs)
        types = [variable.aval.dtype for variable in equation.outvars]
        return [
            each(partial(self.algebra.in_width, dtype=dtype), values) if _kind(dtype) == "integer" else values
            for values, dtype in zip(results, types, strict=True)
        ]

    def _elementwise(self, equation: Any) -> Callable[..., Values] | None:
        """The function of arrays that an elementwise primitive is, integers wrapped; None for any other."""
        name = equation.primitive.name
        if name in OTHERWISE or not equation.outvars:
            return None
        dtype = equation.outvars[0].aval.dtype
        kind, table = _kind(dtype), self.algebra.elementwise
        if name == "convert_element_type":
            function: Any = partial(self._converted, _kind(equation.invars[0].aval.dtype), dtype)
        elif name == "select_n":
            function = self._selected
        elif meaning := table.get(f"{kind} {name}", table.get(name)):
            numbers = _numbers_in(name, equation.params, dtype)
            function = partial(meaning, **numbers) if numbers else meaning
        else:
            return None
        applied = over_entries(function, len(equation.invars))
        if kind != "integer":
            return applied
        in_width = over_entries(partial(self.algebra.in_width, dtype=dtype), 1)
        return lambda *inputs: in_width(applied(*inputs))

    def _computed(self, equation: Any, inputs: list[Values]) -> list[Values]:
        """The results of a primitive that calculates, not entry by entry, before integers wrap."""
        name, params, dtype = equation.primitive.name, equation.params, equation.outvars[0].aval.dtype
        if name in REDUCTIONS:
            return [reduced(self._all_of(name, dtype), inputs[0], params["axes"])]
        if name in ACCUMULATIONS:
            return [accumulated(self._all(ACCUMULATIONS[name]), inputs[0], params["axis"], params["reverse"])]
        if name in SCATTERS:
            return [self._scattered(equation, inputs[0], inputs[1], inputs[2])]
        if name in STRUCTURES:
            return STRUCTURES[name](self, inputs, **{**params, "dtype": dtype})
        raise UnreadableError(name, "", WHY.get(name, UnreadableError.WHY))

    def _all_of(self, name: str, dtype: Any) -> Callable[[list[Any]], Any]:
        """A reduction of a row, which may be empty."""
        combine, start = self._all(REDUCTIONS[name]), self._identity(name, dtype)
        return lambda row: combine(row) if row else start

    def _all(self, name: str) -> Callable[[list[Any]], Any]:
        return partial(self.algebra.combined, name)

    def _as_written(self, array: Any) -> Values:
        """The numbers that stand in the code itself, as they were meant."""
        kind = _kind(array.dtype)
        if kind == "complex":
            return each(self.algebra.elementwise["complex"], *map(self._as_written, (array.real, array.imag)))
        if kind != "real":
            return array.astype(object)
        numbers = np.asarray(list(array.flat), object).reshape(array.shape)
        return each(lambda x: self.algebra.number(meant_by(x)), numbers)

    def _move(self, equation: Any, inputs: list[Values]) -> list[Values]:
        """The result of a primitive that moves data: JAX itself moves the entries' positions, the entries follow."""
        positions: list[Any] = _indices(equation, inputs)
        holders = range(len(inputs))[MOVES[equation.primitive.name]]
        data = [inputs[i] for i in holders]
        entries = np.concatenate([x.ravel() for x in data]) if len(data) > 1 else data[0].ravel()
        params = equation.params
        if "fill_value" in params:  # which a gather has where an index is out of bounds
            entries, params = np.append(entries, self._fill_value(equation)), {**params, "fill_value": entries.size}
        key = id(equation), tuple(tuple(x.flat) for i, x in enumerate(inputs) if i not in holders)
        if key not in self._moves:
            starts = np.cumsum([0, *(x.size for x in data)])
            for i, start in zip(holders, starts, strict=False):
                positions[i] = start + np.arange(inputs[i].size, dtype=np.int32).reshape(inputs[i].shape)
            with jax.enable_x64(True):
                result = equation.primitive.bind(*map(jnp.asarray, positions), **params)
            results = result if equation.primitive.multiple_results else [result]
            self._moves[key] = equation, [np.asarray(x) for x in results]
        return [objects(entries[moved]) for moved in self._moves[key][1]]

    def _fill_value(self, equation: Any) -> Any:
        """The entry where an index is out of bounds; by default NaN, true, or an extreme integer, as JAX has it."""
        dtype, given = equation.outvars[0].aval.dtype, equation.params["fill_value"]
        if given is None and _kind(dtype) == "integer":
            info = jnp.iinfo(dtype)
            return int(info.min) or int(info.max)
        return self._as_written(np.asarray(np.nan if given is None else given).astype(dtype)).item()

    def _scattered(self, equation: Any, operand: Values, indices: Values, updates: Values) -> Values:
        """An array with further entries combined into it, in order."""
        name, params = equation.primitive.name, equation.params
        places = _indices(equation, [operand, indices, updates])[1]
        key = id(equation), tuple(indices.flat)
        if key not in self._moves:
            settings = {k: params[k] for k in ("dimension_numbers", "indices_are_sorted", "unique_indices", "mode")}
            with jax.enable_x64(True):
                add = partial(jax.lax.scatter_add, jnp.zeros(operand.shape, jnp.int32), jnp.asarray(places), **settings)
                each_alone = jnp.eye(updates.size, dtype=jnp.int32).reshape(updates.size, *updates.shape)
                landing = np.asarray(jax.vmap(add)(each_alone)).reshape(updates.size, -1)
            self._moves[key] = equation, [landing]
        landing, result = self._moves[key][1][0], operand.flatten()
        applied = partial(self._applied, params)
        for target in np.flatnonzero(landing.any(0)):
            arriving = [updates.flat[i] for i in np.flatnonzero(landing[:, target])]
            entries = [result[target], *arriving]
            result[target] = reduce(applied, entries) if name == "scatter" else self._all(SCATTERS[name])(entries)
        return result.reshape(operand.shape)

    def _applied(self, params: Mapping[str, Any], entry: Any, update: Any) -> Any:
        """An entry that a function of the code's own combines with an update."""
        body = ClosedJaxpr(params["update_jaxpr"], params["update_consts"])
        return self._walk(body, [objects(entry), objects(update)])[0].item()

    def _identity(self, name: str, dtype: Any) -> Any:
        """The result of a reduction over no entries, such as a sum's 0."""
        kind = _kind(dtype)
        if kind == "integer":
            info = jnp.iinfo(dtype)
            return {"reduce_prod": 1, "reduce_max": info.min, "reduce_min": info.max, "reduce_and": -1}.get(name, 0)
        if kind == "boolean":
            return name in ("reduce_min", "reduce_and", "reduce_prod")
        start = {"reduce_prod": 1, "reduce_max": -np.inf, "reduce_min": np.inf}.get(name, 0)
        return self._as_written(np.asarray(start).astype(dtype)).item()

    def iota(self, _, *, dtype, shape, dimension, **__) -> list[Values]:
        """The numbers 0, 1, 2 … along a dimension."""
        values = np.indices(shape)[dimension].astype(object)
        return [values if _kind(dtype) == "integer" else each(self.algebra.number, values)]

    def _selected(self, which: Any, *cases: Any) -> Any:
        return self.algebra.select(which, cases)

    def _converted(self, old: str, new_dtype: Any, x: Any) -> Any:
        """A number of some kind in another type; from float to float nothing is rounded."""
        new, table = _kind(new_dtype), self.algebra.elementwise
        if new == "boolean":
            return table["ne"](x, 0)
        x = table["real"](x) if old == "complex" and new != "complex" else self.algebra.as_number(x)
        if new == "integer" and old in ("real", "complex"):
            x = self.algebra.whole(x)
            low, high = range_of_type(new_dtype)
            return saturated(int(x), new_dtype) if isinstance(x, WHOLE) else table["clamp"](low, x, high)
        if new == "integer":
            return x
        x = self.algebra.number(int(x)) if isinstance(x, WHOLE) else x
        return table["complex"](x, self.algebra.number(0)) if new == "complex" and old != "complex" else x

    def argument(self, inputs: list[Values], *, axes, relation, **_) -> list[Values]:
        """The index of the extreme entry, or of a NaN; the first where several are."""
        return [reduced(lambda row: min(range(len(row)), key=self._order(relation, True, [row])), inputs[0], axes)]

    def sort(self, inputs: list[Values], *, dimension, num_keys, **_) -> list[Values]:
        """Arrays in the order of the first of them, with NaN last."""
        try:
            return along(lambda rows: self._sorted("lt", rows[:num_keys]), inputs, dimension)
        except UnreadableError:
            if len(inputs) > 1 or inputs[0].shape[dimension] != 2:
                raise
            pair = [objects(x) for x in np.moveaxis(inputs[0], dimension, 0)]
            extremes = (each(self.algebra.elementwise[name], *pair) for name in ("min", "max"))
            return [np.stack(list(extremes), dimension)]

    def top(self, inputs: list[Values], *, k, **_) -> list[Values]:
        """The greatest entries along the last axis, and their indices."""
        if any(self._is_so("ne", x, x) for x in inputs[0].flat):
            raise UnreadableError("top_k", why="JAX places a NaN by its sign, which is not read")
        indices = objects(np.broadcast_to(np.arange(inputs[0].shape[-1]), inputs[0].shape))
        return along(lambda rows: self._sorted("gt", rows[:1])[:k], [inputs[0], indices], -1)

    def _sorted(self, relation: str, keys: list[list[Any]]) -> list[int]:
        return sorted(range(len(keys[0])), key=self._order(relation, False, keys))

    def _order(self, relation: str, nan_first: bool, keys: list[list[Any]]) -> Callable[[int], Any]:
        """The sorting key of positions that are ordered by a relation, by the first list in which they differ."""

        def is_before(a: Any, b: Any) -> bool:
            a_is_nan, b_is_nan = self._is_so("ne", a, a), self._is_so("ne", b, b)
            if a_is_nan or b_is_nan:
                return a_is_nan > b_is_nan if nan_first else b_is_nan > a_is_nan
            return self._is_so(relation, a, b)

        def compare(i: int, j: int) -> int:
            turns = (is_before(key[j], key[i]) - is_before(key[i], key[j]) for key in keys)
            return next((turn for turn in turns if turn), 0)

        return cmp_to_key(compare)

    def _is_so(self, relation: str, a: Any, b: Any) -> bool:
        truth = self.algebra.settled(self.algebra.elementwise[relation](a, b))
        if not isinstance(truth, WHOLE):
            raise UnreadableError("sort", why="the order of entries depends on what is read")
        return bool(truth)

    def log_sum_exp(self, inputs: list[Values], *, axis, reverse, **_) -> list[Values]:
        """The logarithms of the sums of exponentials so far."""
        exponentials = each(self.algebra.elementwise["exp"], inputs[0])
        return [each(self.algebra.elementwise["log"], accumulated(self._all("add"), exponentials, axis, reverse))]

    def contract(self, inputs: list[Values], *, dimension_numbers, dtype, **_) -> list[Values]:
        """A product of matrices or tensors."""
        multiply, total = self.algebra.elementwise["mul"], self._all_of("reduce_sum", dtype)
        return [contracted(multiply, total, inputs[0], inputs[1], dimension_numbers)]

    def branch(self, inputs: list[Values], *, branches, **_) -> list[Values]:
        """The result of `cond` and `switch`: of the branch at an index, or of all where the algebra cannot tell."""
        index, *operands = inputs
        which = self.algebra.settled(index.item())
        if isinstance(which, WHOLE):
            return self._walk(branches[min(max(int(which), 0), len(branches) - 1)], operands)
        outcomes = [self._walk(each_branch, operands) for each_branch in branches]
        pick = partial(each, lambda *entries: self.algebra.select(which, entries))
        return [pick(*cases) for cases in zip(*outcomes, strict=True)]

    def loop(self, inputs: list[Values], *, cond_jaxpr, body_jaxpr, cond_nconsts, body_nconsts, **_) -> list[Values]:
        """The result of `while`, whose condition the algebra has to decide."""
        for_cond, rest = inputs[:cond_nconsts], inputs[cond_nconsts:]
        for_body, carry = rest[:body_nconsts], rest[body_nconsts:]
        while True:
            goes_on = each(self.algebra.settled, self._walk(cond_jaxpr, [*for_cond, *carry])[0])
            if not all(isinstance(condition, WHOLE) for condition in goes_on.flat):
                raise UnreadableError("while", why="how often it goes round depends on what is read")
            if not goes_on.any():
                return carry
            results = self._walk(body_jaxpr, [*for_body, *carry])
            carry = [_where(goes_on, new, old) for new, old in zip(results, carry, strict=True)]

    def scan(self, inputs: list[Values], *, jaxpr, length, reverse, **params) -> list[Values]:
        """The result of `scan`, unrolled."""
        constants, carry, columns = _scanned(inputs, params)
        rows, num_carry = [], len(carry)
        for i in reversed(range(length)) if reverse else range(length):
            results = self._walk(jaxpr, [*constants, *carry, *(objects(column[i]) for column in columns)])
            carry, row = results[:num_carry], results[num_carry:]
            rows.append(row)
        ordered = rows[::-1] if reverse else rows
        if not rows:
            return [*carry, *(np.empty((0, *aval.shape), object) for aval in jaxpr.out_avals[num_carry:])]
        stacked = [np.stack([objects(x) for x in column]) for column in zip(*ordered, strict=True)]
        return [*carry, *stacked]


NEVER = objects(None)
"""The value of what only a case needs that is not selected."""


def _may_be(case: int, selected: Values) -> bool:
    """Whether any entry of a condition selects a case, or cannot tell."""
    if not selected.ndim:
        which = selected.item()
        return not isinstance(which, WHOLE) or int(which) == case
    return any(not isinstance(which, WHOLE) or int(which) == case for which in selected.flat)


def _is_same(a: Values, b: Values) -> bool:
    """Whether two arrays are one object, or hold one each."""
    return a is b or (not a.ndim and not b.ndim and a.item() is b.item())


def literals(program: Program) -> Iterator[tuple[Any, Any]]:
    """The values that stand in a program, each with its type, in the order of the code."""
    return _literals(program.jaxpr)


def _literals(part: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(part, (list, tuple)):
        for each_part in part:
            yield from _literals(each_part)
    elif isinstance(part, Literal):
        aval: Any = part.aval
        yield part.val, aval.dtype
    elif isinstance(part, ClosedJaxpr):
        yield from ((value, value.dtype) for value in part.consts if hasattr(value, "dtype") and not is_key(value))
        yield from _literals(part.jaxpr)
    elif isinstance(part, Jaxpr):
        for equation in part.eqns:
            yield from _literals([*equation.invars, *equation.params.values()])
        yield from _literals(part.outvars)


def _where(condition: Values, new: Values, old: Values) -> Values:
    """The new values of the members of a batch, on its first axes, that a condition holds for."""
    aligned = condition.reshape((*condition.shape, *[1] * (new.ndim - condition.ndim)))
    return new if condition.all() else each(lambda is_new, a, b: a if is_new else b, aligned, new, old)


def line_of(equation: Any) -> str:
    """The line of code that an equation comes from; empty within JAX's own jitted functions."""
    line = source_info_util.summarize(equation.source_info)
    return "" if line.startswith(":") else line


def _scanned(inputs: list[Values], params: Mapping[str, Any]) -> list[list[Values]]:
    """The constants, carry and columns of a scan, as JAX 0.12 tells them apart, or as JAX did before."""
    if "ft_in" in params:
        return [list(group) for group in params["ft_in"].update(inputs).unpack()]
    first = params["num_consts"]
    second = first + params["num_carry"]
    return [inputs[:first], inputs[first:second], inputs[second:]]


def _numbers_in(name: str, params: Mapping[str, Any], dtype: Any) -> dict[str, Any]:
    """What the meaning of an elementwise primitive depends on besides its operands."""
    if name in BITWISE:
        return {"dtype": dtype}
    return {key: params[key] for key in ("y", "rounding_method") if key in params}


def _indices(equation: Any, inputs: list[Values]) -> list[Any]:
    """The operands that say where entries go, in their own types; None in place of those that hold the entries."""
    holders = range(len(inputs))[MOVES.get(equation.primitive.name, slice(0, 3, 2))]
    indices: list[Any] = [None if i in holders else x for i, x in enumerate(inputs)]
    for i, x in enumerate(indices):
        if x is not None:
            if not all(isinstance(entry, WHOLE) for entry in x.flat):
                raise UnreadableError(equation.primitive.name, "", "where entries are depends on what is read")
            indices[i] = x.astype(equation.invars[i].aval.dtype)
    return indices


@cache
def _kind(dtype: Any) -> str:
    """The kind of numbers that a type is of; before a primitive's name, that of its meaning for them alone."""
    kinds = {"boolean": jnp.bool_, "integer": jnp.integer, "complex": jnp.complexfloating}
    return next((kind for kind, types in kinds.items() if jnp.issubdtype(dtype, types)), "real")


ALL, FIRST = slice(None), slice(1)

MOVES = {
    "broadcast_in_dim": FIRST,
    "concatenate": ALL,
    "dynamic_slice": FIRST,
    "dynamic_update_slice": slice(2),
    "expand_dims": ALL,
    "gather": FIRST,
    "pad": ALL,
    "reshape": FIRST,
    "rev": ALL,
    "scatter": slice(0, 3, 2),
    "slice": ALL,
    "split": ALL,
    "squeeze": ALL,
    "stack": ALL,
    "tile": FIRST,
    "transpose": ALL,
}
"""Primitives that only move entries, with the operands that hold entries; the other operands say where to."""

REDUCTIONS = {
    "reduce_sum": "add",
    "reduce_prod": "mul",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_and": "and",
    "reduce_or": "or",
    "reduce_xor": "xor",
}
ACCUMULATIONS = {"cumsum": "add", "cumprod": "mul", "cummax": "max", "cummin": "min"}

SCATTERS = {
    "scatter": "",
    "scatter-add": "add",
    "scatter-max": "max",
    "scatter-min": "min",
    "scatter-mul": "mul",
    "scatter-sub": "sub",
}
"""Primitives that combine entries into an array; the first by a function of the code's own."""

BITWISE = ("clz", "population_count", "shift_left", "shift_right_arithmetic", "shift_right_logical")
"""Elementwise primitives whose meaning depends on the width of integers."""

WHY = {"reduce": "JAX may combine entries in any order, which this function need not allow"}
"""Why primitives cannot be read, where there is more to say."""

OTHERWISE = {*MOVES, "cond", "scan", "while"}
"""Primitives that are not looked up among the elementwise ones."""

CONTROL: dict[str, Callable[..., list[Values]]] = {"cond": Reader.branch, "scan": Reader.scan, "while": Reader.loop}

STRUCTURES: dict[str, Callable[..., list[Values]]] = {
    "argmax": partial(Reader.argument, relation="gt"),
    "argmin": partial(Reader.argument, relation="lt"),
    "cumlogsumexp": Reader.log_sum_exp,
    "dot_general": Reader.contract,
    "iota": Reader.iota,
    "sort": Reader.sort,
    "top_k": Reader.top,
}
