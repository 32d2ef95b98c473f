"""The walker: a function is traced to a jaxpr, and the jaxpr is evaluated in an algebra of another kind of numbers.

Values are NumPy arrays of objects, scalars 0-d. Booleans and integers stay Python's; floats are the algebra's.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial, reduce
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import source_info_util
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun

from adamlab.errors import InputError
from adamlab.interpret.arrays import Values, accumulated, each, objects, reduced
from adamlab.types import PyTree

WHOLE = (bool, int, np.integer, np.bool_)
"""The types of booleans and integers."""

Rename = Callable[[Values], Values]
"""Puts other values in place of those that it is given."""

EMPTY: Mapping[int, Rename] = MappingProxyType({})


class UnreadableError(InputError):
    """A primitive without a meaning in an algebra; the message names it and the line that it comes from."""

    def __init__(self, primitive: str, line: str, why: str = "it has no meaning in this algebra"):
        self.primitive, self.line, self.why = primitive, line, why
        super().__init__(f"cannot read the primitive {primitive!r}, at {line}: {why}.")


class Algebra(ABC):
    """A kind of numbers to take the place of floats, with the meaning of JAX's primitives for them."""

    @property
    @abstractmethod
    def elementwise(self) -> Mapping[str, Callable[..., Any]]:
        """The meaning of every elementwise primitive, by its name in JAX, on single numbers."""

    @abstractmethod
    def number(self, decimal: int | str) -> Any:
        """A whole number or a decimal, or "inf", "nan" or "pi", as a float of this algebra."""

    @abstractmethod
    def whole(self, number: Any) -> Any:
        """A float as an integer, towards 0."""

    def settled(self, condition: Any) -> Any:
        """A condition decided as far as it can be; on numbers every condition is decided already."""
        return condition

    def as_number(self, x: Any) -> Any:
        """A condition as 0 or 1, anything else as it is; on numbers no condition is left."""
        return x

    @abstractmethod
    def select(self, which: Any, cases: Sequence[Any]) -> Any:
        """The case at an index, which is a boolean, an integer or a condition."""


