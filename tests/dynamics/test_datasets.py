"""What pictures of stability and influence show, against the heavy ball in NumPy by hand."""

from typing import Any

import numpy as np
import pytest

import adamlab as al
from adamlab.errors import InputError

pytestmark = pytest.mark.optimized(False)

HEAVY_BALL = "optax.sgd(lr, momentum=b)"


def heavy_ball(x: float, b: float, steps: int) -> np.ndarray:
    """The distance from the minimum after each step, for a learning rate times curvature of x."""
    w, z = 1.0, 0.0
    sizes = [1.0]
    for _ in range(steps):
        z = b * z + w
        w -= x * z
        sizes.append(abs(w))
    return np.array(sizes)


def radius(x: float, b: float) -> float:
    return float(np.abs(np.roots([1.0, -(1.0 + b - x), b])).max())


@pytest.fixture(scope="module")
def momentum():
    return al.dynamics.region(HEAVY_BALL)


def test_the_region_is_that_of_the_heavy_ball(momentum):
    np.testing.assert_allclose(momentum.threshold, 2 * (1 + momentum.momentum), rtol=1e-12)
    for i in (0, 17, 60):
        for j in (0, 100, 250, 400):
            x, b = float(momentum["product"][j]), float(momentum.momentum[i])
            assert float(momentum.radius[i, j]) == pytest.approx(radius(x, b), abs=1e-6)


def test_runs_diverge_where_those_by_hand_do(momentum):
    for i in (0, 6, 15):
        b = float(momentum.run_momentum[i])
        for j, x in enumerate(momentum.run_product.values):
            sizes = heavy_ball(float(x), b, 400)
            assert bool(momentum["diverges"][i, j]) == bool(sizes[-100:].max() > sizes[200:300].max())
    assert 0 < int(momentum["diverges"].sum()) < momentum["diverges"].size


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["optax.adam", "optax.nadam", "optax.adabelief", "optax.yogi", "optax.amsgrad"])
def test_runs_of_adaptive_optimizers_diverge_beyond_the_derived_threshold(spec):
    data = al.dynamics.region(spec)
    assert bool(data.is_preconditioned)
    thresholds = np.interp(data.run_momentum, data.momentum, data.threshold)
    beyond = data.run_product.values[None] > thresholds[:, None]
    clear = np.abs(data.run_product.values[None] / thresholds[:, None] - 1) > 0.01
    assert (data["diverges"].values == beyond)[clear].all()


def test_eigenvalues_are_roots_and_move_in_small_steps():
    data = al.dynamics.eigenvalues(HEAVY_BALL, {"b": 0.8})
    assert float(data.threshold) == pytest.approx(3.6, rel=1e-12)
    z = data["real"].values + 1j * data["imaginary"].values
    for j in (3, 100, 399):
        expected = np.roots([1.0, -(1.8 - float(data["product"][j])), 0.8])
        np.testing.assert_allclose(np.sort_complex(z[j]), np.sort_complex(expected), atol=1e-9)
    steps = np.abs(np.diff(z, axis=0)).sum(axis=1)
    swapped = np.abs(z[:-1] - z[1:, ::-1]).sum(axis=1)
    assert (steps <= swapped + 1e-12).all()


def test_rates_are_those_of_gradient_descent_and_momentum():
    data = al.dynamics.rates(["optax.sgd(lr)", HEAVY_BALL, "optax.adam"], {"b": 0.8})
    x = data["product"].values
    np.testing.assert_allclose(data.radius[0], np.abs(1 - x), atol=1e-12)
    np.testing.assert_allclose(data.radius[1], [radius(each, 0.8) for each in x], atol=1e-6)
    np.testing.assert_allclose(data.threshold, [2, 3.6, 38], rtol=1e-12)
    assert data.is_preconditioned.values.tolist() == [False, False, True]
    assert data.optimizer.values.tolist() == ["optax.sgd(lr)", f"{HEAVY_BALL}, b 0.8", "optax.adam, β₁ 0.9"]


