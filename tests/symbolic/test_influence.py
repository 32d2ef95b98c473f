"""The influence of past gradients: formulas against derivatives of the optimizers themselves, and known memories."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sympy import Indexed, Piecewise, Symbol, log, oo

import adamlab as al
from adamlab.errors import InputError
from adamlab.interpret.programs import state_names
from adamlab.specs import parse
from tests.symbolic.examples import transformation

pytestmark = pytest.mark.optimized(False)

NUMBERS = {"lr": 0.3, "b": 0.8, "b1": 0.9, "b2": 0.7, "b3": 0.95, "d": 0.6, "e": 1.0, "a": 2.5}
"""The values of all numbers, by the names that the specs give them."""

STEPS = 6

TINY = 1e-9
"""The size of gradients: so small that second moments stay what they are, so that derivatives take them as held."""

SPECS = [
    "optax.adam(lr, b1=b1, b2=b2, eps=e)",
    "optax.sgd(lr, momentum=b)",
    "optax.sgd(lr, momentum=b, nesterov=true)",
    "optax.nadam(lr, b1=b1, b2=b2, eps=e)",
    "optax.adamw(lr, b1=b1, b2=b2, eps=e, weight_decay=d)",
    "optax.amsgrad(lr, b1=b1, b2=b2, eps=e)",
    "optax.adamax(lr, b1=b1, b2=b2, eps=e)",
    "optax.rmsprop(lr, decay=d, momentum=b, eps=e)",
    "optax.adagrad(lr, initial_accumulator_value=d, eps=e)",
    "optax.adabelief(lr, b1=b1, b2=b2, eps=e, eps_root=0.0)",
    "optax.yogi(lr, b1=b1, b2=b2, eps=e)",
    "optax.optimistic_gradient_descent(lr, alpha=a, beta=d)",
    "optax.contrib.ademamix(lr, b1=b1, b2=b2, b3=b3, alpha=a, eps=e)",
    "optax.adan(lr, b1=b1, b2=b2, b3=b3, eps=e, eps_root=0.0)",
    "optax.novograd(lr, b1=b1, b2=b2, eps=e)",
    "optax.chain(optax.trace(b), optax.ema(d), optax.scale_by_learning_rate(lr))",
    "optax.chain(optax.trace(b), optax.trace(b), optax.scale_by_learning_rate(lr))",
    "adamlab.adam(lr, b1=b1, b2=b2, eps=e)",
    "torch.SGD(lr, momentum=b, dampening=d)",
    "torch.Adam(lr, beta1=b1, beta2=b2, eps=e)",
    "optax.rmsprop(lr, decay=d, momentum=b, eps=e, centered=true)",
    "optax.chain(optax.clip_by_global_norm(a), optax.sgd(lr, momentum=b))",
    "optax.chain(optax.sgd(lr, momentum=b), optax.clip(a))",
    "adamlab.adam(lr, b1=b1, b2=b2, eps=e, bias_correction=false)",
    "torch.RMSprop(lr, alpha=d, momentum=b, eps=e, centered=true)",
]


@pytest.mark.one_case_in(10)
@pytest.mark.parametrize("spec", SPECS)
def test_weights_are_the_derivatives_of_the_update(spec):
    if spec.startswith("torch."):
        pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    read = al.influence(spec)
    derivatives, state = differentiated(spec)
    numbers = {symbol: NUMBERS[name] for name, symbol in read.hyper.items()}
    values = {read.held[name]: float(np.ravel(leaf)[0]) for name, leaf in state.items() if name in read.held}
    for k in range(STEPS):
        weight: Any = read.weight.subs({read.k: k, read.t: STEPS}).doit().xreplace(numbers)
        states = {x: values[str(x.base)] for x in weight.atoms(Indexed)}
        assert float(weight.xreplace(states)) == pytest.approx(derivatives[k], rel=1e-6), k


def differentiated(spec: str) -> tuple[np.ndarray, dict[str, Any]]:
    """The derivatives of the last update by each gradient, the latest first, and the state by field."""
    with jax.enable_x64(True):
        transform = optax.with_extra_args_support(parse(spec).build(NUMBERS))
        w = jnp.asarray(0.5)

        def last(gradients):
            def step(state, g):
                u, state = transform.update(g, state, w, value=jnp.zeros(()))
                return state, u

            state, updates = jax.lax.scan(step, transform.init(w), gradients)
            return jnp.asarray(updates)[-1], state

        gradients = jnp.asarray(TINY * np.array([1.0, -2.0, 1.5, 0.5, -1.0, 3.0]))
        derivatives, state = jax.jit(jax.jacobian(last, has_aux=True))(gradients)
        latest_first = np.flip(np.asarray(derivatives))
        return latest_first, dict(zip(state_names(state), jax.tree.leaves(state), strict=True))


def test_weights_and_those_of_the_second_moment_make_the_whole_derivative_of_adam(x64):
    """At ordinary gradients: ∂u/∂g, all in all, is what comes through m and what comes through v."""
    read = al.influence(optax.adam, {"b1": 0.9, "b2": 0.7, "eps": 1e-3, "learning_rate": 0.1})
    g = np.array([1.0, -2.0, 1.5, 0.5, -1.0])
    t, ages = len(g), range(len(g))

    def last(gradients):
        transform = optax.adam(0.1, b1=0.9, b2=0.7, eps=1e-3)

        def step(state, gradient):
            u, after = transform.update(gradient, state)
            return after, u

        _, updates = jax.lax.scan(step, transform.init(jnp.zeros(())), gradients)
        return jnp.asarray(updates)[-1]

    m = sum(0.1 * 0.9**k * g[t - 1 - k] for k in ages) / (1 - 0.9**t)
    v = sum(0.3 * 0.7**k * g[t - 1 - k] ** 2 for k in ages)
    root = np.sqrt(v / (1 - 0.7**t))
    by_v = 0.1 * m / (root + 1e-3) ** 2 / (2 * root * (1 - 0.7**t))
    held = dict.fromkeys(read.weight.atoms(Indexed), v)
    through_m = [float(read.weight.xreplace(held).subs({read.k: k, read.t: t})) for k in ages]
    through_v = [by_v * float(read.states["nu"].weight.subs({read.k: k})) * 2 * g[t - 1 - k] for k in ages]
    np.testing.assert_allclose(
        np.add(through_m, through_v), np.asarray(jax.grad(last)(jnp.asarray(g)))[::-1], rtol=1e-9
    )


def test_half_life_and_mean_age_are_formulas_of_the_decay():
    read: Any = al.influence("optax.adam(lr, b1=b)")
    b, b2, k, t = read.hyper["b"], read.hyper["b2"], read.k, read.t
    assert read.share == (1 - b) * b**k / (1 - b**t)
    assert read.half_life == -log(2) / log(b)
    assert (read.mean_age - b / (1 - b)).equals(0)
    assert read.states["nu"].weight == (1 - b2) * b2**k
    assert (read.states["nu"].mean_age - b2 / (1 - b2)).equals(0)
    adagrad: Any = al.influence("optax.adagrad").states["sum_of_squares"]
    assert (adagrad.weight, adagrad.half_life, adagrad.share) == (1, oo, 1 / t)
    assert adagrad.mean_age.equals((t - 1) / 2)


@pytest.mark.parametrize(
    ("spec", "mean_age"),
    [
        ("optax.sgd(lr, momentum=b, nesterov=true)", "b**2/(1 - b)"),
        ("optax.optimistic_gradient_descent(lr, alpha=a, beta=b)", "-b/a"),
        ("optax.sgd(lr)", "0"),
    ],
)
def test_mean_ages_are_sums_over_all_weights(spec, mean_age):
    """By long sums in NumPy, whose impulses are those of the textbook."""
    read: Any = al.influence(spec)
    numbers = {"b": 0.8, "a": 2.0, "lr": 0.1}
    impulse = {"optax.sgd(lr)": lambda k: float(k == 0)}.get(
        spec, lambda k: 0.8 ** (k + 1) + (k == 0) if "nesterov" in spec else {0: 2.8, 1: -0.8}.get(k, 0.0)
    )
    weights = np.array([impulse(k) for k in range(400)])
    expected = float(np.sum(np.arange(400) * weights) / weights.sum())
    known = {read.hyper[name]: value for name, value in numbers.items() if name in read.hyper}
    assert float(read.mean_age.xreplace(known)) == pytest.approx(expected, abs=1e-9)
    assert expected == pytest.approx(eval(mean_age, {}, numbers), abs=1e-9)
    shares = read.shares_at(400, **{name: value for name, value in numbers.items() if name in read.hyper})
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=1e-12)


def test_of_sign_descent_it_is_the_sum_whose_sign_is_taken():
    """Lion's sum by impulses of its two recurrences."""
    read = al.influence("optax.lion(lr, b1=b1, b2=b2)")
    weights = []
    for age in range(6):
        m = c = 0.0
        for t in range(6):
            g = float(t == 5 - age)
            c, m = 0.9 * m + 0.1 * g, 0.7 * m + 0.3 * g
        weights.append(c)
    numbers = {read.hyper["b1"]: 0.9, read.hyper["b2"]: 0.7}
    assert [float(read.weight.xreplace(numbers).subs({read.k: k, read.t: 6})) for k in range(6)] == pytest.approx(
        weights
    )
    assert "u_t = -lr·(sign(c_t)" in read.text()


