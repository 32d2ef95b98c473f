"""Laws that every rule keeps, whatever the gradients: the papers' symmetries, and finite numbers."""

import inspect
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import adamlab as al
from adamlab.lifting import Transform
from adamlab.rules import RULES
from tests.harness import assert_same_bits, updates_of_all

STEPS, COLUMNS = 5, 13  # an odd number of columns: eight side by side, and the rest one by one

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in RULES} | {
    "sgd momentum": ("sgd", {"momentum": 0.9}),
    "rmsprop centered": ("rmsprop", {"centered": True}),
    "rmsprop corrected": ("rmsprop", {"bias_correction": True, "momentum": 0.9, "nesterov": True}),
}
VARIANTS = [(options, arithmetic) for options in OPTIONS for arithmetic in ("accurate", "weighted")]

each_type = pytest.mark.parametrize(
    "float_type",
    ["float16", *(pytest.param(name, marks=pytest.mark.slow) for name in ("bfloat16", "float32")), "float64"],
)
"""Of the narrow ones float16, which overflows first; the other laws are in float32."""
some = settings(max_examples=50)


def gradients(smallest: float, largest: float):
    """Gradients (STEPS, COLUMNS) in float32 that are 0 or of these sizes, of either sign."""
    sizes = st.floats(smallest, largest, width=32)
    return arrays(np.float32, (STEPS, COLUMNS), elements=st.just(0.0) | sizes | sizes.map(lambda size: -size))


any_gradients = gradients(0.0, float(np.finfo(np.float32).max))
weights = arrays(np.float32, COLUMNS, elements=st.floats(-100, 100, width=32))


def optimizer(options: str, arithmetic: str, unit: Any = 1.0) -> Transform:
    """The optimizer; a number measured in gradients (ε, and the start of Adagrad) is its default times the unit."""
    name, hyper = OPTIONS[options]
    parameters = inspect.signature(RULES[name]).parameters
    in_gradients = {"eps", "initial_accumulator_value"} & parameters.keys()
    scaled = {number: parameters[number].default * unit for number in in_gradients}
    return getattr(al, name)(0.1, **hyper, **scaled, arithmetic=arithmetic)


@jax.jit
def compiled(gs, w, unit) -> dict[tuple[str, str], Any]:
    transforms = [optimizer(*variant, unit) for variant in VARIANTS]
    return dict(zip(VARIANTS, updates_of_all(transforms, gs, w), strict=True))


def every_trajectory(gs, w, unit=1.0) -> dict[tuple[str, str], Any]:
    """The updates of every variant; all are one program for each type and tree, whatever the unit."""
    return compiled(gs, w, unit)


@some
@given(any_gradients, weights)
def test_updates_are_odd(gs, w):
    mirrored = jax.tree.map(np.negative, every_trajectory(-gs, -w))
    chex.assert_trees_all_equal(mirrored, every_trajectory(gs, w))


@some
@given(any_gradients, weights, st.permutations(range(COLUMNS)))
def test_coordinates_are_treated_alike(gs, w, order):
    permuted = jax.tree.map(lambda u: np.asarray(u)[:, order], every_trajectory(gs, w))
    chex.assert_trees_all_equal(every_trajectory(gs[:, order], w[np.array(order)]), permuted)


@some
@given(gradients(2.0**-20, 2.0**20), st.integers(-20, 20))
def test_gradients_have_no_unit_but_epsilon(gs, exponent):
    # A power of two changes no rounding, as long as v, some 2⁻⁸⁰ at the least, stays far above 2⁻¹²⁶.
    w = np.zeros(COLUMNS, np.float32)
    plain, scaled = (every_trajectory(np.ldexp(gs, k), w, unit=0.0) for k in (0, exponent))
    for options, arithmetic in VARIANTS:
        if options != "adadelta":  # which without ε never leaves 0
            unit = exponent if OPTIONS[options][0] == "sgd" else 0
            expected = np.ldexp(plain[options, arithmetic], unit)
            np.testing.assert_array_equal(scaled[options, arithmetic], expected, err_msg=f"{options}, {arithmetic}")


@some
@given(gradients(2.0**-10, 2.0**10), weights)
def test_a_tree_steps_as_its_leaves_do_alone(gs, w):
    leaves = [(gs, w), (gs[::-1], -w), (2 * gs, w)]
    tree: Any = [{"first": first, "rest": rest} for first, *rest in zip(*leaves, strict=True)]
    together, alone = every_trajectory(*tree), [every_trajectory(*leaf) for leaf in leaves]
    for options, arithmetic in VARIANTS:
        # XLA makes x / c of a correction x·(1/c) where one leaf alone uses it: m̂ and v̂ then have a rounding more each,
        # and what follows rounds differently too, some 16 times by 2⁻²⁴ of the largest update in all.
        rounding = 0.0 if arithmetic == "weighted" else 16 * 2.0**-24
        for ours, single in zip(jax.tree.leaves(together[options, arithmetic]), alone, strict=True):
            theirs = np.asarray(single[options, arithmetic])
            tolerance = rounding * float(np.abs(theirs).max())
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=f"{options}, {arithmetic}")


@pytest.mark.optimized(False)
def test_state_of_a_leaf_without_a_gradient_stays(rng):
    gs = {"seen": jnp.asarray(rng.normal(size=3)), "unseen": jnp.asarray(rng.normal(size=3))}

    @jax.jit
    def two_states(gs):
        """The states after a step of both leaves, and after a further one of the first leaf."""
        transforms = {variant: optimizer(*variant) for variant in VARIANTS}
        before = {variant: tx.update(gs, tx.init(gs), gs)[1] for variant, tx in transforms.items()}
        half = {"seen": 2 * gs["seen"], "unseen": None}
        return before, {variant: tx.update(half, before[variant], gs)[1] for variant, tx in transforms.items()}

    def of(leaf, state):
        return [x for path, x in jax.tree_util.tree_leaves_with_path(state) if jax.tree_util.DictKey(leaf) in path]

    before, after = two_states(gs)
    for variant in VARIANTS:
        assert_same_bits(of("unseen", after[variant]), of("unseen", before[variant]))
        for new, old in zip(of("seen", after[variant]), of("seen", before[variant]), strict=True):
            assert (new != old).all(), variant


@pytest.mark.optimized(False)
@each_type
def test_zero_gradients_give_zero_updates(float_type):
    with jax.enable_x64(float_type == "float64"):
        gs = jnp.zeros((STEPS, COLUMNS), float_type)
        for variant, updates in every_trajectory(gs, gs[0]).items():
            assert updates.dtype == gs.dtype, variant
            assert not np.asarray(updates, np.float64).any(), variant


@pytest.mark.optimized(False)
@each_type
@some
@given(st.data())
def test_finite_gradients_give_finite_updates(float_type, data):
    with jax.enable_x64(float_type == "float64"):
        # The sum of STEPS squares is what overflows first: 5·(2^(e/2 − 2))² < 2^e. Below, float16 keeps no v of
        # gradients under 5e-3, whose m / ε comes to 4e5: that is finite at a learning rate of 0.1, not at 1.
        largest = 2.0 ** min(jnp.finfo(float_type).maxexp // 2 - 2, 126)
        gs, w = data.draw(gradients(0.0, largest)), data.draw(weights)
        chex.assert_tree_all_finite(every_trajectory(jnp.asarray(gs, float_type), jnp.asarray(w, float_type)))
