"""Minibatches by epoch and with replacement, and parts of a data set."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from adamlab import problems
from adamlab.errors import InputError
from adamlab.problems.data.sampling import epoch_rows
from adamlab.types import Problem
from tests.computing import computed, sample_of

pytestmark = pytest.mark.optimized(False)


def rows_by_step(sampler, key, steps):
    """The rows of each step, of arrays that number them."""
    return np.asarray(jax.jit(jax.vmap(lambda t: sampler(key, t)))(jnp.arange(1, steps + 1)))


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize(("count", "batch"), [(60, 12), (64, 8), (50, 7), (1, 1), (3, 2), (1437, 64)])
def test_an_epoch_has_every_example_at_most_once_and_whole_batches_of_them(count, batch):
    sampler, steps = problems.epochs(np.arange(count), batch), count // batch
    rows = rows_by_step(sampler, jax.random.key(0), 3 * steps).reshape(3, -1)
    for epoch in rows:
        assert len({*epoch.tolist()}) == steps * batch  # all of them where the batches fit, else all but the rest
        assert ((epoch >= 0) & (epoch < count)).all()
    assert (sampler.steps_per_epoch, sampler.by_epoch) == (steps, True)
    if count > 3:
        assert len({tuple(epoch) for epoch in rows.tolist()}) == 3
        other = rows_by_step(sampler, jax.random.key(1), steps)
        assert not np.array_equal(other.ravel(), rows[0])
    if count % batch and count > 10:
        assert len({frozenset(epoch) for epoch in rows.tolist()}) == 3, "the same examples are dropped always"


@pytest.mark.parametrize("count", [5, 16, 100])
def test_every_example_comes_first_as_often_as_any(count):
    first = jax.jit(jax.vmap(lambda key: epoch_rows(key, 1, 2, count)))(
        jax.random.split(jax.random.key(2), 200 * count)
    )
    pairs = np.bincount(np.asarray(first) @ [1, count], minlength=count**2).reshape(count, count)
    assert np.diag(pairs).sum() == 0
    assert scipy.stats.chisquare(pairs.sum(axis=0)).pvalue > 1e-3
    assert scipy.stats.chisquare(pairs.sum(axis=1)).pvalue > 1e-3
    if count < 20:
        assert scipy.stats.chisquare(pairs[~np.eye(count, dtype=bool)]).pvalue > 1e-3


@pytest.mark.parametrize("shared", [False, True])
def test_a_run_sees_every_example_once_an_epoch(x64, shared):
    """Of a loss whose steps of gradient descent add the batch's examples to the parameter."""
    x = np.random.default_rng(0).normal(size=20)
    sums = Problem(
        "sums",
        loss=lambda w, batch: -w[0] * jnp.sum(batch),
        start=lambda key: jnp.zeros(1),
        objective=lambda w: w[0],
        sample=problems.epochs(x, 5),
        side_by_side=8,
    )
    seeds = [3] * 16 if shared else [3, 4]
    rates = {"lr": [1.0] * len(seeds)}
    w = computed(sums, "optax.sgd(lr)", rates, seeds, 12, 1, ("loss",), shared=16 * shared)["loss"]
    np.testing.assert_allclose(w[:, [4, 8, 12]], np.outer(np.ones(len(w)), [1, 2, 3]) * x.sum(), rtol=1e-12)
    assert shared or not np.allclose(w[0, 1:4], w[1, 1:4])


