"""Recording: the quantities of a run that can be recorded beside its problem's metrics, and how each is computed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from adamlab.arithmetic import AccurateArithmetic
from adamlab.calls import Call, Symbol
from adamlab.studies.engine.curvature import gradient_noise_scale, sharpness
from adamlab.studies.engine.learning_rates import learning_rate
from adamlab.types import Decay, Problem, PyTree, Sampler

if TYPE_CHECKING:
    from adamlab.dynamics.edge import Edge

QUANTITIES: dict[str, str] = {
    "loss": "the objective of the parameters",
    "params": "the parameters w^t",
    "updates": "the optimizer's update u^t, before any projection; NaN at the start",
    "gradients": "the gradient g^t that step t took; NaN at the start",
    "gradient_norm": "the Euclidean norm of g^t; NaN at the start",
    "update_norm": "the Euclidean norm of u^t; NaN at the start",
    "param_norm": "the Euclidean norm of w^t",
    "layer_norms": "the Euclidean norm of each layer's parameters, a layer being an array of the parameters' tree",
    "layer_gradient_norms": "the same of its gradient; NaN at the start",
    "layer_update_norms": "the same of its update; NaN at the start",
    "layer_effective_learning_rate": "‖u^t‖ / ‖m̂^t‖ in each layer, of all but Adam and its like ‖u^t‖ / ‖g^t‖",
    "scheduled_learning_rate": "the learning rate of step t, a number's or its schedule's value; NaN at the start",
    "m": "the first moment, whatever the optimizer keeps as `mu`; NaN where it keeps none",
    "v": "the second moment, whatever the optimizer keeps as `nu`; NaN where it keeps none",
    "m_hat": "m / (1 − β₁^t); NaN at the start, and where m is not averaged with a b1 or decay",
    "v_hat": "v / (1 − β₂^t); NaN at the start, and where v is not averaged with a b2 or decay",
    "effective_learning_rate": "−u^t / m̂^t of Adam and its like, −u^t / g^t of all others; NaN at the start",
    "distance": "the Euclidean distance to the nearest known minimum",
    "regret": "Σ f_i(w^(i−1)) − f_i(w*) over all steps done, recorded or not; w* is the first known minimum",
    "sharpness": "the largest eigenvalue of the objective's Hessian, by Lanczos iterations",
    "preconditioned_sharpness": "the largest eigenvalue of P⁻¹H, P being what the gradient is divided by, as √v̂ + ε",
    "stability_threshold": "the largest curvature of P⁻¹H at which the steps converge, as `al.stability` derives it",
    "gradient_noise_scale": "tr Σ / |G|² over examples, by batches; ∞ where the gradient drowns in the noise",
    "steps_to_target": "the first step after which the loss was at most `record.target`; −1 where none was",
    "seconds": "the CPU time that the run took, on accelerators the time: that of its block, divided among the runs",
}

BY_COORDINATE = ("params", "updates", "gradients", "m", "v", "m_hat", "v_hat", "effective_learning_rate")
"""The quantities that are vectors, a number for each parameter."""

BY_LAYER = ("layer_norms", "layer_gradient_norms", "layer_update_norms", "layer_effective_learning_rate")
"""The quantities with a number for each array of the parameters' tree."""

OF_LAST_STEP = (
    *("updates", "gradients", "gradient_norm", "update_norm", "effective_learning_rate"),
    *("layer_gradient_norms", "layer_update_norms", "layer_effective_learning_rate"),
)
"""The quantities that need the gradient and the update of the step just done."""

OF_THE_WHOLE_RUN = ("steps_to_target", "seconds")
"""The quantities that are one number for each run, and not one after each step."""

OF_THE_EDGE = ("preconditioned_sharpness", "stability_threshold")
"""The quantities that are read off the optimizer's code."""

COSTLY = ("sharpness", "preconditioned_sharpness", "gradient_noise_scale")
"""The quantities that cost many gradients, which can be recorded at some of the recorded steps alone."""

