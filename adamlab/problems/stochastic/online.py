"""Online counterexamples to Adam: linear losses on [−1, 1], the mean of which is least at −1, where Adam does not go.

The batch of a step is the slope of its loss. What is recorded as the loss is the mean slope times x.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax.projections
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from adamlab.problems.functions import Point, Value, problem_of
from adamlab.types import Problem

MOST_SLOPE = 1e6
"""The greatest slope of a loss."""

Slope = Float[Array, ""]


def reddi(c: int | float = 3.0, spread: int | float = 0.1) -> Problem:
    """f_t(x) = c·x if t mod 3 = 1, else −x, on [−1, 1]: Adam with β₁ = 0, β₂ = 1/(1 + c²) goes to 1, the worst point.

    Proved for Adam with α/√t, α < √(1 − β₂), without bias correction. AMSGrad goes to −1, the best, and so does Adam
    with a longer memory, as β₂ = 0.999. Like the proof, runs start at 1, but displaced by the seed, and inside the
    interval.

    Args:
        c: the slope of one loss in three, above 2.
        spread: the standard deviation of the start's displacement.
    """
    if not 2 < c <= MOST_SLOPE:
        raise ValueError(f"c must be above 2 and at most {MOST_SLOPE:g}, not {c}.")
    return _on_the_interval(
        "reddi",
        sample=lambda key, t: jnp.where(jnp.asarray(t) % 3 == 1, jnp.asarray(c, float), -1.0),
        mean=(c - 2.0) / 3.0,
        start=1.0,
        spread=spread,
        source="Reddi, Kale & Kumar 2018, On the convergence of Adam and beyond, theorem 1",
    )


def reddi_cyclic(spread: int | float = 0.1) -> Problem:
    """f_t(x) = 1010·x if t mod 101 = 1, else −10·x, on [−1, 1]: Adam with β₂ = 0.99 goes to 1, the worst point.

    The paper's run has β₁ = 0.9, β₂ = 0.99 and α/√t; AMSGrad goes to −1, the best, and with β₂ = 0.999 Adam does not go
    to 1. Where the paper starts is not told; here at 0, displaced by the seed.
    """
    return _on_the_interval(
        "reddi_cyclic",
        sample=lambda key, t: jnp.where(jnp.asarray(t) % 101 == 1, jnp.asarray(1010.0, float), -10.0),
        mean=10.0 / 101.0,
        start=0.0,
        spread=spread,
        source="Reddi, Kale & Kumar 2018, On the convergence of Adam and beyond, section 5, figure 1",
    )


def reddi_stochastic(spread: int | float = 0.1) -> Problem:
    """f_t(x) = 1010·x with probability 0.01, else −10·x, on [−1, 1]: Adam with β₂ = 0.99 goes to 1, the worst point.

    The stochastic form of `reddi_cyclic`; the slopes are drawn from the run's seed. Their mean, 0.2, is 1/500 of their
    standard deviation: no method can tell the direction in much less than 500² steps, and AMSGrad takes millions.
    """

    def sample(key, t) -> Slope:
        steep = jax.random.uniform(key, (), jnp.float32) < 0.01
        return jnp.where(steep, jnp.asarray(1010.0, float), -10.0)

    return _on_the_interval(
        "reddi_stochastic",
        sample=sample,
        mean=0.01 * 1010.0 - 0.99 * 10.0,
        start=0.0,
        spread=spread,
        source="Reddi, Kale & Kumar 2018, On the convergence of Adam and beyond, section 5, figure 1",
    )


def _on_the_interval(
    name: str,
    *,
    sample: Callable[[jax.Array, ArrayLike], Slope],
    mean: float,
    start: float,
    spread: int | float,
    source: str,
) -> Problem:
    def loss(x: Point, slope: Slope | float) -> Value:
        return slope * x[0]

    return problem_of(
        name,
        loss,
        [start],
        spread=spread,
        sample=sample,
        objective=lambda x: loss(x, mean),
        project=lambda x: optax.projections.projection_box(x, -1.0, 1.0),
        minima=[[-1.0]],
        minimum=-mean,
        domain=[(-1.0, 1.0)],
        source=source,
    )
