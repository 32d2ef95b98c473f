"""Wrappers of Optax's that are no transformations of plain parameters, as transformations of these."""

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, NamedTuple

import jax
import optax

from adamlab.types import PyTree

ScalarOrSchedule = float | optax.Schedule


def multi_steps(
    opt: optax.GradientTransformation, every_k_schedule: int, use_grad_mean: bool = True
) -> optax.GradientTransformationExtraArgs:
    """Average, or sum, the gradients of so many steps, and let the optimizer take one with these.

    The transformation of `optax.MultiSteps`.
    """
    tx = optax.MultiSteps(opt, every_k_schedule, use_grad_mean).gradient_transformation()
    return optax.GradientTransformationExtraArgs(tx.init, tx.update)


def partition(
    mask: bool | Callable[[PyTree], PyTree], fits: optax.GradientTransformation, others: optax.GradientTransformation
) -> optax.GradientTransformationExtraArgs:
    """Let one optimizer update the parameters whose path fits a pattern, and another one all others.

    `optax.partition` with two labels.
    """

    def labels(params: PyTree) -> PyTree:
        flags = mask(params) if callable(mask) else jax.tree.map(lambda _: mask, params)
        return jax.tree.map(lambda flag: "fits" if flag else "others", flags)

    return optax.partition({"fits": fits, "others": others}, labels)


class LookaheadState(NamedTuple):
    """The state of `optax.lookahead`, and the slow parameters."""

    inner: PyTree
    slow: PyTree


def lookahead(
    fast_optimizer: optax.GradientTransformation, sync_period: int, slow_step_size: float, reset_state: bool = False
) -> optax.GradientTransformation:
    """Go back to slow parameters every so many steps, which go part of the way to the fast ones (Zhang et al. 2019).

    `optax.lookahead` with the fast parameters as the parameters, and the slow ones in the state.
    """
    pair = optax.lookahead(fast_optimizer, sync_period, slow_step_size, reset_state)

    def init(params: PyTree) -> LookaheadState:
        return LookaheadState(pair.init(optax.LookaheadParams.init_synced(params)), params)

    def update(updates: PyTree, state: Any, params: Any = None) -> tuple[Any, LookaheadState]:
        both: Any
        both, inner = pair.update(updates, state.inner, optax.LookaheadParams(params, state.slow))
        return both.fast, LookaheadState(inner, optax.apply_updates(state.slow, both.slow))

    return optax.GradientTransformation(init, update)


@cache
def injected(factory: Callable[..., Any]) -> Callable[..., optax.GradientTransformationExtraArgs]:
    """The factory of `optax.inject_hyperparams`, which takes a schedule for every number of the factory given."""
    inject = optax.inject_hyperparams(factory)

    @wraps(factory)
    def make(*given: Any, **named: Any) -> optax.GradientTransformationExtraArgs:
        return inject(*given, **named)

    own = inspect.signature(factory)
    make.__dict__["__signature__"] = own.replace(
        parameters=[
            p.replace(annotation=p.annotation | optax.Schedule) if _is_number(p) else p for p in own.parameters.values()
        ]
    )
    return make


def _is_number(parameter: inspect.Parameter) -> bool:
    return parameter.annotation is not parameter.empty and type(parameter.default) is float


ADAPTED: dict[str, Callable[..., Any]] = {"MultiSteps": multi_steps, "lookahead": lookahead, "partition": partition}
"""By the names that Optax has for them."""
