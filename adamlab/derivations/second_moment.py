"""Adam's second moment, from its recurrence to the sum over all gradients and the correction of its bias."""

from typing import Any

from sympy import sqrt

from adamlab.derivations.computation import arrays, total
from adamlab.derivations.derivation import DEFINITION, Derivation, Step
from adamlab.interpret.equality import same
from adamlab.symbolic.closed_forms import closed_form
from adamlab.symbolic.letters import INDICES, G, T, U
from adamlab.symbolic.unrolling import unroll
from adamlab.types import Formula

STEPS = 3
"""How many steps are written out."""

V, M_HAT, V_HAT = arrays("v", "mhat", "vhat")
i = INDICES[0]


def weighted_sum(decay: Formula, power: int, end: Formula = T) -> Formula:
    """(1 − β)·Σ β^(t−i)·g_i^power for i from 1 to the end."""
    return (1 - decay) * total(decay ** (end - i) * G[i] ** power, i, end)


def weights(decay: Formula) -> Formula:
    """(1 − β)·Σ β^(t−i), what the weights sum to."""
    return (1 - decay) * total(decay ** (T - i), i, T)


def weights_sum_to(decay: Formula, total: Formula) -> bool:
    """Whether the weights sum to that at every t: both are 0 at t = 0, and later β times what they were, plus 1 − β."""
    follow = [same(x, decay * x.subs(T, T - 1) + 1 - decay) for x in (weights(decay), total)]
    return all(follow) and weights(decay).subs(T, 0).doit() == 0 == total.subs(T, 0)


def derive() -> Derivation:
    """v_t = (1 − β₂)·Σ β₂^(t−i)·g_i², read off optax.adam's own code."""
    form, first = closed_form("optax.adam"), unroll("optax.adam", STEPS)
    b1, b2, eta, eps = (form.hyper[name] for name in ("b1", "b2", "learning_rate", "eps"))
    recursion = form.recurrences["nu"]
    recurrence = b2 * recursion.lhs.base[T - 1] + (1 - b2) * G[T] ** 2
    sums = weighted_sum(b2, 2)
    corrected = -eta * M_HAT[T] / (sqrt(V_HAT[T]) + eps)
    hats = {M_HAT[T]: weighted_sum(b1, 1) / (1 - b1**T), V_HAT[T]: sums / (1 - b2**T)}
    steps = [
        Step(
            "Adam's second moment is a moving average of squared gradients, which starts at 0.",
            (V[T], recurrence),
            "read off the code of optax.adam: equal",
            same(recurrence, recursion.rhs),
        ),
        *(_written_out(first, b2, t) for t in range(1, STEPS + 1)),
        Step(
            "In general each step multiplies all earlier terms by the decay once more.",
            (V[T], sums),
            "the closed form of the code: equal for every t",
            same(sums, form.states["nu"]),
        ),
        Step(
            "By induction: put into the recurrence, the sum to t - 1 becomes the sum to t.",
            (b2 * weighted_sum(b2, 2, T - 1) + (1 - b2) * G[T] ** 2, sums),
            "both sides in normal form: equal for every t",
            same(b2 * weighted_sum(b2, 2, T - 1) + (1 - b2) * G[T] ** 2, sums),
        ),
        Step(
            "The weights do not sum to 1, since the start at 0 keeps the rest.",
            (weights(b2), 1 - b2**T),
            "by induction: both are 0 at t = 0 and follow the same recurrence",
            weights_sum_to(b2, 1 - b2**T),
        ),
        Step(
            "So squares of one size average to too little, by this factor; the average is divided by it.",
            (V_HAT[T], V[T] / (1 - b2**T)),
            DEFINITION,
        ),
        Step(
            "With the first moment corrected alike, that is the step which Adam takes.",
            (U[T], corrected),
            "the closed form of the update in the code of optax.adam: equal for every t",
            same(corrected.xreplace(hats), form.updates),
        ),
    ]
    source = "Kingma & Ba 2015, Adam, Algorithm 1 and section 3"
    return Derivation("second-moment", "Adam's second moment", source, tuple(steps))


def _written_out(first: Any, b2: Formula, t: int) -> Step:
    terms = [b2 ** (t - n) * g**2 for n, g in enumerate(first.gradients[:t], start=1)]
    formula = (1 - b2) * sum(terms)
    return Step(
        f"Step {t}, written out." if t > 1 else "Step 1, from 0.",
        (V[t], formula),
        "the code of optax.adam, unrolled: equal",
        same(first.states[t - 1]["nu"], formula),
    )
