"""The stability read off optimizers' code: known thresholds, runs just below and above them, and what has none."""

import json
from typing import Any
from xml.etree import ElementTree

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sympy import Indexed, cancel, parse_expr

import adamlab as al
from adamlab.errors import InputError
from tests.dynamics.runs import growth
from tests.symbolic.examples import transformation

pytestmark = pytest.mark.optimized(False)

NUMBERS = {"b": 0.8, "b1": 0.9, "b2": 1 - 1e-8, "decay": 0.02, "e": 1e-3, "t": 0.3}
"""The values of all numbers but the rate in runs, by the names that the specs below give them."""

COUNT = 2_000_000_000
"""A step so late that bias corrections are 1."""

ADAM = {"mu": 0.0, "nu": 0.25, "nu_max": 0.25, "count": COUNT, "0.count": COUNT}
TORCH_ADAM = {"exp_avg_sq": 0.25, "step": COUNT}
"""States that are held, at a second moment of 1/4."""

MOMENTUM, AVERAGE = "2*(1 + b)/h", "2*(1 + b1)/((1 - b1)*h)"

KNOWN = {
    "optax.sgd(lr)": "2/h",
    "adamlab.sgd(lr)": "2/h",
    "optax.sgd(lr, momentum=b)": MOMENTUM,
    "adamlab.sgd(lr, momentum=b)": MOMENTUM,
    "optax.sgd(lr, momentum=b, nesterov=true)": "2*(1 + b)/((1 + 2*b)*h)",
    "optax.chain(optax.ema(b1), optax.scale_by_learning_rate(lr))": AVERAGE,
    "optax.chain(optax.add_decayed_weights(decay), optax.sgd(lr, momentum=b))": "2*(1 + b)/(h + decay)",
    "optax.chain(optax.trace(b), optax.add_decayed_weights(decay), optax.scale_by_learning_rate(lr))": (
        "2*(1 + b)/(h + (1 + b)*decay)"
    ),
    "optax.adam(lr, b1=b1, b2=b2, eps=e)": AVERAGE,
    "optax.optimistic_gradient_descent(lr, alpha=1.0, beta=t)": "2/((1 + 2*t)*h)",
    "adamlab.adam(lr, b1=b1, b2=b2, eps=e)": AVERAGE,
    "optax.adamw(lr, b1=b1, b2=b2, eps=e, weight_decay=decay)": "2*(1 + b1)/((1 - b1)*h + (1 + b1)*decay)",
    "optax.amsgrad(lr, b1=b1, b2=b2, eps=e)": AVERAGE,
    "optax.nadam(lr, b1=b1, b2=b2, eps=e)": "2*(1 + b1)/((1 - b1)*(1 + 2*b1)*h)",
    "optax.adabelief(lr, b1=b1, b2=b2, eps=e, eps_root=0.0)": AVERAGE,
    "optax.yogi(lr, b1=b1, b2=b2, eps=e)": AVERAGE,
    "optax.rmsprop(lr, decay=b2, eps=e, eps_in_sqrt=false)": "2/h",
    "optax.rmsprop(lr, decay=b2, eps=e, eps_in_sqrt=false, momentum=b)": MOMENTUM,
    "torch.SGD(lr, momentum=b)": MOMENTUM,
    "torch.SGD(lr, momentum=b, dampening=t)": "2*(1 + b)/((1 - t)*h)",
    "torch.SGD(lr, momentum=b, nesterov=true, weight_decay=decay)": "2*(1 + b)/((1 + 2*b)*(h + decay))",
    "torch.Adam(lr, beta1=b1, beta2=b2, eps=e)": AVERAGE,
    "optax.chain(optax.clip_by_global_norm(t), optax.sgd(lr, momentum=b))": MOMENTUM,
    "adamlab.adam(lr, b1=b1, b2=b2, eps=e, bias_correction=false)": AVERAGE,
}
"""The largest stable rate, from the literature or by hand; of adaptive optimizers on preconditioned curvature."""

CURVATURES = np.geomspace(0.05, 20.0, 10)


@pytest.fixture(scope="module")
def read():
    """The stability of a spec, read once for all tests."""
    known = {}

    def stability(spec: str):
        if spec.startswith("torch."):
            pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
        if spec not in known:
            known[spec] = al.stability(spec)
        return known[spec]

    return stability


def expected(s, formula: str):
    return parse_expr(formula, {**s.hyper, "h": s.h})


