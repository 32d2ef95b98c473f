"""PyTorch's optimizers in adamlab: for each, a function with PyTorch's signature and defaults.

The bodies are the calls that match; the docstrings say where Optax differs. Common to all of PyTorch's:

- `weight_decay` is an L2 term that joins the gradient ahead of the rule, unless it is decoupled;
- `maximize` turns the gradient around ahead of that, so that weights decay in either case;
- `lr` can be a schedule of the number of finished updates here, which is `scheduler.step()` after `optimizer.step()`;
- complex parameters count as pairs of real ones, where adamlab goes by |g|²: the recipes hold for real parameters.
"""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

from adamlab.arithmetic import ARITHMETICS
from adamlab.errors import InputError, nearest
from adamlab.lifting import Transform, chain, lift
from adamlab.rules import (
    add_decayed_weights,
    scale_by_adadelta,
    scale_by_adam,
    scale_by_adamax,
    scale_by_learning_rate,
    scale_by_rms,
    scale_by_stddev,
    trace,
)
from adamlab.rules.adagrad import rss_rule
from adamlab.rules.amsgrad import amsgrad_rule
from adamlab.rules.nadam import growing_nadam_rule
from adamlab.types import Decay, Schedule

Rate = Decay | ArrayLike

HOW = ("foreach", "fused", "capturable", "differentiable")
"""PyTorch's arguments on how a step is computed; they do not change the step."""


def like_torch(name: str, *, arithmetic: str = "accurate", **arguments: Any) -> Transform:
    """The transformation that takes the very steps of an optimizer of PyTorch.

    >>> transform = like_torch("RMSprop", lr=0.01, momentum=0.9, centered=True)

    Args:
        name: the optimizer's name in `torch.optim`, in upper or lower case; a key of `RECIPES`. AMSGrad is Adam or
            AdamW with `amsgrad=True`.
        arithmetic: "optax", "accurate" or "weighted", see `adamlab.arithmetic`.
        **arguments: PyTorch's own, with PyTorch's defaults. `lr` can be a schedule of the number of finished updates.
            `foreach`, `fused`, `capturable` and `differentiable` have no effect.

    Returns:
        A chain of adamlab's rules, to be used as any Optax transformation; with weight decay, `update` needs the
        parameters. In float64 its steps are PyTorch's up to rounding. PyTorch itself rounds one number of NAdam,
        `mu_product`, to its default type: with float32 as default the steps agree to some 1e-6.

    Raises:
        InputError: there is no recipe of that name, or PyTorch's optimizer does not take this argument, or this value.
    """
    names = {known.lower(): known for known in RECIPES}
    if str(name).lower() not in names:
        raise InputError(
            f"like_torch knows {', '.join(RECIPES)} (AMSGrad is Adam with amsgrad=True), and not {name!r}; "
            f"{nearest(str(name).lower(), names)}"
        )
    name = names[name.lower()]
    given = {key: value for key, value in arguments.items() if key not in HOW}
    known = inspect.signature(RECIPES[name]).parameters
    for key, value in given.items():
        if key not in known:
            raise InputError(f"torch.optim.{name} has no argument {key!r}; {nearest(key, known)}")
        fits, expected = _EXPECTED[known[key].annotation]
        if not fits(value):
            raise InputError(f"torch.optim.{name}: {key} must be {expected}, not {value!r}.")
    return RECIPES[name](**given, arithmetic=arithmetic)


