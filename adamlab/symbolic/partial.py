"""∂a/∂b as it is written, for derivations that name a derivative before they work it out."""

from sympy import Function

from adamlab.types import Formula


class Partial(Function):
    """The derivative `Partial(a, b)` of a by b, which SymPy does not work out."""

    nargs = 2


def partial(of: Formula, by: Formula) -> Formula:
    """∂a/∂b."""
    return Partial(of, by)
