"""The multilayer and the convolutional net against the same nets written otherwise; dropout; what is recorded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from adamlab.problems.data import images
from tests.problems.nets import (
    NETS,
    batch_of,
    displaced,
    half_squared_distance,
    held_out,
    in_floats,
    mean_cross_entropy,
    plain_conv,
    plain_mlp,
    recorded,
)

pytestmark = pytest.mark.optimized(False)


def assert_same_gradient(loss, reference, params):
    """To some thousand roundings of the largest entry, where sums of some hundred terms go in another order."""
    (value, gradient), (expected, expected_gradient) = (
        jax.jit(jax.value_and_grad(f))(params) for f in (loss, reference)
    )
    assert float(value) == pytest.approx(float(expected), rel=1e-12)
    flat, expected_flat = ravel_pytree(gradient)[0], ravel_pytree(expected_gradient)[0]
    np.testing.assert_allclose(flat, expected_flat, rtol=1e-9, atol=1e-12 * float(jnp.abs(expected_flat).max()))
    assert (np.abs(flat) > 0).mean() > 0.3  # the test is about something


def test_the_multilayer_net_is_the_plain_one(x64):
    problem = NETS["digits_mlp"](batch_size=16, hidden=20, dropout=0)
    params, batch = displaced(problem), batch_of(problem)
    assert_same_gradient(
        lambda w: problem.loss(w, batch), lambda w: mean_cross_entropy(plain_mlp(w, batch.x), batch.y), params
    )


@pytest.mark.slow
def test_the_multilayer_net_of_smooth_units_and_squared_errors(x64):
    """Against NumPy; from Glorot's weights, whose first layer has the deviation √(2/(64 + 300))."""
    problem = NETS["digits_mlp"](batch_size=16, hidden=300, dropout=0.0, activation="tanh", loss="squared")
    start = problem.start(jax.random.key(0))
    assert np.std(start[0]["W"]) == pytest.approx(np.sqrt(2 / 364), rel=0.02)
    params, batch = displaced(problem), batch_of(problem)
    h = np.asarray(batch.x).reshape(16, -1)
    for layer in params[:-1]:
        h = np.tanh(h @ np.asarray(layer["W"]) + np.asarray(layer["b"]))
    logits = h @ np.asarray(params[-1]["W"]) + np.asarray(params[-1]["b"])
    assert float(problem.loss(params, batch)) == pytest.approx(half_squared_distance(logits, batch.y), rel=1e-12)


@pytest.mark.slow
def test_the_convolutional_net_of_smooth_units_and_squared_errors(x64):
    problem = NETS["digits_conv"](batch_size=12, channels=5, activation="tanh", loss="squared")
    params, batch = displaced(problem), batch_of(problem)
    assert_same_gradient(
        lambda w: problem.loss(w, batch),
        lambda w: half_squared_distance(plain_conv(w, batch.x, activate=jnp.tanh)[0], batch.y),
        params,
    )


def test_with_dropout_the_multilayer_net_is_the_plain_one_under_the_same_masks(x64):
    problem = NETS["digits_mlp"](batch_size=16, hidden=20, dropout=0.3)
    params, batch = displaced(problem), batch_of(problem)
    keys = [jax.random.fold_in(batch.key, layer) for layer in range(2)]
    masks = [jax.random.bernoulli(key, jnp.float32(0.7), (16, 20)) / 0.7 for key in keys]
    assert_same_gradient(
        lambda w: problem.loss(w, batch), lambda w: mean_cross_entropy(plain_mlp(w, batch.x, masks), batch.y), params
    )


def test_what_is_recorded_of_the_multilayer_net_is_without_dropout(x64):
    problem, data = NETS["digits_mlp"](hidden=20, dropout=0.5), images.load("digits")
    params, (x, y) = displaced(problem), held_out(data)
    told = recorded(problem, params)
    logits, on_test = plain_mlp(params, in_floats(data.train_images)), plain_mlp(params, x)
    assert told["loss"] == pytest.approx(float(mean_cross_entropy(logits, data.train_labels)), rel=1e-12)
    assert told["test_loss"] == pytest.approx(float(mean_cross_entropy(on_test, y)), rel=1e-12)
    assert told["train_accuracy"] == pytest.approx((np.asarray(logits).argmax(axis=1) == data.train_labels).mean())
    assert told["test_accuracy"] == pytest.approx((np.asarray(on_test).argmax(axis=1) == y).mean())


