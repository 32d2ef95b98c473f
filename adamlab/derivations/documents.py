"""Derivations as documents: a LaTeX file that compiles as it stands, and a page with MathML for a browser."""

from collections.abc import Sequence

from adamlab.derivations.derivation import Derivation

PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage[a4paper, margin=25mm]{geometry}
\usepackage{amsmath}
\usepackage{amssymb}
\allowdisplaybreaks
\begin{document}
"""

HEAD = """<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }}
li p {{ overflow-x: auto; overflow-y: hidden; }}
</style>
</head>
<body>
<main>
"""


def text_document(derivations: Sequence[Derivation], *, superscripts: bool = False) -> str:
    """The derivations as text for a terminal, one under the other."""
    return "\n\n".join(derivation.text(superscripts=superscripts) for derivation in derivations)


def latex_document(derivations: Sequence[Derivation], *, superscripts: bool = False) -> str:
    """The derivations as one LaTeX document, a section each."""
    sections = [derivation.latex(superscripts=superscripts) for derivation in derivations]
    return "\n\n".join([PREAMBLE, *sections, "\\end{document}"])


def page(derivations: Sequence[Derivation], *, superscripts: bool = False) -> str:
    """The derivations as one page of HTML that is well-formed XML, too, a section each."""
    sections = [derivation.mathml(superscripts=superscripts) for derivation in derivations]
    title = derivations[0].title if len(derivations) == 1 else "Derivations"
    return "\n".join([HEAD.format(title=title), *sections, "</main>\n</body>\n</html>"])