@dataclass(frozen=True)
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

    Programs are read again and again, a time for each step: constants and movements of arrays are kept by the id of
    what they come from, together with that object itself, since the id of a freed object may be used again.
    """

    algebra: Algebra
    _constants: dict[int, tuple[Any, Values]] = field(default_factory=dict)
    _moves: dict[Any, tuple[Any, list[np.ndarray]]] = field(default_factory=dict)

    def read(self, program: Program, *arguments: PyTree, rename: Mapping[int, Rename] | None = None) -> PyTree:
        """The program's result for arguments whose leaves are objects, or arrays of them.

        `rename` puts other values in place of some results, by their number among all leaves, as soon as they are
        known: later results of the program are then in terms of these.
        """
        values = [objects(leaf) for leaf in jax.tree.leaves(arguments)]
        results = self._walk(program.jaxpr, values, rename or {})
        return jax.tree.unflatten(jax.tree.structure(program.shapes), results)

    def _walk(
        self, closed: ClosedJaxpr, arguments: Iterable[Values], rename: Mapping[int, Rename] = EMPTY
    ) -> list[Values]:
        jaxpr: Jaxpr = closed.jaxpr
        renamed = {jaxpr.outvars[i]: other for i, other in rename.items() if not isinstance(jaxpr.outvars[i], Literal)}
        known = {v: self._constant(value, value) for v, value in zip(jaxpr.constvars, closed.consts, strict=True)}
        known |= dict(zip(jaxpr.invars, arguments, strict=True))
        for equation in jaxpr.eqns:
            results = self._apply(equation, self._values(equation.invars, known))
            for variable, values in zip(equation.outvars, results, strict=True):
                known[variable] = renamed[variable](values) if variable in renamed else values
        return self._values(jaxpr.outvars, known)

    def _values(self, atoms: Iterable[Any], known: Mapping[Any, Values]) -> list[Values]:
        return [self._literal(atom) if isinstance(atom, Literal) else known[atom] for atom in atoms]

    def _apply(self, equation: Any, inputs: list[Values]) -> list[Values]:
        name, params = equation.primitive.name, equation.params
        if name in self.algebra.elementwise:
            return [each(partial(self.algebra.elementwise[name], **_numbers_in(name, params)), *inputs)]
        if name in IDENTITIES:
            return inputs
        if name in MOVES:
            return self._move(equation, inputs)
        if name in REDUCTIONS:
            combine = self.algebra.elementwise[REDUCTIONS[name]]
            return [reduced(combine, inputs[0], params["axes"], self._empty(name, equation))]
        if name in ACCUMULATIONS:
            combine = self.algebra.elementwise[ACCUMULATIONS[name]]
            return [accumulated(combine, inputs[0], params["axis"], params["reverse"])]
        body: Any = next((params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in params), None)
        if name not in STRUCTURES and body is None:
            raise UnreadableError(name, _line(equation))
        try:
            if name in STRUCTURES:
                return STRUCTURES[name](self, inputs, **params)
            return self._walk(body if isinstance(body, ClosedJaxpr) else ClosedJaxpr(body, ()), inputs)
        except UnreadableError as error:
            raise UnreadableError(error.primitive, error.line or _line(equation), error.why) from None

    def _literal(self, literal: Literal) -> Values:
        aval: Any = literal.aval
        return self._constant(literal, literal.val, aval.dtype)

    def _constant(self, owner: Any, value: Any, dtype: Any = None) -> Values:
        if id(owner) not in self._constants:
            self._constants[id(owner)] = owner, self._as_written(np.asarray(value, dtype))
        return self._constants[id(owner)][1]

    def _as_written(self, array: Any) -> Values:
        """The numbers that stand in the code itself, as decimals."""
        if jnp.issubdtype(array.dtype, jnp.bool_) or jnp.issubdtype(array.dtype, jnp.integer):
            return array.astype(object)
        if jnp.issubdtype(array.dtype, jnp.complexfloating):
            pair = self._as_written(array.real), self._as_written(array.imag)
            return each(self.algebra.elementwise["complex"], *pair)
        return each(
            lambda x: self.algebra.number(decimal(x)), np.asarray(list(array.flat), object).reshape(array.shape)
        )

    def _move(self, equation: Any, inputs: list[Values]) -> list[Values]:
        """The result of a primitive that moves data: JAX itself moves the entries' positions, the entries follow."""
        positions: list[Any] = list(inputs)
        holders = range(len(inputs))[MOVES[equation.primitive.name]]
        data = [inputs[i] for i in holders]
        key = id(equation), tuple(tuple(x.flat) for i, x in enumerate(inputs) if i not in holders)
        if key not in self._moves:
            starts = np.cumsum([0, *(x.size for x in data)])
            for i, start in zip(holders, starts, strict=False):
                positions[i] = start + np.arange(inputs[i].size).reshape(inputs[i].shape)
            operands = (jnp.asarray(x.astype(np.int32)) for x in positions)
            result = equation.primitive.bind(*operands, **equation.params)
            results = result if equation.primitive.multiple_results else [result]
            self._moves[key] = equation, [np.asarray(x) for x in results]
        entries = np.concatenate([x.ravel() for x in data]) if len(data) > 1 else data[0].ravel()
        return [objects(entries[moved]) for moved in self._moves[key][1]]

    def _empty(self, name: str, equation: Any) -> Any:
        """The result of a reduction over no entries, such as a sum's 0, of the right kind; None for extremes."""
        start = {"reduce_sum": 0, "reduce_prod": 1, "reduce_and": True, "reduce_or": False}.get(name)
        floating = jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.inexact)
        return self.algebra.number(start) if floating and start is not None else start

    def iota(self, _, *, dtype, shape, dimension, **__) -> list[Values]:
        """The numbers 0, 1, 2 … along a dimension."""
        values = np.indices(shape)[dimension].astype(object)
        return [each(self.algebra.number, values) if jnp.issubdtype(dtype, jnp.inexact) else values]

    def convert(self, inputs: list[Values], *, new_dtype, **_) -> list[Values]:
        """The values in another type; from float to float nothing is rounded."""
        return [each(partial(self._converted, new_dtype), inputs[0])]

    def _converted(self, dtype: Any, x: Any) -> Any:
        if jnp.issubdtype(dtype, jnp.bool_):
            return self.algebra.elementwise["ne"](x, 0)
        x = self.algebra.as_number(x)
        if jnp.issubdtype(dtype, jnp.inexact):
            return self.algebra.number(int(x)) if isinstance(x, WHOLE) else x
        return int(x) if isinstance(x, WHOLE) else self.algebra.whole(x)

    def select(self, inputs: list[Values], **_) -> list[Values]:
        """The entries of the cases that a condition selects."""
        which, *cases = inputs
        return [each(lambda index, *entries: self.algebra.select(index, entries), which, *cases)]

    def argument(self, inputs: list[Values], *, axes, better, **_) -> list[Values]:
        """The index of the extreme entry, the first where several are."""
        entries = map(objects, np.moveaxis(inputs[0], axes[0], 0))

        def best(*row):
            return reduce(lambda i, j: j if better(row[j], row[i]) else i, range(len(row)))

        return [each(best, *entries)]

    def contract(self, inputs: list[Values], *, dimension_numbers, **_) -> list[Values]:
        """A product of matrices or tensors."""
        (left_sum, right_sum), (left_batch, right_batch) = dimension_numbers
        left, right = inputs
        names = iter(range(left.ndim + right.ndim))
        lefts = [next(names) for _ in range(left.ndim)]
        rights = [next(names) for _ in range(right.ndim)]
        for i, j in [*zip(left_sum, right_sum, strict=True), *zip(left_batch, right_batch, strict=True)]:
            rights[j] = lefts[i]
        batch = [lefts[i] for i in left_batch]
        summed = {lefts[i] for i in left_sum}
        free = [k for k in [*lefts, *rights] if k not in summed and k not in batch]
        return [objects(np.einsum(left, lefts, right, rights, [*batch, *dict.fromkeys(free)]))]

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
            goes_on = self.algebra.settled(self._walk(cond_jaxpr, [*for_cond, *carry])[0].item())
            if not isinstance(goes_on, WHOLE):
                raise UnreadableError("while", "", "how often it goes round depends on what is read")
            if not goes_on:
                return carry
            carry = self._walk(body_jaxpr, [*for_body, *carry])

    def scan(self, inputs: list[Values], *, jaxpr, length, reverse, **params) -> list[Values]:
        """The result of `scan`, unrolled."""
        constants, carry, columns = _scanned(inputs, params)
        rows, num_carry = [], len(carry)
        for i in reversed(range(length)) if reverse else range(length):
            results = self._walk(jaxpr, [*constants, *carry, *(objects(column[i]) for column in columns)])
            carry, row = results[:num_carry], results[num_carry:]
            rows.append(row)
        ordered = rows[::-1] if reverse else rows
        stacked = [np.stack([objects(x) for x in column]) for column in zip(*ordered, strict=True)]
        return [*carry, *stacked]


