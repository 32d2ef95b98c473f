"""Formulas as a person would write them, in text and in LaTeX."""

from typing import Any

import numpy as np
import pytest
import sympy
from sympy import (
    Abs,
    And,
    Eq,
    Float,
    Function,
    IndexedBase,
    Max,
    Mod,
    Ne,
    Piecewise,
    Rational,
    Sum,
    Symbol,
    ceiling,
    cos,
    exp,
    expand,
    floor,
    log,
    oo,
    pi,
    sign,
    sqrt,
    symbols,
    tanh,
)

from adamlab.symbolic.maximum import Maximum
from adamlab.symbolic.notation.latex import as_latex
from adamlab.symbolic.notation.mathml import as_mathml
from adamlab.symbolic.notation.nodes import Node
from adamlab.symbolic.notation.printing import latex, text
from adamlab.symbolic.notation.text import as_text


def array(letter: str) -> Any:
    """An array with an entry for every step."""
    return IndexedBase(letter, real=True)


def total(body: Any, *limits: Any) -> Any:
    """Σ."""
    return Sum(body, *limits)


g, m, v, w = map(array, "gmvw")
ETA, B1, B2, EPS, LAM, G0 = symbols("eta beta_1 beta_2 epsilon lambda G_0", positive=True)
t, i, j = symbols("t i j", integer=True, positive=True)
G1, G2, G3, M2, M3, W2, ENTRY = symbols("g_1 g_2 g_3 m_2 m_3 w_2 g_3_0_1", real=True)
V3, MHAT, VHAT, VMAX = symbols("v_3 mhat_3 vhat_3 vmax_2", nonnegative=True)
ADAM = -ETA * m[t] / ((1 - B1**t) * (sqrt(v[t] / (1 - B2**t)) + EPS))
AVERAGE = (1 - B2) * total(B2 ** (t - i) * g[i] ** 2, (i, 1, t))

