"""AdaMax: Adam with the L∞ norm of past gradients in place of the L2 norm."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jax.typing import ArrayLike, DTypeLike

from adamlab.arithmetic import Arithmetic, Leaf
from adamlab.lifting import Transform, chain, lift
from adamlab.rules.learning_rate import scale_by_learning_rate
from adamlab.rules.weight_decay import Mask, add_decayed_weights
from adamlab.types import Decay, Schedule, rule


class WeightedScaleByAdamaxState(NamedTuple):
    """AdaMax's state under the weighted arithmetic: the corrected first moment, and the norm as it is."""

    count: Any
    mu_hat: Any
    nu: Any


@rule(optax.ScaleByAdamState, decays=("b1", "b2"), weighted=WeightedScaleByAdamaxState)
def adamax_rule(g: Leaf, w: Leaf | None, s: Any, *, b1: Arithmetic, b2: Arithmetic, eps):
    """Kingma & Ba 2015, Algorithm 2, with ε beside |g| so that the norm is never 0."""
    m, m_hat = b1.average(s.mu, g)
    u = jnp.maximum(jnp.abs(g) + eps, b2.shrink(s.nu))
    return m_hat / u, s._replace(mu=m, nu=u)


def scale_by_adamax(
    b1: Decay | ArrayLike = 0.9,
    b2: Decay | ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    *,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """Scale as AdaMax does: u = m̂_t / u_t with u_t = max(|g_t| + ε, β₂·u_(t−1)). The arguments are those of `adamax`.

    Returns:
        A transformation whose state is `optax.ScaleByAdamState`: `count`, a scalar int32; `mu`, and the norm as `nu`,
        of the parameters' shapes. With the weighted arithmetic it is `WeightedScaleByAdamaxState(count, mu_hat, nu)`.
    """
    return lift(adamax_rule, arithmetic=arithmetic, dtypes={"nu": nu_dtype}, b1=b1, b2=b2, eps=eps)


def adamax(
    learning_rate: ArrayLike | Schedule,
    b1: Decay | ArrayLike = 0.9,
    b2: Decay | ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    *,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """AdaMax, the limit p → ∞ of Adam with an L_p norm.

    Read off this code by `python -m tests.golden`:

        m_t = β₁·m_(t-1) + (1 - β₁)·g_t
        v_t = max(β₂·v_(t-1), |g_t| + ε)
        u_t = -η·m_t/((1 - β₁^t)·v_t)

    Where frameworks disagree: the paper has no ε; Optax and PyTorch put it beside |g| inside the maximum, Keras beside
    the norm as it divides. PyTorch's default learning rate is 2e-3. All agree at ε = 0.

    Args:
        learning_rate: η, a scalar or a schedule of the number of finished updates.
        b1: β₁, the decay rate of the first moment, or a `Decay` that gives 1 − β₁ itself.
        b2: β₂, the decay rate of the norm, or a `Decay`.
        eps: ε, beside |g|.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.
        nu_dtype: the type that the norm is kept in; by default the parameter's, as is the first moment's.

    Returns:
        A transformation with the signature, state and meaning of `optax.adamax`.

    References:
        Kingma & Ba 2015, "Adam: a method for stochastic optimization", Algorithm 2.
    """
    return chain(
        scale_by_adamax(b1, b2, eps, arithmetic=arithmetic, nu_dtype=nu_dtype),
        scale_by_learning_rate(learning_rate, arithmetic=arithmetic),
    )


def adamaxw(
    learning_rate: ArrayLike | Schedule,
    b1: Decay | ArrayLike = 0.9,
    b2: Decay | ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    weight_decay: ArrayLike | Schedule = 1e-4,
    mask: Mask | None = None,
    *,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """AdaMax with decoupled weight decay. The further arguments are those of `adamax`.

    Read off this code by `python -m tests.golden`:

        m_t = β₁·m_(t-1) + (1 - β₁)·g_t
        v_t = max(β₂·v_(t-1), |g_t| + ε)
        u_t = -η·(m_t/((1 - β₁^t)·v_t) + λ·w_(t-1))

    Where frameworks disagree: only Optax has it. PyTorch's and Keras's `weight_decay` of AdaMax is an L2 term ahead of
    the rule, `optax.chain(adamlab.add_decayed_weights(λ), adamlab.adamax(η))`.

    Args:
        learning_rate: η, a scalar or a schedule of the number of finished updates.
        b1: β₁.
        b2: β₂.
        eps: ε.
        weight_decay: λ, a scalar or a schedule; it is multiplied by the learning rate, as in `adamw`.
        mask: which leaves to decay, a tree of booleans or a function from the updates' tree to one; None decays all.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.
        nu_dtype: the type that the norm is kept in; by default the parameter's.

    Returns:
        A transformation with the signature, state and meaning of `optax.adamaxw`; `update` needs the parameters.

    References:
        Kingma & Ba 2015, Algorithm 2; Loshchilov & Hutter 2019, "Decoupled weight decay regularization".
    """
    return chain(
        scale_by_adamax(b1, b2, eps, arithmetic=arithmetic, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask, arithmetic=arithmetic),
        scale_by_learning_rate(learning_rate, arithmetic=arithmetic),
    )
