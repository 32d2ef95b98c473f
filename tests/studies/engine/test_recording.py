"""Recorded quantities, against a plain loop that looks at gradients, updates and states itself."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from adamlab import problems
from adamlab.specs import parse
from adamlab.studies.engine import execution, program
from adamlab.studies.engine.block_sizes import Sizes
from adamlab.studies.engine.curvature import gradient_noise_scale, sharpness
from adamlab.studies.engine.learning_rates import learning_rate
from adamlab.studies.engine.recording import BY_COORDINATE, QUANTITIES, layers_of, recorded_steps
from tests.computing import computed, sample_of

pytestmark = pytest.mark.optimized(False)

STEPS, EVERY = 30, 7
ALL = tuple(QUANTITIES)


def adams(v, v_hat):
    """What Adam divides the gradient by."""
    return np.sqrt(v_hat) + 1e-8


def largest_of(hessian, preconditioner):
    """The largest eigenvalue of P⁻¹H."""
    return np.linalg.eigvals(np.asarray(hessian) / preconditioner[:, None]).real.max()


def looked_at(problem, transform, fields, b1, b2, rate, preconditioner, threshold):
    """The values of each quantity at the recorded steps, computed in NumPy from a loop of Optax."""
    w = problem.start(jax.random.split(jax.random.key(3))[0])
    state = transform.init(w)
    g = u = np.full(w.shape, np.nan)
    rows = {name: [] for name in ALL if name not in ("steps_to_target", "seconds", "gradient_noise_scale")}
    regret, hessian = 0.0, jax.jit(jax.hessian(problem.objective))
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
                    "gradients": np.asarray(g),
                    "gradient_norm": np.sqrt(np.sum(np.asarray(g) ** 2)),
                    "m": m,
                    "v": v,
                    "m_hat": m_hat if t else np.full(2, np.nan),
                    "v_hat": v_hat if t else np.full(2, np.nan),
                    "effective_learning_rate": -np.asarray(u) / over if t else np.full(2, np.nan),
                    "update_norm": np.sqrt(np.sum(np.asarray(u) ** 2)),
                    "param_norm": np.sqrt(np.sum(np.asarray(w) ** 2)),
                    "layer_norms": [np.sqrt(np.sum(np.asarray(w) ** 2))],
                    "layer_gradient_norms": [np.sqrt(np.sum(np.asarray(g) ** 2))],
                    "layer_update_norms": [np.sqrt(np.sum(np.asarray(u) ** 2))],
                    "layer_effective_learning_rate": [np.sqrt(np.sum(np.asarray(u) ** 2) / np.sum(over**2))],
                    "scheduled_learning_rate": rate if t else np.nan,
                    "regret": regret,
                    "sharpness": np.linalg.eigvalsh(hessian(w))[-1],
                    "preconditioned_sharpness": largest_of(hessian(w), preconditioner(v, v_hat))
                    if t or not fields[1]
                    else np.nan,
                    "stability_threshold": threshold,
                    "distance": min(np.sqrt(np.sum((np.asarray(w) - best) ** 2)) for best in problem.minima),
                }
            if t or not fields[1]:
                row["preconditioned_sharpness"] = largest_of(hessian(w), preconditioner(v, v_hat))
            for name, value in row.items():
                rows[name].append(value)
        regret += float(problem.loss(w, None)) - float(problem.loss(jnp.array(problem.minima[0]), None))
        g = jax.grad(problem.loss)(w, None)
        u, state = transform.update(g, state, w)
        w = optax.apply_updates(w, u)
    return {name: np.array(values) for name, values in rows.items()}


@pytest.mark.one_case_in(4)
@pytest.mark.optimized(True)  # the starts, drawn in float32, are compared with those of another program
@pytest.mark.parametrize(
    ("spec", "numbers", "transform", "fields", "b1", "b2", "preconditioner", "threshold"),
    [
        (
            *("adamlab.adam(lr, b2=b2)", {"lr": 0.1, "b2": 0.99}, optax.adam(0.1, b2=0.99), ("mu", "nu"), 0.9, 0.99),
            *(adams, 380),
        ),
        ("optax.adam(lr)", {"lr": 0.1}, optax.adam(0.1), ("mu", "nu"), 0.9, 0.999, adams, 380),
        (
            *('adamlab.adam(lr, arithmetic="weighted")', {"lr": 0.1}, optax.adam(0.1), ("mu", "nu"), 0.9, 0.999),
            *(adams, 380),
        ),
        (
            *("optax.rmsprop(lr, decay=d)", {"lr": 0.01, "d": 0.8}, optax.rmsprop(0.01, decay=0.8), (None, "nu")),
            *(0.5, 0.8, lambda v, v_hat: np.sqrt(v + 1e-8), 200),
        ),
        ("adamlab.sgd(lr)", {"lr": 1e-3}, optax.sgd(1e-3), (None, None), 0.5, 0.5, lambda v, v_hat: np.ones(2), 2000),
    ],
    ids=["adam", "optax", "weighted", "rmsprop", "sgd"],
)
def test_each_quantity_is_what_a_loop_sees(x64, spec, numbers, transform, fields, b1, b2, preconditioner, threshold):
    problem = problems.get("himmelblau")
    columns = {name: [value, value] for name, value in numbers.items()}
    recorded = computed(problem, spec, columns, [3, 4], STEPS, EVERY, ALL, target=1.0)
    wanted = looked_at(problem, transform, fields, b1, b2, numbers["lr"], preconditioner, threshold)
    for name, values in wanted.items():
        np.testing.assert_allclose(recorded[name][0], values, rtol=1e-9, atol=1e-12, err_msg=name)


def test_lion_has_an_average_and_no_corrected_one():
    """Its average has no correction, and no rate of the name that others give theirs; it divides by the gradient."""
    what = ("m", "m_hat", "gradients", "updates", "effective_learning_rate")
    runs = computed(problems.get("beale"), "optax.lion(lr)", {"lr": [0.01, 0.02]}, [0, 1], 6, 2, what)
    assert np.isnan(runs["m_hat"]).all()
    assert np.isfinite(runs["m"]).all()
    expected = -runs["updates"][:, 1:] / runs["gradients"][:, 1:]
    np.testing.assert_allclose(runs["effective_learning_rate"][:, 1:], expected, rtol=1e-6)


@pytest.mark.one_case_in(2)
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


def test_the_time_of_calls_is_divided_among_the_runs_of_their_blocks(monkeypatch):
    """Each call is made to take three seconds: of the first block two calls, of the second, with a run less, two."""
    now = [0.0]

    def collect(self):
        now[0] += 3.0
        whole(self)

    whole = execution.Computed.collect
    monkeypatch.setattr(execution.Computed, "collect", collect)
    monkeypatch.setattr(execution, "_spent", lambda: now[0])
    monkeypatch.setattr(execution._Pace, "adapt", lambda self, steps, seconds: None)
    monkeypatch.setattr(program, "CALL", 2 * 4 * 3)  # three steps of four runs with two parameters
    numbers = {"lr": np.linspace(0.01, 0.1, 7)}
    recorded = computed(
        problems.get("beale"), "optax.sgd(lr)", numbers, [0] * 7, 6, 2, ("loss", "seconds"), sizes=Sizes(4, 4)
    )
    np.testing.assert_allclose(recorded["seconds"], [1.5] * 4 + [2.0] * 3)
    monkeypatch.undo()
    assert (computed(problems.get("beale"), "optax.sgd(0.1)", what=("seconds",))["seconds"] > 0).all()


def test_steps_can_be_recorded_at_equal_ratios():
    problem = problems.get("beale")
    steps = recorded_steps(1000, {"log": 8})
    often, seldom = (computed(problem, "optax.adam(0.1)", steps=1000, every=every) for every in (1, {"log": 8}))
    np.testing.assert_array_equal(seldom["loss"], often["loss"][:, steps])
    assert (steps[0], steps[-1]) == (0, 1000)


@pytest.mark.slow
def test_vectors_of_many_parameters_are_not_recorded():
    problem = problems.get("digits_softmax", test_share=0.95)
    recorded = computed(problem, "adamlab.adam(0.1)", steps=2, every=2, what=ALL, target=0.0)
    of_whole = {"final_params", "diverged_at", "steps_to_target", "seconds"}
    needing_minima = {"distance", "regret"}
    assert {*recorded} == {*QUANTITIES} - {*BY_COORDINATE} - needing_minima | of_whole


def test_a_moment_is_the_whole_tree_of_parameters():
    problem = problems.get("quadratic", dim=2, spread=0.0)
    as_tree = type(problem)(
        "tree",
        loss=lambda w, batch: problem.loss(jnp.stack([w["a"], w["b"][0]]), None),
        start=lambda key: {"a": problem.start(key)[0], "b": problem.start(key)[1:]},
        objective=lambda w: problem.objective(jnp.stack([w["a"], w["b"][0]])),
    )
    names = ("params", "m", "v", "m_hat", "updates", "gradient_norm")
    whole, parts = (computed(form, "adamlab.adam(0.1)", steps=9, every=3, what=names) for form in (problem, as_tree))
    for name in names:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-6, err_msg=name)


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("adamlab.adam(inverse_sqrt(r))", 0.5 / np.sqrt([5, 10, 12])),
        ("optax.sgd(cosine(r, 12))", 0.25 * (1 + np.cos(np.pi * np.array([4, 9, 11]) / 12))),
        ("optax.adam(piecewise(r, [5]))", [0.5, 0.05, 0.05]),
        ("adamlab.sgd(r)", [0.5] * 3),
        ("optax.contrib.prodigy()", [1.0] * 3),  # its default
        ("adamlab.scale_by_adam()", [np.nan] * 3),
    ],
)
def test_the_learning_rate_is_that_of_the_step(x64, spec, wanted):
    numbers = {"r": [0.5, 0.25]} if "(r" in spec else {}
    seeds = [0, 0] if numbers else [0]
    recorded = computed(problems.get("quadratic"), spec, numbers, seeds, 12, 5, ("scheduled_learning_rate",))
    np.testing.assert_allclose(recorded["scheduled_learning_rate"][0], [np.nan, *wanted], rtol=1e-12)
    if numbers:
        np.testing.assert_allclose(recorded["scheduled_learning_rate"][1, 1:], np.array(wanted) / 2, rtol=1e-12)


def test_the_learning_rate_of_a_wrapped_optimizer_is_that_of_the_inner_steps():
    outer = parse("optax.MultiSteps(optax.sgd(inverse_sqrt(1.0)), 3)")
    transform = outer.build()
    w = jnp.ones(2)
    state, rates = transform.init(w), []
    for t in range(1, 10):
        _, state = transform.update(w, state, w)
        rates.append(float(learning_rate(outer, {}, state, t)))
    np.testing.assert_allclose(rates[2::3], 1 / np.sqrt([1, 2, 3]), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("least_squares", True),
        pytest.param("reddi", False, marks=pytest.mark.slow),
        pytest.param("noisy_quadratic", True, marks=pytest.mark.slow),
        pytest.param("least_squares", False, marks=pytest.mark.slow),
    ],
)
def test_regret_counts_every_step(x64, name, shared):
    options = {"least_squares": {"batch_size": 5}}
    problem = problems.get(name, **options.get(name, {}))
    rates, seeds = [0.01, 0.02, 0.03] * 5, [4] * 15
    every, seldom = (
        computed(problem, "adamlab.adam(lr)", {"lr": rates}, seeds, 30, k, ("params", "regret"), shared=15 * shared)
        for k in (1, 13)
    )
    key = jax.random.split(jax.random.key(4))[1]
    w = jnp.ravel(problem.start(jax.random.split(jax.random.key(4))[0]))
    transform = optax.adam(rates[1])
    state, regret, wanted = transform.init(w), 0.0, [0.0]

    @jax.jit
    def step(t, w, state):
        batch = sample_of(problem)(jax.random.fold_in(key, t), t + 1)
        best = problem.loss(jnp.array(problem.minima[0]), batch)
        loss, gradient = jax.value_and_grad(problem.loss)(w, batch)
        u, state = transform.update(gradient, state, w)
        w = optax.apply_updates(w, u)
        return w if problem.project is None else problem.project(w), state, loss - best

    for t in range(30):
        w, state, above = step(t, w, state)
        regret += float(above)
        wanted.append(regret)
    np.testing.assert_allclose(every["regret"][1], wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(seldom["regret"], every["regret"][:, [0, 13, 26, 30]])


def test_a_long_regret_is_summed_without_drift():
    """Of float32 numbers a plain sum of 300,000 terms of 0.1 is off by some 1 %."""
    problem = replace(
        problems.get("noisy_quadratic", spread=0.0),
        loss=lambda w, batch: 0.1 * w[0],
        sample=None,
        minima=((0.0, 0.0),),
    )
    recorded = computed(problem, "optax.sgd(0.0)", steps=300_000, every=300_000, what=("regret",))
    assert recorded["regret"][0, -1] == pytest.approx(300_000 * float(np.float32(0.1)), rel=1e-6)


@pytest.mark.slow
def test_layers_are_the_arrays_of_the_tree():
    problem = problems.get("digits_mlp", hidden=2, batch_size=8, test_share=0.99)
    names = ("layer_norms", "layer_update_norms", "layer_effective_learning_rate")
    recorded = computed(problem, "adamlab.adam(0.01)", seeds=[5], steps=3, every=3, what=names)
    start = problem.start(jax.random.split(jax.random.key(5))[0])
    norms = [np.linalg.norm(np.ravel(leaf)) for leaf in jax.tree.leaves(start)]
    assert layers_of(problem) == ["0/W", "0/b", "1/W", "1/b", "2/W", "2/b"]
    np.testing.assert_allclose(recorded["layer_norms"][0, 0], norms, rtol=1e-6)
    end = ravel_pytree(start)[1](jnp.asarray(recorded["final_params"][0]))
    norms = [np.linalg.norm(np.ravel(leaf)) for leaf in jax.tree.leaves(end)]
    np.testing.assert_allclose(recorded["layer_norms"][0, -1], norms, rtol=1e-5)
    assert layers_of(problems.get("beale")) == ["params"]


def test_per_layer_effective_rates_are_norms_of_the_coordinates():
    """On a function of two arrays, whose vectors are recorded beside them."""
    problem = problems.get("quadratic", dim=3, spread=0.0)
    as_tree = replace(
        problem,
        loss=lambda w, batch: problem.loss(jnp.concatenate([w["a"], w["b"]]), None),
        start=lambda key: {"a": problem.start(key)[:1], "b": problem.start(key)[1:]},
        objective=lambda w: problem.objective(jnp.concatenate([w["a"], w["b"]])),
        minima=(),
    )
    what = ("updates", "m_hat", "layer_update_norms", "layer_gradient_norms", "layer_effective_learning_rate")
    for spec, over in (("adamlab.adam(0.1)", "m_hat"), ("adamlab.sgd(0.01, momentum=0.5)", None)):
        r = computed(as_tree, spec, steps=9, every=3, what=what)
        parts = [slice(0, 1), slice(1, 3)]
        u = np.stack([np.linalg.norm(r["updates"][0, :, part], axis=-1) for part in parts], axis=-1)
        np.testing.assert_allclose(r["layer_update_norms"][0], u, rtol=1e-5)
        if over:
            below = np.stack([np.linalg.norm(r[over][0, :, part], axis=-1) for part in parts], axis=-1)
        else:
            below = r["layer_gradient_norms"][0]
        np.testing.assert_allclose(r["layer_effective_learning_rate"][0, 1:], (u / below)[1:], rtol=1e-5)


@pytest.mark.parametrize(
    "spectrum", [[3.0, 1.0], [-5.0, -1.0, -0.5], [7.0] * 60, [*np.linspace(-100, 1, 30)], [0.0] * 3]
)
def test_sharpness_is_the_largest_eigenvalue(x64, rng, spectrum):
    """Of Hessians of full rank and none, definite either way, with the greatest absolute value below 0."""
    directions = np.linalg.qr(rng.normal(size=(len(spectrum), len(spectrum))))[0]
    hessian = jnp.asarray(directions @ np.diag(spectrum) @ directions.T)
    largest = jax.jit(lambda w: sharpness(lambda w: 0.5 * w["a"] @ hessian @ w["a"], w))({"a": jnp.ones(len(spectrum))})
    assert float(largest) == pytest.approx(max(spectrum), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("spectrum", [[3.0, 1.0], [-5.0, -1.0, -0.5], [*np.linspace(-2, 10, 30)]])
def test_preconditioned_sharpness_is_that_of_the_quotient(x64, rng, spectrum):
    directions = np.linalg.qr(rng.normal(size=(len(spectrum), len(spectrum))))[0]
    hessian, divisors = directions @ np.diag(spectrum) @ directions.T, 10.0 ** rng.uniform(-1, 1, len(spectrum))
    largest = jax.jit(lambda w, p: sharpness(lambda w: 0.5 * w["a"] @ jnp.asarray(hessian) @ w["a"], w, p))
    w = {"a": jnp.ones(len(spectrum))}
    assert float(largest(w, {"a": jnp.asarray(divisors)})) == pytest.approx(largest_of(hessian, divisors), rel=1e-6)


def test_sharpness_where_the_first_vector_is_an_eigenvector():
    """Of −2·|w|² the iterations end at once, and exactly so in some of these dimensions."""
    dims = range(2, 7)
    told = jax.jit(lambda: [sharpness(lambda w: -2 * jnp.sum(w**2), jnp.ones(n)) for n in dims])()
    assert [*map(float, told)] == pytest.approx([-4.0] * 5)


@pytest.mark.slow
def test_sharpness_of_a_net_is_that_of_its_dense_hessian(x64):
    problem = problems.get("digits_mlp", hidden=2, test_share=0.9)
    start, unravel = ravel_pytree(problem.start(jax.random.key(1)))
    w = start + 0.05 * jax.random.normal(jax.random.key(2), start.shape)  # no unit is dead, no bias 0
    gradient = jax.grad(lambda w: problem.objective(unravel(w)))
    rows = jax.jit(lambda w, basis: jax.lax.map(lambda v: jax.grad(lambda w: gradient(w) @ v)(w), basis, batch_size=16))
    dense = np.asarray(rows(w, jnp.eye(len(w))))
    largest = jax.jit(lambda w, *p: sharpness(problem.objective, w, *p))
    assert float(largest(unravel(w))) == pytest.approx(np.linalg.eigvalsh(dense)[-1], rel=1e-6)
    divisors = np.sqrt(np.asarray(gradient(w)) ** 2 + 1e-6)
    symmetric = dense / np.sqrt(divisors[:, None] * divisors[None, :])
    wanted = np.linalg.eigvalsh(symmetric)[-1]
    assert float(largest(unravel(w), unravel(jnp.asarray(divisors)))) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("draw", [problems.minibatches, problems.epochs])
def test_the_gradient_noise_scale_is_that_of_the_examples(x64, rng, draw):
    """Against tr Σ / |G|² of all examples' gradients; of 200 estimates, whose spread says how near their mean is."""
    x, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    w = jnp.array([1.0, -0.5, 2.0])
    problem = problems.register(
        "regression",
        lambda w, batch: 0.5 * jnp.mean((batch[0] @ w - batch[1]) ** 2),
        [0.0, 0.0, 0.0],
        sample=draw((x, y), 8),
        objective=jnp.sum,
    )
    del problems.PROBLEMS["regression"]
    each = x * (x @ np.asarray(w) - y)[:, None]
    wanted = each.var(axis=0).sum() / (each.mean(axis=0) ** 2).sum()
    keys = jax.random.split(jax.random.key(0), 200)
    estimates = np.asarray(jax.jit(jax.vmap(lambda key: gradient_noise_scale(problem, w, key, 3)))(keys))
    assert abs(estimates.mean() - wanted) < 0.02 * wanted + 4 * estimates.std() / np.sqrt(200)
    assert estimates.std() < 0.2 * wanted
    drowned = jnp.asarray(np.linalg.lstsq(x, y)[0])
    assert np.isinf(jax.jit(jax.vmap(lambda key: gradient_noise_scale(problem, drowned, key, 3)))(keys)).any()


