"""Formulas in the README and in docstrings, the golden file and the tables of a page, written from the code.

`python -m tests.golden` writes them anew; tests/test_golden.py fails where they are not what the code says.
"""

import re
from pathlib import Path

import optax

import adamlab as al
from adamlab.rules import RULES
from adamlab.symbolic.notation.printing import latex, text
from adamlab.translation.correspondence import markdown
from tests.benchmarks.measuring import RESULTS, from_json, summary

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests/golden.txt"
INSIDE = ROOT / "adamlab/README.md"
HEADING = "Read off this code by `python -m tests.golden`:"
WIDTH = 120

OPTIMIZERS = [
    *(f"optax.{name}" for name in RULES),
    "optax.rmsprop(momentum=mu)",
    "optax.rmsprop(centered=true, bias_correction=true)",
    "optax.sgd(lr, momentum=mu, nesterov=true)",
    "optax.adam(inverse_sqrt(lr), b1=0.0, eps=0.0)",
    "optax.lion",
    "optax.adabelief",
    "optax.contrib.ademamix",
]
"""What the golden file holds the closed forms of."""


def readme_formula() -> str:
    """Adam's moments after t steps and its update, in the derivations' notation, as the README's one line of LaTeX."""
    f = al.closed_form(optax.adam)
    moments = [
        f"{latex(f.recurrences[field].lhs, superscripts=True)} = {latex(f.states[field], superscripts=True)}"
        for field in ("mu", "nu")
    ]
    update = latex(f.recurrences["update"].rhs, superscripts=True)
    whole = r" \qquad ".join([*moments, f"w^{{t}} = w^{{t - 1}} {update}"])
    return f"$${whole}$$"


def docstring_lines(name: str) -> list[str]:
    """A rule's states and its update, a line each, or two where one is too long."""
    f = al.closed_form(f'adamlab.{name}(arithmetic="optax")')
    return [line for e in f.recurrences.values() for line in _wrapped(f"{text(e.lhs)} = {text(e.rhs)}")]


def _wrapped(equation: str) -> list[str]:
    if len(equation) + 8 <= WIDTH:
        return [equation]
    cut = max(equation.rfind(operator, 0, WIDTH - 8) for operator in (" + ", " - ", "/("))
    return [equation[:cut].rstrip(), *_wrapped(f"    {equation[cut:].lstrip()}")]


def golden() -> str:
    """The golden file: Adam's first steps, and closed forms in text and LaTeX."""
    parts = [f"optax.adam, 3 steps\n{al.unroll(optax.adam, steps=3)}"]
    for optimizer in OPTIMIZERS:
        f = al.closed_form(optimizer)
        parts.append(f"{optimizer}\n{f}\n{f.latex()}")
    return "\n\n".join(parts) + "\n"


def with_formula(source: str, name: str) -> str:
    """A rule's source with the formula in the docstring of its factory, after the summary."""
    start = source.index(f"\ndef {name}(")
    head, body = source[:start], source[start:]
    block = "".join(f"        {line}\n" for line in docstring_lines(name))
    body = re.sub(rf"    {re.escape(HEADING)}\n\n(?:        .*\n)+\n", "", body, count=1)
    summary = re.compile(r'    """.*?\n\n', re.DOTALL)
    return head + summary.sub(lambda match: f"{match[0]}    {HEADING}\n\n{block}\n", body, count=1)


def with_tables(page: str) -> str:
    """The package's page with the tables of translations and of performance."""
    return _with_table(_with_table(page, "translations", markdown()), "performance", performance())


def performance() -> str:
    """What `python -m tests.benchmarks` measured last."""
    return summary(*from_json(RESULTS.read_text("utf-8")))


def _with_table(page: str, name: str, table: str) -> str:
    begin, end = f"<!-- the table of {name} -->\n", "<!-- its end -->"
    head, rest = page.split(begin)
    return f"{head}{begin}\n{table}\n\n{end}{rest.partition(end)[2]}"


def source_of(name: str) -> Path:
    """The file of a rule's factory."""
    return next(path for path in (ROOT / "adamlab/rules").glob("*.py") if f"\ndef {name}(" in path.read_text("utf-8"))


def main():
    """Writes everything."""
    readme = ROOT / "README.md"
    lines = readme.read_text("utf-8").splitlines(keepends=True)
    written = [f"{readme_formula()}\n" if line.startswith("$$") else line for line in lines]
    readme.write_text("".join(written), "utf-8")
    for name in RULES:
        path = source_of(name)
        path.write_text(with_formula(path.read_text("utf-8"), name), "utf-8")
    GOLDEN.write_text(golden(), "utf-8")
    INSIDE.write_text(with_tables(INSIDE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
