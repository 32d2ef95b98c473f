"""∂a/∂b as it is written, to be worked out by whoever knows what a is made of."""

from sympy import Function

from adamlab.types import Formula


class Partial(Function):
    """`Partial(a, b)`: the derivative of a by b, which SymPy leaves alone."""

    nargs = 2


def partial(of: Formula, by: Formula) -> Formula:
    """∂a/∂b."""
    return Partial(of, by)
