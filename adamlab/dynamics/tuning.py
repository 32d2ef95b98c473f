"""The numbers at which a linear step converges fastest on quadratics up to a condition number."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sympy import Matrix, Symbol, lambdify

CURVATURES = 9
"""The curvatures between the least and the greatest that are looked at, with equal ratios."""

NARROWEST = 1e-9
"""The width to which the best numbers are narrowed, of momenta and of the rate's logarithm."""


def fastest(
    matrix: Matrix, h: Symbol, rate: Symbol, momentum: Symbol | None, least: float, greatest: float
) -> tuple[float, float, float | None]:
    """The best learning rate, the best momentum if there is one, and the factor they reach at the worst curvature.

    For each momentum the best rate is searched for, and then the best momentum: both searches take the worst spectral
    radius to fall towards its minimum from either side, as that of the heavy ball does.
    """
    worst = _worst_radius(
        matrix, [h, rate, *([momentum] if momentum else [])], np.geomspace(least, greatest, CURVATURES)
    )

    def best_rate(*others: float) -> tuple[float, float]:
        exponent, radius = _least(lambda e: worst(10.0**e, *others), -6 - np.log10(greatest), 6 - np.log10(greatest))
        return 10.0**exponent, radius

    if momentum is None:
        return (*best_rate(), None)
    b, _ = _least(lambda b: best_rate(b)[1], 0.0, 1.0)
    return (*best_rate(b), b)


def _worst_radius(matrix: Matrix, symbols: Sequence[Symbol], curvatures: np.ndarray) -> Callable[..., float]:
    """The greatest spectral radius over all curvatures, as a function of the other numbers."""
    entries = lambdify([symbols], matrix.flat(), "numpy")
    size = matrix.rows

    def worst(*numbers: float) -> float:
        values = np.array([entries([h, *numbers]) for h in curvatures], float).reshape(-1, size, size)
        return float(np.abs(np.linalg.eigvals(values)).max())

    return worst


def _least(function: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """The least value of a function, and where: by golden sections."""
    from scipy.optimize import minimize_scalar

    result: Any = minimize_scalar(function, bounds=(low, high), method="bounded", options={"xatol": NARROWEST})
    return float(result.x), float(result.fun)
