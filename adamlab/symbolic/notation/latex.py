"""Formulas in LaTeX, as far as possible in the subset that matplotlib draws too."""

import re
from itertools import pairwise

from sympy.printing.latex import tex_greek_dictionary

from adamlab.symbolic.notation.names import GREEK
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

FUNCTIONS = ("cos", "cosh", "exp", "log", "max", "min", "sin", "sinh", "tan", "tanh")
SIGNS = {letter: tex_greek_dictionary.get(spelling, f"\\{spelling}") for spelling, letter in GREEK.items()} | {
    "∞": r"\infty",
    "≤": r"\leq",
    "≥": r"\geq",
    "≠": r"\neq",
    "∧": r"\wedge",
    "∨": r"\vee",
    "¬": r"\neg",
    "⌊": r"\lfloor",
    "⌋": r"\rfloor",
    "⌈": r"\lceil",
    "⌉": r"\rceil",
    "∑": r"\sum",
    "∏": r"\prod",
    "→": r"\to",
    "≈": r"\approx",
}
TALL = re.compile(r"\\(frac|sum|prod|max_|begin|left)")


def as_latex(node: Node) -> str:
    """A formula in LaTeX, without dollar signs."""
    match node:
        case Number(digits):
            return digits
        case Name(head, accent, lower, upper):
            letter = rf"\{accent}{{{_letter(head)}}}" if accent else _letter(head)
            return letter + _script("_", lower) + _script("^", (upper,) if upper else ())
        case Paren(inside):
            return _fenced("(", inside, ")")
        case Negative(operand):
            return f"-{as_latex(operand)}"
        case Terms((first, *others)):
            return as_latex(first) + "".join(map(_added, others))
        case Product((first, *_)):
            return as_latex(first) + "".join(_multiplied(*pair) for pair in pairwise(node.factors))
        case Fraction(above, below):
            return rf"\frac{{{as_latex(above)}}}{{{as_latex(below)}}}"
        case Ratio(above, below):
            return rf"\frac{{\partial {as_latex(above)}}}{{\partial {as_latex(below)}}}"
        case Power(base, Fraction(Number(above), Number(below))):
            return f"{as_latex(base)}^{{{above}/{below}}}"
        case Power(base, exponent):
            return as_latex(base) + _script("^", (exponent,))
        case Root(radicand):
            return rf"\sqrt{{{as_latex(radicand)}}}"
        case _:
            return _compound(node)


def _compound(node: Node) -> str:
    match node:
        case Call(name, arguments):
            function = rf"\{name}" if name in FUNCTIONS else _letter(name) if name else ""
            return function + _enclosed("(", _listed(arguments, ", "), ")")
        case Fence(left, inside, right):
            return _fenced(left, inside, right)
        case Big("max", index, low, high, body):
            limits = rf"{as_latex(low)} \leq {as_latex(index)} \leq {as_latex(high)}"
            return rf"\max_{{{limits}}} {as_latex(body)}"
        case Big(sign, index, low, high, body):
            return rf"{SIGNS[sign]}_{{{as_latex(index)}={as_latex(low)}}}^{{{as_latex(high)}}} {as_latex(body)}"
        case Infix(sign, operands):
            return _listed(operands, f" {SIGNS.get(sign, sign)} ")
        case Cases(branches):
            return _environment("cases", [[as_latex(value), _condition(c)] for value, c in branches])
        case Grid():
            return _environment("pmatrix", [list(map(as_latex, row)) for row in node.rows])
        case _:
            raise TypeError(f"{type(node).__name__} is no part of a formula")


def _listed(nodes: tuple[Node, ...], separator: str) -> str:
    return separator.join(map(as_latex, nodes))


def _script(mark: str, nodes: tuple[Node, ...]) -> str:
    return f"{mark}{{{_listed(nodes, ',')}}}" if nodes else ""


def _added(term: Node) -> str:
    return f" - {as_latex(term.operand)}" if isinstance(term, Negative) else f" + {as_latex(term)}"


def _multiplied(left: Node, right: Node) -> str:
    return rf" \cdot {as_latex(right)}" if has_dot(left, right) else f" {as_latex(right)}"


def _letter(head: str) -> str:
    if len(head) == 1:
        return SIGNS.get(head, head)
    escaped = re.sub(r"([_&%$#{}])", r"\\\1", head)
    return rf"\mathrm{{{escaped}}}"


def _fenced(left: str, inside: Node, right: str) -> str:
    return _enclosed(SIGNS.get(left, left), as_latex(inside), SIGNS.get(right, right))


def _enclosed(left: str, inside: str, right: str) -> str:
    """Two brackets as high as the formula between them."""
    if TALL.search(inside):
        return rf"\left{left} {inside} \right{right}"
    return f"{left} {inside} {right}" if left.startswith("\\") else f"{left}{inside}{right}"


def _condition(condition: Node | None) -> str:
    return r"\text{otherwise}" if condition is None else rf"\text{{if }} {as_latex(condition)}"


def _environment(name: str, rows: list[list[str]]) -> str:
    inside = r" \\ ".join(" & ".join(row) for row in rows)
    return rf"\begin{{{name}}} {inside} \end{{{name}}}"
