"""The engine against plain loops of Optax, one step at a time."""

import re
from dataclasses import replace

import chex
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import adamlab as al
from adamlab import own, problems
from adamlab.studies.engine.block_sizes import LANES, WORK, Sizes, group_size, grouped_by_seed, sizes_of, useful_devices
from adamlab.studies.engine.gradients import is_forward, loss_and_gradient, over_runs
from adamlab.studies.engine.program import prepare
from adamlab.studies.engine.recording import Recording, recorded_steps
from tests.computing import computed, runs_of

pytestmark = pytest.mark.optimized(False)


def plain_loop(problem, transform, seed, steps, start=None):
    """Losses and parameters at the start and after each step, one step after the other."""
    start_key, sample_key = jax.random.split(jax.random.key(seed))
    params = problem.start(start_key) if start is None else jnp.asarray(start)
    state = transform.init(params)
    losses, paths = [float(problem.objective(params))], [np.asarray(ravel_pytree(params)[0])]

    @jax.jit
    def step(t, params, state):
        batch = None if problem.sample is None else problem.sample(jax.random.fold_in(sample_key, t), t + 1)
        updates, state = transform.update(jax.grad(problem.loss)(params, batch), state, params)
        params = optax.apply_updates(params, updates)
        return params, state, problem.objective(params)

    for t in range(steps):
        params, state, loss = step(t, params, state)
        losses.append(float(loss))
        paths.append(np.asarray(ravel_pytree(params)[0]))
    return np.array(losses), np.array(paths)


RECORDED = [0, 5, 10, 12]
"""The steps that are recorded of 12, every fifth and the last."""


@pytest.mark.optimized(True)  # the starts, drawn in float32, are compared with those of another program
@pytest.mark.parametrize(
    ("name", "rhythms"),
    [
        ("noisy_quadratic", (5,)),
        pytest.param("rosenbrock", (1, 5, 12), marks=pytest.mark.slow),
        pytest.param("noisy_quadratic", (1, 12), marks=pytest.mark.slow),
    ],
)
def test_runs_are_those_of_a_plain_loop(x64, name, rhythms):
    problem = problems.get(name)
    settings = [(0.01, 0.9, 3), (0.01, 0.9, 4), (0.1, 0.99, 3), (0.1, 0.99, 4)]
    loops = [plain_loop(problem, optax.adam(rate, b2=b2), seed, 12) for rate, b2, seed in settings]
    rates, decays, seeds = zip(*settings, strict=True)
    for every in rhythms:
        steps = {1: [*range(13)], 5: RECORDED, 12: [0, 12]}[every]
        assert recorded_steps(12, every).tolist() == steps
        results = computed(problem, "adamlab.adam(lr, b2=b2)", {"lr": rates, "b2": decays}, seeds=seeds, every=every)
        for i, (losses, path) in enumerate(loops):
            np.testing.assert_allclose(results["loss"][i], losses[steps], rtol=1e-10)
            np.testing.assert_allclose(results["params"][i], path[steps], rtol=1e-11, atol=1e-13)
        assert (results["diverged_at"] == -1).all()


def test_minibatches_come_from_the_seed_and_the_step(x64):
    problem = problems.get("digits_softmax", batch_size=4)
    results = computed(problem, "adamlab.sgd(0.1, momentum=0.9)", seeds=[5, 6], what=("loss", "test_accuracy"))
    assert "params" not in results  # 650 of them: only the last are kept
    for i, seed in enumerate((5, 6)):
        losses, path = plain_loop(problem, optax.sgd(0.1, momentum=0.9), seed, 12)
        np.testing.assert_allclose(results["loss"][i], losses[RECORDED], rtol=1e-10)
        np.testing.assert_allclose(results["final_params"][i], path[-1], atol=1e-12)
    assert results["test_accuracy"].shape == (2, 4)


def test_schedules_are_swept_by_their_numbers(x64):
    problem = problems.get("beale")
    results = computed(problem, "optax.sgd(inverse_sqrt(init))", {"init": [0.001, 0.002]}, seeds=[0, 0])
    for i, init in enumerate((0.001, 0.002)):
        losses, _ = plain_loop(problem, optax.sgd(al.schedules.inverse_sqrt(init)), 0, 12)
        np.testing.assert_allclose(results["loss"][i], losses[RECORDED], rtol=1e-10)


