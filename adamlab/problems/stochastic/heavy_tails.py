"""Linear regression whose noise has heavy tails, so that single batches have enormous gradients."""

from functools import cache

import jax.numpy as jnp
import numpy as np

from adamlab.problems.data.sampling import minibatches
from adamlab.problems.functions import MOST_SEED, TOGETHER, Point, Value, problem_of, require
from adamlab.types import Problem, PyTree


def heavy_tailed_regression(
    degrees: int | float = 1.5, dim: int = 10, examples: int = 500, batch_size: int = 4, data_seed: int = 0
) -> Problem:
    """Least squares, ½·mean (x·w − y)², with noise of Student's t in y, from w = 0: gradients have its heavy tails.

    With up to 2 degrees of freedom the noise has no variance: the loss is ruled by a few examples, and what a batch
    with one of them does to w, clipped and normalized steps do not. `error` is the Euclidean distance from the
    parameters that the examples were made with. The minibatches are drawn from the run's seed.

    Args:
        degrees: of freedom; 1 is Cauchy's distribution, ∞ the normal one.
        dim: the number of parameters.
        examples: how many there are.
        batch_size: examples in a minibatch.
        data_seed: the seed of the data.
    """
    require("degrees", degrees, 0.5, 10**6)
    require("dim", dim, 1, 1000)
    require("examples", examples, dim, 10**4)
    require("batch_size", batch_size, 1, examples)
    require("data_seed", data_seed, 0, MOST_SEED)
    x, y, truth = _data(float(degrees), dim, examples, data_seed)
    best = np.linalg.lstsq(x, y)[0]

    def loss(w: Point, batch: PyTree) -> Value:
        features, targets = batch
        return 0.5 * jnp.mean((features @ w - targets) ** 2)

    return problem_of(
        "heavy_tailed_regression",
        loss,
        np.zeros(dim),
        sample=minibatches((x, y), batch_size),
        objective=lambda w: loss(w, (jnp.asarray(x, float), jnp.asarray(y, float))),
        metrics={"error": lambda w: jnp.linalg.norm(w - jnp.asarray(truth, w.dtype))},
        minima=[best.tolist()],
        minimum=0.5 * float(np.mean((x @ best - y) ** 2)),
        side_by_side=TOGETHER,
        data=examples * dim,
        source="in the manner of Zhang et al. 2020, Why are adaptive methods good for attention models?, section 2",
    )


@cache
def _data(degrees: float, dim: int, examples: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal features, targets, and the parameters that these were made with."""
    rng = np.random.default_rng(seed)
    x, truth = rng.normal(size=(examples, dim)), rng.normal(size=dim)
    return x, x @ truth + rng.standard_t(degrees, size=examples), truth
