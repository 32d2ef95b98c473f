"""Problems of a user's own; and that every problem, theirs and ours, runs."""

import functools
import inspect
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax.projections
import pytest

import adamlab as al
from adamlab import problems
from adamlab.errors import InputError
from adamlab.problems.data.openml import ARCHIVES
from adamlab.problems.registry import BUILT_IN, PROBLEMS
from adamlab.terminal.lists import show_list
from tests.computing import computed

pytestmark = pytest.mark.optimized(False)

HERE = sorted(name for name in BUILT_IN if not name.startswith(tuple(ARCHIVES)))
"""The problems whose data need not be fetched."""


@pytest.fixture(autouse=True)
def _nothing_stays_registered():
    yield
    for name in PROBLEMS.keys() - BUILT_IN:
        del PROBLEMS[name]


def bowl(w):
    """A bowl around (1, 2)."""
    return jnp.sum((w - jnp.array([1.0, 2.0])) ** 2)


def run(problem, spec, steps=3):
    return computed(problem, spec, steps=steps, every=1)


def refusal(*arguments, **options):
    """The lines of the message, the first of which names the problem."""
    before = dict(PROBLEMS)
    with pytest.raises(InputError) as caught:
        inspect.unwrap(problems.register)(*arguments, **options)  # outside of tests no annotation is checked
    assert before == PROBLEMS
    return str(caught.value).splitlines()[1:]


IN_BOTH_TYPES = ["digits_mlp", "least_squares", "reddi_stochastic", "rosenbrock"]  # of each kind the rest are slow
ALIKE = ["copying", "modular_addition"]  # made as grammar is


@pytest.mark.one_case_in(6)
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *(pytest.param(name, "float32", marks=pytest.mark.slow if name in ALIKE else []) for name in HERE),
        *(pytest.param(name, "float64", marks=[] if name in IN_BOTH_TYPES else pytest.mark.slow) for name in HERE),
    ],
    indirect=["dtype"],
)
def test_every_problem_runs_in_either_float_type(name, dtype):
    recorded = run(problems.get(name), "adamlab.adam(0.001)" if dtype == "float32" else "optax.sgd(0.0001)")
    assert recorded["loss"].dtype == recorded["final_params"].dtype == dtype
    assert recorded["diverged_at"].tolist() == [-1]
    start = jax.tree.leaves(problems.get(name).start(jax.random.split(jax.random.key(0))[0]))
    assert not np.array_equal(recorded["final_params"][0], np.concatenate([np.ravel(leaf) for leaf in start]))


@pytest.mark.one_case_in(10)
@pytest.mark.parametrize("name", HERE)
def test_a_run_that_is_at_a_minimum_has_finite_gradients(name, dtype):
    problem = problems.get(name)
    batch = None if problem.sample is None else problem.sample(jax.random.key(0), 1)
    for minimum in problem.minima:
        w = jnp.array(minimum, float)
        loss, gradient = jax.value_and_grad(problem.loss)(w, batch)
        assert np.isfinite(loss)
        assert np.isfinite(gradient).all()
        assert problem.minimum is not None
        scale = max(1.0, abs(problem.minimum))
        assert float(problem.objective(w)) == pytest.approx(problem.minimum, abs=1e-5 * scale)


@pytest.mark.parametrize("name", HERE)
def test_every_problem_says_what_it_is(name):
    problem = problems.get(name)
    assert problem.name == name
    assert problem.source
    assert PROBLEMS[name].__doc__
    assert {len(point) for point in problem.minima} <= {problem.dimension}
    assert len(problem.domain) in (0, problem.dimension)


