"""Training that goes on mid-way in another library: 10 steps in one and 10 in the other are 20 in one."""

import os
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab.errors import InputError
from adamlab.frameworks.keras3 import places_of
from adamlab.specs import parse
from tests.frameworks.paths import drawn

pytestmark = pytest.mark.optimized(False)

os.environ.setdefault("KERAS_BACKEND", "jax")
torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
keras = pytest.importorskip("keras", reason="Keras is not installed: pip install keras")

SHAPES = {"matrix": (3, 2), "vector": (4,)}

OF_TORCH = [
    ("torch.Adam(lr=0.1)", "optax.adam(0.1)"),
    ("torch.AdamW(lr=0.1, weight_decay=0.1)", "adamlab.adamw(0.1, weight_decay=0.1)"),
    ("torch.Adamax(lr=0.1)", "optax.adamax(0.1)"),
    ("torch.RMSprop(lr=0.1, alpha=0.9)", "optax.rmsprop(0.1, decay=0.9, eps_in_sqrt=false)"),
    (
        "torch.RMSprop(lr=0.1, alpha=0.9, centered=true, momentum=0.9)",
        "optax.rmsprop(0.1, decay=0.9, eps_in_sqrt=false, centered=true, momentum=0.9)",
    ),
    ("torch.Adadelta(lr=0.5)", "optax.adadelta(0.5)"),
    ("torch.SGD(lr=0.1, momentum=0.9, nesterov=true)", "optax.sgd(0.1, momentum=0.9, nesterov=true)"),
    ("torch.NAdam(lr=0.1)", "torch.NAdam(lr=0.1)"),
    ("torch.SGD(lr=0.1, momentum=0.9, dampening=0.5)", "torch.SGD(lr=0.1, momentum=0.9, dampening=0.5)"),
]

OF_KERAS = [
    ("keras.SGD(learning_rate=0.1, momentum=0.9)", "optax.sgd(0.1, momentum=0.9)"),
    ("keras.RMSprop(learning_rate=0.1, momentum=0.9)", "optax.rmsprop(0.1, eps=1e-7, momentum=0.9)"),
    ("keras.Adagrad(learning_rate=0.1)", "optax.adagrad(0.1)"),
    ("keras.Adadelta(learning_rate=0.5)", "adamlab.adadelta(0.5, rho=0.95, eps=1e-7)"),
    ("keras.Lion(learning_rate=0.1)", "optax.lion(0.1, weight_decay=0.0)"),
    ("keras.Adam(learning_rate=0.1)", "keras.Adam(learning_rate=0.1)"),
]


@pytest.fixture
def wide(x64):
    torch.set_default_dtype(torch.float64)
    keras.config.set_floatx("float64")
    yield
    torch.set_default_dtype(torch.float32)
    keras.config.set_floatx("float32")


def data() -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    start, gradients = drawn(SHAPES)
    return [*start.values()], [[g[t] for g in gradients.values()] for t in range(20)]


def in_torch(spec: str) -> Any:
    call = parse(spec)
    params = [torch.nn.Parameter(torch.tensor(w)) for w in data()[0]]
    return getattr(torch.optim, call.short)(params, **call.arguments), params


def torch_steps(optimizer: Any, params: Any, gradients: Any) -> list[np.ndarray]:
    for g in gradients:
        for p, x in zip(params, g, strict=True):
            p.grad = torch.tensor(x)
        optimizer.step()
    return [p.detach().numpy().copy() for p in params]


def in_keras(spec: str) -> Any:
    call = parse(spec)
    variables = [keras.Variable(w, dtype="float64", name=f"w{k}") for k, w in enumerate(data()[0])]
    optimizer = getattr(keras.optimizers, call.short)(**call.arguments)
    optimizer.build(variables)
    return optimizer, variables


def keras_steps(optimizer: Any, variables: Any, gradients: Any) -> list[np.ndarray]:
    for g in gradients:
        optimizer.apply([jnp.asarray(x) for x in g], variables)
    return [np.array(v.value) for v in variables]


def jax_steps(transform: Any, state: Any, params: Any, gradients: Any) -> Any:
    def step(carry: Any, g: Any) -> Any:
        u, state = transform.update(g, carry[1], carry[0])
        return (optax.apply_updates(carry[0], u), state), None

    stacked = [jnp.stack(gs) for gs in zip(*gradients, strict=True)]
    return jax.jit(lambda c: jax.lax.scan(step, c, stacked)[0])((jax.tree.map(jnp.asarray, params), state))


def assert_same(left: Any, right: Any) -> None:
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


FRAMEWORKS: dict[str, Any] = {
    "torch": (in_torch, torch_steps, al.state_from_torch, al.state_to_torch),
    "keras": (in_keras, keras_steps, al.state_from_keras, al.state_to_keras),
}


