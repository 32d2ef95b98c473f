"""What is compiled: a stretch of steps of some runs side by side, and what is recorded on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from adamlab.arithmetic import next_correction
from adamlab.calls import Call
from adamlab.dependence import dependence
from adamlab.studies.quantities import OF_LAST_STEP, Moment, recorder
from adamlab.studies.slopes import by_coordinates, loss_and_gradient, over_runs
from adamlab.types import Decay, Problem, PyTree

ENDED = np.uint32(2**31)
"""Added to a count of steps that goes no further."""


class Columns(NamedTuple):
    """What differs between runs, an array over runs each: numbers by symbol, seeds, and starts where they are given."""

    numbers: Mapping[str, Any]
    seeds: Any
    starts: Any = None


class Carry(NamedTuple):
    """Runs in the middle of their steps.

    Attributes:
        params: the parameters.
        state: the optimizer's state.
        corrections: of each swept decay 1 − b^(t−1) and 1 − b^t of the last step, and what rounding left out of that.
        sound: after how many steps, the start included, all was finite; with `ENDED` set once it was not.
        reached: the first step after which the loss was at most the target, or −1; None where there is no target.
        last: the gradient and the updates of the last step, where they are recorded.
    """

    params: PyTree
    state: PyTree
    corrections: Mapping[str, tuple[Any, Any, Any]]
    sound: Any
    reached: Any
    last: tuple[PyTree, PyTree] | None


def stretch_of(
    problem: Problem, template: Call, what: tuple[str, ...], recorded: np.ndarray, target: float | None
) -> "Stretch":
    """The runs of one optimizer on one problem, from their start to their last recorded step.

    Args:
        problem: what is minimized.
        template: the optimizer; its symbols are the runs' numbers.
        what: the quantities and metrics that are recorded.
        recorded: after which steps; the first is 0.
        target: the loss that counts as reached, where "steps_to_target" is recorded.
    """
    target = target if "steps_to_target" in what else None
    return Stretch(problem, template, what, recorded, target, by_coordinates(problem))


@dataclass(frozen=True)
class Stretch:
    """See `stretch_of`; all methods take `Columns` whose arrays have a first axis of runs."""

    problem: Problem
    template: Call
    what: tuple[str, ...]
    recorded: np.ndarray
    target: float | None
    by_coordinates: bool

    def block(self, size: int, shared: bool = False) -> Callable[[Columns], dict[str, jax.Array]]:
        """The function of so many runs: what is recorded of them, by name, the runs last; shared, they have one seed.

        "loss" and metrics are (step, run), vectors (step, dim, run), "final_params" (parameter, run), "diverged_at"
        (run,) the first step after which a parameter or the loss was not finite, or −1.
        """
        return lambda columns: _Block(self, size, shared, columns).run()

    def _begun(self, numbers: Mapping[str, Any], seed: Any, start: Any) -> tuple[PyTree, jax.Array, PyTree]:
        """One run's parameters, the key of its batches, and the optimizer's state."""
        start_key, sample_key = jax.random.split(jax.random.key(seed))
        params = self.problem.start(start_key)
        if start is not None:
            params = ravel_pytree(params)[1](start)
        return params, sample_key, self._transform(numbers).init(params)

    def _transform(self, numbers: Mapping[str, Any]) -> optax.GradientTransformationExtraArgs:
        return optax.with_extra_args_support(self.template.build(numbers))

    def _updated(self, numbers, gradient, state, params, loss, batch) -> tuple[PyTree, PyTree, PyTree]:
        """One run's parameters, state and updates after a step."""
        extra = {"value": loss, "grad": gradient, "value_fn": lambda w: self.problem.loss(w, batch)}
        updates, state = self._transform(numbers).update(gradient, state, params, **extra)
        if jax.tree.map(jnp.shape, updates) != jax.tree.map(jnp.shape, params):
            raise ValueError("its updates have other shapes than the parameters")
        params = optax.apply_updates(params, updates)
        return params if self.problem.project is None else self.problem.project(params), state, updates


