"""Every net on every data set: minibatches, starts, what is far away, large parts in pieces, training, options."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import adamlab as al
from adamlab.calls import arguments
from adamlab.errors import InputError
from adamlab.problems import get
from adamlab.problems.data import batches, images, openml
from adamlab.problems.data.images import Images
from adamlab.problems.networks.starts import glorot, he
from tests.computing import computed
from tests.problems.nets import (
    DIGITS,
    NETS,
    batch_of,
    displaced,
    in_floats,
    mean_cross_entropy,
    negative_elbo,
    plain_conv,
    recorded,
)

pytestmark = pytest.mark.optimized(False)

SHAPES = {"mnist": (28, 28, 1), "fashion_mnist": (28, 28, 1), "cifar_10": (32, 32, 3)}


@pytest.fixture
def small(rng, monkeypatch):
    """In the place of what is far away, 24 random images to train on and 8 to test with, all of the right shape."""
    fakes = {}
    for name, shape in SHAPES.items():
        pixels, labels = rng.integers(0, 256, (32, *shape), np.uint8), np.arange(32, dtype=np.int32) % 10
        fakes[name] = Images(name, pixels[:24], labels[:24], pixels[24:], labels[24:], 255, 10, "nobody")
    monkeypatch.setattr(images, "load", lambda name, *drawn: fakes[name])
    return fakes


def run(problem, steps, what=("loss",), seeds=1):
    return computed(problem, "adamlab.adam(0.003)", seeds=range(seeds), steps=steps, every=steps, what=what)


@pytest.mark.parametrize("name", DIGITS)
def test_minibatches_are_rows_of_the_training_part(x64, name):
    problem, data = NETS[name](batch_size=32), images.load("digits")
    batch = batch_of(problem)
    train = {(row.tobytes(), int(y)) for row, y in zip(data.train_images, data.train_labels, strict=True)}
    rows = np.asarray(batch.x * 16, np.uint8)
    assert rows.shape == (32, 8, 8, 1)
    assert all((row.tobytes(), int(y)) in train for row, y in zip(rows, batch.y, strict=True))
    np.testing.assert_array_equal(np.asarray(rows, float) / 16, batch.x)
    assert not np.array_equal(batch.x, batch_of(problem, seed=4).x)


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("name", DIGITS[1:])
def test_a_seed_is_the_same_start_in_either_float_type(name, dtype):
    problem = NETS[name]()
    first, other = (ravel_pytree(problem.start(jax.random.key(seed)))[0] for seed in (0, 1))
    assert first.dtype == dtype
    with jax.enable_x64(dtype == "float32"):
        np.testing.assert_allclose(ravel_pytree(problem.start(jax.random.key(0)))[0], first, rtol=1e-6)
    assert (first != other).mean() > 0.9


def test_weights_start_with_their_authors_variances():
    for weights, variance in (
        (he(jax.random.key(0), 3, 3, 40, 60), 2 / 360),
        (glorot(jax.random.key(1), 360, 60), 2 / 420),
    ):
        # Five standard errors of the variance and of the mean of normal numbers.
        assert float(jnp.var(weights)) == pytest.approx(variance, rel=5 * np.sqrt(2 / weights.size))
        assert abs(float(jnp.mean(weights))) < 5 * np.sqrt(variance / weights.size)


@pytest.mark.parametrize("name", sorted(NETS.keys() - set(DIGITS)))
def test_every_net_takes_every_kind_of_image(small, name):
    problem, data = NETS[name](batch_size=4), small[name.rpartition("_")[0]]
    assert (problem.name, problem.source) == (name, "nobody")
    image = np.asarray(batch_of(problem).x[0])
    assert any(np.allclose(image, row / 255, rtol=1e-6) for row in data.train_images)


ONE_OF_EACH_KIND = ["mnist_conv", "mnist_mlp", "cifar_10_softmax", "cifar_10_vae"]


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize(
    "name",
    [
        name if name in ONE_OF_EACH_KIND else pytest.param(name, marks=pytest.mark.slow)
        for name in sorted(NETS)
        if name.startswith(("mnist", "cifar"))
    ],
)
def test_every_net_runs_on_images_of_either_size(small, name):
    recorded = run(NETS[name](batch_size=4), 2, what=("loss", "test_loss"))
    assert recorded["diverged_at"].tolist() == [-1]
    assert np.isfinite(recorded["test_loss"]).all()
    assert recorded["loss"][0, 0] != recorded["loss"][0, 1]


def in_pieces_and_whole(problem, params, monkeypatch):
    whole = recorded(problem, params)
    monkeypatch.setattr(batches, "AT_ONCE", 8)
    return recorded(problem, params), whole


def test_a_large_part_is_computed_in_pieces(x64, small, monkeypatch):
    problem = NETS["mnist_softmax"](batch_size=4)
    pieces, whole = in_pieces_and_whole(problem, displaced(problem), monkeypatch)
    assert pieces == pytest.approx(whole, rel=1e-12)


def test_of_a_large_part_evenly_spaced_images_make_the_statistics(x64, small, monkeypatch):
    problem, data = NETS["cifar_10_conv"](batch_size=4), small["cifar_10"]
    params, x = displaced(problem), in_floats(data.train_images, 255)
    pieces, whole = in_pieces_and_whole(problem, params, monkeypatch)
    logits = plain_conv(params, x, plain_conv(params, x[::3])[1])[0]
    assert pieces["loss"] == pytest.approx(float(mean_cross_entropy(logits, data.train_labels)), rel=1e-10)
    assert pieces["loss"] != pytest.approx(whole["loss"], rel=1e-6)


@pytest.mark.slow
def test_the_gradient_on_a_large_part_goes_through_the_statistics_of_some_images(x64, small, monkeypatch):
    monkeypatch.setattr(batches, "AT_ONCE", 8)
    problem, data = NETS["cifar_10_conv"](batch_size=4, channels=4), small["cifar_10"]
    params, x = displaced(problem), in_floats(data.train_images, 255)

    def expected(w):
        return mean_cross_entropy(plain_conv(w, x, plain_conv(w, x[::3])[1])[0], data.train_labels)

    told, reference = (ravel_pytree(jax.jit(jax.grad(f))(params))[0] for f in (problem.objective, expected))
    np.testing.assert_allclose(told, reference, rtol=1e-8, atol=1e-11 * float(jnp.abs(reference).max()))


@pytest.mark.slow
def test_each_piece_of_a_large_part_has_noise_of_its_own(x64, small, monkeypatch):
    problem = NETS["mnist_vae"](batch_size=4, latent=3)
    params = displaced(problem)
    pieces, _ = in_pieces_and_whole(problem, params, monkeypatch)
    rows = np.asarray(small["mnist"].train_images, float).reshape(3, 8, 784) / 255
    noise = [jax.random.normal(key, (8, 3), jnp.float32) for key in jax.random.split(jax.random.key(0), 3)]
    expected = np.mean([negative_elbo(params, x, np.asarray(e)) for x, e in zip(rows, noise, strict=True)])
    assert pieces["loss"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reached"),
    [("digits_mlp", np.log(10) / 2), pytest.param("digits_vae", 0.7 * 64 * np.log(2), marks=pytest.mark.slow)],
)
def test_a_short_training_lowers_the_loss(name, reached):
    """To much less than what knows nothing: ten classes cost log 10 nats, 64 pixels 64·log 2."""
    recorded = run(NETS[name](hidden=32), 150, what=("loss", "test_loss"))
    assert recorded["loss"][0, 1] < reached < recorded["loss"][0, 0]
    assert recorded["test_loss"][0, 1] < reached


@pytest.mark.slow
def test_the_convolutional_net_learns_the_digits():
    config = {
        "name": "digits",
        "steps": 250,
        "record": {"every": 250, "what": ["loss", "test_loss", "train_accuracy", "test_accuracy"]},
        "problem": [{"name": "digits_conv"}],
        "optimizer": [{"spec": "adamlab.adam(0.003)"}],
    }
    data = al.run(config)["digits_conv"].ds
    assert data["test_accuracy"][0, 0] < 0.3
    assert data["test_accuracy"][0, -1] >= 0.97
    assert data["train_accuracy"][0, -1] >= data["test_accuracy"][0, -1]
    assert data["loss"][0, -1] < data["test_loss"][0, -1] < 0.15


def test_options_are_read_off_the_makers():
    defaults = {name: argument.default for name, argument in arguments(NETS["digits_mlp"]).items()}
    shares = {"validation_share": 0.0, "split_seed": 0, "test_share": 0.2}
    words = {"activation": "relu", "loss": "cross_entropy"}
    assert defaults == {"batch_size": 64, "hidden": 128, "dropout": 0.5, "replacement": True, **words, **shares}
    kinds = {argument.name: argument.kind for argument in arguments(NETS["cifar_10_conv"]).values()}
    flags = {"replacement": "flag", "validation_share": "number", "split_seed": "integer"}
    assert kinds == {"batch_size": "integer", "channels": "integer", **dict.fromkeys(words, "text"), **flags}
    told = inspect.getdoc(NETS["fashion_mnist_vae"]) or ""
    assert told.startswith("A variational auto-encoder of Fashion-MNIST: negative ELBO")
    assert len(NETS) == 16
    assert [NETS[name]().side_by_side for name in DIGITS] == [8, 2, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits_softmax", "digits_mlp"])
def test_a_run_is_the_same_to_the_bit_however_many_are_beside_it(name):
    """In one block of 64 runs the parameters would round otherwise; the gate has 19, in the engine's tests."""
    problem = NETS[name](batch_size=8)
    alone, among = (run(problem, 3, seeds=seeds) for seeds in (1, 60))
    np.testing.assert_array_equal(among["final_params"][:1], alone["final_params"])
    np.testing.assert_array_equal(among["loss"][:1], alone["loss"])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digits_conv", {"channels": 0}, r"channels must be from 1 to 10000, not 0\."),
        ("digits_conv", {"batch_size": 1438}, r"batch_size must be from 1 to 1437, not 1438\."),
        ("digits_conv", {"batch_size": 64.0}, r"digits_conv: batch_size must be a whole number, not 64\.0\."),
        ("digits_conv", {"channels": 16.0}, r"channels must be a whole number, not 16\.0\."),
        ("digits_mlp", {"hidden": True}, r"hidden must be a whole number, not true\."),
        ("digits_vae", {"latent": 2.5}, r"latent must be a whole number, not 2\.5\."),
        ("digits_mlp", {"hidden": 0}, r"hidden must be from 1 to 10000, not 0\."),
        ("digits_mlp", {"dropout": 1.0}, r"dropout must be at least 0 and below 1, not 1\.0\."),
        ("digits_mlp", {"dropout": -0.1}, r"dropout must be at least 0 and below 1, not -0\.1\."),
        ("digits_mlp", {"activation": "tahn"}, r'activation must be "relu" or "tanh", not "tahn"\.'),
        ("digits_conv", {"loss": "mse"}, r'loss must be "cross_entropy" or "squared", not "mse"\.'),
        ("digits_vae", {"latent": 0}, r"latent must be from 1 to 10000, not 0\."),
        ("digits_vae", {"hidden": 0}, r"hidden must be from 1 to 10000, not 0\."),
        ("digits_vae", {"test_share": 1.0}, r"test_share must be from 0\.01 to 0\.99, not 1\.0\."),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        NETS[name](**options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mnist_mlp", {"dropout": 1.5}, r"dropout must be at least 0 and below 1, not 1\.5\."),
        ("fashion_mnist_vae", {"batch_size": 60_001}, r"batch_size must be from 1 to 60000, not 60001\."),
        ("cifar_10_softmax", {"batch_size": 0}, r"batch_size must be from 1 to 50000, not 0\."),
    ],
)
def test_options_are_checked_before_anything_is_fetched(monkeypatch, name, options, message):
    def fetch(archive):
        raise InputError("There is no network.")

    monkeypatch.setattr(openml, "fetch", fetch)
    images.load.cache_clear()
    with pytest.raises(ValueError, match=message):
        get(name, **options)
    with pytest.raises(InputError, match="There is no network"):
        get(name)


def test_a_part_that_pieces_of_one_size_do_not_make_up_is_refused(small, monkeypatch):
    problem = NETS["mnist_softmax"](batch_size=4)
    monkeypatch.setattr(batches, "AT_ONCE", 5)
    message = "expected fewer than 10 images in a part, or a multiple of 5; got 23, which 4 pieces of one size do not"
    part = batches.training_part(small["mnist"])
    with pytest.raises(ValueError, match=message):
        batches.mean_over(part._replace(pixels=part.pixels[:23], labels=part.labels[:23]), lambda some: some.x.mean())
    assert np.isfinite(problem.objective(problem.start(jax.random.key(0))))  # of 24 images, 4 times 6


def test_only_of_the_digits_a_share_can_be_held_out():
    with pytest.raises(InputError, match=r'test_share is for "digits"; "mnist" has a test part of its own'):
        NETS["mnist_conv"](test_share=0.5)
    problem = NETS["digits_softmax"](test_share=0.5)
    right = recorded(problem, problem.start(jax.random.key(0)))["test_accuracy"] * 899
    assert right == pytest.approx(round(right), abs=1e-3)