@pytest.mark.one_case_in(len(OF_TORCH))
@pytest.mark.parametrize(("spec", "translation"), [*OF_TORCH, *OF_KERAS])
def test_training_goes_on_from_the_framework_and_back(wide, spec, translation):
    begin, steps, state_from, state_to = FRAMEWORKS[spec.partition(".")[0]]
    start, gradients = data()
    whole = steps(*begin(spec), gradients)
    optimizer, params = begin(spec)
    half = steps(optimizer, params, gradients[:10])
    transform = parse(translation).build()
    after, _ = jax_steps(transform, state_from(optimizer, transform, half), half, gradients[10:])
    assert_same(after, whole)

    middle, state = jax_steps(transform, transform.init([*map(jnp.asarray, start)]), start, gradients[:10])
    optimizer, params = begin(spec)
    state_to(state, optimizer, middle)
    assert_same(steps(optimizer, params, gradients[10:]), whole)


def test_what_cannot_be_carried_over_is_told(wide):
    optimizer, params = in_torch("torch.Adam(lr=0.1)")
    half = torch_steps(optimizer, params, data()[1][:1])
    with pytest.raises(InputError, match=r"in PyTorch's order, with the shapes \[\(3, 2\), \(4,\)\]; not \[\(4,\)"):
        al.state_from_torch(optimizer, optax.adam(0.1), half[::-1])
    with pytest.raises(InputError, match="Adam has nothing that is trace of TraceState: is this its translation"):
        al.state_from_torch(optimizer, optax.sgd(0.1, momentum=0.9), half)
    with pytest.raises(InputError, match="the state of ASGD is not carried over; these are: Adadelta, Adam"):
        al.state_to_torch(optax.adam(0.1).init(half), in_torch("torch.ASGD(lr=0.1)")[0], half)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(2))]})
    with pytest.raises(InputError, match="one group of parameters; got 2"):
        al.state_from_torch(optimizer, optax.adam(0.1), half)


def without(optimizer: Any, field: str) -> Any:
    """The optimizer with a field of its first parameter's state lost."""
    optimizer.state[optimizer.param_groups[0]["params"][0]].pop(field)
    return optimizer


def fresh(optimizer: Any) -> Any:
    """The optimizer ahead of its first step."""
    optimizer.state.clear()
    return optimizer


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            lambda o, w: al.state_from_torch(torch.optim.Adam, optax.adam(0.1), w),
            "optimizer of PyTorch.*; got <class",
        ),
        (
            lambda o, w: al.state_from_torch(o.state_dict(), optax.adam(0.1), w),
            "optimizer of PyTorch.*; got {",
        ),
        (lambda o, w: al.state_from_keras(o, optax.adam(0.1), w), "an optimizer of Keras.*; got Adam"),
        (lambda o, w: al.state_from_torch(o, optax.adam, w), "a transformation that is built.*; got <function adam"),
        (
            lambda o, w: al.state_from_torch(o, "optax.adam(0.1)", w),
            "that is built.*; got 'optax.adam",
        ),
        (lambda o, w: al.state_from_torch(o, optax.adam(0.1), {"b": w[0], "a": w[1]}), "JAX sorts the keys"),
        (lambda o, w: al.state_from_torch(o, optax.adam(0.1), w, count=-1), "a whole number from 0 on; not -1"),
        (
            lambda o, w: al.state_from_torch(o, optax.adam(0.1), w),
            "has max_exp_avg_sq, which",
        ),
        (lambda o, w: al.state_from_torch(o, optax.adam(0.1), w, count=True), "from 0 on; not True"),
        (
            lambda o, w: al.state_from_torch(o, optax.adam(0.1), w, count=7),
            "Adam counts its steps, 1, and count says 7",
        ),
        (lambda o, w: al.state_from_torch(o, optax.adam(0.1), iter(w)), "expected arrays of.*; got <list_iterator"),
        (
            lambda o, w: al.state_from_torch(o, optax.adam(0.1), o.param_groups[0]["params"]),
            "p.detach.*; got Parameter",
        ),
        (lambda o, w: al.state_from_torch(o, optax.adam(0.1), [x.astype(int) for x in w]), "of floating-point numbers"),
        (
            lambda o, w: al.state_from_torch(o, optax.chain(optax.scale_by_amsgrad(), optax.adam(0.1)), w),
            "nothing that is nu_max",
        ),
        (
            lambda o, w: al.state_from_torch(o, optax.chain(optax.scale_by_adam(), optax.adam(0.1)), w),
            "Adam has a single exp_avg, which mu of several states",
        ),
        (lambda o, w: al.state_from_torch(without(o, "exp_avg"), optax.adam(0.1), w), "has nothing that is mu of .* 0"),
        (lambda o, w: al.state_from_torch(fresh(o), optax.adam(0.1), w), "has max_exp_avg_sq, which"),
        (lambda o, w: al.state_from_torch(fresh(o), optax.sgd(0.1, momentum=0.9), w), "has nothing that is trace"),
        (
            lambda o, w: al.state_from_torch(torch.optim.LBFGS(o.param_groups[0]["params"]), optax.sgd(0.1), w),
            "the state of LBFGS is not carried over: it asks for the loss",
        ),
        (
            lambda o, w: al.state_to_torch(
                optax.adam(0.1).init([x[:1] for x in w]), torch.optim.Adam(o.param_groups[0]["params"]), w
            ),
            r"of other parameters: its exp_avg has the shape \(1,\), and \(2,\)",
        ),
        (lambda o, w: al.state_to_torch(optax.adam(0.1).init(w[:1]), o, w), "of other parameters: its mu is PyTreeDef"),
    ],
)
def test_what_is_no_state_of_the_translation_is_refused(use, message):
    params = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    optimizer = torch.optim.Adam(params, lr=0.1, amsgrad=True)
    torch.stack([(p**2).sum() for p in params]).sum().backward()
    optimizer.step()
    with pytest.raises(InputError, match=message):
        use(optimizer, [p.detach().numpy() for p in params])


