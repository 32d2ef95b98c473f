"""The edge of stability as numbers of a run: the preconditioner of its state, and the largest stable curvature."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from sympy import Symbol, lambdify

from adamlab.calls import Call, arguments
from adamlab.calls import Symbol as Open
from adamlab.dynamics.linearizing import corrected_preconditioners, linear_step
from adamlab.dynamics.stability import LEARNING_RATES, stability_of
from adamlab.errors import InputError
from adamlab.symbolic.general_step import FEW
from adamlab.symbolic.letters import T
from adamlab.symbolic.open_optimizer import OpenOptimizer
from adamlab.types import Decay, Formula, PyTree

SCHEDULED = "scheduled_learning_rate"
"""The name of the learning rate among the numbers where it is a schedule's value."""


@dataclass(frozen=True)
class Edge:
    """What `al.stability` derives of an optimizer, as functions of a run's numbers and state.

    Attributes:
        names: the names of the numbers that are open, in the order of both functions' first arguments.
        defaults: the factory's own values of those among them that a run need not give.
        places: the places, among the leaves of a single number's state, of those that the preconditioner depends on.
        structure: of a single number's state.
        threshold: the largest stable curvature, of the numbers; NaN where no formula was found.
        preconditioner: what the gradient is divided by, of the numbers, the states at `places`, and t.
    """

    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    places: tuple[int, ...]
    structure: Any
    threshold: Callable[..., Any]
    preconditioner: Callable[..., Any]

    def threshold_at(self, numbers: Mapping[str, Any]) -> jax.Array:
        """The largest curvature, of P⁻¹H for the preconditioner P, at which the steps converge."""
        return jnp.asarray(self.threshold(*self._numbers(numbers)), float)

    def preconditioner_at(self, numbers: Mapping[str, Any], state: PyTree, params: PyTree, t: Any) -> PyTree:
        """P after t steps, a positive number for each parameter, with the bias correction that step t had."""
        states = self.structure.flatten_up_to(state)

        def at(w: jax.Array, *held: jax.Array) -> jax.Array:
            return jnp.broadcast_to(self.preconditioner(*self._numbers(numbers), *held, t), w.shape).astype(w.dtype)

        return jax.tree.map(at, params, *(_like(states[k], params) for k in self.places))

    def _numbers(self, numbers: Mapping[str, Any]) -> list[Any]:
        known = {**self.defaults, **numbers}
        return [value.rate if isinstance(value := known[name], Decay) else value for name in self.names]


def edge_of(template: Call) -> Edge | None:
    """Read where an optimizer's steps stop converging; None where there is no such threshold.

    That is where `al.stability` refuses the optimizer, where the curvature is not divided by a single preconditioner,
    as with weight decay that is added to the gradient ahead of it, and where masks make steps differ by parameter, or
    schedules by step. A learning rate that is scheduled is read as a number, `SCHEDULED`, which is then to be given for
    each step; of two rates there is no threshold.

    Args:
        template: the optimizer; its symbols are the numbers that differ between runs.
    """
    masks = (a.kind == "mask" and name in c.arguments for c in template.calls() for name, a in _known(c))
    if any(masks):
        return None
    scheduled = _with_scheduled_rate(template)
    if scheduled is None:
        return None
    try:
        state = OpenOptimizer.of(template)  # which counts the steps of a schedule
        linear = linear_step(OpenOptimizer.of(scheduled))
        if max(linear.step.first.values()) > FEW:  # by a schedule in its code, which has ended then
            return None
        corrected, states = corrected_preconditioners(linear.step) if linear.preconditioners else ([], {})
    except InputError:
        return None
    stability = stability_of(linear)
    if linear.preconditioners and (len(corrected) != 1 or stability.curvature == stability.h):
        return None
    optimizer = linear.step.optimizer
    symbols = [optimizer.hyper[name] for name in optimizer.hyper]
    fields = [name for name in state.fields if name in states]
    if len(fields) < len(states):
        return None
    return Edge(
        tuple(optimizer.hyper),
        optimizer.subject.defaults,
        tuple(map(state.fields.index, fields)),
        jax.tree.structure(state.programs.init.shapes),
        _function(symbols, stability.largest_curvature),
        _function([*symbols, *(states[name] for name in fields), T], corrected[0] if corrected else 1),
    )


def _with_scheduled_rate(template: Call) -> Call | None:
    """The optimizer with a symbol in place of its learning rate's schedule; None where it has other schedules."""

    def filled(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(filled, value))
        if not isinstance(value, Call) or value.role != "optimizer":
            return value
        given = value.arguments.items()
        scheduled = {n for n, x in given if n in LEARNING_RATES and isinstance(x, Call)}
        return value.with_arguments({n: Open(SCHEDULED) if n in scheduled else filled(x) for n, x in given})

    rates = [n for c in template.calls() if c.role == "optimizer" for n in c.arguments if n in LEARNING_RATES]
    schedules = [c for c in template.calls() if c.role == "schedule"]
    if not schedules:
        return template
    replaced = filled(template)
    left = [c for c in replaced.calls() if c.role == "schedule"]
    return None if left or len(rates) > 1 else replaced


def _known(call: Call) -> Any:
    return arguments(call.factory).items()


def _function(symbols: list[Symbol], e: Formula | float | None) -> Callable[..., Any]:
    """A formula as a function of arrays."""
    of_arrays = {"Max": jnp.maximum, "Min": jnp.minimum}  # SymPy prints them for arrays of one shape alone
    return lambdify(symbols, float("nan") if e is None else e, [of_arrays, "jax"])


def _like(held: PyTree, params: PyTree) -> PyTree:
    """A state's tree; that of a state that all parameters share is repeated."""
    return held if jax.tree.structure(held) == jax.tree.structure(params) else jax.tree.map(lambda _: held, params)
