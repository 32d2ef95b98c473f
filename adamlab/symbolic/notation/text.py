"""Formulas as a line of Unicode."""

import unicodedata

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
from adamlab.symbolic.notation.order import Level, paren

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
SIGNS = {"∑": "Σ"}
ACCENTS = {"": "", "hat": "\N{COMBINING CIRCUMFLEX ACCENT}", "bar": "\N{COMBINING MACRON}"}


def as_text(node: Node) -> str:
    """A formula on one line, with a dot between factors."""
    match node:
        case Number(digits):
            return digits
        case Name():
            return _name(node)
        case Paren(inside):
            return f"({as_text(inside)})"
        case Negative(operand):
            return f"-{as_text(operand)}"
        case Terms((first, *others)):
            return as_text(first) + "".join(map(_added, others))
        case Product(factors):
            return "·".join(map(as_text, factors))
        case Fraction(above, below):
            return f"{as_text(paren(above, Level.PRODUCT))}/{as_text(paren(below, Level.POWER))}"
        case Ratio(above, below):
            return f"∂{as_text(above)}/∂{as_text(below)}"
        case Power(base, exponent):
            return as_text(base) + _raised(exponent)
        case Root(radicand):
            is_bare = isinstance(radicand, Number) or (isinstance(radicand, Name) and not radicand.upper)
            return f"√{as_text(radicand)}" if is_bare else f"√({as_text(radicand)})"
        case _:
            return _compound(node)


def _compound(node: Node) -> str:
    match node:
        case Call(name, arguments):
            return f"{name}({_listed(arguments)})"
        case Fence(left, inside, right):
            return f"{left}{as_text(inside)}{right}"
        case Big(sign, index, low, high, body):
            return f"{SIGNS.get(sign, sign)}_{{{as_text(index)}={_tight(low)}}}^{{{_tight(high)}}} {as_text(body)}"
        case Infix(sign, operands):
            return f" {sign} ".join(map(as_text, operands))
        case Cases(branches):
            return f"{{{', '.join(_branch(value, condition) for value, condition in branches)}}}"
        case Grid(items):
            return f"[{_listed(items)}]"
        case _:
            raise TypeError(f"{type(node).__name__} is no part of a formula")


def _listed(nodes: tuple[Node, ...]) -> str:
    return ", ".join(map(as_text, nodes))


def _added(term: Node) -> str:
    return f" - {as_text(term.operand)}" if isinstance(term, Negative) else f" + {as_text(term)}"


def _branch(value: Node, condition: Node | None) -> str:
    return f"{as_text(value)} otherwise" if condition is None else f"{as_text(value)} if {as_text(condition)}"


def _name(name: Name) -> str:
    letter = unicodedata.normalize("NFC", name.head + ACCENTS[name.accent])
    return letter + _lowered(name.lower) + (_raised(name.upper) if name.upper else "")


def _lowered(indices: tuple[Node, ...]) -> str:
    match indices:
        case ():
            return ""
        case (Number(digits),):
            return digits.translate(SUBSCRIPTS)
        case (Name(lower=(), upper=None) as index,):
            return f"_{as_text(index)}"
        case _:
            return f"_({','.join(map(_tight, indices))})"


def _raised(exponent: Node) -> str:
    match exponent:
        case Number(digits) | Negative(Number(digits)) if digits.isdecimal():
            return as_text(exponent).translate(SUPERSCRIPTS)
        case Name(lower=(), upper=None):
            return f"^{as_text(exponent)}"
        case _:
            return f"^({_tight(exponent)})"


def _tight(node: Node) -> str:
    """A formula without spaces around plus and minus."""
    return as_text(node).replace(" + ", "+").replace(" - ", "-")
