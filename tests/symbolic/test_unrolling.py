"""Steps written out: their form, what they are made of, their cost in size, and what is said of bad input."""

import json
from typing import Any
from xml.etree import ElementTree

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import sympy
from sympy import Abs, Rational, Symbol, expand, sqrt

import adamlab as al
from adamlab.errors import InputError
from adamlab.interpret import signs
from tests.symbolic.examples import transformation


def test_the_second_moment_expands_as_in_the_derivation():
    u = al.unroll(optax.adam, steps=3)
    b2, (g1, g2, g3) = u.hyper["b2"], u.gradients
    assert expand(u.states[2]["nu"] - (1 - b2) * (b2**2 * g1**2 + b2 * g2**2 + g3**2)) == 0
    assert str(u).splitlines()[7] == "v₃ = (1 - β₂)·(β₂²·g₁² + β₂·g₂² + g₃²)"


def test_a_condition_that_a_state_keeps_is_written_out():
    """1 − b has a short name while a step is read, which no formula shows."""

    def switched(b1=0.5, c=3.0):
        def update(g, on, w: Any = None):
            return -g, jnp.where(1 - b1 > c, True, False)

        return transformation(lambda w: jnp.array(False), update)

    u = al.unroll(switched, steps=2)
    (on,) = u.states[1].values()
    assert on == (1 - u.hyper["b1"] > u.hyper["c"])


def test_the_first_step_of_adam_is_the_sign():
    u = al.unroll(optax.adam, steps=1, hyper={"eps": 0})
    (g,) = u.gradients
    assert u.updates[0] == -u.hyper["learning_rate"] * g / Abs(g)
    assert u.params == [Symbol("w_0", real=True), Symbol("w_0", real=True) + u.updates[0]]
    assert u.states[0]["count"] == 1


def test_numbers_left_open_and_numbers_given():
    assert list(al.unroll(optax.adam, steps=1).hyper) == ["learning_rate", "b1", "b2", "eps"]
    assert list(al.unroll(optax.adam, steps=1, symbols=["eps_root"]).hyper)[-1] == "eps_root"
    assert "momentum" in al.unroll(optax.sgd, steps=1, symbols=["momentum"]).hyper
    given = al.unroll(optax.adam, steps=2, hyper={"b2": 0.999, "b1": "0.9"})
    assert given.states[0]["nu"] == given.gradients[0] ** 2 / 1000
    assert given.hyper.keys() == {"learning_rate", "eps"}
    spec = al.unroll("optax.rmsprop(lr, decay=b2, eps_in_sqrt=false)", steps=1)
    assert spec.hyper.keys() == {"lr", "b2", "eps"}
    formula = al.unroll(optax.adam, steps=1, hyper={"b1": Symbol("x")})
    assert formula.states[0]["mu"] == formula.gradients[0] * (1 - Symbol("x"))


def test_different_numbers_have_different_symbols():
    def factory(learning_rate, eta, beta, b1, g, t):
        return optax.sgd(learning_rate * eta + beta * b1 + g * t)

    u = al.unroll(factory, steps=1)
    assert len(set(u.hyper.values())) == 6
    assert not {str(s) for s in u.hyper.values()} & {"g", "t", "w"}


@pytest.mark.parametrize("arithmetic", ["optax", "accurate", "weighted"])
def test_arithmetics_are_one_formula(arithmetic):
    ours = al.unroll(al.adam, steps=3, hyper={"arithmetic": arithmetic})
    theirs = al.unroll(optax.adam, steps=3)
    point = {symbol: Rational(k + 2, 11) for k, symbol in enumerate(theirs.hyper.values())}
    point |= {g: Rational(n) for g, n in zip(theirs.gradients, (1, -2, 3), strict=True)}
    for a, b in zip(ours.updates, theirs.updates, strict=True):
        assert abs(a.subs(point).evalf(40) - b.subs(point).evalf(40)) < 1e-35


def test_schedules_are_read_at_their_steps():
    u = al.unroll("optax.sgd(inverse_sqrt(lr))", steps=4)
    assert u.updates == [-u.hyper["lr"] * g / sqrt(t) for t, g in enumerate(u.gradients, start=1)]
    u = al.unroll("optax.sgd(cosine(lr, 2))", steps=3)
    assert u.updates == [-u.hyper["lr"] * u.gradients[0], -u.hyper["lr"] * u.gradients[1] / 2, 0]


def test_arrays_are_read_entry_by_entry():
    u = al.unroll(optax.lamb, steps=1, shape=(2,))
    assert u.gradients[0].shape == u.updates[0].shape == u.states[0]["nu"].shape == (2,)
    assert u.updates[0][0].has(u.gradients[0][1])
    assert "w_t" not in str(u.assumptions)
    elementwise = al.unroll(optax.adam, steps=1, shape=(2, 1))
    assert not elementwise.updates[0][0, 0].has(elementwise.gradients[0][1, 0])
    assert str(elementwise).splitlines()[1].startswith("m_(1,0,0) = ")


def test_the_loss_is_a_symbol_where_it_is_asked_for():
    u = al.unroll(optax.polyak_sgd, steps=2, hyper={"max_learning_rate": 1, "scaling": 1})
    assert u.updates[1].has(u.values[1])