def test_fields_that_some_parameters_lack_are_carried_over(wide):
    optimizer, params = in_torch("torch.Adafactor(lr=0.1)")
    half = torch_steps(optimizer, params, data()[1][:1])
    state = al.state_from_torch(optimizer, al.from_torch(torch.optim.Adafactor)(lr=0.1), half)
    assert state.variance[0] is None
    assert state.row_var[1] is None
    np.testing.assert_allclose(state.row_var[0], optimizer.state[params[0]]["row_var"], rtol=1e-6)
    assert state.variance[1].min() > 0
    other, copied = in_torch("torch.Adafactor(lr=0.1)")
    al.state_to_torch(state, other, half)
    assert other.state[copied[1]].keys() == optimizer.state[params[1]].keys()

    muon, variables = in_keras("keras.Muon(learning_rate=0.1)")
    keras_half = keras_steps(muon, variables, data()[1][:1])
    kept = al.state_from_keras(muon, al.from_keras(keras.optimizers.Muon)(learning_rate=0.1), keras_half)
    assert jnp.abs(kept.velocity[1]).min() > 0


@pytest.mark.parametrize("name", ["Adadelta", "RMSprop", "SGD"])
def test_the_count_of_a_schedule_is_carried_over(wide, name):
    schedule = optax.linear_schedule(1.0, 0.5, 10)
    targets = {
        "Adadelta": optax.adadelta(schedule),
        "RMSprop": optax.rmsprop(schedule, decay=0.99, eps_in_sqrt=False),
        "SGD": optax.sgd(schedule),
    }
    optimizer, params = in_torch(f"torch.{name}(lr=0.1)")
    half = torch_steps(optimizer, params, data()[1][:5])
    told = {"count": 5} if name == "SGD" else {}
    assert count_in(al.state_from_torch(optimizer, targets[name], half, **told)) == 5
    theirs, variables = in_keras(f"keras.{name}(learning_rate=0.1)")
    keras_half = keras_steps(theirs, variables, data()[1][:2])
    assert count_in(al.state_from_keras(theirs, targets[name], keras_half)) == 2


def count_in(state: Any) -> Any:
    return optax.tree_utils.tree_get(state, "count")


def test_a_count_that_pytorch_does_not_keep_is_asked_for():
    optimizer, params = in_torch("torch.SGD(lr=0.1, momentum=0.9)")
    half = torch_steps(optimizer, params, data()[1][:3])
    scheduled = al.from_torch(torch.optim.SGD)(lr=optax.linear_schedule(1.0, 0.5, 10), momentum=0.9)
    with pytest.raises(InputError, match="SGD does not count its steps, and SGDState does: give count="):
        al.state_from_torch(optimizer, scheduled, half)
    assert al.state_from_torch(optimizer, scheduled, half, count=3).step[0] == 3
    plain, params = in_torch("torch.SGD(lr=0.1)")
    with pytest.raises(InputError, match="SGD does not count its steps, and ScaleByScheduleState does"):
        al.state_from_torch(plain, optax.sgd(optax.linear_schedule(1.0, 0.5, 10)), half)