def test_warm_up_is_swept_by_its_length(x64):
    problem = problems.get("beale")
    spec, lengths = "optax.sgd(warmup_cosine(0.002, warm, 12))", (2, 7)
    results = computed(problem, spec, {"warm": lengths}, seeds=[0, 0])
    for i, warm in enumerate(lengths):

        def schedule(count, warm=warm):
            falling = (1 + jnp.cos(np.pi * (count - warm) / (12.0 - warm))) / 2
            return 0.002 * jnp.where(count < warm, count / float(warm), falling)

        losses, _ = plain_loop(problem, optax.sgd(schedule), 0, 12)
        np.testing.assert_allclose(results["loss"][i], losses[RECORDED], rtol=1e-10)


def test_runs_start_where_they_are_told_to(x64):
    problem = problems.get("himmelblau")
    starts = np.array([[1.0, 2.0], [-3.0, 0.5]])
    results = computed(problem, "optax.adam(0.1)", seeds=[0, 7], starts=starts)
    np.testing.assert_array_equal(results["params"][:, 0], starts)
    for i, seed in enumerate((0, 7)):
        losses, _ = plain_loop(problem, optax.adam(0.1), seed, 12, starts[i])
        np.testing.assert_allclose(results["loss"][i], losses[RECORDED], rtol=1e-10)


@pytest.mark.optimized(True)
def test_a_diverging_run_is_recorded_and_leaves_its_neighbours_alone(x64):
    problem = problems.get("rosenbrock", spread=0.0)
    numbers = {"lr": [1e-3, 10.0, 1e-3]}
    results = computed(problem, "adamlab.sgd(lr)", numbers, seeds=[0, 0, 0], steps=20, every=1)
    alone = computed(problem, "adamlab.sgd(lr)", {"lr": [1e-3, 1e-3]}, seeds=[0, 0], steps=20, every=1)
    np.testing.assert_array_equal(results["loss"][[0, 2]], alone["loss"])
    (_, first, _) = results["diverged_at"]
    finite = np.isfinite(results["params"][1]).all(axis=1) & np.isfinite(results["loss"][1])
    assert finite[:first].all()
    assert not finite[first:].any()
    assert results["diverged_at"].tolist() == [-1, first, -1]


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize("name", ["rosenbrock", "rastrigin", "least_squares"])
def test_the_first_bad_step_is_found_between_recorded_ones(name):
    problem = problems.get(name)
    numbers = {"lr": [1e-3, 0.5, 5.0, 1e3, 1e30]}
    often, seldom = (
        computed(problem, "adamlab.sgd(lr)", numbers, seeds=[0] * 5, steps=40, every=every) for every in (1, 40)
    )
    np.testing.assert_array_equal(seldom["diverged_at"], often["diverged_at"])
    finite = np.isfinite(often["params"]).all(axis=2) & np.isfinite(often["loss"])
    wanted = [-1 if row.all() else int(np.argmin(row)) for row in finite]
    assert often["diverged_at"].tolist() == wanted
    assert -1 in wanted
    last = max(wanted)
    assert last > 1
    until_then = computed(problem, "adamlab.sgd(lr)", numbers, seeds=[0] * 5, steps=last, every=last)
    assert until_then["diverged_at"].tolist() == wanted


def test_a_bad_step_counts_though_the_run_recovers():
    # The loss overflows at |w| ≥ 1 and the optimizer's clipped steps lead back; the first bad step stays.
    problem = problems.get("quadratic", dim=2, spread=0.0)
    steep = type(problem)(
        "steep",
        loss=lambda w, batch: jnp.sum(w**2) + jnp.where(w[0] > 1.0, jnp.inf, 0.0) * 1.0,
        start=lambda key: jnp.array([0.95, 0.0]),
        objective=lambda w: jnp.sum(w**2),
        project=lambda w: jnp.where(w > 1.1, -0.5, w),
    )
    results = computed(steep, "optax.sgd(-0.05)", steps=12, every=12)
    path = [0.95]
    for _ in range(12):
        w = path[-1] + 0.05 * 2 * path[-1]
        path.append(-0.5 if w > 1.1 else w)
    assert results["diverged_at"].tolist() == [next(t for t, w in enumerate(path) if w > 1.0)]
    assert np.isfinite(results["loss"]).all()


