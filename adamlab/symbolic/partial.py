"""∂a/∂b and sums as they are written, for derivations that name a derivative before they work it out."""

from typing import Any

from sympy import Add, Function

from adamlab.types import Formula


class Partial(Function):
    """The derivative `Partial(a, b)` of a by b, which SymPy does not work out."""

    nargs = 2


class InOrder(Function):
    """The sum of its arguments, with the terms in this order; once all are numbers, their sum."""

    @classmethod
    def eval(cls, *terms: Any) -> Any:
        """The sum of numbers."""
        return Add(*terms) if all(term.is_Number for term in terms) else None

    def doit(self, **hints: Any) -> Any:
        """The sum as SymPy has it."""
        terms: Any = [term.doit(**hints) for term in self.args]
        return Add(*terms)


def partial(of: Formula, by: Formula) -> Formula:
    """∂a/∂b."""
    return Partial(of, by)
