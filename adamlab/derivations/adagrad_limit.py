"""How Adam without its first moment becomes Adagrad."""

from sympy import Symbol, sqrt

from adamlab.derivations.computation import total
from adamlab.derivations.derivation import Derivation, Step
from adamlab.derivations.second_moment import V_HAT, i, weighted_sum, weights, weights_sum_to
from adamlab.interpret.equality import same
from adamlab.symbolic.closed_forms import closed_form
from adamlab.symbolic.letters import G, T, U
from adamlab.symbolic.limits import limit_of
from adamlab.symbolic.proofs import prove
from adamlab.symbolic.verdicts import DELTA

ADAM = "optax.adam(inverse_sqrt(learning_rate), b1=0.0, b2=b2, eps=0.0)"
ADAGRAD = "optax.adagrad(learning_rate, initial_accumulator_value=0.0, eps=0.0)"


def derive() -> Derivation:
    """Adam with β₁ = 0, ε = 0 and η/√t goes to Adagrad with η as β₂ → 1; both read off Optax's code."""
    adam, adagrad = closed_form(ADAM), closed_form(ADAGRAD)
    b2, eta = adam.hyper["b2"], adam.hyper["learning_rate"]
    step = -eta * G[T] / (sqrt(T) * sqrt(V_HAT[T]))
    corrected = weighted_sum(b2, 2) / (1 - b2**T)
    mean = total(b2 ** (T - i) * G[i] ** 2, i, T) / total(b2 ** (T - i), i, T)
    plain = total(G[i] ** 2, i, T)
    limit = -eta * G[T] / sqrt(plain)
    verdict = prove(ADAM, ADAGRAD, limit={"b2": 1})
    how_fast = Symbol("unknown") if verdict.order is None else verdict.relative * DELTA**verdict.order
    steps = (
        Step(
            "Adam's step with β₁ = 0, ε = 0 and a learning rate that falls as 1/√t.",
            (U[T], step),
            f"the closed form of {ADAM}: equal for every t",
            same(step.subs(V_HAT[T], corrected), adam.updates),
        ),
        Step(
            "The bias correction is the sum of the weights.",
            (1 - b2**T, weights(b2)),
            "by induction: both are 0 at t = 0 and follow the same recurrence",
            weights_sum_to(b2, 1 - b2**T),
        ),
        Step(
            "So the corrected second moment is a weighted mean of the squared gradients.",
            (V_HAT[T], corrected, mean),
            "with the sum of the weights put in: equal for every t",
            same(weighted_sum(b2, 2) / weights(b2), mean),
        ),
        Step(
            "As β₂ → 1 the weights become alike, and the mean a plain one.",
            (V_HAT[T], plain / T),
            "limit as β₂ → 1 for every t",
            same(limit_of(corrected, b2, 1), plain / T),
            "→",
        ),
        Step(
            "The root of t cancels, and what is left is Adagrad.",
            (U[T], limit),
            f"limit of the code's closed form as β₂ → 1, and closed form of {ADAGRAD}: both equal for every t",
            same(adam.limit(b2=1).updates, limit) and same(adagrad.updates, limit),
            "→",
        ),
        Step(
            "How fast: with δ = 1 - β₂, the relative difference of the two steps, to first order.",
            (Symbol("relative_difference"), how_fast),
            f"al.prove, on Optax's code: {verdict.status}",
            verdict.status == "proved",
        ),
    )
    return Derivation("adagrad-limit", "From Adam to Adagrad", "Kingma & Ba 2015, Adam, section 5", steps)