def numbers_of(s) -> dict[str, float]:
    return {name: NUMBERS[name] for name in s.hyper if name in NUMBERS}


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("spec", KNOWN)
def test_the_largest_rate_is_the_known_formula(spec, read):
    s = read(spec)
    assert cancel(s.largest_rate - expected(s, KNOWN[spec])) == 0
    assert not [assumption for assumption in s.assumptions if "drawn" in assumption]  # it is proved


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize("spec", KNOWN)
def test_runs_converge_just_below_the_largest_rate_and_diverge_just_above(spec, read):
    """A thousandth below and above, on ten curvatures."""
    s, numbers = read(spec), numbers_of(read(spec))
    preconditioner = 0.5 + NUMBERS["e"] if s.preconditioners else 1.0
    largest = [s.largest_rate_at(**numbers, **{s.h.name: h / preconditioner}) for h in CURVATURES]
    rates, curvatures = np.array([[0.999], [1.001]]) * largest, np.stack([CURVATURES] * 2)
    held = TORCH_ADAM if spec.startswith("torch.Adam") else ADAM if s.preconditioners else {}
    below, above = growth(spec, "lr", rates.ravel(), curvatures.ravel(), numbers, held).reshape(2, -1)
    assert (below < 1).all(), below
    assert (above > 1).all(), above


FURTHER = {
    "optax.adamax(lr, b1=b1)": AVERAGE,
    "optax.nadamw(lr, b1=b1, weight_decay=decay)": "2*(1 + b1)/((1 - b1)*(1 + 2*b1)*h + (1 + b1)*decay)",
    "optax.novograd(lr, b1=b)": MOMENTUM,
    "optax.adadelta(lr)": "2/h",
    "optax.rmsprop(lr, centered=true, momentum=b)": MOMENTUM,
    "optax.contrib.simplified_ademamix(lr, b1=b1, alpha=t)": "2*(1 + b1)/((1 + t + t*b1)*h)",
    "torch.AdamW(lr, beta1=b1, weight_decay=decay)": "2*(1 + b1)/((1 - b1)*h + (1 + b1)*decay)",
    "torch.RMSprop(lr, momentum=b)": MOMENTUM,
    "torch.RMSprop(lr, centered=true, momentum=b)": MOMENTUM,
    "torch.NAdam(lr, beta1=b1)": "2*(1 + b1)/((1 - b1)*(1 + 2*b1)*h)",
    "optax.chain(optax.sgd(lr, momentum=b), optax.clip(t))": MOMENTUM,
    "optax.chain(optax.adaptive_grad_clip(t), optax.sgd(lr))": "2/h",
    "optax.radam(lr, b1=b1, b2=0.999, threshold=5.0)": AVERAGE,
}
"""The same of more optimizers, by hand: w falls by 2·w a step where each average of g = ±h·w is put in at z = −1."""


@pytest.mark.slow
@pytest.mark.parametrize("spec", FURTHER)
def test_the_largest_rate_of_others_is_the_formula_by_hand(spec, read):
    s = read(spec)
    assert cancel(s.largest_rate - expected(s, FURTHER[spec])) == 0


def of_framework(lr, b1, b2):
    """RMSProp with momentum as frameworks have it, whose code computes the second moment within the momentum."""

    @jax.jit
    def step(g, v, z):
        v = b2 * v + (1 - b2) * g * g
        return v, b1 * z + g / jnp.sqrt(v)

    def update(g, state, w=None):
        v, z = step(g, *state)
        return -lr * z, (v, z)

    return transformation(lambda w: (jnp.zeros_like(w), jnp.zeros_like(w)), update)


def test_a_moment_that_is_computed_within_a_momentum_is_held():
    s: Any = al.stability(of_framework)
    assert cancel(s.largest_rate - expected(s, "2*(1 + b1)/h")) == 0
    weight = al.influence(of_framework).weight
    (held,) = weight.atoms(Indexed)
    assert str(held.indices[0]) == "-k + t"


def test_adam_stays_stable_up_to_38_over_the_rate():
    """Of the preconditioned sharpness, at β₁ = 0.9: Cohen et al. (2022)."""
    s = al.stability(optax.adam, {"b1": 0.9, "learning_rate": 0.01})
    assert s.largest_curvature == 3800
    assert s.largest_curvature_at() == 3800
    (preconditioner,) = s.preconditioners.values()
    assert str(preconditioner) == "epsilon + sqrt(v)"


REFUSED = {
    "optax.lion(lr)": "sign",
    "optax.sign_sgd(lr)": "jumps",
    "optax.signum(lr)": "sign",
    "optax.rprop(lr)": "linear",
    "optax.adagrad(lr)": "only grows",
    "optax.sgd(inverse_sqrt(lr))": "changing with t",
    "optax.sgd(cosine(lr, 100))": "no gradient moves the parameter from step 101 on",
    "optax.polyak_sgd(lr)": "depends on the loss",
    "optax.chain(optax.centralize, optax.sgd(lr))": "mixes entries",
}
"""What has no linear map at the minimum, and a word of the reason."""


