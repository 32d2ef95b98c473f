"""RMSProp: every coordinate is scaled by a moving average of its squared gradients, or of their variance."""

from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.core import Tracer
from jax.typing import ArrayLike, DTypeLike

from adamlab.arithmetic import Arithmetic, Leaf, abs_sq
from adamlab.derivatives import root
from adamlab.lifting import Transform, chain, lift
from adamlab.rules.learning_rate import identity, scale_by_learning_rate
from adamlab.rules.sgd import trace
from adamlab.types import Decay, Rule, Schedule

# Optax keeps the types of the states with a count to itself; an initial state tells them, and an abstract one does not
# start JAX's backend.
_RmsWithCount = type(jax.eval_shape(optax.scale_by_rms(bias_correction=True).init, 0.0))
_StdDevWithCount = type(jax.eval_shape(optax.scale_by_stddev(bias_correction=True).init, 0.0))


class WeightedScaleByRmsState(NamedTuple):
    """RMSProp's state with bias correction under the weighted arithmetic: the corrected mean square itself."""

    count: Any
    nu_hat: Any


class WeightedScaleByStdDevState(NamedTuple):
    """Centered RMSProp's state under the weighted arithmetic: the variance itself."""

    mu: Any
    variance: Any


class WeightedScaleByStdDevWithCountState(NamedTuple):
    """Centered RMSProp's state with bias correction under the weighted arithmetic: corrected mean and variance."""

    count: Any
    mu_hat: Any
    variance_hat: Any


def _scaled(g: Leaf, v: Leaf, eps, eps_in_sqrt: bool) -> Leaf:
    return (jax.lax.rsqrt(v + eps) if eps_in_sqrt else 1 / (root(v) + eps)) * g


def _rms(g: Leaf, w: Leaf | None, s: Any, *, decay: Arithmetic, eps, eps_in_sqrt: bool, bias_correction: bool):
    """Tieleman & Hinton 2012, lecture 6.5; with bias correction, Adam's second moment."""
    v, v_hat = decay.average(s.nu, abs_sq(g), bias_correction)
    return _scaled(g, v_hat, eps, eps_in_sqrt), s._replace(nu=v)


def _stddev(
    g: Leaf, w: Leaf | None, s: Any, *, b1: Arithmetic, b2: Arithmetic, eps, eps_in_sqrt: bool, bias_correction: bool
):
    """Graves 2013, equations 38–41: the squared gradients' average less the square of their average."""
    m, m_hat = b1.average(s.mu, g, bias_correction)
    v, variance = b2.variance(s.nu, g, s.mu, m_hat, bias_correction)
    return _scaled(g, variance, eps, eps_in_sqrt), s._replace(mu=m, nu=v)


rms_rule = Rule(_rms, optax.ScaleByRmsState, ("decay",))
rms_with_count_rule = Rule(_rms, _RmsWithCount, ("decay",), WeightedScaleByRmsState)
stddev_rule = Rule(_stddev, optax.ScaleByRStdDevState, ("b1", "b2"), WeightedScaleByStdDevState)
stddev_with_count_rule = Rule(_stddev, _StdDevWithCount, ("b1", "b2"), WeightedScaleByStdDevWithCountState)


