"""The rollout: a block of runs from their start to their last recorded step, as one function to be compiled."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from adamlab.arithmetic import next_correction, two_sum
from adamlab.calls import Call
from adamlab.dependence import dependence
from adamlab.flattening.vectors import unravel
from adamlab.studies.engine.gradients import is_forward, loss_and_gradient, over_runs
from adamlab.studies.engine.keys import keys_of, kind_for
from adamlab.studies.engine.loops import State, Steps
from adamlab.studies.engine.quantities import Moment, edge_for, recorder
from adamlab.studies.engine.ravelling import ravelled, takes_vectors
from adamlab.studies.engine.recording import COSTLY, OF_LAST_STEP, Recording
from adamlab.types import Decay, Problem, PyTree, Sampler, shapes

if TYPE_CHECKING:
    from adamlab.dynamics.edge import Edge


class Columns(NamedTuple):
    """The values that differ between runs, arrays over runs: numbers by symbol, seeds, and starts where given."""

    numbers: Mapping[str, Any]
    seeds: Any
    starts: Any = None


class Axes(NamedTuple):
    """The axis of runs in each kind of array; None where an array is the same for all runs."""

    params: int
    state: Any
    batch: int | None
    numbers: int = 0
    seeds: int = 0
    loss: int = 0


class Carry(NamedTuple):
    """Runs between two steps.

    Attributes:
        params: the parameters.
        state: the optimizer's state.
        corrections: of each swept decay 1 − b^t of the last step, and its rounding error.
        finite: the number of points, the start included, ahead of the first that is not finite, as far as looked at.
        reached: the first step after which the loss was at most the target, or −1; None where there is no target.
        last: the gradient and the updates of the last step, where they are recorded.
        regret: the regret so far, and what rounding has left out of it; None where it is not recorded.
        problem_state: what the problem carries beside the parameters, see `Problem.state`.
    """

    params: PyTree
    state: PyTree
    corrections: Mapping[str, tuple[Any, Any]]
    finite: Any
    reached: Any
    last: tuple[PyTree, PyTree] | None
    regret: tuple[Any, Any] | None = None
    problem_state: PyTree = None


@dataclass(frozen=True)
class Rollout:
    """The runs of one optimizer on one problem; all methods take `Columns` whose arrays have a first axis of runs.

    Attributes:
        problem: the problem.
        template: the optimizer; its symbols are the runs' numbers.
        recording: the recorded steps and quantities.
        kind: the kind of its keys, see `adamlab.studies.engine.keys.kind_for`.
    """

    problem: Problem
    template: Call
    recording: Recording
    kind: Any = None

    def of_runs(self, columns: Columns, shared: bool = False) -> Callable[[Columns], "SideBySide"]:
        """The function of columns shaped like these that gives runs side by side, to be called while they are traced.

        Runs that are `shared` have one seed and see the same batches.
        """
        size, forward = len(columns.seeds), is_forward(self.problem)
        axis = -1 if size > 1 and forward else 0
        run = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), columns)
        # These trace and lower functions of their own, once for all that is traced with their results.
        rollout = replace(self, kind=kind_for(self.problem))
        if not forward and takes_vectors(self.template, self.problem, run.numbers):
            rollout = replace(rollout, problem=ravelled(self.problem))
        axes = Axes(axis, _state_axes(rollout, run, axis) if size > 1 else 0, None if shared else 0)
        edge = edge_for(self.template, set(self.recording.what) - {*self.problem.metrics})
        return lambda columns: SideBySide(rollout, axes, edge, columns)

    def start(self, numbers: Mapping[str, Any], seed: Any, start: Any) -> tuple[PyTree, PyTree]:
        """One run's parameters and the optimizer's state."""
        params = self.problem.start(keys_of(seed, self.kind)[0])
        if start is not None:
            params = ravel_pytree(params)[1](start)
        return params, self.transform(numbers).init(params)

    def transform(self, numbers: Mapping[str, Any]) -> optax.GradientTransformationExtraArgs:
        """The optimizer with its numbers."""
        return optax.with_extra_args_support(self.template.build(numbers))

    def update(self, numbers, gradient, state, params, loss, batch) -> tuple[PyTree, PyTree, PyTree]:
        """One run's parameters, state and updates after a step."""
        extra = {"value": loss, "grad": gradient, "value_fn": lambda w: self.problem.loss(w, batch)}
        expected = _shapes(state)
        updates, state = self.transform(numbers).update(gradient, state, params, **extra)
        if not _are_alike(updates, params):
            raise ValueError("its updates have other shapes than the parameters")
        if (got := _shapes(state)) != expected:
            raise ValueError(f"its state is another one after a step: expected {expected}; got {got}")
        params = optax.apply_updates(params, updates)
        return params if self.problem.project is None else self.problem.project(params), state, updates