def sgd(
    lr: ArrayLike | Schedule = 1e-3,
    momentum: Rate = 0,
    dampening: ArrayLike = 0,
    weight_decay: ArrayLike = 0,
    nesterov: bool = False,
    maximize: bool = False,
    *,
    arithmetic: str = "accurate",
) -> Transform:
    """SGD with dampening, which Optax does not have: (1 − dampening)·g joins the momentum, but g itself at first.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    if nesterov and (_is_zero(momentum) or not _is_zero(dampening)):
        raise InputError(
            "torch.optim.SGD takes nesterov=True with a momentum above 0 and no dampening, "
            f"not with momentum={momentum!r} and dampening={dampening!r}."
        )

    def undamped(count):
        return jnp.where(count == 0, 1, 1 - dampening)

    return chain(
        _ahead(weight_decay, maximize, arithmetic),
        scale_by_learning_rate(
            None if _is_zero(momentum) or _is_zero(dampening) else undamped, flip_sign=False, arithmetic=arithmetic
        ),
        _momentum(momentum, nesterov, arithmetic),
        scale_by_learning_rate(lr, arithmetic=arithmetic),
    )


def adagrad(
    lr: ArrayLike | Schedule = 1e-2,
    lr_decay: ArrayLike = 0,
    weight_decay: ArrayLike = 0,
    initial_accumulator_value: ArrayLike = 0,
    eps: ArrayLike = 1e-10,
    maximize: bool = False,
    *,
    arithmetic: str = "accurate",
) -> Transform:
    """Adagrad with a sum from 0 and ε outside the root; Optax starts at 0.1 and has ε = 1e-7 inside.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
    """

    def decayed(count):
        return (lr(count) if callable(lr) else lr) / (1 + count * lr_decay)

    return chain(
        _ahead(weight_decay, maximize, arithmetic),
        lift(
            rss_rule,
            arithmetic=arithmetic,
            start={"sum_of_squares": initial_accumulator_value},
            eps=eps,
            eps_in_sqrt=False,
        ),
        scale_by_learning_rate(decayed, arithmetic=arithmetic),
    )


def rmsprop(
    lr: ArrayLike | Schedule = 1e-2,
    alpha: Rate = 0.99,
    eps: ArrayLike = 1e-8,
    weight_decay: ArrayLike = 0,
    momentum: Rate = 0,
    centered: bool = False,
    maximize: bool = False,
    *,
    arithmetic: str = "accurate",
) -> Transform:
    """RMSProp with ε outside the root and momentum ahead of the learning rate; Optax has both the other way round.

    Where rounding makes a centered v − m² negative, PyTorch and Optax go to NaN; other arithmetics than "optax" do not.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
    """
    scale = scale_by_stddev if centered else scale_by_rms
    return chain(
        _ahead(weight_decay, maximize, arithmetic),
        scale(alpha, eps, eps_in_sqrt=False, arithmetic=arithmetic),
        _momentum(momentum, False, arithmetic),
        scale_by_learning_rate(lr, arithmetic=arithmetic),
    )


def adadelta(
    lr: ArrayLike | Schedule = 1.0,
    rho: Rate = 0.9,
    eps: ArrayLike = 1e-6,
    weight_decay: ArrayLike = 0,
    maximize: bool = False,
    *,
    arithmetic: str = "accurate",
) -> Transform:
    """Adadelta; Optax takes the same steps at a learning rate of 1, and without one goes along the gradient.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Adadelta.html
    """
    return chain(
        _ahead(weight_decay, maximize, arithmetic),
        scale_by_adadelta(rho, eps, arithmetic=arithmetic),
        scale_by_learning_rate(lr, arithmetic=arithmetic),
    )


def adam(
    lr: ArrayLike | Schedule = 1e-3,
    betas: tuple[Rate, Rate] = (0.9, 0.999),
    eps: ArrayLike = 1e-8,
    weight_decay: ArrayLike = 0,
    amsgrad: bool = False,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
    *,
    arithmetic: str = "accurate",
) -> Transform:
    """Adam or AMSGrad; Optax's AMSGrad differs: here the maximum is of raw second moments, and corrected afterwards.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """
    scale = _scale_by_amsgrad if amsgrad else scale_by_adam
    return chain(
        _ahead(0 if decoupled_weight_decay else weight_decay, maximize, arithmetic),
        scale(*betas, eps, arithmetic=arithmetic),
        add_decayed_weights(weight_decay if decoupled_weight_decay else 0, arithmetic=arithmetic),
        scale_by_learning_rate(lr, arithmetic=arithmetic),
    )


def adamw(
    lr: ArrayLike | Schedule = 1e-3,
    betas: tuple[Rate, Rate] = (0.9, 0.999),
    eps: ArrayLike = 1e-8,
    weight_decay: ArrayLike = 1e-2,
    amsgrad: bool = False,
    maximize: bool = False,
    *,
    arithmetic: str = "accurate",
) -> Transform:
    """Adam with decoupled weight decay, 1e-2 by default; 1e-4 in Optax.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """
    return adam(lr, betas, eps, weight_decay, amsgrad, maximize, decoupled_weight_decay=True, arithmetic=arithmetic)


