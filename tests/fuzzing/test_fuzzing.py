"""A bounded share of the fuzzer, and its judge, which has to see what is wrong."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import adamlab as al
from tests.fuzzing import judge, readings
from tests.fuzzing.fuzzing import Report
from tests.fuzzing.grammar import random_program
from tests.fuzzing.judge import differs_from_jax, judged
from tests.fuzzing.pairs import Pair, other_form
from tests.fuzzing.programs import Program
from tests.fuzzing.sequences import FEW, generic

SEEDS = (101, 102, 105, 107, 108, 109, 110, 111, 113, 115, 116, 118, 119, 120, 123, 124, 125)
"""Pairs of every kind that take a second or two each."""

OTHERS = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(130, 172)]
"""Three more of each kind."""


@pytest.mark.one_case_in(5)
@pytest.mark.parametrize("seed", [*SEEDS, *OTHERS])
def test_what_is_said_of_a_random_pair_holds(seed):
    report = Report()
    faults = [fault.shrunk(0) for fault in report.add(seed) if fault.outcome.wrong]
    assert faults == []
    assert report.counts


@pytest.mark.parametrize("seed", range(3))
def test_the_exact_loop_is_jax(seed):
    assert differs_from_jax(random_program(seed), seed) == ""


@pytest.mark.parametrize("seed", range(12))
def test_pairs_that_are_equal_by_algebra_are_equal_when_run(seed):
    rng = np.random.default_rng(seed)
    pair = other_form(seed, rng)
    hyper = {name: f"{rng.uniform(0.05, 0.98):.3g}" for name in pair.left.numbers}
    for gradients in generic(rng, pair.left.literals, FEW, 4):
        assert judge.first_parting(pair, hyper, gradients) is None


def program(update: str, **states: tuple[str, Any, str]) -> Program:
    lines = [(name, text) for name, (_, _, text) in states.items()]
    return Program({"lr": None}, {x: (kind, start) for x, (kind, start, _) in states.items()}, (*lines, ("u", update)))


COUNT = ("int32", 0, "count_ + 1")
SGD = program("-lr*g")
APART = {
    "a large gradient": program("where(abs(g) > 1e8, -2*lr*g, -lr*g)"),
    "a small gradient": program("where(abs(g) < 1e-8, -2*lr*g, -lr*g)"),
    "a late step": program("where(count > 5000, -2*lr*g, -lr*g)", count=COUNT),
    "a product beyond 2³¹": program("where(count*4e6 > 1e10, -2*lr*g, -lr*g)", count=COUNT),
    "NaN below 0": program("-lr*sqrt(g)**2"),
    "a zero": program("-lr*g*g/g"),
    "a narrow count": program("where(count == 0, -2*lr*g, -lr*g)", count=("uint8", 0, "count_ + 1")),
    "a wrap to below 0": program("where(count < 0, -2*lr*g, -lr*g)", count=("int8", 0, "count_ + 1")),
    "t² in 16 bits": program("where(count*count < 0, -2*lr*g, -lr*g)", count=("int16", 0, "count_ + 1")),
    "a repeated gradient": program("where(g == last_, 0*g, -lr*g)", last=("float", 0.0, "g")),
    "a turned gradient": program("where(g + last_ == 0, 0*g, -lr*g)", last=("float", 0.0, "g")),
    "a number in the code": program("where(g == 7, 0*g, -lr*g)"),
    "a small constant": program("-lr*(g + 1e-12)"),
}
"""What parts from plain descent only there."""


class _Said:
    """A verdict on a pair that has none of its own."""

    status, horizon, updates, explanation = "proved", None, (), "as it is said"

    def __init__(self, *assumptions: str, **more: Any):
        self.assumptions, self.hyper, self.counterexample = assumptions, {}, None
        self.__dict__.update(more)


@pytest.mark.parametrize("case", APART)
def test_a_false_proof_is_seen(case, monkeypatch):
    monkeypatch.setattr(al, "prove", lambda *sides, **how: _Said())
    assert "but with" in judged(Pair("", SGD, APART[case])).wrong


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("a zero", "no gradient is 0"),
        ("a repeated gradient", "no gradient is that of the step before"),
        ("a turned gradient", "no gradient is minus that of the step before"),
        ("a number in the code", "g_t - 7 ≠ 0"),
    ],
)
def test_a_proof_that_tells_its_exceptions_is_right(case, told, monkeypatch):
    monkeypatch.setattr(al, "prove", lambda *sides, **how: _Said(told))
    assert judged(Pair("", SGD, APART[case])).wrong == ""


def test_a_proof_up_to_a_step_is_held_to_that_step(monkeypatch):
    pair = Pair("", SGD, program("where(count > 60, -2*lr*g, -lr*g)", count=COUNT))
    for horizon, holds in ((60, True), (61, False)):
        monkeypatch.setattr(al, "prove", lambda *sides, horizon=horizon, **how: _Said(horizon=horizon))
        assert (judged(pair).wrong == "") == holds


def test_a_counterexample_that_does_not_differ_is_seen(monkeypatch):
    pair = Pair("", SGD, APART["a large gradient"])
    verdict = al.prove(pair.left.factory, pair.right.factory)
    c = verdict.counterexample
    assert c is not None
    assert judge.wrong_refutation(pair, verdict) == ""
    for wrong in (
        replace(c, gradients=["1"], step=1),
        replace(c, step=c.step + 1),
        replace(c, left=2 * c.left),
        None,
    ):
        assert judge.wrong_refutation(pair, replace(verdict, counterexample=wrong)) != ""


def test_an_exception_of_a_proof_is_seen(monkeypatch):
    def fail(*sides: Any, **how: Any):
        raise ValueError("no reason")

    monkeypatch.setattr(al, "prove", fail)
    assert judged(Pair("", SGD, SGD)).wrong == "raised ValueError: no reason"


SUM, MORE = (program("-lr*m", m=("float", 0.0, f"m_ + g{more}")) for more in ("", " + 0.001"))
READINGS = {"closed form": "closed_form", "unrolled": "unroll", "exact": "exact", "limit": "closed_form"}


@pytest.mark.parametrize("kind", READINGS)
def test_a_reading_of_another_optimizer_is_seen(kind, monkeypatch):
    assert _wrong(kind) == {""}
    own = getattr(al, READINGS[kind])
    monkeypatch.setattr(al, READINGS[kind], lambda factory, *given, **how: own(MORE.factory, *given, **how))
    assert _wrong(kind) > {""} or "" not in _wrong(kind)


def _wrong(kind: str) -> set[str]:
    """What is wrong with a reading of the sum, by several draws, as limits are taken of other targets each time."""
    judge_of = readings.JUDGES[kind]
    return {
        judge_of(SUM, np.random.default_rng(seed), readings.Clock())[1] for seed in range(3 if kind == "limit" else 1)
    }