@pytest.mark.optimized(True)
@pytest.mark.parametrize(
    "spec",
    [
        pytest.param("adamlab.adam(lr)", marks=pytest.mark.slow),
        pytest.param("optax.adam(lr, b2=b2)", marks=pytest.mark.slow),
        "adamlab.adam(lr, b2=b2)",
    ],
)
def test_results_do_not_depend_on_the_size_of_the_blocks(spec):
    problem = problems.get("himmelblau")
    numbers = {"lr": np.linspace(0.01, 0.1, 19)}
    numbers |= {"b2": np.linspace(0.9, 0.999, 19)} if "b2=b2" in spec else {}
    whole = computed(problem, spec, numbers, seeds=range(19), steps=40)
    alone = computed(problem, spec, {name: values[3:4] for name, values in numbers.items()}, seeds=[3], steps=40)
    np.testing.assert_array_equal(alone["params"][0], whole["params"][3])
    for sizes in (Sizes(16, 16), Sizes(32, 16), Sizes(48, 48)):
        blocks = computed(problem, spec, numbers, seeds=range(19), steps=40, sizes=sizes)
        chex.assert_trees_all_equal(blocks, whole)


@pytest.mark.optimized(True)
@pytest.mark.parametrize("name", ["quadratic", pytest.param("beale", marks=pytest.mark.slow)])
def test_few_runs_have_the_bits_of_many(name):
    # A loop over 8 numbers in float32 is a single instruction on AVX, and rounds otherwise than one over more.
    numbers, problem = {"lr": np.geomspace(1e-3, 1e-2, 40)}, problems.get(name)
    whole = computed(problem, "optax.sgd(lr)", numbers, seeds=range(40), steps=30)
    few = computed(problem, "optax.sgd(lr)", {"lr": numbers["lr"][:5]}, seeds=range(5), steps=30)
    chex.assert_trees_all_equal({quantity: values[:5] for quantity, values in whole.items()}, few)


@pytest.mark.optimized(True)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("digits_softmax", marks=pytest.mark.slow),  # whose product is one of the three of digits_mlp
        pytest.param("digits_mlp", marks=pytest.mark.slow),
        "least_squares",
        pytest.param("sparse_logistic", marks=pytest.mark.slow),
        pytest.param("wilson", marks=pytest.mark.slow),
    ],
)
def test_products_of_matrices_do_not_depend_on_how_many_runs_there_are(name):
    problem = problems.get(name)
    rates = np.linspace(0.001, 0.01, 19)
    what = ("loss", *problem.metrics)
    results, alone = (
        computed(problem, "optax.adam(lr)", {"lr": rates[:n]}, seeds=range(n), steps=4, every=4, what=what)
        for n in (19, 1)
    )
    chex.assert_trees_all_equal({quantity: values[:1] for quantity, values in results.items()}, alone)


def test_devices_get_blocks_of_networks_each():
    sizes = sizes_of(25, side_by_side=8, array_bytes=4, record_bytes=4, work=1, shared=5, shares=2)
    assert (sizes.count(25), sizes.block) == (2, 15)
    alone = sizes_of(8, side_by_side=8, array_bytes=4, record_bytes=4, work=1, shares=2)
    assert (alone.count(8), alone.block) == (1, 8)


@pytest.mark.parametrize(("work", "few", "many"), [(0, 1, 1), (10**6, 1, 1), (2 * 10**6, 1, 2), (3 * 10**7, 3, 8)])
def test_devices_have_enough_to_do(work, few, many):
    assert useful_devices(8, work, of_networks=False) == few
    assert useful_devices(8, work, of_networks=True) == many
    assert useful_devices(1, work, of_networks=True) == 1


