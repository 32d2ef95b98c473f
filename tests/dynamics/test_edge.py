"""The preconditioner and the threshold of a run, against those of updates written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adamlab.dynamics.edge import edge_of
from adamlab.specs import parse

pytestmark = pytest.mark.optimized(False)

STEPS, RATE, EPS = 4, 0.05, 1e-3

GRADIENTS = np.random.default_rng(0).normal(size=(STEPS, 6))
"""Of six numbers, the first four in one array and the last two in another."""


def average(values, b):
    """The moving averages from 0."""
    mean = np.zeros(values.shape[1])
    means = []
    for value in values:
        mean = b * mean + (1 - b) * value
        means.append(mean)
    return np.array(means)


def corrected(values, b):
    return average(values, b) / (1 - b ** np.arange(1, STEPS + 1))[:, None]


def yogi():
    v = np.full(6, 1e-6)  # as it starts in Optax
    for g in GRADIENTS:
        v = v - (1 - 0.9) * np.sign(v - g**2) * g**2
    return np.sqrt(v / (1 - 0.9**STEPS)) + EPS


def novograd():
    """One second moment for each array, which begins with the first gradient's."""
    means = []
    for part in (GRADIENTS[:, :4], GRADIENTS[:, 4:]):
        squares = (part**2).sum(axis=1)
        mean = squares[0]
        for square in squares[1:]:
            mean = 0.9 * mean + 0.1 * square
        means.append(np.full(part.shape[1], mean))
    return np.sqrt(np.concatenate(means)) + EPS


def acprop():
    """The root of what is known ahead of the next gradient, around the mean of those before."""
    m, s = np.zeros(6), np.zeros(6)
    for g in GRADIENTS:
        s = 0.9 * s + 0.1 * (g - m) ** 2
        m = 0.8 * m + 0.2 * g
    return np.sqrt(s / (1 - 0.9**STEPS)) + EPS


SQUARES = GRADIENTS**2

HELD = {
    "adamlab.adam(lr, b1=0.8, b2=b, eps=e)": (np.sqrt(corrected(SQUARES, 0.9))[-1] + EPS, 18),
    "optax.sgd(lr, momentum=0.8)": (np.ones(6), 3.6),
    "optax.novograd(lr, b1=0.8, b2=b, eps=e)": (novograd(), 3.6),
    "optax.rmsprop(lr, decay=b, eps=e, centered=true)": (
        np.sqrt(average(SQUARES, 0.9) - average(GRADIENTS, 0.9) ** 2 + EPS)[-1],
        2,
    ),
    "optax.rmsprop(lr, decay=b, eps=e, momentum=0.8)": (np.sqrt(average(SQUARES, 0.9) + EPS)[-1], 3.6),
    "optax.rmsprop(lr, decay=b, eps=e, eps_in_sqrt=false, bias_correction=true)": (
        np.sqrt(corrected(SQUARES, 0.9))[-1] + EPS,
        2,
    ),
    "adamlab.rmsprop(lr, decay=b, eps=e, centered=true)": (
        np.sqrt(average(SQUARES, 0.9) - average(GRADIENTS, 0.9) ** 2 + EPS)[-1],
        2,
    ),
    "optax.amsgrad(lr, b1=0.8, b2=b, eps=e)": (np.sqrt(corrected(SQUARES, 0.9).max(axis=0)) + EPS, 18),
    "optax.adamw(lr, b1=0.8, b2=b, eps=e, weight_decay=0.1)": (
        np.sqrt(corrected(SQUARES, 0.9))[-1] + EPS,
        18 - 0.9 * RATE,
    ),
    "optax.nadam(lr, b1=0.8, b2=b, eps=e)": (np.sqrt(corrected(SQUARES, 0.9))[-1] + EPS, 18 / 2.6),
    "optax.yogi(lr, b1=0.8, b2=b, eps=e)": (yogi(), 18),
    "optax.contrib.acprop(lr, b1=0.8, b2=b, eps=e, eps_root=0.0)": (acprop(), 2),
}
"""P after the last step, and the largest stable curvature times the rate, for β₁ = 0.8, β₂ = b = 0.9."""


