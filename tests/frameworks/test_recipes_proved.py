"""adamlab's recipes of PyTorch's optimizers, proved against PyTorch's own code."""

import pytest

from adamlab.recipes import RECIPES, like_torch
from adamlab.symbolic.proving.proofs import prove

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")


def sgd(lr, m, d, wd):
    return like_torch("SGD", lr=lr, momentum=m, dampening=d, weight_decay=wd)


def adagrad(lr, decay, a, e):
    return like_torch("Adagrad", lr=lr, lr_decay=decay, initial_accumulator_value=a, eps=e)


def rmsprop(lr, a, e, m):
    return like_torch("RMSprop", lr=lr, alpha=a, eps=e, momentum=m, centered=True, arithmetic="optax")


def adadelta(lr, r, e):
    return like_torch("Adadelta", lr=lr, rho=r, eps=e)


def adam(lr, b, c, e, wd):
    return like_torch("Adam", lr=lr, betas=(b, c), eps=e, weight_decay=wd)


def amsgrad(lr, b, c, e):
    return like_torch("Adam", lr=lr, betas=(b, c), eps=e, amsgrad=True)


def adamw(lr, b, c, e, wd):
    return like_torch("AdamW", lr=lr, betas=(b, c), eps=e, weight_decay=wd)


def adamax(lr, b, c, e):
    return like_torch("Adamax", lr=lr, betas=(b, c), eps=e, maximize=True)


def nadam(lr, b, c, e, psi):
    return like_torch("NAdam", lr=lr, betas=(b, c), eps=e, momentum_decay=psi)


CASES = {
    "torch.SGD(lr=lr, momentum=m, dampening=d, weight_decay=wd)": sgd,
    "torch.Adagrad(lr=lr, lr_decay=decay, initial_accumulator_value=a, eps=e)": adagrad,
    "torch.RMSprop(lr=lr, alpha=a, eps=e, momentum=m, centered=true)": rmsprop,
    "torch.Adadelta(lr=lr, rho=r, eps=e)": adadelta,
    "torch.Adam(lr=lr, beta1=b, beta2=c, eps=e, weight_decay=wd)": adam,
    "torch.Adam(lr=lr, beta1=b, beta2=c, eps=e, amsgrad=true)": amsgrad,
    "torch.AdamW(lr=lr, beta1=b, beta2=c, eps=e, weight_decay=wd)": adamw,
    "torch.Adamax(lr=lr, beta1=b, beta2=c, eps=e, maximize=true)": adamax,
    "torch.NAdam(lr=lr, beta1=b, beta2=c, eps=e, momentum_decay=psi)": nadam,
}


@pytest.mark.slow
@pytest.mark.parametrize("spec", CASES)
def test_a_recipe_is_pytorchs_for_every_t(spec):
    verdict = prove(spec, CASES[spec])
    assert verdict.holds, verdict


def test_every_recipe_is_proved():
    assert {spec.partition("(")[0].removeprefix("torch.") for spec in CASES} == {*RECIPES}