def test_runs_of_one_seed_share_their_batches(x64):
    problem = problems.get("digits_softmax", batch_size=4)
    seeds = np.repeat([5, 6], 13)
    rates = np.tile(np.linspace(0.01, 0.1, 13), 2)
    rows, first = grouped_by_seed(np.tile([5, 6], 13), 16)
    assert sorted(rows[first].tolist()) == [*range(26)]
    assert len(rows) == 2 * 16
    rows, first = grouped_by_seed(seeds, 7)
    assert len(rows) == 2 * 14
    shared = computed(problem, "optax.sgd(lr)", {"lr": rates[rows]}, seeds[rows], what=("loss",), shared=7)
    apart = computed(problem, "optax.sgd(lr)", {"lr": rates}, seeds, what=("loss",))
    np.testing.assert_allclose(shared["loss"][first], apart["loss"][rows[first]], rtol=1e-12)
    assert (apart["loss"][0, 1:] != apart["loss"][13, 1:]).all()
    with pytest.raises(ValueError, match="grouped by seed"):
        computed(problem, "optax.sgd(lr)", {"lr": rates[:16]}, [5, 6] * 8, what=("loss",), shared=8)


@pytest.mark.parametrize(
    ("runs", "size"), [(4, 0), (5, 5), (11, 11), (16, 16), (17, 9), (20, 10), (32, 16), (33, 11), (100, 15)]
)
def test_groups_of_a_seed_have_little_padding(runs, size):
    assert group_size(np.repeat([1, 2], runs), 100) == size
    assert group_size(np.repeat([1, 2], [runs, 3]), 100) == 0


@pytest.mark.parametrize(("parameters", "size"), [(8_000, 16), (26_122, 4), (60_000, 2), (70_000, 0)])
def test_groups_of_large_runs_are_small(parameters, size):
    assert group_size(np.repeat([1, 2], 16), parameters) == size