FORMULAS = {
    "Adam": (
        ADAM,
        "-η·m_t/((1 - β₁^t)·(√(v_t/(1 - β₂^t)) + ε))",
        r"-\frac{\eta m_{t}}{(1 - \beta_{1}^{t}) \left( \sqrt{\frac{v_{t}}{1 - \beta_{2}^{t}}} + \epsilon \right)}",
    ),
    "Adam's third step, its root taken apart by SymPy": (
        -ETA * M3 / ((1 - B1**3) * (sqrt(V3) / sqrt(1 - B2**3) + EPS)),
        "-η·m₃/((1 - β₁³)·(√(v₃/(1 - β₂³)) + ε))",
        r"-\frac{\eta m_{3}}{(1 - \beta_{1}^{3}) \left( \sqrt{\frac{v_{3}}{1 - \beta_{2}^{3}}} + \epsilon \right)}",
    ),
    "Adam without ε, the corrected root below the line": (
        -ETA * sqrt(1 - B2**3) * M3 / ((1 - B1**3) * sqrt(V3)),
        "-η·m₃/((1 - β₁³)·√(v₃/(1 - β₂³)))",
        r"-\frac{\eta m_{3}}{(1 - \beta_{1}^{3}) \sqrt{\frac{v_{3}}{1 - \beta_{2}^{3}}}}",
    ),
    "AdamW": (
        -ETA * (MHAT / (sqrt(VHAT) + EPS) + LAM * W2),
        "-η·(m̂₃/(√v̂₃ + ε) + λ·w₂)",
        r"-\eta \left( \frac{\hat{m}_{3}}{\sqrt{\hat{v}_{3}} + \epsilon} + \lambda w_{2} \right)",
    ),
    "closed form": (
        AVERAGE,
        "(1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·g_i²",
        r"(1 - \beta_{2}) \sum_{i=1}^{t} \beta_{2}^{t - i} g_{i}^{2}",
    ),
    "recurrence": (
        Eq(v[t], B2 * v[t - 1] + (1 - B2) * g[t] ** 2),
        "v_t = β₂·v_(t-1) + (1 - β₂)·g_t²",
        r"v_{t} = \beta_{2} v_{t - 1} + (1 - \beta_{2}) g_{t}^{2}",
    ),
    "parameters": (Eq(w[t], w[t - 1] - ETA * g[t]), "w_t = w_(t-1) - η·g_t", r"w_{t} = w_{t - 1} - \eta g_{t}"),
    "average ahead of gradient": (
        (1 - B1) * G3 + B1 * M2,
        "β₁·m₂ + (1 - β₁)·g₃",
        r"\beta_{1} m_{2} + (1 - \beta_{1}) g_{3}",
    ),
    "β - 1 turned around": (ETA * (B1 - 1) * G3, "-η·(1 - β₁)·g₃", r"-\eta (1 - \beta_{1}) g_{3}"),
    "unrolled": (
        expand(B2 * (B2 * G1**2 + G2**2) + G3**2),
        "β₂²·g₁² + β₂·g₂² + g₃²",
        r"\beta_{2}^{2} g_{1}^{2} + \beta_{2} g_{2}^{2} + g_{3}^{2}",
    ),
    "powers in ascending order": (expand((1 - B1) ** 2), "1 - 2·β₁ + β₁²", r"1 - 2 \beta_{1} + \beta_{1}^{2}"),
    "Adagrad": (
        ETA * g[t] / sqrt(G0 + total(g[i] ** 2, (i, 1, t))),
        "η·g_t/√(G₀ + Σ_{i=1}^{t} g_i²)",
        r"\frac{\eta g_{t}}{\sqrt{G_{0} + \sum_{i=1}^{t} g_{i}^{2}}}",
    ),
    "Adamax": (
        -ETA * m[t] / Maximum(B2 ** (t - i) * Abs(g[i]), (i, 1, t)),
        "-η·m_t/(max_{i=1}^{t} β₂^(t-i)·|g_i|)",
        r"-\frac{\eta m_{t}}{\max_{1 \leq i \leq t} \beta_{2}^{t - i} |g_{i}|}",
    ),
    "AMSGrad": (Max(V3, VMAX, 1), "max(1, v_(max,2), v₃)", r"\max(1, v_{\mathrm{max},2}, v_{3})"),
    "nested sums": (
        total(total(g[j] ** 2, (j, 1, i)) + 1, (i, 1, t)),
        "Σ_{i=1}^{t} (1 + Σ_{j=1}^{i} g_j²)",
        r"\sum_{i=1}^{t} \left( 1 + \sum_{j=1}^{i} g_{j}^{2} \right)",
    ),
    "limits of several sums": (
        total(g[j], (j, 1, i), (i, 1, oo)),
        "Σ_{i=1}^{∞} Σ_{j=1}^{i} g_j",
        r"\sum_{i=1}^{\infty} \sum_{j=1}^{i} g_{j}",
    ),
    "a sum ahead of more": (
        total(g[i], (i, 1, t)) * total(array("eta")[i], (i, 1, t)) + total(B1, (i, 1, t)),
        "(Σ_{i=1}^{t} β₁) + (Σ_{i=1}^{t} η_i)·Σ_{i=1}^{t} g_i",
        r"\left( \sum_{i=1}^{t} \beta_{1} \right) + \left( \sum_{i=1}^{t} \eta_{i} \right) \sum_{i=1}^{t} g_{i}",
    ),
    "product": (
        sympy.Product(1 - B2, (i, 1, t)),
        "∏_{i=1}^{t} (1 - β₂)",
        r"\prod_{i=1}^{t} (1 - \beta_{2})",
    ),
    "cases": (
        2 * Piecewise((G1, And(G1 > 0, t >= 2)), (-G2, True)),
        "2·{g₁ if t ≥ 2 ∧ g₁ > 0, -g₂ otherwise}",
        r"2 \begin{cases} g_{1} & \text{if } t \geq 2 \wedge g_{1} > 0 \\ -g_{2} & \text{otherwise} \end{cases}",
    ),
    "logic": (
        ~Symbol("p") & ((G1 > 0) | Ne(G2, 1)),
        "¬(p) ∧ (g₁ > 0 ∨ g₂ ≠ 1)",
        r"\neg(p) \wedge (g_{1} > 0 \vee g_{2} \neq 1)",
    ),
    "matrix": (
        np.array([[G1, B1 / 2], [1, True]], dtype=object),
        "[[g₁, β₁/2], [1, true]]",
        r"\begin{pmatrix} g_{1} & \frac{\beta_{1}}{2} \\ 1 & \mathrm{true} \end{pmatrix}",
    ),
    "vector": (np.array([ENTRY, G2**2]), "[g_(3,0,1), g₂²]", r"\begin{pmatrix} g_{3,0,1} & g_{2}^{2} \end{pmatrix}"),
    "array without axes": (np.array(G2**2, dtype=object), "g₂²", "g_{2}^{2}"),
    "functions": (
        ETA * sign(G1) * log(G2) ** 2 * tanh(exp(-G3)),
        "η·log(g₂)²·sign(g₁)·tanh(exp(-g₃))",
        r"\eta \cdot \log(g_{2})^{2} \cdot \mathrm{sign}(g_{1}) \cdot \tanh(\exp(-g_{3}))",
    ),
    "schedules": (
        Function("eta")(t) * (1 + cos(pi * floor(t / 3) / 7)) * Mod(t, 4),
        "(1 + cos(π·⌊t/3⌋/7))·mod(t, 4)·η(t)",
        r"\left( 1 + \cos\left( \frac{\pi \left\lfloor \frac{t}{3} \right\rfloor}{7} \right) \right)"
        r" \cdot \mathrm{mod}(t, 4) \cdot \eta(t)",
    ),
    "rounding": (
        floor(G1) + Abs(ceiling(G2 / 3)),
        "⌊g₁⌋ + |⌈g₂/3⌉|",
        r"\lfloor g_{1} \rfloor + \left| \left\lceil \frac{g_{2}}{3} \right\rceil \right|",
    ),
    "powers": (
        (G1 / G2) ** t / (3 * G3 ** Rational(3, 2) * (-1) ** i),
        "(g₁/g₂)^t/(3·(-1)^i·g₃^(3/2))",
        r"\frac{\left( \frac{g_{1}}{g_{2}} \right)^{t}}{3 (-1)^{i} g_{3}^{3/2}}",
    ),
    "counting": (B1 ** (t - i + 1) * 2**t * 10, "10·2^t·β₁^(t-i+1)", r"10 \cdot 2^{t} \beta_{1}^{t - i + 1}"),
    "rate and its root": (ETA / sqrt(t), "η/√t", r"\frac{\eta}{\sqrt{t}}"),
}


