"""The exact reading against 50-digit loops written from the papers, for both libraries' own code."""

import inspect
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest
from mpmath import mpf

import adamlab as al
from adamlab.errors import InputError
from adamlab.interpret.jaxpr import UnreadableError
from adamlab.interpret.oracle import run_together
from adamlab.interpret.programs import Subject
from adamlab.symbolic.proving.counterexamples import find
from tests import oracle
from tests.gradients import families
from tests.rules.test_formulas import CASES


def assert_exact(numbers: list, expected: list):
    # 50 digits, less those that a sum of 40 terms and the cancelling 1 − 0.999^t can take.
    assert max(abs(a - b) for a, b in zip(numbers, expected, strict=True)) <= mpf(10) ** -42 * max(map(abs, expected))


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize(("name", "hyper"), CASES)
def test_exact_reading_of_either_library_is_the_paper_in_50_digits(rng, name, hyper):
    formula, gs = getattr(oracle, name), families(rng, 40)["heavy_tailed"]
    factories = (getattr(library, name) for library in (al, optax))
    read = [
        al.exact(f, gs, hyper, params=0.3) for f in factories if hyper.keys() <= inspect.signature(f).parameters.keys()
    ]
    given = {"weights": read[0].params[:-1]} if "weights" in inspect.signature(formula).parameters else {}
    expected = formula(gs, **given, **hyper)
    for e in read:
        assert_exact(e.updates, expected)
        assert_exact(e.params, [mpf(0.3) + mpmath.fsum(e.updates[:t]) for t in range(41)])


@pytest.mark.parametrize("options", [{}, {"nesterov": True}, {"eps_root": 1e-3, "b2": 0.5}])
def test_all_arithmetics_are_the_same_formula(rng, options):
    gs = families(rng, 40)["normal"]
    expected = oracle.adam(gs, 0.1, **options)
    for arithmetic in ("optax", "accurate", "weighted"):
        e = al.exact(al.adam, gs, {"learning_rate": 0.1, "arithmetic": arithmetic, **options})
        assert_exact(e.updates, expected)


def test_states_are_named_by_their_fields():
    e = al.exact(optax.adam, [0.5, -2.0], {"learning_rate": "0.1", "b2": "0.5"})
    assert e.states[1] == {"count": 2, "mu": e.states[1]["mu"], "nu": mpf("0.0625") + 2}
    scheduled = al.exact(optax.adam, [0.5], {"learning_rate": al.schedules.inverse_sqrt(0.1)})
    assert set(scheduled.states[0]) == {"0.count", "mu", "nu", "1.count"}
    assert scheduled.states[0]["1.count"] == 1


def test_arrays_and_trees_are_read_entry_by_entry(rng):
    gs = rng.normal(size=(5, 2, 3))
    whole = al.exact(optax.adam, gs, {"learning_rate": 0.1})
    tree = al.exact(optax.adam, [{"a": g[0], "b": g[1, 2]} for g in gs], {"learning_rate": 0.1})
    alone = al.exact(optax.adam, gs[:, 1, 2], {"learning_rate": 0.1})
    assert whole.updates[4].shape == (2, 3)
    assert whole.updates[4][1, 2] == tree.updates[4]["b"] == alone.updates[4]
    assert (whole.updates[3][0] == tree.updates[3]["a"]).all()
    assert set(tree.states[0]) == {"count", "mu.a", "mu.b", "nu.a", "nu.b"}


TOGETHER: list[Any] = [
    ({"lr": "0.5", "b": "0.25"}, ("1", "-2", "0.5")),
    ({"lr": "0.1", "b": "0.9"}, ("0", "1")),
    ({"lr": "2", "b": "0.5"}, ("30000", "-1e-6", "1", "1", "0")),
    ({"lr": "0.5", "b": "0.25"}, ("2",)),
]
"""Numbers and gradients of runs of several lengths."""


@pytest.mark.parametrize("spec", ["adam(lr, b1=b)", "radam(lr, b2=b)", "lion(lr, b1=b)", "rprop(lr, eta_minus=b)"])
def test_trials_run_together_as_each_does_alone(spec):
    in_pairs = [(hyper, [(g, "3") for g in gradients]) for hyper, gradients in TOGETHER]
    for trials, start in ((TOGETHER, "1"), (in_pairs, np.array(["1", "2"], object))):
        together = run_together(Subject.of(f"optax.{spec}"), trials, start, ("2", "3"), 50)
        for (hyper, gradients), updates in zip(trials, together, strict=True):
            rows = [np.array(g, object) if isinstance(g, tuple) else g for g in gradients]
            alone = al.exact(
                f"optax.{spec}", rows, hyper, params=start, values=[("2", "3")[t % 2] for t in range(len(rows))]
            )
            assert updates == [u for row in alone.updates for u in np.ravel(np.array(row, object))]