@pytest.mark.parametrize("spec", REFUSED)
def test_what_has_no_linear_map_says_why(spec):
    with pytest.raises(InputError, match=REFUSED[spec]) as refused:
        al.stability(spec)
    assert spec in str(refused.value)


OF_MATRICES: dict[str, Any] = {
    "orthogonal": lambda g: jnp.matmul(*jnp.linalg.svd(g, full_matrices=False)[::2]),
    "the first row": lambda g: jnp.broadcast_to(g[:1], g.shape),
    "sums so far": lambda g: jnp.cumsum(g, axis=1),
}
"""What mixes the entries of a matrix."""


@pytest.mark.parametrize("case", OF_MATRICES)
def test_what_mixes_entries_of_matrices_alone_has_no_single_curvature(case):
    def of_matrices(lr):
        return transformation(
            lambda w: (), lambda g, state, w=None: (-lr * (OF_MATRICES[case](g) if g.ndim > 1 else g), state)
        )

    for read_off in (al.stability, al.influence):
        with pytest.raises(InputError, match="on a matrix it"):
            read_off(of_matrices)


def test_certified_numbers_are_where_the_eigenvalues_of_the_map_leave_the_circle():
    """With two averages of the gradient, by bisection on NumPy's eigenvalues."""
    s = al.stability("optax.contrib.simplified_ademamix(lr, b1=b1, alpha=a)")
    numbers = {"b1": 0.9, "a": 2.5}
    largest = s.largest_rate_at(**numbers, hhat=1.5)
    assert bisected(s, {**numbers, "hhat": 1.5}) == pytest.approx(largest, rel=1e-9)


def bisected(s, numbers) -> float:
    symbols = {**s.hyper, s.h.name: s.h}
    matrix = s.matrix.xreplace({symbols[name]: value for name, value in numbers.items()})
    low, high = 1e-9, 1e9
    for _ in range(200):
        middle = (low * high) ** 0.5
        eigenvalues = np.linalg.eigvals(np.array(matrix.xreplace({s.hyper["lr"]: middle}), float))
        low, high = (middle, high) if np.abs(eigenvalues).max() < 1 else (low, middle)
    return low


@pytest.mark.parametrize(
    "spec", ["optax.sgd(lr)", "optax.sgd(lr, momentum=b)", "optax.adamw(lr, b1=b, weight_decay=t)"]
)
def test_the_rate_of_convergence_is_the_spectral_radius(spec, read):
    s = read(spec)
    symbols = {**s.hyper, s.h.name: s.h}
    for lr in (0.01, 0.1, 1.0, 3.0):
        numbers = {name: value for name, value in {"b": 0.8, "t": 0.02}.items() if name in s.hyper}
        numbers |= {"lr": lr, s.h.name: 1.25}
        known = {symbols[name]: value for name, value in numbers.items()}
        eigenvalues = np.linalg.eigvals(np.array(s.matrix.xreplace(known), float))
        assert s.rate_at(**numbers) == pytest.approx(np.abs(eigenvalues).max(), rel=1e-9)
        assert float(s.rate.xreplace(known)) == pytest.approx(s.rate_at(**numbers), rel=1e-9)


def test_missing_and_unknown_numbers_are_told(read):
    s = read("optax.sgd(lr, momentum=b)")
    with pytest.raises(InputError, match="expected a number for each of b, h: give b="):
        s.largest_rate_at()
    with pytest.raises(InputError, match="no open number 'bb'; did you mean \"b\""):
        s.largest_rate_at(bb=0.9, h=1)
    with pytest.raises(InputError, match="no open learning rate; ask for largest_curvature_at"):
        al.stability("optax.sgd(0.1)").largest_rate_at(h=1)
    for value in (0, -2):
        with pytest.raises(InputError, match=f"expected a curvature h above 0, not {value}"):
            s.largest_rate_at(h=value, b=0.9)
    with pytest.raises(InputError, match="expected a finite number for b"):
        s.largest_rate_at(h=1, b="x")
    with pytest.raises(InputError, match="converges at none of the learning rates"):
        read("optax.chain(optax.sgd(lr), optax.scale(-1.0))").fastest(10)


def test_what_is_clipped_far_from_the_minimum_says_so(read):
    s = read("optax.chain(optax.clip_by_global_norm(t), optax.sgd(lr, momentum=b))")
    assert "t' > |g|, as it is near the minimum" in s.assumptions


