"""Two states that each feed the other: a linear recurrence of both, solved by the eigenvalues of its matrix."""

from collections.abc import Sequence
from typing import Any

from sympy import Add, Dummy, Integer, Matrix, Mul, Sum, cancel, factor_list, factor_terms, sqrt, together

from adamlab.interpret.equality import is_zero
from adamlab.interpret.signs import is_nonnegative
from adamlab.symbolic.letters import INDICES, T
from adamlab.symbolic.solving.recurrences import at, moving
from adamlab.types import Formula


def solve_pair(
    e: Sequence[Formula], after: Sequence[Formula], previous: Sequence[Formula], start: Sequence[Formula]
) -> list[Formula] | None:
    """Both states for general t: x_t = Aᵗ·x_0 + Σ Aᵗ⁻ⁱ·r_i.

    None where the two are not linear in each other alone, or where A may have eigenvalues that are not real.

    Args:
        e: the recurrences of both, in terms of both before the step, or of the other after it.
        after: x[t], for both.
        previous: x[t − 1].
        start: x[0].
    """
    x = [Dummy("x", real=True), Dummy("y", real=True)]
    ahead = dict(zip(previous, x, strict=True))
    e = [side.xreplace(dict(zip(after, e, strict=True))).xreplace(ahead) for side in e]
    matrix = Matrix(2, 2, lambda row, column: cancel(e[row].diff(x[column])))
    rest = Matrix([side.xreplace(dict.fromkeys(x, Integer(0))) for side in e])
    if moving(matrix) or matrix.has(*x) or rest.has(*previous, *after):
        return None
    parts = _parts_of_powers(matrix)
    index = INDICES[0]
    fed = rest.applyfunc(lambda r: at(r, index))

    def form(row: int) -> Formula:
        own = Add(*(f.subs(_N, T) * _dot(part, row, start) for f, part in parts))
        return own + Sum(Add(*(f.subs(_N, T - index) * _dot(part, row, fed) for f, part in parts)), (index, 1, T))

    return [form(0), form(1)] if parts else None


_N = Dummy("n", integer=True, nonnegative=True)


def _parts_of_powers(matrix: Any) -> list[tuple[Formula, Any]]:
    """The functions of n and the matrices whose products add up to Aⁿ, by Sylvester's formula; none where not real."""
    a, b, c, d = matrix
    root = _root((a - d) ** 2 + 4 * b * c)
    if root is None:
        return []
    unit: Any = Matrix.eye(2)
    trace = a + d
    if root == 0:
        rate = cancel(trace / 2)
        return [] if is_zero(rate) else [(rate**_N, unit), (_N * rate ** (_N - 1), matrix - rate * unit)]
    rates = [(side, together(cancel(trace + side * root) / 2)) for side in (1, -1)]
    return [(r**_N, ((unit + side * (2 * matrix - trace * unit) / root) / 2).applyfunc(cancel)) for side, r in rates]


def _root(e: Formula) -> Formula | None:
    """The square root of an expression that is never negative, without a root where it is a square."""
    listed: Any = factor_list(cancel(e))
    number, factors = listed
    if number >= 0 and all(power % 2 == 0 for _, power in factors):
        return sqrt(number) * Mul(*(factor ** (power // 2) for factor, power in factors))
    return sqrt(cancel(e)) if is_nonnegative(e) else None


def _dot(matrix: Any, row: int, vector: Sequence[Formula]) -> Formula:
    total: Any = together(Add(*(matrix[row, k] * vector[k] for k in range(2))))
    return factor_terms(total)
