"""The shared vocabulary: decays, rules and problems. Imports nothing else of adamlab."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike

PyTree = Any
"""Nested containers of arrays: parameters, gradients, updates, a batch."""

Formula = Any
"""A SymPy expression; SymPy's own annotations say less of what its functions give than holds."""

Schedule = Callable[[ArrayLike], ArrayLike]
"""Maps the number of finished updates (0 at the first) to a value, as in Optax."""


@jax.tree_util.register_pytree_node_class
class Decay:
    """A decay rate b together with its complement 1 − b, either of which may be the exact one.

    Args:
        rate: b, a number in [0, 1] or an array of such; 1 − b is then taken in decimal, before b is ever rounded.
        complement: 1 − b itself, for rates so near to 1 that b could not be written down. Give one of the two.

    Attributes:
        rate: b.
        complement: 1 − b.
        corrections: 1 − b^(t−1) and 1 − b^t at step t, where a sweep carries them along; None where they are computed.

    >>> Decay(0.999).complement
    0.001
    >>> Decay(complement=1e-9)
    Decay(rate=0.999999999, complement=1e-09)
    """

    rate: Any
    complement: Any
    corrections: tuple[Any, Any] | None = None

    def __init__(self, rate: ArrayLike | None = None, *, complement: ArrayLike | None = None):
        if (rate is None) == (complement is None):
            raise TypeError("Decay takes either a rate, as in Decay(0.999), or Decay(complement=0.001).")
        self.rate = one_minus(complement) if rate is None else as_float(rate)
        self.complement = one_minus(rate) if complement is None else as_float(complement)

    @classmethod
    def of(cls, value: "Decay | ArrayLike") -> "Decay":
        """The decay itself, or the one that a plain rate stands for."""
        return value if isinstance(value, Decay) else cls(value)

    @classmethod
    def exact(cls, rate: Any, complement: Any, corrections: tuple[Any, Any] | None = None) -> "Decay":
        """A decay of these very numbers, whatever they are: nothing is computed, nothing checked."""
        decay = object.__new__(cls)
        decay.rate, decay.complement, decay.corrections = rate, complement, corrections
        return decay

    def tree_flatten(self):
        """All its numbers, so that a decay can be mapped over, traced and swept."""
        return (self.rate, self.complement, self.corrections), None

    @classmethod
    def tree_unflatten(cls, _, numbers):
        """The inverse of `tree_flatten`; takes whatever JAX puts in place of the numbers."""
        return cls.exact(*numbers)

    def at_step(self, before: Any, now: Any) -> "Decay":
        """The same decay with its corrections at one step."""
        return Decay.exact(self.rate, self.complement, (before, now))

    def __repr__(self):
        return f"Decay(rate={self.rate!r}, complement={self.complement!r})"


def as_float(number: Any) -> Any:
    """A Python integer as a float, so that 1 and 1.0 are one program and one formula; anything else as it is."""
    return float(number) if type(number) is int else number


def one_minus(number: Any) -> Any:
    """1 − number; of a Python number in decimal, since 1 - 0.999 in binary is 0.0010000000000000009."""
    return float(1 - Decimal(repr(float(number)))) if isinstance(number, (int, float)) else 1 - number


def one_minus_each(numbers: np.ndarray) -> np.ndarray:
    """1 − x of each number, taken in decimal."""
    different, which = np.unique(numbers, return_inverse=True)
    return np.array([one_minus(number) for number in different.tolist()])[which]


@dataclass(frozen=True)
class Rule:
    """An update rule on one array: what is computed, in the letters and the order of its paper.

    Attributes:
        step: `(g, w, s, **hyper) -> (u, s)`. g is the gradient (or what the rule before this one made of it), w the
            parameter, s the state, with one array a field and `count` the number t of this step, from 1. u is what is
            added to w, or handed to the next rule; it has g's shape.
            Hyper-parameters annotated `bool` are compiled in; all others are numbers.
        state: the NamedTuple that holds the state, Optax's own where Optax has the rule.
        decays: the hyper-parameters that are decay rates. They reach `step` as an arithmetic, which rounds.
        weighted: the NamedTuple that holds the state under the weighted arithmetic, field by field in the same order,
            where that keeps something else; by default `state`.
        needs_params: whether `step` looks at w, which is None otherwise.
        kept: state fields that Optax casts back to the type they had; ours keep theirs, all of them.
    """

    step: Callable[..., tuple[jax.Array, Any]]
    state: Any
    decays: tuple[str, ...] = ()
    weighted: Any = None
    needs_params: bool = False
    kept: tuple[str, ...] = ()


