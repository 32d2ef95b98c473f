"""SymPy's expressions of optimizers as text, LaTeX and MathML, which read the same.

With `superscripts` time goes up, as in derivations by hand: w^t for w_t, and (g^i)² for its square;
`adamlab.symbolic.notation.names` says which indices are times. Printable are expressions, relations, numbers, and
arrays of them.
"""

from typing import Any

from adamlab.symbolic.notation.latex import as_latex
from adamlab.symbolic.notation.layout import Layout
from adamlab.symbolic.notation.mathml import as_mathml
from adamlab.symbolic.notation.text import as_text


def text(expression: Any, *, superscripts: bool = False) -> str:
    """One line of Unicode for a terminal: -η·m₃/(√v₃ + ε)."""
    return as_text(Layout(superscripts).of(expression))


def latex(expression: Any, *, superscripts: bool = False) -> str:
    """LaTeX without dollar signs; matplotlib draws it too, but for matrices and cases, which its mathtext lacks."""
    return as_latex(Layout(superscripts).of(expression))


def mathml(expression: Any, *, superscripts: bool = False) -> str:
    """A <math> element of presentation MathML, well-formed as XML and without named entities."""
    return as_mathml(Layout(superscripts).of(expression))
