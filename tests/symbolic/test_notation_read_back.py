"""What is written means what it was written from: text is read back as numbers, MathML and LaTeX leaf by leaf."""

import re
from importlib import import_module
from itertools import pairwise
from typing import Any
from unicodedata import normalize
from xml.etree import ElementTree

import mpmath
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser
from sympy import Abs, Add, Max, Mul, Rational, Symbol, sqrt, symbols

from adamlab.symbolic.maximum import Maximum
from adamlab.symbolic.notation.printing import latex, mathml, text
from tests.symbolic.test_notation import ADAM, AVERAGE, FORMULAS, WITH_TIME_ON_TOP

VALUES = {"β₁": "0.83", "β₂": "0.61", "η": "1.7", "t": "4", "g₁": "0.37", "g₂": "2.9", "v₃": "1.3"}
SYMBOLS = symbols("beta_1 beta_2 eta t g_1 g_2 v_3", positive=True)
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")

numbers = st.sampled_from([1, 2, 3, Rational(1, 2), Rational(2, 3), Rational(9, 10), Rational(3, 10**6)])
leaves = st.one_of(st.sampled_from(SYMBOLS), numbers.map(sympy.sympify), st.sampled_from([1 - s for s in SYMBOLS[:2]]))
exponents = st.one_of(st.sampled_from([2, 3, -1, -2, Rational(3, 2), Rational(-1, 2)]), st.sampled_from(SYMBOLS[:4]))


def _larger(positive):
    pairs = st.lists(positive, min_size=2, max_size=3)
    return st.one_of(
        pairs.map(lambda terms: Add(*terms)),
        pairs.map(lambda factors: Mul(*factors)),
        pairs.map(lambda terms: Max(*terms)),
        st.tuples(positive, positive).map(lambda pair: pair[0] / pair[1]),
        st.tuples(positive, positive).map(lambda pair: Abs(pair[0] - pair[1])),
        st.tuples(positive, exponents).map(lambda pair: pair[0] ** pair[1]),
        positive.map(sqrt),
    )


positives = st.recursive(leaves, _larger, max_leaves=8)
formulas = st.lists(st.tuples(st.sampled_from([1, -1, Rational(-3, 2)]), positives), min_size=1, max_size=3).map(
    lambda terms: Mul(*(sign * (term - other) for (sign, term), (_, other) in pairwise([*terms, (1, sympy.S(5))])))
)
"""Products of differences of positive formulas: every root in them is real."""


def read_back(written: str, superscripts: bool) -> Any:
    """Its value as Python reads it."""
    if superscripts:
        written = re.sub("([gv])([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda it: it[1] + it[2].translate(SUPERSCRIPTS), written)
    python = written.translate(SUBSCRIPTS)
    python = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda it: f"**({it[0].translate(SUPERSCRIPTS)})", python)
    python = re.sub(r"√(\w+)", r"√(\1)", python.replace("·", "*").replace("^", "**"))
    python = re.sub(r"(?<![\w.])(\d+(\.\d+)?)", r"mpf('\1')", python).replace("√", "sqrt")
    known = {name.translate(SUBSCRIPTS): mpmath.mpf(value) for name, value in VALUES.items()}
    functions = {"mpf": mpmath.mpf, "sqrt": mpmath.sqrt, "max": max, "abs": abs}
    return eval(_without_bars(python), {"__builtins__": {}, **functions, **known})


def _without_bars(python: str) -> str:
    """A bar opens |x| where an operand is due, and closes it elsewhere."""
    *parts, last = python.split("|")
    read = ""
    for part in parts:
        read += part
        read += "abs(" if read.rstrip()[-1:] in ("", *"(,+-*/") else ")"
    return read + last


@settings(max_examples=80)
@given(expression=formulas, superscripts=st.booleans())
def test_text_is_read_as_the_number_that_was_written(expression, superscripts):
    assume(not expression.has(sympy.zoo, sympy.nan))
    with mpmath.workdps(60):
        exact = expression.evalf(60, subs=dict(zip(SYMBOLS, map(sympy.Rational, VALUES.values()), strict=True)))
        assume(exact.is_Number and exact.is_finite)
        value = read_back(text(expression, superscripts=superscripts), superscripts)
        assert mpmath.almosteq(value, mpmath.mpf(exact), rel_eps=mpmath.mpf("1e-30"), abs_eps=mpmath.mpf("1e-40"))


WRITTEN = [expression for expression, *_ in FORMULAS.values()] + [e for e, *_ in WITH_TIME_ON_TOP.values()]


