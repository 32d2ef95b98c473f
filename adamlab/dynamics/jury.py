"""Jury's criterion: whether all roots of a polynomial lie inside the unit circle, as formulas and in exact numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sympy import (
    Abs,
    Add,
    Function,
    Integer,
    Matrix,
    Max,
    Mul,
    Piecewise,
    Poly,
    S,
    Symbol,
    cancel,
    factor,
    factor_list,
    fraction,
    sqrt,
)
from sympy import together as as_fraction

from adamlab.interpret.signs import is_nonnegative, is_positive
from adamlab.types import Formula

Z = Symbol("z")
"""The variable of characteristic polynomials."""


@dataclass(frozen=True)
class Condition:
    """A formula that is above 0 wherever the polynomial is stable, with its name in terms of p."""

    name: Formula
    formula: Formula


def factors_of(characteristic: Formula) -> list[Poly]:
    """The irreducible factors of a characteristic polynomial, each with leading coefficient 1; z itself is left out."""
    above, _ = fraction(as_fraction(characteristic))
    listed: Any = factor_list(above, Z)
    polynomials = [Poly(part, Z) for part, power in listed[1] for _ in range(power) if part.has(Z) and part != Z]
    return [
        Poly([cancel(c / polynomial.LC()) for c in polynomial.all_coeffs()], Z, domain="EX")
        for polynomial in polynomials
    ]


def arranged(e: Formula, x: Symbol) -> Formula:
    """A formula by powers of x, with factored coefficients; factored as a whole where it is no polynomial in x."""
    e = cancel(e)
    if not e.is_polynomial(x):
        return tidy(e)
    return Add(*(tidy(c, x**power) for (power,), c in Poly(e, x).terms()))


def tidy(e: Formula, scale: Formula = S.One) -> Formula:
    """A factored formula, times a scale, with β − 1 and other sums that are below 0 turned about."""
    factored = factor(e)
    parts: Any = Mul.make_args(factored)
    turned = [_turned(part) for part in parts]
    if not any(turned):
        return factored if scale == 1 else factored * scale
    sign = (-1) ** sum(part.as_base_exp()[1] for part, other in zip(parts, turned, strict=True) if other)
    return Mul(sign, *(other or part for part, other in zip(parts, turned, strict=True)), scale)


def _turned(e: Formula) -> Formula | None:
    """The power of a sum that is below 0 with that sum's sign changed; None of any other factor."""
    base, exponent = e.as_base_exp()
    if not base.is_Add or not exponent.is_Integer or is_nonnegative(base):
        return None
    negative = Add(*(-term for term in base.args))
    return negative**exponent if is_nonnegative(negative) else None


def conditions(polynomial: Poly, name: str, x: Symbol) -> list[Condition]:
    """The conditions that a stable polynomial can fail first as its numbers move.

    A root leaves the unit circle at 1, where p(1) = 0, at −1, where p(−1) = 0, or in a pair, where the product of all
    1 − z_i·z_j is 0. Up to degree 2 the three are the whole criterion; beyond, the whole is `is_stable`. They are
    arranged by powers of x.
    """
    p, n = Function(name), polynomial.degree()
    turn = Integer(-1) ** n
    named = {p(1): polynomial.eval(1), turn * p(-1): turn * polynomial.eval(-1)}
    if n > 1:
        pair = 1 - p(0) if n == 2 else Symbol("Delta" if name == "p" else f"Delta_{name.removeprefix('p_')}")
        named[pair] = _pair_determinant(polynomial)
    return [Condition(left, arranged(e, x)) for left, e in named.items()]


def _pair_determinant(polynomial: Poly) -> Formula:
    """The product of 1 − z_i·z_j over all pairs of roots i < j: Jury's inner determinant, for leading coefficient 1."""
    a, n = polynomial.all_coeffs()[::-1], polynomial.degree()
    size = n - 1
    upper = Matrix(size, size, lambda i, j: a[n - (j - i)] if j >= i else 0)
    lower = Matrix(size, size, lambda i, j: a[i + j - size + 1] if i + j >= size - 1 else 0)
    return (upper - lower).det(method="berkowitz")


def always_holds(condition: Condition) -> bool:
    """Whether a condition holds whatever the numbers are."""
    return is_positive(condition.formula)


def is_stable(coefficients: Sequence[Any]) -> bool:
    """Whether all roots lie inside the unit circle: Jury's table, in exact numbers, from the highest power down."""
    row = [Fraction(int(c.p), int(c.q)) for c in coefficients]
    while len(row) > 1:
        first, last = row[0], row[-1]
        if abs(last) >= abs(first):
            return False
        row = [first * a - last * b for a, b in zip(row[:-1], row[:0:-1], strict=True)]
    return True


def spectral_radius(factors: Sequence[Poly], x: Symbol) -> Formula | None:
    """The greatest modulus of all roots as a formula; None beyond degree 2."""
    if any(polynomial.degree() > 2 for polynomial in factors):
        return None
    return Max(*(_greatest_modulus(polynomial, x) for polynomial in factors)) if factors else Integer(0)


def _greatest_modulus(polynomial: Poly, x: Symbol) -> Formula:
    if polynomial.degree() == 1:
        _, root = polynomial.all_coeffs()
        return Abs(arranged(-root, x))
    _, middle, last = polynomial.all_coeffs()
    middle, last = arranged(-middle, x), tidy(last)
    return Piecewise(
        (sqrt(last), middle**2 < 4 * last), ((Abs(middle) + sqrt(middle**2 - 4 * last)) / 2, True), evaluate=False
    )


def at(polynomials: Sequence[Poly], numbers: Mapping[Symbol, Any]) -> list[list[Any]]:
    """The coefficients of polynomials at numbers, from the highest power down."""
    return [[cancel(c.xreplace(dict(numbers))) for c in p.all_coeffs()] for p in polynomials]
