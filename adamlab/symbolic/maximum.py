"""The greatest of many terms, max over i of f(i): it is to max as Σ is to +."""

from typing import Any

from sympy import Max, S
from sympy.concrete.expr_with_limits import ExprWithLimits

from adamlab.interpret.signs import is_nonnegative


class Maximum(ExprWithLimits):
    """max f(i) for i from low to high, written `Maximum(f, (i, low, high))`.

    `doit` writes it out where both ends are numbers. The maximum of no terms is 0 where f is never negative, else −∞.
    """

    __slots__ = ()

    def __new__(cls, function, *symbols, **assumptions):
        """The maximum of a function, with arguments as `sympy.Sum` takes them."""
        return ExprWithLimits.__new__(cls, function, *symbols, **assumptions)

    def doit(self, **hints):
        """The greatest of the terms, one by one, where both ends are numbers; otherwise as it is."""
        function = self.function.doit(**hints) if hints.get("deep", True) else self.function
        limits: Any = self.limits
        *within, (index, low, high) = limits
        if within:
            function = self.func(function, *within).doit(**hints)
        if not (low.is_Integer and high.is_Integer):
            return self.func(function, (index, low, high))
        if high < low and is_nonnegative(function):
            return S.Zero
        return Max(*(function.subs(index, i).doit(**hints) for i in range(int(low), int(high) + 1)))