def scale_by_rms(
    decay: Decay | ArrayLike = 0.9,
    eps: ArrayLike = 1e-8,
    initial_scale: ArrayLike = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
    *,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """Scale by the root of the squared gradients' average: u = g_t / √(v_t + ε). The arguments are those of `rmsprop`.

    Returns:
        A transformation with the state of `optax.scale_by_rms`: `nu`, of the parameters' shapes, and with bias
        correction a `count`, a scalar int32.

    Raises:
        ValueError: an initial scale together with bias correction under the weighted arithmetic, whose corrected
            mean has no initial value to keep.
    """
    _reject_weighted_start(arithmetic, initial_scale, bias_correction)
    return lift(
        rms_with_count_rule if bias_correction else rms_rule,
        arithmetic=arithmetic,
        start={"nu": initial_scale},
        dtypes={"nu": nu_dtype},
        decay=decay,
        eps=eps,
        eps_in_sqrt=eps_in_sqrt,
        bias_correction=bias_correction,
    )


def scale_by_stddev(
    decay: Decay | ArrayLike = 0.9,
    eps: ArrayLike = 1e-8,
    initial_scale: ArrayLike = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
    *,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """Scale by the gradients' standard deviation: u = g_t / √(v_t − m_t² + ε). The arguments are those of `rmsprop`.

    v − m² can come out negative in float32, and then Optax gives NaN; the accurate arithmetic holds it at 0, the
    weighted one keeps the variance itself, by a recursion that no rounding can make negative.

    Returns:
        A transformation with the state of `optax.scale_by_stddev`: `mu` and `nu`, of the parameters' shapes, and with
        bias correction a `count`, a scalar int32.

    Raises:
        ValueError: as `scale_by_rms`.
    """
    _reject_weighted_start(arithmetic, initial_scale, bias_correction)
    return lift(
        stddev_with_count_rule if bias_correction else stddev_rule,
        arithmetic=arithmetic,
        start={"nu": initial_scale},
        dtypes={"nu": nu_dtype},
        b1=decay,
        b2=decay,
        eps=eps,
        eps_in_sqrt=eps_in_sqrt,
        bias_correction=bias_correction,
    )


def rmsprop(
    learning_rate: ArrayLike | Schedule,
    decay: Decay | ArrayLike = 0.9,
    eps: ArrayLike = 1e-8,
    initial_scale: ArrayLike = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: Decay | ArrayLike | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
    *,
    arithmetic: str = "accurate",
    nu_dtype: DTypeLike | None = None,
) -> Transform:
    """RMSProp, with any of centering, momentum and bias correction.

    Read off this code by `python -m tests.golden`:

        v_t = d·v_(t-1) + (1 - d)·g_t²
        u_t = -η·g_t/√(v_t + ε)

    Where frameworks disagree: Optax and Keras put ε inside the root, PyTorch outside (`eps_in_sqrt=False`), with a
    decay of 0.99 where the others have 0.9. Optax and Keras apply the learning rate ahead of the momentum, PyTorch
    after it, which differs as soon as the rate is a schedule.

    Args:
        learning_rate: η, a scalar or a schedule of the number of finished updates.
        decay: the decay rate of the squared gradients' average, or a `Decay`.
        eps: ε.
        initial_scale: what the average of squares starts from.
        eps_in_sqrt: whether ε stands inside the root.
        centered: whether to scale by the gradients' variance in place of their mean square.
        momentum: the decay rate of a trace of the updates; None keeps no trace.
        nesterov: whether the momentum is Nesterov's.
        bias_correction: whether to divide the averages by 1 − decay^t, which makes it Adam with β₁ = 0.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.
        nu_dtype: the type that the average of squares is kept in; by default the parameter's.

    Returns:
        A transformation with the signature, state and meaning of `optax.rmsprop`.

    References:
        Tieleman & Hinton 2012, "Neural networks for machine learning", lecture 6.5;
        Graves 2013, "Generating sequences with recurrent neural networks", equations 38–41 (centered).
    """
    scale_by = scale_by_stddev if centered else scale_by_rms
    return chain(
        scale_by(decay, eps, initial_scale, eps_in_sqrt, bias_correction, arithmetic=arithmetic, nu_dtype=nu_dtype),
        scale_by_learning_rate(learning_rate, arithmetic=arithmetic),
        identity(arithmetic=arithmetic) if momentum is None else trace(momentum, nesterov, arithmetic=arithmetic),
    )


def _reject_weighted_start(arithmetic: str, initial_scale: ArrayLike, bias_correction: bool):
    known = not isinstance(initial_scale, Tracer)
    if arithmetic == "weighted" and bias_correction and known and np.any(np.asarray(initial_scale) != 0):
        raise ValueError(
            "The weighted arithmetic keeps the corrected mean, which has no initial value: with bias_correction=True "
            f"initial_scale must be 0, not {initial_scale!r}. Use arithmetic='accurate' for this pair."
        )
