"""The derivations hold, are written in every form, and a wrong formula or wrong code is found out."""

import io
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace

import jax
import jax.numpy as jnp
import matplotlib.figure
import pytest
from sympy import Rational, Symbol, floor, sqrt

import adamlab as al
from adamlab.derivations import DERIVATIONS, Derivation, Step, batch_norm, conv_shape, derive
from adamlab.derivations import adagrad_limit as limit
from adamlab.derivations import second_moment as moment
from adamlab.derivations import softmax_cross_entropy as softmax
from adamlab.derivations.computation import Computation, arrays, total, whole
from adamlab.errors import InputError
from adamlab.layers import conv_output_shape
from adamlab.symbolic.partial import partial


@pytest.fixture(scope="module", autouse=True)
def _values_are_remembered():
    """Each value is computed once for all tests: where a formula was made wrong, it is asked for another."""
    compute, values = Computation.value, {}

    def value(self, e, where=None):
        key = self.size, self.definitions, tuple(self.given.items()), e, tuple((where or {}).items())
        if key not in values:
            values[key] = compute(self, e, where)
        return values[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Computation, "value", value)
        yield


@pytest.fixture(scope="module")
def derivations() -> dict[str, Derivation]:
    return {name: derive(name) for name in DERIVATIONS}


def failing(derivation: Derivation) -> list[int]:
    return [number for number, step in enumerate(derivation.steps, start=1) if not step.holds]


@pytest.mark.parametrize("name", DERIVATIONS)
def test_every_step_holds(derivations, name):
    assert derivations[name].name == name
    assert failing(derivations[name]) == []


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex here")
def test_the_latex_document_compiles(derivations, adamlab, monkeypatch, tmp_path):
    for name, derivation in derivations.items():
        monkeypatch.setitem(DERIVATIONS, name, lambda derivation=derivation: derivation)
    path = tmp_path / "derivations.tex"
    path.write_text(adamlab("derive", "all", "--format", "latex").stdout)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert [line for line in done.stdout.splitlines() if "Missing character" in line] == []


RESULTS = {
    "second-moment": [
        "v_t = β₂^t·v₀ + (1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·g_i²",
        "v_t = (1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·g_i²",
        "v̂_t = v_t/(1 - β₂^t)",
        "u_t = -η·m̂_t/(√v̂_t + ε)",
    ],
    "adagrad-limit": [
        "u_t = -η·g_t/√(t·v̂_t)",
        "u_t → -η·g_t/√(Σ_{i=1}^{t} g_i²)",
        "Where 0 < β₂ < 1, η > 0; t < 2³¹; G_t ≠ 0.",
    ],
    "softmax-cross-entropy": [
        "= ŷ_i·(1 - ŷ_i)",
        "= -ŷ_i·ŷ_j",
        "∂ŷ_i/∂z_j = ŷ_i·(δ_(i,j) - ŷ_j)",
        "∂L/∂z_j = ŷ_j - y_j",
    ],
    "batch-norm": [
        "∂L/∂γ = Σ_{i=1}^{N} x̂_i·∂L/∂y_i",
        "∂L/∂β = Σ_{i=1}^{N} ∂L/∂y_i",
        "y_i = √(Var + ε)·x̂_i + E",
        "= x_i",
    ],
    "conv-shape": [
        "k̂ = d·(k - 1) + 1",
        "W' = ⌊(W - k̂ + 2·p)/s⌋ + 1",
        "(B, W', H', C) = (B, ⌊(W - k̂ + 2·p)/s⌋ + 1, ⌊(H - k̂ + 2·p)/s⌋ + 1, C)",
    ],
}


@pytest.mark.parametrize("name", DERIVATIONS)
def test_the_text_has_the_formulas_of_the_source(derivations, name):
    lines = [line.strip() for line in derivations[name].text().splitlines()]
    assert [formula for formula in RESULTS[name] if formula not in lines] == []
    numbers = [int(line.partition(".")[0]) for line in lines if re.match(r"\d+\. ", line)]
    assert numbers == [*range(1, len(derivations[name].steps) + 1)]