def stepped(learning_rate):
    """SGD on whole gradients."""
    return optax.stateless(lambda gs, _: jax.tree.map(lambda g: -learning_rate * jnp.floor(g).astype(jnp.int32), gs))


def test_integers_of_their_own_are_not_read_together():
    subject = Subject.of("optax.sgd(0.5)"), Subject.of(stepped, {"learning_rate": "0.5"})
    trials = [({"learning_rate": "0.5"}, ("1", "1.5")), ({"learning_rate": "0.5"}, ("2", "2.5"))]
    with pytest.raises(UnreadableError, match="an integer is not the same in all trials"):
        run_together(subject[1], trials, "1", ("1",), 50)
    parted = find(*subject, (), [gradients for _, gradients in trials])
    assert parted is not None
    assert (parted.gradients, parted.step) == (["1", "1.5"], 2)


def doubled(learning_rate, k=0.1):
    """SGD at twice the rate where k is not small."""
    return optax.sgd(2 * learning_rate if k > 0.3 else learning_rate)


def test_numbers_that_the_code_branches_on_are_not_read_together():
    subject = Subject.left_open(doubled)
    trials = [({"learning_rate": "1", "k": k}, ("1",)) for k in ("0.1", "2")]
    with pytest.raises(UnreadableError, match="the code branches on a number"):
        run_together(subject, trials, "1", ("1",), 50)
    verdict = al.prove(doubled, optax.sgd)
    assert verdict.counterexample is not None
    assert (verdict.counterexample.left, verdict.counterexample.right) == (-2, -1)


def test_each_step_has_the_loss_of_its_own():
    gradients, losses, w = [2.0, -4.0, 1.0], [1.0, 8.0, 0.25], jnp.zeros(())
    transform: Any = optax.polyak_sgd()
    state, updates = transform.init(w), []
    for g, loss in zip(gradients, losses, strict=True):
        u, state = transform.update(jnp.asarray(g), state, w, value=jnp.asarray(loss))
        updates.append(float(u))
    assert [float(u) for u in al.exact(optax.polyak_sgd, gradients, values=losses).updates] == updates


def test_numbers_are_decimals():
    rates = ["0.001", 0.001, Decimal("0.001"), Fraction(1, 1000), np.float32(0.001)]
    with mpmath.workdps(50):
        updates = [al.exact(optax.sgd, ["0.5"], {"learning_rate": rate}).updates for rate in rates]
        assert updates == [[-mpf("0.0005")]] * len(rates)


def test_gradients_are_the_floats_that_they_are():
    e = al.exact("optax.sgd(1.0)", np.array([0.1], np.float32))
    assert e.updates == [-mpf(float(np.float32(0.1)))]


def test_a_complement_is_exact():
    b2 = al.Decay(complement=1e-20)
    e = al.exact(al.adam, [1.0, 3.0], {"learning_rate": 1, "b1": 0, "b2": b2, "eps": 0})
    with mpmath.workdps(50):
        delta = mpf(10) ** -20
        v_hat = (delta * 9 + delta * (1 - delta)) / (1 - (1 - delta) ** 2)
        assert abs(e.updates[1] + 3 / mpmath.sqrt(v_hat)) < mpf(10) ** -28


def test_specs_take_symbols_and_schedules():
    e = al.exact("adamlab.adam(inverse_sqrt(lr), b1=0.0, b2=decay, eps=0.0)", [2.0, 2.0], {"lr": "0.1", "decay": "0.9"})
    with mpmath.workdps(50):
        assert abs(e.updates[1] + mpf("0.1") / mpmath.sqrt(2)) < mpf(10) ** -48
    assert e.hyper["decay"] == mpf("0.9") or abs(e.hyper["decay"] - mpf("0.9")) < 1e-15


def test_a_factory_that_branches_on_a_number_is_read_with_constants():
    def branching(learning_rate, momentum=0.0):
        return optax.sgd(learning_rate, momentum if momentum > 0 else None)

    e = al.exact(branching, [1.0, 1.0], {"learning_rate": 0.1, "momentum": 0.9})
    with mpmath.workdps(50):
        assert e.updates[1] == -mpf("0.1") * mpf("1.9")