def adamax(
    lr: ArrayLike | Schedule = 2e-3,
    betas: tuple[Rate, Rate] = (0.9, 0.999),
    eps: ArrayLike = 1e-8,
    weight_decay: ArrayLike = 0,
    maximize: bool = False,
    *,
    arithmetic: str = "accurate",
) -> Transform:
    """AdaMax; Optax takes the same steps, but its learning rate has no default.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Adamax.html
    """
    return chain(
        _ahead(weight_decay, maximize, arithmetic),
        scale_by_adamax(*betas, eps, arithmetic=arithmetic),
        scale_by_learning_rate(lr, arithmetic=arithmetic),
    )


def nadam(
    lr: ArrayLike | Schedule = 2e-3,
    betas: tuple[Rate, Rate] = (0.9, 0.999),
    eps: ArrayLike = 1e-8,
    weight_decay: ArrayLike = 0,
    momentum_decay: ArrayLike = 4e-3,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
    *,
    arithmetic: str = "accurate",
) -> Transform:
    """NAdam whose momentum grows from β₁/2 to β₁; in Optax it is constant, which is momentum_decay → ∞.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html
    """
    b1, b2 = betas
    return chain(
        _ahead(0 if decoupled_weight_decay else weight_decay, maximize, arithmetic),
        lift(
            growing_nadam_rule,
            arithmetic=arithmetic,
            start={"mu_product": 1.0},
            dtypes={"mu_product": float},
            b1=b1,
            b2=b2,
            eps=eps,
            momentum_decay=momentum_decay,
        ),
        add_decayed_weights(weight_decay if decoupled_weight_decay else 0, arithmetic=arithmetic),
        scale_by_learning_rate(lr, arithmetic=arithmetic),
    )


RECIPES: dict[str, Callable[..., Transform]] = {
    "SGD": sgd,
    "Adagrad": adagrad,
    "RMSprop": rmsprop,
    "Adadelta": adadelta,
    "Adam": adam,
    "AdamW": adamw,
    "Adamax": adamax,
    "NAdam": nadam,
}


def _scale_by_amsgrad(b1: Rate, b2: Rate, eps: ArrayLike, *, arithmetic: str) -> Transform:
    """u = m̂ / (√(max v / c) + ε) with c = 1 − β₂^t, which is √c·m̂ / (√(max v) + √c·ε)."""
    kind = ARITHMETICS[arithmetic]

    def root(count):
        return jnp.sqrt(kind(kind.numbers(Decay.of(b2)), optax.safe_increment(count)).correction)

    return chain(
        lift(
            amsgrad_rule,
            arithmetic=arithmetic,
            b1=b1,
            b2=b2,
            eps=lambda count: root(count) * eps,
            eps_root=0.0,
            bias_correction_mu=True,
            bias_correction_nu=False,
        ),
        scale_by_learning_rate(root, flip_sign=False, arithmetic=arithmetic),
    )


def _ahead(weight_decay: ArrayLike, maximize: bool, arithmetic: str) -> Transform:
    """The part ahead of the rule: the gradient is turned around, and the L2 term joins it."""
    return chain(
        scale_by_learning_rate(1.0 if maximize else None, arithmetic=arithmetic),
        add_decayed_weights(weight_decay, arithmetic=arithmetic),
    )


def _momentum(momentum: Rate, nesterov: bool, arithmetic: str) -> Transform:
    """The trace, or nothing without momentum."""
    return chain() if _is_zero(momentum) else trace(momentum, nesterov, arithmetic=arithmetic)


def _is_zero(number: Any) -> bool:
    return isinstance(number, (int, float)) and number == 0


def _is_number(value: Any, below: float = float("inf")) -> bool:
    """Whether the value is a number in [0, below), or an array, whose numbers are not looked at."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return 0 <= value < below
    return isinstance(value, (jax.Array, np.ndarray, np.number))


def _is_rate(value: Any, below: float = float("inf")) -> bool:
    return _is_number(value, below) or isinstance(value, Decay)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(_is_rate(rate, below=1.0) for rate in value)


_EXPECTED: dict[Any, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), "True or False"),
    ArrayLike: (_is_number, "a number of at least 0"),
    ArrayLike | Schedule: (lambda value: _is_number(value) or callable(value), "a number of at least 0, or a schedule"),
    Rate: (_is_rate, "a number of at least 0, or a Decay"),
    tuple[Rate, Rate]: (_is_pair, "a pair of numbers in [0, 1), or of Decays"),
}
