"""Linear models: the data, losses and gradients by hand, and who finds which solution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adamlab import problems
from adamlab.problems.stochastic.regression import _designed, _sparse, _wilson_data
from tests.computing import computed

pytestmark = pytest.mark.optimized(False)


def ended(problem, spec, numbers=None, seeds=(0,), steps=500):
    what = ("loss", "test_loss", "train_accuracy", "test_accuracy", "off_ray")
    return computed(problem, spec, numbers, seeds, steps, steps, what)


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def test_least_squares_has_the_loss_gradient_and_curvature_of_its_formula(x64, rng):
    problem, w = problems.get("least_squares", dim=6, examples=40, condition=1000.0), rng.normal(size=6)
    (x, y), (x_test, y_test) = _designed(6, 40, 1000.0, 0.1, 0)
    assert float(problem.objective(jnp.array(w))) == pytest.approx(0.5 * np.mean((x @ w - y) ** 2), rel=1e-12)
    gradient = jax.grad(problem.loss)(jnp.array(w), None)
    np.testing.assert_allclose(gradient, x.T @ (x @ w - y) / 40, rtol=1e-11, atol=1e-13)
    test_loss = problem.metrics["test_loss"](jnp.array(w))
    assert float(test_loss) == pytest.approx(0.5 * np.mean((x_test @ w - y_test) ** 2), rel=1e-12)
    curvatures = np.linalg.eigvalsh(jax.hessian(problem.objective)(jnp.array(w)))
    np.testing.assert_allclose(curvatures, np.geomspace(1e-3, 1.0, 6), rtol=1e-10)
    np.testing.assert_array_equal(problem.start(jax.random.key(0)), np.zeros(6))


def test_least_squares_knows_its_minimum(x64):
    problem = problems.get("least_squares", condition=10.0)
    (x, y), _ = _designed(10, 100, 10.0, 0.1, 0)
    normal_equations = np.linalg.solve(x.T @ x, x.T @ y)
    np.testing.assert_allclose(problem.minima[0], normal_equations, rtol=1e-12)
    assert problem.minimum == pytest.approx(0.5 * np.mean((x @ normal_equations - y) ** 2), rel=1e-12)
    # Gradient descent at rate 1 shrinks the slowest error by 0.9 a step: 0.9^400 = 5e-19.
    results = ended(problem, "adamlab.sgd(1.0)", steps=400)
    np.testing.assert_allclose(results["final_params"][0], problem.minima[0], atol=1e-13)
    assert results["loss"][0, -1] == pytest.approx(problem.minimum, rel=1e-12)


def test_data_are_those_of_their_seed():
    first, other = (problems.get("least_squares", data_seed=seed) for seed in (0, 1))
    assert first.minima != other.minima
    assert first.minima == problems.get("least_squares", data_seed=0).minima
    sparse, other = (problems.get("sparse_logistic", features=20, examples=50, data_seed=seed) for seed in (0, 1))
    w = jnp.ones(20)
    assert sparse.objective(w) != other.objective(w)
    assert sparse.objective(w) != sparse.metrics["test_loss"](w)


@pytest.mark.parametrize(
    ("name", "data"),
    [("least_squares", _designed(10, 100, 100.0, 0.1, 0)), ("sparse_logistic", _sparse(300, 4000, 0))],
)
def test_minibatches_are_rows_of_the_training_examples(x64, rng, name, data):
    problem = problems.get(name, batch_size=16)
    sample = problem.sample
    assert sample is not None
    train = {(row.tobytes(), float(y)) for row, y in zip(*data[0], strict=True)}
    batch, other = (sample(jax.random.key(seed), 1) for seed in (0, 1))
    assert batch.x.shape == (16, len(data[0].x[0]))
    assert all((np.asarray(x).tobytes(), float(y)) in train for x, y in zip(batch.x, batch.y, strict=True))
    assert not np.array_equal(batch.y, other.y)
    w = jnp.array(0.1 * rng.normal(size=batch.x.shape[1]))
    keys = jax.random.split(jax.random.key(2), 400)
    losses = np.asarray(jax.vmap(lambda key: problem.loss(w, sample(key, 1)))(keys))
    # The mean of 400 independent losses is within five of its standard errors.
    assert abs(losses.mean() - float(problem.objective(w))) < 5 * losses.std() / 20


def test_wilsons_examples_are_those_of_the_paper():
    (x, y), ray = _wilson_data(5, 3)
    np.testing.assert_array_equal(y, [1, 1, 1, -1, -1])
    np.testing.assert_array_equal(x[:, 0], y)
    np.testing.assert_array_equal(x[:, 1:3], 1)
    own = x[:, 3:]
    np.testing.assert_array_equal(own.sum(axis=1), [1, 1, 1, 5, 5])
    np.testing.assert_array_equal(own.sum(axis=0), np.ones(13))  # each has one owner
    np.testing.assert_array_equal(ray, [1, 1, 1, *[1] * 3, *[-1] * 10])


@pytest.mark.parametrize(("examples", "positive"), [(50, 0.6), (11, 0.8)])
def test_wilsons_data_meet_the_condition_of_the_lemma(examples, positive):
    ones = round(examples * positive)
    (x, y), _ = _wilson_data(examples, ones)
    np.testing.assert_array_equal(x @ np.sign(x.T @ y), 4 * y)
    assert np.linalg.matrix_rank(x) == examples


def test_wilsons_solution_of_least_norm_is_that_of_the_paper(x64):
    # Section 3.3: w = Σ α_i·x_i, with one α for each class.
    problem, plus, minus = problems.get("wilson"), 30, 20
    (x, y), _ = _wilson_data(50, plus)
    determinant = 15 * plus + 3 * minus + 8 * plus * minus + 5
    weights = np.where(y > 0, 4 * minus + 5, -(4 * plus + 1)) / determinant
    np.testing.assert_allclose(problem.minima[0], weights @ x, atol=1e-14)
    for minimum in problem.minima:
        assert float(problem.objective(jnp.array(minimum))) < 1e-26
        assert problem.minimum == 0


def test_wilsons_loss_gradient_and_metrics_are_those_of_their_formulas(x64, rng):
    problem, ((x, y), _) = problems.get("wilson"), _wilson_data(50, 30)
    w = rng.normal(size=problem.dimension)
    assert float(problem.objective(jnp.array(w))) == pytest.approx(0.5 * np.sum((x @ w - y) ** 2), rel=1e-12)
    np.testing.assert_allclose(jax.grad(problem.loss)(jnp.array(w), None), x.T @ (x @ w - y), rtol=1e-11, atol=1e-11)
    results = {name: float(metric(jnp.array(w))) for name, metric in problem.metrics.items()}
    fresh = np.array([[label, 1, 1] for label in y])  # their own features have no weights
    scores = fresh @ w[:3]
    along = w * np.sign(x.T @ y)
    expected = {
        "test_loss": 0.5 * np.sum((scores - y) ** 2),
        "train_accuracy": np.mean(np.sign(x @ w) == y),
        "test_accuracy": np.mean(np.sign(scores) == y),
        "off_ray": (along.max() - along.min()) / np.abs(w).mean(),
    }
    assert results == pytest.approx(expected, rel=1e-12)
    at_the_start = {name: float(metric(jnp.zeros(problem.dimension))) for name, metric in problem.metrics.items()}
    assert at_the_start == {"test_loss": 25, "train_accuracy": 0, "test_accuracy": 0, "off_ray": 0}


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(
    "spec",
    [
        "adamlab.adagrad(0.05, initial_accumulator_value=0.0, eps=0.0)",
        "adamlab.rmsprop(inverse_sqrt(0.01), eps=0.0)",
        "adamlab.adam(inverse_sqrt(0.01), eps=0.0)",
        "optax.adam(inverse_sqrt(0.01), eps=0.0)",
    ],
)
def test_adaptive_methods_stay_on_the_ray_and_call_everything_positive(x64, spec):
    results = ended(problems.get("wilson"), spec, steps=2000)
    # Every coordinate takes steps of the same size but for some roundings in each of 2000.
    assert results["off_ray"][0, -1] < 2000 * 4 * np.finfo(float).eps
    assert results["loss"][0, -1] < 1e-12
    assert results["train_accuracy"][0, -1] == 1
    assert results["test_accuracy"][0, -1] == pytest.approx(0.6)


def test_gradient_descent_goes_to_the_solution_of_least_norm_and_makes_no_mistake(x64):
    problem = problems.get("wilson")
    results = ended(problem, "adamlab.sgd(0.005)", steps=2000)
    np.testing.assert_allclose(results["final_params"][0], problem.minima[0], atol=1e-12)
    assert results["test_accuracy"][0, -1] == 1
    assert results["off_ray"][0, -1] == pytest.approx(32.681, abs=1e-3)


def test_an_accumulator_that_does_not_start_at_zero_leaves_the_ray(x64):
    assert ended(problems.get("wilson"), "optax.adagrad(0.05)")["off_ray"][0, -1] > 0.01


def test_sparse_features_have_the_frequencies_of_zipf():
    (x, _), _ = _sparse(300, 4000, 0)
    assert set(np.unique(x)) == {0.0, 1.0}
    share = 0.5 / np.arange(1, 301)
    np.testing.assert_array_less(np.abs(x.mean(axis=0) - share), 5 * np.sqrt(share * (1 - share) / 4000))


def test_sparse_logistic_has_the_loss_gradient_and_accuracy_of_its_formula(x64, rng):
    problem, w = problems.get("sparse_logistic", features=20, examples=100), rng.normal(size=20)
    train, test = _sparse(20, 100, 0)
    for metric, (x, y) in (("train", train), ("test", test)):
        margins = y * (x @ w)
        loss = problem.objective if metric == "train" else problem.metrics["test_loss"]
        assert float(loss(jnp.array(w))) == pytest.approx(softplus(-margins).mean(), rel=1e-12)
        accuracy = problem.metrics[f"{metric}_accuracy"](jnp.array(w))
        assert float(accuracy) == pytest.approx(np.mean(margins > 0), rel=1e-12)
    gradient = -(train.x.T @ (train.y / (1 + np.exp(train.y * (train.x @ w))))) / 100
    np.testing.assert_allclose(jax.grad(problem.objective)(jnp.array(w)), gradient, rtol=1e-11, atol=1e-15)
    whole = jax.grad(problem.loss)(jnp.array(w), type(train)(*map(jnp.asarray, train)))
    np.testing.assert_allclose(whole, gradient, rtol=1e-11, atol=1e-15)


@pytest.mark.slow
def test_adagrad_outdoes_gradient_descent_on_sparse_features():
    # Half decades of rates. The best loss on the training examples is 0.273 of Adagrad, and 0.339 and 0.329 of gradient
    # descent at a constant rate and at one that falls as 1/√t; on the test examples 0.329 against 0.375 and 0.373.
    problem, rates = problems.get("sparse_logistic"), 10.0 ** np.arange(-0.75, 2.76, 0.5)
    best = []
    for spec in (
        "adamlab.adagrad(rate, initial_accumulator_value=0.0)",
        "adamlab.sgd(rate)",
        "adamlab.sgd(inverse_sqrt(rate))",
    ):
        results = ended(problem, spec, {"rate": rates}, seeds=[0] * len(rates))
        losses = results["loss"][:, -1]
        assert 0 < losses.argmin() < len(rates) - 1  # no better rate lies beyond the grid
        best.append((losses.min(), results["test_loss"][:, -1].min()))
    (adagrad, adagrad_test), *others = best
    assert all(adagrad < 0.9 * train and adagrad_test < 0.93 * test for train, test in others), best


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("least_squares", {"dim": 0}, "dim must be from 1 to"),
        ("least_squares", {"dim": 20, "examples": 10}, "examples must be from 20 to"),
        ("least_squares", {"condition": 0.1}, "condition must be from 1 to"),
        ("least_squares", {"noise": -1.0}, "noise must be from 0 to"),
        ("least_squares", {"batch_size": 101}, "batch_size must be from 0 to 100, not 101"),
        ("least_squares", {"data_seed": -1}, "data_seed must be from 0 to"),
        ("wilson", {"examples": 2}, "examples must be from 3 to"),
        ("wilson", {"positive": 0.5}, "positive must be above 0.5 and below 1"),
        ("wilson", {"positive": 0.999}, "positive must be above 0.5 and below 1"),
        ("sparse_logistic", {"features": 0}, "features must be from 1 to"),
        ("sparse_logistic", {"batch_size": 0}, "batch_size must be from 1 to"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        problems.get(name, **options)
