"""A derivation: steps in words and formulas, each of which a machine has checked; as text, LaTeX or MathML."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from adamlab.symbolic.notation.latex import SIGNS, as_latex
from adamlab.symbolic.notation.layout import Layout
from adamlab.symbolic.notation.mathml import as_mathml
from adamlab.symbolic.notation.nodes import Infix, Node
from adamlab.symbolic.notation.text import as_text

DEFINITION = "by definition"
"""The check of a step that defines something."""


@dataclass(frozen=True)
class Step:
    """One step of a derivation.

    Attributes:
        words: why, in a sentence.
        sides: SymPy's expressions with a sign between each two of them.
        checked: how it was checked.
        holds: whether the check succeeded.
        sign: "=" or another, such as "→".
    """

    words: str
    sides: tuple[Any, ...]
    checked: str
    holds: bool = True
    sign: str = "="

    def nodes(self, superscripts: bool) -> list[Node]:
        """The sides laid out, the first with the second."""
        first, *others = [Layout(superscripts).of(side) for side in self.sides]
        return [Infix(self.sign, (first, others[0])), *others[1:]] if others else [first]

    def verdict(self) -> str:
        """The check in words, marked where it failed."""
        return self.checked if self.holds else f"DOES NOT HOLD: {self.checked}"


@dataclass(frozen=True, repr=False)
class Derivation:
    """A derivation; `superscripts` writes time on top, as by hand: v^t for v_t.

    Attributes:
        name: as `adamlab derive` takes it.
        title: what is derived.
        source: where from.
        notation: what the letters stand for.
        steps: in order.
        assumptions: what the checks take for granted.
    """

    name: str
    title: str
    source: str
    notation: str
    steps: tuple[Step, ...]
    assumptions: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every step holds."""
        return all(step.holds for step in self.steps)

    def text(self, *, superscripts: bool = False) -> str:
        """Numbered steps: words, the formula, how it was checked."""
        lines = [self.title, self.source, self.notation]
        for number, step in enumerate(self.steps, start=1):
            first, *others = map(as_text, step.nodes(superscripts))
            left = first.partition(f" {step.sign} ")[0]
            indent = " " * sum(not unicodedata.combining(letter) for letter in left)
            formulas = [first, *(f"{indent} {step.sign} {other}" for other in others), f"[{step.verdict()}]"]
            lines += ["", f"{number:2}. {step.words}", *(f"     {line}" for line in formulas)]
        return "\n".join([*lines, *(["", self._assumed()] if self.assumptions else [])])

    def latex(self, *, superscripts: bool = False) -> str:
        """A section for a LaTeX document with amsmath."""
        lines = [
            rf"\section*{{{_set(self.title)}}}",
            f"{_set(self.source)}. {_set(self.notation)}",
            r"\begin{enumerate}",
        ]
        for step in self.steps:
            first, *others = map(as_latex, step.nodes(superscripts))
            sign = SIGNS.get(step.sign, step.sign)
            rows = [first.replace(f" {sign} ", f" &{sign} ", 1), *(f"&{sign} {other}" for other in others)]
            formula = " \\\\\n".join(rows)
            lines += [rf"\item {_set(step.words)}", rf"\begin{{align*}}{formula}\end{{align*}}"]
            lines.append(rf"\emph{{{_set(step.verdict())}.}}")
        return "\n".join([*lines, r"\end{enumerate}", *([_set(self._assumed())] if self.assumptions else [])])

    def mathml(self, *, superscripts: bool = False) -> str:
        """A <section> for a page, with a <math> element for every line of a formula; well-formed XML."""
        lay = Layout(superscripts).of
        head = (f"<h1>{escape(self.title)}</h1>", f"<p>{escape(self.source)}</p>", f"<p>{escape(self.notation)}</p>")
        lines = ["<section>", *head, "<ol>"]
        for step in self.steps:
            first, *others = step.nodes(superscripts)
            nodes = [first, *(Infix(step.sign, (lay(step.sides[0]), other)) for other in others)]
            formulas = "".join(f"<p>{as_mathml(node)}</p>" for node in nodes)
            verdict = f"<p><small>{escape(step.verdict())}</small></p>"
            lines.append(f"<li><p>{escape(step.words)}</p>{formulas}{verdict}</li>")
        assumed = [f"<p>{escape(self._assumed())}</p>"] if self.assumptions else []
        return "\n".join([*lines, "</ol>", *assumed, "</section>"])

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        written = {"text": as_text, "latex": as_latex, "mathml": as_mathml}
        steps = [
            {"words": step.words, "sign": step.sign}
            | {form: [write(Layout(False).of(side)) for side in step.sides] for form, write in written.items()}
            | {"checked": step.checked, "holds": step.holds}
            for step in self.steps
        ]
        told = {"name": self.name, "title": self.title, "source": self.source, "notation": self.notation}
        return told | {"holds": self.holds, "assumptions": list(self.assumptions), "steps": steps}

    def _assumed(self) -> str:
        return f"Where {'; '.join(self.assumptions)}."

    def __str__(self):
        return self.text()

    def __repr__(self):
        return self.text()

    def _repr_html_(self) -> str:
        return self.mathml()


LOWERED, RAISED = "₀₁₂₃₄₅₆₇₈₉", "⁰¹²³⁴⁵⁶⁷⁸⁹"
SPECIAL = {sign: rf"\{sign}" for sign in "&%_#${}"} | {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}
"""Signs that mean something to LaTeX, as they are written in words."""

IN_WORDS = SIGNS | {"∂": r"\partial", "√": r"\surd", "×": r"\times", "·": r"\cdot", "−": "-", "<": "<", ">": ">"}
"""Signs of mathematics that words have among them."""

HAT = "\N{COMBINING CIRCUMFLEX ACCENT}"
MATHEMATICAL = re.compile(rf"((?:√\w|\w{HAT}|\b[A-Za-z]_\w\b|[{''.join(IN_WORDS)}{LOWERED}{RAISED}])+)")
PIECE = re.compile(
    rf"√(?P<root>\w)|(?P<hat>\w){HAT}|(?P<letter>[A-Za-z])_(?P<index>\w)"
    rf"|(?P<lowered>[{LOWERED}]+)|(?P<raised>[{RAISED}]+)|(?P<sign>.)"
)


def _set(words: str) -> str:
    """Words for LaTeX: its special signs escaped, runs of mathematical ones between dollar signs."""
    with_accents = "".join(unicodedata.normalize("NFD", x) if x.isalpha() else x for x in words)
    plain, *others = MATHEMATICAL.split(with_accents)
    return _escaped(plain) + "".join(
        f"${PIECE.sub(_piece, run).strip()}${_escaped(between)}"
        for run, between in zip(others[::2], others[1::2], strict=True)
    )


def _escaped(words: str) -> str:
    return "".join(SPECIAL.get(x, x) for x in words)


def _piece(piece: re.Match[str]) -> str:
    match piece.lastgroup:
        case "root":
            return rf"\sqrt{{{_sign(piece['root'])}}}"
        case "hat":
            return rf"\hat{{{_sign(piece['hat'])}}}"
        case "index":
            return f"{piece['letter']}_{{{_sign(piece['index'])}}}"
        case "lowered":
            return f"_{{{''.join(str(LOWERED.index(digit)) for digit in piece[0])}}}"
        case "raised":
            return f"^{{{''.join(str(RAISED.index(digit)) for digit in piece[0])}}}"
        case _:
            return f"{_sign(piece[0])} "


def _sign(letter: str) -> str:
    return IN_WORDS.get(letter, letter)
