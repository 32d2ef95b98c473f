"""Quantities: how each of those that can be recorded is computed, from a run after a step."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from adamlab.arithmetic import AccurateArithmetic
from adamlab.calls import Call, Symbol
from adamlab.flattening.vectors import unravel
from adamlab.studies.engine.curvature import gradient_noise_scale, sharpness
from adamlab.studies.engine.learning_rates import learning_rate
from adamlab.studies.engine.recording import OF_THE_EDGE, OF_THE_WHOLE_RUN, QUANTITIES
from adamlab.types import Decay, Problem, PyTree

if TYPE_CHECKING:
    from adamlab.dynamics.edge import Edge

FIELDS = {"m": ("mu", "mu_hat", "b1"), "v": ("nu", "nu_hat", "b2")}
"""For each moment the state's field, the field of its corrected average, and its decay; `decay` serves both."""


@dataclass(frozen=True)
class Moment:
    """A run after a step.

    Attributes:
        t: the number of steps done.
        params: the parameters.
        state: the optimizer's state.
        last: the gradient and the updates of the step just done.
        numbers: the values of the optimizer's symbols.
        regret: its regret so far, where that is recorded.
        key: the key of its batches.
        problem_state: what the problem carries beside the parameters, see `Problem.state`.
    """

    t: Any
    params: PyTree
    state: PyTree
    last: tuple[PyTree, PyTree] | None
    numbers: Mapping[str, Any]
    regret: Any = None
    key: Any = None
    problem_state: PyTree = None

    def of(self, function: Callable[..., jax.Array]) -> jax.Array:
        """An objective or a metric of the problem's."""
        return objective_at(function, self.problem_state)(self.params)


def objective_at(function: Callable[..., jax.Array], state: PyTree) -> Callable[[PyTree], jax.Array]:
    """An objective or a metric as a function of the parameters alone, at the state that the problem is in, if any."""
    return function if state is None else lambda params: function(params, state)


def edge_for(template: Call, names: Iterable[str]) -> "Edge | None":
    """Where the optimizer's steps stop converging, read off its code where a quantity is about it.

    Reading traces the optimizer, and that cannot be done while the run itself is traced.
    """
    if {*names}.isdisjoint(OF_THE_EDGE):
        return None
    from adamlab.dynamics.edge import edge_of  # which loads SymPy

    return edge_of(template)


def recorder(
    problem: Problem, template: Call, names: Iterable[str], edge: "Edge | None" = None
) -> Callable[[Moment], dict[str, jax.Array]]:
    """The function that computes named quantities and metrics of a run at a moment, but for the loss.

    Of a quantity and a metric of the same name it is the metric that is recorded.

    Args:
        problem: the problem.
        template: the optimizer.
        names: of the quantities and metrics.
        edge: from `edge_for`.
    """
    metrics = {name: f for name, f in problem.metrics.items() if name in names}
    chosen = [name for name in QUANTITIES if name in names and name not in ("loss", *OF_THE_WHOLE_RUN)]

    def record(moment: Moment) -> dict[str, jax.Array]:
        quantities = _Quantities(problem, template, moment, edge)
        return {name: getattr(quantities, name)() for name in chosen if name not in metrics} | {
            name: moment.of(metric) for name, metric in metrics.items()
        }

    return record


