"""NAdam and NAdamW: Adam and AdamW that look ahead, with Nesterov's momentum in place of the plain one."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jax.typing import ArrayLike, DTypeLike

from adamlab.arithmetic import Arithmetic, Leaf, abs_sq
from adamlab.lifting import Transform
from adamlab.rules.adam import adam
from adamlab.rules.adamw import adamw
from adamlab.rules.weight_decay import Mask
from adamlab.types import Decay, Schedule, rule


class GrowingNAdamState(NamedTuple):
    """NAdam's state with PyTorch's growing momentum; `mu_product` is Πμ_i, the same number in every coordinate."""

    count: Any
    mu: Any
    nu: Any
    mu_product: Any


class WeightedGrowingNAdamState(NamedTuple):
    """The same under the weighted arithmetic, with the corrected second moment."""

    count: Any
    mu: Any
    nu_hat: Any
    mu_product: Any


@rule(GrowingNAdamState, decays=("b1", "b2"), weighted=WeightedGrowingNAdamState)
def growing_nadam_rule(g: Leaf, w: Leaf | None, s: Any, *, b1: Arithmetic, b2: Arithmetic, eps, momentum_decay):
    """Dozat 2016, Algorithm 2, as PyTorch reads it: μ_t weighs the moments, β₁ alone makes them."""

    def momentum(t):
        return (b1.b * (1 - 0.5 * 0.96 ** (t * momentum_decay))).astype(g.real.dtype)

    m, _ = b1.average(s.mu, g, corrected=False)
    v, v_hat = b2.average(s.nu, abs_sq(g))
    mu, mu_next = momentum(s.count), momentum(optax.safe_increment(s.count))
    product = s.mu_product * mu
    m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
    return m_hat / (jnp.sqrt(v_hat) + eps), s._replace(mu=m, nu=v, mu_product=product)


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

    Read off this code by `python -m tests.golden`:

        m_t = β₁·m_(t-1) + (1 - β₁)·g_t
        v_t = β₂·v_(t-1) + (1 - β₂)·g_t²
        u_t = -η·(β₁·m_t/(1 - β₁^(t+1)) + (1 - β₁)·g_t/(1 - β₁^t))/(√(v_t/(1 - β₂^t)) + ε)

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

    Read off this code by `python -m tests.golden`:

        m_t = β₁·m_(t-1) + (1 - β₁)·g_t
        v_t = β₂·v_(t-1) + (1 - β₂)·g_t²
        u_t = -η·((β₁·m_t/(1 - β₁^(t+1)) + (1 - β₁)·g_t/(1 - β₁^t))/(√(v_t/(1 - β₂^t)) + ε) + λ·w_(t-1))

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
