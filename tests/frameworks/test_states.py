"""Training that goes on mid-way in another library: 10 steps in one and 10 in the other are 20 in one."""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab.errors import InputError
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


def slow_but(first: int, cases: list[Any]) -> list[Any]:
    return [case if k < first else pytest.param(*case, marks=pytest.mark.slow) for k, case in enumerate(cases)]


@pytest.mark.parametrize(("spec", "translation"), slow_but(1, OF_TORCH))
def test_training_goes_on_from_torch_and_back(wide, spec, translation):
    _, gradients = data()
    optimizer, params = in_torch(spec)
    whole = torch_steps(optimizer, params, gradients)
    optimizer, params = in_torch(spec)
    half = torch_steps(optimizer, params, gradients[:10])
    transform = parse(translation).build()
    state = al.state_from_torch(optimizer, transform, half)
    after, _ = jax_steps(transform, state, half, gradients[10:])
    assert_same(after, whole)

    begin = data()[0]
    middle, state = jax_steps(transform, transform.init([*map(jnp.asarray, begin)]), begin, gradients[:10])
    optimizer, params = in_torch(spec)
    al.state_to_torch(state, optimizer, middle)
    assert_same(torch_steps(optimizer, params, gradients[10:]), whole)


@pytest.mark.parametrize(("spec", "translation"), slow_but(1, OF_KERAS))
def test_training_goes_on_from_keras_and_back(wide, spec, translation):
    _, gradients = data()
    optimizer, variables = in_keras(spec)
    whole = keras_steps(optimizer, variables, gradients)
    optimizer, variables = in_keras(spec)
    half = keras_steps(optimizer, variables, gradients[:10])
    transform = parse(translation).build()
    state = al.state_from_keras(optimizer, transform, half)
    after, _ = jax_steps(transform, state, half, gradients[10:])
    assert_same(after, whole)

    begin = data()[0]
    middle, state = jax_steps(transform, transform.init([*map(jnp.asarray, begin)]), begin, gradients[:10])
    optimizer, variables = in_keras(spec)
    al.state_to_keras(state, optimizer, middle)
    assert_same(keras_steps(optimizer, variables, gradients[10:]), whole)


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