REFUSED = {
    "optax.polyak_sgd": "depends on the loss",
    "optax.lamb": "gradients are multiplied",
    "optax.lars": "no gradient reaches it",
    "optax.rprop": "not linear in the gradients",
    "optax.adafactor": "no closed form",
    "optax.chain(optax.centralize, optax.sgd(lr))": "mixes the gradients",
}


@pytest.mark.one_case_in(5)
@pytest.mark.parametrize("spec", REFUSED)
def test_what_is_no_weighted_sum_says_why(spec):
    with pytest.raises(InputError, match=REFUSED[spec]) as refused:
        al.influence(spec)
    assert spec in str(refused.value)


def test_clipping_and_the_mean_of_a_variance_are_told():
    clipped = al.influence("optax.chain(optax.clip_by_global_norm(c), optax.sgd(lr, momentum=b))")
    assert "c > |g_t|: beyond, the weights are others" in clipped.assumptions
    centered = al.influence("optax.rmsprop(lr, centered=true)")
    assert "m_t, v_t are held" in centered.assumptions
    assert [memory.power for memory in centered.states.values()] == [1, 2]


WITHIN: dict[str, Any] = {
    "both": lambda g, c: (g < c) & (g > -c),
    "not either": lambda g, c: ~((g >= c) | (g <= -c)),
}
"""Two bounds in one condition."""


