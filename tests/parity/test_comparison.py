"""`al.compare` on pairs whose answer is known."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.core import Tracer

import adamlab as al
from adamlab.errors import InputError
from adamlab.interpret.oracle import exact_updates
from adamlab.interpret.programs import Subject
from adamlab.parity import readings
from adamlab.parity.families import FAMILIES, gradients
from adamlab.parity.trajectories import laid_out, parameters

FEW = {"steps": 20, "families": ["normal", "zeros", "scales"]}


def test_the_same_optimizer_is_bit_identical():
    c = al.compare("optax.adam(0.001)", optax.adam, hyper={"learning_rate": 0.001}, **FEW)
    assert c.identical
    assert (c.differing_bits, c.first_difference, c.verdict) == (0, None, "bit-identical")


@pytest.mark.one_case_in(7)
@pytest.mark.parametrize("layout", ["tree", "leaf"])
@pytest.mark.parametrize("context", ["jit", "scan"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_optax_arithmetic_is_bit_identical(dtype, context, layout):
    how = {"dtype": dtype, "context": context, "layout": layout, "exact": False, "steps": 20}
    assert al.compare('adamlab.rmsprop(0.01, arithmetic="optax")', "optax.rmsprop(0.01)", **how).identical


def test_accurate_is_the_same_formula_rounded_better():
    c = al.compare("adamlab.adam(0.001)", "optax.adam(0.001)", steps=60)
    assert c.kind == "same formula"
    assert c.verdict.startswith("the same formula, rounded differently: ")
    assert c.first_difference == 1
    assert list(c.table.family) == list(FAMILIES)
    assert (c.table.left_median <= 5).all()
    assert (c.table.right_median >= 20).all()
    assert (c.table.exact_gap < 1e-40).all()
    assert json.loads(json.dumps(c.to_dict()))["differing_bits"] == c.differing_bits > 0


@pytest.mark.optimized(False)
@pytest.mark.one_case_in(4)
@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        (
            "optax.rmsprop(0.1)",
            "optax.rmsprop(0.1, eps_in_sqrt=false)",
            "ε inside the root on the left, outside the root",
        ),
        ("optax.adam(0.1, b2=0.9)", "optax.adam(0.1)", "equal numbers, b2 is 0.9 on the left, 0.999 on the right"),
        ("optax.adam(0.1)", "optax.nadam(0.1)", "nesterov is false on the left, and the other side is as with true"),
        ("optax.rmsprop(0.1, bias_correction=true)", "optax.rmsprop(0.1)", "bias_correction is true on the left"),
        ("optax.adamw(0.1)", "optax.adam(0.1)", "the weight decay; they agree at weight_decay = 0"),
        (
            "optax.adagrad(0.1, eps=0.0)",
            "optax.adagrad(0.1, eps=0.0, initial_accumulator_value=0.5)",
            "is 0.1 on the left",
        ),
        ("optax.adam(0.1, b1=0.0, b2=0.9)", "optax.adam(0.1, b1=0.5, b2=0.9)", "equal numbers, b1 is 0.0"),
        ("optax.adam(0.1, eps=0.001)", "optax.adamax(0.1, b1=0.0)", "they part at step 1"),
        ("optax.sgd(0.2)", "optax.scale_by_learning_rate(0.1)", "equal numbers, learning_rate is 0.2"),
        ("optax.sgd(rate)", "optax.sgd(inverse_sqrt(0.1))", "a factor of the step alone, 1.0, 1.414, 1.732 …"),
        ("optax.sgd(0.2)", "optax.trace(0.0)", "the left is -0.2 times the right"),
    ],
)
def test_a_difference_is_explained(left, right, words):
    c = al.compare(left, right, hyper={"rate": 0.1} if "rate)" in left else None, **FEW)
    assert c.kind == "different formulas"
    assert words in c.verdict
    assert not c.identical


def clipped(learning_rate):
    return optax.chain(optax.clip(5.0), optax.sgd(learning_rate))


@pytest.mark.optimized(False)
@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(
    ("left", "right", "how", "words"),
    [
        # Adagrad's branch at 0, where its limit of Adam divides 0 by 0
        (
            "optax.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0)",
            'adamlab.adam(inverse_sqrt(0.1), b1=0.0, b2=1.0, eps=0.0, arithmetic="weighted")',
            {"steps": 30, "families": ["normal", "zeros"]},
            "they agree on ordinary gradients, and part in zeros",
        ),
        (optax.sgd, clipped, {"families": ["scales"]}, "they agree on ordinary gradients, and part in scales"),
        ("optax.adadelta(1.0)", "optax.adadelta()", {}, "the left is -1.0 times the right"),
        (
            "optax.rmsprop(0.1)",
            "optax.rmsprop(0.2, eps_in_sqrt=false)",
            {},
            "besides, learning_rate is 0.1 on the left",
        ),
        ("optax.amsgrad(0.1)", "optax.adam(0.1)", {"steps": 30, "families": ["constant"]}, "they part at step"),
        ("optax.adam(0.1, b1=0.9)", "optax.adam(0.1, b1=0.8)", {"steps": 1}, "b1 is 0.9 on the left, 0.8 on the right"),
        ("optax.sgd(0.1, momentum=0.9)", "optax.sgd(0.1)", {"steps": 1, "families": ["normal"]}, "the momentum"),
    ],
)
def test_agreement_for_want_of_evidence_is_not_taken_for_sameness(left, right, how, words):
    c = al.compare(left, right, hyper=None if isinstance(left, str) else {"learning_rate": 0.1}, **FEW | how)
    assert "different formulas: " in c.verdict
    assert words in c.verdict


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize(("spec", "layout"), [("lamb(0.1)", "tree"), ("lamb(0.1)", "leaf"), ("adamw(0.1)", "leaf")])
def test_each_side_is_read_as_it_was_run(spec, layout):
    c = al.compare(f"optax.{spec}", f"optax.{spec}", dtype="float64", layout=layout, **FEW)
    assert c.identical
    assert (c.table.left_median < 1e4).all()  # of 2⁻⁵³: Optax's own rounding


@pytest.mark.parametrize(
    ("spec", "on_vector"),
    [
        ("adamlab.adam(0.1)", True),
        ("optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(0.1))", True),
        ("optax.lamb(0.1)", False),
    ],
)
def test_the_exact_reading_on_a_vector_is_that_on_the_tree(spec, on_vector):
    gs = gradients(["constant", "normal", "heavy_tailed"], 4, "float32")
    tree, subject = laid_out(gs, "tree"), Subject.of(spec)
    read, params = readings._exact_updates(subject, tree, 50), parameters(tree)
    assert (readings._on_vector(subject, readings._as_vector(params)) is not None) == on_vector
    for family, updates in exact_updates(subject, tree, params).items():
        difference = (read[family].reshape(updates.shape) - updates).ravel()
        assert max(map(abs, difference)) <= 1e-45 * max(map(abs, updates.ravel()))


def test_zeros_of_either_sign_are_the_only_difference():
    c = al.compare("optax.sgd(0.1, momentum=0.0)", "optax.sgd(0.1)", **FEW)
    assert c.verdict == "the same formula, rounded differently: in the sign of zeros alone"


def test_built_transformations_are_compared_in_bits():
    built = al.adam(0.001, arithmetic="optax"), optax.adam(0.001)
    assert al.compare(*built, **FEW).identical
    c = al.compare(al.adam(0.001), optax.adam(0.001), **FEW)
    assert c.kind == "different bits"
    assert "left_median" not in c.table
    with pytest.raises(InputError, match="hides its numbers; give both sides built, or neither"):
        al.compare(optax.adam(0.001), "optax.adam(0.001)")


def test_what_cannot_be_read_is_compared_in_bits():
    def noisy(learning_rate):
        return optax.chain(optax.add_noise(0.1, 0.5, jax.random.key(0)), optax.sgd(learning_rate))

    c = al.compare(optax.sgd, noisy, hyper={"learning_rate": 0.1}, **FEW)
    assert c.kind == "different bits"
    assert "nothing was read exactly: cannot read the primitive 'random_" in c.verdict


def test_the_first_difference_is_the_step_where_it_begins():
    def late(learning_rate):
        return optax.sgd(lambda count: jnp.where(jnp.less(count, 7), learning_rate, 2 * learning_rate))

    c = al.compare(optax.sgd, late, hyper={"learning_rate": 0.1}, **FEW)
    assert c.first_difference == 8


def test_the_gap_is_relative_to_the_exact_right_side():
    c = al.compare("optax.sgd(0.11)", "optax.sgd(0.1)", steps=20, families=["normal"], dtype="float64")
    assert c.table.gap[0] == pytest.approx(0.1, rel=1e-12)
    assert c.table.exact_gap[0] == pytest.approx(0.1, rel=1e-15)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dtype": "float8"}, "there is no type 'float8'"),
        ({"context": "pmap"}, "there is no context 'pmap'; valid here: jit, scan, eager"),
        ({"layout": "flat"}, "there is no layout 'flat'"),
        ({"families": ["norml"]}, "there is no family 'norml'; did you mean \"normal\""),
        ({"families": []}, "there are no families to compare on"),
        ({"steps": 0}, "steps must be a whole number of at least 1, not 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ({"hyper": {"c": 1}}, "there is no hyper-parameter 'c'"),
    ],
)
def test_bad_input_is_told_in_one_message(given, message):
    with pytest.raises(InputError, match=message):
        al.compare("optax.sgd(0.1)", "optax.sgd(0.1)", **given)


def test_a_symbol_needs_a_number():
    with pytest.raises(InputError, match="lr has no value"):
        al.compare("optax.sgd(lr)", "optax.sgd(0.1)")


@pytest.mark.optimized(False)
def test_parameters_are_seen_by_rules_that_decay_them():
    c = al.compare("optax.adamw(0.1, weight_decay=0.5)", "adamlab.adamw(0.1, weight_decay=0.5)", dtype="float64", **FEW)
    assert c.kind == "same formula"
    apart = al.compare("optax.adamw(0.1, weight_decay=0.5)", "optax.adamw(0.1, weight_decay=0.6)", **FEW)
    assert np.isfinite(apart.table.exact_gap).all()
    assert apart.kind == "different formulas"


def test_updates_of_another_shape_or_structure_are_told():
    for wrong in (lambda updates: jax.tree.map(jnp.sum, updates), lambda updates: list(updates.values())):
        built = optax.stateless(lambda updates, params, wrong=wrong: wrong(updates))
        with pytest.raises(InputError, match=r"a built transformation cannot be compared: \[Chex\] .*tree 0: updates"):
            al.compare(built, optax.sgd(0.1), **FEW)


def recorded(calls, learning_rate=0.1):
    """SGD that notes how it is called: each layout of its parameters, and each gradient's kind."""

    def init(params):
        calls.append(jax.tree.map(jnp.shape, params))
        return optax.EmptyState()

    def update(updates, state, params=None):
        leaf = jax.tree.leaves(updates)[0]
        calls.append((isinstance(leaf, Tracer), leaf.dtype.name))
        return jax.tree.map(lambda g: -learning_rate * g, updates), state

    return optax.GradientTransformation(init, update)


