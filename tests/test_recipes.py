"""The recipes against PyTorch itself, step for step in float64, and what they say to wrong arguments."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab.errors import InputError
from adamlab.recipes import HOW, RECIPES, like_torch
from adamlab.types import Decay

STEPS = 60
START = np.array([1.0, -2.0, 0.5, 0.3, -0.7, 0.02])
# PyTorch forms 1 − 0.999 in binary, which alone is 1e-13 off; any other formula is off by more than 1e-9.
TOLERANCE = 1e-12

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.9}),
    ("SGD", {"lr": 0.1, "dampening": 0.5}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.05, "eps": 1e-2}),
    ("Adagrad", {"initial_accumulator_value": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.9, "eps": 1e-3, "momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.8, "weight_decay": 0.1, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.95, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adam", {"amsgrad": True}),
    ("Adam", {"amsgrad": True, "betas": (0.8, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"betas": (0.8, 0.95), "eps": 1e-3, "momentum_decay": 0.5, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"momentum_decay": 0.0, "weight_decay": 0.1, "decoupled_weight_decay": True}),
]


@pytest.fixture
def torch():
    """PyTorch with float64 as its default, since it keeps NAdam's `mu_product` in the default type."""
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


@pytest.fixture
def gradients(rng) -> np.ndarray:
    """(STEPS, 6): scales from 1e-3 to 10, flipping signs, a column that starts with exact zeros, one that ends so."""
    gradients = rng.normal(size=(STEPS, len(START))) * np.array([1e-3, 1e-2, 0.1, 1.0, 10.0, 1.0])
    gradients[:, 3] = np.abs(gradients[:, 3]) * np.where(np.arange(STEPS) % 2, -1.0, 1.0)
    gradients[:20, 4] = gradients[40:, 5] = 0.0
    return gradients


def factor(count):
    return 1 / (1 + 0.5 * count)


def torch_path(torch, name: str, arguments: dict[str, Any], gradients: np.ndarray, scheduled=False) -> np.ndarray:
    """The parameters after each step; `scheduled`: with the learning rate times `factor`, by LambdaLR."""
    param = torch.nn.Parameter(torch.tensor(START))
    optimizer = getattr(torch.optim, name)([param], **arguments)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor if scheduled else lambda count: 1.0)
    path = []
    for g in gradients:
        param.grad = torch.tensor(g)
        optimizer.step()
        scheduler.step()
        path.append(param.detach().numpy().copy())
    return np.stack(path)


def path_of(transform, gradients: np.ndarray) -> jax.Array:
    """The parameters after each step."""

    def step(carry, g):
        params, state = carry
        u, state = transform.update(g, state, params)
        params = optax.apply_updates(params, u)
        return (params, state), params

    params = jnp.asarray(START)
    run = jax.jit(lambda gs: jax.lax.scan(step, (params, transform.init(params)), gs)[1])
    return run(jnp.asarray(gradients))


def difference(ours: jax.Array, theirs: np.ndarray) -> float:
    """The largest difference over the whole path, each coordinate's in units of the length of its path."""
    lengths = np.abs(np.diff(np.vstack([START, theirs]), axis=0)).sum(axis=0)
    return float((np.abs(ours - theirs).max(axis=0) / lengths).max())


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_the_steps_are_pytorchs(torch, x64, gradients, name, arguments):
    theirs = torch_path(torch, name, arguments, gradients)
    assert difference(path_of(like_torch(name, **arguments), gradients), theirs) <= TOLERANCE