def test_time_goes_up_as_by_hand(derivations):
    written = derivations["second-moment"].text(superscripts=True)
    assert "v^t = (1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·(g^i)²" in written
    assert "v^t = β₂^t·v⁰ + (1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·(g^i)²" in written


@pytest.mark.parametrize("name", DERIVATIONS)
def test_mathml_is_well_formed_with_a_formula_for_every_side(derivations, name):
    written = derivations[name].mathml()
    assert not re.search(r"&(?!amp;|lt;|gt;|quot;|apos;|#)", written)
    section = ET.fromstring(written)
    maths = section.findall(".//{http://www.w3.org/1998/Math/MathML}math")
    assert len(maths) == sum(max(len(step.sides) - 1, 1) for step in derivations[name].steps)
    assert len(section.findall("ol/li")) == len(derivations[name].steps)
    assert derivations[name]._repr_html_() == written


@pytest.mark.parametrize("name", DERIVATIONS)
def test_latex_can_be_set(derivations, name):
    written = derivations[name].latex()
    assert written.isascii()
    formulas = re.findall(r"\\begin\{align\*\}(.*?)\\end\{align\*\}", written, re.DOTALL)
    assert len(formulas) == len(derivations[name].steps)
    figure = matplotlib.figure.Figure()
    for row in [row for formula in formulas for row in formula.split("\\\\\n")]:
        figure.text(0, 0, f"${row.replace('&', '')}$")
    figure.savefig(io.BytesIO(), format="svg")  # raises where mathtext cannot parse


def test_words_are_set_with_every_sign():
    words = "0 < β₂ < 1, G_t ≠ 0 in optax.scale_by_adam & {x̂} at 50 %, √t·√β ≤ 2³¹ − 1, a~b^c\\d, $5 #1"
    step = Step(words, (Symbol("a"), Symbol("b")), "by nobody")
    latex = Derivation("signs", "Signs", "nobody", "No letters.", (step,)).latex()
    assert latex.isascii()
    (item,) = [line for line in latex.splitlines() if line.startswith(r"\item")]
    assert item == (
        r"\item 0 $<$ $\beta _{2}$ $<$ 1, $G_{t}$ $\neq$ 0 in optax.scale\_by\_adam \& \{$\hat{x}$\} at 50 \%, "
        r"$\sqrt{t}\cdot \sqrt{\beta}$ $\leq$ 2$^{31}$ $-$ 1, a\textasciitilde{}b\textasciicircum{}c\textbackslash{}d, "
        r"\$5 \#1"
    )


@pytest.mark.parametrize("name", DERIVATIONS)
def test_plain_data_has_it_all(derivations, name):
    data = derivations[name].to_dict()
    assert data["holds"] is True
    assert [step["words"] for step in data["steps"]] == [step.words for step in derivations[name].steps]
    assert all(step["text"] and step["latex"] and step["checked"] for step in data["steps"])


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(InputError, match='there is no derivation "batchnorm"; did you mean "batch-norm"'):
        derive("batchnorm")


X_HAT = batch_norm.X_HAT[batch_norm.i]
Y, J, N, L, DY = softmax.Y, softmax.j, batch_norm.N, batch_norm.L, batch_norm.Y[batch_norm.i]


def late_sum(decay, power, end=moment.T):
    return decay * total(decay ** (end - moment.i) * moment.G[moment.i] ** power, moment.i, end)


