"""The gradient of softmax with cross-entropy."""

from typing import Any

import numpy as np
from sympy import Integer, KroneckerDelta, Mul, Symbol, exp, log

from adamlab.derivations.computation import Computation, arrays, total, whole
from adamlab.derivations.derivation import DEFINITION, Derivation, Step
from adamlab.interpret.equality import same
from adamlab.layers import softmax, softmax_cross_entropy
from adamlab.symbolic.functions import pulled_back, read
from adamlab.symbolic.partial import InOrder, partial
from adamlab.types import Formula

SIZES = (2, 3)
CHECKED = "for n = 2 and 3 and every index, differentiated by SymPy: equal"

Z, Y, Y_HAT = arrays("z", "y", "yhat")
L = Symbol("L", real=True)
n, i, j, k = whole("n", "i", "j", "k")

SUM = total(exp(Z[k]), k, n)
SOFTMAX = exp(Z[i]) / SUM
LOSS = -total(Y[i] * log(Y_HAT[i]), i, n)
OWN = Y_HAT[i] * (1 - Y_HAT[i])
OTHER = -Y_HAT[i] * Y_HAT[j]
JACOBIAN = Y_HAT[i] * (KroneckerDelta(i, j) - Y_HAT[j])
GRADIENT = Y_HAT[j] - Y[j]


def computation(size: int, *, labels_sum_to_1: bool = False) -> Computation:
    """Softmax and the loss of so many classes."""
    given = {Y[size]: 1 - sum((Y[place] for place in range(1, size)), Integer(0))} if labels_sum_to_1 else {}
    return Computation((n, size), ((Y_HAT[i], SOFTMAX), (L, LOSS)), given)


def derive() -> Derivation:
    """The gradient of softmax with cross-entropy: ∂L/∂z = ŷ − y, from the definitions to the code."""
    plain, summing = ([computation(size, labels_sum_to_1=known) for size in SIZES] for known in (False, True))

    def step(words: str, *sides: Any, among: list[Computation] = plain, checked: str = CHECKED) -> Step:
        return Step(words, sides, checked, all(each.holds(sides) for each in among))

    square = Mul(exp(Z[i]), exp(Z[i]), evaluate=False)
    through = total(partial(L, Y_HAT[i]) * partial(Y_HAT[i], Z[j]), i, n)
    put_in = total(Mul(-Y[i] / Y_HAT[i], JACOBIAN, evaluate=False), i, n)
    steps = (
        Step("Softmax makes probabilities of n scores.", (Y_HAT[i], SOFTMAX), DEFINITION),
        Step("The loss is their cross-entropy with the labels.", (L, LOSS), DEFINITION),
        _case(
            "The quotient rule by the probability's own score, i = j, of which numerator and sum have a term each.",
            (
                partial(Y_HAT[i], Z[i]),
                InOrder(exp(Z[i]) * SUM, -square) / SUM**2,
                OWN,
            ),
            j_is_i=True,
        ),
        _case(
            "By another score, i ≠ j, of which the sum alone has a term.",
            (partial(Y_HAT[i], Z[j]), -exp(Z[i]) * exp(Z[j]) / SUM**2, OTHER),
            j_is_i=False,
        ),
        Step(
            "Both cases at once are the Jacobian of softmax.",
            (partial(Y_HAT[i], Z[j]), JACOBIAN),
            f"the cases put in, for every n; {CHECKED}",
            all(_is_for_every_n((partial(Y_HAT[i], Z[j]), JACOBIAN), case) for case in (True, False))
            and all(each.holds((partial(Y_HAT[i], Z[j]), JACOBIAN)) for each in plain),
        ),
        step("The derivative of the logarithm.", partial(L, Y_HAT[i]), -Y[i] / Y_HAT[i]),
        step(
            "By the chain rule, since a score touches every probability; the denominator cancels.",
            partial(L, Z[j]),
            through,
            put_in,
            InOrder(Y_HAT[j] * total(Y[i], i, n), -Y[j]),
        ),
        step(
            "Labels that are probabilities sum to 1, and what is left is the error.",
            partial(L, Z[j]),
            GRADIENT,
            among=summing,
            checked="for n = 2 and 3, every j and all labels that sum to 1: equal",
        ),
        Step(
            "That is the backward of adamlab.layers.softmax_cross_entropy.",
            (partial(L, Z[j]), GRADIENT),
            "read off the code for n = 2 and 3, for any labels that sum to 1 and none of them 0, and for all one-hot "
            "ones: equal",
            all(_is_computed(each) for each in summing),
        ),
        Step(
            "And the backward of adamlab.layers.softmax is the Jacobian.",
            (partial(L, Z[j]), total(partial(L, Y_HAT[i]) * JACOBIAN, i, n)),
            "read off the code for n = 2 and 3, with any ∂L/∂ŷ: equal",
            all(_softmax_is_computed(each) for each in plain),
        ),
    )
    return Derivation(
        "softmax-cross-entropy",
        "The gradient of softmax with cross-entropy",
        "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
        "z are scores of n classes, y the labels; δ with two indices is 1 where they are the same, and 0 elsewhere.",
        steps,
    )


