"""Problems of users, under a name that `get`, configs and lists know in this Python process."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from adamlab.dependence import dependence
from adamlab.errors import InputError, reason
from adamlab.own import note_owner
from adamlab.problems.functions import MOST_SPREAD, numeric, problem_of
from adamlab.problems.registry import BUILT_IN, PROBLEMS
from adamlab.types import Problem, PyTree, shapes

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*(=[A-Za-z0-9._=-]+)?"
"""What can be the name of a file, a folder and a group of a store; options may follow, as in "quadratic-dim=3"."""

LONGEST_NAME = 100
"""The most characters of such a name: those of files have at most 255 bytes, and say what is drawn as well."""

RECORDED = (
    *("loss", "params", "updates", "m", "v", "m_hat", "v_hat", "effective_learning_rate", "steps_to_target", "seconds"),
    *("final_params", "diverged_at", "landscape", "minima", "optimizer", "spec", "seed", "run_id", "done", "stage"),
    *("start", "layer_norms", "layer_gradient_norms", "layer_update_norms", "layer_effective_learning_rate"),
)
"""Names that a metric cannot have, since results have something of that name."""


def register(
    name: str,
    loss: Callable[..., Any],
    start: PyTree | Callable[[jax.Array], PyTree],
    *,
    spread: int | float | np.number = 0.0,
    sample: Callable[[jax.Array, ArrayLike], PyTree] | None = None,
    objective: Callable[..., jax.Array] | None = None,
    state: Callable[[jax.Array], PyTree] | None = None,
    project: Callable[[PyTree], PyTree] | None = None,
    metrics: Mapping[str, Callable[..., jax.Array]] | None = None,
    minima: Sequence[Sequence[int | float]] = (),
    minimum: int | float | None = None,
    domain: Sequence[Sequence[int | float]] = (),
    source: str = "",
) -> Problem:
    """Make a problem of a loss and a start, and register it for as long as Python runs.

    >>> bowl = register("bowl", lambda w: jnp.sum(w**2), start=[3.0, 4.0], spread=0.1)

    A name that you have registered can be registered again, which replaces the problem.

    Args:
        name: of letters, digits, _ and -; not the name of a problem of adamlab's.
        loss: `w -> scalar`, in JAX; or `(w, batch) -> scalar` where there is a `sample`.
        start: the parameters that runs start from: a list of numbers, an array, or a tree of such; or a function
            `key -> params`, whose key comes from the run's seed.
        spread: the standard deviation of the normal displacement that a run's seed gives a start of numbers.
        sample: `(key, t) -> batch`, in JAX, the batch of step t, from 1; the key comes from the run's seed and step.
        objective: `w -> scalar`, what is recorded as the loss; by default the loss itself, where there is no `sample`.
        state: `key -> state`, what is carried from step to step beside the parameters, such as the running averages of
            batch norm, made from the same key as the start; there must be a `sample`. The loss is then `(w, state,
            batch) -> (scalar, state)`; objective and metrics take `(w, state)`.
        project: `w -> w`, back into the feasible set: applied to the start and after every step.
        metrics: further scalars of the parameters, by name.
        minima: known minimizers, a row each; for parameters that are one vector, as is the domain.
        minimum: the least value of the objective.
        domain: the (low, high) of each dimension to be drawn.
        source: where the problem comes from.

    Raises:
        InputError: with all that is wrong.
    """
    known = {
        "spread": spread.item() if isinstance(spread, np.number) else spread,
        "sample": sample,
        "objective": objective,
        "state": state,
        "project": project,
        "metrics": MappingProxyType({}) if metrics is None else metrics,
        "minima": minima,
        "minimum": minimum,
        "domain": domain,
        "source": source,
    }
    unusable = [*_unusable(loss, known), *_wrong_start(start, known["spread"]), *_wrong_numbers(known)]
    problem = None if unusable else problem_of(str(name), loss, start, **known)
    mistakes = [*_wrong_name(name), *unusable, *(misfits(problem, loss) if problem else [])]
    if problem is None or mistakes:
        raise InputError(f"{name!r} cannot be registered:\n" + "\n".join(f"  {mistake}" for mistake in mistakes))
    note_owner("problem", name)
    PROBLEMS[name] = _maker(problem, inspect.getdoc(getattr(loss, "func", loss)) or source)
    return problem


def _maker(problem: Problem, described: str) -> Callable[[], Problem]:
    def make() -> Problem:
        return problem

    make.__name__, make.__doc__ = problem.name, described
    return make


def is_name(text: Any) -> bool:
    """Whether this is a text that can be a problem's name."""
    return isinstance(text, str) and len(text) <= LONGEST_NAME and re.fullmatch(NAME, text) is not None


