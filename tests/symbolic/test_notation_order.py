"""Factors and terms are written in the same order, however SymPy holds them."""

import numpy as np
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Add, Eq, Mul, Rational, Symbol, sqrt

from adamlab.symbolic.notation.printing import latex, mathml, text
from tests.symbolic.test_notation import B1, B2, EPS, ETA, G0, G1, G2, G3, LAM, M3, V3, W2, g, i, t, total, v

SIGMA = total(g[i], (i, 1, t))

PRODUCTS = [
    ([ETA, LAM, 1 - B2, B2**t, M3, G3, sqrt(V3) + EPS, SIGMA], "η·λ·(1 - β₂)·β₂^t·m₃·g₃·(√v₃ + ε)·Σ_{i=1}^{t} g_i"),
    ([2, Symbol("learning_rate"), LAM, G1**2, G2], "2·learning_rate·λ·g₁²·g₂"),
    ([Rational(15, 10**9), B1, G1], "1.5·10⁻⁸·β₁·g₁"),
    ([B1**t, Symbol("g")], "β₁^t·g"),
    ([3, 1 / (1 - B2), 1 / (sqrt(V3) + EPS), M3, 1 / LAM], "3·m₃/(λ·(1 - β₂)·(√v₃ + ε))"),
]


def shuffled(formulas):
    """The parts of each formula in some order."""
    return st.tuples(*(st.permutations([sympy.sympify(part) for part in parts]) for parts, _ in formulas))


@settings(max_examples=20)
@given(shuffled(PRODUCTS))
def test_factors_are_in_order(products):
    assert [text(Mul(*factors, evaluate=False)) for factors in products] == [written for _, written in PRODUCTS]


SUMS = [
    ([t, -i, 1], "t - i + 1"),
    ([1, -i], "1 - i"),
    ([1, -2 * B1, B1**2, -(B1**t)], "1 - 2·β₁ + β₁² - β₁^t"),
    ([G0, sqrt(V3), EPS, SIGMA], "G₀ + √v₃ + ε + Σ_{i=1}^{t} g_i"),
    ([G1, G1**2, G1 * G2, G2**2], "g₁ + g₁² + g₁·g₂ + g₂²"),
    ([G2, B1 * (G1 + G3)], "g₂ + β₁·(g₁ + g₃)"),
    (
        [W2, B1 * M3, (1 - B1) * G3, (1 - ETA * LAM) * G1 * W2, LAM * W2],
        "(1 - η·λ)·g₁·w₂ + w₂ + β₁·m₃ + (1 - β₁)·g₃ + λ·w₂",
    ),
    ([v[0], v[t - 1], v[t], v[t + 1]], "v₀ + v_(t-1) + v_t + v_(t+1)"),
    ([-G1, G2, -G3], "g₂ - g₁ - g₃"),
    ([-G1, SIGMA], "-g₁ + Σ_{i=1}^{t} g_i"),
    ([-ETA, 1 / LAM], "1/λ - η"),
]


@settings(max_examples=20)
@given(shuffled(SUMS))
def test_terms_are_in_order(sums):
    assert [text(Add(*terms, evaluate=False)) for terms in sums] == [written for _, written in SUMS]


SIGNS = [
    (ETA * (-G1 - G2), "-η·(g₁ + g₂)"),
    (G1 * (B1 - 1) ** 2, "(1 - β₁)²·g₁"),
    (G1 / (B1 - 1), "-g₁/(1 - β₁)"),
    (G1 * (B1 - 1) ** t, "(β₁ - 1)^t·g₁"),
    (sqrt(B2 - 1), "√(β₂ - 1)"),
    (1 / sqrt(-G1), "1/√(-g₁)"),
    (sqrt((B1 - 1) * (B2 - 1)), "√((1 - β₁)·(1 - β₂))"),
    (Mul(-1, Add(G1, G2), evaluate=False), "-(g₁ + g₂)"),
    (Add(G1, Mul(-1, Add(G2, G3), evaluate=False), evaluate=False), "g₁ - (g₂ + g₃)"),
    (Mul(2, Mul(3, G1 / G2, evaluate=False), evaluate=False), "2·3·g₁/g₂"),
    (Mul(G3, Mul(-1, 1 / G2, evaluate=False), evaluate=False), "-g₃/g₂"),
]


def test_signs_are_drawn_out_and_lines_are_one():
    assert [text(expression) for expression, _ in SIGNS] == [written for _, written in SIGNS]


PARENTHESES = [
    ((1 - B2) * SIGMA / (1 - B2**t), "((1 - β₂)·Σ_{i=1}^{t} g_i)/(1 - β₂^t)"),
    (Eq(G1 > 0, G2 > 0), "(g₁ > 0) = (g₂ > 0)"),
    (G1**0.5, "g₁^(0.5)"),
    (G1**B1, "g₁^(β₁)"),
    ((G1**B1) ** B2, "(g₁^(β₁))^(β₂)"),
    (sqrt(G1) ** t, "g₁^(t/2)"),
]


def test_parentheses_stand_where_they_are_needed():
    assert [text(expression) for expression, _ in PARENTHESES] == [written for _, written in PARENTHESES]


def test_a_dot_stands_between_numbers_and_ahead_of_words():
    power = 2**t * 3
    assert latex(power) == r"3 \cdot 2^{t}"
    assert "<mn>3</mn><mo>·</mo><msup>" in mathml(power)
    assert "<mn>3</mn><mo>\N{INVISIBLE TIMES}</mo><mi>t</mi>" in mathml(3 * t)


def test_arrays_of_more_axes_are_rows_of_matrices():
    matrices = np.array([[[G1], [G2]], [[1], [2]]], dtype=object)
    assert text(matrices) == "[[[g₁], [g₂]], [[1], [2]]]"
    column = r"\begin{{pmatrix}} {} \\ {} \end{{pmatrix}}".format
    assert latex(matrices) == rf"\begin{{pmatrix}} {column('g_{1}', 'g_{2}')} & {column(1, 2)} \end{{pmatrix}}"
    assert text(sympy.Matrix([[G1, G2]])) == "[[g₁, g₂]]"
    assert text(np.array([])) == "[]"
