"""How the forms of the table of translations stand to the algorithms of their papers, decided by proofs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from adamlab.symbolic.proving.proofs import prove
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.translation.papers import descent, moments, signs, squares
from adamlab.translation.papers.steps import Transformation
from adamlab.translation.table import SAME, Near, Same


@dataclass(frozen=True)
class Standing:
    """How a form of the table stands to the algorithm of its paper.

    Attributes:
        algorithm: the paper's; its docstring says whose.
        given: the numbers at which the two are the same; empty where they always are.
        but: in words, what else differs; empty where nothing does.
        variant: the algorithm with that difference, which is the form's for every t; None where nothing differs, or
            where it is not proved that nothing else does.
    """

    algorithm: Callable[..., Transformation]
    given: Mapping[str, float] = field(default_factory=dict)
    but: str = ""
    variant: Callable[..., Transformation] | None = None

    @property
    def paper(self) -> str:
        """The paper, and where it has the algorithm."""
        return (self.algorithm.__doc__ or "").partition("\n")[0].partition(": ")[0].rstrip(".")

    @property
    def is_same(self) -> bool:
        """Whether the form is the paper's algorithm, whatever its numbers are."""
        return not self.given and not self.but


CORRECTED = "both moments are corrected, the second {} the maximum: the first step is lr, where the paper's is 3.2·lr"

STANDINGS: dict[str, Standing] = {
    "optax.sgd(learning_rate=lr)": Standing(descent.gradient_descent),
    "optax.sgd(learning_rate=lr, momentum=m)": Standing(descent.heavy_ball),
    "optax.sgd(learning_rate=lr, momentum=m, nesterov=true)": Standing(descent.nesterov),
    "optax.adam(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(moments.adam),
    "optax.adamw(learning_rate=lr, b1=b1, b2=b2, eps=e, weight_decay=wd)": Standing(moments.adamw, {"alpha": 1.0}),
    "optax.adamax(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(moments.adamax, {"e": 0.0}),
    "keras.Adagrad(learning_rate=lr, initial_accumulator_value=a, epsilon=e)": Standing(
        squares.adagrad, {"a": 0.0, "e": 0.0}
    ),
    "torch.RMSprop(lr=lr, alpha=a, eps=e)": Standing(squares.rmsprop, {"e": 0.0}),
    "torch.RMSprop(lr=lr, alpha=a, eps=e, centered=true)": Standing(squares.graves, {"m": 0.0, "e": 0.0}),
    "torch.RMSprop(lr=lr, alpha=a, eps=e, momentum=m, centered=true)": Standing(squares.graves, {"e": 0.0}),
    "optax.rmsprop(learning_rate=lr, decay=a, eps=e)": Standing(squares.rmsprop, {"e": 0.0}),
    "optax.rmsprop(learning_rate=lr, decay=a, eps=e, centered=true)": Standing(squares.graves, {"m": 0.0}),
    "optax.adadelta(learning_rate=lr, rho=r, eps=e)": Standing(squares.adadelta, {"lr": 1.0}),
    "keras.Nadam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)": Standing(
        moments.nadam,
        {},
        "the momentum grows by 0.96^t, not 0.96^(t/250); the average goes by β₁, not μ_t; v̂ lacks a further β₂, 0.999",
        moments.nadam_of_keras,
    ),
    "optax.lion(learning_rate=lr, b1=b1, b2=b2, weight_decay=0.0)": Standing(signs.lion, {"wd": 0.0}),
    "optax.lion(learning_rate=lr, b1=b1, b2=b2, weight_decay=wd)": Standing(signs.lion),
    "optax.lamb(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(
        moments.lamb, {"wd": 0.0}, "the ratio is 1, not 0, for parameters at 0", moments.lamb_from_0_on
    ),
    "optax.lamb(learning_rate=lr, b1=b1, b2=b2, eps=e, weight_decay=wd)": Standing(
        moments.lamb, {}, "the ratio is 1, not 0, for parameters at 0", moments.lamb_from_0_on
    ),
    "torch.SGD(lr=lr, weight_decay=wd)": Standing(descent.sgdw, {"alpha": 1.0, "m": 0.0}),
    "keras.SGD(learning_rate=lr, momentum=m, weight_decay=wd)": Standing(descent.sgdw, {"alpha": 1.0}),
    "optax.yogi(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(
        moments.yogi, {}, "both moments begin at 1e-6, not 0, and are corrected", moments.yogi_corrected
    ),
    "keras.Adam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)": Standing(moments.adam, {"e": 0.0}),
    "keras.AdamW(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, weight_decay=wd)": Standing(
        moments.adamw, {"alpha": 1.0, "e": 0.0}
    ),
    "keras.Adam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, weight_decay=wd)": Standing(
        moments.adamw, {"alpha": 1.0, "e": 0.0}
    ),
    "keras.Adamax(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)": Standing(moments.adamax, {"e": 0.0}),
    "torch.Adam(lr=lr, beta1=b1, beta2=b2, eps=e, amsgrad=true)": Standing(
        moments.amsgrad, {"e": 0.0}, CORRECTED.format("after"), moments.amsgrad_corrected
    ),
    "keras.Adam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, amsgrad=true)": Standing(
        moments.amsgrad, {"e": 0.0}, CORRECTED.format("after"), moments.amsgrad_corrected
    ),
    "optax.amsgrad(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(
        moments.amsgrad, {"e": 0.0}, CORRECTED.format("ahead of"), moments.amsgrad_of_corrected
    ),
    "torch.Adagrad(lr=lr, initial_accumulator_value=a, eps=e)": Standing(squares.adagrad, {"a": 0.0}),
    "torch.NAdam(lr=lr, beta1=b1, beta2=b2, eps=e, momentum_decay=psi)": Standing(
        moments.nadam,
        {"psi": 0.004},
        "the average goes by β₁, not μ_t; v̂ lacks a further β₂, 0.999",
        moments.nadam_of_frameworks,
    ),
    "optax.nadam(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(
        moments.nadam,
        {},
        "the momentum is β₁, and does not grow from β₁/2 on; v̂ lacks a further β₂, 0.999",
        moments.nadam_of_constant_momentum,
    ),
    "optax.radam(learning_rate=lr, b1=b1, b2=b2, eps=e, threshold=5.0)": Standing(
        moments.radam,
        {"e": 0.0},
        "rectified where ρ_t ≥ 5, not > 4: with β₂ = 0.999 from step 6 on, not 5",
        moments.radam_from_5_on,
    ),
    "torch.RAdam(lr=lr, beta1=b1, beta2=b2, eps=e)": Standing(
        moments.radam,
        {"e": 0.0},
        "rectified where ρ_t > 5, not > 4: with β₂ = 0.999 from step 6 on, not 5",
        moments.radam_above_5,
    ),
    "keras.Lamb(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, weight_decay=wd)": Standing(
        moments.lamb,
        {},
        "lr·wd·w is taken off ahead of the step, whose ratio goes by what is left; it is 1, not 0, for parameters at 0",
        moments.lamb_of_keras,
    ),
    "torch.Rprop(lr=lr, etaminus=a, etaplus=b, step_size_min=low, step_size_max=high)": Standing(
        signs.rprop,
        {},
        "where the sign changes no step is taken; the paper takes the step before back",
    ),
    "optax.rprop(learning_rate=lr, eta_minus=a, eta_plus=b, min_step_size=low, max_step_size=high)": Standing(
        signs.rprop,
        {},
        "where the sign changes no step is taken; the paper takes the step before back; others come a gradient late",
    ),
}
"""By form: a row's first form stands for all forms of that row which are the same."""