def test_assumptions_and_constants_are_told():
    assert al.unroll(optax.adagrad, steps=3).assumptions == ("η, G₀, ε > 0",)  # so that no G_t is 0
    from_zero = al.unroll(optax.adagrad, steps=3, hyper={"initial_accumulator_value": 0})
    assert from_zero.assumptions == ("η, ε > 0", "G_t ≠ 0")
    assert al.unroll(optax.adam, steps=1).assumptions == ("0 < β₁ < 1, 0 < β₂ < 1, η, ε > 0",)

    def rounded(learning_rate):
        return optax.sgd(learning_rate * jnp.float32(0.1))

    u = al.unroll(rounded, steps=1)
    assert u.updates[0] == -u.hyper["learning_rate"] * u.gradients[0] / 10
    assert u.assumptions[-1] == "0.1 from the code, as meant or exactly"


def test_where_code_branches_on_a_number_it_is_a_constant_and_told():
    def branching(learning_rate, b1=0.9):
        return optax.trace(b1) if b1 > 0.5 else optax.sgd(learning_rate)

    u = al.unroll(branching, steps=2)
    assert u.updates[1] == Rational(9, 10) * u.gradients[0] + u.gradients[1]
    assert u.assumptions[-1] == "b1 = 0.9, since the code branches on it"


def test_conditions_on_states_that_lie_on_steps_are_never_assumed():
    """In rprop a previous update of 0 is no single point: it follows every change of sign."""
    u = al.unroll(optax.rprop, steps=3)
    assert not any("≠" in assumption for assumption in u.assumptions)
    numbers = {u.hyper[name]: n for name, n in {"learning_rate": 0.1, "eta_minus": 0.5, "eta_plus": 1.2}.items()}
    numbers |= {u.hyper["min_step_size"]: 1e-6, u.hyper["max_step_size"]: 50}
    gradients = [1.0, -2.0, 3.0]
    values = dict(zip(u.gradients, gradients, strict=True)) | numbers
    exact = al.exact(optax.rprop, gradients, {"learning_rate": 0.1})
    for ours, theirs in zip(u.updates, exact.updates, strict=True):
        assert float(ours.subs(values)) == pytest.approx(float(theirs))


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("factory", [optax.adam, al.adam], ids=["optax", "adamlab"])
def test_definitions_grow_linearly(factory):
    def size(steps):
        return sum(sympy.count_ops(e) + 1 for _, e in al.unroll(factory, steps=steps).definitions)

    assert size(16) - size(8) <= 1.1 * (size(8) - size(4)) * 2


def test_no_sign_is_looked_for_that_is_open(monkeypatch):
    # The expansions of 1 − β^t get longer with t, so that those of 400 steps would take minutes.
    monkeypatch.setattr(signs, "_sign_when_stretched", lambda *_: pytest.fail("a formula was expanded for its sign"))
    signs.sign_of.cache_clear()
    al.unroll(optax.adam, 4)


def test_definitions_lead_to_the_updates():
    u = al.unroll(optax.nadam, steps=4)
    full = {}
    for symbol, e in u.definitions:
        full[symbol] = e.xreplace(full)
        assert symbol not in e.free_symbols
    (last,) = [e for symbol, e in full.items() if symbol.name == "u_4"]
    point = {s: Rational(k + 1, 20) for k, s in enumerate(sorted(last.free_symbols, key=str))}
    assert abs(last.subs(point).evalf(30) - u.updates[3].subs(point).evalf(30)) < 1e-25


def test_every_format_holds_the_same_equations():
    u = al.unroll(optax.adam, steps=2)
    assert u.latex().count("&=") == 6
    assert u._repr_latex_().startswith("$$\n\\begin{aligned}")
    assert len(ElementTree.fromstring(u.mathml()).findall(".//{*}mtr")) == 6
    assert "&" not in u.mathml().replace("&lt;", "").replace("&gt;", "").replace("&amp;", "")
    data = json.loads(json.dumps(u.to_dict()))
    assert [row["left"] for row in data["equations"]] == ["m₁", "v₁", "u₁", "m₂", "v₂", "u₂"]
    assert "v² = (1 - β₂)·(β₂·(g¹)² + (g²)²)" in u.text(superscripts=True)
    assert str(al.unroll(optax.adam, steps=60)).count("\n") > 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be a whole number of at least 1, not 0"),
        ({"hyper": {"b3": 1}}, "optax.adam has no argument 'b3'; did you mean"),
        ({"symbols": ["b9"]}, "optax.adam has no number 'b9'; did you mean"),
        ({"hyper": {"b1": "much"}}, "b1 must be a number"),
        ({"symbols": ["nesterov"]}, "optax.adam has no number 'nesterov'"),
    ],
)
def test_bad_input_is_told(arguments, message):
    with pytest.raises(InputError, match=message):
        al.unroll(optax.adam, **arguments)


def test_what_does_not_run_is_told():
    with pytest.raises(InputError, match=r"optax\.sm3 cannot be read on an array of shape \(\)"):
        al.unroll(optax.sm3)
    with pytest.raises(InputError, match="cannot read the primitive 'random_"):
        al.unroll(optax.noisy_sgd, hyper={"key": 0})
    assert np.shape(al.unroll(optax.sm3, shape=(2,), steps=1).updates[0]) == (2,)
