"""Arrays of objects, the values of every algebra, with the operations that are the same whatever the numbers are."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Values = np.ndarray
"""An array of objects; a scalar is 0-d."""


def objects(value: Any) -> Values:
    """A single object as a 0-d array; an array as it is."""
    if isinstance(value, np.ndarray):
        return value.astype(object)
    array = np.empty((), object)
    array[()] = value
    return array


def each(function: Callable[..., Any], *arrays: Values) -> Values:
    """The values of a function at every entry, with scalars broadcast."""
    with np.errstate(all="ignore"):  # NaN is a number like others
        return over_entries(function, len(arrays))(*arrays)


def over_entries(function: Callable[..., Any], count: int) -> Callable[..., Values]:
    """The function of so many numbers as a function of arrays, with scalars broadcast."""
    on_arrays: Any = None

    def apply(*arrays: Values) -> Values:
        nonlocal on_arrays
        for array in arrays:
            if array.ndim:
                on_arrays = on_arrays or np.frompyfunc(function, count, 1)  # which takes longer than a few scalars
                return on_arrays(*arrays)
        return objects(function(*[array.item() for array in arrays]))

    return apply


def reduced(combine: Callable[[list[Any]], Any], values: Values, axes: Sequence[int | np.integer]) -> Values:
    """The value of a function at the entries along some axes, in order, for each place along the others."""
    left = [axis for axis in range(values.ndim) if axis not in axes]
    shape = tuple(values.shape[axis] for axis in left)
    count = math.prod(values.shape[axis] for axis in axes)
    rows = values.transpose([*left, *axes]).reshape(*shape, count)
    result = np.empty(shape, object)
    for place in np.ndindex(shape):
        result[place] = combine(list(rows[place]))
    return result


def accumulated(combine: Callable[[list[Any]], Any], values: Values, axis: int, backwards: bool) -> Values:
    """The entries along an axis, each combined with all before it, or with all after it."""
    rows = np.moveaxis(values, axis, -1)[..., :: -1 if backwards else 1]
    result = np.empty(rows.shape, object)
    for place in np.ndindex(rows.shape):
        result[place] = combine(list(rows[place[:-1]][: place[-1] + 1]))
    return np.moveaxis(result[..., :: -1 if backwards else 1], -1, axis)


def along(function: Callable[[list[Any]], list[Any]], arrays: Sequence[Values], axis: int) -> list[Values]:
    """The entries along an axis in another order: that of the positions which a function gives for all arrays' rows."""
    rows = [np.moveaxis(array, axis, -1) for array in arrays]
    shape = rows[0].shape[:-1]
    orders = {place: function([list(row[place]) for row in rows]) for place in np.ndindex(shape)}
    taken = [np.empty((*shape, len(next(iter(orders.values()), []))), object) for _ in rows]
    for place, order in orders.items():
        for row, result in zip(rows, taken, strict=True):
            result[place] = row[place][order]
    return [np.moveaxis(result, -1, axis) for result in taken]


def contracted(
    multiply: Callable[[Any, Any], Any], total: Callable[[list[Any]], Any], left: Values, right: Values, axes: Any
) -> Values:
    """The product of two tensors, as `dot_general` has it: which axes are summed over, and which both have."""
    (left_sum, right_sum), (left_both, right_both) = axes
    left_own = [axis for axis in range(left.ndim) if axis not in (*left_sum, *left_both)]
    right_own = [axis for axis in range(right.ndim) if axis not in (*right_sum, *right_both)]
    left = left.transpose([*left_both, *left_own, *left_sum])
    right = right.transpose([*right_both, *right_own, *right_sum])
    both, summed = len(left_both), len(left_sum)
    own = left.ndim - both - summed
    left = np.expand_dims(left, tuple(range(both + own, both + own + len(right_own))))
    right = np.expand_dims(right, tuple(range(both, both + own)))
    products = objects(each(multiply, left, right))
    return reduced(total, products, range(products.ndim - summed, products.ndim))
