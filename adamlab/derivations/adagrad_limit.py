"""The limit in which Adam without its first moment becomes Adagrad."""

from sympy import Symbol, sqrt

from adamlab.derivations.computation import total
from adamlab.derivations.derivation import DEFINITION, Derivation, Step
from adamlab.derivations.second_moment import V_HAT, i, is_average, weighted_sum
from adamlab.interpret.equality import same
from adamlab.relations.adagrad import ADAGRAD
from adamlab.relations.adagrad import ADAM_TOWARDS_ADAGRAD as ADAM
from adamlab.symbolic.letters import G, T, U
from adamlab.symbolic.proving.proofs import prove
from adamlab.symbolic.proving.verdicts import DELTA, Verdict
from adamlab.symbolic.solving.closed_forms import closed_form
from adamlab.symbolic.solving.limits import limit_of
from adamlab.types import Formula


def weights(decay: Formula) -> Formula:
    """(1 − β)·Σ β^(t−i), the sum of the weights of a moving average."""
    return (1 - decay) * total(decay ** (T - i), i, T)


def derive() -> Derivation:
    """Adam's way to Adagrad: with β₁ = 0, ε = 0 and η/√t it goes there as β₂ → 1; read off Optax's code."""
    adam, adagrad = closed_form(ADAM), closed_form(ADAGRAD)
    b2, eta = adam.hyper["b2"], adam.hyper["learning_rate"]
    corrected = weighted_sum(b2, 2) / (1 - b2**T)
    step = -eta * G[T] / (sqrt(T) * sqrt(V_HAT[T]))
    mean = total(b2 ** (T - i) * G[i] ** 2, i, T) / total(b2 ** (T - i), i, T)
    squares = total(G[i] ** 2, i, T)
    limit = -eta * G[T] / sqrt(squares)
    steps = (
        Step("Adam's second moment, its bias corrected.", (V_HAT[T], corrected), DEFINITION),
        Step(
            "Adam's step with β₁ = 0, ε = 0 and a learning rate that falls as 1/√t.",
            (U[T], step),
            f"the closed form of {ADAM}: equal for every t",
            same(step.subs(V_HAT[T], corrected), adam.updates),
        ),
        Step(
            "What the bias is corrected by is the sum of the weights.",
            (1 - b2**T, weights(b2)),
            "by induction: both are 0 at t = 0, and both are an average of ones for every t",
            is_average(1, b2, 1 - b2**T)
            and weights(b2).subs(T, 0).doit() == 0
            and same(weights(b2), b2 * weights(b2).subs(T, T - 1) + 1 - b2),
        ),
        Step(
            "So the corrected second moment is a weighted mean of the squared gradients.",
            (V_HAT[T], mean),
            "with the sum of the weights put in: equal for every t",
            same(corrected.subs(1 - b2**T, weights(b2)), mean),
        ),
        Step(
            "As β₂ → 1 the weights become alike, and the mean a plain one.",
            (V_HAT[T], squares / T),
            "limit as β₂ → 1, for every t",
            same(limit_of(corrected, b2, 1), squares / T),
            "→",
        ),
        Step(
            "The root of t cancels, and what is left is Adagrad.",
            (U[T], limit),
            f"limit of the code's closed form as β₂ → 1, and closed form of {ADAGRAD}: both equal for every t",
            same(adam.limit(b2=1).updates, limit) and same(adagrad.updates, limit),
            "→",
        ),
        _how_fast(prove(ADAM, ADAGRAD, limit={"b2": 1}), squares),
    )
    others = [a for a in adagrad.assumptions if not any(a in known for known in adam.assumptions)]
    return Derivation(
        "adagrad-limit",
        "From Adam to Adagrad",
        "Kingma & Ba 2015, Adam, section 5",
        "g is the gradient, η the learning rate; u is added to the parameters; G is Adagrad's sum of squares.",
        steps,
        (*adam.assumptions, *others),
    )


def _how_fast(verdict: Verdict, squares: Formula) -> Step:
    adam, adagrad = Symbol("u_Adam_t"), Symbol("u_Adagrad_t")
    formula = DELTA * total((T + 1 - 2 * i) * G[i] ** 2, i, T) / (4 * squares)
    first_order = None if verdict.order is None else verdict.relative * DELTA**verdict.order
    return Step(
        "How fast: with δ = 1 - β₂, to first order the steps differ by so much; early gradients weigh too little.",
        ((adam - adagrad) / adagrad, formula),
        "series of the code's closed forms about β₂ = 1, for every t: equal",
        verdict.status == "proved" and first_order is not None and same(first_order, formula),
        "≈",
    )