@pytest.mark.parametrize("relation", [Eq, Ne, sympy.Lt, sympy.Le, sympy.Gt, sympy.Ge])
def test_relations_have_the_signs_that_sympy_writes(relation):
    formula = relation(Symbol("x", real=True), Symbol("y", real=True))
    assert text(formula) == sympy.pretty(formula, use_unicode=True)


def test_formulas_are_written_as_by_hand():
    by_hand = {name: written for name, (_, *written) in FORMULAS.items()}
    assert {name: [text(e), latex(e)] for name, (e, *_) in FORMULAS.items()} == by_hand


WITH_TIME_ON_TOP = {
    "closed form": (
        Eq(v[t], AVERAGE),
        "v^t = (1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·(g^i)²",
        r"v^{t} = (1 - \beta_{2}) \sum_{i=1}^{t} \beta_{2}^{t - i} (g^{i})^{2}",
    ),
    "step": (
        Eq(w[t], w[t - 1] - ETA * g[t] / (sqrt(v[t - 1]) + EPS)),
        "w^t = w^(t-1) - η·g^t/(√(v^(t-1)) + ε)",
        r"w^{t} = w^{t - 1} - \frac{\eta g^{t}}{\sqrt{v^{t - 1}} + \epsilon}",
    ),
    "numbers": (
        B2**2 * G1**2 / VHAT + G0,
        "G₀ + β₂²·(g¹)²/v̂³",
        r"G_{0} + \frac{\beta_{2}^{2} (g^{1})^{2}}{\hat{v}^{3}}",
    ),
    "entries": (ENTRY**2, "(g_(0,1)³)²", "(g_{0,1}^{3})^{2}"),
}


def test_time_goes_up_in_superscripts():
    by_hand = {name: written for name, (_, *written) in WITH_TIME_ON_TOP.items()}
    written = {
        name: [text(e, superscripts=True), latex(e, superscripts=True)] for name, (e, *_) in WITH_TIME_ON_TOP.items()
    }
    assert written == by_hand