def test_a_registered_problem_runs_from_a_config(capsys):
    registered = problems.register(
        "bowl",
        bowl,
        [3.0, -1.0],
        spread=0.1,
        minima=[(1, 2)],
        minimum=0,
        domain=[(-4, 4), (-4, 4)],
        metrics={"distance": lambda w: jnp.linalg.norm(w - jnp.array([1.0, 2.0]))},
        source="every textbook",
    )
    assert problems.get("bowl") is registered
    results = al.run(
        {
            "name": "own",
            "steps": 100,
            "seeds": 2,
            "dtype": "float64",
            "record": {"every": 50, "what": ["loss", "params", "distance"]},
            "problem": [{"name": "bowl"}, {"name": "bowl", "label": "again"}],
            "optimizer": [{"spec": "optax.sgd(0.1)"}],
        }
    )
    data = results["bowl"].ds
    start = data["params"].values[:, 0]
    assert (start[0] != start[1]).all()
    # The error shrinks by 1 − 2·0.1 a step.
    np.testing.assert_allclose(data["params"].values[:, 1] - [1, 2], 0.8**50 * (start - [1, 2]), rtol=1e-10)
    np.testing.assert_allclose(data["loss"], data["distance"] ** 2, rtol=1e-10)
    assert data.attrs["source"] == "every textbook"
    np.testing.assert_array_equal(data["minima"], [[1, 2]])
    np.testing.assert_array_equal(results["again"].ds["loss"], data["loss"])
    show_list("problems")
    assert "A bowl around (1, 2)." in capsys.readouterr().out


def test_a_loss_of_batches_with_a_constraint(x64):
    problem = problems.register(
        "tracking",
        lambda w, batch: jnp.sum((w - batch) ** 2),
        np.array([5.0]),
        sample=lambda key, t: jnp.asarray(t, float),
        objective=lambda w: jnp.sum((w - 2.0) ** 2),
        project=lambda w: optax.projections.projection_box(w, 0.0, 2.5),
    )
    recorded = run(problem, "optax.sgd(0.5)", steps=4)["params"][0, :, 0]
    np.testing.assert_allclose(recorded, [2.5, 1.0, 2.0, 2.5, 2.5])  # w becomes t, inside the interval
    assert problem.minima == problem.domain == ()
    assert problem.minimum is None


@pytest.mark.one_case_in(2)
def test_a_start_is_numbers_or_a_tree_of_them_or_a_function(dtype):
    tree = {"W": np.ones((2, 3), np.float32), "b": [0.5, -0.5], "c": 2}

    def loss(params):
        return jnp.sum(params["W"] ** 2) + jnp.sum(params["b"]) + params["c"] ** 2

    problem = problems.register("tree", loss, tree, spread=0.1)
    start = problem.start(jax.random.key(1))
    assert jax.tree.map(jnp.shape, start) == {"W": (2, 3), "b": (2,), "c": ()}
    assert {leaf.dtype for leaf in jax.tree.leaves(start)} == {jnp.dtype(dtype)}
    noise = np.asarray(jax.random.normal(jax.random.key(1), (9,), jnp.float32))
    flat = np.concatenate([np.ravel(start[name]) for name in ("W", "b", "c")])
    np.testing.assert_allclose(flat, [1, 1, 1, 1, 1, 1, 0.5, -0.5, 2] + 0.1 * noise, rtol=1e-6)
    assert run(problem, "adamlab.adam(0.1)")["loss"].dtype == dtype
    drawn = problems.register("drawn", bowl, lambda key: jax.random.uniform(key, (2,), float))
    np.testing.assert_array_equal(drawn.start(jax.random.key(2)), jax.random.uniform(jax.random.key(2), (2,), float))


def test_ones_own_name_can_be_registered_again():
    problems.register("bowl", bowl, [0.0, 0.0])
    second = problems.register("bowl", bowl, [1.0, 1.0])
    assert problems.get("bowl") is second
    with pytest.raises(InputError, match='did you mean "bowl"'):
        problems.get("bowls")


@pytest.mark.parametrize("name", ["rosenbrock", "digits_softmax"])
def test_a_built_in_name_is_refused(name):
    assert refusal(name, bowl, [0.0, 0.0]) == [f'  name: "{name}" is a problem of adamlab\'s; choose another']