def unannotated(learning_rate, b1=0, momentum=None):
    return optax.chain(optax.scale_by_adam(b1=b1), optax.sgd(learning_rate, momentum))


def test_a_function_without_annotations_takes_its_numbers_in_any_form():
    full = al.exact("optax.adam(0.5, b1=0.5)", [1.0, -3.0])
    for number in ("0.5", 0.5, Decimal("0.5"), Fraction(1, 2), np.float32(0.5), "1/2"):
        e = al.exact(unannotated, [1.0, -3.0], {"learning_rate": number, "b1": number, "momentum": number})
        with mpmath.workdps(50):
            assert abs(e.updates[0] - full.updates[0]) < mpf(10) ** -45, number
            assert abs(e.updates[1] - (full.updates[1] + full.updates[0] / 2)) < mpf(10) ** -45, number


def test_a_whole_number_by_default_stays_one():
    e = al.exact(unannotated, [1.0, -3.0], {"learning_rate": "0.5"})
    assert_exact(e.updates, al.exact("optax.adam(0.5, b1=0.0)", [1.0, -3.0]).updates)


def test_bad_input_is_told_in_one_message():
    with pytest.raises(InputError, match="adam has no argument 'lr'; valid here: learning_rate, b1, b2"):
        al.exact(optax.adam, [1.0], {"lr": 0.1})
    with pytest.raises(InputError, match="adam needs a value for learning_rate"):
        al.exact(optax.adam, [1.0])
    with pytest.raises(InputError, match="lr has no value"):
        al.exact("optax.adam(lr)", [1.0])
    with pytest.raises(InputError, match="no gradients"):
        al.exact(optax.adam, [], {"learning_rate": 0.1})
    for number in ("one", True, float("nan"), [0.1], al.Decay(0.9)):
        with pytest.raises(InputError, match="sgd: learning_rate must be a number or a schedule, not "):
            al.exact(al.sgd, [1.0], {"learning_rate": number})
    with pytest.raises(InputError, match="sgd: nesterov must be true or false, not 3"):
        al.exact(al.sgd, [1.0], {"learning_rate": 1, "nesterov": 3})
    with pytest.raises(InputError, match="must all have the shape of the first"):
        al.exact(optax.sgd, [[1.0, 2.0], [1.0]], {"learning_rate": 0.1})
    with pytest.raises(InputError, match="digits must be at least 1"):
        al.exact(optax.sgd, [1.0], {"learning_rate": 0.1}, digits=0)
    with pytest.raises(InputError, match="one entry for each step, and got float"):
        al.exact(optax.sgd, 1.0, {"learning_rate": 0.1})


def test_a_variance_that_cancels_is_zero():
    hyper = {"learning_rate": "0.1", "centered": True, "bias_correction": True, "eps_in_sqrt": False}
    e = al.exact(optax.rmsprop, [0.7] * 6, hyper)
    with mpmath.workdps(50):
        assert_exact(e.updates, [-mpf("0.1") * mpf(0.7) / mpf("1e-8")] * 6)
    inside = al.exact(optax.rmsprop, [0.7] * 6, {**hyper, "eps_in_sqrt": True})
    assert_exact(inside.updates, [-mpf("0.1") * mpf(0.7) / mpf("1e-4")] * 6)


def test_powers_of_two_are_neutral():
    def chain(learning_rate):
        return optax.chain(optax.scale(2.0**24), optax.sgd(learning_rate), optax.scale(2.0**-24))

    gs = [0.1, -3.7, 1e-9]
    e, expected = (al.exact(factory, gs, {"learning_rate": "0.001"}) for factory in (chain, optax.sgd))
    assert e.updates == expected.updates


def test_a_count_wraps_in_its_own_width():
    def counted(learning_rate):
        def update(updates, state, params=None):
            count = state + jnp.uint8(100)
            return -learning_rate * updates * count, count

        return optax.GradientTransformation(lambda params: jnp.uint8(150), update)

    e = al.exact(counted, [1.0, 1.0], {"learning_rate": 1})
    assert [int(u) for u in e.updates] == [-250, -94]
    assert [state["state"] for state in e.states] == [250, 94]


def test_the_precision_of_mpmath_is_left_as_it_was():
    with mpmath.workdps(20):
        al.exact(optax.sgd, [1.0], {"learning_rate": 0.1}, digits=80)
        assert mpmath.mp.dps == 20
