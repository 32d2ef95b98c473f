"""Adam: the gradient's moving average over the root of the moving average of its square, both for bias corrected."""

from dataclasses import replace
from typing import Any, NamedTuple

import optax
from jax.typing import ArrayLike, DTypeLike

from adamlab.arithmetic import Arithmetic, Leaf, abs_sq
from adamlab.derivatives import root
from adamlab.lifting import Transform, chain, lift
from adamlab.rules.learning_rate import scale_by_learning_rate
from adamlab.types import Decay, Schedule, rule


class WeightedScaleByAdamState(NamedTuple):
    """Adam's state under the weighted arithmetic: the corrected moments themselves."""

    count: Any
    mu_hat: Any
    nu_hat: Any


@rule(optax.ScaleByAdamState, decays=("b1", "b2"), weighted=WeightedScaleByAdamState, kept=("nu",))
def adam_rule(
    g: Leaf,
    w: Leaf | None,
    s: Any,
    *,
    b1: Arithmetic,
    b2: Arithmetic,
    eps,
    eps_root,
    nesterov: bool,
    bias_correction: bool = True,
):
    """Kingma & Ba 2015, Algorithm 1; nesterov: Dozat 2016, Algorithm 2 without the b2 that it has on v̂."""
    m, m_hat = b1.average(s.mu, g, bias_correction)
    v, v_hat = b2.average(s.nu, abs_sq(g), bias_correction)
    if nesterov:
        m_hat = b1.lookahead(m, g) if bias_correction else b1.blend(m, g)
    return m_hat / (root(v_hat + eps_root) + eps), s._replace(mu=m, nu=v)


uncorrected_adam_rule = replace(adam_rule, weighted=None)  # whose averages are Optax's in every arithmetic


def scale_by_adam(
    b1: Decay | ArrayLike = 0.9,
    b2: Decay | ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    eps_root: ArrayLike = 0.0,
    mu_dtype: DTypeLike | None = None,
    *,
    nesterov: bool = False,
    bias_correction: bool = True,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """Scale as Adam does: u = m̂_t / (√(v̂_t + eps_root) + ε). The arguments are those of `adam`.

    Returns:
        A transformation whose state is `optax.ScaleByAdamState`: `count`, a scalar int32; `mu` and `nu`, of the
        parameters' shapes. With the weighted arithmetic and bias correction it is
        `WeightedScaleByAdamState(count, mu_hat, nu_hat)`.
    """
    return lift(
        adam_rule if bias_correction else uncorrected_adam_rule,
        arithmetic=arithmetic,
        dtypes={"mu": mu_dtype, "nu": nu_dtype},
        b1=b1,
        b2=b2,
        eps=eps,
        eps_root=eps_root,
        nesterov=nesterov,
        bias_correction=bias_correction,
    )


def adam(
    learning_rate: ArrayLike | Schedule,
    b1: Decay | ArrayLike = 0.9,
    b2: Decay | ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    eps_root: ArrayLike = 0.0,
    mu_dtype: DTypeLike | None = None,
    *,
    nesterov: bool = False,
    bias_correction: bool = True,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """Adam, adaptive moment estimation.

    Read off this code by `python -m tests.golden`:

        m_t = β₁·m_(t-1) + (1 - β₁)·g_t
        v_t = β₂·v_(t-1) + (1 - β₂)·g_t²
        u_t = -η·m_t/((1 - β₁^t)·(√(v_t/(1 - β₂^t)) + ε))

    Where frameworks disagree: Optax and PyTorch put ε outside the root, after the bias correction, at 1e-8. Keras
    has the paper's "epsilon hat" form, ε before the correction, at 1e-7. All agree at ε = 0.

    Args:
        learning_rate: η, a scalar or a schedule of the number of finished updates.
        b1: β₁, the decay rate of the first moment, or a `Decay` that gives 1 − β₁ itself.
        b2: β₂, the decay rate of the second moment, or a `Decay`.
        eps: ε, outside the root.
        eps_root: a further ε inside the root, for differentiating through the update.
        mu_dtype: the type that the first moment is kept in; by default the parameter's.
        nesterov: whether to look ahead with the first moment (NAdam).
        bias_correction: whether to divide the averages by 1 − β^t; without, the first steps are
            (1 − β₁)/√(1 − β₂) times as long (Kingma & Ba 2015, sections 3 and 6.4). Optax has no such argument.
        arithmetic: "accurate"; "optax", bit-identical to Optax; or "weighted", defined at β₂ = 1 too.
        nu_dtype: the type that the second moment is kept in; by default the parameter's.

    Returns:
        A transformation with the signature, state and meaning of `optax.adam`.

    References:
        Kingma & Ba 2015, "Adam: a method for stochastic optimization", Algorithm 1;
        Dozat 2016, "Incorporating Nesterov momentum into Adam".
    """
    return chain(
        scale_by_adam(
            b1,
            b2,
            eps,
            eps_root,
            mu_dtype,
            nesterov=nesterov,
            bias_correction=bias_correction,
            arithmetic=arithmetic,
            nu_dtype=nu_dtype,
        ),
        scale_by_learning_rate(learning_rate, arithmetic=arithmetic),
    )
