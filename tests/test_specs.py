"""Specs: read, refused with one clear message, never evaluated."""

import jax.numpy as jnp
import numpy as np
import pytest

import adamlab as al
from adamlab.calls import SpecError, Symbol, arguments
from adamlab.frameworks import keras3, pytorch
from adamlab.rules import RULES
from adamlab.specs import find, parse


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("adamlab.adam", "adamlab.adam()"),
        ("optax.rmsprop(0.01, decay=0.9)", "optax.rmsprop(learning_rate=0.01, decay=0.9)"),
        ("optax.adam(lr, b2=b2, nesterov=true)", "optax.adam(learning_rate=lr, b2=b2, nesterov=true)"),
        ("adamlab.sgd(-1, momentum=none)", "adamlab.sgd(learning_rate=-1, momentum=none)"),
        ("adamlab.adam(inverse_sqrt(0.1))", "adamlab.adam(learning_rate=inverse_sqrt(init=0.1))"),
        ('adamlab.adam(0.1, mu_dtype="float32")', 'adamlab.adam(learning_rate=0.1, mu_dtype="float32")'),
        ("optax.sgd(cosine(0.1, n))", "optax.sgd(learning_rate=cosine(init=0.1, steps=n))"),
        (
            "optax.sgd(piecewise(0.1, [100, 200], factor=k))",
            "optax.sgd(learning_rate=piecewise(init=0.1, boundaries=[100, 200], factor=k))",
        ),
        ("optax.contrib.prodigy(0.1)", "optax.contrib.prodigy(learning_rate=0.1)"),  # betas, a tuple, is left as it is
        ("optax.contrib.ademamix(0.1)", "optax.contrib.ademamix(learning_rate=0.1)"),
    ],
)
def test_a_spec_is_read_and_written(text, written):
    assert str(parse(text)) == written
    assert str(parse(written)) == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adamlab.adm(0.1)", 'did you mean "adamlab.adam"?'),
        ("adam(0.1)", "write adamlab.adam or optax.adam"),
        ("adamlab.adam(0.1, b3=0.9)", 'did you mean "b'),
        ("adamlab.adam(0.1, b2=2)", r"b2 must be a number in [0, 1], not 2"),
        ("optax.adam(0.1, b1='x')", 'b1 must be a number, not "x"'),
        ("adamlab.adam(0.1, b1=none)", "b1 must be a number in [0, 1], not none"),
        ("adamlab.adam(0.1, nesterov=none)", "nesterov must be true or false, not none"),
        ("adamlab.adam(0.1, nesterov=1)", "nesterov must be true or false, not 1"),
        ('adamlab.adam(0.1, arithmetic="exact")', 'one of "optax", "accurate", "weighted", not "exact"'),
        ('adamlab.adam(0.1, mu_dtype="int32")', "the name of a floating-point type"),
        ("adamlab.adam(0.1, 0.2, 0.3, 0.4, 0.5, none, 7)", "at most 6 arguments without a name, not 7"),
        ("adamlab.adam(0.1, learning_rate=0.2)", "learning_rate is given twice"),
        ("adamlab.adam(**{})", "cannot be unpacked"),
        ("adamlab.adam(__import__('os'))", 'no schedule "__import__"'),
        ("adamlab.adam(open('x').read())", "parsed and never evaluated"),
        ("adamlab.adam(1 + 1)", "parsed and never evaluated"),
        ("adamlab.adam(inverse_sqr(0.1))", 'did you mean "inverse_sqrt"?'),
        ("adamlab.adam(eps=inverse_sqrt(0.1))", "eps must be a number, not inverse_sqrt"),
        ("adamlab.adam([0.1, lr])", "learning_rate must be a number or a schedule, not [0.1, lr]"),
        ("adamlab.adam(linear(0.1, 0, 0))", "linear: steps must be a whole number of steps from 1, not 0"),
        ("adamlab.adam(linear(0.1, 0, 2.5))", "steps must be a whole number of steps from 1, not 2.5"),
        ("adamlab.adam(piecewise(0.1, 3))", "boundaries must be a list of whole numbers of steps, each greater"),
        ("adamlab.adam(piecewise(0.1, []))", "boundaries must be a list"),
        ("adamlab.adam(piecewise(0.1, [3, 2]))", "each greater than the one before, not [3, 2]"),
        ("adamlab.adam(piecewise(0.1, [n]))", "boundaries must be a list"),
        ("optax.inject_hyperparams(1)", "optax.inject_hyperparams is called twice"),
        ("os.system('true')", 'no optimizer "os.system"'),
        ("adamlab.adam(", "is not a spec"),
        ("", "is not a spec"),
        ("3", "does not start with the name of an optimizer"),
        ("adamlab.adam(0.1)(0.2)", "only optax.inject_hyperparams is called twice"),
        (f"adamlab.adam({10**400})", "learning_rate must be a number"),
        (f"adamlab.adam({'-' * 5000}1)", "is not a spec"),
        ("adamlab" + ".a" * 5000, "is not a spec"),
        ("adamlab.adam(-True)", "parsed and never evaluated"),
        ("optax.conditionally_mask", 'no optimizer "optax.conditionally_mask"'),
    ],
)
def test_what_is_no_spec_is_refused_with_a_remedy(text, message):
    with pytest.raises(SpecError) as error:
        parse(text)
    assert message in str(error.value)


