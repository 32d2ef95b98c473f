"""The nodes of a formula as it is written, each part in its place and its parentheses, whatever the format.

SymPy's expressions are laid out as these nodes, and each format has a writer for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

Time = tuple[int | str, ...]
"""A time to sort by: () at no particular step, (0, 3) at step 3, (1, "t", -1) at t - 1, (2,) at any other."""


@dataclass(frozen=True)
class Node:
    """A part of a formula."""

    @property
    def children(self) -> Iterator["Node"]:
        """The nodes that it consists of."""
        for field in fields(self):
            yield from _nodes(getattr(self, field.name))

    @cached_property
    def latest(self) -> Time | None:
        """The latest time in it; None where nothing in it changes from step to step."""
        times = [child.latest for child in self.children if child.latest is not None]
        return max(times, default=None)


def _nodes(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


@dataclass(frozen=True)
class Number(Node):
    """A number without its sign, such as 3 or 0.999."""

    digits: str


@dataclass(frozen=True)
class Name(Node):
    """A letter or a word with its accent and indices; `time` is None if it is the same at all steps."""

    head: str
    accent: str = ""
    lower: tuple[Node, ...] = ()
    upper: Node | None = None
    time: Time | None = None

    @property
    def is_word(self) -> bool:
        """Whether it has more than one letter."""
        return len(self.head) > 1

    @cached_property
    def latest(self) -> Time | None:
        """Its own time, whatever its indices are."""
        return self.time


@dataclass(frozen=True)
class Paren(Node):
    """A formula in parentheses."""

    inside: Node


@dataclass(frozen=True)
class Negative(Node):
    """A formula with a minus in front, −x."""

    operand: Node


@dataclass(frozen=True)
class Terms(Node):
    """Terms to be added, or subtracted where they are `Negative`."""

    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Product(Node):
    """Factors to be multiplied."""

    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Fraction(Node):
    """A numerator above a denominator."""

    above: Node
    below: Node


@dataclass(frozen=True)
class Ratio(Node):
    """∂a/∂b, the derivative of one name by another."""

    above: Node
    below: Node


@dataclass(frozen=True)
class Power(Node):
    """A base and its exponent."""

    base: Node
    exponent: Node


@dataclass(frozen=True)
class Root(Node):
    """A square root."""

    radicand: Node


@dataclass(frozen=True)
class Call(Node):
    """A function of its arguments; without a name a tuple."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Fence(Node):
    """A formula between two signs, such as |x|."""

    left: str
    inside: Node
    right: str


@dataclass(frozen=True)
class Big(Node):
    """Σ, ∏ or max of a body, over an index from low to high."""

    sign: str
    index: Node
    low: Node
    high: Node
    body: Node


@dataclass(frozen=True)
class Infix(Node):
    """Relations and logic: operands with a sign between them."""

    sign: str
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Cases(Node):
    """Values, each with the condition under which it holds; None otherwise."""

    branches: tuple[tuple[Node, Node | None], ...]


@dataclass(frozen=True)
class Grid(Node):
    """The items of an array, grids themselves where it has more than one axis."""

    items: tuple[Node, ...]

    @property
    def rows(self) -> list[tuple[Node, ...]]:
        """The rows of a matrix; of any other array a single row."""
        rows = [item.items for item in self.items if isinstance(item, Grid) and not item.holds_grids]
        return rows if len(rows) == len(self.items) else [self.items]

    @property
    def holds_grids(self) -> bool:
        """Whether it has more than one axis."""
        return any(isinstance(item, Grid) for item in self.items)
