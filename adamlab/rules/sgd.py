"""Stochastic gradient descent, with momentum as a trace of past gradients."""

from typing import Any

import optax
from jax.typing import ArrayLike, DTypeLike

from adamlab.arithmetic import Arithmetic, Leaf
from adamlab.lifting import Transform, chain, lift
from adamlab.rules.learning_rate import identity, scale_by_learning_rate
from adamlab.types import Decay, Schedule, rule


@rule(optax.TraceState, decays=("decay",))
def trace_rule(g: Leaf, w: Leaf | None, s: Any, *, decay: Arithmetic, nesterov: bool):
    """Polyak 1964; nesterov: Sutskever et al. 2013, section 2, in the form that all frameworks use."""
    m = decay.accumulate(s.trace, g)
    return decay.accumulate(m, g) if nesterov else m, s._replace(trace=m)


def trace(
    decay: Decay | ArrayLike,
    nesterov: bool = False,
    accumulator_dtype: DTypeLike | None = None,
    *,
    arithmetic: str = "accurate",
) -> Transform:
    """Momentum as a decayed sum of past gradients: m_t = g_t + decay·m_(t−1).

    Args:
        decay: the decay rate, in [0, 1).
        nesterov: whether to look ahead: u = g_t + decay·m_t.
        accumulator_dtype: the type that m is kept in; by default the parameter's.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.

    Returns:
        A transformation whose state is `optax.TraceState`, its `trace` of the parameters' shapes.
    """
    return lift(trace_rule, arithmetic=arithmetic, dtypes={"trace": accumulator_dtype}, decay=decay, nesterov=nesterov)


def sgd(
    learning_rate: ArrayLike | Schedule,
    momentum: Decay | ArrayLike | None = None,
    nesterov: bool = False,
    accumulator_dtype: DTypeLike | None = None,
    *,
    arithmetic: str = "accurate",
) -> Transform:
    """Stochastic gradient descent, with momentum if asked.

    Read off this code by `python -m tests.golden`:

        u_t = -η·g_t

    Where frameworks disagree: PyTorch steps the same way with `dampening=0`; its first step skips the dampening.
    Keras keeps the learning rate inside the momentum buffer, which differs as soon as the rate is a schedule.

    Args:
        learning_rate: η, a scalar or a schedule of the number of finished updates.
        momentum: the decay rate of the trace; None keeps no trace.
        nesterov: whether to use Nesterov's form of momentum.
        accumulator_dtype: the type that the trace is kept in; by default the parameter's.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.

    Returns:
        A transformation with the signature, state and meaning of `optax.sgd`.

    References:
        Robbins & Monro 1951; Polyak 1964; Sutskever et al. 2013, "On the importance of initialization and momentum".
    """
    momentum_part = (
        identity(arithmetic=arithmetic)
        if momentum is None
        else trace(momentum, nesterov, accumulator_dtype, arithmetic=arithmetic)
    )
    return chain(momentum_part, scale_by_learning_rate(learning_rate, arithmetic=arithmetic))
