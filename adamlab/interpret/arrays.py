"""Arrays of objects, the values of every algebra, with the operations that are the same whatever the numbers are."""

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import accumulate
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
    if all(array.ndim == 0 for array in arrays):
        return objects(function(*(array.item() for array in arrays)))
    return np.frompyfunc(function, len(arrays), 1)(*arrays)


def reduced(combine: Callable[..., Any], values: Values, axes: Sequence[int | np.integer], start: Any) -> Values:
    """The entries along some axes combined in order; `start` where the axes have no entries."""
    left = [axis for axis in range(values.ndim) if axis not in axes]
    rows = values.transpose([*axes, *left]).reshape(-1, *(values.shape[axis] for axis in left))
    if not len(rows):
        return np.full(rows.shape[1:], start, object)
    return reduce(lambda a, b: each(combine, a, b), map(objects, rows))


def accumulated(combine: Callable[..., Any], values: Values, axis: int, backwards: bool) -> Values:
    """The entries along an axis, each combined with all before it, or with all after it."""
    rows = np.moveaxis(values, axis, 0)[:: -1 if backwards else 1]
    combined = list(accumulate(map(objects, rows), lambda a, b: each(combine, a, b)))
    return np.moveaxis(np.stack(combined)[:: -1 if backwards else 1], 0, axis)