@pytest.mark.parametrize(("context", "updates"), [("jit", [True]), ("scan", [True]), ("eager", [False] * 5)])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_optimizer_runs_as_it_is_told(context, updates, dtype):
    calls: list[Any] = []
    right = recorded([])
    al.compare(recorded(calls), right, steps=5, families=["normal", "scales"], context=context, dtype=dtype)
    assert calls == [{"normal": (2,), "scales": (3, 3)}, *((traced, dtype) for traced in updates)]


def test_a_leaf_is_one_vector():
    calls: list[Any] = []
    al.compare(recorded(calls), recorded([]), steps=2, families=["normal", "scales"], layout="leaf")
    assert calls[0] == (11,)


@pytest.mark.parametrize(("context", "scans"), [("jit", 0), ("eager", 0), ("scan", 2)])
def test_only_a_scan_scans(monkeypatch, context, scans):
    lengths, scan = [], jax.lax.scan

    def counted(step, state, gradients):
        lengths.append(len(gradients["normal"]))
        return scan(step, state, gradients)

    monkeypatch.setattr(jax.lax, "scan", counted)
    al.compare(recorded([]), recorded([]), steps=5, families=["normal"], context=context)
    assert lengths == [5] * scans


def test_another_seed_is_another_sample_and_the_same_seed_the_same():
    def bits(seed):
        return al.compare("adamlab.adam(0.1)", "optax.adam(0.1)", seed=seed, exact=False, **FEW).to_dict()["families"]

    assert bits(0) == bits(0)
    assert bits(0) != bits(1)