def test_costly_quantities_are_recorded_seldom_and_at_the_end():
    problem = problems.get("himmelblau")
    what = ("loss", "sharpness")
    often, seldom = (
        computed(problem, "adamlab.adam(0.1)", steps=50, every=10, what=what, costly_every=k) for k in (1, 2)
    )
    assert np.isnan(seldom["sharpness"][0]).tolist() == [False, True, False, True, False, False]
    np.testing.assert_array_equal(seldom["sharpness"][0, ::2], often["sharpness"][0, ::2])
    np.testing.assert_array_equal(seldom["loss"], often["loss"])


@pytest.mark.optimized(True)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("reddi_stochastic", {}),
        pytest.param("rosenbrock", {}, marks=pytest.mark.slow),
        pytest.param("digits_mlp", {"hidden": 8}, marks=pytest.mark.slow),
        pytest.param("least_squares", {"batch_size": 4}, marks=pytest.mark.slow),
    ],
)
def test_what_else_is_recorded_changes_no_bits(name, options):
    problem, numbers = problems.get(name, **options), {"lr": np.geomspace(1e-3, 1e-1, 5)}
    lone, all_of_it = (
        computed(problem, "adamlab.adam(lr)", numbers, range(5), 20, 10, what, target=target)
        for what, target in ((("loss",), None), (ALL, 0.1))
    )
    for quantity, values in lone.items():
        np.testing.assert_array_equal(all_of_it[quantity], values, err_msg=quantity)


def test_the_distance_is_that_of_the_nearest_minimum(x64):
    problem = problems.get("saddle", spread=0.5)
    results = computed(problem, "adamlab.sgd(0.1)", seeds=[*range(6)], what=("params", "distance"))
    apart = np.linalg.norm(results["params"][:, :, None] - np.array(problem.minima), axis=-1)
    assert {*apart.argmin(axis=-1).ravel().tolist()} == {0, 1}
    np.testing.assert_allclose(results["distance"], apart.min(axis=-1), rtol=1e-12)
