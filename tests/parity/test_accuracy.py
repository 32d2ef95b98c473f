"""How accurate the arithmetics are, by the exact reading: what adamlab promises, and what there is to be gained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import workdps

import adamlab as al
from adamlab.parity.families import gradients
from adamlab.parity.ulps import errors_in_ulps
from adamlab.rules import RULES

OPTIONS = {"adadelta": "1.0", "sgd": "0.01, momentum=0.9"}


CASES = [(name, "accurate") for name in RULES] + [(name, "weighted") for name in ("adam", "adamax", "amsgrad", "nadam")]


@pytest.mark.parametrize(("name", "arithmetic"), CASES)
def test_no_rule_is_less_accurate_than_optax_or_five_ulp(name, arithmetic):
    given = OPTIONS.get(name, "0.01")
    left = f'adamlab.{name}({given}, arithmetic="{arithmetic}")'
    table = al.compare(left, f"optax.{name}({given})", steps=60, context="scan").table
    too_much = table[table.left_median > np.maximum(table.right_median, 5)]
    assert too_much.empty, str(too_much[["family", "left_median", "right_median"]])


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_bfloat16_parameters_with_float32_states_are_rounded_once(name):
    spec = f'{name}(0.001, mu_dtype="float32"'
    c = al.compare(
        f'adamlab.{spec}, nu_dtype="float32")',
        f"optax.{spec})",
        steps=150,
        dtype="bfloat16",
        context="scan",
        families=["constant", "normal", "heavy_tailed", "spiked"],
    )
    # 0.6 of a half ulp; to be rounded to nearest once is 0.5 of it in the median, and all of it at most.
    assert (c.table.left_median <= 0.3).all()
    assert c.table.left_max.max() <= 0.51
    assert (c.table.right_median > 1).any()


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-6), ("float64", 2e-15)])
@pytest.mark.parametrize("complement", [1e-3, 1e-9, 0.0])
def test_weighted_adam_follows_its_limit_to_adagrad(complement, dtype, bound):
    families = ["normal", "heavy_tailed", "small"]
    c = al.compare(
        'adamlab.adam(inverse_sqrt(0.1), b1=0.0, b2=b2, eps=0.0, arithmetic="weighted")',
        "optax.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0)",
        hyper={"b2": al.Decay(complement=complement)},
        steps=120,
        dtype=dtype,
        context="scan",
        families=families,
    )
    # What is off the exact gap is the rounding of one mean of squares, a root and a quotient.
    assert (abs(c.table.gap - c.table.exact_gap) <= bound).all()
    if complement == 0:
        assert c.kind == "same formula"
    else:
        # First order in 1 − β₂: at most (t − 1)/4 of it.
        assert (c.table.exact_gap <= complement * 119 / 4 * 1.01).all()
        assert (c.table.exact_gap >= complement).all()


def test_a_compensated_sum_loses_nothing():
    names = ["normal", "spiked"]
    gs = gradients(names, 1000, "float32")
    rows = np.concatenate(list(gs.values()), axis=1)
    errors = {}
    for compensated in (False, True):
        transform = al.adagrad(0.1, compensated=compensated)
        state = transform.init(jnp.asarray(rows[0]))
        scan = jax.jit(lambda s, g, t=transform: jax.lax.scan(lambda s, g: t.update(g, s)[::-1], s, g)[1])
        exact = al.exact("optax.adagrad(0.1)", rows)
        with workdps(50):
            errors[compensated] = errors_in_ulps(np.asarray(scan(state, rows)), np.stack(exact.updates), "float32")
    assert np.median(errors[True]) < 1
    assert errors[True].max() <= 4  # a square, a root, two products
    assert np.median(errors[False]) > 1
