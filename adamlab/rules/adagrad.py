"""Adagrad: every coordinate is scaled by the root of the sum of its squared gradients."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from adamlab.arithmetic import Leaf, abs_sq, two_sum
from adamlab.derivatives import differentiated_as, root
from adamlab.lifting import Transform, chain, lift
from adamlab.rules.learning_rate import scale_by_learning_rate
from adamlab.types import Schedule, rule


class CompensatedScaleByRssState(NamedTuple):
    """Adagrad's state with a compensated sum: the sum, and what rounding has left out of it so far.

    Optax goes on from it without the compensation.
    """

    sum_of_squares: Any
    compensation: Any


def _without_branch(g: Leaf, total: Leaf, inside, outside) -> Leaf:
    size = root(total + inside) + outside
    return jnp.where(size > 0, g / jnp.where(size > 0, size, 1), 0)


@differentiated_as(lambda g, total, eps: _without_branch(g, total, eps, 0))
def _scaled_inside(g: Leaf, total: Leaf, eps) -> Leaf:
    return jnp.where(total > 0, jax.lax.rsqrt(total + eps), 0.0) * g


@differentiated_as(lambda g, total, eps: _without_branch(g, total, 0, eps))
def _scaled_outside(g: Leaf, total: Leaf, eps) -> Leaf:
    return jnp.where(total > 0, 1 / (jnp.sqrt(total) + eps), 0.0) * g


@rule(optax.ScaleByRssState)
def rss_rule(g: Leaf, w: Leaf | None, s: Any, *, eps, eps_in_sqrt: bool):
    """Duchi, Hazan & Singer 2011, Figure 1, diagonal form; a coordinate that has only seen 0 stays where it is."""
    total = abs_sq(g) + s.sum_of_squares
    u = _scaled_inside(g, total, eps) if eps_in_sqrt else _scaled_outside(g, total, eps)
    return u, s._replace(sum_of_squares=total)


@rule(CompensatedScaleByRssState)
def compensated_rss_rule(g: Leaf, w: Leaf | None, s: Any, *, eps):
    """The same, with the sum in two floats (Knuth 1998, section 4.2.2, Theorem B)."""
    total, rest = two_sum(s.sum_of_squares, abs_sq(g) + s.compensation)
    return _scaled_inside(g, total, eps), CompensatedScaleByRssState(total, rest)


def scale_by_rss(
    initial_accumulator_value: ArrayLike = 0.1,
    eps: ArrayLike = 1e-7,
    *,
    arithmetic: str = "accurate",
    compensated: bool = False,
) -> Transform:
    """Scale by the root of the sum of all squared gradients: u = g_t / √(G_0 + Σg_i² + ε), and 0 where the sum is 0.

    Args:
        initial_accumulator_value: G_0 ≥ 0.
        eps: ε, inside the root.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`; the sum is the same in all.
        compensated: whether to carry along what the sum loses by rounding, some 600 ulp over 10,000 steps in float32;
            for parameters of 32 bits or more.

    Returns:
        A transformation whose state is `optax.ScaleByRssState`, its `sum_of_squares` of the parameters' shapes; with a
        compensated sum it is `CompensatedScaleByRssState(sum_of_squares, compensation)`.
    """
    start = {"sum_of_squares": initial_accumulator_value}
    if compensated:
        return lift(compensated_rss_rule, arithmetic=arithmetic, start=start, eps=eps)
    return lift(rss_rule, arithmetic=arithmetic, start=start, eps=eps, eps_in_sqrt=True)


def adagrad(
    learning_rate: ArrayLike | Schedule,
    initial_accumulator_value: ArrayLike = 0.1,
    eps: ArrayLike = 1e-7,
    *,
    arithmetic: str = "accurate",
    compensated: bool = False,
) -> Transform:
    """Adagrad, for sparse gradients.

    Read off this code by `python -m tests.golden`:

        G_t = G_(t-1) + g_t²
        u_t = -η·g_t/√(G_t + ε)

    Where frameworks disagree: the paper and PyTorch start the sum at 0 and put ε = 1e-10 outside the root; Optax and
    Keras start at 0.1 with ε = 1e-7 inside. On tiny gradients that is another optimizer.

    Args:
        learning_rate: η, a scalar or a schedule of the number of finished updates.
        initial_accumulator_value: what the sum of squares starts from, ≥ 0.
        eps: ε, inside the root.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.
        compensated: whether to carry along what the sum loses by rounding, in a state of its own.

    Returns:
        A transformation with the signature, state and meaning of `optax.adagrad`.

    References:
        Duchi, Hazan & Singer 2011, "Adaptive subgradient methods for online learning", Figure 1.
    """
    return chain(
        scale_by_rss(initial_accumulator_value, eps, arithmetic=arithmetic, compensated=compensated),
        scale_by_learning_rate(learning_rate, arithmetic=arithmetic),
    )
