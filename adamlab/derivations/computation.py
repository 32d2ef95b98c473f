"""Computations on arrays of a small size, on which formulas with indices are worked out entry by entry."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from sympy import Indexed, IndexedBase, Sum, Symbol

from adamlab.interpret.equality import same
from adamlab.symbolic.partial import Partial
from adamlab.types import Formula

Definition = tuple[Any, Any]
"""A quantity, such as x̂_i or Var, and its formula."""


def arrays(*names: str) -> tuple[Any, ...]:
    """Arrays of real numbers, whose entries are x[i]."""
    return tuple(IndexedBase(name, real=True) for name in names)


def whole(*names: str) -> tuple[Any, ...]:
    """Whole numbers from 1: indices and sizes."""
    return tuple(Symbol(name, integer=True, positive=True) for name in names)


def total(term: Formula, index: Formula, size: Formula) -> Formula:
    """Σ of a term over an index from 1 to the size."""
    return Sum(term, (index, 1, size))


@dataclass(frozen=True)
class Computation:
    """Quantities in the order in which they are computed, from inputs that nothing defines.

    Attributes:
        size: the symbol of how many entries there are, and the number taken for it.
        definitions: what is computed, each from what comes before it.
        given: what is known of inputs, such as that labels sum to 1: an entry in terms of the others.
    """

    size: tuple[Symbol, int]
    definitions: tuple[Definition, ...]
    given: Mapping[Any, Formula] = field(default_factory=dict)
    _derivatives: dict[Any, Formula] = field(default_factory=dict, repr=False, compare=False)

    def holds(self, sides: Iterable[Any]) -> bool:
        """Whether all sides are the same for all values of the indices that they leave free."""
        first, second, *more = sides
        others = (second, *more)
        indices = sorted({s for side in (first, *others) for s in self._free_indices(side)}, key=str)
        places = product(range(1, self.size[1] + 1), repeat=len(indices))
        at = [dict(zip(indices, place, strict=True)) for place in places]
        return all(same(self.value(first, where), self.value(other, where)) for other in others for where in at)

    def value(self, e: Any, where: Mapping[Any, int] | None = None) -> Formula:
        """The formula in terms of the inputs alone, with numbers for its indices."""
        written_out = self._written_out(e.xreplace(dict(where or {})))
        partials = {p: self._derivative(*p.args) for p in written_out.atoms(Partial)}
        return self._expanded(written_out.xreplace(partials)).xreplace(dict(self.given))

    def _free_indices(self, e: Any) -> set[Symbol]:
        """Whole numbers other than the size, those that a sum runs over left out."""
        return {symbol for symbol in e.free_symbols if symbol.is_Symbol and symbol.is_integer} - {self.size[0]}

    def entries(self, base: IndexedBase) -> np.ndarray:
        """x_1 … x_n as an array."""
        return np.array([base[i] for i in range(1, self.size[1] + 1)], object)

    def _written_out(self, e: Any) -> Any:
        return _written_out(e, *self.size)

    def _derivative(self, of: Any, by: Any) -> Formula:
        """∂a/∂b, through everything that is computed after b and before a; what b is made of is left as it is."""
        if (of, by) not in self._derivatives:
            inner = self._expanded(of, after=self._position(by))
            self._derivatives[of, by] = self._expanded(inner.diff(by))
        return self._derivatives[of, by]

    def _expanded(self, e: Any, after: int = -1) -> Any:
        for place in reversed(range(after + 1, len(self.definitions))):
            left, right = self.definitions[place]
            if isinstance(left, Indexed):
                entries = [x for x in e.atoms(Indexed) if x.base == left.base]
                e = e.xreplace({x: self._written_out(right.subs(left.indices[0], x.indices[0])) for x in entries})
            else:
                e = e.xreplace({left: self._written_out(right)})
        return e

    def _position(self, quantity: Any) -> int:
        heads = [_head(left) for left, _ in self.definitions]
        return heads.index(_head(quantity)) if _head(quantity) in heads else -1


@lru_cache(maxsize=4096)
def _written_out(e: Any, size: Symbol, number: int) -> Any:
    """The formula with its sums as their terms."""
    return e.subs(size, number).doit()


def _head(quantity: Any) -> Any:
    return quantity.base if isinstance(quantity, Indexed) else quantity
