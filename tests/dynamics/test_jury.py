"""Jury's criterion in exact numbers and as conditions, against NumPy's roots."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from sympy import Poly, Rational, Symbol

from adamlab.dynamics.jury import Z, conditions, factors_of, is_stable, spectral_radius
from adamlab.dynamics.thresholds import certified

X = Symbol("x", positive=True)


def drawn(rng, degree: int) -> list:
    """The coefficients, from 1 down, of a polynomial whose roots lie near the unit circle."""
    roots: list[complex] = []
    while len(roots) < degree:
        size, angle = rng.uniform(0.5, 1.1), rng.uniform(0, np.pi)
        pair = degree - len(roots) > 1 and rng.random() < 0.6
        roots += [size * np.exp(1j * angle), size * np.exp(-1j * angle)] if pair else [size * rng.choice([-1, 1])]
    return [Rational(str(round(float(c), 6))) for c in np.real(np.poly(roots))]


def moduli(coefficients) -> np.ndarray:
    return np.abs(np.roots([float(c) for c in coefficients]))


def test_the_table_decides_as_the_roots_do(rng):
    seen = set()
    for degree in (1, 2, 3, 4, 5):
        for _ in range(40):
            coefficients = drawn(rng, degree)
            expected = bool(moduli(coefficients).max() < 1)
            assert is_stable(coefficients) is expected
            seen.add((degree, expected))
    assert len(seen) == 10


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_conditions_are_products_over_roots(degree, rng):
    """p(1) = ∏(1 − z_i), ±p(−1) = ∏(1 + z_i), and the third is ∏(1 − z_i·z_j)."""
    for _ in range(5):
        coefficients = drawn(rng, degree)
        z = np.roots([float(c) for c in coefficients])
        at_one, at_minus_one, pairs = (float(c.formula) for c in conditions(Poly(coefficients, Z, domain="EX"), "p", X))
        assert at_one == pytest.approx(np.real(np.prod(1 - z)), abs=1e-9)
        assert at_minus_one == pytest.approx(np.real(np.prod(1 + z)), abs=1e-9)
        assert pairs == pytest.approx(np.real(np.prod([1 - a * b for a, b in combinations(z, 2)])), abs=1e-9)


def test_factors_are_those_of_the_polynomial_but_for_z():
    p, q = factors_of(Z**2 * (Z - X) * (2 * Z**2 - Z + X))
    assert {p.as_expr(), q.as_expr()} == {Z - X, Z**2 - Z / 2 + X / 2}


def threshold(*characteristics):
    factors = [Poly(c, Z, domain="EX") for c in characteristics]
    listed = [c for k, p in enumerate(factors) for c in conditions(p, f"p_{k}", X)]
    return certified(factors, listed, X, {})


def test_the_first_root_to_leave_the_circle_is_the_threshold():
    assert threshold(Z - 1 + X) == 2
    assert threshold(Z - 1 + X, Z - 1 + 5 * X) == Rational(2, 5)
    assert threshold(Z**2 - Z + X) == 1  # a pair leaves it at ±60°
    assert threshold(Z**3 - X) == 1
    assert threshold(Z - 1 + 3 * X - X**2) == 1  # and stable again beyond 2
    assert float(threshold(Z - 1 + X**2)) == pytest.approx(2**0.5, rel=1e-15)
    assert float(threshold(Z - 1 + 10**9 * X**3)) == pytest.approx(2 ** (1 / 3) / 1000, rel=1e-15)


def test_a_threshold_is_infinite_or_0_where_none_or_all_are_unstable():
    assert str(threshold(Z - 1 / (1 + X))) == "oo"
    assert threshold(Z - 1 - X) == 0
    assert threshold(Z - 1 + X, Z - 2) == 0


def test_the_radius_is_that_of_the_roots(rng):
    for coefficients in [drawn(rng, degree) for degree in (1, 2) for _ in range(8)]:
        radius: Any = spectral_radius([Poly(coefficients, Z, domain="EX")], X)
        assert float(radius) == pytest.approx(moduli(coefficients).max(), rel=1e-6)
    assert spectral_radius([Poly(Z**3 - X, Z, domain="EX")], X) is None
