"""Adam's second moment, from its recurrence to the sum over all gradients and the correction of its bias."""

from typing import Any

from sympy import Symbol, sqrt

from adamlab.derivations.computation import arrays, total
from adamlab.derivations.derivation import DEFINITION, Derivation, Step
from adamlab.interpret.equality import same
from adamlab.symbolic.letters import INDICES, G, T, U
from adamlab.symbolic.solving.closed_forms import closed_form
from adamlab.symbolic.unrolling import unroll
from adamlab.types import Formula

STEPS = 3
"""How many steps are written out."""

M, V, M_HAT, V_HAT = arrays("m", "v", "mhat", "vhat")
C = Symbol("c", positive=True)
i = INDICES[0]


def weighted_sum(decay: Formula, power: int, end: Formula = T) -> Formula:
    """(1 − β)·Σ β^(t−i)·g_i^power for i from 1 to the end."""
    return (1 - decay) * total(decay ** (end - i) * G[i] ** power, i, end)


def is_average(squares: Formula, decay: Formula, claimed: Formula) -> bool:
    """Whether a moving average of equal squares that starts at 0 is what is claimed, at every t."""
    before = claimed.subs(T, T - 1)
    return claimed.subs(T, 0) == 0 and same(claimed, decay * before + (1 - decay) * squares)


def goes_on(claimed: Formula, decay: Formula) -> bool:
    """Whether what is claimed of v is v₀ at t = 0, and follows from itself by the recurrence at every t from 1."""
    before = claimed.subs(T, T - 1)
    start = claimed.subs(T, 0).doit()
    return start == V[0] and same(claimed, decay * before + (1 - decay) * G[T] ** 2)


def derive() -> Derivation:
    """Adam's second moment, (1 − β₂)·Σ β₂^(t−i)·g_i², and the correction of its bias, read off optax.adam's code."""
    form, first = closed_form("optax.adam"), unroll("optax.adam", STEPS)
    b1, b2, eta, eps = (form.hyper[name] for name in ("b1", "b2", "learning_rate", "eps"))
    recursion = form.recurrences["nu"]
    recurrence = b2 * recursion.lhs.base[T - 1] + (1 - b2) * G[T] ** 2
    sums = weighted_sum(b2, 2)
    general = b2**T * V[0] + sums
    advanced = b2 * weighted_sum(b2, 2, T - 1) + (1 - b2) * G[T] ** 2
    step = -eta * M_HAT[T] / (sqrt(V_HAT[T]) + eps)
    hats = {M_HAT[T]: weighted_sum(b1, 1) / (1 - b1**T), V_HAT[T]: sums / (1 - b2**T)}
    steps = [
        Step(
            "The second moment is a moving average of squared gradients, which starts at v₀ = 0.",
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
            "By induction: at t = 0 the sum is empty, and put into the recurrence the sum to t - 1 becomes that to t.",
            (advanced, sums),
            "both sides in normal form: equal for every t; 0 at t = 0",
            same(advanced, sums) and sums.subs(T, 0).doit() == 0,
        ),
        Step(
            "From another start v₀, as a run that is taken up again has, what is left of it is added.",
            (V[T], general),
            "v₀ at t = 0, and as the recurrence has it for every t: equal",
            goes_on(general, b2),
        ),
        Step(
            "If all squares were the same c, the average would be less than c, since the start at 0 counts too.",
            (V[T], C * (1 - b2**T)),
            "0 at t = 0, and as the recurrence has it for every t: equal",
            is_average(C, b2, C * (1 - b2**T)),
        ),
        Step("So the average is divided by that factor.", (V_HAT[T], V[T] / (1 - b2**T)), DEFINITION),
        Step(
            "The first moment is the same of the gradients themselves, and is corrected alike.",
            (M_HAT[T], M[T] / (1 - b1**T), weighted_sum(b1, 1) / (1 - b1**T)),
            "the closed form of the code: equal for every t",
            same(weighted_sum(b1, 1), form.states["mu"]),
        ),
        Step(
            "Adam's step is made of the two.",
            (U[T], step),
            "the closed form of the update in the code of optax.adam, with both moments put in: equal for every t",
            same(step.xreplace(hats), form.updates),
        ),
    ]
    return Derivation(
        "second-moment",
        "Adam's second moment",
        "Kingma & Ba 2015, Adam, Algorithm 1 and section 3",
        "g is the gradient, m and v are Adam's moments of it, η is the learning rate, u is added to the parameters.",
        tuple(steps),
        form.assumptions,
    )


def _written_out(first: Any, b2: Formula, t: int) -> Step:
    terms = [b2 ** (t - n) * g**2 for n, g in enumerate(first.gradients[:t], start=1)]
    formula = (1 - b2) * sum(terms)
    return Step(
        f"Step {t}, written out.",
        (V[t], formula),
        "the code of optax.adam, unrolled: equal",
        same(first.states[t - 1]["nu"], formula),
    )
