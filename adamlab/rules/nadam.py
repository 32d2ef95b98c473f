"""NAdam and NAdamW: Adam and AdamW that look ahead, with Nesterov's momentum in place of the plain one."""

from jax.typing import ArrayLike, DTypeLike

from adamlab.lifting import Transform
from adamlab.rules.adam import adam
from adamlab.rules.adamw import adamw
from adamlab.rules.weight_decay import Mask
from adamlab.types import Decay, Schedule


def nadam(
    learning_rate: ArrayLike | Schedule,
    b1: Decay | ArrayLike = 0.9,
    b2: Decay | ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    eps_root: ArrayLike = 0.0,
    mu_dtype: DTypeLike | None = None,
    *,
    nesterov: bool = True,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """NAdam: `adam` with `nesterov=True`. The arguments are those of `adam`.

    Where frameworks disagree: PyTorch and Keras let β₁ grow over the steps, μ_t = β₁·(1 − ½·0.96^(t·ψ)), with
    ψ = 0.004 in PyTorch and 1 in Keras; Optax and adamlab keep it constant, which is ψ → ∞. The paper multiplies v̂
    by β₂ once more, which no framework does.

    Returns:
        A transformation with the signature, state and meaning of `optax.nadam`.

    References:
        Dozat 2016, "Incorporating Nesterov momentum into Adam", Algorithm 2.
    """
    return adam(
        learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov, arithmetic=arithmetic, nu_dtype=nu_dtype
    )


def nadamw(
    learning_rate: ArrayLike | Schedule,
    b1: Decay | ArrayLike = 0.9,
    b2: Decay | ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    eps_root: ArrayLike = 0.0,
    mu_dtype: DTypeLike | None = None,
    weight_decay: ArrayLike | Schedule = 1e-4,
    mask: Mask | None = None,
    *,
    nesterov: bool = True,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """NAdamW: `adamw` with `nesterov=True`. The arguments are those of `adamw`.

    Where frameworks disagree: as in `nadam` on β₁, and as in `adamw` on the default weight decay; PyTorch has it as
    `NAdam(decoupled_weight_decay=True)`, Keras not at all.

    Returns:
        A transformation with the signature, state and meaning of `optax.nadamw`; `update` needs the parameters.

    References:
        Dozat 2016, "Incorporating Nesterov momentum into Adam", Algorithm 2;
        Loshchilov & Hutter 2019, "Decoupled weight decay regularization", Algorithm 2.
    """
    return adamw(
        learning_rate,
        b1,
        b2,
        eps,
        eps_root,
        mu_dtype,
        weight_decay,
        mask,
        nesterov=nesterov,
        arithmetic=arithmetic,
        nu_dtype=nu_dtype,
    )