UNWRITTEN = (
    "RMSprop with momentum",
    "SGD with Nesterov's momentum and weight decay",
    "RMSprop with weight decay",
    "RMSprop, centered, with weight decay",
    "Adagrad with weight decay",
    "Adadelta with weight decay",
    "AMSGrad with AdamW's weight decay",
)
"""The rows of the table whose optimizers no paper has."""


def standing_of(form: str) -> Standing | None:
    """How a form of the table stands to its paper; None where no algorithm of a paper is known for it."""
    alike = (other for row in SAME if form in row.forms.values() for other in row.forms.values())
    return next((STANDINGS[other] for other in (form, *alike) if other in STANDINGS), None)


def standings(row: Same | Near) -> dict[str, Standing]:
    """By library, how the forms of a row stand to their paper."""
    known = {library: standing_of(form) for library, form in row.forms.items()}
    return {library: standing for library, standing in known.items() if standing is not None}


def decided(form: str, standing: Standing) -> tuple[Verdict, bool]:
    """The verdict on whether a form is its paper's algorithm, and whether that and the conditions are as stated."""
    verdict = prove(form, standing.algorithm)
    if standing.is_same:
        return verdict, verdict.holds
    if standing.but and standing.variant is None:
        return verdict, verdict.status == "refuted"
    own = prove(form, standing.variant or standing.algorithm, given=standing.given)
    return verdict, verdict.status == "refuted" and own.holds
