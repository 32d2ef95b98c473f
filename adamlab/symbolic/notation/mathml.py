"""Formulas in presentation MathML: well-formed XML with no entities but XML's own."""

from collections.abc import Iterable
from itertools import pairwise
from xml.etree.ElementTree import Element, tostring

from adamlab.symbolic.notation.nodes import (
    Big,
    Call,
    Cases,
    Fence,
    Fraction,
    Grid,
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
)
from adamlab.symbolic.notation.order import has_dot

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
ACCENTS = {"hat": "^", "bar": "¯"}
SIDES = "text-align: right; padding: 1ex 0.2em", "text-align: left; padding: 1ex 0.2em"
"""The styles of the cells left and right of an equality sign."""

TIMES = "\N{INVISIBLE TIMES}"
APPLIED = "\N{FUNCTION APPLICATION}"


def as_mathml(node: Node) -> str:
    """A formula as a <math> element, displayed on lines of its own."""
    return _written(_drawn(node))


def as_mathml_lines(equations: Iterable[tuple[Node, Node]]) -> str:
    """Equations as one <math> element, a row each, aligned at their equality signs."""
    rows = ((_drawn(left), _row(_leaf("mo", "="), _drawn(right))) for left, right in equations)
    return _written(_element("mtable", *(_aligned(*row) for row in rows), displaystyle="true"))


def _written(formula: Element) -> str:
    return tostring(_element("math", formula, xmlns=NAMESPACE, display="block"), encoding="unicode")


def _aligned(left: Element, right: Element) -> Element:
    return _element(
        "mtr", *(_element("mtd", cell, style=style) for cell, style in zip((left, right), SIDES, strict=True))
    )


def _drawn(node: Node) -> Element:
    match node:
        case Number(digits):
            return _leaf("mn", digits)
        case Name():
            return _name(node)
        case Paren(inside):
            return _fenced("(", [_drawn(inside)], ")")
        case Negative(operand):
            return _row(_leaf("mo", "−"), _drawn(operand))
        case Terms((first, *others)):
            return _row(_drawn(first), *(part for term in others for part in _added(term)))
        case Product((first, *_)):
            return _row(_drawn(first), *(part for pair in pairwise(node.factors) for part in _multiplied(*pair)))
        case Fraction(above, below):
            return _element("mfrac", _drawn(above), _drawn(below))
        case Ratio(above, below):
            return _element("mfrac", *(_row(_leaf("mo", "∂"), _drawn(side)) for side in (above, below)))
        case Power(base, exponent):
            return _element("msup", _drawn(base), _drawn(exponent))
        case Root(radicand):
            return _element("msqrt", _drawn(radicand))
        case _:
            return _compound(node)


def _compound(node: Node) -> Element:
    match node:
        case Call(name, arguments):
            listed = _fenced("(", _separated(arguments, ","), ")")
            return _row(_leaf("mi", name), _leaf("mo", APPLIED), listed) if name else listed
        case Fence(left, inside, right):
            return _fenced(left, [_drawn(inside)], right)
        case Big("max", index, low, high, body):
            limits = _row(_drawn(low), _leaf("mo", "≤"), _drawn(index), _leaf("mo", "≤"), _drawn(high))
            return _row(_element("munder", _leaf("mo", "max"), limits), _drawn(body))
        case Big(sign, index, low, high, body):
            start = _row(_drawn(index), _leaf("mo", "="), _drawn(low))
            return _row(_element("munderover", _leaf("mo", sign), start, _drawn(high)), _drawn(body))
        case Infix(sign, operands):
            return _row(*_separated(operands, sign))
        case Cases(branches):
            table = _table([[_drawn(value), _condition(condition)] for value, condition in branches])
            return _row(_leaf("mo", "{"), table)
        case Grid():
            return _fenced("(", [_table([list(map(_drawn, row)) for row in node.rows])], ")")
        case _:
            raise TypeError(f"{type(node).__name__} is no part of a formula")


def _name(name: Name) -> Element:
    letter = _leaf("mi", name.head)
    if name.accent:
        letter = _element("mover", letter, _leaf("mo", ACCENTS[name.accent]), accent="true")
    lower = [_row(*_separated(name.lower, ","))] if name.lower else []
    upper = [_drawn(name.upper)] if name.upper else []
    kind = {(0, 0): "", (1, 0): "msub", (0, 1): "msup", (1, 1): "msubsup"}[len(lower), len(upper)]
    return _element(kind, letter, *lower, *upper) if kind else letter


def _added(term: Node) -> list[Element]:
    if isinstance(term, Negative):
        return [_leaf("mo", "−"), _drawn(term.operand)]
    return [_leaf("mo", "+"), _drawn(term)]


def _multiplied(left: Node, right: Node) -> list[Element]:
    return [_leaf("mo", "·" if has_dot(left, right) else TIMES), _drawn(right)]


def _separated(nodes: tuple[Node, ...], sign: str) -> list[Element]:
    parts = [part for node in nodes for part in (_leaf("mo", sign), _drawn(node))]
    return parts[1:]


def _condition(condition: Node | None) -> Element:
    return (
        _leaf("mtext", "otherwise")
        if condition is None
        else _row(_leaf("mtext", "if\N{NO-BREAK SPACE}"), _drawn(condition))
    )


def _table(rows: list[list[Element]]) -> Element:
    return _element("mtable", *(_element("mtr", *(_element("mtd", cell) for cell in row)) for row in rows))


def _fenced(left: str, inside: list[Element], right: str) -> Element:
    return _row(_leaf("mo", left), *inside, _leaf("mo", right))


def _row(*parts: Element) -> Element:
    return parts[0] if len(parts) == 1 else _element("mrow", *parts)


def _leaf(tag: str, content: str) -> Element:
    leaf = Element(tag)
    leaf.text = content
    return leaf


def _element(tag: str, *children: Element, **attributes: str) -> Element:
    element = Element(tag, attributes)
    element.extend(children)
    return element
