"""The table of translations: which optimizers of PyTorch, Keras, Optax and adamlab are the same, or nearly so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

LIBRARIES = ("optax", "adamlab", "torch", "keras")
"""What is translated from and to."""

IN_WORDS = {"optax": "Optax", "adamlab": "adamlab", "torch": "PyTorch", "keras": "Keras"}

FOR_MATRICES = {
    "muon": (
        "Muon is for matrices, and a proof is about a single number, on which it is Adam",
        {"optax": "optax.contrib.muon", "torch": "torch.optim.Muon", "keras": "keras.optimizers.Muon"},
    ),
    "adafactor": (
        "Adafactor goes by the rows and columns of a matrix, and a proof is about a single number",
        {"optax": "optax.adafactor", "torch": "torch.optim.Adafactor", "keras": "keras.optimizers.Adafactor"},
    ),
}
"""Optimizers that no row decides, in lower case, each with the reason and its names in the libraries."""


def undecided(name: str, to: str) -> tuple[str, ...]:
    """In words, why no row has an optimizer of that name, and what the other library has; none of any other name."""
    why, names = FOR_MATRICES.get(name.lower(), ("", {}))
    own = f" {IN_WORDS[to]}'s is {names[to]}, not compared." if to in names else ""
    return (f"{why}: the table has no row for it.{own}",) if why else ()


@dataclass(frozen=True)
class Same:
    """Optimizers of several libraries that take the same steps, whatever their numbers are.

    Attributes:
        name: of the optimizer in the field.
        forms: a spec by library; the same name is the same number.
        inside: the libraries that have the learning rate inside of the momentum, as others do not: with these the steps
            are the same while the rate is constant.
    """

    name: str
    forms: Mapping[str, str]
    inside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Near:
    """Optimizers of two libraries that differ in a detail, and are the nearest that the libraries have.

    Attributes:
        name: of the optimizer in the field.
        forms: a spec by library, two of them.
        difference: the detail, in words, which fits either direction.
    """

    name: str
    forms: Mapping[str, str]
    difference: str


def _family(text: str) -> dict[str, str]:
    """The same form for Optax and adamlab, which has Optax's names."""
    return {"optax": text, "adamlab": text.replace("optax.", "adamlab.").replace("adamlab.chain", "optax.chain")}


