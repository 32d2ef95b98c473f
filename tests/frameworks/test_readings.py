"""Formulas of PyTorch's and Keras's optimizers, read from their code: their numbers are the frameworks' own."""

import os
from typing import Any

import numpy as np
import pytest

import adamlab as al
from adamlab.specs import parse

os.environ.setdefault("KERAS_BACKEND", "jax")
torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
keras = pytest.importorskip("keras", reason="Keras is not installed: pip install keras")

GRADIENTS = [0.5, -2.0, 0.25]
START = 1.5

TORCH = [
    "torch.Adadelta(lr=0.5)",
    "torch.Adafactor(lr=0.1)",
    "torch.Adagrad(lr=0.1, lr_decay=0.1, initial_accumulator_value=0.2)",
    "torch.Adam(lr=0.1, beta1=0.8)",
    "torch.Adam(lr=0.1, amsgrad=true, beta2=0.9)",
    "torch.Adam(lr=0.1, weight_decay=0.1, maximize=true)",
    "torch.Adam(lr=0.1, weight_decay=0.1, decoupled_weight_decay=true)",
    "torch.AdamW(lr=0.1)",
    "torch.AdamW(lr=0.1, amsgrad=true)",
    "torch.Adamax(lr=0.1)",
    "torch.ASGD(lr=0.1, t0=1.0, lambd=0.1)",
    "torch.NAdam(lr=0.1)",
    "torch.NAdam(lr=0.1, weight_decay=0.1, decoupled_weight_decay=true)",
    "torch.RAdam(lr=0.1)",
    "torch.RAdam(lr=0.1, beta2=0.5)",
    "torch.RMSprop(lr=0.1)",
    "torch.RMSprop(lr=0.1, centered=true)",
    "torch.RMSprop(lr=0.1, momentum=0.9)",
    "torch.Rprop(lr=0.1)",
    "torch.SGD(lr=0.1)",
    "torch.SGD(lr=0.1, momentum=0.9)",
    "torch.SGD(lr=0.1, momentum=0.9, dampening=0.5)",
    "torch.SGD(lr=0.1, momentum=0.9, nesterov=true, weight_decay=0.1)",
]

KERAS = [
    "keras.Adadelta(learning_rate=0.5)",
    "keras.Adafactor(learning_rate=0.1)",
    "keras.Adagrad(learning_rate=0.1)",
    "keras.Adam(learning_rate=0.1)",
    "keras.Adam(learning_rate=0.1, amsgrad=true, beta_2=0.9)",
    "keras.AdamW(learning_rate=0.1)",
    "keras.Adamax(learning_rate=0.1)",
    "keras.Ftrl(learning_rate=0.1, l1_regularization_strength=0.01)",
    "keras.Lamb(learning_rate=0.1)",
    "keras.Lion(learning_rate=0.1)",
    "keras.Nadam(learning_rate=0.1)",
    "keras.RMSprop(learning_rate=0.1, centered=true)",
    "keras.RMSprop(learning_rate=0.1, momentum=0.9)",
    "keras.SGD(learning_rate=0.1, momentum=0.9, nesterov=true)",
    "keras.ScheduleFreeAdamW(learning_rate=0.1)",
]


def own_steps(spec: str) -> list[float]:
    """The updates of the framework's own optimizer, in float64."""
    call = parse(spec)
    given = dict(call.arguments)
    params, w = [START], START
    if call.library == "torch":
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        if {"beta1", "beta2"} & {*given}:
            given["betas"] = (given.pop("beta1", 0.9), given.pop("beta2", 0.999))
        param = torch.nn.Parameter(torch.tensor(START))
        optimizer = getattr(torch.optim, call.short)([param], **given)
        for g in GRADIENTS:
            param.grad = torch.tensor(g)
            optimizer.step()
            params.append(float(param.detach()))
        torch.set_default_dtype(before)
    else:
        keras.config.set_floatx("float64")
        variable = keras.Variable(w, dtype="float64")
        optimizer = getattr(keras.optimizers, call.short)(**given)
        for g in GRADIENTS:
            optimizer.apply([np.float64(g)], [variable])
            params.append(float(variable.value))
        keras.config.set_floatx("float32")
    return [float(x) for x in np.diff(params)]


def is_number(value: Any) -> bool:
    return isinstance(value, float) and value > 0


@pytest.mark.slow
@pytest.mark.parametrize("spec", [*TORCH, *KERAS])
def test_a_reading_gives_the_frameworks_numbers(spec, x64):
    open_by_default = {key for key, x in parse(spec).bound().items() if is_number(x)}
    needed = [key for key in parse(spec).arguments if key in open_by_default]
    call = parse(spec)
    flags = call.with_arguments({key: x for key, x in call.arguments.items() if key not in open_by_default})
    unrolled = al.unroll(flags, steps=3, symbols=needed)
    numbers = call.bound()
    known: dict[Any, Any] = {symbol: numbers[name] for name, symbol in unrolled.hyper.items()}
    known |= dict(zip(unrolled.gradients, GRADIENTS, strict=True)) | {unrolled.params[0]: START}
    values = [float(u.subs(known)) for u in unrolled.updates]
    np.testing.assert_allclose(values, own_steps(spec), rtol=1e-8, atol=1e-14)  # Keras rounds some to float32


@pytest.mark.slow
@pytest.mark.parametrize("spec", [*TORCH, *KERAS])
def test_every_optimizer_has_a_form_for_general_t(spec):
    name = spec.partition("(")[0]
    assert "u_t = " in al.closed_form(name).text()


def test_adams_closed_forms_show_where_epsilon_is():
    """PyTorch adds ε to the corrected root, Keras ahead of the correction."""
    u = al.closed_form("torch.Adam").text()
    assert u.startswith("m_t = (1 - β₁)·Σ_{i=1}^{t} β₁^(t-i)·g_i\nv_t = (1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·g_i²\n")
    assert "(1 - β₁^t)·(√(((1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·g_i²)/(1 - β₂^t)) + ε))" in u
    assert "·√(1 - β₂^t)·" in (keras_form := al.closed_form("keras.Adam").text())
    assert "(1 - β₁^t)·(√((1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·g_i²) + ε))" in keras_form


@pytest.mark.slow
def test_an_exact_trajectory_is_pytorchs(x64):
    e = al.exact("torch.Adam(lr=0.1, beta1=0.8)", GRADIENTS)
    own = own_steps("torch.Adam(lr=0.1, beta1=0.8)")
    np.testing.assert_allclose([float(u) for u in e.updates], own, rtol=1e-12)
    assert {"exp_avg", "exp_avg_sq", "step"} == {*e.states[0]}
