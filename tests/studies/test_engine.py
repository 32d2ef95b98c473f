"""The engine against plain loops of Optax, one step at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import adamlab as al
from adamlab import problems
from adamlab.specs import parse
from adamlab.studies import engine
from adamlab.studies.engine import Runs, execute, prepare, recorded_steps


def computed(problem, spec, numbers=None, seeds=(0,), steps=12, every=5, what=("loss", "params")):
    numbers = {name: np.asarray(values, float) for name, values in (numbers or {}).items()}
    runs = Runs(parse(spec), numbers, np.array(seeds, np.uint32))
    return execute(prepare(problem, runs, steps=steps, every=every, what=what))


def plain_loop(problem, transform, seed, steps, every):
    """Losses and parameters at the recorded steps, one eager step after the other."""
    start_key, sample_key = jax.random.split(jax.random.key(seed))
    params = problem.start(start_key)
    state = transform.init(params)
    losses, paths = [float(problem.objective(params))], [np.asarray(ravel_pytree(params)[0])]
    for t in range(steps):
        batch = None if problem.sample is None else problem.sample(jax.random.fold_in(sample_key, t), t + 1)
        updates, state = transform.update(jax.grad(problem.loss)(params, batch), state, params)
        params = optax.apply_updates(params, updates)
        if (t + 1) % every == 0 or t + 1 == steps:
            losses.append(float(problem.objective(params)))
            paths.append(np.asarray(ravel_pytree(params)[0]))
    return np.array(losses), np.array(paths)


@pytest.mark.parametrize("every", [1, 5, 12])
def test_runs_are_those_of_a_plain_loop(x64, every):
    problem = problems.get("rosenbrock")
    numbers = {"lr": [0.01, 0.01, 0.1, 0.1], "b2": [0.9, 0.9, 0.99, 0.99]}
    found = computed(problem, "adamlab.adam(lr, b2=b2)", numbers, seeds=[3, 4, 3, 4], every=every)
    assert found["loss"].shape == (4, len(recorded_steps(12, every)))
    for i, (rate, b2, seed) in enumerate([(0.01, 0.9, 3), (0.01, 0.9, 4), (0.1, 0.99, 3), (0.1, 0.99, 4)]):
        losses, path = plain_loop(problem, optax.adam(rate, b2=b2), seed, 12, every)
        np.testing.assert_allclose(found["loss"][i], losses, rtol=1e-10)
        np.testing.assert_allclose(found["params"][i], path, rtol=1e-11)
    assert (found["diverged_at"] == -1).all()


def test_minibatches_come_from_the_seed_and_the_step(x64):
    problem = problems.get("digits_softmax", batch_size=4)
    found = computed(problem, "adamlab.sgd(0.1, momentum=0.9)", seeds=[5, 6], what=("loss", "test_accuracy"))
    assert "params" not in found  # 650 of them: only the last are kept
    for i, seed in enumerate((5, 6)):
        losses, path = plain_loop(problem, optax.sgd(0.1, momentum=0.9), seed, 12, 5)
        np.testing.assert_allclose(found["loss"][i], losses, rtol=1e-10)
        np.testing.assert_allclose(found["final_params"][i], path[-1], atol=1e-12)
    assert found["test_accuracy"].shape == (2, 4)


def test_recorded_steps_are_the_start_every_kth_and_the_last():
    assert recorded_steps(12, 5).tolist() == [0, 5, 10, 12]
    assert recorded_steps(10, 5).tolist() == [0, 5, 10]
    assert recorded_steps(3, 3).tolist() == [0, 3]


def test_schedules_are_swept_by_their_numbers(x64):
    problem = problems.get("beale")
    found = computed(problem, "optax.sgd(inverse_sqrt(init))", {"init": [0.001, 0.002]}, seeds=[0, 0])
    for i, init in enumerate((0.001, 0.002)):
        losses, _ = plain_loop(problem, optax.sgd(al.schedules.inverse_sqrt(init)), 0, 12, 5)
        np.testing.assert_allclose(found["loss"][i], losses, rtol=1e-10)


def test_a_diverging_run_is_recorded_and_leaves_its_neighbours_alone(x64):
    problem = problems.get("rosenbrock", spread=0.0)
    numbers = {"lr": [1e-3, 10.0, 1e-3]}
    found = computed(problem, "adamlab.sgd(lr)", numbers, seeds=[0, 0, 0], steps=20, every=1)
    alone = computed(problem, "adamlab.sgd(lr)", {"lr": [1e-3, 1e-3]}, seeds=[0, 0], steps=20, every=1)
    np.testing.assert_array_equal(found["loss"][[0, 2]], alone["loss"])
    (_, first, _) = found["diverged_at"]
    finite = np.isfinite(found["params"][1]).all(axis=1) & np.isfinite(found["loss"][1])
    assert finite[:first].all()
    assert not finite[first:].any()
    assert found["diverged_at"].tolist() == [-1, first, -1]


def test_results_do_not_depend_on_the_size_of_the_blocks(monkeypatch):
    problem = problems.get("himmelblau")
    numbers = {"lr": np.linspace(0.01, 0.1, 19)}
    whole = computed(problem, "adamlab.adam(lr)", numbers, seeds=range(19), steps=40)
    alone = computed(problem, "adamlab.adam(lr)", {"lr": numbers["lr"][3:4]}, seeds=[3], steps=40)
    np.testing.assert_array_equal(alone["params"][0], whole["params"][3])
    advanced = []
    monkeypatch.setattr(engine, "BLOCK", 8)
    runs = Runs(parse("adamlab.adam(lr)"), numbers, np.arange(19, dtype=np.uint32))
    program = prepare(problem, runs, steps=40, every=5, what=("loss", "params"))
    blocks = execute(program, advance=advanced.append)
    assert advanced == [8, 8, 3]
    for name in whole:
        np.testing.assert_array_equal(blocks[name], whole[name])


@pytest.mark.parametrize("name", ["digits_softmax", "digits_mlp", "least_squares", "sparse_logistic", "wilson"])
def test_products_of_matrices_do_not_depend_on_how_many_runs_there_are(name):
    problem = problems.get(name)
    rates = np.linspace(0.001, 0.01, 19)
    what = ("loss", *problem.metrics)
    found, alone = (
        computed(problem, "optax.adam(lr)", {"lr": rates[:n]}, seeds=range(n), steps=4, every=4, what=what)
        for n in (19, 1)
    )
    for quantity in alone:
        np.testing.assert_array_equal(found[quantity][:1], alone[quantity], err_msg=quantity)


def test_swept_decays_bring_their_complements():
    # In float32 1 − 0.9999999 is 1.19e-7; the accurate arithmetic gets 1e-7, made on the host.
    problem = problems.get("quadratic", spread=0.0)
    swept = computed(problem, "adamlab.adam(0.1, b2=b2)", {"b2": [0.9999999, 0.9]}, seeds=[0, 0], steps=50)
    fixed = computed(problem, "adamlab.adam(0.1, b2=0.9999999)", seeds=[0], steps=50)
    np.testing.assert_allclose(swept["params"][0], fixed["params"][0], rtol=1e-5)


def test_optimizers_that_look_at_the_loss_are_given_it():
    problem = problems.get("quadratic", spread=0.0)
    losses = computed(problem, "optax.polyak_sgd()", steps=50)["loss"][0]
    assert losses[-1] < 1e-3 * losses[0]


def test_float_type_is_that_of_the_study(dtype):
    found = computed(problems.get("beale"), "adamlab.rmsprop(lr)", {"lr": [0.1, 0.2]}, seeds=[0, 1])
    assert {found["loss"].dtype, found["params"].dtype} == {jnp.dtype(dtype)}