SAME: tuple[Same, ...] = (
    Same(
        "SGD",
        {"torch": "torch.SGD(lr=lr)", "keras": "keras.SGD(learning_rate=lr)", **_family("optax.sgd(learning_rate=lr)")},
    ),
    Same(
        "SGD with momentum",
        {
            "torch": "torch.SGD(lr=lr, momentum=m)",
            "keras": "keras.SGD(learning_rate=lr, momentum=m)",
            **_family("optax.sgd(learning_rate=lr, momentum=m)"),
        },
        inside=("keras",),
    ),
    Same(
        "SGD with Nesterov's momentum",
        {
            "torch": "torch.SGD(lr=lr, momentum=m, nesterov=true)",
            "keras": "keras.SGD(learning_rate=lr, momentum=m, nesterov=true)",
            **_family("optax.sgd(learning_rate=lr, momentum=m, nesterov=true)"),
        },
        inside=("keras",),
    ),
    Same(
        "Adam",
        {
            "torch": "torch.Adam(lr=lr, beta1=b1, beta2=b2, eps=e)",
            **_family("optax.adam(learning_rate=lr, b1=b1, b2=b2, eps=e)"),
        },
    ),
    Same(
        "AdamW",
        {
            "torch": "torch.AdamW(lr=lr, beta1=b1, beta2=b2, eps=e, weight_decay=wd)",
            **_family("optax.adamw(learning_rate=lr, b1=b1, b2=b2, eps=e, weight_decay=wd)"),
        },
    ),
    Same(
        "AdamW",
        {
            "torch": "torch.Adam(lr=lr, beta1=b1, beta2=b2, eps=e, weight_decay=wd, decoupled_weight_decay=true)",
            **_family("optax.adamw(learning_rate=lr, b1=b1, b2=b2, eps=e, weight_decay=wd)"),
        },
    ),
    Same(
        "AdaMax",
        {
            "torch": "torch.Adamax(lr=lr, beta1=b1, beta2=b2, eps=e)",
            **_family("optax.adamax(learning_rate=lr, b1=b1, b2=b2, eps=e)"),
        },
    ),
    Same(
        "Adagrad",
        {
            "keras": "keras.Adagrad(learning_rate=lr, initial_accumulator_value=a, epsilon=e)",
            **_family("optax.adagrad(learning_rate=lr, initial_accumulator_value=a, eps=e)"),
        },
    ),
    Same(
        "RMSprop",
        {
            "torch": "torch.RMSprop(lr=lr, alpha=a, eps=e)",
            **_family("optax.rmsprop(learning_rate=lr, decay=a, eps=e, eps_in_sqrt=false)"),
        },
    ),
    Same(
        "RMSprop, centered",
        {
            "torch": "torch.RMSprop(lr=lr, alpha=a, eps=e, centered=true)",
            **_family("optax.rmsprop(learning_rate=lr, decay=a, eps=e, eps_in_sqrt=false, centered=true)"),
        },
    ),
    Same(
        "RMSprop with momentum",
        {
            "torch": "torch.RMSprop(lr=lr, alpha=a, eps=e, momentum=m)",
            **_family("optax.rmsprop(learning_rate=lr, decay=a, eps=e, eps_in_sqrt=false, momentum=m)"),
        },
        inside=("optax", "adamlab"),
    ),
    Same(
        "RMSprop, centered, with momentum",
        {
            "torch": "torch.RMSprop(lr=lr, alpha=a, eps=e, momentum=m, centered=true)",
            "optax": "optax.rmsprop(learning_rate=lr, decay=a, eps=e, eps_in_sqrt=false, centered=true, momentum=m)",
            # By adamlab's default arithmetic neither a proof nor a counterexample is found.
            "adamlab": "adamlab.rmsprop(learning_rate=lr, decay=a, eps=e, eps_in_sqrt=false, centered=true, "
            'momentum=m, arithmetic="optax")',
        },
        inside=("optax", "adamlab"),
    ),
    Same(
        "RMSprop",
        {
            "keras": "keras.RMSprop(learning_rate=lr, rho=a, epsilon=e)",
            **_family("optax.rmsprop(learning_rate=lr, decay=a, eps=e)"),
        },
    ),
    Same(
        "RMSprop, centered",
        {
            "keras": "keras.RMSprop(learning_rate=lr, rho=a, epsilon=e, centered=true)",
            **_family("optax.rmsprop(learning_rate=lr, decay=a, eps=e, centered=true)"),
        },
    ),
    Same(
        "RMSprop with momentum",
        {
            "keras": "keras.RMSprop(learning_rate=lr, rho=a, epsilon=e, momentum=m)",
            **_family("optax.rmsprop(learning_rate=lr, decay=a, eps=e, momentum=m)"),
        },
    ),
    Same(
        "Adadelta",
        {
            "torch": "torch.Adadelta(lr=lr, rho=r, eps=e)",
            "keras": "keras.Adadelta(learning_rate=lr, rho=r, epsilon=e)",
            **_family("optax.adadelta(learning_rate=lr, rho=r, eps=e)"),
        },
    ),
    Same(
        "NAdam",
        {
            "torch": "torch.NAdam(lr=lr, beta1=b1, beta2=b2, eps=e, momentum_decay=1.0)",
            "keras": "keras.Nadam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)",
        },
    ),
    Same(
        "Lion",
        {
            "keras": "keras.Lion(learning_rate=lr, beta_1=b1, beta_2=b2)",
            "optax": "optax.lion(learning_rate=lr, b1=b1, b2=b2, weight_decay=0.0)",
        },
    ),
    Same(
        "Lion with weight decay",
        {
            "keras": "keras.Lion(learning_rate=lr, beta_1=b1, beta_2=b2, weight_decay=wd)",
            "optax": "optax.lion(learning_rate=lr, b1=b1, b2=b2, weight_decay=wd)",
        },
    ),
    Same(
        "LAMB",
        {
            "keras": "keras.Lamb(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)",
            "optax": "optax.lamb(learning_rate=lr, b1=b1, b2=b2, eps=e)",
        },
    ),
    Same(
        "SGD with weight decay",
        {
            "torch": "torch.SGD(lr=lr, weight_decay=wd)",
            "keras": "keras.SGD(learning_rate=lr, weight_decay=wd)",
            **_family("optax.chain(optax.add_decayed_weights(weight_decay=wd), optax.sgd(learning_rate=lr))"),
        },
    ),
    *(
        Same(
            f"SGD with {whose} and weight decay",
            {
                "keras": f"keras.SGD(learning_rate=lr, momentum=m{nesterov}, weight_decay=wd)",
                **_family(
                    f"optax.chain(optax.trace(decay=m{nesterov}), optax.add_decayed_weights(weight_decay=wd), "
                    "optax.scale_by_learning_rate(learning_rate=lr))"
                ),
            },
            inside=("keras",),
        )
        for whose, nesterov in (("momentum", ""), ("Nesterov's momentum", ", nesterov=true"))
    ),
    *(
        Same(
            f"{whose} with weight decay",
            {
                "keras": f"keras.{keras}, weight_decay=wd)",
                **_family(
                    f"optax.chain({rule}, optax.add_decayed_weights(weight_decay=wd), "
                    "optax.scale_by_learning_rate(learning_rate=lr))"
                ),
            },
        )
        for whose, keras, rule in (
            ("RMSprop", "RMSprop(learning_rate=lr, rho=a, epsilon=e", "optax.scale_by_rms(decay=a, eps=e)"),
            (
                "RMSprop, centered,",
                "RMSprop(learning_rate=lr, rho=a, epsilon=e, centered=true",
                "optax.scale_by_stddev(decay=a, eps=e)",
            ),
            (
                "Adagrad",
                "Adagrad(learning_rate=lr, initial_accumulator_value=a, epsilon=e",
                "optax.scale_by_rss(initial_accumulator_value=a, eps=e)",
            ),
            ("Adadelta", "Adadelta(learning_rate=lr, rho=r, epsilon=e", "optax.scale_by_adadelta(rho=r, eps=e)"),
        )
    ),
    Same("Yogi", {"optax": "optax.yogi(learning_rate=lr, b1=b1, b2=b2, eps=e)"}),
)
"""Each row is proved on the shipped code, for every t and all numbers."""