WRONG_FORMULAS = {
    "the sign of softmax's gradient": (softmax, "GRADIENT", Y[J] - softmax.Y_HAT[J], [8, 9]),
    "the Jacobian without its diagonal": (
        softmax,
        "JACOBIAN",
        -softmax.Y_HAT[softmax.i] * softmax.Y_HAT[J],
        [5, 7, 10],
    ),
    "the quotient rule without the sum's own term": (softmax, "OWN", softmax.Y_HAT[softmax.i], [3]),
    "the quotient rule of another score with its sign": (
        softmax,
        "OTHER",
        softmax.Y_HAT[softmax.i] * softmax.Y_HAT[J],
        [4],
    ),
    "the variance's part is left out": (
        batch_norm,
        "COMPACT",
        batch_norm.GAMMA / (N * batch_norm.SIGMA) * (N * partial(L, DY) - partial(L, batch_norm.BETA)),
        [11, 12],
    ),
    "sigma for its square": (batch_norm, "SIGMA", sqrt(batch_norm.VARIANCE) + batch_norm.EPS, [8, 9, 10, 13]),
    "padding on one side alone": (
        conv_shape,
        "FORMULA",
        floor((conv_shape.SIDE - conv_shape.SPAN + conv_shape.PADDING) / conv_shape.STRIDE) + 1,
        [4, 5, 6],
    ),
    "the count without the first window": (
        conv_shape,
        "FORMULA",
        floor((conv_shape.SIDE - conv_shape.SPAN + 2 * conv_shape.PADDING) / conv_shape.STRIDE),
        [4, 5, 6],
    ),
    "a span of as many places as entries": (
        conv_shape,
        "SPANNED",
        conv_shape.DILATION * conv_shape.KERNEL,
        [1, 2, 4, 5, 6],
    ),
    "the last place of a window forgotten": (
        conv_shape,
        "LAST",
        conv_shape.STRIDE * (conv_shape.WINDOW - 1) + conv_shape.SPAN - 1,
        [2, 3],
    ),
    "gamma and beta exchanged": (
        batch_norm,
        "DEFINITIONS",
        (*batch_norm.DEFINITIONS[:3], (batch_norm.Y[batch_norm.i], batch_norm.BETA * X_HAT + batch_norm.GAMMA)),
        [5, 6, 7, 11, 12, 13],
    ),
    "weights one step late": (
        moment,
        "weighted_sum",
        late_sum,
        [5, 6, 7, 10, 11],
    ),
    "another optimizer's limit": (limit, "ADAGRAD", "optax.adagrad(learning_rate, eps=0.0)", [6, 7]),
}


A_FORMULA_OF_EACH = [
    "the sign of softmax's gradient",
    "the variance's part is left out",
    "padding on one side alone",
    "weights one step late",
    "another optimizer's limit",
]


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(
    "name",
    [name if name in A_FORMULA_OF_EACH else pytest.param(name, marks=pytest.mark.slow) for name in WRONG_FORMULAS],
)
def test_a_wrong_formula_is_found_out(monkeypatch, name):
    module, attribute, wrong, steps = WRONG_FORMULAS[name]
    monkeypatch.setattr(module, attribute, wrong)
    derivation = module.derive()
    assert failing(derivation) == steps
    assert not derivation.holds
    assert derivation.text().count("DOES NOT HOLD") == len(steps)


def slipped(monkeypatch, module, attribute, slip):
    """Makes the code wrong: what its backward gives goes through `slip`."""
    right = getattr(module, attribute)

    @jax.custom_vjp
    def wrong(*arguments):
        return right(*arguments)

    def forward(*arguments):
        return right(*arguments), arguments

    def backward(arguments, dy):
        return slip(jax.vjp(right, *arguments)[1](dy), arguments)

    wrong.defvjp(forward, backward)
    monkeypatch.setattr(module, attribute, wrong)


def no_gradient_where_a_label_is_0(gradients, arguments):
    (dz, dy), (_, y) = gradients, arguments
    return jnp.where(y == 0, 0.0, dz), dy


def test_what_the_recurrence_says_of_every_step_begins_at_the_start():
    """Each of these follows from itself by the recurrence, as whatever starts elsewhere does."""
    b, c = Symbol("b", positive=True), moment.C
    average, sums = c * (1 - b**moment.T), moment.weighted_sum(b, 2)
    for start in (0, 1, c):
        assert moment.is_average(c, b, average + start * b**moment.T) == (start == 0)
    for start in (0, 1, moment.V[0]):
        assert moment.goes_on(sums + start * b**moment.T, b) == (start == moment.V[0])


def test_another_code_of_the_second_moment_is_found_out(monkeypatch):
    """Each step that is written out is held against the code."""
    monkeypatch.setattr(moment, "unroll", lambda spec, steps: al.unroll(f"{spec}(b2=b1)", steps))
    assert failing(moment.derive()) == [2, 3, 4]