NEEDED = {
    "distance": "known minima",
    "regret": "known minima",
    "gradient_noise_scale": "minibatches of a data set, as al.problems.minibatches and al.problems.epochs draw them",
}
"""What quantities need that not every problem has, in words; see `can_record`."""

FIELDS = {"m": ("mu", "mu_hat", "b1"), "v": ("nu", "nu_hat", "b2")}
"""For each moment the state's field, the field of its corrected average, and its decay; `decay` serves both."""


LOW_DIMENSION = 16
"""The most parameters of a problem whose vectors are recorded over steps; of larger ones only the last parameters."""


@dataclass(frozen=True)
class Recording:
    """The recorded steps and quantities of every run.

    Attributes:
        steps: the steps after which quantities are recorded, from 0 (the start) to the last.
        what: the names of the quantities and metrics.
        target: the loss that counts as reached, for "steps_to_target".
        costly_every: costly quantities are recorded at every so many recorded steps, and at the last; NaN at others.
    """

    steps: np.ndarray
    what: tuple[str, ...]
    target: float | None = None
    costly_every: int = 1

    def on(self, problem: Problem) -> "Recording":
        """The part of it that a problem can record, with a target where it is asked for."""
        what = tuple(name for name in self.what if can_record(problem, name))
        return replace(self, what=what, target=self.target if "steps_to_target" in what else None)

    def numbers(self, problem: Problem) -> int:
        """How many numbers are recorded of a run of the problem at each recorded step."""
        what = {"loss", *self.on(problem).what}
        sizes = {**self.sizes(problem), "step": 1}
        return sum(prod(sizes[dim] for dim in dims_of(name)) for name in what)

    def sizes(self, problem: Problem) -> dict[str, int]:
        """The sizes of the dims of recorded quantities."""
        return {
            "step": len(self.steps),
            "dim": problem.dimension,
            "parameter": problem.dimension,
            "layer": len(layers_of(problem)),
        }


def can_record(problem: Problem, name: str) -> bool:
    """Whether a quantity is one of the problem's: no vectors of large problems, and none that lacks what it is about.

    A metric of the problem's own takes the place of a quantity of its name.
    """
    if name in BY_COORDINATE:
        return problem.dimension <= LOW_DIMENSION
    if name in ("distance", "regret"):
        return bool(problem.minima) or name in problem.metrics
    if name == "gradient_noise_scale":
        return isinstance(problem.sample, Sampler) or name in problem.metrics
    return True


def layers_of(problem: Problem) -> list[str]:
    """The names of the arrays of the parameters' tree, by their paths in it, such as "blocks/0/kernel"."""
    start = jax.eval_shape(lambda: problem.start(jax.random.key(0)))
    paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(start)[0]]
    return [jax.tree_util.keystr(path, simple=True, separator="/") or "params" for path in paths]


def recorded_steps(steps: int, every: int | Mapping[str, int]) -> np.ndarray:
    """The steps after which quantities are recorded: 0 (the start), every k-th, and the last.

    With {"log": n} in place of k, about n steps in equal ratios, as far as these are whole numbers.
    """
    if isinstance(every, Mapping):
        chosen = np.unique(np.rint(np.geomspace(1, steps, every["log"])))
        return np.unique([0, *chosen, steps]).astype(np.int32)
    return np.append(np.arange(0, steps, every), steps).astype(np.int32)


def dims_of(name: str) -> tuple[str, ...]:
    """The dims of a recorded quantity, ahead of that of the runs."""
    whole_run = {"final_params": ("parameter",), "diverged_at": ()} | dict.fromkeys(OF_THE_WHOLE_RUN, ())
    by = ("dim",) if name in BY_COORDINATE else ("layer",) if name in BY_LAYER else ()
    return whole_run.get(name, ("step", *by))


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
    return jnp.stack([jnp.linalg.norm(jnp.ravel(leaf)) for leaf in jax.tree.leaves(tree)])


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