@pytest.mark.one_case_in(2)
def test_batches_are_trees_in_the_types_of_the_run(dtype):
    arrays = {"x": np.arange(12, dtype=np.float32).reshape(6, 2), "y": np.arange(6, dtype=np.uint8)}
    for draw in (problems.epochs, problems.minibatches):
        batch, key = draw(arrays, 3, with_key=True)(jax.random.key(0), 1)
        assert (batch["x"].dtype, batch["x"].shape, batch["y"].dtype) == (dtype, (3, 2), np.uint8)
        np.testing.assert_array_equal(batch["x"][:, 0], 2 * batch["y"].astype(dtype))
        _, other = draw(arrays, 3, with_key=True)(
            jax.random.key(0) if draw is problems.epochs else jax.random.key(1), 2
        )
        assert not np.array_equal(jax.random.key_data(key), jax.random.key_data(other))
    assert problems.minibatches(arrays, 4).steps_per_epoch == 1.5


def test_a_split_has_every_example_once():
    arrays = {"x": np.arange(100) * 2, "y": np.arange(100)}
    parts = problems.split(arrays, seed=1)
    assert [len(part["y"]) for part in parts] == [70, 15, 15]
    assert sorted(np.concatenate([part["y"] for part in parts]).tolist()) == [*range(100)]
    assert all((part["x"] == 2 * part["y"]).all() for part in parts)
    np.testing.assert_array_equal(problems.split(arrays, seed=1)[2]["y"], parts[2]["y"])
    assert not np.array_equal(problems.split(arrays, seed=2)[2]["y"], parts[2]["y"])
    assert [len(part) for part in problems.split(np.arange(10), 0, (0.5, 0.5))] == [5, 5]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: problems.epochs({"x": np.ones(3), "y": np.ones(4)}, 2), r"as many rows each.*\(3,\), \(4,\)"),
        (lambda: problems.epochs(np.ones(3), 4), "batch_size must be from 1 to 3, the number of examples, not 4"),
        (lambda: problems.minibatches(np.float32(3), 1), r"a row for each example; got the shapes \(\)"),
        (lambda: problems.minibatches({}, 1), "got the shapes none"),
        (lambda: problems.split(np.ones(9), 0, (0.5, 0.6)), r"shares above 0 that are 1 together.*got \(0.5, 0.6\)"),
        (lambda: problems.split(np.ones(9), 0, (1.5, -0.5)), "shares above 0"),
        (lambda: problems.split(np.ones(3), 0), "of 3 examples leave none"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        wrong()


def test_the_digits_networks_take_their_batches_by_epoch():
    problem = problems.get("digits_mlp", hidden=4, batch_size=100, replacement=False)
    batches = jax.jit(jax.vmap(lambda t: sample_of(problem)(jax.random.key(0), t)))(jnp.arange(1, 29))
    images = np.asarray(batches.x).reshape(2, 1400, 64)
    assert sample_of(problem).steps_per_epoch == 14
    assert [len(np.unique(epoch, axis=0)) for epoch in images] == [1400, 1400]
    assert not np.array_equal(images[0], images[1])
    assert len({key.tobytes() for key in np.asarray(jax.random.key_data(batches.key))}) == 28


def test_a_validation_part_is_of_neither_other_part():
    whole, held = (problems.get("digits_softmax", validation_share=share) for share in (0.0, 0.25))
    assert {*held.metrics} - {*whole.metrics} == {"validation_loss", "validation_accuracy"}
    assert (sample_of(whole).examples, sample_of(held).examples) == (1437, 1437 - 359)
    start = held.start(jax.random.key(0))
    w = jax.tree.map(lambda x: x + 0.1 * jax.random.normal(jax.random.key(1), x.shape), start)
    quantities = {**held.metrics, "loss": held.objective}
    told = jax.jit(lambda w: {name: quantity(w) for name, quantity in quantities.items()})(w)
    told = {name: float(value) for name, value in told.items()}
    mixed = (1078 * told["loss"] + 359 * told["validation_loss"]) / 1437
    assert float(whole.objective(w)) == pytest.approx(mixed, rel=1e-5)
    assert told["validation_accuracy"] * 359 == pytest.approx(round(told["validation_accuracy"] * 359), abs=1e-3)
    assert told["test_loss"] == pytest.approx(float(whole.metrics["test_loss"](w)), rel=1e-6)