def test_dropout_drops_that_share_of_either_hidden_layer(x64):
    """With all units active, a weight's row of the gradient is 0 where its unit was dropped."""
    rate, units, keys = 0.3, 50, 40
    problem = NETS["digits_mlp"](batch_size=1, hidden=units, dropout=rate)
    params = problem.start(jax.random.key(0))
    for layer in params[:2]:
        layer["W"], layer["b"] = 0.01 * layer["W"], jnp.ones(units)
    batch = batch_of(problem)
    gradients = jax.jit(jax.vmap(lambda key: jax.grad(problem.loss)(params, batch._replace(key=key))))(
        jax.random.split(jax.random.key(1), keys)
    )
    kept = np.stack([(np.asarray(layer["W"]) != 0).any(axis=-1) for layer in gradients[1:]])
    # Five standard deviations of a share of so many coins.
    within = 5 * np.sqrt(rate * (1 - rate) / (keys * units))
    np.testing.assert_allclose(kept.mean(axis=(1, 2)), 1 - rate, atol=within)
    assert (kept[0] != kept[1]).any(axis=1).all()  # each layer has its own mask
    assert (kept[:, 0] != kept[:, 1]).any(axis=1).all()  # and each key


def test_dropout_scales_up_what_is_left(x64):
    """One unit, which gives 2 where it is kept, and 2/(1 − ¾) is 8."""
    problem = NETS["digits_mlp"](batch_size=1, hidden=1, dropout=0.75)
    zeros = [{"W": jnp.zeros(shape), "b": jnp.zeros(shape[1])} for shape in ((64, 1), (1, 1), (1, 10))]
    params = [zeros[0], {"W": jnp.zeros((1, 1)), "b": jnp.array([2.0])}, {**zeros[2], "W": jnp.arange(10.0)[None, :]}]
    batch = batch_of(problem)
    losses = jax.vmap(lambda key: problem.loss(params, batch._replace(key=key)))(
        jax.random.split(jax.random.key(1), 40)
    )
    expected = [float(mean_cross_entropy(h * jnp.arange(10.0)[None, :], batch.y)) for h in (0.0, 8.0)]
    np.testing.assert_allclose(np.unique(losses), np.sort(expected), rtol=1e-12)


def test_the_convolutional_net_is_the_plain_one(x64):
    problem = NETS["digits_conv"](batch_size=12, channels=5)
    params, batch = displaced(problem), batch_of(problem)
    assert_same_gradient(
        lambda w: problem.loss(w, batch), lambda w: mean_cross_entropy(plain_conv(w, batch.x)[0], batch.y), params
    )


def test_what_is_recorded_of_the_convolutional_net_goes_by_the_statistics_of_training_images(x64):
    problem, data = NETS["digits_conv"](channels=5), images.load("digits")
    params, (x, y) = displaced(problem), held_out(data)
    told = recorded(problem, params)
    logits, statistics = plain_conv(params, in_floats(data.train_images))
    on_test, by_their_own = plain_conv(params, x, statistics)[0], plain_conv(params, x)[0]
    assert told["loss"] == pytest.approx(float(mean_cross_entropy(logits, data.train_labels)), rel=1e-10)
    assert told["train_accuracy"] == pytest.approx((np.asarray(logits).argmax(axis=1) == data.train_labels).mean())
    assert told["test_loss"] == pytest.approx(float(mean_cross_entropy(on_test, y)), rel=1e-10)
    assert told["test_accuracy"] == pytest.approx((np.asarray(on_test).argmax(axis=1) == y).mean())
    assert told["test_loss"] != pytest.approx(float(mean_cross_entropy(by_their_own, y)), rel=1e-4)


@pytest.mark.slow
def test_what_is_recorded_of_the_convolutional_net_curves_as_what_is_trained_in_full_batch(x64):
    """Batch norm's statistics are a function of the parameters: with these held the gradient is quite another."""
    smooth = {"activation": "tanh", "loss": "squared"}
    problem = NETS["digits_conv"](test_share=0.96, batch_size=71, replacement=False, channels=2, **smooth)
    params, batch = displaced(problem), batch_of(problem)
    flat, unravel = ravel_pytree(params)
    direction = jnp.cos(jnp.arange(flat.size))

    def derivatives(loss):
        """The gradient, and the Hessian's product with the direction."""
        gradient, times_hessian = jax.vjp(jax.grad(lambda w: loss(unravel(w))), flat)
        return gradient, times_hessian(direction)[0]

    told, trained = jax.jit(
        lambda: (derivatives(problem.objective), derivatives(lambda params: problem.loss(params, batch)))
    )()
    for mine, theirs in zip(told, trained, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12 * float(jnp.abs(theirs).max()))
