"""The gradient of batch normalization."""

from typing import Any

import numpy as np
from sympy import Rational, Symbol, sqrt

from adamlab.derivations.computation import Computation, Definition, arrays, total, whole
from adamlab.derivations.derivation import DEFINITION, Derivation, Step
from adamlab.layers import batch_norm
from adamlab.symbolic.functions import pulled_back, read
from adamlab.symbolic.partial import InOrder, partial
from adamlab.types import Formula

SIZES = (2, 3)
CHECKED = "for N = 2 and 3 and every i, differentiated by SymPy, with any values of ∂L/∂y: equal"

X, X_HAT, Y, D = arrays("x", "xhat", "y", "d")
L, MEAN, GAMMA, BETA = (Symbol(name, real=True) for name in ("L", "E", "gamma", "beta"))
VARIANCE = Symbol("Var", nonnegative=True)
EPS = Symbol("epsilon", positive=True)
N, i = whole("N", "i")
SIGMA = sqrt(VARIANCE + EPS)

DEFINITIONS: tuple[Definition, ...] = (
    (MEAN, total(X[i], i, N) / N),
    (VARIANCE, total((X[i] - MEAN) ** 2, i, N) / N),
    (X_HAT[i], (X[i] - MEAN) / SIGMA),
    (Y[i], InOrder(GAMMA * X_HAT[i], BETA)),
)
IDENTITY = {GAMMA: SIGMA, BETA: MEAN}
GAMMA_GRADIENT = total(partial(L, Y[i]) * X_HAT[i], i, N)
BETA_GRADIENT = total(partial(L, Y[i]), i, N)
COMPACT = GAMMA / (N * SIGMA) * (N * partial(L, Y[i]) - partial(L, BETA) - X_HAT[i] * partial(L, GAMMA))


def computation(size: int) -> Computation:
    """The layer on so many values; the loss is linear in y, its slopes being any ∂L/∂y."""
    loss = (L, total(D[i] * Y[i], i, N))
    return Computation((N, size), (*DEFINITIONS, loss))


def derive() -> Derivation:
    """The gradients of batch normalization, from the definitions to the code, and the identity that it can be."""
    small = [computation(size) for size in SIZES]

    def step(words: str, *sides: Any) -> Step:
        return Step(words, sides, CHECKED, all(each.holds(sides) for each in small))

    to_x_hat = partial(L, X_HAT[i])
    three = to_x_hat / SIGMA + partial(L, VARIANCE) * 2 * (X[i] - MEAN) / N + partial(L, MEAN) / N
    steps = (
        Step("The mean of the N values of a feature.", DEFINITIONS[0], DEFINITION),
        Step("Their variance.", DEFINITIONS[1], DEFINITION),
        Step("The values, normalized.", DEFINITIONS[2], DEFINITION),
        Step("Scaled and shifted.", DEFINITIONS[3], DEFINITION),
        step("The scale touches every output, by the normalized value.", partial(L, GAMMA), GAMMA_GRADIENT),
        step("The shift touches every output, by 1.", partial(L, BETA), BETA_GRADIENT),
        step("A normalized value touches its own output.", to_x_hat, partial(L, Y[i]) * GAMMA),
        step(
            "The variance touches every normalized value.",
            partial(L, VARIANCE),
            total(to_x_hat * (X[i] - MEAN) * Rational(-1, 2) * SIGMA**-3, i, N),
        ),
        step(
            "So does the mean, and the variance besides; that part is 0, since the deviations sum to 0.",
            partial(L, MEAN),
            -total(to_x_hat / SIGMA, i, N) + partial(L, VARIANCE) * total(-2 * (X[i] - MEAN), i, N) / N,
            -total(to_x_hat / SIGMA, i, N),
        ),
        step("A value touches its normalized value, the variance and the mean.", partial(L, X[i]), three),
        step("Put in and taken together.", partial(L, X[i]), COMPACT),
        Step(
            "That is the backward of adamlab.layers.batch_norm, and so are the two sums for γ and β.",
            (partial(L, X[i]), COMPACT),
            "all three gradients read off the code for N = 2 and 3: equal",
            all(_is_computed(each) for each in small),
        ),
        Step(
            "With √(Var + ε) for γ and E for β the layer gives back what came in: it can represent the identity.",
            (Y[i], DEFINITIONS[3][1].subs(IDENTITY), X[i]),
            "for N = 2 and 3 and every i, and read off the code: equal",
            all(_is_identity(each) for each in small),
        ),
    )
    return Derivation(
        "batch-norm",
        "The gradient of batch normalization",
        "Ioffe & Szegedy 2015, Batch normalization, Algorithm 1 and section 3",
        "x are the N values of a feature in a batch, y what comes out; ∂L/∂y comes from the layers above.",
        steps,
        ("ε > 0",),
    )


def _is_computed(case: Computation) -> bool:
    x, dy = case.entries(X), case.entries(D)
    dx, dgamma, dbeta, _ = pulled_back(_layer, *_arguments(x, GAMMA, BETA), cotangent=dy.reshape(-1, 1))
    formulas = [*((COMPACT, {i: place + 1}) for place in range(len(x))), (GAMMA_GRADIENT, {}), (BETA_GRADIENT, {})]
    expected = [case.value(formula, where) for formula, where in formulas]
    return all(case.holds(pair) for pair in zip([*dx.flat, *dgamma, *dbeta], expected, strict=True))


def _is_identity(case: Computation) -> bool:
    x = case.entries(X)
    y = read(_layer, *_arguments(x, case.value(SIGMA), case.value(MEAN)))
    by_formula = case.holds((DEFINITIONS[3][1].subs(IDENTITY), X[i]))
    return by_formula and all(case.holds(pair) for pair in zip(y.flat, x, strict=True))


def _layer(x, gamma, beta, eps):
    return batch_norm(x, gamma, beta, eps=eps)


def _arguments(x: np.ndarray, gamma: Formula, beta: Formula) -> list[np.ndarray]:
    """The layer's arguments for one feature, with ε open."""
    return [x.reshape(-1, 1), *(np.array(value, object) for value in ([gamma], [beta], EPS))]
