"""Models of flax and equinox as problems, and what a model carries from step to step beside its parameters."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import adamlab as al
from adamlab import problems
from adamlab.errors import InputError
from adamlab.problems.registry import BUILT_IN, PROBLEMS
from tests.computing import computed, sample_of

pytestmark = pytest.mark.optimized(False)

RATE = 0.1


@pytest.fixture(autouse=True)
def _nothing_stays_registered():
    yield
    for name in PROBLEMS.keys() - BUILT_IN:
        del PROBLEMS[name]


@pytest.fixture
def data(rng):
    """Two classes of points, in float32 as users have them, with 24 to train on and 8 to validate."""
    x = rng.normal(size=(32, 3)).astype(np.float32)
    return problems.split({"x": x, "y": (x[:, 0] * x[:, 1] > 0).astype(np.int32)}, 0, (0.75, 0.25))


def cross_entropy(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.asarray(batch["y"])).mean()


def by_hand(problem, steps, seed=0):
    """The objective and the state at the end of a plain loop of gradient descent."""
    start_key, key = jax.random.split(jax.random.key(seed))
    w = problem.start(start_key)
    state = None if problem.state is None else problem.state(start_key)

    @jax.jit
    def step(w, state, t):
        batch = sample_of(problem)(key if sample_of(problem).by_epoch else jax.random.fold_in(key, t), t + 1)
        given = batch if state is None else (batch, state)
        after = None if state is None else problem.next_state(w, given)
        return jax.tree.map(lambda w, g: w - RATE * g, w, jax.grad(problem.loss)(w, given)), after

    for t in range(steps):
        w, state = step(w, state, t)
    return w, state


def assert_runs(problem, metric="validation_loss"):
    w, state = by_hand(problem, 9)
    r = computed(problem, "adamlab.sgd(lr)", {"lr": [RATE, 0.0]}, [0, 1], 9, 3, ("loss", metric))
    others = () if state is None else (state,)
    np.testing.assert_allclose(r["final_params"][0], ravel_pytree(w)[0], rtol=1e-5, atol=1e-6)
    assert float(r["loss"][0, -1]) == pytest.approx(float(problem.objective(w, *others)), rel=1e-5)
    assert float(r[metric][0, -1]) == pytest.approx(float(problem.metrics[metric](w, *others)), rel=1e-5)


@pytest.mark.slow
def test_a_model_of_flax_nnx(data):
    nnx = pytest.importorskip("flax.nnx")
    train, validation = data

    def net(key):
        rngs = nnx.Rngs(key)
        return nnx.Sequential(nnx.Linear(3, 4, rngs=rngs), nnx.tanh, nnx.Linear(4, 2, rngs=rngs))

    graph = nnx.graphdef(net(0))

    def loss(weights, batch):
        return cross_entropy(nnx.merge(graph, weights)(jnp.asarray(batch["x"])), batch)

    problem = al.problems.register(
        "my_net",
        loss,
        start=lambda key: nnx.state(net(key)),
        sample=al.problems.epochs(train, 8),
        objective=lambda weights: loss(weights, train),
        metrics={"validation_loss": lambda weights: loss(weights, validation)},
    )
    assert_runs(problem)


@pytest.mark.slow
def test_a_model_of_equinox(data):
    eqx = pytest.importorskip("equinox")
    train, validation = data

    def net(key):
        return eqx.nn.MLP(3, 2, 4, 1, key=key)

    static = eqx.partition(net(jax.random.key(0)), eqx.is_array)[1]

    def loss(weights, batch):
        return cross_entropy(jax.vmap(eqx.combine(weights, static))(jnp.asarray(batch["x"])), batch)

    problem = al.problems.register(
        "my_net",
        loss,
        start=lambda key: eqx.filter(net(key), eqx.is_array),
        sample=al.problems.epochs(train, 8),
        objective=lambda weights: loss(weights, train),
        metrics={"validation_loss": lambda weights: loss(weights, validation)},
    )
    assert_runs(problem)


@pytest.mark.slow
def test_a_model_of_flax_linen_with_batch_norm_and_dropout(data):
    """Its running averages are the state; dropout's key comes with the batch."""
    nn = pytest.importorskip("flax.linen")
    train, validation = data

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, train):
            x = nn.BatchNorm(use_running_average=not train, momentum=0.5)(nn.Dense(4)(x))
            return nn.Dense(2)(nn.Dropout(0.2, deterministic=not train)(nn.tanh(x)))

    net = Net()

    def init(key):
        return net.init(key, jnp.zeros((1, 3)), train=False)

    def loss(params, stats, batch):
        arrays, key = batch
        variables = {"params": params, "batch_stats": stats}
        logits, after = net.apply(variables, arrays["x"], True, rngs={"dropout": key}, mutable=["batch_stats"])
        return cross_entropy(logits, arrays), after["batch_stats"]

    def mean_loss(part):
        def of_part(params, stats):
            return cross_entropy(net.apply({"params": params, "batch_stats": stats}, part["x"], False), part)

        return of_part

    problem = al.problems.register(
        "my_net",
        loss,
        start=lambda key: init(key)["params"],
        state=lambda key: init(key)["batch_stats"],
        sample=al.problems.epochs(train, 8, with_key=True),
        objective=mean_loss(train),
        metrics={"validation_loss": mean_loss(validation)},
    )
    assert_runs(problem)
    _, state = by_hand(problem, 9)
    assert problem.state is not None
    start = problem.state(jax.random.key(0))
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), start, state)
    assert min(jax.tree.leaves(moved)) > 0.01
    config = {
        "name": "own",
        "steps": 6,
        "record": {"every": 6, "what": ["loss", "gradient_noise_scale"]},
        "problem": [{"name": "my_net"}],
        # as many settings as would share their batches, were there no state
        "optimizer": [{"spec": "optax.sgd(lr)", "lr": [RATE / 2**i for i in range(13)]}],
    }
    runs = al.run(config)["my_net"].ds
    assert (runs.gradient_noise_scale > 0).all()
    w, state = by_hand(problem, 6)
    assert float(runs.loss[0, -1]) == pytest.approx(float(problem.objective(w, state)), rel=1e-5)


