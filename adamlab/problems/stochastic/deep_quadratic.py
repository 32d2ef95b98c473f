"""A noisy quadratic with the spectrum that Hessians of deep nets have."""

from functools import cache

import jax.numpy as jnp
import numpy as np

from adamlab.problems.data.sampling import minibatches
from adamlab.problems.functions import MOST_SEED, TOGETHER, Point, Value, problem_of, require
from adamlab.types import Problem

MOST_DIM = 1000
"""The most parameters: the rotation has the square of their number."""

MOST_PRODUCTS = 10**9
"""The most products of an example with the rotation, which are computed when the problem is made."""


def quadratic_deep(
    batch_size: int = 128,
    dim: int = 100,
    examples: int = 1000,
    noise: int | float = 0.6,
    data_seed: int = 42,
) -> Problem:
    """½·(w − x)ᵀQ(w − x) on average over examples x: of Q's eigenvalues 90 % are in (0, 1), 10 % in (30, 60).

    It is DeepOBS's problem of that name, with numbers drawn anew: the eigenvalues are uniform in these intervals, their
    directions a uniform rotation, and the examples normal around 0, so that each batch has an optimum of its own. Runs
    start at w = 1. The minibatches are drawn from the run's seed. `test_loss` is on as many fresh examples.

    Args:
        batch_size: examples in a minibatch.
        dim: the number of parameters.
        examples: how many there are to train on, examples·dim² being at most 10⁹; as many are held out.
        noise: the standard deviation of the examples in every direction.
        data_seed: the seed of the spectrum, the rotation and the examples.
    """
    require("dim", dim, 2, MOST_DIM)
    require("examples", examples, 1, 10 * MOST_DIM)
    if examples * dim**2 > MOST_PRODUCTS:
        most = MOST_PRODUCTS // dim**2
        raise ValueError(f"examples must be at most {most:,} where dim is {dim}, not {examples:,}: each is rotated.")
    require("batch_size", batch_size, 1, examples)
    require("noise", noise, 0, 10**6)
    require("data_seed", data_seed, 0, MOST_SEED)
    curvatures, rotation, train, test = _data(dim, examples, float(noise), data_seed)
    best = train.mean(axis=0)
    spread = {
        "train": _mean_square(curvatures, train - best),
        "test": _mean_square(curvatures, test - test.mean(axis=0)),
    }

    def above(w: Point, centre: np.ndarray) -> Value:
        offset = jnp.asarray(rotation, w.dtype) @ w - jnp.asarray(centre, w.dtype)
        return 0.5 * jnp.sum(jnp.asarray(curvatures, w.dtype) * offset**2)

    def loss(w: Point, batch) -> Value:
        offsets = (jnp.asarray(rotation, w.dtype) @ w)[None, :] - batch
        return 0.5 * jnp.mean(offsets**2 @ jnp.asarray(curvatures, w.dtype))

    return problem_of(
        "quadratic_deep",
        loss,
        np.ones(dim),
        sample=minibatches(train, batch_size),
        objective=lambda w: above(w, best) + spread["train"],
        metrics={"test_loss": lambda w: above(w, test.mean(axis=0)) + spread["test"]},
        minima=[(rotation.T @ best).tolist()],
        minimum=spread["train"],
        side_by_side=TOGETHER,
        data=examples * dim + dim**2,
        source="Schneider, Balles & Hennig 2019, DeepOBS, quadratic_deep; its spectrum: Chaudhari et al. 2017",
    )


def _mean_square(curvatures: np.ndarray, offsets: np.ndarray) -> float:
    return 0.5 * float(np.mean(offsets**2 @ curvatures))


@cache
def _data(dim: int, examples: int, noise: float, seed: int) -> tuple[np.ndarray, ...]:
    """The eigenvalues, the rotation whose rows are their directions, and both parts of the examples along these."""
    from scipy.stats import special_ortho_group

    rng = np.random.default_rng(seed)
    steep = max(1, round(dim / 10))
    curvatures = np.concatenate([rng.uniform(0, 1, dim - steep), rng.uniform(30, 60, steep)])
    rotation = special_ortho_group.rvs(dim, random_state=rng)
    train, test = (noise * rng.normal(size=(examples, dim)) @ rotation.T for _ in range(2))
    return curvatures, rotation, train, test