SCHEDULED = [
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.9, "centered": True}),
    ("Adadelta", {"lr": 1.0}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.1}),
    ("NAdam", {"lr": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("name", "arguments"), SCHEDULED)
def test_a_schedule_is_pytorchs_scheduler(torch, x64, gradients, name, arguments):
    theirs = torch_path(torch, name, arguments, gradients, scheduled=True)
    ours = like_torch(name, **arguments | {"lr": lambda count: arguments["lr"] * factor(count)})
    assert difference(path_of(ours, gradients), theirs) <= TOLERANCE


@pytest.mark.parametrize("arithmetic", ["optax", "weighted"])
@pytest.mark.parametrize("name", [*RECIPES, "AMSGrad"])
def test_every_arithmetic_reads_the_same_formula(torch, x64, gradients, name, arithmetic):
    name, arguments = ("Adam", {"amsgrad": True}) if name == "AMSGrad" else (name, {})
    theirs = torch_path(torch, name, arguments, gradients)
    assert difference(path_of(like_torch(name, **arguments, arithmetic=arithmetic), gradients), theirs) <= TOLERANCE


def test_nadam_is_within_a_float32_of_pytorch_as_it_comes(torch, x64, gradients):
    torch.set_default_dtype(torch.float32)  # of which `mu_product` is, whatever the parameters are
    theirs = torch_path(torch, "NAdam", {}, gradients)
    assert TOLERANCE < difference(path_of(like_torch("NAdam"), gradients), theirs) <= 1e-6


WRONG = [
    ("SGD", {"momentum": 0.9, "dampening": 0.5}, lambda: optax.chain(optax.scale(0.5), al.sgd(1e-3, 0.9))),
    (
        "SGD",
        {"weight_decay": 0.1, "maximize": True},
        lambda: optax.chain(like_torch("sgd", weight_decay=0.1), optax.scale(-1.0)),
    ),
    ("Adagrad", {}, lambda: al.adagrad(1e-2)),  # starts at 0.1
    ("Adagrad", {}, lambda: al.adagrad(1e-2, 0.0, 1e-10)),  # ε inside
    ("Adagrad", {"lr_decay": 0.1}, lambda: like_torch("Adagrad", lr=lambda count: 1e-2 / (1 + (count + 1) * 0.1))),
    ("RMSprop", {}, lambda: al.rmsprop(1e-2, decay=0.99)),  # ε inside
    ("RMSprop", {}, lambda: al.rmsprop(1e-2, eps_in_sqrt=False)),  # Optax's decay
    ("RMSprop", {}, lambda: like_torch("RMSprop", centered=True)),
    ("Adam", {"weight_decay": 0.1}, lambda: al.adamw(1e-3, weight_decay=0.1)),  # decoupled
    ("Adam", {"amsgrad": True}, lambda: al.amsgrad(1e-3)),  # the maximum of the corrected
    ("Adam", {"amsgrad": True, "eps": 1e-3}, lambda: like_torch("Adam", amsgrad=True)),
    ("AdamW", {}, lambda: al.adamw(1e-3)),  # Optax's weight decay
    ("Adamax", {"eps": 1e-3}, lambda: like_torch("Adamax")),
    ("NAdam", {}, lambda: al.nadam(2e-3)),  # constant momentum
    ("NAdam", {"momentum_decay": 0.5}, lambda: like_torch("NAdam")),
]


@pytest.mark.parametrize(("name", "arguments", "wrong"), WRONG)
def test_a_mapping_left_out_is_seen(torch, x64, gradients, name, arguments, wrong):
    assert difference(path_of(wrong(), gradients), torch_path(torch, name, arguments, gradients)) > 1e-9


def test_the_learning_rate_ahead_of_the_momentum_is_seen(torch, x64, gradients):
    theirs = torch_path(torch, "RMSprop", {"lr": 0.1, "momentum": 0.9}, gradients, scheduled=True)
    ahead = al.rmsprop(lambda count: 0.1 * factor(count), decay=0.99, eps_in_sqrt=False, momentum=0.9)
    assert difference(path_of(ahead, gradients), theirs) > 1e-9


@pytest.mark.parametrize("name", RECIPES)
def test_arguments_and_defaults_are_pytorchs_own(torch, name):
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    ours = inspect.signature(RECIPES[name]).parameters
    assert {key: p.default for key, p in ours.items() if key != "arithmetic"} == {
        key: p.default for key, p in theirs.items() if key not in ("params", *HOW)
    }


def test_names_come_in_any_case_and_how_to_compute_changes_nothing(x64, gradients):
    plain = path_of(like_torch("RMSprop", centered=True), gradients)
    same = path_of(like_torch("rmsprop", centered=True, foreach=True, capturable=False), gradients)
    np.testing.assert_array_equal(same, plain)


def test_a_decay_can_stand_for_a_rate(x64, gradients):
    number = path_of(like_torch("Adam", betas=(0.9, 0.99), amsgrad=True), gradients)
    decay = path_of(like_torch("Adam", betas=(Decay(0.9), Decay(complement=0.01)), amsgrad=True), gradients)
    np.testing.assert_array_equal(decay, number)


def test_numbers_can_be_traced(x64, gradients):
    def last(numbers):
        rate, b2, dampening = numbers
        nadam = like_torch("NAdam", lr=rate, betas=(0.9, b2), weight_decay=rate)
        sgd = like_torch("SGD", lr=rate, momentum=b2, dampening=dampening)
        return [path_of(transform, gradients)[-1] for transform in (nadam, sgd)]

    numbers = (0.1, 0.9, 0.5)
    np.testing.assert_allclose(jax.jit(last)(numbers), last(numbers), rtol=1e-12)


@pytest.mark.parametrize("name", RECIPES)
def test_updates_keep_the_types_of_the_gradients(name):
    params = {"a": jnp.ones(3, jnp.bfloat16), "b": jnp.ones((), jnp.float32)}
    transform = like_torch(name, weight_decay=0.1)
    state = transform.init(params)
    updates, after = transform.update(params, state, params)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), (updates, after)) == jax.tree.map(
        lambda x: (x.shape, x.dtype), (params, state)
    )


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("rmsporp", {}, r"like_torch knows SGD, .*, NAdam.*, and not 'rmsporp'; did you mean \"rmsprop\"\?"),
        ("amsgrad", {}, "AMSGrad is Adam with amsgrad=True"),
        ("RMSprop", {"decay": 0.9}, "torch.optim.RMSprop has no argument 'decay'; did you mean"),
        ("SGD", {"betas": (0.9, 0.9)}, "torch.optim.SGD has no argument 'betas'; valid here: lr, momentum, dampening"),
        ("sgd", {"nesterov": True}, "a momentum above 0 and no dampening, not with momentum=0 and dampening=0"),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "no dampening, not with .*dampening=0.1"),
        ("Adam", {"betas": 0.9}, r"torch.optim.Adam: betas must be a pair of numbers in \[0, 1\).*, not 0\.9"),
        ("Adam", {"betas": (0.9, 1.0)}, r"betas must be .*, not \(0\.9, 1\.0\)"),
        ("Adam", {"lr": "0.1"}, "lr must be a number of at least 0, or a schedule, not '0.1'"),
        ("Adam", {"eps": -1e-8}, "eps must be a number of at least 0, not -1e-08"),
        ("Adam", {"weight_decay": lambda count: 0.1}, "weight_decay must be a number of at least 0, not <function"),
        ("RMSprop", {"momentum": True}, "momentum must be a number of at least 0, or a Decay, not True"),
        ("RMSprop", {"centered": 1}, "torch.optim.RMSprop: centered must be True or False, not 1"),
    ],
)
def test_mistakes_are_told_in_words(name, arguments, message):
    with pytest.raises(InputError, match=message):
        like_torch(name, **arguments)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_an_unknown_arithmetic_is_told(amsgrad):
    with pytest.raises(ValueError, match="arithmetic must be one of 'optax', 'accurate', 'weighted', not 'exact'"):
        like_torch("Adam", amsgrad=amsgrad, arithmetic="exact")
