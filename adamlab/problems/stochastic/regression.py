"""Linear models on data made from fixed random numbers: least squares, a trap for adaptive methods, sparse features."""

from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from adamlab.problems.data.sampling import minibatches
from adamlab.problems.functions import MOST_SEED, TOGETHER, Point, Value, problem_of, require
from adamlab.types import Problem

MOST = 1000
"""The most parameters and examples: the data are made anew in every process, and are constants of its programs."""
MOST_SPARSE = 10**4
"""The most examples of sparse features."""


class Examples(NamedTuple):
    """Features, a row for each example, with targets or labels; in NumPy where they were made, in JAX where used."""

    x: Float[Array | np.ndarray, "n dim"]
    y: Float[Array | np.ndarray, " n"]


def least_squares(
    dim: int = 10,
    examples: int = 100,
    condition: int | float = 100.0,
    noise: int | float = 0.1,
    batch_size: int = 0,
    data_seed: int = 0,
) -> Problem:
    """Linear least squares, ½·mean (x·w − y)², on a random design of a given condition number, from w = 0.

    The Hessian's eigenvalues go from 1 down to 1/condition in equal ratios, in random directions. The data are the same
    for every run; minibatches are drawn from the run's seed, uniformly with replacement.

    Args:
        dim: the number of parameters.
        examples: how many there are to train on, at least `dim`; as many are held out.
        condition: the condition number of the Hessian.
        noise: the standard deviation of the targets around those of the true parameters.
        batch_size: examples in a minibatch; 0 takes all of them at every step.
        data_seed: the seed of the data.
    """
    require("dim", dim, 1, MOST)
    require("examples", examples, dim, MOST)
    require("condition", condition, 1, 10**12)
    require("noise", noise, 0, 10**6)
    require("batch_size", batch_size, 0, examples)
    require("data_seed", data_seed, 0, MOST_SEED)
    train, test = _designed(dim, examples, condition, noise, data_seed)

    def loss(w: Point, batch: Examples) -> Value:
        return 0.5 * jnp.mean((batch.x @ w - batch.y) ** 2)

    def on_training_data(w: Point) -> Value:
        return loss(w, _in_jax(train))

    best = np.linalg.lstsq(train.x, train.y)[0]
    return problem_of(
        "least_squares",
        loss if batch_size else on_training_data,
        np.zeros(dim),
        sample=minibatches(train, batch_size) if batch_size else None,
        objective=on_training_data,
        metrics={"test_loss": lambda w: loss(w, _in_jax(test))},
        minima=[best.tolist()],
        minimum=0.5 * float(np.mean((train.x @ best - train.y) ** 2)),
        side_by_side=TOGETHER,
        data=2 * examples * dim + dim**2,
        source="linear least squares, as in Boyd & Vandenberghe 2004, section 1.2.1; random data",
    )


def wilson(examples: int = 50, positive: float = 0.6) -> Problem:
    """½·‖Xw − y‖² on data that adaptive methods fit to the last example and cannot generalize from; from w = 0.

    Labels are 1 and −1. An example's first feature is its label, the next two are 1, and after them it has features of
    its own, all 1: one if the label is 1, five if it is −1. Since X·sign(Xᵀy) = 4y, the adaptive methods without ε stay
    on the ray of sign(Xᵀy) and call every fresh example positive. Gradient descent goes to the solution of least norm,
    which makes no mistake. Metric `off_ray`: how far w is from that ray, (max − min of s_j·w_j) / mean |w|, where s is
    sign(Xᵀy); 0 on it. `test_loss` is that of as many fresh examples.

    Args:
        examples: how many there are.
        positive: the share of positive ones, above ½; the paper draws each label with this probability.
    """
    require("examples", examples, 3, 1000)
    ones = round(positive * examples) if 0.5 < positive < 1 else 0
    if not examples / 2 < ones < examples:
        raise ValueError(
            f"positive must be above 0.5 and below 1, such that of {examples} examples more than half are positive, "
            f"and not all; not {positive}."
        )
    train, ray = _wilson_data(examples, ones)
    fresh = Examples(np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]]), np.array([1.0, -1.0]))
    shares = np.array([ones, examples - ones]) / examples

    def loss(w: Point) -> Value:
        return 0.5 * jnp.sum((jnp.asarray(train.x, w.dtype) @ w - jnp.asarray(train.y, w.dtype)) ** 2)

    def of_fresh(w: Point, count) -> Value:
        # No weight is on features of their own: the fresh examples of a class are all alike.
        scores = jnp.asarray(fresh.x, w.dtype) @ w[:3]
        return jnp.sum(jnp.asarray(shares, w.dtype) * count(scores, jnp.asarray(fresh.y, w.dtype)))

    return problem_of(
        "wilson",
        loss,
        np.zeros(train.x.shape[1]),
        metrics={
            "test_loss": lambda w: examples * of_fresh(w, lambda scores, y: 0.5 * (scores - y) ** 2),
            "train_accuracy": lambda w: _accuracy(w, _in_jax(train)),
            "test_accuracy": lambda w: of_fresh(w, lambda scores, y: jnp.asarray(scores * y > 0, w.dtype)),
            "off_ray": lambda w: _off_ray(w * jnp.asarray(ray, w.dtype)),
        },
        minima=[np.linalg.lstsq(train.x, train.y)[0].tolist(), (ray / 4).tolist()],
        minimum=0.0,
        side_by_side=TOGETHER,
        source="Wilson et al. 2017, The marginal value of adaptive gradient methods, lemma 3.1 and section 3.3",
    )


