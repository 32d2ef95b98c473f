"""Adadelta: the gradient in units of the parameter, by the ratio of past updates' size to past gradients' size."""

from typing import Any

import optax
from jax.typing import ArrayLike, DTypeLike

from adamlab.arithmetic import Arithmetic, Leaf, abs_sq
from adamlab.derivatives import root
from adamlab.lifting import Transform, chain, lift
from adamlab.rules.learning_rate import scale_by_learning_rate
from adamlab.rules.weight_decay import Mask, add_decayed_weights
from adamlab.types import Decay, Schedule, rule


@rule(optax.ScaleByAdaDeltaState, decays=("rho",))
def adadelta_rule(g: Leaf, w: Leaf | None, s: Any, *, rho: Arithmetic, eps):
    """Zeiler 2012, Algorithm 1."""
    e_g, _ = rho.average(s.e_g, abs_sq(g), corrected=False)
    x = (root(s.e_x + eps) / root(e_g + eps)) * g
    e_x, _ = rho.average(s.e_x, abs_sq(x), corrected=False)
    return x, s._replace(e_g=e_g, e_x=e_x)


def scale_by_adadelta(
    rho: Decay | ArrayLike = 0.9,
    eps: ArrayLike = 1e-6,
    *,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """Scale as Adadelta does: u_t = g_t·√(E[u²]_(t−1) + ε) / √(E[g²]_t + ε). The arguments are those of `adadelta`.

    Returns:
        A transformation whose state is `optax.ScaleByAdaDeltaState`: the averages `e_g` of squared gradients and `e_x`
        of squared updates, of the parameters' shapes.
    """
    return lift(adadelta_rule, arithmetic=arithmetic, dtypes={"e_g": nu_dtype, "e_x": nu_dtype}, rho=rho, eps=eps)


def adadelta(
    learning_rate: ArrayLike | Schedule | None = None,
    rho: Decay | ArrayLike = 0.9,
    eps: ArrayLike = 1e-6,
    weight_decay: ArrayLike | Schedule = 0.0,
    weight_decay_mask: Mask | None = None,
    *,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """Adadelta, which needs no learning rate.

    Read off this code by `python -m tests.golden`:

        e_(g,t) = ρ·e_(g,t-1) + (1 - ρ)·g_t²
        e_(x,t) = ρ·e_(x,t-1) + (1 - ρ)·g_t²·(e_(x,t-1) + ε)/(e_(g,t) + ε)
        u_t = g_t·√((e_(x,t-1) + ε)/(e_(g,t) + ε))

    Where frameworks disagree: one rule, other defaults. The paper and Keras have ρ = 0.95, Optax and PyTorch 0.9; the
    paper and PyTorch have ε = 1e-6 as here, Keras 1e-7. PyTorch's learning rate is 1, Keras's 1e-3. Without a
    learning rate Optax and adamlab leave the update's sign as it is, along the gradient: give 1 to descend. Complex
    gradients count by |g|² here; Optax squares them.

    Args:
        learning_rate: η, a scalar or a schedule of the number of finished updates; None for u as it is.
        rho: ρ, the decay rate of both averages, or a `Decay` that gives 1 − ρ itself.
        eps: ε, inside both roots.
        weight_decay: λ of an L2 term that joins the gradient ahead of the rule, a scalar or a schedule.
        weight_decay_mask: which leaves to decay, a tree of booleans or a function from the updates' tree to one.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.
        nu_dtype: the type that both averages are kept in; by default the parameter's.

    Returns:
        A transformation with the signature, state and meaning of `optax.adadelta`; with weight decay, `update` needs
        the parameters.

    References:
        Zeiler 2012, "ADADELTA: an adaptive learning rate method", Algorithm 1.
    """
    return chain(
        add_decayed_weights(weight_decay, weight_decay_mask, arithmetic=arithmetic),
        scale_by_adadelta(rho, eps, arithmetic=arithmetic, nu_dtype=nu_dtype),
        scale_by_learning_rate(learning_rate, arithmetic=arithmetic),
    )
