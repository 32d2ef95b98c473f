"""The order and the parentheses in which a person would write sums and products."""

from collections.abc import Iterable
from enum import IntEnum

from adamlab.symbolic.notation.nodes import (
    Big,
    Call,
    Cases,
    Fraction,
    Infix,
    Name,
    Negative,
    Node,
    Number,
    Paren,
    Power,
    Product,
    Ratio,
    Root,
    Terms,
    Time,
)

ONE = Number("1")
LEADING = ("η", "learning_rate", "lr")
"""The heads of names that lead a product."""
COUNTERS = frozenset("ijklnpqtT")
"""Names of steps, which come before a constant: t + 1, but 1 + x."""


class Level(IntEnum):
    """The strength with which the parts of a formula hold together."""

    OR = 1
    AND = 2
    RELATION = 3
    SUM = 4
    OPEN = 5  # ends in a Σ or a max, which takes in every factor that follows
    FRACTION = 6
    PRODUCT = 7
    POWER = 8
    ATOM = 9


LOGIC = {"∨": Level.OR, "∧": Level.AND}


def level(node: Node) -> Level:
    """The strength with which the parts of a node hold together."""
    match node:
        case Infix(sign):
            return LOGIC.get(sign, Level.RELATION)
        case Negative() | Terms():
            return Level.SUM
        case Big() | Cases():
            return Level.OPEN
        case Fraction():
            return Level.FRACTION
        case Product((*_, last)):
            return Level.OPEN if level(last) == Level.OPEN else Level.PRODUCT
        case Power() | Root() | Ratio():
            return Level.POWER
        case Name(upper=Node()):  # a name with an index above needs parentheses before it gets an exponent
            return Level.POWER
        case _:
            return Level.ATOM


def paren(node: Node, least: Level) -> Node:
    """The node, in parentheses unless it holds together at least that strongly."""
    return node if level(node) >= least else Paren(node)


def negative(node: Node) -> Node:
    """The negative of a node, −x."""
    return Negative(paren(node, Level.OPEN))


def total(terms: Iterable[Node]) -> Node:
    """The sum of terms in the order of time, not led by a minus where that can be helped."""
    ordered = sorted(terms, key=_term_key)
    leader = next((k for k, term in enumerate(ordered) if level(term) not in (Level.SUM, Level.OPEN)), 0)
    ordered.insert(0, ordered.pop(leader))
    return sum_of(ordered)


def sum_of(terms: Iterable[Node]) -> Node:
    """The sum of terms in the order in which they come."""
    *others, last = terms
    return Terms((*(_term(term, Level.FRACTION) for term in others), _term(last, Level.OPEN)))


def product(factors: Iterable[Node]) -> Node:
    """The product of factors, 1 if there are none.

    In order: numbers, η, other hyper-parameters, differences, powers, quantities that change by the step, Σ.
    """
    *others, last = sorted(factors, key=_factor_key) or [ONE]
    if not others:
        return last
    return Product((*(paren(factor, Level.PRODUCT) for factor in others), paren(last, Level.OPEN)))


def power(base: Node, exponent: Node) -> Node:
    """A base to an exponent."""
    return base if exponent == ONE else Power(paren(base, Level.ATOM), exponent)


def infix(sign: str, operands: Iterable[Node]) -> Node:
    """Operands with a sign of relation or logic between them."""
    least = Level(LOGIC.get(sign, Level.RELATION) + 1)
    return Infix(sign, tuple(paren(operand, least) for operand in operands))


def in_order(terms: Iterable[Node]) -> tuple[Node, ...]:
    """The terms in the order of a sum."""
    return tuple(sorted(terms, key=_term_key))


def has_dot(left: Node, right: Node) -> bool:
    """Whether two factors need a dot between them, so that they are not read as a single number or word."""
    last, first = _base(left), _base(right)
    return isinstance(first, (Number, Call)) or any(isinstance(side, Name) and side.is_word for side in (last, first))


def _term(node: Node, least: Level) -> Node:
    return Negative(paren(node.operand, least)) if isinstance(node, Negative) else paren(node, least)


def _factor_key(node: Node) -> tuple[int, Time, bool]:
    match node:
        case Number() | Power(base=Number(), exponent=Number() | Negative()):
            rank = 0
        case Name(head=head, time=None):
            rank = 1 if head in LEADING else 2
        case Big():
            rank = 7
        case Terms() if node.latest is None:
            rank = 3
        case Name() | Power(base=Name()) if node.latest is not None:
            return 5, node.latest, _is_gradient(node)
        case _:
            rank = 4 if node.latest is None else 6
    return rank, (), False


def _term_key(term: Node) -> tuple[int, tuple[Time, ...], float, bool]:
    factors = _factors(term)
    bases = [_base(factor) for factor in factors]
    times = tuple(sorted(time for factor in factors for time in _times(factor)))
    degree = sum((_exponent(factor) for factor in factors), 0.0)
    if term.latest is None:
        return _rank_without_time(bases), (), degree, any(isinstance(factor, Number) for factor in factors)
    if level(term.operand if isinstance(term, Negative) else term) == Level.OPEN:
        rank = 6
    else:
        rank = 4 if _is_decay(bases) else 3
    return rank, times or (term.latest,), 0.0, any(map(_is_gradient, factors))


def _rank_without_time(bases: list[Node]) -> int:
    """The place of a term that is the same at all steps: counters, numbers, any other, ε."""
    others = [base for base in bases if not isinstance(base, Number)]
    heads = [base.head for base in others if isinstance(base, Name)]
    if not others:
        return 1
    if any(head.startswith(("ε", "eps")) for head in heads):
        return 5
    return 0 if len(heads) == len(others) and COUNTERS.issuperset(heads) else 2


def _is_decay(bases: list[Node]) -> bool:
    """Whether a term is a weight decay λ·w, which comes last in an update."""
    *others, last = bases
    is_weight = isinstance(last, Name) and last.head == "w"
    return is_weight and bool(others) and all(isinstance(x, Name) and x.time is None for x in others)


def _is_gradient(factor: Node) -> bool:
    base = _base(factor)
    return isinstance(base, Name) and base.head == "g"


def _factors(term: Node) -> tuple[Node, ...]:
    match term:
        case Negative(operand=inside) | Paren(inside=inside) | Fraction(above=inside):
            return _factors(inside)
        case Product(factors=factors):
            return factors
        case _:
            return (term,)


def _base(factor: Node) -> Node:
    match factor:
        case Paren(inside=inside) | Power(base=inside):
            return _base(inside)
        case _:
            return factor


def _exponent(factor: Node) -> float:
    match factor:
        case Number():
            return 0.0
        case Power(exponent=Number(digits)):
            return float(digits)
        case Power():
            return float("inf")
        case _:
            return 1.0


def _times(factor: Node) -> list[Time]:
    """The time of a factor, repeated by its exponent."""
    if factor.latest is None:
        return []
    exponent = _exponent(factor)
    return [factor.latest] * (int(exponent) if exponent < 10 else 1)