def test_a_state_that_lacks_a_field_is_refused(wide):
    w = [jnp.asarray(x) for x in data()[0]]
    plain = optax.sgd(0.1, momentum=0.9).init(w)
    with pytest.raises(InputError, match="the state has nothing that is step of Adam: is it of its translation"):
        al.state_to_torch(plain, in_torch("torch.Adam(lr=0.1)")[0], w)
    with pytest.raises(InputError, match="the state has nothing that is momentum of Lion"):
        al.state_to_keras(optax.sgd(0.1).init(w), in_keras("keras.Lion(learning_rate=0.1)")[0], w)
    unbuilt = keras.optimizers.Adam()
    with pytest.raises(InputError, match=r"Adam is not built, so that it has no state: call optimizer.build"):
        al.state_from_keras(unbuilt, al.from_keras(keras.optimizers.Adam)(), w)


@pytest.mark.parametrize("wide_as", ["float64", "bfloat16"])
def test_a_state_takes_the_type_of_the_other_side(wide_as):
    dtype = getattr(torch, wide_as)
    param = torch.nn.Parameter(torch.ones(3, dtype=dtype))
    optimizer = torch.optim.Adam([param], lr=0.1)
    w = [jnp.ones(3)]
    transform = optax.adam(0.1)
    _, state = transform.update([jnp.ones(3)], transform.init(w), w)
    al.state_to_torch(state, optimizer, w)
    param.grad = torch.ones(3, dtype=dtype)
    optimizer.step()
    assert optimizer.state[param]["exp_avg"].dtype == dtype
    assert optimizer.state[param]["step"] == 2
    back: Any = al.state_from_torch(optimizer, transform, w)[0]
    assert back.mu[0].dtype == jnp.float32
    assert jnp.allclose(back.mu[0], 0.19, rtol=1e-2)
    narrow = [jnp.ones(3, jnp.bfloat16)]
    al.state_to_torch(transform.init(narrow), optimizer, narrow)


def test_a_parameter_that_never_had_a_gradient_begins():
    params = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    optimizer = torch.optim.SGD(params, lr=0.1, momentum=0.9, dampening=0.5)
    params[0].grad = torch.ones(2)
    optimizer.step()
    w = [p.detach().numpy() for p in params]
    state = al.state_from_torch(optimizer, al.from_torch(torch.optim.SGD)(momentum=0.9, dampening=0.5), w)
    assert [[int(x) for x in state.step], [x.tolist() for x in state.momentum_buffer]] == [[1, 0], [[1, 1], [0, 0]]]
    adam = torch.optim.Adam(params, lr=0.1)
    adam.step()
    params[1].grad = torch.ones(2)
    adam.step()
    with pytest.raises(InputError, match=r"one count for all parameters, and here each has its own: 2\.0, 1\.0"):
        al.state_from_torch(adam, optax.adam(0.1), w)


def test_masked_parameters_are_carried_over():
    optimizer, params = in_torch("torch.Adam(lr=0.1)")
    half = torch_steps(optimizer, params, data()[1][:2])
    transform = optax.multi_transform({"a": optax.adam(0.1), "b": optax.adam(0.1)}, ["a", "b"])
    state: Any = al.state_from_torch(optimizer, transform, half)
    np.testing.assert_allclose(
        state.inner_states["b"].inner_state[0].mu[1], optimizer.state[params[1]]["exp_avg"], rtol=1e-6
    )
    other, copied = in_torch("torch.Adam(lr=0.1)")
    al.state_to_torch(state, other, half)
    for p, q in zip(params, copied, strict=True):
        np.testing.assert_allclose(other.state[q]["exp_avg"], optimizer.state[p]["exp_avg"], rtol=1e-6)


def test_a_momentum_with_a_rate_of_0_is_refused():
    w = [np.ones(2)]
    theirs = keras.optimizers.SGD(0.0, momentum=0.9)
    theirs.build([keras.Variable(w[0])])
    transform = optax.sgd(0.1, momentum=0.9)
    for carry in (
        lambda: al.state_from_keras(theirs, transform, w),
        lambda: al.state_to_keras(transform.init(w), theirs, w),
    ):
        with pytest.raises(InputError, match="the learning rate of SGD is 0, and its momentum cannot be carried over"):
            carry()
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    with pytest.raises(InputError, match="the state of LossScaleOptimizer is not carried over: it scales the loss"):
        al.state_from_keras(scaled, transform, w)


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_states_can_be_pickled(framework):
    state = parse(f"{framework}.SGD(0.1, momentum=0.9)").build().init([jnp.ones(2)])
    copy = pickle.loads(pickle.dumps(state))
    assert type(copy) is type(state)
    assert copy._fields == state._fields


def test_places_are_the_same_whatever_the_order_of_names():
    variables = [keras.Variable(jnp.ones(2), name=name) for name in ("w", "w_1")]
    optimizer = keras.optimizers.Adam()
    optimizer.build(variables)
    for names in (["w", "w_1"], ["w_1", "w"]):
        fields = {field for (field, _), _ in places_of(optimizer, names)}
        assert fields == {"iteration", "learning_rate", "momentum", "velocity"}