def rule(state: Any, **attributes: Any) -> Callable[[Callable[..., Any]], Rule]:
    """Declare the decorated function to be the `step` of a `Rule` with these attributes."""
    return lambda step: Rule(step, state, **attributes)


@dataclass(frozen=True, eq=False)
class Sampler:
    """Minibatches of a data set, as a problem's `sample`.

    Attributes:
        draw: `(key, t) -> batch`, the batch of step t, from 1.
        batch_size: examples in a batch.
        examples: of the data set.
        by_epoch: whether `draw` takes the run's own key, the same at every step; otherwise each step has its own.
    """

    draw: Callable[[jax.Array, ArrayLike], PyTree]
    batch_size: int
    examples: int
    by_epoch: bool = False

    def __call__(self, key: jax.Array, t: ArrayLike) -> PyTree:
        """The batch of step t."""
        return self.draw(key, t)

    @property
    def steps_per_epoch(self) -> float:
        """The steps that take as many examples as there are; a whole number where batches are drawn by epoch."""
        steps = self.examples / self.batch_size
        return float(int(steps)) if self.by_epoch else steps


@dataclass(frozen=True, eq=False)
class Problem:
    """Something to minimize: a loss, a start, and what is known of it.

    Attributes:
        name: as it stands in the registry.
        loss: `(params, batch) -> scalar`, what is differentiated; `batch` is None where there is no `sample`.
        start: `key -> params`, where a run begins; the key comes from the run's seed.
        objective: `params -> scalar`, what is recorded as the loss: on all the training data, or the mean over time.
        sample: `(key, t) -> batch`, the batch of step t, from 1; None where the loss is the same at every step. A
            `Sampler` where batches are examples of a data set.
        state: `key -> state`, what a net carries from step to step beside its parameters, such as running averages;
            None where it has none. Then the loss takes the pair (batch, state) in place of a batch, and objective and
            metrics take the state after the parameters.
        next_state: `(params, (batch, state)) -> state`, the state after a step that began with these.
        project: `params -> params`, back into the feasible set after every step; None where there is no constraint.
        metrics: further scalars of the parameters, by name.
        minima: known minimizers, a row each.
        minimum: the least value of the objective, where it is known.
        domain: the (low, high) of each dimension that is worth looking at; empty where there is nothing to draw.
        side_by_side: how many runs the engine computes at a time; None leaves it to the engine.
        data: how many numbers were drawn for its data, which bounds the problems of a config.
        source: where the problem comes from.
    """

    name: str
    loss: Callable[[PyTree, PyTree], jax.Array]
    start: Callable[[jax.Array], PyTree]
    objective: Callable[..., jax.Array]
    sample: Callable[[jax.Array, ArrayLike], PyTree] | None = None
    state: Callable[[jax.Array], PyTree] | None = None
    next_state: Callable[[PyTree, PyTree], PyTree] | None = None
    project: Callable[[PyTree], PyTree] | None = None
    metrics: Mapping[str, Callable[..., jax.Array]] = field(default_factory=dict)
    minima: tuple[tuple[float, ...], ...] = ()
    minimum: float | None = None
    domain: tuple[tuple[float, float], ...] = ()
    side_by_side: int | None = None
    data: int = 0
    source: str = ""

    @property
    def dimension(self) -> int:
        """The number of parameters."""
        start = jax.eval_shape(lambda: self.start(jax.random.key(0)))  # a key made outside would settle the devices
        return sum(leaf.size for leaf in jax.tree.leaves(start))


def shapes(tree: PyTree) -> str:
    """The shapes and types of a tree's arrays, as "float32[2]"."""
    names = jax.tree.map(lambda leaf: f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]", tree)
    return names if isinstance(names, str) else str(names)