@pytest.mark.one_case_in(5)
@pytest.mark.parametrize("spec", HELD)
def test_the_preconditioner_is_what_the_gradient_is_divided_by(x64, spec):
    template, numbers = parse(spec), {"lr": RATE, "b": 0.9, "e": EPS}
    transform = template.build(numbers)
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    state, step = transform.init(params), jax.jit(transform.update)
    for g in GRADIENTS:
        _, state = step({"kernel": jnp.asarray(g[:4].reshape(2, 2)), "bias": jnp.asarray(g[4:])}, state, params)
    edge = edge_of(template)
    assert edge is not None
    held = edge.preconditioner_at(numbers, state, params, STEPS)
    divisors, threshold = HELD[spec]
    np.testing.assert_allclose(np.concatenate([held["kernel"].ravel(), held["bias"]]), divisors, rtol=1e-12)
    assert float(edge.threshold_at(numbers)) == pytest.approx(threshold / RATE, rel=1e-12)


def test_the_rate_of_a_schedule_is_a_number_of_each_step():
    template = parse("optax.rmsprop(linear(0.0, peak, 10), momentum=b, eps=1e-2)")
    numbers = {"peak": 9.0, "b": 0.5, "scheduled_learning_rate": 0.25}
    edge, params = edge_of(template), jnp.array([2.0, 3.0])
    assert edge is not None
    assert float(edge.threshold_at(numbers)) == pytest.approx(12)
    _, state = template.build(numbers).update(params, template.build(numbers).init(params))
    divisors = edge.preconditioner_at(numbers, state, params, 1)
    np.testing.assert_allclose(divisors, np.sqrt([0.41, 0.91]), rtol=1e-6)


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize(
    "spec",
    [
        "optax.chain(optax.sgd(0.1), optax.scale_by_schedule(linear(1.0, 0.1, 100)))",
        "optax.chain(optax.sgd(0.1), optax.sgd(linear(lr, 0.1, 100)))",
        "optax.inject_hyperparams(optax.adam)(lr, b1=linear(0.5, 0.9, 100))",
    ],
)
def test_a_threshold_that_is_that_of_the_end_of_a_schedule_is_not_told(spec):
    assert edge_of(parse(spec)) is None


def test_the_schedule_of_an_optimizer_in_a_chain_is_a_number_of_each_step():
    edge = edge_of(parse("optax.chain(optax.add_decayed_weights(0.5), optax.sgd(linear(lr, 0.1, 100)))"))
    assert edge is not None
    assert float(edge.threshold_at({"lr": 9.0, "scheduled_learning_rate": 0.25})) == pytest.approx(2 / 0.25 - 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["0.9", "b"])
def test_the_correction_beside_the_root_is_part_of_what_keras_divides_by(first, x64, monkeypatch):
    """Also where both decays are one symbol, so that SymPy merges both corrections."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    pytest.importorskip("keras", reason="Keras is not installed: pip install keras")
    template = parse(f"keras.Adam(learning_rate=lr, beta_1={first}, beta_2=b, epsilon=e)")
    numbers = {"lr": RATE, "b": 0.9, "e": EPS}
    transform, params = template.build(numbers), jnp.ones(6)
    state = transform.init(params)
    for g in GRADIENTS:
        _, state = transform.update(jnp.asarray(g), state, params)
    edge = edge_of(template)
    assert edge is not None
    root = np.sqrt(average(SQUARES, 0.9)[-1])
    expected = (root + EPS) / np.sqrt(1 - 0.9**STEPS)
    np.testing.assert_allclose(edge.preconditioner_at(numbers, state, params, STEPS), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "spec",
    [
        "optax.lion(lr)",
        pytest.param("optax.adagrad(lr)", marks=pytest.mark.slow),
        pytest.param("optax.chain(optax.add_decayed_weights(0.1), optax.adam(lr))", marks=pytest.mark.slow),
        'optax.masked(optax.sgd(lr), "*kernel")',
    ],
)
def test_some_optimizers_have_no_edge(spec):
    assert edge_of(parse(spec)) is None
