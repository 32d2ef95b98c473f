"""The algorithms of papers, and how the optimizers of the table of translations stand to them, decided on the code."""

import inspect
import os
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from adamlab.translation.correspondence import markdown, verdicts_on
from adamlab.translation.papers import descent, moments, signs
from adamlab.translation.papers.standings import STANDINGS, UNWRITTEN, Standing, decided, standing_of, standings
from adamlab.translation.table import NEAR, SAME

os.environ.setdefault("KERAS_BACKEND", "jax")
torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
keras = pytest.importorskip("keras", reason="Keras is not installed: pip install keras")

FORMS = {
    form: standing
    for row in (*SAME, *NEAR)
    for library, form in row.forms.items()
    if library != "adamlab" and (standing := standing_of(form))  # adamlab's forms are proved to be Optax's
}


@pytest.mark.one_case_in(len(FORMS))
@pytest.mark.parametrize("form", FORMS)
def test_a_form_stands_to_its_paper_as_stated(form):
    verdict, as_stated = decided(form, FORMS[form])
    assert as_stated, f"PyTorch {torch.__version__}, Keras {keras.__version__}: {form}: {verdict}"


@pytest.mark.parametrize(
    "wrong",
    [
        Standing(descent.heavy_ball),
        Standing(descent.heavy_ball, {"m": 0.5}),
        Standing(descent.gradient_descent, {"lr": 1.0}),
        Standing(descent.gradient_descent, {}, "nothing", descent.gradient_descent),
    ],
)
def test_a_wrong_statement_is_seen(wrong):
    assert not decided("optax.sgd(learning_rate=lr)", wrong)[1]


def test_every_row_has_its_paper_or_is_said_to_have_none():
    every = {form for row in (*SAME, *NEAR) for form in row.forms.values()}
    assert {*STANDINGS} <= every
    assert {row.name for row in (*SAME, *NEAR) if not standings(row)} == {*UNWRITTEN}


def test_the_table_says_which_paper_at_which_numbers():
    lines = markdown().splitlines()
    assert lines[0] == "| optimizer | PyTorch | Keras | Optax | | paper |"
    papers_of = [(line.split(" | ")[0].strip("| "), line.rsplit(" | ", 1)[1]) for line in lines[2:]]
    assert ("Adam", "Kingma & Ba 2015, Algorithm 1: the same |") in papers_of
    assert ("RMSprop", "Tieleman & Hinton 2012, lecture 6e: the same at e = 0 (by default 1e-08) |") in papers_of
    assert any(
        "PyTorch: the same at a = 0, the default. Keras: the same at a = 0 (by default 0.1)" in p for _, p in papers_of
    )


GRADIENTS = (0.5, -2.0, 1.0, 0.25, -0.5, 3.0, 0.1, 1.5)
B1, B2, EPS, RATE, DECAY = 0.8, 0.9, 0.01, 0.1, 0.3
MINUS, PLUS, LOW, HIGH = 0.5, 1.2, 0.055, 0.075


def amsgrad(t, g, w, s):
    s["m"] = B1 * s.get("m", 0) + (1 - B1) * g
    s["v"] = B2 * s.get("v", 0) + (1 - B2) * g * g
    s["max"] = max(s.get("max", 0), s["v"])
    return w - RATE * s["m"] / s["max"] ** 0.5


def nadam(t, g, w, s):
    mu = [B1 * (1 - 0.5 * 0.96 ** (i / 250)) for i in range(1, t + 2)]
    s["m"] = mu[t - 1] * s.get("m", 0) + (1 - mu[t - 1]) * g
    s["n"] = B2 * s.get("n", 0) + (1 - B2) * g * g
    above = mu[t] * s["m"] / (1 - np.prod(mu)) + (1 - mu[t - 1]) * g / (1 - np.prod(mu[:t]))
    return w - RATE * above / ((B2 * s["n"] / (1 - B2**t)) ** 0.5 + EPS)


def radam(t, g, w, s):
    s["m"] = B1 * s.get("m", 0) + (1 - B1) * g
    s["v"] = B2 * s.get("v", 0) + (1 - B2) * g * g
    top = 2 / (1 - B2) - 1
    rho = top - 2 * t * B2**t / (1 - B2**t)
    if rho <= 4:
        return w - RATE * s["m"] / (1 - B1**t)
    r = ((rho - 4) * (rho - 2) * top / ((top - 4) * (top - 2) * rho)) ** 0.5
    return w - RATE * r * s["m"] / (1 - B1**t) * ((1 - B2**t) / s["v"]) ** 0.5


def yogi(t, g, w, s):
    s["m"] = B1 * s.get("m", 0) + (1 - B1) * g
    s["v"] = s.get("v", 0) - (1 - B2) * np.sign(s.get("v", 0) - g * g) * g * g
    return w - RATE * s["m"] / (s["v"] ** 0.5 + EPS)


def lamb(t, g, w, s):
    s["m"] = B1 * s.get("m", 0) + (1 - B1) * g
    s["v"] = B2 * s.get("v", 0) + (1 - B2) * g * g
    r = s["m"] / (1 - B1**t) / ((s["v"] / (1 - B2**t)) ** 0.5 + EPS) + DECAY * w
    return w - RATE * abs(w) / abs(r) * r


def rprop(t, g, w, s):
    product = g * s.get("g", 0)
    size = s.get("size", RATE) * (PLUS if product > 0 else MINUS if product < 0 else 1)
    s["size"] = min(max(size, LOW), HIGH)
    s["change"], s["g"] = (-s["change"], 0) if product < 0 else (-s["size"] * np.sign(g), g)
    return w + s["change"]


@pytest.mark.parametrize("by_hand", [amsgrad, nadam, radam, yogi, lamb, rprop])
def test_the_algorithms_that_no_form_is_are_the_papers(by_hand, x64):
    algorithm = getattr(signs if by_hand is rprop else moments, by_hand.__name__)
    given = {"lr": RATE, "b1": B1, "b2": B2, "e": EPS, "wd": DECAY, "a": MINUS, "b": PLUS, "low": LOW, "high": HIGH}
    transform = algorithm(**{name: given[name] for name in inspect.signature(algorithm).parameters})
    ours, state = jnp.asarray(1.5), transform.init(jnp.asarray(1.5))
    theirs, kept = 1.5, dict[str, Any]()
    for t, g in enumerate(GRADIENTS, 1):
        change, state = transform.update(jnp.asarray(g), state, ours)
        ours, theirs = ours + change, by_hand(t, g, theirs, kept)
        assert float(ours) == pytest.approx(theirs, rel=1e-12)


def test_the_numbers_in_words_are_right(x64):
    first = moments.amsgrad(1.0, 0.9, 0.999)
    change, _ = first.update(jnp.ones(()), first.init(jnp.ones(())), jnp.ones(()))
    assert round(-float(jnp.asarray(change)), 1) == 3.2
    rho = [1999 - 2 * t * 0.999**t / (1 - 0.999**t) for t in range(1, 8)]
    assert [next(t for t, x in enumerate(rho, 1) if x > bound) for bound in (4, 5)] == [5, 6]


@pytest.mark.slow
@pytest.mark.parametrize("library", ["torch", "keras"])
def test_every_verdict_on_a_framework_is_as_expected(library):
    rows = [*verdicts_on(library)]
    assert [row for row in rows if not row["as_expected"]] == []
    assert any("Algorithm 1" in row["right"] for row in rows)