def test_a_run_along_eigen_directions_is_the_one_by_hand():
    curvatures = [1.0, 4.0, 25.0]
    data = al.dynamics.spectrum(HEAVY_BALL, {"lr": 0.06, "b": 0.7}, curvatures, steps=40)
    expected = [heavy_ball(0.06 * h, 0.7, 40) for h in curvatures]
    np.testing.assert_allclose(data.measured, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(data.predicted, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(data.radius, [radius(0.06 * h, 0.7) for h in curvatures], atol=1e-6)


def test_a_run_that_diverges_ends_and_is_not_told_any_more():
    data = al.dynamics.spectrum("optax.sgd(lr)", {"lr": 0.5}, curvatures=[1, 100], steps=400)
    steps = np.arange(400)
    np.testing.assert_allclose(data.measured[0, :9], 0.5 ** steps[:9], rtol=1e-9)
    np.testing.assert_allclose(data.measured[1, :9], 49.0 ** steps[:9], rtol=1e-9)
    assert bool(np.isnan(data.measured[:, 9:]).all())
    assert not bool(np.isinf(data.predicted).any())
    told = str(al.plots.spectrum(data).get_label())
    assert "measured until the run was too far away and predicted, at most" in told


def test_numbers_that_are_not_given_are_the_fastest():
    """Polyak's, for curvatures from 1 to 100."""
    data = al.dynamics.spectrum(HEAVY_BALL, steps=3)
    np.testing.assert_allclose(data.radius, 9 / 11, rtol=1e-3)


def test_adaptive_optimizers_run_on_their_preconditioned_curvature():
    """With second moments settled Adam is momentum on an average: measured as predicted."""
    data = al.dynamics.spectrum("optax.adam", {"b1": 0.5, "learning_rate": 0.05}, [1.0, 30.0], steps=30)
    np.testing.assert_allclose(data.measured, data.predicted, rtol=1e-9, atol=1e-12)
    m, w = 0.0, 1.0
    for _ in range(30):
        m = 0.5 * m + 0.5 * 30.0 * w
        w -= 0.05 * m
    assert float(data.measured[1, -1]) == pytest.approx(abs(w), rel=1e-9)


def test_shares_are_weights_over_their_sum():
    data = al.dynamics.shares([HEAVY_BALL, "optax.adam"], {"b": 0.8}, ages=20, t=40)
    for share, b in zip(data.share.values, (0.8, 0.9), strict=True):
        weights = b ** np.arange(40)
        np.testing.assert_allclose(share, (weights / weights.sum())[:20], rtol=1e-12)
    np.testing.assert_allclose(data.half_life, np.log(0.5) / np.log([0.8, 0.9]))
    np.testing.assert_allclose(data.mean_age, [4, 9])


ODD: Any = 2.5
ODD_TEXT: Any = "x"

WRONG = {
    "no optimizer": (lambda: al.dynamics.rates([]), "expected an optimizer"),
    "no ε": (lambda: al.dynamics.spectrum("optax.adam(lr, eps=0.0)", {"lr": 1}), "divides by 0 where gradients vanish"),
    "no number": (lambda: al.dynamics.rates([HEAVY_BALL]), "expected a number for each of b; give b="),
    "an unknown momentum": (lambda: al.dynamics.region("optax.adam", momentum="b7"), 'did you mean "b1"'),
    "no open rate": (lambda: al.dynamics.eigenvalues("optax.sgd(0.1)"), "has no open learning rate"),
    "too many ages": (lambda: al.dynamics.shares([HEAVY_BALL], {"b": 0.5}, ages=9, t=3), "a number of ages from 1"),
    "an unknown number": (lambda: al.dynamics.rates(["optax.sgd"], {"bb": 1}), "no optimizer has a number 'bb'"),
    "a single curvature": (lambda: al.dynamics.spectrum(HEAVY_BALL, curvatures=[1]), "two different curvatures"),
    "no momentum": (lambda: al.dynamics.region("optax.sgd"), "no open decay rate to sweep"),
    "no steps": (lambda: al.dynamics.spectrum(HEAVY_BALL, steps=0), "a whole number of steps, at least one"),
    "half a step": (lambda: al.dynamics.spectrum(HEAVY_BALL, steps=ODD), "a whole number of steps"),
    "no list": (lambda: al.dynamics.rates("optax.sgd(lr)"), "expected a list of optimizers"),
    "no curvatures": (
        lambda: al.dynamics.spectrum(HEAVY_BALL, curvatures=[ODD_TEXT, 1]),
        "expected curvatures, such as",
    ),
}


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("case", WRONG)
def test_what_is_missing_or_unknown_is_told(case):
    call, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        call()