@pytest.mark.parametrize(
    ("runs", "at_a_time", "most", "block"),
    [(24, 8, 13, 8), (24, 2, 12, 12), (25, 5, 20, 15), (100, 8, 40, 40), (1, 8, 1, 8), (7, 1, 3, 2), (13, 1, 4, 2)],
)
def test_blocks_of_networks_have_little_padding(runs, at_a_time, most, block):
    sizes = sizes_of(runs, side_by_side=at_a_time, array_bytes=4, record_bytes=4, work=WORK // most)
    assert sizes == Sizes(block, at_a_time)


def test_swept_decays_bring_their_complements():
    # In float32 1 − 0.9999999 is 1.19e-7; the accurate arithmetic gets 1e-7, made on the host.
    problem = problems.get("quadratic", spread=0.0)
    swept = computed(problem, "adamlab.adam(0.1, b2=b2)", {"b2": [0.9999999, 0.9]}, seeds=[0, 0], steps=50)
    fixed = computed(problem, "adamlab.adam(0.1, b2=0.9999999)", seeds=[0], steps=50)
    np.testing.assert_allclose(swept["params"][0], fixed["params"][0], rtol=1e-5)


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize("spec", ["adamlab.adam(0.01, b1=b1, b2=b2)", "adamlab.nadam(0.01, b1=b1, b2=b2)"])
@pytest.mark.parametrize("arithmetic", ["accurate", "weighted"])
def test_carried_corrections_are_as_good_as_powers(spec, arithmetic):
    # On a slope the averages do not depend on the path, so that updates differ by their corrections alone.
    line = type(problems.get("quadratic"))(
        "line", loss=lambda w, batch: jnp.sum(w), start=lambda key: jnp.zeros(2), objective=jnp.sum
    )
    spec = spec.replace("b2=b2", f'b2=b2, arithmetic="{arithmetic}"')
    numbers = {"b1": [0.9, 0.99, 0.0, 0.5], "b2": [0.999, 0.99999, 0.999, 0.4]}
    how = {"steps": 3000, "every": 50, "what": ("updates",)}
    carried = computed(line, spec, numbers, seeds=[0] * 4, **how)["updates"][:, 1:, 0]
    for i, (b1, b2) in enumerate(zip(*numbers.values(), strict=True)):
        fixed = spec.replace("b1=b1", f"b1={b1}").replace("b2=b2", f"b2={b2}")
        powers = computed(line, fixed, seeds=[0], **how)["updates"][0, 1:, 0]
        np.testing.assert_allclose(carried[i], powers, rtol=8 * float(np.finfo(np.float32).eps))


def test_a_step_of_swept_decays_takes_no_power():
    swept = runs_of("adamlab.adam(0.1, b1=b1, b2=b2)", {"b1": [0.9, 0.8], "b2": [0.99, 0.9]}, [0, 0])
    fixed = runs_of("adamlab.adam(lr)", {"lr": [0.1, 0.2]}, [0, 0])
    recording = Recording(recorded_steps(10, 10), ("loss",))
    texts = [prepare(problems.get("quadratic"), runs, recording).lowered[0].as_text() for runs in (swept, fixed)]
    assert [("exponential_minus_one" in text or "power" in text) for text in texts] == [False, True]


DELAYED = """
import jax.numpy as jnp
import optax


def delayed(lr):
    def init(w):
        return {"last": jnp.zeros_like(w), "before": jnp.zeros_like(w)}

    def update(g, state, w=None):
        return -lr * state["before"], {"last": g, "before": state["last"]}

    return optax.GradientTransformation(init, update)
"""


def test_a_state_that_follows_from_another_alone_differs_between_runs(tmp_path):
    (tmp_path / "delays.py").write_text(DELAYED)
    own.load(str(tmp_path / "delays.py"))
    losses = computed(problems.get("rosenbrock"), "delays.delayed(lr)", {"lr": [1e-4, 3e-4]}, [1, 2], 6, 1)["loss"]
    for row, rate, seed in zip(losses, (1e-4, 3e-4), (1, 2), strict=True):
        wanted, _ = plain_loop(problems.get("rosenbrock"), own.MODULES["delays"].module.delayed(rate), seed, 6)
        np.testing.assert_allclose(row, wanted, rtol=1e-4)
        assert row[2] == row[0] != row[3]


RESTLESS = """
import jax.numpy as jnp
import optax


def changing(lr, how: str):
    def init(w):
        return {"mu": jnp.zeros_like(w), "nu": jnp.zeros_like(w), "t": 0}

    def update(g, state, w=None):
        after = {
            "order": (state["nu"], state["mu"], state["t"] + 1),
            "type": state | {"t": state["t"] + 0.5},
            "shape": state | {"nu": jnp.append(state["nu"], 0.0)},
            "nothing": state | {"t": state["t"] + 1},
        }
        return -lr * g, after[how]

    return optax.GradientTransformation(init, update)
"""


@pytest.mark.parametrize("side_by_side", [None, 1])
@pytest.mark.parametrize("how", ["order", "type", "shape"])
def test_a_state_that_is_another_one_after_a_step_is_a_mistake(tmp_path, how, side_by_side):
    (tmp_path / "restless.py").write_text(RESTLESS)
    own.load(str(tmp_path / "restless.py"))
    problem = replace(problems.get("rosenbrock"), side_by_side=side_by_side)
    recording = Recording(recorded_steps(2, 1), ("loss",))
    prepare(problem, runs_of('restless.changing(0.1, "nothing")'), recording)
    with pytest.raises(ValueError, match=r"its state is another one after a step: expected \{'mu': 'float32\[2\]', .*"):
        prepare(problem, runs_of(f'restless.changing(0.1, "{how}")'), recording)


def test_carried_corrections_follow_one_minus_a_power(dtype):
    from adamlab.arithmetic import next_correction

    with mpmath.workdps(40):  # or other files' exact numbers would have as few digits in this process
        for complement in (0.1, 1e-3, 1e-6, 0.9):
            c = jnp.asarray(complement, dtype)
            exact_c = mpmath.mpf(float(c))

            def step(carry, _, c=c):
                after = next_correction(c, *carry)
                return after, after[0]

            _, corrections = jax.jit(lambda step=step, c=c: jax.lax.scan(step, (c * 0, c * 0), None, 3000))()
            for t in (1, 2, 10, 100, 3000):
                wanted = 1 - (1 - exact_c) ** t
                error = abs(mpmath.mpf(float(corrections[t - 1])) / wanted - 1)
                assert error <= 2 * float(jnp.finfo(dtype).eps), (complement, t)


def test_optimizers_that_look_at_the_loss_are_given_it():
    problem = problems.get("quadratic", spread=0.0)
    losses = computed(problem, "optax.polyak_sgd()", steps=50)["loss"][0]
    assert losses[-1] < 1e-3 * losses[0]


def test_float_type_is_that_of_the_study(dtype):
    results = computed(problems.get("beale"), "adamlab.rmsprop(lr)", {"lr": [0.1, 0.2]}, seeds=[0, 1])
    assert {results["loss"].dtype, results["params"].dtype} == {jnp.dtype(dtype)}


def test_few_coordinates_are_differentiated_forwards_where_that_can_be():
    assert is_forward(problems.get("rosenbrock"))
    assert not is_forward(problems.get("rosenbrock", dim=10))
    assert not is_forward(problems.get("digits_softmax"))

    @jax.custom_vjp
    def square(w):
        return jnp.sum(w**2)

    square.defvjp(lambda w: (square(w), w), lambda w, g: (2 * w * g,))
    backwards = type(problems.get("quadratic"))(
        "own", loss=lambda w, batch: square(w), start=lambda key: jnp.ones(2), objective=square
    )
    assert not is_forward(backwards)
    assert computed(backwards, "optax.sgd(0.25)", steps=4)["loss"][0, -1] == pytest.approx(2 / 4**4)


@pytest.mark.parametrize("kind", [jnp.float16, jnp.bfloat16])
def test_losses_of_few_bits_are_differentiated_backwards_and_recorded_in_the_float_type_of_the_study(dtype, kind):
    def loss(w, batch=None):
        return (7000 * jnp.sum(w**2)).astype(kind)

    few = type(problems.get("quadratic"))(
        *("few", loss, lambda key: jnp.array([0.5, 2.0])), objective=loss, minima=((0.0, 0.0),), metrics={"own": loss}
    )
    what = ("loss", "params", "regret", "own", "steps_to_target")
    results = computed(few, "optax.sgd(1e-5)", steps=3, every=1, what=what, target=1e4)
    # Forwards each slope would be rounded to 11 bits or 8.
    losses, path = plain_loop(few, optax.sgd(1e-5), 0, 3)
    np.testing.assert_allclose(results["params"][0], path, rtol=1e-5)
    np.testing.assert_array_equal(results["loss"][0], losses)
    np.testing.assert_array_equal(results["own"], results["loss"])
    np.testing.assert_allclose(results["regret"][0], [0, *np.cumsum(losses)[:3]], rtol=1e-5)
    assert {results[name].dtype for name in ("loss", "params", "regret", "own")} == {jnp.dtype(dtype)}


@pytest.mark.parametrize("name", ["rosenbrock", "beale", "himmelblau", "booth"])
def test_derivatives_forwards_are_the_gradient_and_multiply_by_no_zero(x64, rng, name):
    problem = problems.get(name)
    forwards = loss_and_gradient(problem, -1, None, over_runs(5))
    points = jnp.asarray(rng.normal(size=(2, 5)))
    loss, gradient = forwards(points, None)
    wanted_loss, wanted = jax.vmap(jax.value_and_grad(problem.loss), (1, None), (0, 1))(points, None)
    np.testing.assert_allclose(loss, wanted_loss, rtol=1e-13)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-12)
    zero = re.compile(r" 0\.0:| -0\.0:|zeros")
    assert not zero.findall(str(jax.make_jaxpr(lambda points: forwards(points, None))(points)))


def test_what_is_the_same_for_all_runs_is_kept_once():
    # Of Adam's state the moments differ between runs and the count does not: it stays a scalar in the program.
    problem = problems.get("rosenbrock")
    runs = runs_of("optax.adam(lr)", {"lr": np.linspace(0.01, 0.1, 16)}, range(16))
    program = prepare(problem, runs, Recording(recorded_steps(10, 5), ("loss",)))
    text = program.lowered[0].as_text()
    assert f"tensor<2x{program.sizes.at_a_time}xf32>" in text
    assert f"tensor<{program.sizes.at_a_time}xi32>, %iterArg" not in text
    assert program.sizes.at_a_time % LANES == 0