NAMES = [
    ("beta_1", "β₁", r"\beta_{1}", r"\beta_{1}"),
    ("epsilon_root", "ε_root", r"\epsilon_{\mathrm{root}}", r"\epsilon_{\mathrm{root}}"),
    ("eta_init", "η_init", r"\eta_{\mathrm{init}}", r"\eta_{\mathrm{init}}"),
    ("G_0", "G₀", "G_{0}", "G_{0}"),
    ("v_0", "v₀", "v_{0}", "v_{0}"),
    ("b2", "b₂", "b_{2}", "b_{2}"),
    ("lamda", "λ", r"\lambda", r"\lambda"),
    ("Sigma", "Σ", r"\Sigma", r"\Sigma"),
    ("η_1", "η₁", r"\eta_{1}", r"\eta_{1}"),
    ("learning_rate", "learning_rate", r"\mathrm{learning\_rate}", r"\mathrm{learning\_rate}"),
    ("w'", "w'", r"\mathrm{w'}", r"\mathrm{w'}"),
    ("x_", "x", "x", "x"),
    ("w_0", "w₀", "w_{0}", "w^{0}"),
    ("v_12", "v₁₂", "v_{12}", "v^{12}"),
    ("m_t", "m_t", "m_{t}", "m^{t}"),
    ("mhat_3", "m̂₃", r"\hat{m}_{3}", r"\hat{m}^{3}"),
    ("betabar_1_3", "β̄_(1,3)", r"\bar{\beta}_{1,3}", r"\bar{\beta}_{1,3}"),
    ("dbar_2", "d̄₂", r"\bar{d}_{2}", r"\bar{d}_{2}"),
    ("e_g_3", "e_(g,3)", "e_{g,3}", "e_{g}^{3}"),
    ("g_3_0_1", "g_(3,0,1)", "g_{3,0,1}", "g_{0,1}^{3}"),
    ("mu_3", "μ₃", r"\mu_{3}", r"\mu^{3}"),
    ("nu_max_3", "ν_(max,3)", r"\nu_{\mathrm{max},3}", r"\nu_{\mathrm{max}}^{3}"),
    ("delta_x_3", "δ_(x,3)", r"\delta_{x,3}", r"\delta_{x}^{3}"),
    ("vmax_3", "v_(max,3)", r"v_{\mathrm{max},3}", r"v_{\mathrm{max}}^{3}"),
    ("trace_4", "trace₄", r"\mathrm{trace}_{4}", r"\mathrm{trace}^{4}"),
]


def test_a_name_is_a_letter_or_a_word_with_its_indices():
    symbols_of = {label: Symbol(label) for label, *_ in NAMES}
    written = [(label, text(s), latex(s), latex(s, superscripts=True)) for label, s in symbols_of.items()]
    assert written == NAMES


def test_the_indices_of_arrays_are_written_as_those_of_symbols():
    assert text(array("vmax")[t - 1]) == "v_(max,t-1)"
    assert text(array("mhat")[t]) == "m̂_t"
    assert latex(g[t, 0, 1], superscripts=True) == "g_{0,1}^{t}"
    assert text(IndexedBase("g_root")) == "g_root"


NUMBERS = [
    (Rational(1, 10), "0.1"),
    (Rational(999, 1000), "0.999"),
    (Rational(-7, 20), "-0.35"),
    (Rational(1, 2), "1/2"),
    (Rational(3, 4), "3/4"),
    (Rational(-1, 3), "-1/3"),
    (Rational(1, 15), "1/15"),
    (Rational(1, 10000), "0.0001"),
    (Rational(1, 10**8), "10⁻⁸"),
    (Rational(-15, 10**9), "-1.5·10⁻⁸"),
    (Rational(f"0.{'123' * 12}"), f"0.{'123' * 12}"),
    (0.5, "0.5"),
    (np.float32(0.1), "0.1"),
    (Float(0), "0"),
    (2.5e20, "2.5·10²⁰"),
    (1e30, "10³⁰"),
    (10**20, "100000000000000000000"),
    (0, "0"),
    (True, "true"),
    (np.bool_(False), "false"),
    (oo, "∞"),
    (-oo, "-∞"),
    (float("nan"), "NaN"),
    (G1 / 2, "g₁/2"),
    (Rational(3, 10) * G1, "0.3·g₁"),
    (Rational(1, 10**8) * G1 / 3, "g₁/300000000"),
]


def test_numbers_are_decimals_where_these_end():
    assert [text(number) for number, _ in NUMBERS] == [written for _, written in NUMBERS]


def test_a_string_is_no_formula():
    with pytest.raises(sympy.SympifyError):
        text("g_1")


@pytest.mark.parametrize("write", [as_text, as_latex, as_mathml])
def test_a_node_that_no_writer_knows_is_named(write):
    with pytest.raises(TypeError, match="Node is no part of a formula"):
        write(Node())