WAYS = [(expression, superscripts) for expression in WRITTEN for superscripts in (False, True)]
"""Every formula, with time below and on top."""

ARITY = {"mfrac": 2, "msub": 2, "msup": 2, "mover": 2, "munder": 2, "msubsup": 3, "munderover": 3}


def is_right(element) -> bool:
    """Whether an element has as many children as its kind takes, and words only where words belong."""
    tag = element.tag.rpartition("}")[2]
    return len(element) == ARITY.get(tag, len(element)) and bool(element.text) == (tag in ("mi", "mn", "mo", "mtext"))


def test_mathml_is_well_formed_without_named_entities():
    offenders = []
    for expression, superscripts in WAYS:
        written = mathml(expression, superscripts=superscripts)
        root = ElementTree.fromstring(written)
        entities = re.search("&(?!(amp|lt|gt|quot|apos);)", written)
        if root.tag != "{http://www.w3.org/1998/Math/MathML}math" or entities or not all(map(is_right, root.iter())):
            offenders.append(written)
    assert offenders == []


def tokens(written: str) -> list[str]:
    """Letters, words and numbers as they follow each other."""
    return re.findall(r"[A-Za-zα-ω∞]+|[0-9]+(?:\.[0-9]+)?|[₀-₉]+|[⁰¹²³⁴-⁹]+", normalize("NFD", written))


def test_mathml_reads_as_text_does():
    pairs = []
    for expression, superscripts in WAYS:
        if not getattr(expression, "has", bool)(Maximum):
            element = ElementTree.fromstring(mathml(expression, superscripts=superscripts))
            from_mathml = [token for leaf in element.iter() for token in tokens(leaf.text or "")]
            from_text = tokens(text(expression, superscripts=superscripts))
            pairs.append((from_mathml, [token.translate(SUBSCRIPTS).translate(SUPERSCRIPTS) for token in from_text]))
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
    assert len(pairs) > 0.8 * len(WAYS)


def test_mathml_of_a_closed_form():
    difference = "<mrow><mo>(</mo><mrow><mn>1</mn><mo>−</mo>{}</mrow><mo>)</mo></mrow>".format
    b2 = "<msub><mi>β</mi><mn>2</mn></msub>"
    sigma = "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>t</mi></munderover>"
    power = f"<msup>{b2}<mrow><mi>t</mi><mo>−</mo><mi>i</mi></mrow></msup>"
    square = "<msup><mrow><mo>(</mo><msup><mi>g</mi><mi>i</mi></msup><mo>)</mo></mrow><mn>2</mn></msup>"
    times = "<mo>\N{INVISIBLE TIMES}</mo>"
    inside = f"<mrow>{difference(b2)}{times}<mrow>{sigma}<mrow>{power}{times}{square}</mrow></mrow></mrow>"
    written = mathml(AVERAGE, superscripts=True)
    assert written == f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{inside}</math>'


def test_mathml_of_a_greatest_term_and_of_a_hat():
    maximum = "<munder><mo>max</mo><mrow><mn>1</mn><mo>≤</mo><mi>i</mi><mo>≤</mo><mi>t</mi></mrow></munder>"
    assert maximum in mathml(FORMULAS["Adamax"][0])
    assert '<msub><mover accent="true"><mi>m</mi><mo>^</mo></mover><mn>3</mn></msub>' in mathml(Symbol("mhat_3"))


def undrawn(written: str) -> str:
    """Matplotlib's complaint about a formula, if it has one."""
    try:
        MathTextParser("path").parse(f"${written}$")
    except ValueError as error:
        return str(error)
    return ""


def test_matplotlib_draws_all_but_matrices_and_cases():
    written = [latex(expression, superscripts=superscripts) for expression, superscripts in WAYS]
    complaints = {formula: undrawn(formula) for formula in written}
    assert [f for f, complaint in complaints.items() if bool(complaint) != (r"\begin" in f)] == []
    assert [c for c in complaints.values() if c and r"Unknown symbol: \begin" not in c] == []


def test_printing_asks_sympy_no_questions(monkeypatch):
    def ask(fact, _):
        raise AssertionError(f"asked whether {fact}")

    fresh = ADAM.xreplace({symbol: Symbol(f"{symbol.name}_x", positive=True) for symbol in ADAM.free_symbols})
    monkeypatch.setattr(import_module("sympy.core.assumptions"), "_ask", ask)
    assert "√" in text(fresh)