REST = Symbol("R", nonnegative=True)
"""The sum of the exponentials of all scores but z_i and z_j, how many there may be, which depends on neither."""


def _case(words: str, sides: tuple[Any, ...], *, j_is_i: bool) -> Step:
    checked = "for every n, the other scores' exponentials summed to a number; differentiated by SymPy: equal"
    return Step(words, sides, checked, _is_for_every_n(sides, j_is_i))


def _is_for_every_n(sides: tuple[Any, ...], j_is_i: bool) -> bool:
    """Whether the sides are the same for however many scores, where j is i or another index."""
    z_i, z_j = (Symbol(letter, real=True) for letter in "ab")
    scores = (z_i,) if j_is_i else (z_i, z_j)
    exponentials = sum((exp(z) for z in scores), REST)
    own, other = (exp(z) / exponentials for z in (z_i, scores[-1]))
    known = {
        partial(Y_HAT[i], Z[i]): own.diff(z_i),
        partial(Y_HAT[i], Z[j]): own.diff(scores[-1]),
        KroneckerDelta(i, j): Integer(int(j_is_i)),
        SUM: exponentials,
        Y_HAT[i]: own,
        Y_HAT[j]: other,
        Z[i]: z_i,
        Z[j]: scores[-1],
    }
    first, *others = (side.xreplace(known).doit() for side in sides)
    return all(same(first, e) for e in others)


def _is_computed(case: Computation) -> bool:
    classes = case.size[1]
    one_hot = [[Integer(int(place == true)) for place in range(classes)] for true in range(classes)]
    return all(_gradient_is_computed(case, labels) for labels in (case.entries(Y), *np.array(one_hot, object)))


def _gradient_is_computed(case: Computation, labels: np.ndarray) -> bool:
    z = case.entries(Z)
    known = dict(zip(case.entries(Y), labels, strict=True))
    dz, _ = pulled_back(softmax_cross_entropy, z, labels, cotangent=np.array(Integer(1), object))
    expected = [case.value(GRADIENT, {j: place}).xreplace(known) for place in range(1, len(z) + 1)]
    return _all_equal(case, dz, expected)


def _softmax_is_computed(case: Computation) -> bool:
    z, dy = case.entries(Z), case.entries(Y)
    (dz,) = pulled_back(softmax, z, cotangent=dy)
    expected = [case.value(total(Y[i] * JACOBIAN, i, n), {j: place}) for place in range(1, len(z) + 1)]
    forward = [case.value(Y_HAT[place]) for place in range(1, len(z) + 1)]
    return _all_equal(case, dz, expected) and _all_equal(case, read(softmax, z), forward)


def _all_equal(case: Computation, values: np.ndarray, expected: list[Formula]) -> bool:
    return all(case.holds((e.xreplace(dict(case.given)), x)) for e, x in zip(values, expected, strict=True))