@pytest.mark.parametrize("name", ["", "my bowl", "-bowl", "bowl/2", "bowl\n", 3, None])
def test_a_name_that_no_file_can_have_is_refused(name):
    (line,) = refusal(name, bowl, [0.0, 0.0])
    assert line.startswith("  name: expected letters, digits and any of _ -")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": 3.0}, "loss: expected a function; got 3.0"),
        ({"loss": lambda w: w}, "loss: expected a floating-point scalar; got float32[2]"),
        ({"loss": lambda w: jnp.sum(w > 0)}, "loss: expected a floating-point scalar; got int32[]"),
        ({"loss": lambda w: (w[0], w[1])}, "loss: expected a floating-point scalar; got ('float32[]', 'float32[]')"),
        ({"loss": lambda w: w @ jnp.ones(3)}, "loss: cannot be computed: "),
        ({"loss": lambda w, batch: w[0]}, "loss: cannot be computed: "),
        ({"start": ["a", "b"]}, "start: expected numbers, in a list, an array or a tree of arrays; got ['a', 'b']"),
        ({"start": "12"}, "start: expected numbers"),
        ({"start": [[1.0], [1.0, 2.0]]}, "start: expected numbers"),
        ({"start": [True, False]}, "start: expected numbers"),
        ({"start": []}, "start: expected numbers"),
        ({"start": None}, "start: expected numbers"),
        ({"start": [float("nan"), 0.0]}, "start: expected numbers"),
        ({"start": lambda key: jnp.arange(2)}, "start: expected arrays of floating-point numbers; got int32[2]"),
        ({"start": lambda key: 1 / 0}, "start: cannot be computed: division by zero"),
        ({"spread": -1.0}, "spread: expected a number from 0 to 1e+06; got -1.0"),
        ({"spread": "wide"}, "spread: expected a number from 0 to 1e+06; got 'wide'"),
        ({"start": lambda key: jnp.ones(2), "spread": 0.1}, "spread: expected 0 with a start that is a function"),
        ({"sample": lambda key, t: t}, "objective: is missing; a loss of batches needs one"),
        ({"sample": 3, "objective": bowl}, "sample: expected a function; got 3"),
        ({"sample": lambda key: key, "objective": bowl}, "sample: cannot be computed: "),
        ({"objective": lambda w: w}, "objective: expected a floating-point scalar; got float32[2]"),
        ({"project": 1}, "project: expected a function; got 1"),
        ({"project": lambda w: w @ jnp.ones(3)}, "project of the start: cannot be computed: "),
        (
            {"project": lambda w: jnp.append(w, 0.0)},
            "project: expected the shapes that it is given, as float32[3]; got float32[4]",
        ),
        ({"metrics": [bowl]}, "metrics: expected functions of the parameters by name"),
        ({"metrics": {"norm": 2.0}}, "metrics: norm: expected a function; got 2.0"),
        ({"metrics": {"norm": lambda w: w}}, "metrics: norm: expected a floating-point scalar; got float32[2]"),
        ({"metrics": {"loss": bowl}}, "metrics: expected names such as test_loss, and none of loss, params"),
        ({"minima": [(1.0, 2.0, 3.0)]}, "minima: expected one for each of 2 parameters; got 3"),
        ({"minima": (1.0, 2.0)}, "minima: expected a row of numbers for each; got (1.0, 2.0)"),
        ({"minima": "here"}, "minima: expected a row of numbers for each; got 'here'"),
        ({"minimum": float("inf")}, "minimum: expected a finite number; got inf"),
        ({"domain": [(-1, 1)]}, "domain: expected one for each of 2 parameters; got 1"),
        ({"domain": [(-1, 1), (1, -1)]}, "domain: expected a pair (low, high) for each dimension, low < high"),
        ({"domain": (-1, 1)}, "domain: expected a pair (low, high) for each dimension, low < high"),
        (
            {"start": {"w": [1.0, 2.0]}, "loss": lambda tree: bowl(tree["w"]), "domain": [(-1, 1), (-1, 1)]},
            "domain: expected none, since the parameters are not one vector but {'w': 'float32[2]'}",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    (line,) = refusal("own", **({"loss": bowl, "start": [0.0, 0.0]} | options))  # and nothing is told twice
    assert line.startswith(f"  {message}")


def test_all_that_is_wrong_is_told_at_once():
    lines = refusal("my bowl", 3, "here", spread=-1, project=0, minimum="low", domain=[(1, 0)])
    told = [line.split(":")[0].strip() for line in lines]
    assert sorted(told) == ["domain", "loss", "minimum", "name", "project", "spread", "start"]
    lines = refusal("rosenbrock", lambda w: w, [0.0, 0.0], minima=[(1, 2, 3)], domain=[(-1, 1)])
    assert [line.split(":")[0].strip() for line in lines] == ["name", "loss", "minima", "domain"]


def test_a_config_cannot_give_a_registered_problem_options():
    problems.register("bowl", bowl, [0.0, 0.0])
    with pytest.raises(InputError, match=r"problem\[0\]\.dim"):
        al.run(
            {"name": "x", "steps": 1, "problem": [{"name": "bowl", "dim": 3}], "optimizer": [{"spec": "optax.sgd(1)"}]}
        )


def test_a_projected_start_is_feasible():
    registered = problems.register("held", bowl, [3.0, 3.0], spread=1.0, project=lambda w: jnp.clip(w, -1.0, 1.0))
    assert (np.abs(registered.start(jax.random.key(0))) <= 1).all()
    assert (np.abs(replace(registered, project=None).start(jax.random.key(0))) <= 1).all()


@pytest.mark.parametrize("uses_key", [False, True])
def test_a_sample_drawn_by_numpy_is_refused(rng, uses_key):
    def sample(key, t):
        _ = jax.random.normal(key, (2,)) if uses_key else None  # the batch does not depend on it
        return rng.normal(size=2)

    with pytest.raises(InputError, match="sample: gives the same batch at every step; draw it in JAX from the key"):
        problems.register(
            "noise",
            lambda w, batch: jnp.sum(w * batch),
            start=[1.0, 2.0],
            sample=sample,
            objective=jnp.sum,
        )


def test_a_study_in_float64_is_in_float64_whatever_the_functions_give():
    problems.register(
        "narrow",
        bowl,
        start=lambda key: jax.random.normal(key, (2,), jnp.float32),
        project=lambda w: jnp.clip(w, -1, 1).astype(jnp.float32),
    )
    config = {"name": "narrow", "steps": 5, "dtype": "float64", "problem": [{"name": "narrow"}]}
    runs = al.run(config | {"optimizer": [{"spec": "optax.adam(0.1)"}]})["narrow"]
    assert runs["params"].dtype == np.float64


@pytest.mark.slow
def test_results_of_a_problem_that_may_have_changed_are_not_taken_up(tmp_path):
    config = {"name": "mine", "steps": 3, "problem": [{"name": "mine"}], "optimizer": [{"spec": "optax.adam(0.1)"}]}
    problems.register("mine", bowl, start=[0.0, 0.0])
    first = al.run(config, tmp_path)["mine"].ds["loss"].values
    problems.register("mine", lambda w: 2 * bowl(w), start=[0.0, 0.0])
    np.testing.assert_array_equal(al.run(config, tmp_path)["mine"].ds["loss"].values[:, 0], 2 * first[:, 0])


def test_a_partial_loss_is_listed_by_its_own_words():
    problems.register("part", functools.partial(bowl), start=[0.0, 0.0], spread=np.float32(0.5))
    assert PROBLEMS["part"].__doc__ == "A bowl around (1, 2)."