def test_a_call_builds_the_transformation_it_names():
    g = jnp.array([0.5, -2.0])
    built = parse("adamlab.adam(lr, b2=decay, nesterov=true)").build({"lr": 0.1, "decay": 0.9})
    plain = al.adam(0.1, b2=0.9, nesterov=True)
    np.testing.assert_array_equal(built.update(g, built.init(g))[0], plain.update(g, plain.init(g))[0])
    with pytest.raises(SpecError, match="decay is a symbol that was given no number"):
        parse("adamlab.adam(0.1, b2=decay)").build()


def test_symbols_know_what_they_stand_for():
    spec = parse("adamlab.adam(inverse_sqrt(start), b2=decay)")
    assert {symbol.name: argument.kind for symbol, argument in spec.symbols()} == {"start": "number", "decay": "decay"}
    filled = spec.with_numbers({"start": 0.1, "decay": 0.9})
    assert str(filled) == "adamlab.adam(learning_rate=inverse_sqrt(init=0.1), b2=0.9)"
    assert filled.numbers() == {"learning_rate.init": 0.1, "b2": 0.9}
    assert spec.numeric() == {"learning_rate.init": Symbol("start"), "b2": Symbol("decay")}
    counted = {s.name: a.kind for s, a in parse("optax.sgd(warmup_cosine(0.1, n, m))").symbols()}
    assert counted == {"n": "steps", "m": "steps"}


def test_every_argument_of_every_optimizer_can_be_read():
    for name in RULES:
        others = {argument.name for argument in arguments(find(f"adamlab.{name}")).values() if argument.kind == "other"}
        assert others <= {"mask", "weight_decay_mask"}


def test_a_rule_added_to_the_registry_can_be_named(monkeypatch):
    def signed(learning_rate: float):
        """A made-up rule."""
        return al.sgd(learning_rate)

    monkeypatch.setitem(RULES, "signed", signed)
    assert find("adamlab.signed") is signed


@pytest.mark.parametrize(("spec", "extra"), [("torch.Adagrad(0.1)", "torch"), ("keras.Ftrl(0.1)", "keras")])
def test_what_to_install_is_told(monkeypatch, spec, extra):
    monkeypatch.setattr("adamlab.frameworks.factories.find_spec", lambda name: None)
    pytorch.torch_optimizer.cache_clear()
    keras3.keras_optimizer.cache_clear()
    with pytest.raises(SpecError, match=rf"not installed: pip install 'adamlab\[{extra}\]'"):
        parse(spec)
