"""AdamW: Adam with the weights decayed beside the step, so that the decay is not scaled by the second moment."""

from jax.typing import ArrayLike, DTypeLike

from adamlab.lifting import Transform, chain
from adamlab.rules.adam import scale_by_adam
from adamlab.rules.learning_rate import scale_by_learning_rate
from adamlab.rules.weight_decay import Mask, add_decayed_weights
from adamlab.types import Decay, Schedule


def adamw(
    learning_rate: ArrayLike | Schedule,
    b1: Decay | ArrayLike = 0.9,
    b2: Decay | ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    eps_root: ArrayLike = 0.0,
    mu_dtype: DTypeLike | None = None,
    weight_decay: ArrayLike | Schedule = 1e-4,
    mask: Mask | None = None,
    *,
    nesterov: bool = False,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """AdamW, Adam with decoupled weight decay: w moves by −η·(m̂ / (√v̂ + ε) + λ·w).

    Read off this code by `python -m tests.golden`:

        m_t = β₁·m_(t-1) + (1 - β₁)·g_t
        v_t = β₂·v_(t-1) + (1 - β₂)·g_t²
        u_t = -η·(m_t/((1 - β₁^t)·(√(v_t/(1 - β₂^t)) + ε)) + λ·w_(t-1))

    Where frameworks disagree: Optax, PyTorch and Keras all multiply λ by the learning rate, where the paper has it
    beside the schedule alone. The default λ is 1e-4 in Optax, 1e-2 in PyTorch, 4e-3 in Keras; Keras puts ε as its
    Adam does. The L2 term that the paper argues against is
    `optax.chain(adamlab.add_decayed_weights(λ), adamlab.adam(η))`. For PyTorch's defaults see `adamlab.like_torch`.

    Args:
        learning_rate: η, a scalar or a schedule of the number of finished updates.
        b1: β₁, the decay rate of the first moment, or a `Decay` that gives 1 − β₁ itself.
        b2: β₂, the decay rate of the second moment, or a `Decay`.
        eps: ε, outside the root.
        eps_root: a further ε inside the root.
        mu_dtype: the type that the first moment is kept in; by default the parameter's.
        weight_decay: λ, a scalar or a schedule.
        mask: which leaves to decay, a tree of booleans or a function from the updates' tree to one; None decays all.
        nesterov: whether to look ahead with the first moment (NAdamW).
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.
        nu_dtype: the type that the second moment is kept in; by default the parameter's.

    Returns:
        A transformation with the signature, state and meaning of `optax.adamw`; `update` needs the parameters.

    References:
        Loshchilov & Hutter 2019, "Decoupled weight decay regularization", Algorithm 2.
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov, arithmetic=arithmetic, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask, arithmetic=arithmetic),
        scale_by_learning_rate(learning_rate, arithmetic=arithmetic),
    )
