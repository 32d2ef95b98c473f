"""Formulas of a report: each optimizer's once, what is the same in Optax marked, what cannot be read told."""

from typing import Any

import numpy as np
import pytest
from sympy import Eq, IndexedBase, Rational, Symbol, cos, log, pi, symbols

from adamlab import problems
from adamlab.analysis import with_agreement
from adamlab.problems.metrics import metric_in_words
from adamlab.report import formulas
from adamlab.symbolic.notation.printing import mathml
from tests.analysis.examples import dataset


def runs_of(**specs):
    """A run of each spec by its label, or one for each of several specs."""
    each = [(label, spec) for label, some in specs.items() for spec in ([some] if isinstance(some, str) else some)]
    return {"made": with_agreement(dataset([(label, spec, 0, [3, 2, 1], -1) for label, spec in each]))}


def test_optimizers_of_the_same_formula_stand_together():
    rates = [f"adamlab.sgd(learning_rate={rate}, momentum=0.9)" for rate in (0.1, 0.2, 0.4)]
    (shown,) = formulas.optimizer_formulas(runs_of(ours=rates, theirs="optax.sgd(learning_rate=0.1, momentum=0.9)"))
    assert shown.numbers == {"ours": "η from 0.1 to 0.4 (3 values), μ = 0.9", "theirs": "η = 0.1, μ = 0.9"}
    assert shown.same == [("ours", "theirs")]
    z: Any
    g: Any
    u: Any
    z, g, u = map(IndexedBase, "zgu")
    mu, eta, t = symbols("mu eta t")
    assert shown.read.lines == (mathml(Eq(z[t], mu * z[t - 1] + g[t])), mathml(Eq(u[t], -eta * z[t])))
    assert shown.read.remarks == ("starting from z₀ = 0",)


def test_what_drives_an_update_is_told_as_far_as_there_is_time(monkeypatch):
    (shown,) = formulas.optimizer_formulas(runs_of(a="optax.sgd(learning_rate=0.1, momentum=0.9)"))
    mu, t, k = symbols("mu t k", positive=True)
    share, half_life, mean_age = shown.memory
    assert share == mathml(Eq(Symbol("share"), (1 - mu) * mu**k / (1 - mu**t), evaluate=False))
    assert half_life == mathml(Eq(Symbol("half_life"), -log(2) / log(mu), evaluate=False))
    assert mean_age == mathml(Eq(Symbol("mean_age"), mu / (1 - mu), evaluate=False))
    drawn = formulas.shares([shown])
    assert drawn is not None
    np.testing.assert_allclose(drawn.share.values[0], 0.1 * 0.9 ** np.arange(50) / (1 - 0.9**1000))
    assert drawn.optimizer.values.tolist() == ["a, μ 0.9"]
    (plain,) = formulas.optimizer_formulas(runs_of(a="optax.sgd(learning_rate=0.1)"))
    assert (plain.memory, formulas.shares([plain])) == ((), None)
    monkeypatch.setattr(formulas, "MEMORY_SECONDS", -1.0)
    (late,) = formulas.optimizer_formulas(runs_of(a="optax.sgd(learning_rate=0.1, momentum=0.9)"))
    assert late.memory == ()


def test_what_is_computed_otherwise_is_proved():
    data = runs_of(ours="adamlab.adam(learning_rate=0.1)", theirs="optax.adam(learning_rate=0.1)")
    ours, theirs = formulas.optimizer_formulas(data)
    assert ours.read.lines != theirs.read.lines
    assert (ours.same, theirs.same) == ([("ours", "theirs")], [])
    assert (len(ours.memory), theirs.memory) == (6, ())
    assert ours.numbers == {"ours": "η = 0.1, β₁ = 0.9, β₂ = 0.999, ε = 1e-08"}


def test_nothing_is_proved_of_optimizers_at_other_settings():
    data = runs_of(ours="adamlab.sgd(learning_rate=0.1)", theirs="optax.sgd(learning_rate=0.2)")
    assert [shown.same for shown in formulas.optimizer_formulas(data)] == [[]]


def test_a_momentum_that_is_0_in_one_setting_alone_stays_in_the_formula():
    specs = [f"optax.sgd(learning_rate=0.1, momentum={number})" for number in (0.0, 0.9999)]
    swept, plain = (formulas.optimizer_formulas(runs_of(a=each))[0] for each in (specs, specs[:1]))
    assert "μ from 0 to 0.9999 (2 values)" in swept.numbers["a"]
    assert "μ" not in plain.numbers["a"]


def test_a_schedule_is_told_by_its_letter():
    (shown,) = formulas.optimizer_formulas(runs_of(a="optax.sgd(learning_rate=inverse_sqrt(init=0.1))"))
    assert shown.numbers == {"a": "η = inverse_sqrt(init=0.1)"}


def test_what_cannot_be_read_is_told(monkeypatch):
    (unread,) = formulas.optimizer_formulas(runs_of(a="optax.adafactor(learning_rate=0.1)"))
    assert "There is no formula for every step: optax.adafactor" in unread.read.failure
    monkeypatch.setattr(formulas, "SECONDS", -1.0)
    (late,) = formulas.optimizer_formulas(runs_of(a="optax.sgd(learning_rate=0.1)"))
    assert late.read.failure == "The formula is left out, since reading all of them would take long."
    monkeypatch.undo()
    monkeypatch.setattr(formulas, "MOST_OPERATIONS", 0)
    (long,) = formulas.optimizer_formulas(runs_of(a="optax.sgd(learning_rate=0.125, momentum=0.5, nesterov=true)"))
    assert long.read.failure == "The formula is too long to be shown."


def test_optimizers_that_are_not_known_here_are_left_out():
    data = runs_of(a="optax.sgd(learning_rate=0.1)")
    data["made"]["spec"] = ("run", np.array(["optax.gone(learning_rate=0.1)"], object))
    assert formulas.optimizer_formulas(data) == []


x, y = symbols("x y", real=True)
WRITTEN = {
    "rosenbrock": (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    "rastrigin": 20 + x**2 + y**2 - 10 * cos(2 * pi * x) - 10 * cos(2 * pi * y),
    "matyas": Rational("0.26") * (x**2 + y**2) - Rational("0.48") * x * y,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_formula_of_a_test_function_is_read_off_its_code(name):
    shown = formulas.problem_formula(problems.get(name))
    assert shown == mathml(Eq(Symbol("f(x, y)"), WRITTEN[name].expand(deep=False), evaluate=False))


def test_numbers_of_many_digits_are_cut():
    shown = formulas.problem_formula(problems.get("branin"))
    assert "9.60211" in shown
    assert "5405508864712235" not in shown


@pytest.mark.parametrize("problem", [problems.get("quadratic", dim=5), problems.get("least_squares")])
def test_problems_of_many_parameters_have_no_formula(problem):
    assert formulas.problem_formula(problem) == ""


@pytest.mark.parametrize("name", ["wilson", "least_squares", "heavy_tailed_regression", "digits_softmax"])
def test_every_metric_is_explained(name):
    metrics = problems.get(name).metrics
    assert metrics
    assert [metric for metric, function in metrics.items() if not metric_in_words(metric, function)] == []


def test_a_metric_of_ones_own_is_explained_by_its_docstring():
    def flatness(w):
        """The share of flat coordinates.

        More about it.
        """
        return w

    assert metric_in_words("flatness", flatness) == "The share of flat coordinates"
    assert metric_in_words("error", flatness) == "The share of flat coordinates"
    assert metric_in_words("unheard_of", lambda w: w) == ""