def _wrong_name(name: Any) -> Iterator[str]:
    if not is_name(name):
        form = f"letters, digits and any of _ -, the first a letter or a digit, at most {LONGEST_NAME}"
        yield f"name: expected {form}; got {name!r}"
    elif name in BUILT_IN:
        yield f'name: "{name}" is a problem of adamlab\'s; choose another'


def _unusable(loss: Any, known: Mapping[str, Any]) -> Iterator[str]:
    """The mistakes of values that are no functions where functions are needed."""
    metrics = known["metrics"]
    if not isinstance(metrics, Mapping):
        yield f"metrics: expected functions of the parameters by name, as {{'norm': norm}}; got {metrics!r}"
        metrics = {}
    for metric in metrics:
        if not isinstance(metric, str) or not metric.isidentifier() or metric in RECORDED:
            yield f"metrics: expected names such as test_loss, and none of {', '.join(RECORDED)}; got {metric!r}"
    functions = {"loss": loss} | {f"metrics: {metric}": function for metric, function in metrics.items()}
    functions |= {key: known[key] for key in ("sample", "objective", "state", "project") if known[key] is not None}
    for key, function in functions.items():
        if not callable(function):
            yield f"{key}: expected a function; got {function!r}"
    if known["sample"] is not None and known["objective"] is None:
        yield "objective: is missing; a loss of batches needs one, a function of the parameters alone, to be recorded"
    if known["state"] is not None and known["sample"] is None:
        yield "sample: is missing; what is carried from step to step needs batches to be made of"
    if known["state"] is not None and len(known["domain"]):
        yield "domain: expected none, since nothing can be drawn of a problem with a state"


def _wrong_start(start: Any, spread: Any) -> Iterator[str]:
    if not isinstance(spread, (int, float)) or not 0 <= spread <= MOST_SPREAD:
        yield f"spread: expected a number from 0 to {MOST_SPREAD:g}; got {spread!r}"
    elif callable(start) and spread:
        yield f"spread: expected 0 with a start that is a function, which displaces by its key itself; got {spread!r}"
    if callable(start):
        return
    try:
        leaves = jax.tree.leaves(numeric(start))
        if not sum(leaf.size for leaf in leaves) or not all(np.isfinite(leaf).all() for leaf in leaves):
            raise ValueError("expected at least one number, and finite ones")
    except (TypeError, ValueError) as error:
        yield f"start: expected numbers, in a list, an array or a tree of arrays; got {start!r} ({error})"


def _wrong_numbers(known: Mapping[str, Any]) -> Iterator[str]:
    minimum = known["minimum"]
    if minimum is not None and not (isinstance(minimum, (int, float, np.number)) and np.isfinite(minimum)):
        yield f"minimum: expected a finite number; got {minimum!r}"
    if _rows(known["minima"]) is None:
        yield f"minima: expected a row of numbers for each; got {known['minima']!r}"
    domain = _rows(known["domain"])
    if domain is None or domain.shape[1] != 2 or not (domain[:, 0] < domain[:, 1]).all():
        yield f"domain: expected a pair (low, high) for each dimension, low < high; got {known['domain']!r}"