class _Block:
    """Some runs side by side, while they are traced.

    Where the loss is a function of few numbers the runs are the last axis of every array, otherwise the first; what is
    the same for all runs, as the count of steps is, has none.
    """

    def __init__(self, stretch: Stretch, size: int, shared: bool, columns: Columns):
        self.stretch, self.problem, self.columns = stretch, stretch.problem, columns
        self.over_runs = over_runs(size)
        self.axis = -1 if size > 1 and stretch.by_coordinates else 0
        self.batch_axis = None if shared else 0
        self.state_axes = self._state_axes() if size > 1 else 0
        self.slopes = loss_and_gradient(self.problem, self.axis, self.batch_axis, self.over_runs)
        self.checks_after = self.axis == -1 and self.problem.sample is None
        self.keeps_last = any(name in OF_LAST_STEP for name in stretch.what)

    def run(self) -> dict[str, jax.Array]:
        ends = self.stretch.recorded
        begins = np.concatenate([ends[:1], ends[:-1]])  # the first stretch has no steps: it records the start
        record = self.over_runs(self._recorded, (None, 0, self.axis, self.state_axes, self.axis), -1)

        def segment(carry: Carry, bounds):
            begin, end = bounds
            carry = jax.lax.fori_loop(begin, end, self._step, carry)
            recorded = record(end, self.columns.numbers, carry.params, carry.state, carry.last)
            return carry, {"loss": self._objective(carry.params)} | recorded

        carry, recorded = jax.lax.scan(segment, self._start(), (begins, ends))
        return recorded | self._finally(carry, recorded["loss"][-1])

    def _start(self) -> Carry:
        begin = self.over_runs(self.stretch._begun, (0, 0, 0), (self.axis, 0, self.state_axes))
        params, self.keys, state = begin(*self.columns)
        size = self.columns.seeds.shape
        corrections = {
            name: (zero := jnp.zeros_like(number.rate), zero, zero)
            for name, number in self.columns.numbers.items()
            if isinstance(number, Decay)
        }
        carry = Carry(params, state, corrections, jnp.zeros(size, jnp.uint32), None, None)
        if self.keeps_last:
            carry = carry._replace(last=jax.tree.map(jnp.zeros_like, (params, params)))
        if self.stretch.target is not None:
            carry = carry._replace(reached=self._reached(jnp.full(size, -1, jnp.int32), params, 0))
        return carry._replace(sound=self._checked_after(carry.sound, params))

    def _step(self, t: Any, carry: Carry) -> Carry:
        """The step after t steps."""
        batch = self._batch(t)
        loss, gradient = self.slopes(carry.params, batch)
        numbers, corrections = self._numbers(carry.corrections)
        update = self.over_runs(
            self.stretch._updated,
            (0, self.axis, self.state_axes, self.axis, 0, self.batch_axis),
            (self.axis, self.state_axes, self.axis),
        )
        params, state, updates = update(numbers, gradient, carry.state, carry.params, loss, batch)
        return Carry(
            params,
            state,
            corrections,
            self._checked_after(self._checked_before(carry.sound, carry.params, loss), params),
            None if carry.reached is None else self._reached(carry.reached, params, t + 1),
            (gradient, updates) if self.keeps_last else None,
        )

    def _batch(self, t: Any) -> PyTree:
        sample = self.problem.sample
        if sample is None:
            return None
        if self.batch_axis is None:
            return sample(jax.random.fold_in(self.keys[0], t), t + 1)
        return self.over_runs(lambda key: sample(jax.random.fold_in(key, t), t + 1), (0,), 0)(self.keys)

    def _numbers(self, corrections: Mapping[str, tuple[Any, Any, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the optimizer is given at the next step, and its decays' corrections there."""
        numbers, after = dict(self.columns.numbers), {}
        for name, (_, correction, rest) in corrections.items():
            decay = numbers[name]
            now, left = next_correction(decay.complement, correction, rest)
            after[name] = correction, now, left
            numbers[name] = decay.at_step(correction, now)
        return numbers, after

    def _checked_before(self, sound: Any, params: PyTree, loss: Any) -> Any:
        """With the parameters that a step begins with, and their loss."""
        return sound if self.checks_after else _counted(sound, self.over_runs(_zero, (self.axis, 0), 0)(params, loss))

    def _checked_after(self, sound: Any, params: PyTree) -> Any:
        """With the parameters that a step ends with: to keep those it began with that long costs a copy of them."""
        if not self.checks_after:
            return sound

        def zero(*w: jax.Array) -> jax.Array:
            return _zero(w, self.problem.loss(jnp.stack(w), None))

        return _counted(sound, self.over_runs(zero, (0,) * len(params), 0)(*params))

    def _objective(self, params: PyTree) -> Any:
        if self.axis == 0:
            return self.over_runs(self.problem.objective, (0,), 0)(params)
        return self.over_runs(lambda *w: self.problem.objective(jnp.stack(w)), (0,) * len(params), 0)(*params)

    def _reached(self, reached: Any, params: PyTree, t: Any) -> Any:
        loss = self._objective(params)
        return jnp.where((reached < 0) & (loss <= self.stretch.target), t, reached)

    def _recorded(self, t, numbers, params, state, last) -> dict[str, jax.Array]:
        record = recorder(self.problem, self.stretch.template, self.stretch.what)
        return record(Moment(t, params, state, last, numbers))

    def _finally(self, carry: Carry, loss: jax.Array) -> dict[str, jax.Array]:
        if self.problem.sample is None and not self.checks_after:
            loss = self.over_runs(lambda w: self.problem.loss(w, None), (self.axis,), 0)(carry.params)
        sound = self._checked_before(carry.sound, carry.params, loss)
        diverged_at = jnp.where(sound >= ENDED, (sound - ENDED).astype(jnp.int32), jnp.int32(-1))
        found = {
            "final_params": self.over_runs(lambda params: ravel_pytree(params)[0], (self.axis,), -1)(carry.params),
            "diverged_at": diverged_at,
        }
        return found if carry.reached is None else found | {"steps_to_target": carry.reached}

    def _state_axes(self) -> PyTree:
        """For each array of the state the axis of runs, or None where it is the same for all of them."""
        numbers, seeds, starts = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), self.columns)
        params, key, state = jax.eval_shape(self.stretch._begun, numbers, seeds, starts)
        leaves, tree = jax.tree.flatten(state)

        def begun(numbers, params):
            return self.stretch._transform(numbers).init(params)

        def stepped(state, *others):
            numbers, gradient, params, loss, batch = others
            return self.stretch._updated(numbers, gradient, state, params, loss, batch)[1]

        sample = self.problem.sample
        batch = None if sample is None else jax.eval_shape(lambda key: sample(key, jnp.int32(1)), key)
        loss, gradient = jax.eval_shape(jax.value_and_grad(self.problem.loss), params, batch)

        differ = {i for i, behind in enumerate(dependence(begun, numbers, params)) if behind}
        behind = dependence(stepped, state, numbers, gradient, params, loss, batch)
        differ |= {i for i, one in enumerate(behind) if max(one, default=0) >= len(leaves)}
        while more := {i for i, one in enumerate(behind) if one & differ} - differ:
            differ |= more
        return jax.tree.unflatten(tree, [self.axis if i in differ else None for i in range(len(leaves))])


def _zero(params: PyTree, loss: jax.Array) -> jax.Array:
    """0 where all of it is finite, NaN where something is not; XLA vectorizes this, and not a chain of conditions."""
    return sum((jnp.sum(x * 0) for x in jax.tree.leaves(params)), start=loss * 0)


def _counted(sound: jax.Array, zero: jax.Array) -> jax.Array:
    """One more where `zero` is 0 and always was, otherwise the count with `ENDED` set."""
    return jnp.where(zero == 0, sound + (1 - sound // ENDED), sound | ENDED)
