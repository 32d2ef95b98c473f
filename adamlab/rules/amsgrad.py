"""AMSGrad: Adam whose second moment never decreases, which mends the convergence proof."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jax.typing import ArrayLike, DTypeLike

from adamlab.arithmetic import Arithmetic, Leaf, abs_sq
from adamlab.derivatives import root
from adamlab.lifting import Transform, chain, lift
from adamlab.rules.learning_rate import scale_by_learning_rate
from adamlab.types import Decay, Schedule, rule


class WeightedScaleByAmsgradState(NamedTuple):
    """AMSGrad's state under the weighted arithmetic: of each moment the average that the rule uses."""

    count: Any
    mu_hat: Any
    nu_hat: Any
    nu_max: Any


@rule(optax.ScaleByAmsgradState, decays=("b1", "b2"), weighted=WeightedScaleByAmsgradState)
def amsgrad_rule(
    g: Leaf,
    w: Leaf | None,
    s: Any,
    *,
    b1: Arithmetic,
    b2: Arithmetic,
    eps,
    eps_root,
    bias_correction_mu: bool,
    bias_correction_nu: bool,
):
    """Reddi, Kale & Kumar 2018, Algorithm 2, with the bias corrections that the paper leaves out."""
    m, m_hat = b1.average(s.mu, g, bias_correction_mu)
    v, v_hat = b2.average(s.nu, abs_sq(g), bias_correction_nu)
    v_max = jnp.maximum(s.nu_max, v_hat)
    return m_hat / (root(v_max + eps_root) + eps), s._replace(mu=m, nu=v, nu_max=v_max)


def scale_by_amsgrad(
    b1: Decay | ArrayLike = 0.9,
    b2: Decay | ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    eps_root: ArrayLike = 0.0,
    mu_dtype: DTypeLike | None = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    *,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """Scale as AMSGrad does: u = m̂_t / (√(max_i v̂_i + eps_root) + ε). The arguments are those of `amsgrad`.

    Returns:
        A transformation whose state is `optax.ScaleByAmsgradState`: `count`, a scalar int32; `mu`, `nu` and `nu_max`,
        of the parameters' shapes. With the weighted arithmetic it is
        `WeightedScaleByAmsgradState(count, mu_hat, nu_hat, nu_max)`.
    """
    return lift(
        amsgrad_rule,
        arithmetic=arithmetic,
        dtypes={"mu": mu_dtype, "nu": nu_dtype, "nu_max": nu_dtype},
        b1=b1,
        b2=b2,
        eps=eps,
        eps_root=eps_root,
        bias_correction_mu=bias_correction_mu,
        bias_correction_nu=bias_correction_nu,
    )


def amsgrad(
    learning_rate: ArrayLike | Schedule,
    b1: Decay | ArrayLike = 0.9,
    b2: Decay | ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    eps_root: ArrayLike = 0.0,
    mu_dtype: DTypeLike | None = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    *,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """AMSGrad, Adam with the largest second moment so far.

    Read off this code by `python -m tests.golden`:

        m_t = β₁·m_(t-1) + (1 - β₁)·g_t
        v_t = β₂·v_(t-1) + (1 - β₂)·g_t²
        v_(max,t) = max(v_(max,t-1), v_t/(1 - β₂^t))
        u_t = -η·m_t/((1 - β₁^t)·(√v_(max,t) + ε))

    Where frameworks disagree: the paper corrects no bias. Optax takes the maximum of the corrected second moments;
    PyTorch and Keras take that of the raw ones and correct it then, which is `bias_correction_nu=False` with the
    schedule η·√(1 − β₂^t) at ε = 0 (see `adamlab.like_torch`).

    Args:
        learning_rate: η, a scalar or a schedule of the number of finished updates.
        b1: β₁, the decay rate of the first moment, or a `Decay` that gives 1 − β₁ itself.
        b2: β₂, the decay rate of the second moment, or a `Decay`.
        eps: ε, outside the root.
        eps_root: a further ε inside the root.
        mu_dtype: the type that the first moment is kept in; by default the parameter's.
        bias_correction_mu: whether to divide the first moment by 1 − β₁^t.
        bias_correction_nu: whether to divide the second moment by 1 − β₂^t, ahead of the maximum.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.
        nu_dtype: the type that the second moment and its maximum are kept in; by default the parameter's.

    Returns:
        A transformation with the signature, state and meaning of `optax.amsgrad`.

    References:
        Reddi, Kale & Kumar 2018, "On the convergence of Adam and beyond", Algorithm 2.
    """
    return chain(
        scale_by_amsgrad(
            b1,
            b2,
            eps,
            eps_root,
            mu_dtype,
            bias_correction_mu,
            bias_correction_nu,
            arithmetic=arithmetic,
            nu_dtype=nu_dtype,
        ),
        scale_by_learning_rate(learning_rate, arithmetic=arithmetic),
    )
