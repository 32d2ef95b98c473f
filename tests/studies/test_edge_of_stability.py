"""Sharpness along full-batch training, against the threshold that is derived from the optimizer's code."""

import numpy as np
import pytest

import adamlab as al
from adamlab import problems
from tests.computing import computed

WHAT = ("loss", "preconditioned_sharpness", "stability_threshold")


@pytest.mark.optimized(False)
def test_descent_beyond_the_edge_settles_just_below_it():
    """Of (1 − w₁·w₂)²/2, whose minima have all sharpnesses from 2 on, beginning at a too sharp one."""
    w, rate, ratios = np.array([3.2, 0.3]), 0.2, []
    problem = problems.register("product", lambda w: (1 - w[0] * w[1]) ** 2 / 2, list(w))
    del problems.PROBLEMS["product"]
    for t in range(401):
        if t % 20 == 0:
            corner = 2 * w[0] * w[1] - 1
            ratios.append(np.linalg.eigvalsh([[w[1] ** 2, corner], [corner, w[0] ** 2]])[-1] * rate / 2)
        w = w + rate * (1 - w[0] * w[1]) * w[::-1]
    assert ratios[0] > 1 > ratios[-1] > 0.95
    runs = computed(problem, "optax.sgd(lr)", {"lr": [rate]}, steps=400, every=20, what=WHAT)
    measured = runs["preconditioned_sharpness"][0] / runs["stability_threshold"][0]
    np.testing.assert_allclose(measured[[0, -1]], np.array(ratios)[[0, -1]], rtol=1e-3)


@pytest.mark.slow
def test_the_sharpness_of_a_network_hovers_at_the_threshold():
    """Within 15 % of 2/η, and within 25 % of Adam's 38/η on preconditioned curvature (Cohen et al. 2021, 2022)."""
    table = {"name": "digits_mlp", "hidden": 32, "dropout": 0.0, "activation": "tanh", "loss": "squared"}
    full_batch = {"test_share": 0.5, "batch_size": 898, "replacement": False}
    config = {
        "name": "edge",
        "steps": 900,
        "record": {"every": 25, "what": [*WHAT]},
        "problem": [{**table, **full_batch}],
        "optimizer": [
            {"name": "optax.sgd", "learning_rate": [0.08, 0.12]},
            {"name": "optax.adam", "learning_rate": [0.01, 0.015]},
        ],
    }
    runs = al.run(config)["digits_mlp"].ds
    np.testing.assert_allclose(runs.stability_threshold[:, -1], [2 / 0.08, 2 / 0.12, 3800, 38 / 0.015], rtol=1e-5)
    rows = al.analysis.edge_rows(runs)
    assert rows.state.tolist() == ["at the edge"] * 4
    np.testing.assert_allclose(rows.ratio[:2], 1, atol=0.15)
    np.testing.assert_allclose(rows.ratio[2:], 1, atol=0.25)
