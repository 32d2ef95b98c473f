"""SymPy's expressions of optimizers, written as a person would write them, in three formats that read the same.

With `superscripts` time goes up, as in derivations by hand: w^t for w_t, and (g^i)² for its square. Which indices are
times is told in `adamlab.symbolic.names`. What may be written: expressions, relations, numbers, and arrays of them.
"""

from typing import Any

from adamlab.symbolic.latex import as_latex
from adamlab.symbolic.layout import Layout
from adamlab.symbolic.mathml import as_mathml
from adamlab.symbolic.text import as_text


def text(expression: Any, *, superscripts: bool = False) -> str:
    """One line of Unicode for a terminal: -η·m₃/(√v₃ + ε)."""
    return as_text(Layout(superscripts).of(expression))


def latex(expression: Any, *, superscripts: bool = False) -> str:
    """LaTeX without dollar signs; matplotlib draws it too, but for matrices and cases, which its mathtext lacks."""
    return as_latex(Layout(superscripts).of(expression))


def mathml(expression: Any, *, superscripts: bool = False) -> str:
    """A <math> element of presentation MathML, well-formed as XML and without named entities."""
    return as_mathml(Layout(superscripts).of(expression))