def sparse_logistic(features: int = 300, examples: int = 4000, batch_size: int = 8, data_seed: int = 0) -> Problem:
    """Logistic regression on features of very unequal frequency, where Adagrad outdoes gradient descent; from w = 0.

    Feature j is 1 in a share ½/j of the examples and 0 in the others, as words are in texts (Zipf's law), and a rare
    feature says as much as a frequent one: the true parameters are normal, of standard deviation 5. The data are the
    same for every run; minibatches are drawn from the run's seed, uniformly with replacement.

    Args:
        features: how many there are.
        examples: how many there are to train on; as many are held out.
        batch_size: examples in a minibatch.
        data_seed: the seed of the data.
    """
    require("features", features, 1, MOST)
    require("examples", examples, 1, MOST_SPARSE)
    require("batch_size", batch_size, 1, examples)
    require("data_seed", data_seed, 0, MOST_SEED)
    train, test = _sparse(features, examples, data_seed)

    def loss(w: Point, batch: Examples) -> Value:
        return optax.sigmoid_binary_cross_entropy(batch.x @ w, (batch.y + 1) / 2).mean()

    return problem_of(
        "sparse_logistic",
        loss,
        np.zeros(features),
        sample=minibatches(train, batch_size),
        objective=lambda w: loss(w, _in_jax(train)),
        metrics={
            "test_loss": lambda w: loss(w, _in_jax(test)),
            "train_accuracy": lambda w: _accuracy(w, _in_jax(train)),
            "test_accuracy": lambda w: _accuracy(w, _in_jax(test)),
        },
        side_by_side=TOGETHER,
        data=examples * features,
        source="data in the manner of Duchi, Hazan & Singer 2011, section 1.3; McMahan & Streeter 2010",
    )


def _in_jax(examples: Examples) -> Examples:
    return Examples(jnp.asarray(examples.x, float), jnp.asarray(examples.y, float))


def _accuracy(w: Point, examples: Examples) -> Value:
    """The share of labels, 1 and −1, that the sign of x·w is right about; a score of 0 is wrong."""
    return jnp.mean((examples.x @ w) * examples.y > 0, dtype=float)


def _off_ray(w: Point) -> Value:
    scale = jnp.mean(jnp.abs(w))
    return jnp.where(scale > 0, (jnp.max(w) - jnp.min(w)) / jnp.where(scale > 0, scale, 1.0), 0.0)


@cache
def _designed(dim: int, examples: int, condition: float, noise: float, seed: int) -> tuple[Examples, Examples]:
    """Training and test examples; XᵀX/n has exactly the wanted eigenvalues, of the test's rows they are expected."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    scaled = np.sqrt(np.geomspace(1.0, 1.0 / condition, dim))[:, None] * directions.T
    truth = rng.normal(size=dim)
    orthogonal = np.linalg.qr(rng.normal(size=(examples, dim)))[0]
    both = (np.sqrt(examples) * orthogonal @ scaled, rng.normal(size=(examples, dim)) @ scaled)
    train, test = (Examples(x, x @ truth + noise * rng.normal(size=examples)) for x in both)
    return train, test


@cache
def _wilson_data(examples: int, ones: int) -> tuple[Examples, np.ndarray]:
    """The examples, positive ones first, without the features that no example has; and sign(Xᵀy)."""
    y = np.where(np.arange(examples) < ones, 1.0, -1.0)
    owner = np.repeat(np.arange(examples), np.where(y > 0, 1, 5))
    own = owner[None, :] == np.arange(examples)[:, None]
    x = np.concatenate([y[:, None], np.ones((examples, 2)), own], axis=1)
    return Examples(x, y), np.sign(x.T @ y)


@cache
def _sparse(features: int, examples: int, seed: int) -> tuple[Examples, Examples]:
    rng = np.random.default_rng(seed)
    frequency = 0.5 / np.arange(1, features + 1)
    truth = 5.0 * rng.normal(size=features)

    def drawn() -> Examples:
        x = np.asarray(rng.random((examples, features)) < frequency, float)
        return Examples(x, np.where(rng.random(examples) < 1 / (1 + np.exp(-x @ truth)), 1.0, -1.0))

    return drawn(), drawn()