def _rows(value: Any) -> np.ndarray | None:
    """The matrix of finite numbers that the value is, if it is one; with no rows where it is empty."""
    try:
        rows = np.asarray(value, float)
    except (TypeError, ValueError):
        return None
    rows = rows if rows.size else np.zeros((0, 2))
    return rows if rows.ndim == 2 and np.isfinite(rows).all() else None


def misfits(problem: Problem, loss: Callable[..., Any]) -> Iterator[str]:
    """The mistakes of functions that do not go together, by tracing alone: nothing is computed."""
    key = jax.random.key(0)
    params, wrong_start = _traced("project of the start" if problem.project else "start", problem.start, key)
    batch, wrong_sample = (None, []) if problem.sample is None else _traced("sample", problem.sample, key, jnp.int32(1))
    if problem.sample is not None and not wrong_sample and not any(dependence(problem.sample, key, jnp.int32(1))):
        # neither key nor step reaches the batch, as where NumPy draws: once, while the function is traced
        wrong_sample = ["sample: gives the same batch at every step; draw it in JAX from the key, or make it of t"]
    yield from [*wrong_start, *wrong_sample]
    if wrong_start or wrong_sample:
        return
    leaves = jax.tree.leaves(params)
    if not leaves or not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves):
        yield f"start: expected arrays of floating-point numbers; got {shapes(params)}"
        return
    projected, _ = (params, []) if problem.project is None else _traced("project", problem.project, params)
    if shapes(projected) != shapes(params):
        yield f"project: expected the shapes that it is given, as {shapes(params)}; got {shapes(projected)}"
        return
    of_state, batch_and_state = [], batch
    if problem.state is not None and problem.next_state is not None:
        state, wrong = _traced("state", problem.state, key)
        of_state, batch_and_state = [state], (batch, state)
        after, wrong = (None, wrong) if wrong else _traced("loss", problem.next_state, params, batch_and_state)
        if not wrong and shapes(after) != shapes(state):
            wrong = [f"loss: expected a state of the shapes that it is given, {shapes(state)}; got {shapes(after)}"]
        if wrong:
            yield from wrong
            return
    calls = {"loss": (problem.loss, params, batch_and_state)}
    calls |= {} if problem.objective is loss else {"objective": (problem.objective, params, *of_state)}
    calls |= {f"metrics: {name}": (metric, params, *of_state) for name, metric in problem.metrics.items()}
    for called, (function, *arguments) in calls.items():
        value, wrong = _traced(called, function, *arguments)
        is_array = isinstance(value, jax.ShapeDtypeStruct)
        fits = is_array and value.shape == () and jnp.issubdtype(value.dtype, jnp.floating)
        yield from wrong if wrong or fits else [f"{called}: expected a floating-point scalar; got {shapes(value)}"]
    yield from _wrong_geometry(problem, params)


def _wrong_geometry(problem: Problem, params: PyTree) -> Iterator[str]:
    """The mistakes of minima and domain where the parameters are not one vector, or one of another length."""
    vector = isinstance(params, jax.ShapeDtypeStruct) and params.ndim == 1
    for key, rows in (("minima", problem.minima), ("domain", [problem.domain] if problem.domain else [])):
        if rows and not vector:
            yield f"{key}: expected none, since the parameters are not one vector but {shapes(params)}"
        elif rows and len(rows[0]) != problem.dimension:
            yield f"{key}: expected one for each of {problem.dimension} parameters; got {len(rows[0])}"


def _traced(called: str, function: Callable[..., Any], *arguments: Any) -> tuple[Any, list[str]]:
    """The shapes of the function's result, or the mistake in it."""
    try:
        return jax.eval_shape(function, *arguments), []
    except Exception as error:  # whatever a function of the user's raises
        return None, [f"{called}: cannot be computed: {reason(error, 200)}"]