def test_the_curvature_has_a_letter_of_its_own():
    s = al.stability("optax.sgd(h)")
    assert (s.h.name, s.largest_rate_at(c=4)) == ("c", 0.5)


def test_every_printer_has_all_equations(read):
    s = read("optax.adam(lr, b1=b1, b2=b2, eps=e)")
    text = s.text().splitlines()
    assert "ĥ = h/(e + √v)" in text
    assert "p(-1) = 2·(1 + β₁) - lr·ĥ·(1 - β₁)" in text
    equations = s.to_dict()["equations"]
    assert json.loads(json.dumps(s.to_dict()))["largest_rate"]["text"] in s.text()
    assert len(ElementTree.fromstring(s.mathml()).findall("{*}mtable/{*}mtr")) == len(equations)
    assert s.latex().count("&=") == len(equations)
    assert "<math" in s._repr_html_()


def test_the_command_gives_formulas_and_a_number_at_a_curvature(adamlab):
    done = adamlab("stability", "optax.sgd(lr, momentum=b)", "--set", "b=0.9", "--curvature", "3.7")
    assert (done.returncode, done.stderr) == (0, "")
    assert "lr_max = 3.8/h" in done.stdout
    assert f"lr < {3.8 / 3.7:.12g}" in done.stdout
    data = json.loads(adamlab("stability", "optax.sgd(lr)", "--curvature", "4", "--format", "json").stdout)
    assert data["largest_rate_at"] == 0.5


def test_the_command_has_one_message_where_there_is_no_answer(adamlab):
    done = adamlab("stability", "optax.lion(lr)")
    assert done.returncode == 2
    assert done.stderr.startswith("adamlab: optax.lion(lr) has no linear map at the minimum: its step has sign(")


BEST = {
    "optax.sgd(lr)": lambda k: (2 / (k + 1), None, (k - 1) / (k + 1)),
    "optax.sgd(lr, momentum=b)": lambda k: (
        4 / (k**0.5 + 1) ** 2,
        ((k**0.5 - 1) / (k**0.5 + 1)) ** 2,
        (k**0.5 - 1) / (k**0.5 + 1),
    ),
    "optax.sgd(lr, momentum=b, nesterov=true)": lambda k: (
        4 / (3 * k + 1),
        ((3 * k + 1) ** 0.5 - 2) / ((3 * k + 1) ** 0.5 + 2),
        1 - 2 / (3 * k + 1) ** 0.5,
    ),
}
"""The best rate and momentum on curvatures from 1 to k, and the factor: Polyak (1964), Lessard et al. (2016)."""


@pytest.mark.parametrize("spec", BEST)
def test_the_best_momentum_is_the_known_formula(spec, read):
    for condition in (10.0, 100.0):
        rate, momentum, radius = BEST[spec](condition)
        best = read(spec).fastest(condition, h=condition)
        assert best["rate"] == pytest.approx(radius, rel=1e-3)
        assert best["lr"] == pytest.approx(rate, rel=1e-2)
        assert best.get("b") == (None if momentum is None else pytest.approx(momentum, rel=1e-2))


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize("spec", BEST)
def test_the_best_momentum_as_a_formula_is_the_known_one(spec, read):
    best = read(spec).best()
    assert best.is_proved
    assert "not proved" not in best.text()
    for condition in (3.0, 10.0, 1e6):
        rate, momentum, radius = BEST[spec](condition)
        known = {s: condition for e in best.numbers.values() for s in e.free_symbols}
        values = {name: float(e.xreplace(known)) for name, e in best.numbers.items()}
        assert values["rate"] == pytest.approx(radius, rel=1e-12)
        assert values["lr"] == pytest.approx(rate, rel=1e-12)
        assert values.get("b") == (None if momentum is None else pytest.approx(momentum, rel=1e-12))


def test_the_best_momentum_of_the_heavy_ball_is_printed_and_weight_decay_has_none(read):
    assert str(read("optax.sgd(lr, momentum=b)").best()).splitlines() == [
        "ρ = 1 - 2/(1 + √κ)",
        "lr = 4·κ/(h·(1 + √κ)²)",
        "b = (1 - √κ)²/(1 + √κ)²",
        "  where 0 < b < 1, lr > 0",
        "  where κ > 1",
        "  where h is the greatest of the curvatures, and h/κ the least",
    ]
    assert al.stability("optax.chain(optax.add_decayed_weights(decay), optax.sgd(lr, momentum=b))").best() is None
    assert al.stability("optax.contrib.simplified_ademamix(lr, b1=b, alpha=2.0)").best() is None  # no rational formula
