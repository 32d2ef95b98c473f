"""Recording: which quantities of a run can be recorded beside its problem's metrics, and after which steps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import jax
import numpy as np

from adamlab.types import Problem, Sampler

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
