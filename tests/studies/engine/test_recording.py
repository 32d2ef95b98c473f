"""Recorded quantities, against a plain loop that looks at gradients, updates and states itself."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adamlab import problems
from adamlab.studies.engine.recording import QUANTITIES, recorded_steps
from tests.computing import computed

pytestmark = pytest.mark.optimized(False)

STEPS, EVERY = 30, 7
ALL = tuple(QUANTITIES)


def looked_at(problem, transform, fields, b1, b2):
    """The values of each quantity at the recorded steps, computed in NumPy from a loop of Optax."""
    w = problem.start(jax.random.split(jax.random.key(3))[0])
    state = transform.init(w)
    g = u = np.full(w.shape, np.nan)
    rows = {name: [] for name in ALL if name != "steps_to_target"}
    for t in range(STEPS + 1):
        if t in recorded_steps(STEPS, EVERY):
            m, v = (np.asarray(optax.tree.get(state, field)) if field else np.full(2, np.nan) for field in fields)
            with np.errstate(all="ignore"):
                m_hat, v_hat = m / np.float64(1 - b1**t), v / np.float64(1 - b2**t)
                over = np.asarray(g) if not fields[0] else m_hat
                row = {
                    "loss": float(problem.loss(w, None)),
                    "params": np.asarray(w),
                    "updates": np.asarray(u),
                    "gradient_norm": np.sqrt(np.sum(np.asarray(g) ** 2)),
                    "m": m,
                    "v": v,
                    "m_hat": m_hat if t else np.full(2, np.nan),
                    "v_hat": v_hat if t else np.full(2, np.nan),
                    "effective_learning_rate": -np.asarray(u) / over if t else np.full(2, np.nan),
                    "distance": min(np.sqrt(np.sum((np.asarray(w) - best) ** 2)) for best in problem.minima),
                }
            for name, value in row.items():
                rows[name].append(value)
        g = jax.grad(problem.loss)(w, None)
        u, state = transform.update(g, state, w)
        w = optax.apply_updates(w, u)
    return {name: np.array(values) for name, values in rows.items()}


@pytest.mark.optimized(True)  # the starts, drawn in float32, are compared with those of another program
@pytest.mark.parametrize(
    ("spec", "numbers", "transform", "fields", "b1", "b2"),
    [
        ("adamlab.adam(lr, b2=b2)", {"lr": 0.1, "b2": 0.99}, optax.adam(0.1, b2=0.99), ("mu", "nu"), 0.9, 0.99),
        ("optax.adam(lr)", {"lr": 0.1}, optax.adam(0.1), ("mu", "nu"), 0.9, 0.999),
        ('adamlab.adam(lr, arithmetic="weighted")', {"lr": 0.1}, optax.adam(0.1), ("mu", "nu"), 0.9, 0.999),
        ("optax.rmsprop(lr, decay=d)", {"lr": 0.01, "d": 0.8}, optax.rmsprop(0.01, decay=0.8), (None, "nu"), 0.5, 0.8),
        ("adamlab.sgd(lr)", {"lr": 1e-3}, optax.sgd(1e-3), (None, None), 0.5, 0.5),
    ],
    ids=["adam", "optax", "weighted", "rmsprop", "sgd"],
)
def test_each_quantity_is_what_a_loop_sees(x64, spec, numbers, transform, fields, b1, b2):
    problem = problems.get("himmelblau")
    columns = {name: [value, value] for name, value in numbers.items()}
    recorded = computed(problem, spec, columns, [3, 4], STEPS, EVERY, ALL, target=1.0)
    wanted = looked_at(problem, transform, fields, b1, b2)
    for name, values in wanted.items():
        np.testing.assert_allclose(recorded[name][0], values, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", ["rosenbrock", "least_squares"])
def test_steps_to_the_target_are_counted_exactly(x64, name):
    problem = problems.get(name)
    spec, numbers = "adamlab.adam(lr)", {"lr": [1e-5, 0.03, 0.3]}
    losses = computed(problem, spec, numbers, [0] * 3, 60, 1, ("loss",))["loss"]
    target = float(losses[1, 40])
    seldom = computed(problem, spec, numbers, [0] * 3, 60, 60, ("loss", "steps_to_target"), target=target)
    reached = losses <= target
    wanted = [int(np.argmax(row)) if row.any() else -1 for row in reached]
    assert seldom["steps_to_target"].tolist() == wanted
    assert wanted[0] == -1
    assert 0 < wanted[1] <= 40
    everywhere = computed(problem, spec, numbers, [0] * 3, 5, 5, ("steps_to_target",), target=1e9)
    assert everywhere["steps_to_target"].tolist() == [0, 0, 0]


def test_steps_can_be_recorded_at_equal_ratios():
    problem = problems.get("beale")
    steps = recorded_steps(1000, {"log": 8})
    often, seldom = (computed(problem, "optax.adam(0.1)", steps=1000, every=every) for every in (1, {"log": 8}))
    np.testing.assert_array_equal(seldom["loss"], often["loss"][:, steps])
    assert (steps[0], steps[-1]) == (0, 1000)


def test_vectors_of_many_parameters_are_not_recorded():
    recorded = computed(problems.get("digits_softmax"), "adamlab.adam(0.1)", steps=2, every=1, what=ALL, target=0.0)
    assert {*recorded} == {"loss", "gradient_norm", "steps_to_target", "final_params", "diverged_at"}


def test_a_moment_is_the_whole_tree_of_parameters():
    problem = problems.get("quadratic", dim=2, spread=0.0)
    as_tree = type(problem)(
        "tree",
        loss=lambda w, batch: problem.loss(jnp.stack([w["a"], w["b"][0]]), None),
        start=lambda key: {"a": problem.start(key)[0], "b": problem.start(key)[1:]},
        objective=lambda w: problem.objective(jnp.stack([w["a"], w["b"][0]])),
    )
    whole, parts = (computed(form, "adamlab.adam(0.1)", steps=9, every=3, what=ALL) for form in (problem, as_tree))
    for name in ("params", "m", "v", "m_hat", "updates", "gradient_norm"):
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-6, err_msg=name)
