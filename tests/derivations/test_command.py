"""`adamlab derive`: what it writes in each form, exit codes, and what it says of bad input."""

import json
from collections.abc import Callable
from functools import cache, partial
from xml.etree import ElementTree

import pytest

from adamlab.derivations import DERIVATIONS, Derivation, Step


@pytest.fixture
def once(monkeypatch):
    """Every derivation is derived once for all tests."""
    for name in DERIVATIONS:
        monkeypatch.setitem(DERIVATIONS, name, partial(derived, name, DERIVATIONS[name]))


@cache
def derived(name: str, derive: Callable[[], Derivation]) -> Derivation:
    return derive()


@pytest.mark.one_case_in(2)
@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("form", ["text", "latex", "mathml", "json"])
def test_every_form_is_written(adamlab, form):
    done = adamlab("derive", "conv-shape", "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    derivation = DERIVATIONS["conv-shape"]()
    if form == "json":
        assert json.loads(done.stdout) == derivation.to_dict()
    else:
        assert getattr(derivation, form)() in done.stdout
    if form == "mathml":
        assert '<meta charset="utf-8"/>' in done.stdout
        ElementTree.fromstring(done.stdout)


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("form", ["text", "latex", "mathml", "json"])
def test_all_is_one_document(adamlab, monkeypatch, form):
    for name in ("second-moment", "softmax-cross-entropy", "batch-norm"):
        monkeypatch.delitem(DERIVATIONS, name)
    done = adamlab("derive", "all", "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    titles = ["From Adam to Adagrad", "The output shape of a convolution"]
    if form == "json":
        assert [section["title"] for section in json.loads(done.stdout)] == titles
    if form == "mathml":
        assert [head.text for head in ElementTree.fromstring(done.stdout).findall(".//{*}h1")] == titles
    assert all(title in done.stdout for title in titles)


def test_derivations_are_listed(adamlab):
    lines = adamlab("list", "derivations").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(DERIVATIONS)
    assert any("∂L/∂z = ŷ − y" in line for line in lines)


def test_time_goes_up(adamlab):
    assert "v^t = β₂·v^(t-1) + (1 - β₂)·(g^t)²" in adamlab("derive", "second-moment", "--superscripts").stdout


def test_a_step_that_does_not_hold_is_exit_code_1(adamlab, monkeypatch):
    wrong = Derivation(
        "made-up", "Made up", "nobody", "No letters.", (Step("So it is.", (1, 2), "counted", holds=False),)
    )
    monkeypatch.setitem(DERIVATIONS, "made-up", lambda: wrong)
    done = adamlab("derive", "made-up")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-2:] == ["     1 = 2", "     [DOES NOT HOLD: counted]"]


def test_bad_input_is_one_message(adamlab):
    done = adamlab("derive", "second_moment")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'adamlab: there is no derivation "second_moment"; did you mean "second-moment"?\n'
    assert adamlab("derive", "conv-shape", "--format", "pdf").returncode == 2
    assert "have the step below" in adamlab("derive", "conv-shape", "--format", "json", "--superscripts").stderr
