"""The algebras of many trials at once: every number is a row, a lane for each trial.

Rows of doubles, computed by NumPy, look for numbers on which two optimizers part, a hundred times as fast as exact
arithmetic, which has to confirm them. Rows of exact numbers read a program once for all trials. Integers and booleans
that are the same in all trials stay Python's.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any

import jax
import numpy as np

from adamlab.interpret.constants import Constant
from adamlab.interpret.integers import OPERATIONS
from adamlab.interpret.jaxpr import WHOLE, Algebra, UnreadableError
from adamlab.interpret.mpmath_algebra import Exact

LARGEST = 2.0**62
"""The largest size of a double that is converted to an integer; a type's own range is seen to after that."""


class Lanes:
    """A number in each trial."""

    __slots__ = ("row",)

    def __init__(self, row: Any):
        self.row = row


class Doubles(Algebra):
    """Rows of doubles."""

    @property
    def elementwise(self) -> Mapping[str, Callable[..., Any]]:
        """The meaning of every elementwise primitive, by its name in JAX."""
        return ELEMENTWISE

    def number(self, constant: int | Constant) -> Any:
        """The nearest double."""
        return np.float64(constant) if isinstance(constant, int) else _double(constant)

    def whole(self, number: Any) -> Any:
        """The numbers rounded towards 0."""
        x = np.nan_to_num(np.clip(np.trunc(row_of(number)), -LARGEST, LARGEST))
        return _lanes(x.astype(np.int64)) if x.ndim else int(x)

    def symbolic_in_width(self, value: Any, dtype: Any) -> Any:
        """Integers that wrap as those of their type."""
        return _lanes(value.row.astype(np.dtype(dtype)).astype(np.int64)) if isinstance(value, Lanes) else int(value)

    def select(self, which: Any, cases: Sequence[Any]) -> Any:
        """The case that is selected in each trial."""
        if isinstance(which, WHOLE):
            return cases[int(which)]
        rows = [row_of(case) for case in cases]
        return _lanes(np.choose(which.row.astype(int), np.broadcast_arrays(*rows, which.row)[:-1], mode="clip"))


@lru_cache(maxsize=1024)
def _double(constant: Constant) -> Any:
    return np.float64(Exact().number(constant))


def row_of(x: Any) -> Any:
    """The number in each trial, or the number that is the same in all."""
    return x.row if isinstance(x, Lanes) else x


def _lanes(row: Any) -> Any:
    return Lanes(row) if np.ndim(row) else row.item() if row.dtype.kind in "biu" else row


