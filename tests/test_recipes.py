"""The recipes against PyTorch's recorded steps in float64, the record against PyTorch itself, and wrong arguments."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab.errors import InputError
from adamlab.recipes import RECIPES, like_torch
from adamlab.types import Decay
from tests.harness import start, step_of
from tests.torch_paths import (
    CASES,
    KEPT,
    SCHEDULED,
    START,
    Arguments,
    defaults,
    factor,
    gradients,
    key,
    made_by,
    recorded,
    torch_path,
)

pytestmark = pytest.mark.optimized(False)

RECORD = recorded()

# PyTorch forms 1 − 0.999 in binary, which alone is 1e-13 off; any other formula is off by more than 1e-9.
TOLERANCE = 1e-12


@pytest.fixture
def torch():
    """PyTorch with float64 as its default, since it keeps NAdam's `mu_product` in the default type."""
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


def paths_of(transforms: Mapping[str, Any]) -> dict[str, jax.Array]:
    """The parameters after each step by each transformation, all in one program."""

    def step(carry, g):
        params, states, _ = step_of(transforms)(*carry, g)
        return (params, states), params

    begin = start(transforms, jnp.asarray(START))
    return jax.jit(lambda gs: jax.lax.scan(step, begin, gs)[1])(jnp.asarray(gradients()))


def path_of(transform) -> jax.Array:
    return paths_of({"": transform})[""]


def test_the_record_is_pytorchs(torch):
    """Rounded as here, whatever version of PyTorch and machine it was made by."""
    now = json.loads(json.dumps(made_by(torch)))
    assert now["defaults"] == RECORD["defaults"]
    for kind in ("paths", "lengths"):
        assert now[kind].keys() == RECORD[kind].keys()
        for case, values in now[kind].items():
            np.testing.assert_allclose(values, RECORD[kind][case], rtol=1e-12, atol=1e-15)


def test_nadam_is_within_a_float32_of_pytorch_as_it_comes(torch, x64):
    torch.set_default_dtype(torch.float32)  # of which `mu_product` is, whatever the parameters are
    theirs = torch_path(torch, "NAdam", {})[np.array(KEPT) - 1]
    ours = path_of(like_torch("NAdam"))[np.array(KEPT) - 1]
    assert TOLERANCE < (np.abs(ours - theirs).max(axis=0) / RECORD["lengths"]["NAdam()"]).max() <= 1e-6


def scheduled(name: str, arguments: Arguments) -> Any:
    others = {argument: value for argument, value in arguments.items() if argument != "lr"}
    return like_torch(name, lr=lambda count: arguments["lr"] * factor(count), **others)


SAME: dict[str, tuple[str, Callable[[], Any]]] = {
    **{key(*case): (key(*case), partial(like_torch, case[0], **case[1])) for case in CASES},
    **{key(*case, True): (key(*case, True), partial(scheduled, *case)) for case in SCHEDULED},
    **{
        f"{key(*case)} {arithmetic}": (key(*case), partial(like_torch, case[0], **case[1], arithmetic=arithmetic))
        for case in (*((name, {}) for name in RECIPES), ("Adam", {"amsgrad": True}))
        for arithmetic in ("optax", "weighted")
    },
}
"""By what is special about it, a case of the record and the recipe that is to take its steps."""