def test_the_sides_are_told_apart():
    left, right = "adamlab.adam(0.1)", "optax.adam(0.1)"
    forth, back = al.compare(left, right, **FEW), al.compare(right, left, **FEW)
    assert (forth.left, forth.right) == (back.right, back.left)
    assert "adamlab" in forth.left
    for own, other in (("left", "right"), ("right", "left")):
        for column in ("median", "max"):
            assert forth.table[f"{own}_{column}"].tolist() == back.table[f"{other}_{column}"].tolist()
    assert (forth.table.left_median < forth.table.right_median).any()


def test_the_gap_is_of_the_left_from_the_right():
    forth = al.compare("optax.sgd(0.125)", "optax.sgd(0.1)", **FEW)
    back = al.compare("optax.sgd(0.1)", "optax.sgd(0.125)", **FEW)
    np.testing.assert_allclose(forth.table.exact_gap, 0.25, rtol=1e-12)
    np.testing.assert_allclose(back.table.exact_gap, 0.2, rtol=1e-12)
    np.testing.assert_allclose(back.table.gap, 0.2, rtol=1e-5)


def test_the_words_tell_the_greatest_over_all_families():
    for turn in (1, -1):  # wherever the family stands that has it
        few = {"steps": 5, "families": [*FEW["families"]][::turn]}
        c = al.compare("adamlab.adam(0.1)", "optax.adam(0.1)", **few)
        assert len(set(c.table.apart_median)) > 1
        median, greatest = (f"{c.table[column].max():.3g} ulp" for column in ("apart_median", "apart_max"))
        assert f"up to {median}, the greatest difference {greatest}" in c.verdict
        assert c.differing_bits == c.table.differing_bits.sum()
        assert c.first_difference == c.table.first_difference.min()


@pytest.mark.optimized(False)
@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_narrow_types_are_rounding_and_no_other_formula(dtype):
    c = al.compare("adamlab.adam(0.1)", "optax.adam(0.1)", dtype=dtype, steps=20, families=["normal"])
    assert c.kind == "same formula"


def test_a_number_and_nan_are_apart():
    def broken(learning_rate):
        # NaN in floats alone: the square overflows, and ∞ − ∞ is NaN
        return optax.stateless(lambda g, _: jax.tree.map(lambda g: -learning_rate * g + (g**3 - g**3), g))

    for pair in ((optax.sgd, broken), (broken, optax.sgd)):
        c = al.compare(*pair, hyper={"learning_rate": 0.1}, steps=5, families=["scales"])
        assert not c.identical
        assert c.table.apart_max[0] == np.inf
        assert c.kind == "different bits"
        side = "left" if pair[0] is broken else "right"
        assert c.verdict.endswith(f"in scales the {side} leaves the range of its types")


def test_few_digits_make_no_other_formula():
    c = al.compare("adamlab.adam(0.1)", "optax.adam(0.1)", digits=10, **FEW)
    assert c.kind == "same formula"