def test_a_state_counts_every_step_and_is_the_same_however_often_it_is_recorded():
    """A state that is a count and a key, as dropout in a state would have it."""

    def loss(w, state, batch):
        count, key = state
        key, drawn = jax.random.split(key)
        return jnp.sum(w * jax.random.normal(drawn, (2,))) + 0 * jnp.sum(batch), (count + 1, key)

    problem = al.problems.register(
        "counted",
        loss,
        [1.0, 2.0],
        state=lambda key: (jnp.int32(0), key),
        sample=al.problems.minibatches(np.ones(4), 2),
        objective=lambda w, state: jnp.sum(w) + state[0],
        metrics={"count": lambda w, state: state[0].astype(float)},
    )
    often, seldom = (
        computed(problem, "optax.sgd(0.1)", seeds=[1, 2], steps=12, every=k, what=("loss", "count")) for k in (1, 5)
    )
    assert often["count"][0].tolist() == [*range(13)]
    np.testing.assert_array_equal(seldom["loss"], often["loss"][:, [0, 5, 10, 12]])
    key, sums = jax.random.split(jax.random.key(1))[0], np.array([1.0, 2.0])
    for _ in range(12):
        key, drawn = jax.random.split(key)
        sums -= 0.1 * np.asarray(jax.random.normal(drawn, (2,)))
    np.testing.assert_allclose(often["final_params"][0], sums, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state": 3}, "state: expected a function; got 3"),
        ({"sample": None}, "sample: is missing; what is carried from step to step needs batches"),
        ({"state": lambda key: 1 / 0}, "state: cannot be computed: division by zero"),
        (
            {"loss": lambda w, state, batch: (jnp.sum(w), jnp.zeros(3))},
            r"loss: expected a state of the shapes that it is given, float32\[2\]; got float32\[3\]",
        ),
        ({"loss": lambda w, state, batch: jnp.sum(w)}, "loss: cannot be computed: "),
        ({"objective": lambda w: w[0]}, "objective: cannot be computed: "),
        ({"domain": [(-1, 1), (-1, 1)]}, "domain: expected none, since nothing can be drawn of a problem with a state"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(options, message):
    fitting = {
        "loss": lambda w, state, batch: (jnp.sum(w * state), state),
        "state": lambda key: jnp.zeros(2),
        "sample": al.problems.minibatches(np.ones(4), 2),
        "objective": lambda w, state: jnp.sum(w * state),
    }
    with pytest.raises(InputError, match=message):
        inspect.unwrap(al.problems.register)("own", start=[1.0, 2.0], **(fitting | options))