WRONG: dict[str, tuple[str, Callable[[], Any]]] = {
    "dampening at the first step too": (
        key("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.9}),
        lambda: optax.chain(optax.scale(0.1), al.sgd(0.1, 0.9)),
    ),
    "the weights turned around too": (
        key("SGD", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
        lambda: optax.chain(like_torch("sgd", lr=0.1, weight_decay=0.1), optax.scale(-1.0)),
    ),
    "a sum from 0.1": ("Adagrad()", lambda: al.adagrad(1e-2)),
    "Adagrad's ε inside": ("Adagrad()", lambda: al.adagrad(1e-2, 0.0, 1e-10)),
    "a decay of the rate a step early": (
        key("Adagrad", {"lr": 0.1, "lr_decay": 0.05, "eps": 1e-2}),
        lambda: like_torch("Adagrad", lr=lambda count: 0.1 / (1 + (count + 1) * 0.05), eps=1e-2),
    ),
    "RMSProp's ε inside": ("RMSprop()", lambda: al.rmsprop(1e-2, decay=0.99)),
    "Optax's decay": ("RMSprop()", lambda: al.rmsprop(1e-2, eps_in_sqrt=False)),
    "centered": ("RMSprop()", lambda: like_torch("RMSprop", centered=True)),
    "coupled": (
        key("Adam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
        lambda: like_torch("Adam", weight_decay=0.1),
    ),
    "the maximum of the corrected": (key("Adam", {"amsgrad": True}), lambda: al.amsgrad(1e-3)),
    "Optax's weight decay": ("AdamW()", lambda: al.adamw(1e-3)),
    "another ε": ("Adamax()", lambda: like_torch("Adamax", eps=1e-3)),
    "a constant momentum": ("NAdam()", lambda: al.nadam(2e-3)),
    "a momentum that grows faster": ("NAdam()", lambda: like_torch("NAdam", momentum_decay=0.5)),
    "the learning rate ahead of the momentum": (
        key("RMSprop", dict(SCHEDULED)["RMSprop"], scheduled=True),
        lambda: al.rmsprop(
            lambda count: 0.1 * factor(count), decay=0.99, eps_in_sqrt=False, momentum=0.9, centered=True
        ),
    ),
}
"""By what is wrong, a case of the record, and what comes close to it."""


@pytest.fixture(scope="module")
def differences() -> dict[str, float]:
    """The largest difference from PyTorch's path at the recorded steps, in units of each coordinate's path length."""
    cases = SAME | WRONG
    with jax.enable_x64(True):
        paths = jax.tree.map(np.asarray, paths_of({name: make() for name, (_, make) in cases.items()}))
    apart = {
        name: paths[name][np.array(KEPT) - 1] - np.array(RECORD["paths"][case]) for name, (case, _) in cases.items()
    }
    return {name: float((np.abs(apart[name]).max(axis=0) / RECORD["lengths"][cases[name][0]]).max()) for name in cases}


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("name", SAME)
def test_the_steps_are_pytorchs(differences, name):
    assert differences[name] <= TOLERANCE


@pytest.mark.parametrize("name", WRONG)
def test_a_mapping_left_out_is_seen(differences, name):
    assert differences[name] > 1e-9


@pytest.mark.parametrize("name", RECIPES)
def test_arguments_and_defaults_are_pytorchs_own(name):
    ours = {argument: value for argument, value in defaults(RECIPES[name]).items() if argument != "arithmetic"}
    assert json.loads(json.dumps(ours)) == RECORD["defaults"][name]


def test_names_come_in_any_case_and_how_to_compute_changes_nothing(x64):
    plain = path_of(like_torch("RMSprop", centered=True))
    same = path_of(like_torch("rmsprop", centered=True, foreach=True, capturable=False))
    np.testing.assert_array_equal(same, plain)


def test_a_decay_can_stand_for_a_rate(x64):
    number = path_of(like_torch("Adam", betas=(0.9, 0.99), amsgrad=True))
    decay = path_of(like_torch("Adam", betas=(Decay(0.9), Decay(complement=0.01)), amsgrad=True))
    np.testing.assert_array_equal(decay, number)


def test_numbers_can_be_traced(x64):
    def last(numbers):
        rate, b2, dampening = numbers
        nadam = like_torch("NAdam", lr=rate, betas=(0.9, b2), weight_decay=rate)
        sgd = like_torch("SGD", lr=rate, momentum=b2, dampening=dampening)
        return [path_of(transform)[-1] for transform in (nadam, sgd)]

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