class Span(NamedTuple):
    """The part of a run that is computed by one call.

    Attributes:
        begin: the number of steps done before it.
        end: the number of steps done after it.
        first: the first row of the records that it writes.
        last: the last; zeros where its step lies behind `end`: a later span writes it.
    """

    begin: Any
    end: Any
    first: Any
    last: Any


class SideBySide:
    """Runs side by side, while they are traced.

    Where the loss is a function of few numbers the runs are the last axis of every array, otherwise the first.
    """

    def __init__(self, rollout: Rollout, axes: Axes, edge: "Edge | None", columns: Columns):
        self.rollout, self.problem, self.axes, self.edge, self.columns = rollout, rollout.problem, axes, edge, columns
        self.over_runs = over_runs(len(columns.seeds))
        self.loss_and_gradient = loss_and_gradient(self.problem, axes.params, axes.batch, self.over_runs)
        self.looks_ahead = axes.params == -1 and self.problem.sample is None
        what = set(rollout.recording.what) - {*self.problem.metrics}
        self.keeps_last = any(name in OF_LAST_STEP for name in what)
        self.keeps_regret = "regret" in what
        by_seed = self.over_runs(lambda seed: keys_of(seed, rollout.kind), (axes.seeds,), (axes.seeds, axes.seeds))
        self.start_keys, self.keys = by_seed(columns.seeds)

    def advance(self, carry: Carry, span: Span) -> tuple[Carry, dict[str, jax.Array]]:
        """The runs at the end of a span, from those at its beginning, and their recorded quantities, runs last.

        "loss" and metrics are (step, run), vectors (step, dim, run), "final_params" (parameter, run), "diverged_at"
        (run,) the first step after which a parameter or the loss was not finite, or −1, of the loss at `end` only where
        that is recorded. Rows of steps outside of the span are 0. Where the span begins at 0 the runs are started, and
        `carry` is ignored.
        """
        ends = jnp.asarray(self.rollout.recording.steps)

        steps = Steps(self._step, carry, self._may_be_shared(carry))

        def segment(row: Any, carried: tuple[State, dict[str, jax.Array]]):
            state, records = carried
            end = jnp.minimum(ends[row], span.end)
            state = steps.until(end, state)
            recorded = jax.lax.cond(
                end == ends[row], lambda carry: self._recorded(row, end, carry), nothing, steps.carry(state)
            )
            return state, {
                name: jax.lax.dynamic_update_index_in_dim(records[name], x, row, 0) for name, x in recorded.items()
            }

        shapes = jax.eval_shape(self._recorded, span.last, span.end, carry)
        empty = {name: jnp.zeros((len(ends), *shape.shape), shape.dtype) for name, shape in shapes.items()}

        def nothing(carry: Carry) -> dict[str, jax.Array]:
            return {name: jnp.zeros(shape.shape, shape.dtype) for name, shape in shapes.items()}

        carry = jax.lax.cond(span.begin == 0, lambda carry: self.start(), lambda carry: carry, carry)
        begun = steps.begin(span.begin, carry)
        state, records = jax.lax.fori_loop(span.first, span.last + 1, segment, (begun, empty))
        carry = steps.carry(state)
        return carry, records | self._finish(span.end, carry, records["loss"][span.last])

    def start(self) -> Carry:
        """The runs at their start."""
        axes, size = self.axes, self.columns.seeds.shape
        start = self.over_runs(self.rollout.start, (axes.numbers, axes.seeds, axes.seeds), (axes.params, axes.state))
        params, state = start(*self.columns)
        corrections = {
            name: (zero := jnp.zeros_like(number.rate), zero)
            for name, number in self.columns.numbers.items()
            if isinstance(number, Decay)
        }
        finite = jnp.zeros(size, jnp.int32)
        if self.looks_ahead:
            finite = self._look(finite, 0, params, self.loss_and_gradient(params, None)[0])
        carry = Carry(params, state, corrections, finite, None, None)
        if (begin := self.problem.state) is not None:
            carry = carry._replace(problem_state=self.over_runs(begin, (axes.seeds,), 0)(self.start_keys))
        if self.keeps_last:
            carry = carry._replace(last=jax.tree.map(jnp.zeros_like, (params, params)))
        if self.keeps_regret:
            zero = jnp.zeros(size)
            carry = carry._replace(regret=(zero, zero))
        if self.rollout.recording.target is not None:
            carry = carry._replace(reached=self._reach(jnp.full(size, -1, jnp.int32), params, carry.problem_state, 0))
        return carry

    def _may_be_shared(self, carry: Carry) -> list[bool]:
        """For each leaf of a carry, whether it is the state's and all runs share it.

        None is where steps take long beside their numbers, or on an accelerator, whose loops wait for the host.
        """
        of_none = jax.tree.map(lambda _: False, carry)
        if self.axes.params == 0 or jax.default_backend() != "cpu":
            return jax.tree.leaves(of_none)
        axes = jax.tree.structure(carry.state).flatten_up_to(self.axes.state)
        return jax.tree.leaves(of_none._replace(state=[axis is None for axis in axes]))

    def _step(self, t: Any, carry: Carry) -> Carry:
        """The step after t steps."""
        axes, batch = self.axes, self._batch(t, carry.problem_state)
        loss, gradient = self.loss_and_gradient(carry.params, batch)
        numbers, corrections = self._next_numbers(carry.corrections)
        update = self.over_runs(
            self.rollout.update,
            (axes.numbers, axes.params, axes.state, axes.params, axes.loss, axes.batch),
            (axes.params, axes.state, axes.params),
        )
        params, state, updates = update(numbers, gradient, carry.state, carry.params, loss, batch)
        if self.looks_ahead:
            # What looks at the new parameters would otherwise compute the step once more.
            params = jax.lax.optimization_barrier(params)
            finite = self._look(carry.finite, t + 1, params, self.loss_and_gradient(params, None)[0])
        else:
            finite = self._look(carry.finite, t, carry.params, loss)
        next_state, problem_state = self.problem.next_state, None
        if next_state is not None:
            problem_state = self.over_runs(next_state, (axes.params, axes.batch), 0)(carry.params, batch)
        return Carry(
            params,
            state,
            corrections,
            finite,
            None if carry.reached is None else self._reach(carry.reached, params, problem_state, t + 1),
            (gradient, updates) if self.keeps_last else None,
            None if carry.regret is None else self._regret(carry.regret, loss, batch),
            problem_state,
        )

    def _batch(self, t: Any, state: PyTree) -> PyTree:
        """What the losses of the step after t steps take: a batch, with the problem's state where it has one."""
        sample = self.problem.sample
        if sample is None:
            return None
        by_epoch = isinstance(sample, Sampler) and sample.by_epoch

        def draw(key: jax.Array) -> PyTree:
            return sample(key if by_epoch else jax.random.fold_in(key, t), t + 1)

        if self.axes.batch is None:
            return draw(self.keys[0])
        batch = self.over_runs(draw, (self.axes.seeds,), 0)(self.keys)
        return batch if state is None else (batch, state)

    def _regret(self, regret: tuple[Any, Any], loss: Any, batch: PyTree) -> tuple[Any, Any]:
        """The regret after a step of this loss, compensated: it is a sum of as many terms as there are steps."""
        start, unravel = ravel_pytree(self.problem.start(jax.random.key(0)))
        best = unravel(jnp.asarray(self.problem.minima[0], start.dtype))

        def add(total: Any, rest: Any, loss: Any, batch: PyTree) -> tuple[Any, Any]:
            return two_sum(total, loss - self.problem.loss(best, batch) + rest)

        axes = self.axes
        return self.over_runs(add, (0, 0, axes.loss, axes.batch), (0, 0))(*regret, loss, batch)

    def _next_numbers(self, corrections: Mapping[str, tuple[Any, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The optimizer's numbers at the next step, and its decays' corrections there."""
        numbers, after = dict(self.columns.numbers), {}
        for name, (correction, error) in corrections.items():
            decay = numbers[name]
            now, now_error = next_correction(decay.complement, correction, error)
            after[name] = now, now_error
            numbers[name] = decay.at_step(correction, now)
        return numbers, after

    def _look(self, finite: Any, t: Any, params: PyTree, loss: Any) -> Any:
        """The number of finite points, see `Carry`, after a look at the parameters after t steps and at their loss.

        A step looks at what it begins with, whose loss it has. Where the loss is a function of few numbers alone it
        looks at what it ends with: then nothing reads the old parameters beside the step, which overwrites them.
        """
        zero = self.over_runs(_zero_if_finite, (self.axes.params, self.axes.loss), 0)(params, loss)
        return finite + ((zero == 0) & (finite == t))

    def _objective(self, params: PyTree, state: PyTree) -> Any:
        """The objective, in the runs' float type, whatever a user's function made of them."""

        def objective(*given: Any) -> jax.Array:
            return self.problem.objective(*given).astype(float)

        if state is not None:
            return self.over_runs(objective, (0, 0), 0)(params, state)
        if self.axes.params == 0:
            return self.over_runs(objective, (0,), 0)(params)
        return self.over_runs(lambda *w: objective(jnp.stack(w)), (0,) * len(params), 0)(*params)

    def _reach(self, reached: Any, params: PyTree, state: PyTree, t: Any) -> Any:
        loss = self._objective(params, state)
        return jnp.where((reached < 0) & (loss <= self.rollout.recording.target), t, reached)

    def _recorded(self, row: Any, t: Any, carry: Carry) -> dict[str, jax.Array]:
        """The quantities of the runs after t steps, which are recorded in this row."""
        recording, metrics = self.rollout.recording, self.problem.metrics
        costly = {name for name in recording.what if name in COSTLY and name not in metrics}
        quantities = self._quantities({*recording.what} - costly, t, carry)
        if costly:
            is_due = (row % recording.costly_every == 0) | (row == len(recording.steps) - 1)
            shapes = jax.eval_shape(lambda carry: self._quantities(costly, t, carry), carry)
            quantities |= jax.lax.cond(
                is_due,
                lambda carry: self._quantities(costly, t, carry),
                lambda carry: {name: jnp.full(shape.shape, jnp.nan, shape.dtype) for name, shape in shapes.items()},
                carry,
            )
        return {"loss": self._objective(carry.params, carry.problem_state)} | quantities

    def _quantities(self, names: Collection[str], t: Any, carry: Carry) -> dict[str, jax.Array]:
        record = recorder(self.problem, self.rollout.template, names, self.edge)

        def of_run(t, numbers, params, state, last, *others) -> dict[str, jax.Array]:
            recorded = record(Moment(t, params, state, last, numbers, *others))
            return {name: value.astype(float) for name, value in recorded.items()}

        axes = self.axes
        in_axes = (None, axes.numbers, axes.params, axes.state, axes.params, 0, axes.seeds, 0)
        regret = None if carry.regret is None else sum(carry.regret)
        others = (carry.last, regret, self.keys, carry.problem_state)
        return self.over_runs(of_run, in_axes, -1)(t, self.columns.numbers, carry.params, carry.state, *others)

    def _finish(self, t: Any, carry: Carry, loss: jax.Array) -> dict[str, jax.Array]:
        axes, finite = self.axes, carry.finite
        if not self.looks_ahead:
            if self.problem.sample is None:
                loss = self.loss_and_gradient(carry.params, None)[0]
            finite = self._look(finite, t, carry.params, loss)
        diverged_at = jnp.where(finite <= t, finite, -1)
        flat = self.over_runs(lambda params: ravel_pytree(params)[0], (axes.params,), -1)
        whole_run = {"final_params": flat(carry.params), "diverged_at": diverged_at}
        if "seconds" in self.rollout.recording.what:
            whole_run["seconds"] = jnp.zeros(diverged_at.shape)  # told by `execution`, which takes the time
        return whole_run if carry.reached is None else whole_run | {"steps_to_target": carry.reached}


def _state_axes(rollout: Rollout, run: Columns, axis: int) -> PyTree:
    """The axis of runs in each array of the state, None where it is the same for all runs, as a count of steps is.

    `run` has the shapes of a single run's columns.
    """
    numbers, seeds, starts = run
    params, state = jax.eval_shape(rollout.start, numbers, seeds, starts)
    key = jax.eval_shape(lambda seed: keys_of(seed, rollout.kind)[1], seeds)
    leaves, tree = jax.tree.flatten(state)

    def start(numbers, params):
        return rollout.transform(numbers).init(params)

    def step(state, *others):
        numbers, gradient, params, loss, batch = others
        return rollout.update(numbers, gradient, state, params, loss, batch)[1]

    sample = rollout.problem.sample
    batch = None if sample is None else jax.eval_shape(lambda key: sample(key, jnp.int32(1)), key)
    if rollout.problem.state is not None:
        batch = (batch, jax.eval_shape(rollout.problem.state, key))
    loss, gradient = jax.eval_shape(jax.value_and_grad(rollout.problem.loss), params, batch)

    # An array differs between runs where its start or its step depends on something that does, or, and that is why
    # this is a fixed point, on an array of the state that differs by now.
    differing = {i for i, inputs in enumerate(dependence(start, numbers, params)) if inputs}
    inputs_of = dependence(step, state, numbers, gradient, params, loss, batch)
    differing |= {i for i, inputs in enumerate(inputs_of) if max(inputs, default=0) >= len(leaves)}
    while more := {i for i, inputs in enumerate(inputs_of) if inputs & differing} - differing:
        differing |= more
    return jax.tree.unflatten(tree, [axis if i in differing else None for i in range(len(leaves))])


def _shapes(state: PyTree) -> str:
    """The shapes and types of a state's arrays; an optimizer's own can be a number of Python's."""
    return shapes(jax.eval_shape(unravel, state))


def _are_alike(a: PyTree, b: PyTree) -> bool:
    """Whether two trees have the same structure, and arrays of the same shapes."""
    (leaves, tree), (others, other_tree) = jax.tree.flatten(a), jax.tree.flatten(b)
    return tree == other_tree and [*map(jnp.shape, leaves)] == [*map(jnp.shape, others)]


def _zero_if_finite(params: PyTree, loss: jax.Array) -> jax.Array:
    """0 where all numbers are finite, NaN elsewhere; XLA vectorizes this, and not a chain of conditions."""
    return sum((jnp.sum(x * 0) for x in jax.tree.leaves(params)), start=loss * 0)
