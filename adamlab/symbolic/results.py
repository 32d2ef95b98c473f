"""The base of every symbolic result: its equations and assumptions as text, LaTeX, MathML and plain data."""

import re
from abc import abstractmethod
from collections.abc import Collection, Mapping
from typing import Any
from xml.sax.saxutils import escape

from sympy import Eq, Symbol

from adamlab.interpret.programs import whole_by_default
from adamlab.interpret.signs import Complement, Rate
from adamlab.interpret.sympy_algebra import Formulas
from adamlab.symbolic.notation.printing import latex, mathml, mathml_lines, text
from adamlab.symbolic.open_optimizer import OpenOptimizer

Equation = tuple[Any, Any]
"""A left side and a right side."""


class Result:
    """Equations with their assumptions; `superscripts` writes time on top, as derivations by hand do: v^t for v_t."""

    hyper: Mapping[str, Symbol]
    assumptions: tuple[str, ...]

    @abstractmethod
    def _equations(self) -> list[Equation]:
        """The equations to be shown, in order."""

    def _words(self) -> list[str]:
        """Sentences ahead of the equations."""
        return []

    def text(self, *, superscripts: bool = False) -> str:
        """A line of Unicode for each equation, and one for each assumption."""
        written = [" = ".join(text(side, superscripts=superscripts) for side in sides) for sides in self._equations()]
        return "\n".join([*self._words(), *written, *(f"  where {assumption}" for assumption in self.assumptions)])

    def latex(self, *, superscripts: bool = False) -> str:
        """The equations in LaTeX, aligned where there are several; without dollar signs."""
        rows = [[latex(side, superscripts=superscripts) for side in equation] for equation in self._equations()]
        if len(rows) == 1:
            return " = ".join(rows[0])
        lines = " \\\\\n".join(f"{left} &= {right}" for left, right in rows)
        return lines and f"\\begin{{aligned}}\n{lines}\n\\end{{aligned}}"

    def mathml(self, *, superscripts: bool = False) -> str:
        """The equations as one <math> element of presentation MathML, well-formed and without named entities."""
        equations = self._equations()
        if len(equations) == 1:
            return mathml(Eq(*equations[0], evaluate=False), superscripts=superscripts)
        return mathml_lines(equations, superscripts=superscripts)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON: every equation as text and LaTeX, the hyper-parameters' symbols, the assumptions."""
        return {
            "hyper": {name: text(symbol) for name, symbol in self.hyper.items()},
            "equations": [
                {"left": text(a), "right": text(b), "latex": f"{latex(a)} = {latex(b)}"} for a, b in self._equations()
            ],
            "assumptions": list(self.assumptions),
        }

    def __str__(self):
        return self.text()

    def __repr__(self):
        return self.text()

    def _repr_html_(self) -> str:
        words = [f"<p>{escape(sentence)}</p>" for sentence in self._words()]
        formulas = [self.mathml()] if self._equations() else []
        return "\n".join([*words, *formulas, *(f"<p>where {escape(each)}</p>" for each in self.assumptions)])

    def _repr_latex_(self) -> str:
        formulas = [f"$$\n{self.latex()}\n$$"] if self._equations() else []
        return "\n\n".join([*self._words(), *formulas])


def in_words(optimizer: OpenOptimizer, algebra: Formulas, shown: Collection[Any] = ()) -> tuple[str, ...]:
    """The assumptions that an optimizer's formulas rest on, in words, but for those that are shown."""
    return (*domains(optimizer.hyper), *conditions(optimizer, algebra, shown))


def domains(hyper: Mapping[str, Symbol]) -> list[str]:
    """The ranges of the numbers that are open, on one line."""
    rates = [f"0 < {text(symbol)} < 1" for symbol in hyper.values() if isinstance(symbol, Rate)]
    others = [text(symbol) for symbol in hyper.values() if not isinstance(symbol, Rate)]
    return [", ".join([*rates, *([f"{', '.join(others)} > 0"] if others else [])])] if hyper else []


def conditions(optimizer: OpenOptimizer, algebra: Formulas, shown: Collection[Any] = ()) -> list[str]:
    """The assumptions about gradients and states, and the numbers that come from the code."""
    told = [condition for condition in algebra.assumptions if condition not in shown]
    assumed = dict.fromkeys(text(_at_any_step(optimizer, condition)) for condition in told)
    constants = sorted(algebra.constants)
    code = [f"{', '.join(map(text, constants))} from the code, as meant or exactly"] if constants else []
    fixed = optimizer.programs.constants
    numbers = [f"{name} = {text(optimizer.numbers[name])}, since the code branches on it" for name in fixed]
    whole = [f"{name} = {value}, a whole number" for name, value in whole_by_default(optimizer.subject.call).items()]
    return [*assumed, *code, *numbers, *whole]


def _at_any_step(optimizer: OpenOptimizer, condition: Any) -> Any:
    """The condition with t in place of its last step's number, so that the same condition at all steps is told once."""
    steps: dict[Any, tuple[str, int, str]] = {}
    for s in condition.free_symbols - set(optimizer.hyper.values()):
        if s.is_Symbol and not isinstance(s, Complement) and (at := re.match(r"(.*?)_(\d+)(.*)$", s.name)):
            steps[s] = at[1], int(at[2]), at[3]
    last = max((t for _, t, _ in steps.values()), default=0)
    names = {s: (letter, "t" if t == last else f"(t-{last - t})", entry) for s, (letter, t, entry) in steps.items()}
    return condition.xreplace({s: Symbol(f"{letter}_{t}{entry}") for s, (letter, t, entry) in names.items()})
