"""Two states that each feed the other: a linear recurrence of both, solved by powers of its matrix."""

from collections.abc import Sequence

from sympy import Dummy, Integer, Matrix, Sum, Symbol, cancel

from adamlab.interpret.equality import same
from adamlab.symbolic.letters import INDICES, T
from adamlab.symbolic.solving.recurrences import at, moving
from adamlab.types import Formula

POWER = Symbol("n", integer=True, nonnegative=True)


def solve_pair(
    e: Sequence[Formula], after: Sequence[Formula], previous: Sequence[Formula], start: Sequence[Formula]
) -> list[Formula] | None:
    """Both states for general t: x_t = Aᵗ·x_0 + Σ Aᵗ⁻ⁱ·r_i; None where the two are not linear in each other alone.

    The power of A is checked by induction.

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
    power = (matrix**POWER).applyfunc(cancel)
    index = INDICES[0]
    fed = power.subs(POWER, T - index) * rest.applyfunc(lambda r: at(r, index))
    forms = list(power.subs(POWER, T) * Matrix(start) + fed.applyfunc(lambda r: Sum(r, (index, 1, T))))
    return forms if _is_power(power, matrix) else None


def _is_power(power: Matrix, matrix: Matrix) -> bool:
    """Whether it is the n-th power of a matrix, by induction."""
    start, step = power.subs(POWER, 0) - Matrix.eye(2), power.subs(POWER, POWER + 1) - power * matrix
    return all(same(entry, Integer(0)) for entry in (*start, *step))