def _on_rows(function: Callable[..., Any], of_integers: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A NumPy function on rows; on integers that are the same in all trials another, if there is one."""

    def evaluate(*numbers: Any, **parameters: Any) -> Any:
        if of_integers and all(isinstance(x, WHOLE) for x in numbers):
            return of_integers(*numbers, **parameters)
        return _lanes(np.asarray(function(*map(row_of, numbers), **parameters)))

    return evaluate


def _quotient(a: Any, b: Any) -> Any:
    b_or_one = np.where(b == 0, 1, b)
    return np.where(b == 0, -1, np.sign(a) * np.sign(b_or_one) * (np.abs(a) // np.abs(b_or_one)))


def _round(x: Any, rounding_method: Any) -> Any:
    """The nearest integer; a half goes away from 0, or to the even integer."""
    return np.round(x) if int(rounding_method) == 1 else np.sign(x) * np.floor(np.abs(x) + 0.5)


def _special(name: str) -> Callable[..., Any]:
    """A function that only JAX has, in doubles."""

    def evaluate(*rows: Any) -> Any:
        with jax.enable_x64(True):
            return np.asarray(getattr(jax.lax, name)(*(np.asarray(row, float) for row in rows)))

    return evaluate


NUMPY: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "add": np.add,
    "add_any": np.add,
    "and": np.bitwise_and,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "cbrt": np.cbrt,
    "ceil": np.ceil,
    "clamp": lambda low, x, high: np.minimum(high, np.maximum(low, x)),
    "complex": lambda a, b: a + 1j * b,
    "conj": np.conj,
    "cos": np.cos,
    "cosh": np.cosh,
    "div": np.true_divide,
    "eq": np.equal,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "floor": np.floor,
    "ge": np.greater_equal,
    "gt": np.greater,
    "imag": np.imag,
    "integer div": _quotient,
    "integer rem": lambda a, b: a - b * _quotient(a, b),
    "integer_pow": lambda x, y: np.power(x, float(y)) if np.asarray(x).dtype.kind == "f" else np.power(x, y),
    "is_finite": np.isfinite,
    "le": np.less_equal,
    "log": np.log,
    "log1p": np.log1p,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "lt": np.less,
    "max": np.maximum,
    "min": np.minimum,
    "mul": np.multiply,
    "ne": np.not_equal,
    "neg": np.negative,
    "not": np.invert,
    "or": np.bitwise_or,
    "pow": np.power,
    "real": np.real,
    "rem": np.fmod,
    "round": _round,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "shift_left": lambda a, by, dtype: np.left_shift(a, by),
    "shift_right_arithmetic": lambda a, by, dtype: np.right_shift(a, by),
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "square": np.square,
    "sub": np.subtract,
    "tan": np.tan,
    "tanh": np.tanh,
    "xor": np.bitwise_xor,
    **{name: _special(name) for name in ("digamma", "erf", "erfc", "erf_inv", "lgamma")},
}

ELEMENTWISE = {name: _on_rows(function, OPERATIONS.get(name)) for name, function in NUMPY.items()}


class ExactRows(Algebra):
    """Rows of exact numbers, in lists. Where lists are of unequal lengths, only the lanes that all have are computed.

    An integer that is not the same in all lanes cannot be read.
    """

    @property
    def elementwise(self) -> Mapping[str, Callable[..., Any]]:
        """The meaning of every elementwise primitive, by its name in JAX."""
        return EXACTLY

    def number(self, constant: int | Constant) -> Any:
        """The number in the digits of the present precision."""
        return EXACT.number(constant)

    def whole(self, number: Any) -> int:
        """The number rounded towards 0."""
        return EXACT.whole(_alike(number))

    def symbolic_in_width(self, value: Any, dtype: Any) -> int:
        """The integer that all lanes have."""
        return self.in_width(int(_alike(value)), dtype)

    def as_number(self, x: Any) -> Any:
        """Truths as 0 or 1."""
        is_truth = isinstance(x, Lanes) and any(isinstance(value, bool) for value in x.row)
        return Lanes([EXACT.number(int(value)) for value in x.row]) if is_truth else x

    def select(self, which: Any, cases: Sequence[Any]) -> Any:
        """The case that is selected in each lane."""
        if isinstance(which, WHOLE):
            return cases[int(which)]
        return _in_each_lane(lambda k, *values: EXACT.select(k, values))(which, *cases)

    def combined(self, name: str, entries: Sequence[Any]) -> Any:
        """Several numbers combined, lane by lane."""
        return _in_each_lane(lambda *values: EXACT.combined(name, values))(*entries)


EXACT = Exact()


def _alike(x: Any) -> Any:
    if isinstance(x, Lanes):
        raise UnreadableError("", why="an integer is not the same in all trials")
    return x


def _in_each_lane(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of exact numbers on rows of them; a truth or an integer that all lanes have is a single number."""

    def evaluate(*numbers: Any, **parameters: Any) -> Any:
        if not any(isinstance(x, Lanes) for x in numbers):
            return function(*numbers, **parameters)
        rows = [x.row if isinstance(x, Lanes) else repeat(x) for x in numbers]
        row = [function(*values, **parameters) for values in zip(*rows, strict=False)]
        is_single = isinstance(row[0], WHOLE) and all(isinstance(value, WHOLE) and value == row[0] for value in row)
        return row[0] if is_single else Lanes(row)

    return evaluate


EXACTLY = {name: _in_each_lane(function) for name, function in EXACT.elementwise.items()}
