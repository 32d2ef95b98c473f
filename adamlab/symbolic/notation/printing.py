"""Formulas printed as text, LaTeX and MathML, in the same order and with the same parentheses.

With `superscripts` time goes on top, as in derivations by hand: w^t for w_t, and (g^i)² for its square;
`adamlab.symbolic.notation.names` says which indices are times. Expressions, relations, numbers, and arrays of them can
be printed.
"""

from collections.abc import Iterable
from typing import Any

from adamlab.symbolic.notation.latex import as_latex
from adamlab.symbolic.notation.layout import Layout
from adamlab.symbolic.notation.mathml import as_mathml, as_mathml_lines
from adamlab.symbolic.notation.text import as_text


def text(expression: Any, *, superscripts: bool = False) -> str:
    """A formula as a line of Unicode for a terminal: -η·m₃/(√v₃ + ε)."""
    return as_text(Layout(superscripts).of(expression))


def latex(expression: Any, *, superscripts: bool = False) -> str:
    """A formula in LaTeX without dollar signs; matplotlib's mathtext draws all but matrices and cases."""
    return as_latex(Layout(superscripts).of(expression))


def mathml_lines(equations: Iterable[tuple[Any, Any]], *, superscripts: bool = False) -> str:
    """Equations, each of two sides, as one <math> element with a row each."""
    lay = Layout(superscripts).of
    return as_mathml_lines((lay(left), lay(right)) for left, right in equations)


def mathml(expression: Any, *, superscripts: bool = False) -> str:
    """A formula as a <math> element of presentation MathML, well-formed as XML and without named entities."""
    return as_mathml(Layout(superscripts).of(expression))
