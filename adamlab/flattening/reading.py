"""Whether a transformation does the same on vectors as on the tree of arrays that they were made of.

It is traced on both, and every result gets the number of the expression that it is, whichever array it is of. Two
results of equal number are computed alike, entry by entry.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Literal

from adamlab.errors import InputError, reason
from adamlab.flattening.vectors import is_ravelled
from adamlab.interpret.jaxpr import REDUCTIONS, line_of
from adamlab.interpret.mpmath_algebra import ELEMENTWISE
from adamlab.interpret.plans import CALLS, IDENTITIES
from adamlab.types import PyTree

IN_ORDER = {*IDENTITIES, "reshape", "squeeze", "expand_dims"} - {"reduce_precision"}
"""Primitives that leave all entries, and their order."""

COMBINED_BY = {"add": "reduce_sum", "max": "reduce_max", "min": "reduce_min", "and": "reduce_and", "or": "reduce_or"}
"""The totals of several arrays that these make of totals of each."""

NEUTRAL = {"add": 0.0, "max": -math.inf, "min": math.inf, "and": True, "or": False}
"""The numbers that change nothing in them."""

PLACING = {"sharding", "out_sharding", "weak_type"}
"""Parameters of primitives that do not change a value."""


@dataclass(frozen=True)
class Entries:
    """An array of which every entry is one expression of the same entry of other arrays, and of single numbers.

    Attributes:
        expression: its number.
        leaf: the array of the tree whose entries it is made of; None where all entries are the same number.
    """

    expression: int
    leaf: int | None = None


@dataclass(frozen=True)
class Totals:
    """Sums, or other totals, of some arrays of the tree; that of all of them is a single number like others.

    Attributes:
        reduction: the primitive.
        terms: the expression that is summed, by the number of the array.
        are_apart: whether they still stand side by side, to be reduced.
    """

    reduction: str
    terms: frozenset[tuple[int, int]]
    are_apart: bool = False


Value = Entries | Totals


class _UnlikeError(Exception):
    """Something that is not the same on a tree and on vectors."""


def require_alike(function: Callable[..., PyTree], *arguments: PyTree) -> None:
    """Raise InputError unless a function of ravelled trees does to them what it does to the trees themselves."""
    try:
        on_tree, tree_results = _traced(function, _trees(arguments))
        on_vectors, results = _traced(function, arguments)
        nodes, _ = jax.tree.flatten(results, is_leaf=is_ravelled)
        _require_same_shapes(_trees(results), tree_results)
        numbers: dict[Any, int] = {}
        vectors = iter(
            _Reader(numbers, _kinds(arguments, by_vector=True)).results(on_vectors, arguments, by_vector=True)
        )
        leaves = iter(_Reader(numbers, _kinds(arguments, by_vector=False)).results(on_tree, arguments, by_vector=False))
        for node in nodes:
            _require_same(node, vectors, leaves)
    except _UnlikeError as difference:
        raise InputError(
            f"flat: this transformation does not treat all arrays of the tree alike: {difference}."
        ) from None


def _traced(function: Callable[..., PyTree], arguments: PyTree) -> tuple[ClosedJaxpr, PyTree]:
    leaves, structure = jax.tree.flatten(arguments)
    is_array = [isinstance(leaf, (jax.Array, jax.ShapeDtypeStruct, np.ndarray, float, int)) for leaf in leaves]

    def of_arrays(*arrays: Any) -> PyTree:
        given = iter(arrays)
        return function(*structure.unflatten([next(given) if x else y for x, y in zip(is_array, leaves, strict=True)]))

    shapes = [_shape(leaf) for leaf, x in zip(leaves, is_array, strict=True) if x]
    try:
        return jax.make_jaxpr(of_arrays, return_shape=True)(*shapes)
    except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        if any(map(is_ravelled, jax.tree.leaves(arguments, is_leaf=is_ravelled))):
            why = "it is made for one tree, by a mask, by labels or by a state that is not ravelled"
            raise _UnlikeError(f"{why} (in place of the tree a vector gave: {reason(error, 100)})") from error
        if any(map(callable, leaves)):  # which is a function of the vectors
            raise _UnlikeError(f"it calls a function that it is given ({reason(error, 100)})") from error
        raise


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf))


def _trees(arguments: PyTree) -> PyTree:
    """The arguments with trees of shapes in place of what is ravelled."""

    def tree_of(node: Any) -> Any:
        if not is_ravelled(node):
            return node
        # In their own types: a state can be kept in another one than the parameters.
        kinds = {kind: _type_of(x, node.layout.size(kind)) for kind, x in node.layout.vectors(node.vectors).items()}
        pairs = zip(node.layout.shapes, node.layout.dtypes, strict=True)
        return node.layout.structure.unflatten([jax.ShapeDtypeStruct(shape, kinds[dtype]) for shape, dtype in pairs])

    return jax.tree.map(tree_of, arguments, is_leaf=is_ravelled)


def _type_of(vector: Any, size: int) -> Any:
    if getattr(vector, "shape", None) != (size,):
        raise _UnlikeError("its state holds something else than a number for each entry of the parameters")
    return vector.dtype


def _require_same_shapes(expected: PyTree, came: PyTree) -> None:
    if jax.tree.structure(expected) != jax.tree.structure(came):
        raise _UnlikeError("its state or its updates have another structure on the tree")
    for x, y in zip(jax.tree.leaves(expected), jax.tree.leaves(came), strict=True):
        if (jnp.shape(x), jnp.result_type(x)) != (jnp.shape(y), jnp.result_type(y)):
            raise _UnlikeError(
                f"its state or its updates hold {_told(y)} where the parameters' shapes would make it {_told(x)}"
            )


def _told(x: Any) -> str:
    return f"{jnp.result_type(x).name}{list(jnp.shape(x))}"


def _kinds(arguments: PyTree, by_vector: bool) -> list[Any]:
    """The type of each array, of the vectors or of the tree."""
    layout = next(filter(is_ravelled, jax.tree.leaves(arguments, is_leaf=is_ravelled))).layout
    return list(layout.kinds if by_vector else layout.dtypes)


def _require_same(node: Any, vectors: Any, leaves: Any) -> None:
    """Raise `_UnlikeError` unless a result is the same expression in every array of its tree as in their vector."""
    if not is_ravelled(node):
        pair = next(vectors), next(leaves)
        if pair[0] != pair[1] or not isinstance(pair[0], Entries) or pair[0].leaf is not None:
            raise _UnlikeError("a single number of its state comes from some arrays alone")
        return
    layout = node.layout
    whole = {kind: next(vectors) for kind in layout.kinds}
    for i, kind in enumerate(layout.dtypes):
        leaf, vector = next(leaves), whole[kind]
        if not (isinstance(leaf, Entries) and isinstance(vector, Entries)) or leaf.expression != vector.expression:
            raise _UnlikeError(f'"{layout.path(i)}" is not treated as one vector of all arrays is')
        if leaf.leaf not in (i, None) or vector.leaf not in (layout.kinds.index(kind), None):
            raise _UnlikeError(f'what it makes for "{layout.path(i)}" comes from another array')


class _Reader:
    """Reads a program's results as expressions.

    Args:
        numbers: the numbers of all expressions so far, by what they are.
        kinds: the type of each array of the tree, or of each vector.
    """

    def __init__(self, numbers: dict[Any, int], kinds: list[Any]):
        self.numbers, self.kinds = numbers, kinds

    def results(self, program: ClosedJaxpr, arguments: PyTree, by_vector: bool) -> list[Value]:
        """The values of all results, for arguments whose ravelled nodes are given as vectors or as trees."""
        values: list[Value] = []
        for place, node in enumerate(jax.tree.leaves(arguments, is_leaf=is_ravelled)):
            if is_ravelled(node):
                kinds = node.layout.kinds if by_vector else node.layout.dtypes
                values += [Entries(self._number("argument", place, kind), i) for i, kind in enumerate(kinds)]
            elif isinstance(node, (jax.Array, jax.ShapeDtypeStruct, np.ndarray, float, int)):
                if math.prod(jnp.shape(node)) != 1:
                    raise _UnlikeError(f"its state, or what it is given, holds an array of its own, {_told(node)}")
                values.append(Entries(self._number("argument", place)))
        return self._walk(program, values)

    def _number(self, *expression: Any) -> int:
        return self.numbers.setdefault(expression, len(self.numbers))

    def _walk(self, program: ClosedJaxpr, arguments: Iterable[Value]) -> list[Value]:
        jaxpr = program.jaxpr
        known: dict[Any, Value] = {v: self._constant(x) for v, x in zip(jaxpr.constvars, program.consts, strict=True)}
        known |= dict(zip(jaxpr.invars, arguments, strict=True))

        def values(atoms: Sequence[Any]) -> list[Value]:
            return [self._constant(x.val) if isinstance(x, Literal) else known[x] for x in atoms]

        for equation in jaxpr.eqns:
            known.update(zip(equation.outvars, self._apply(equation, values(equation.invars)), strict=False))
        return values(jaxpr.outvars)

    def _constant(self, value: Any) -> Entries:
        is_key = isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
        if isinstance(value, Tracer) or is_key:
            if value.size == 1:
                return Entries(self._number("unknown", id(value)))
            raise _UnlikeError(f"it holds an array of its own, {_told(value)}")
        entries = np.unique(np.asarray(value))
        if entries.size > 1:
            raise _UnlikeError(f"it holds an array of its own, {_told(value)}")
        return self._same_everywhere(entries[0].item() if entries.size else 0)

    def _same_everywhere(self, value: Any) -> Entries:
        """A number; NaN is equal to itself here, and 0 is not −0."""
        return Entries(self._number("constant", str(complex(value)) if value == 0 or np.isnan(value) else value))

    def _apply(self, equation: Any, inputs: list[Value]) -> list[Value]:
        name, params = equation.primitive.name, equation.params
        sizes = [math.prod(variable.aval.shape) for variable in equation.outvars]
        if name in IN_ORDER:
            return inputs
        if name in CALLS:
            body: Any = next(params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in params)
            return self._walk(body if isinstance(body, ClosedJaxpr) else ClosedJaxpr(body, ()), inputs)
        if name == "cond":
            return self._chosen(equation, inputs, params["branches"])
        before = [math.prod(atom.aval.shape) for atom in equation.invars]
        if name == "broadcast_in_dim" and (_is_one_number(inputs[0]) or sizes == before[:1]):
            return inputs[:1]
        if name == "convert_element_type" and not _is_of_array(inputs[0]) and _is_between_reals(equation):
            return inputs  # what a total was rounded to on its way does not count
        if name in REDUCTIONS and sizes == [1]:
            return [self._reduced(equation, inputs[0], before[0])]
        if name == "concatenate" and set(before) == {1}:
            return [self._side_by_side(equation, inputs)]
        if name == "dot_general" and sizes == [1] and before[0] == before[1] and _meets_in_order(equation):
            return [self._total("reduce_sum", self._expression(equation, "mul", (), inputs))]
        if name in COMBINED_BY and sizes == [1] and self._joins(inputs):
            return [self._joined(equation, inputs)]
        if name in ELEMENTWISE or name in ("select_n", "convert_element_type", "reduce_precision"):
            return [self._expression(equation, name, self._settings(params), inputs)]
        if all(map(_is_one_number, inputs)) and set(sizes) == {1} == {*before, 1}:
            numbers = tuple(x.expression for x in inputs if isinstance(x, Entries))
            return [Entries(self._number(name, str(params), numbers, i)) for i, _ in enumerate(sizes)]
        raise self._unlike(equation, f"{name} looks at more than one entry")

    def _settings(self, params: Any) -> tuple[Any, ...]:
        return tuple((key, str(value)) for key, value in sorted(params.items()) if key not in PLACING)

    def _expression(self, equation: Any, name: str, settings: tuple[Any, ...], inputs: Sequence[Value]) -> Entries:
        """The result of an elementwise primitive."""
        if name in NEUTRAL and len(inputs) == 2:
            neutral = self._same_everywhere(NEUTRAL[name])
            inputs = [x for x in inputs if x != neutral] or [neutral]
            if len(inputs) == 1 and isinstance(inputs[0], Entries):
                return inputs[0]
        entries = [x for x in inputs if isinstance(x, Entries)]
        if len(entries) < len(inputs):
            raise self._unlike(equation, "it takes the total of some arrays alone")
        leaves = {x.leaf for x in entries} - {None}
        if len(leaves) > 1:
            raise self._unlike(equation, "it mixes arrays of the tree")
        return Entries(self._number(name, settings, tuple(x.expression for x in entries)), next(iter(leaves), None))

    def _chosen(self, equation: Any, inputs: list[Value], branches: Sequence[ClosedJaxpr]) -> list[Value]:
        which, *operands = inputs
        outcomes = [self._walk(branch, operands) for branch in branches]
        return [self._expression(equation, "cond", (), [which, *cases]) for cases in zip(*outcomes, strict=True)]

    def _reduced(self, equation: Any, value: Value, size: int) -> Value:
        reduction = equation.primitive.name
        if isinstance(value, Totals):
            if value.are_apart and value.reduction == reduction:
                return self._settled(Totals(reduction, value.terms))
            raise self._unlike(equation, "it takes the total of some arrays alone")
        if value.leaf is not None:
            return self._total(reduction, value)
        if size == 1:
            return value
        raise self._unlike(equation, "it counts the entries of an array")

    def _total(self, reduction: str, value: Entries) -> Value:
        if value.leaf is None:
            raise _UnlikeError("it counts the entries of an array")
        return self._settled(Totals(reduction, frozenset([(value.leaf, value.expression)])))

    def _settled(self, totals: Totals) -> Value:
        """The totals; of all arrays, where each of a type has the same term, the single number that they are."""
        if len(totals.terms) < len(self.kinds):
            return totals
        terms = {(str(self.kinds[leaf]), expression) for leaf, expression in totals.terms}
        if len(terms) > len({kind for kind, _ in terms}):
            return totals
        return Entries(self._number("total", totals.reduction, frozenset(terms)))

    def _joins(self, inputs: list[Value]) -> bool:
        """Whether single numbers of several arrays meet."""
        is_total = any(isinstance(x, Totals) for x in inputs)
        return is_total or len({x.leaf for x in inputs if isinstance(x, Entries)} - {None}) > 1

    def _joined(self, equation: Any, inputs: list[Value]) -> Value:
        name = equation.primitive.name
        neutral = self._same_everywhere(NEUTRAL[name])
        return self._settled(self._union(equation, COMBINED_BY[name], [x for x in inputs if x != neutral]))

    def _side_by_side(self, equation: Any, inputs: list[Value]) -> Value:
        if len(inputs) == 1:
            return inputs[0]
        reduction = next((x.reduction for x in inputs if isinstance(x, Totals)), "")
        return Totals(reduction, self._union(equation, reduction, inputs).terms, are_apart=True)

    def _union(self, equation: Any, reduction: str, inputs: list[Value]) -> Totals:
        terms: list[tuple[int, int]] = []
        for x in inputs:
            if isinstance(x, Totals) and x.reduction == reduction and not x.are_apart:
                terms += x.terms
            elif isinstance(x, Entries) and x.leaf is not None:
                terms.append((x.leaf, x.expression))
            else:
                raise self._unlike(equation, "it takes the total of some arrays alone")
        if len({leaf for leaf, _ in terms}) < len(terms):
            raise self._unlike(equation, "it adds totals of the same array")
        return Totals(reduction, frozenset(terms))

    def _unlike(self, equation: Any, why: str) -> _UnlikeError:
        line = line_of(equation)
        return _UnlikeError(f"{why}, at {line}" if line else why)


def _meets_in_order(equation: Any) -> bool:
    """Whether a product of two arrays sums those of entries that stand at the same place, as a trace does not."""
    left = equation.invars[0].aval.shape
    (left_axes, right_axes), _ = equation.params["dimension_numbers"]
    pairs = [(a, b) for a, b in sorted(zip(left_axes, right_axes, strict=True)) if left[a] > 1]
    return pairs == sorted(pairs, key=lambda pair: pair[1])


def _is_one_number(value: Value) -> bool:
    return isinstance(value, Entries) and value.leaf is None


def _is_of_array(value: Value) -> bool:
    return isinstance(value, Entries) and value.leaf is not None


def _is_between_reals(equation: Any) -> bool:
    types = (equation.invars[0].aval.dtype, equation.outvars[0].aval.dtype)
    return all(jnp.issubdtype(dtype, jnp.floating) for dtype in types)