def decimal(number: Any) -> str:
    """A float that stands in code, as the decimal that was meant.

    This is the shortest decimal of its own type, 0.1 for float32(0.1). A double that is exactly 1 − x for a short
    decimal x is 1 − x in decimal: 0.0010000000000000009 is 1 − 0.999. Other doubles have 15 digits; π has its name.
    """
    if not isinstance(number, float):
        return str(number)
    if number == math.pi:
        return "pi"
    other = repr(float(1 - number))
    if 0 < number < 0.5 and len(other) <= SHORT and 1 - float(other) == number:
        return str(1 - Decimal(other))
    return f"{number:.15g}"


def numbers_in_code(program: Program) -> set[float]:
    """The sizes of the numbers that stand in a program."""
    return {abs(float(x)) for x in _literals(program.jaxpr) if np.ndim(x) == 0 and np.isreal(x)}


def _literals(part: Any) -> Iterator[Any]:
    if isinstance(part, (list, tuple)):
        for each_part in part:
            yield from _literals(each_part)
    elif isinstance(part, ClosedJaxpr):
        yield from part.consts
        yield from _literals(part.jaxpr)
    elif isinstance(part, Jaxpr):
        for equation in part.eqns:
            yield from (atom.val for atom in equation.invars if isinstance(atom, Literal))
            yield from _literals(tuple(equation.params.values()))


def _line(equation: Any) -> str:
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


def _numbers_in(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an elementwise primitive that its meaning depends on."""
    return {"y": params["y"]} if name == "integer_pow" else {}


SHORT = 14
"""The most characters of a decimal that a person may have written."""

IDENTITIES = {
    "stop_gradient",
    "copy",
    "copy_p",
    "optimization_barrier",
    "sharding_constraint",
    "mesh_cast",
    "reduce_precision",
    "pvary",
}
"""Primitives that only round, place or order."""

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
}
ACCUMULATIONS = {"cumsum": "add", "cumprod": "mul", "cummax": "max", "cummin": "min"}

STRUCTURES: dict[str, Callable[..., list[Values]]] = {
    "argmax": partial(Reader.argument, better=lambda a, b: a > b),
    "argmin": partial(Reader.argument, better=lambda a, b: a < b),
    "cond": Reader.branch,
    "convert_element_type": Reader.convert,
    "dot_general": Reader.contract,
    "iota": Reader.iota,
    "scan": Reader.scan,
    "select_n": Reader.select,
    "while": Reader.loop,
}
