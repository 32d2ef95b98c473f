"""Specs of transformations that are composed, against Optax called by hand."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib

import adamlab as al
from adamlab.calls import SpecError
from adamlab.masks import mask
from adamlab.specs import parse

PARAMS = {"layer": {"kernel": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "bias": jnp.array([0.25, -1.0])}}

COMPOSED = {
    "optax.chain(optax.clip_by_global_norm(1.0), optax.adam(lr))": lambda: optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(0.1)
    ),
    "optax.chain(optax.trace(0.9), optax.trace(decay=0.5, nesterov=true), optax.scale(-0.1))": lambda: optax.chain(
        optax.trace(0.9), optax.trace(0.5, nesterov=True), optax.scale(-0.1)
    ),
    'optax.masked(optax.adam(lr), "*kernel")': lambda: optax.masked(
        optax.adam(0.1), {"layer": {"kernel": True, "bias": False}}
    ),
    'optax.adamw(lr, weight_decay=0.1, mask="!*bias")': lambda: optax.adamw(
        0.1, weight_decay=0.1, mask={"layer": {"kernel": True, "bias": False}}
    ),
    'adamlab.adamw(lr, weight_decay=0.1, mask="layer/kernel", arithmetic="optax")': lambda: optax.adamw(
        0.1, weight_decay=0.1, mask={"layer": {"kernel": True, "bias": False}}
    ),
    'optax.partition("*kernel", optax.adam(lr), optax.partition("*bias", optax.sgd(0.5), optax.sgd(7.0)))': lambda: (
        optax.partition(
            {"a": optax.adam(0.1), "b": optax.sgd(0.5)}, lambda params: {"layer": {"kernel": "a", "bias": "b"}}
        )
    ),
    "optax.MultiSteps(optax.adam(lr), 3)": lambda: optax.MultiSteps(optax.adam(0.1), 3).gradient_transformation(),
    "optax.MultiSteps(optax.sgd(lr), every_k_schedule=2, use_grad_mean=false)": lambda: optax.MultiSteps(
        optax.sgd(0.1), 2, use_grad_mean=False
    ).gradient_transformation(),
    "optax.contrib.schedule_free(optax.sgd(lr), lr, b1=0.9)": lambda: contrib.schedule_free(
        optax.sgd(0.1), 0.1, b1=0.9
    ),
    "optax.contrib.mechanize(optax.adam(lr))": lambda: contrib.mechanize(optax.adam(0.1)),
    "optax.apply_if_finite(optax.adam(lr), max_consecutive_errors=2)": lambda: optax.apply_if_finite(
        optax.adam(0.1), 2
    ),
    "optax.flatten(optax.adam(lr))": lambda: optax.flatten(optax.adam(0.1)),
    "optax.inject_hyperparams(optax.adam)(lr, b1=linear(0.5, 0.9, 10))": lambda: optax.inject_hyperparams(optax.adam)(
        0.1, b1=al.schedules.linear(0.5, 0.9, 10)
    ),
    "optax.adam(optax.cosine_decay_schedule(lr, 10))": lambda: optax.adam(optax.cosine_decay_schedule(0.1, 10)),
    "optax.sgd(optax.join_schedules([optax.linear_schedule(0.0, lr, 3), cosine(lr, 9)], [3]))": lambda: optax.sgd(
        optax.join_schedules([optax.linear_schedule(0.0, 0.1, 3), al.schedules.cosine(0.1, 9)], [3])
    ),
    "optax.chain(optax.scale_by_adam, optax.scale_by_schedule(linear(0.1, 0.0, 9)))": lambda: optax.chain(
        optax.scale_by_adam(), optax.scale_by_schedule(al.schedules.linear(0.1, 0.0, 9))
    ),
}


def trajectory(tx: optax.GradientTransformation):
    tx = optax.with_extra_args_support(tx)

    @jax.jit
    def step(carry, key):
        w, state = carry
        gradient = jax.tree.map(lambda x: x + jax.random.normal(key, x.shape), w)
        updates, state = tx.update(gradient, state, w, value=1.0)
        w = optax.apply_updates(w, updates)
        return (w, state), w

    keys = jax.random.split(jax.random.key(0), 8)
    return jax.lax.scan(step, (PARAMS, tx.init(PARAMS)), keys)[1]


@pytest.mark.one_case_in(5)
@pytest.mark.parametrize("spec", COMPOSED)
def test_a_composed_spec_is_what_optax_composes(spec):
    read = parse(spec)
    assert parse(str(read)) == read
    ours, theirs = trajectory(read.build({"lr": 0.1})), trajectory(COMPOSED[spec]())
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.optimized(False)
def test_lookahead_goes_with_the_fast_parameters_of_optax():
    pair = optax.lookahead(optax.adam(0.1), 3, 0.5)
    ours = optax.with_extra_args_support(parse("optax.lookahead(optax.adam(0.1), 3, 0.5)").build())
    both: Any = optax.LookaheadParams.init_synced(PARAMS)
    w: Any = PARAMS
    state: Any = ours.init(PARAMS)
    theirs = pair.init(both)
    for t in range(7):
        gradient = jax.tree.map(lambda x, t=t: jnp.cos(x + t), w)
        updates, state = ours.update(gradient, state, w)
        w = optax.apply_updates(w, updates)
        updates, theirs = pair.update(gradient, theirs, both)
        both = optax.apply_updates(both, updates)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), (w, state.slow), tuple(both))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optax.chain()", "args"),
        ("optax.chain(optax.clip(1.0), 3)", "args must be optimizers, such as optax.clip(1.0), optax.adam(0.1)"),
        ("optax.chain(clip(1.0))", "write optax.clip"),
        ("optax.chain(optax.adam(0.1, bata=1))", "has no argument 'bata'"),
        ("optax.masked(optax.adam(0.1), 3)", "mask must be a pattern"),
        ('optax.masked("*W", optax.adam(0.1))', 'mask must be a pattern of the paths of parameters, such as "*kernel"'),
        ("optax.inject_hyperparams(optax.adam)", "is called twice"),
        ("optax.inject_hyperparams(0.1)", "is called twice"),
        ("optax.adam(0.1)(0.2)", "only optax.inject_hyperparams is called twice"),
        ("optax.adam(optax.clip(1.0))", 'there is no schedule "optax.clip"'),
        ("optax.adam(0.1, b1=cosine(0.1, 3))", "b1 must be"),
        ("optax.sgd(optax.join_schedules([0.1, 0.2], [3]))", "schedules must be a list of schedules"),
        ("optax.chain(*[optax.adam(0.1)])", "cannot stand in a spec"),
    ],
)
def test_what_cannot_be_composed_is_refused(text, message):
    with pytest.raises(SpecError) as refusal:
        parse(text).build()
    assert message in str(refusal.value)


def test_a_mask_that_fits_nothing_is_told():
    with pytest.raises(ValueError, match='no parameter has a path like "kernal"; their paths are "layer/bias"'):
        parse('optax.masked(optax.adam(0.1), "kernal")').build().init(PARAMS)
    assert mask("*")(jnp.zeros(3)) is True


@pytest.mark.parametrize("wrong", [jnp.array(0), 1, {"w": jnp.array(False), "b": jnp.ones(2)}])
def test_masks_of_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="mask: expected True or False"):
        al.adamw(0.1, mask=wrong)
    with pytest.raises(ValueError, match="mask: expected True or False"):
        al.adamw(0.1, mask=lambda _: wrong).init({"w": 1.0, "b": jnp.ones(2)})


def test_numbers_inside_have_their_own_names():
    read = parse("optax.chain(optax.clip(1.0), optax.trace(0.9), optax.trace(0.5), optax.adam(cosine(lr, 7), b1=b))")
    assert set(read.numeric()) == {
        "max_delta",
        "decay",
        "trace.decay",
        "b1",
        "learning_rate.init",
        "learning_rate.steps",
    }
    assert [symbol.name for symbol, _ in read.symbols()] == ["lr", "b"]
    assert parse("optax.chain(optax.adam)").missing() == ["learning_rate"]


def test_formulas_of_what_is_composed():
    closed = al.closed_form("optax.chain(optax.clip(c), optax.adam(lr, eps=0.0))")
    assert set(closed.hyper) == {"c", "lr", "b1", "b2"}
    assert al.prove("optax.chain(optax.scale_by_adam(), optax.scale(-0.1))", "optax.adam(0.1)").status == "proved"
    assert al.prove("optax.chain(optax.trace(d), optax.trace(d))", "optax.trace(d)").status == "refuted"
    two = al.closed_form("optax.chain(optax.trace, optax.trace)")
    assert set(two.hyper) == {"decay", "trace.decay"}
    unrolled = al.unroll("optax.MultiSteps(optax.sgd(lr), 2)", steps=2)
    assert "g_1" in str(unrolled.updates[1])
    exact = al.exact("optax.chain(optax.clip(1.0), optax.sgd(0.5))", [3.0, -0.25])
    assert [float(u) for u in exact.updates] == [-0.5, 0.125]
    assert al.compare("optax.chain(optax.scale_by_adam(), optax.scale(-0.1))", "optax.adam(0.1)", steps=20).kind != ""


def test_composed_optimizers_are_swept():
    results = al.run(
        {
            "name": "clipped",
            "steps": 5,
            "problem": [{"name": "rosenbrock"}],
            "optimizer": [
                {
                    "spec": "optax.chain(optax.clip_by_global_norm(c), optax.adam(lr))",
                    "c": [0.1, 10.0],
                    "lr": [0.01, 0.1],
                    "label": "clipped",
                },
                {"spec": "optax.MultiSteps(optax.sgd(lr), k)", "k": [1, 2], "lr": [1e-3, 1e-4], "label": "steps"},
                {"spec": "optax.adam(optax.cosine_decay_schedule(lr, n))", "n": [4, 5], "lr": 0.1, "label": "cosine"},
                {
                    "name": "optax.adam",
                    "learning_rate": {"schedule": "optax.linear_schedule", "init_value": [0.1, 0.2]}
                    | {"end_value": 0.0, "transition_steps": 5},
                    "label": "table",
                },
            ],
        }
    )
    data = results["rosenbrock"].ds
    assert {"max_norm", "learning_rate"} <= set(data.coords)
    alone = al.run(
        {
            "name": "alone",
            "steps": 5,
            "problem": [{"name": "rosenbrock"}],
            "optimizer": [{"spec": "optax.chain(optax.clip_by_global_norm(0.1), optax.adam(0.1))"}],
        }
    )["rosenbrock"].ds
    which = np.flatnonzero((data.max_norm == 0.1) & (data.learning_rate == 0.1))
    np.testing.assert_allclose(data["loss"].values[which], alone["loss"], rtol=1e-5)
    assert (data["optimizer"] == "steps (k=1)").sum() == 2
    assert len(np.unique(data["loss"].values[:, -1])) == data.sizes["run"]


@pytest.mark.optimized(False)
def test_moments_and_rates_inside_of_wrappers_are_corrected_by_their_own_counts_and_decays():
    what = ["loss", "m", "v", "m_hat", "v_hat", "scheduled_learning_rate"]
    config = {"name": "w", "steps": 6, "dtype": "float64", "record": {"what": what}, "problem": [{"name": "beale"}]}
    specs = {
        "steps": "optax.MultiSteps(optax.adam(linear(1.0, 0.0, 10)), 3)",
        "chain": "optax.chain(optax.ema(0.5), optax.scale_by_rms(decay=0.9), optax.scale_by_learning_rate(0.1))",
        "injected": "optax.MultiSteps(optax.inject_hyperparams(optax.adam)(linear(1.0, 0.0, 10)), 3)",
    }
    data = al.run(config | {"optimizer": [{"spec": s, "label": n} for n, s in specs.items()]})["beale"].ds
    steps, chain, injected = (data.isel(run=i) for i in range(3))
    np.testing.assert_allclose(steps["m_hat"][3:6] * (1 - 0.9), steps["m"][3:6], rtol=1e-12)
    np.testing.assert_allclose(steps["v_hat"][6] * (1 - 0.999**2), steps["v"][6], rtol=1e-9)
    np.testing.assert_allclose(steps["scheduled_learning_rate"][1:], [1, 1, 1, 1, 1, 0.9], rtol=1e-12)
    np.testing.assert_allclose(injected["scheduled_learning_rate"][4:6], [1, 1], rtol=1e-6)
    decays = (1 - 0.9 ** np.arange(1, 7))[:, None]
    np.testing.assert_allclose(chain["v_hat"][1:] * decays, chain["v"][1:], rtol=1e-9)


def test_wrappers_say_what_they_are():
    sgd = "optax.sgd(0.1)"
    for spec in (f"MultiSteps({sgd}, 2)", f"lookahead({sgd}, 2, 0.5)", f'partition("*", {sgd}, {sgd})'):
        assert inspect.getdoc(parse(f"optax.{spec}").factory)