@pytest.mark.parametrize("bounds", WITHIN)
def test_a_condition_of_two_bounds_is_that_of_small_gradients(bounds):
    def clipped(learning_rate, c):
        def update(g, state, w=None):
            return -learning_rate * jnp.where(WITHIN[bounds](g, c), g, c * jnp.sign(g)), state

        return transformation(lambda w: (), update)

    assert "g_t < c ∧ g_t > -c: beyond, the weights are others" in al.influence(clipped).assumptions
    stable: Any = al.stability(clipped)
    assert stable.largest_rate == 2 / stable.h
    assert "g < c ∧ g > -c, as it is near the minimum" in stable.assumptions


@pytest.mark.slow
@pytest.mark.parametrize("t", [4, 9])
def test_radam_weighs_as_momentum_and_later_as_adam(t):
    """Liu et al. 2020, Algorithm 2, with v held at 1/4: ρ_t is at least 5 from step 6 on."""
    read: Any = al.influence("optax.radam(lr, b1=b1, b2=0.999, eps=e, threshold=5.0)")
    end = 2 / (1 - 0.999) - 1
    rho = end - 2 * t * 0.999**t / (1 - 0.999**t)
    size = 1 / (1 - 0.9**t)
    if rho >= 5:
        size *= np.sqrt((rho - 4) * (rho - 2) * end / ((end - 4) * (end - 2) * rho))
        size /= np.sqrt(0.25 / (1 - 0.999**t)) + 1e-3
    numbers = {symbol: {"lr": 0.3, "b1": 0.9, "e": 1e-3}[name] for name, symbol in read.hyper.items()}
    for k in range(t):
        weight = read.weight.subs({read.k: k, read.t: t}).doit()
        value = weight.xreplace({**numbers, **dict.fromkeys(weight.atoms(Indexed), 0.25)})
        assert float(value) == pytest.approx(-0.3 * 0.1 * 0.9**k * size, rel=1e-9)
    assert (rho >= 5) is (t == 9)


