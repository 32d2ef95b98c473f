"""Recording: the quantities of a run that can be recorded beside its problem's metrics, and how each is computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from adamlab.arithmetic import AccurateArithmetic
from adamlab.calls import Call, Symbol
from adamlab.types import Decay, Problem, PyTree

QUANTITIES: dict[str, str] = {
    "loss": "the objective of the parameters",
    "params": "the parameters w^t",
    "updates": "the optimizer's update u^t, before any projection; NaN at the start",
    "gradient_norm": "the Euclidean norm of g^t, the gradient that step t took; NaN at the start",
    "m": "the first moment, whatever the optimizer keeps as `mu`; NaN where it keeps none",
    "v": "the second moment, whatever the optimizer keeps as `nu`; NaN where it keeps none",
    "m_hat": "m / (1 − β₁^t); NaN at the start, and where m is not averaged with a b1 or decay",
    "v_hat": "v / (1 − β₂^t); NaN at the start, and where v is not averaged with a b2 or decay",
    "effective_learning_rate": "−u^t / m̂^t of Adam and its like, −u^t / g^t of all others; NaN at the start",
    "distance": "the Euclidean distance to the nearest known minimum",
    "steps_to_target": "the first step after which the loss was at most `record.target`; −1 where none was",
}

BY_COORDINATE = ("params", "updates", "m", "v", "m_hat", "v_hat", "effective_learning_rate")
"""The quantities that are vectors, a number for each parameter."""

OF_LAST_STEP = ("updates", "gradient_norm", "effective_learning_rate")
"""The quantities that need the gradient and the update of the step just done."""

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
    """

    steps: np.ndarray
    what: tuple[str, ...]
    target: float | None = None

    def on(self, problem: Problem) -> "Recording":
        """The part of it that a problem can record: no vectors of large problems, a target where it is asked for."""
        few = problem.dimension <= LOW_DIMENSION
        what = tuple(name for name in self.what if few or name not in BY_COORDINATE)
        return Recording(self.steps, what, self.target if "steps_to_target" in what else None)


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
    whole_run: dict[str, tuple[str, ...]] = {"final_params": ("parameter",), "diverged_at": (), "steps_to_target": ()}
    return whole_run.get(name, ("step", "dim") if name in BY_COORDINATE else ("step",))


@dataclass(frozen=True)
class Moment:
    """A run after a step.

    Attributes:
        t: the number of steps done.
        params: the parameters.
        state: the optimizer's state.
        last: the gradient and the updates of the step just done.
        numbers: the values of the optimizer's symbols.
    """

    t: Any
    params: PyTree
    state: PyTree
    last: tuple[PyTree, PyTree] | None
    numbers: Mapping[str, Any]


def recorder(problem: Problem, template: Call, names: tuple[str, ...]) -> Callable[[Moment], dict[str, jax.Array]]:
    """The function that computes named quantities and metrics of a run at a moment, but for the loss.

    Of a quantity and a metric of the same name it is the metric that is recorded.
    """
    metrics = {name: f for name, f in problem.metrics.items() if name in names}
    chosen = [name for name in QUANTITIES if name in names and name not in ("loss", "steps_to_target")]
    if not problem.minima:
        chosen = [name for name in chosen if name != "distance"]

    def record(moment: Moment) -> dict[str, jax.Array]:
        quantities = _Quantities(problem, template, moment)
        return {name: getattr(quantities, name)() for name in chosen if name not in metrics} | {
            name: metric(moment.params) for name, metric in metrics.items()
        }

    return record


@dataclass(frozen=True)
class _Quantities:
    """The quantities, a method each."""

    problem: Problem
    template: Call
    moment: Moment

    def params(self) -> jax.Array:
        return _flat(self.moment.params)

    def updates(self) -> jax.Array:
        return self._after_a_step(_flat(self._last[1]))

    def gradient_norm(self) -> jax.Array:
        return self._after_a_step(jnp.linalg.norm(_flat(self._last[0])))

    def m(self) -> jax.Array:
        return self._average("m")

    def v(self) -> jax.Array:
        return self._average("v")

    def m_hat(self) -> jax.Array:
        return self._corrected("m")

    def v_hat(self) -> jax.Array:
        return self._corrected("v")

    def effective_learning_rate(self) -> jax.Array:
        gradient, updates = map(_flat, self._last)
        like_adam = "b1" in self.template.bound_inside() and None not in (self._field("m")[0], self._field("v")[0])
        over = self._corrected("m") if like_adam else gradient
        return self._after_a_step(-updates / over)

    def distance(self) -> jax.Array:
        w = _flat(self.moment.params)
        offsets = w[None, :] - jnp.asarray(self.problem.minima, w.dtype)
        return jnp.min(jnp.linalg.norm(offsets, axis=1))

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
        bound = self.template.bound_inside()
        alone = self._field("m")[0] is None or self._field("v")[0] is None
        rates = ("decay",) if alone and name == "m" else (FIELDS[name][2], "decay")  # Lion keeps mu by its b2
        decay = next((bound[key] for key in rates if key in bound), None)
        value = self.moment.numbers[decay.name] if isinstance(decay, Symbol) else decay
        t = self.moment.t
        if not isinstance(value, (int, float, Decay, jax.Array)):
            return jnp.full((), jnp.nan)
        return AccurateArithmetic(AccurateArithmetic.numbers(Decay.of(value)), t).correction

    def _after_a_step(self, value: jax.Array) -> jax.Array:
        return jnp.where(self.moment.t > 0, value, jnp.nan)


def _flat(tree: PyTree) -> jax.Array:
    return ravel_pytree(tree)[0]


def _named(state: PyTree, field: str) -> list[PyTree]:
    """The values of a field in the state's NamedTuples, outermost first."""
    if isinstance(state, tuple) and field in getattr(state, "_fields", ()):
        return [getattr(state, field)]
    children = state.values() if isinstance(state, Mapping) else state if isinstance(state, (tuple, list)) else ()
    return [value for child in children for value in _named(child, field)]
