"""MathML that may stand in a page: of known elements and attributes alone."""

from xml.etree import ElementTree

from adamlab.symbolic.notation.mathml import NAMESPACE, SIDES

ELEMENTS = {
    f"{{{NAMESPACE}}}{name}"
    for name in (
        *("math", "mrow", "mi", "mn", "mo", "mtext", "mfrac", "msqrt", "mtable", "mtr", "mtd"),
        *("msub", "msup", "msubsup", "mover", "munder", "munderover"),
    )
}
"""The elements that `adamlab.symbolic.notation.mathml` writes."""

ATTRIBUTES = {
    ("accent", "true"),
    ("display", "block"),
    ("displaystyle", "true"),
    *(("style", style) for style in SIDES),
}
"""The attributes that it writes, with their values."""


def is_mathml(text: str) -> bool:
    """Whether this is well-formed MathML of the elements that formulas are made of, and of nothing else."""
    if "<!" in text or "<?" in text:  # no entities, comments or instructions
        return False
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return False
    return root.tag == f"{{{NAMESPACE}}}math" and all(
        element.tag in ELEMENTS and element.attrib.items() <= ATTRIBUTES for element in root.iter()
    )