def test_numbers_that_are_missing_or_unknown_are_told():
    read = al.influence("optax.sgd(lr, momentum=b)")
    np.testing.assert_allclose(read.shares_at(3, b=0.5), np.array([4, 2, 1]) / 7)
    with pytest.raises(InputError, match="expected a number for each of b: give b="):
        read.shares_at(3)
    with pytest.raises(InputError, match="no open number 'c'"):
        read.shares_at(3, c=1)
    with pytest.raises(InputError, match="expected a step from 1 to"):
        read.shares_at(0, b=0.5)
    with pytest.raises(InputError, match="holds no state 'nu' with weights"):
        read.shares_at(3, of="nu", b=0.5)
    adam = al.influence("optax.adam(0.1)", {"b2": 0.5})
    np.testing.assert_allclose(adam.shares_at(3, of="nu"), np.array([4, 2, 1]) / 7)


def test_every_printer_has_all_equations(adamlab):
    read = al.influence("optax.adam")
    data = json.loads(adamlab("influence", "optax.adam", "--format", "json").stdout)
    assert data["update"]["half_life"]["text"] == "-log(2)/log(β₁)"
    assert read.latex().count("&=") == len(data["equations"]) == 8
    shown = adamlab("influence", "optax.adam", "--set", "b1=0.9").stdout
    assert "share = 0.1·0.9^k/(1 - 0.9^t)" in shown
    assert "  where v_t is held" in shown


@pytest.mark.slow
def test_weights_before_the_formula_holds_are_not_told():
    read = al.influence("optax.adan", {"b1": 0.9, "b2": 0.8})
    assert isinstance(read.weight, Piecewise)
    assert "t ≥ 2" in read.assumptions
    with pytest.raises(InputError, match="expected a step from 2"):
        read.shares_at(1)
    assert {s for s in read.update.relative.formula.free_symbols if isinstance(s, Symbol)} == {read.k, read.t}


def test_a_schedule_on_the_update_scales_all_weights_at_every_step(x64):
    """Of steps before the schedule's end too, by derivatives of the optimizer."""
    read = al.influence("optax.sgd(linear(lr, 0.0, 100), momentum=b)")
    derivatives, _ = differentiated("optax.sgd(linear(lr, 0.0, 100), momentum=b)")
    numbers = {symbol: NUMBERS[name] for name, symbol in read.hyper.items()}
    weights = [float(read.weight.xreplace(numbers).subs({read.k: k, read.t: STEPS})) for k in range(STEPS)]
    assert weights == pytest.approx(derivatives.tolist())
    assert read.half_life == -log(2) / log(read.hyper["b"])
    assert not any(words.startswith("t ≥") for words in read.assumptions)


def test_weights_that_are_unknown_are_not_0():
    with pytest.raises(InputError, match="its formula begins with z₁₀₀"):
        al.influence("optax.rmsprop(linear(lr, 0.01, 100), momentum=b)")


@pytest.mark.parametrize("momentum", [-0.5, 1.5])
def test_weights_that_alternate_or_grow_have_no_half_life(momentum):
    read = al.influence(f"optax.sgd(lr, momentum={momentum})")
    assert read.half_life is None
    assert (read.mean_age is None) == (momentum > 1)
    weights = momentum ** np.arange(5.0)
    np.testing.assert_allclose(read.shares_at(5), weights / weights.sum())


def test_two_momenta_that_may_be_equal_say_so():
    read = al.influence("optax.chain(optax.trace(a), optax.trace(b))")
    assert "b - a ≠ 0" in read.assumptions
    weights = np.convolve(0.9 ** np.arange(5), 0.5 ** np.arange(5))[:5]
    np.testing.assert_allclose(read.shares_at(5, a=0.9, b=0.5), weights / weights.sum())
    fixed: Any = al.influence("optax.chain(optax.trace(0.9), optax.trace(0.5))")
    assert fixed.mean_age == pytest.approx(10)  # 0.9/0.1 + 0.5/0.5
    assert fixed.half_life is None
    with pytest.raises(InputError, match="no finite value at a="):
        read.shares_at(5, a=0.9, b=0.9)


def test_shares_of_no_sum_and_of_no_number_are_refused():
    read: Any = al.influence("optax.sgd(lr, momentum=b)")
    with pytest.raises(InputError, match="sum to 0 at step 4"):
        read.shares_at(4, b=-1)
    for value in ("x", None, float("nan"), float("inf")):
        with pytest.raises(InputError, match="expected a finite number for b"):
            read.shares_at(4, b=value)
    with pytest.raises(InputError, match="expected a step from 1 to"):
        read.shares_at(2.5, b=0.5)