WRONG_CODE = {
    "one-hot labels": (softmax, "softmax_cross_entropy", no_gradient_where_a_label_is_0, [9]),
    "the sign": (softmax, "softmax_cross_entropy", lambda gradients, _: (-gradients[0], gradients[1]), [9]),
    "the Jacobian": (softmax, "softmax", lambda gradients, _: (gradients[0] * 2,), [10]),
}


@pytest.mark.parametrize("name", ["one-hot labels", pytest.param("the sign", marks=pytest.mark.slow), "the Jacobian"])
def test_a_wrong_backward_is_found_out(monkeypatch, name):
    module, attribute, slip, steps = WRONG_CODE[name]
    slipped(monkeypatch, module, attribute, slip)
    assert failing(module.derive()) == steps


@pytest.mark.parametrize("eps_of", [pytest.param(lambda eps: 4 * eps**2, marks=pytest.mark.slow), jnp.sqrt])
def test_another_eps_in_batch_norm_is_found_out(monkeypatch, eps_of):
    right = batch_norm.batch_norm
    monkeypatch.setattr(batch_norm, "batch_norm", lambda x, gamma, beta, eps: right(x, gamma, beta, eps=eps_of(eps)))
    assert failing(batch_norm.derive()) == [12, 13]


@pytest.mark.parametrize("side", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_wrong_shape_on_either_side_is_found_out(monkeypatch, side):
    def wrong(*geometry):
        shape = [*conv_output_shape(*geometry)]
        shape[side] += 1
        return tuple(shape)

    monkeypatch.setattr(conv_shape, "conv_output_shape", wrong)
    assert failing(conv_shape.derive()) == [5, 6]


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("place", [0, 3])
def test_a_wrong_batch_or_number_of_kernels_is_found_out(monkeypatch, place):
    def wrong(*geometry):
        shape = conv_output_shape(*geometry)
        return (*shape[:place], 1, *shape[place + 1 :])

    monkeypatch.setattr(conv_shape, "conv_output_shape", wrong)
    assert failing(conv_shape.derive()) == [6]


def test_a_wrong_order_of_the_limit_is_found_out(monkeypatch):
    verdict = limit.prove(limit.ADAM, limit.ADAGRAD, limit={"b2": 1})
    for order, relative in ((None, None), (2, None), (1, 7)):
        other = replace(verdict, order=order, relative=relative or verdict.relative)
        monkeypatch.setattr(limit, "prove", lambda *sides, limit, other=other: other)
        assert failing(limit.derive()) == [7], (order, relative)


def test_the_first_order_difference_is_borne_out_by_numbers():
    g, delta = [0.5, -2.0, 1.0], Rational(1, 10**8)
    (_, formula) = derive("adagrad-limit").steps[-1].sides
    given = {"learning_rate": "0.1"}
    runs = [al.exact(limit.ADAM, g, given | {"b2": "0.99999999"}), al.exact(limit.ADAGRAD, g, given)]
    adam, adagrad = (run.updates[-1] for run in runs)
    known = formula.subs(limit.T, 3).doit().subs({limit.G[n + 1]: x for n, x in enumerate(g)}).subs(limit.DELTA, delta)
    assert float((adam - adagrad) / adagrad) == pytest.approx(float(known), rel=1e-6)


def test_a_derivative_goes_through_what_comes_after_and_no_further():
    x, y = arrays("x", "y")
    m, loss = (Symbol(name, real=True) for name in "mL")
    n, i = whole("n", "i")
    computation = Computation((n, 3), ((m, total(x[i], i, n) / n), (y[i], x[i] - m), (loss, total(y[i] ** 2, i, n))))
    assert computation.holds((partial(loss, y[i]), 2 * y[i]))
    assert computation.holds((partial(loss, m), -2 * total(y[i], i, n), 0 * m))
    assert computation.holds((partial(loss, x[i]), 2 * y[i]))
    assert not computation.holds((partial(loss, x[i]), 2 * y[i] + Rational(1, 10**6) * x[1]))
    assert computation.holds((partial(y[1], x[i]) + partial(y[2], x[i]) + partial(y[3], x[i]), 0 * m))
    assert not computation.holds((i * m, m))  # an index that is a factor is an index
    with pytest.raises(ValueError, match="not enough values"):
        computation.holds((partial(loss, m),))