EPS_HAT = (
    "Keras adds ε ahead of the bias correction: beside √v it is ε, beside the corrected √v̂ it is ε/√(1 − β₂^t), "
    "31.6·ε at the first step with β₂ = 0.999 and less and less more than ε as t grows"
)

NEAR: tuple[Near, ...] = (
    *(
        Near(
            "Adam",
            {
                library: form,
                "keras": "keras.Adam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)",
            },
            f"{EPS_HAT}. Its default ε is 1e-7, PyTorch's and Optax's 1e-8",
        )
        for library, form in SAME[3].forms.items()
    ),
    *(
        Near(
            "AdamW",
            {
                library: form,
                "keras": "keras.AdamW(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, weight_decay=wd)",
            },
            f"{EPS_HAT}. The default weight decay is 0.004 in Keras, 0.01 in PyTorch, 0.0001 in Optax",
        )
        for library, form in SAME[4].forms.items()
    ),
    *(
        Near(
            "AdamW",
            {
                library: form,
                "keras": "keras.Adam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, weight_decay=wd)",
            },
            f"{EPS_HAT}. The weight decay of Keras's Adam is AdamW's",
        )
        for library, form in SAME[4].forms.items()
    ),
    Near(
        "AMSGrad with AdamW's weight decay",
        {
            "torch": "torch.AdamW(lr=lr, beta1=b1, beta2=b2, eps=e, weight_decay=wd, amsgrad=true)",
            "keras": "keras.AdamW(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, weight_decay=wd, amsgrad=true)",
        },
        EPS_HAT,
    ),
    *(
        Near(
            "AdaMax",
            {
                library: form,
                "keras": "keras.Adamax(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)",
            },
            "Keras adds ε to the maximum; PyTorch and Optax add it to |g| inside of the maximum",
        )
        for library, form in SAME[6].forms.items()
    ),
    *(
        Near(
            "AMSGrad",
            {"torch": "torch.Adam(lr=lr, beta1=b1, beta2=b2, eps=e, amsgrad=true)", library: form},
            "PyTorch takes the maximum of the raw second moments and corrects it afterwards; the other side takes it "
            "of the corrected ones, which are greatest at first",
        )
        for library, form in _family("optax.amsgrad(learning_rate=lr, b1=b1, b2=b2, eps=e)").items()
    ),
    Near(
        "AMSGrad",
        {
            "torch": "torch.Adam(lr=lr, beta1=b1, beta2=b2, eps=e, amsgrad=true)",
            "keras": "keras.Adam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, amsgrad=true)",
        },
        EPS_HAT,
    ),
    *(
        Near(
            "AMSGrad",
            {"keras": "keras.Adam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, amsgrad=true)", library: form},
            f"Keras takes the maximum of the raw second moments, the other side that of the corrected ones; {EPS_HAT}",
        )
        for library, form in _family("optax.amsgrad(learning_rate=lr, b1=b1, b2=b2, eps=e)").items()
    ),
    *(
        Near(
            "Adagrad",
            {"torch": "torch.Adagrad(lr=lr, initial_accumulator_value=a, eps=e)", library: form},
            "PyTorch adds ε to the root, the other side inside of it, where it counts as √ε. PyTorch's sum begins at 0 "
            "by default, the other side's at 0.1",
        )
        for library, form in SAME[7].forms.items()
    ),
    Near(
        "RMSprop",
        {
            "torch": "torch.RMSprop(lr=lr, alpha=a, eps=e)",
            "keras": "keras.RMSprop(learning_rate=lr, rho=a, epsilon=e)",
        },
        "PyTorch adds ε to the root, Keras inside of it, where it counts as √ε. The default decay is 0.99 in PyTorch, "
        "0.9 in Keras",
    ),
    *(
        Near(
            "NAdam",
            {"torch": "torch.NAdam(lr=lr, beta1=b1, beta2=b2, eps=e, momentum_decay=psi)", library: form},
            "PyTorch's momentum grows from β₁/2 to β₁, by 0.96^(t·ψ); the other side's is β₁ from the first step on",
        )
        for library, form in _family("optax.nadam(learning_rate=lr, b1=b1, b2=b2, eps=e)").items()
    ),
    *(
        Near(
            "NAdam",
            {"keras": "keras.Nadam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)", library: form},
            "Keras's momentum grows from β₁/2 to β₁, by 0.96^t; the other side's is β₁ from the first step on",
        )
        for library, form in _family("optax.nadam(learning_rate=lr, b1=b1, b2=b2, eps=e)").items()
    ),
    Near(
        "NAdam",
        {
            "torch": "torch.NAdam(lr=lr, beta1=b1, beta2=b2, eps=e, momentum_decay=psi)",
            "keras": "keras.Nadam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)",
        },
        "Keras's momentum grows as PyTorch's with momentum_decay = 1; PyTorch's default, 0.004, makes that 250 times "
        "slower",
    ),
    Near(
        "LAMB with weight decay",
        {
            "keras": "keras.Lamb(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, weight_decay=wd)",
            "optax": "optax.lamb(learning_rate=lr, b1=b1, b2=b2, eps=e, weight_decay=wd)",
        },
        "Keras takes lr·wd·w off ahead of the step, whose ratio goes by what is left; Optax has the decay inside of "
        "the ratio",
    ),
    Near(
        "RAdam",
        {
            "torch": "torch.RAdam(lr=lr, beta1=b1, beta2=b2, eps=e)",
            "optax": "optax.radam(learning_rate=lr, b1=b1, b2=b2, eps=e, threshold=5.0)",
        },
        "PyTorch adds ε ahead of the bias correction, Optax to the corrected root",
    ),
    Near(
        "Rprop",
        {
            "torch": "torch.Rprop(lr=lr, etaminus=a, etaplus=b, step_size_min=low, step_size_max=high)",
            "optax": "optax.rprop(learning_rate=lr, eta_minus=a, eta_plus=b, min_step_size=low, max_step_size=high)",
        },
        "Optax's steps come late: each goes by the gradient before it, unless the sign has changed, and the first is 0",
    ),
)
"""Each row is refuted on the shipped code, by numbers on which both sides were run."""


def rows(source: str, target: str) -> Iterator[Same | Near]:
    """The rows with forms of both libraries, those that are the same first."""
    for row in (*SAME, *NEAR):
        if source in row.forms and target in row.forms:
            yield row