@dataclass(frozen=True)
class _Quantities:
    """The quantities, a method each."""

    problem: Problem
    template: Call
    moment: Moment
    edge: "Edge | None" = None

    def params(self) -> jax.Array:
        return _flat(self.moment.params)

    def updates(self) -> jax.Array:
        return self._after_a_step(_flat(self._last[1]))

    def gradients(self) -> jax.Array:
        return self._after_a_step(_flat(self._last[0]))

    def gradient_norm(self) -> jax.Array:
        return self._after_a_step(jnp.linalg.norm(_flat(self._last[0])))

    def update_norm(self) -> jax.Array:
        return self._after_a_step(jnp.linalg.norm(_flat(self._last[1])))

    def param_norm(self) -> jax.Array:
        return jnp.linalg.norm(_flat(self.moment.params))

    def layer_norms(self) -> jax.Array:
        return _norms(self.moment.params)

    def layer_gradient_norms(self) -> jax.Array:
        return self._after_a_step(_norms(self._last[0]))

    def layer_update_norms(self) -> jax.Array:
        return self._after_a_step(_norms(self._last[1]))

    def layer_effective_learning_rate(self) -> jax.Array:
        over = ravel_pytree(self.moment.params)[1](self._descended())
        return self._after_a_step(_norms(self._last[1]) / _norms(over))

    def scheduled_learning_rate(self) -> jax.Array:
        return self._after_a_step(learning_rate(self.template, self.moment.numbers, self.moment.state, self.moment.t))

    def regret(self) -> jax.Array:
        return self.moment.regret

    def sharpness(self) -> jax.Array:
        return sharpness(self._objective, self.moment.params)

    def preconditioned_sharpness(self) -> jax.Array:
        if self.edge is None:
            return jnp.full((), jnp.nan)
        moment = self.moment
        divisors = self.edge.preconditioner_at(self._numbers, moment.state, moment.params, moment.t)
        value = sharpness(self._objective, moment.params, divisors)
        return self._after_a_step(value) if self.edge.places else value

    def stability_threshold(self) -> jax.Array:
        return jnp.full((), jnp.nan) if self.edge is None else self.edge.threshold_at(self._numbers)

    def gradient_noise_scale(self) -> jax.Array:
        moment = self.moment
        return gradient_noise_scale(self.problem, moment.params, moment.key, moment.t, moment.problem_state)

    def m(self) -> jax.Array:
        return self._average("m")

    def v(self) -> jax.Array:
        return self._average("v")

    def m_hat(self) -> jax.Array:
        return self._corrected("m")

    def v_hat(self) -> jax.Array:
        return self._corrected("v")

    def effective_learning_rate(self) -> jax.Array:
        return self._after_a_step(-_flat(self._last[1]) / self._descended())

    def distance(self) -> jax.Array:
        w = _flat(self.moment.params)
        offsets = w[None, :] - jnp.asarray(self.problem.minima, w.dtype)
        return jnp.min(jnp.linalg.norm(offsets, axis=1))

    def _descended(self) -> jax.Array:
        """m̂^t of Adam and its like, g^t of all others."""
        like_adam = "b1" in self.template.bound_inside() and None not in (self._field("m")[0], self._field("v")[0])
        return self._corrected("m") if like_adam else _flat(self._last[0])

    @property
    def _numbers(self) -> Mapping[str, Any]:
        """The values of the optimizer's symbols, and of its scheduled learning rate at the last step."""
        return {**self.moment.numbers, "scheduled_learning_rate": self.scheduled_learning_rate()}

    @property
    def _objective(self) -> Callable[[PyTree], jax.Array]:
        return objective_at(self.problem.objective, self.moment.problem_state)

    @property
    def _last(self) -> tuple[PyTree, PyTree]:
        assert self.moment.last is not None
        return self.moment.last

    def _average(self, name: str) -> jax.Array:
        held, is_corrected = self._field(name)
        if held is None:
            return jnp.full_like(_flat(self.moment.params), jnp.nan)
        return jnp.where(self.moment.t > 0, held * self._correction(name), 0.0) if is_corrected else held

    def _corrected(self, name: str) -> jax.Array:
        held, is_corrected = self._field(name)
        if held is None:
            return jnp.full_like(_flat(self.moment.params), jnp.nan)
        return self._after_a_step(held if is_corrected else held / self._correction(name))

    def _field(self, name: str) -> tuple[jax.Array | None, bool]:
        """A moment's field of the state, flat, and whether it holds the corrected average."""
        plain, corrected, _ = FIELDS[name]
        size = _flat(self.moment.params).size
        for field in (plain, corrected):
            for value in _named(self.moment.state, field):
                flat = _flat(value)
                if flat.size == size:
                    return flat, field == corrected
        return None, False

    def _correction(self, name: str) -> jax.Array:
        """1 − b^t; NaN where the optimizer has no such decay that is a number."""
        owner, steps = self._owner(name)
        bound = owner.bound()
        alone = self._field("m")[0] is None or self._field("v")[0] is None
        rates = ("decay",) if alone and name == "m" else (FIELDS[name][2], "decay")  # Lion keeps mu by its b2
        decay = next((bound[key] for key in rates if key in bound), None)
        value = self.moment.numbers[decay.name] if isinstance(decay, Symbol) else decay
        if not isinstance(value, (int, float, Decay, jax.Array)):
            return jnp.full((), jnp.nan)
        return AccurateArithmetic(AccurateArithmetic.numbers(Decay.of(value)), steps).correction

    def _owner(self, name: str) -> tuple[Call, Any]:
        """The optimizer inside of the template that keeps a moment, and the number of steps that it has done."""
        fields = FIELDS[name][:2]
        inner = [call for call in self.template.calls() if call.role == "optimizer"]
        leaves = [call for call in inner if not any(other.role == "optimizer" for other in [*call.calls()][1:])]
        build = [call.with_numbers(self.moment.numbers).build for call in leaves]
        states = [jax.eval_shape(lambda w, build=build: build().init(w), self.moment.params) for build in build]
        keeps = [any(_named(state, field) for field in fields) for state in states]
        owner = next((call for call, kept in zip(leaves, keeps, strict=True) if kept), self.template)
        counts = [*_beside(self.moment.state, fields, "count"), *_named(self.moment.state, "gradient_step")]
        return owner, counts[0] if counts else self.moment.t

    def _after_a_step(self, value: jax.Array) -> jax.Array:
        return jnp.where(self.moment.t > 0, value, jnp.nan)


def _flat(tree: PyTree) -> jax.Array:
    return ravel_pytree(tree)[0]


def _norms(tree: PyTree) -> jax.Array:
    return jnp.stack([jnp.linalg.norm(jnp.ravel(leaf)) for leaf in jax.tree.leaves(unravel(tree))])


def _beside(state: PyTree, fields: tuple[str, ...], other: str) -> list[PyTree]:
    """The values of another field in the NamedTuples of a state that have one of these, outermost first."""
    names = getattr(state, "_fields", ())
    if isinstance(state, tuple) and not {*fields}.isdisjoint(names):
        return [getattr(state, other)] if other in names else []
    children = state.values() if isinstance(state, Mapping) else state if isinstance(state, (tuple, list)) else ()
    return [value for child in children for value in _beside(child, fields, other)]


def _named(state: PyTree, field: str) -> list[PyTree]:
    """The values of a field in the state's NamedTuples, outermost first."""
    return _beside(state, (field,), field)
