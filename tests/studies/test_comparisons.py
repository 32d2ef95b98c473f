"""Configs of comparisons: the pairs that they describe, and the message for every mistake in them."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

import adamlab as al
from adamlab import analysis
from adamlab.errors import InputError
from adamlab.plots.files import draw
from adamlab.rules import RULES
from adamlab.running import study_of
from adamlab.studies.config.comparisons import Comparisons
from adamlab.types import Decay

CONFIG = """
name = "limit"
steps = 12

[[compare]]
label = "weighted"
left = 'adamlab.adam(inverse_sqrt(0.1), b1=0.0, b2=b2, eps=0.0, arithmetic="weighted")'
right = "optax.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0)"
b2 = { complement = [1e-2, 1e-4, 0.0] }
dtype = ["float32", "float64"]
families = ["normal", "small"]

[[compare]]
left = "adamlab.sgd(rate, momentum=0.9)"
right = "optax.sgd(rate)"
rate = 0.1
context = "scan"
families = ["zeros"]
exact = false
"""


@pytest.fixture
def data():
    return tomllib.loads(CONFIG)


def comparisons(data) -> Comparisons:
    study = study_of(data)
    assert isinstance(study, Comparisons)
    return study


def test_every_combination_is_a_pair(data):
    pairs = comparisons(data).pairs
    assert [(p.label, p.arguments["dtype"]) for p in pairs[:6]] == [
        ("weighted", d) for d in ["float32"] * 3 + ["float64"] * 3
    ]
    assert [p.settings for p in pairs[:3]] == [{"1-b2": 1e-2}, {"1-b2": 1e-4}, {"1-b2": 0.0}]
    decay = pairs[1].arguments["hyper"]["b2"]
    assert isinstance(decay, Decay)
    assert decay.complement == 1e-4
    assert (pairs[6].label, pairs[6].settings) == ("adamlab.sgd(rate, momentum=0.9)", {"rate": 0.1})


def test_results_hold_what_was_found_and_are_drawn(data, tmp_path):
    data["compare"][0]["dtype"] = "float64"
    tree = al.run(data, out=tmp_path)
    dataset = tree["comparisons"].to_dataset()
    assert dataset.sizes == {"comparison": 4, "family": 3}
    gap = dataset.exact_gap.sel(family="normal").values
    assert np.isnan(gap[3])
    assert gap[0] / gap[1] == pytest.approx(100, rel=0.05)  # first order in 1 − b2
    assert gap[2] < 1e-45  # at b2 = 1 it is Adagrad
    assert dataset.gap.sel(family="normal").values[2] < 1e-14
    assert dataset.kind.values[2] == "same formula"
    assert dataset.kind.values[3] == "different bits"
    with_zeros = al.compare(**comparisons(data).pairs[3].arguments, steps=data["steps"])
    assert dataset.first_difference.sel(family="zeros").values.tolist() == [*[-1] * 3, with_zeros.first_difference]
    assert sorted(dataset.differing_bits.values[3]) == [-1, -1, with_zeros.differing_bits]
    assert analysis.verdicts(dataset).differing_bits[3] == with_zeros.differing_bits > 0
    lacks = {name: np.isnan(dataset[name].values).tolist() for name in dataset.attrs["settings"]}
    assert lacks == {"1-b2": [*[False] * 3, True], "rate": [*[True] * 3, False]}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"comparisons-{kind}.{end}" for kind in ("errors", "gap") for end in ("png", "svg")
    }
    assert "the same formula, rounded differently" in (tmp_path / "report.html").read_text()
    assert len((tmp_path / "summary.csv").read_text().splitlines()) == 1 + 4 * 3
    again = al.load(tmp_path)["comparisons"].to_dataset()
    np.testing.assert_array_equal(again.differing_bits, dataset.differing_bits)
    with pytest.raises(InputError, match="curves is a picture of runs"):
        draw(al.load(tmp_path), "comparisons", "curves", [tmp_path / "x.png"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("left", "adamlab.adm(0.1)", 'compare[0].left: there is no optimizer "adamlab.adm"'),
        ("left", "optax.adam()", "compare[0].left: optax.adam needs a value for learning_rate"),
        ("right", None, "compare[0].right: is missing"),
        ("dtype", "float8", "compare[0].dtype[0]: expected"),
        ("context", ["jit", "pmap"], "compare[0].context[1]: expected"),
        ("families", ["norml"], "compare[0].families[0]: expected one of constant, normal, heavy_tailed"),
        ("b2", {"complement": [2.0]}, "compare[0].b2: expected a number in [0, 1]"),
        ("b3", 0.1, 'compare[0].b3: there is no such key; did you mean "b2"?'),
        ("seed", -1, "compare[0].seed: expected"),
        ("dtype", [], "compare[0].dtype: expected"),
        ("right", "optax.adagrad(verdict)", '"verdict" cannot name a number, since it has a meaning of its own'),
        ("right", "adamlab.adagrad(b2)", "compare[0].b2: adamlab.adagrad has no decay here"),
        ("b2", {"schedule": "inverse_sqrt", "init": 0.1}, "compare[0].b2: expected"),
    ],
)
def test_mistakes_are_told_by_their_keys(data, key, value, message):
    table = data["compare"][0]
    if value is None:
        del table[key]
    else:
        table[key] = value
    with pytest.raises(InputError) as told:
        study_of(data)
    assert message in str(told.value)


def test_a_number_that_is_left_open_is_missed(data):
    del data["compare"][1]["rate"]
    with pytest.raises(InputError, match=r"compare\[1\]\.rate: is missing"):
        study_of(data)


def test_problems_and_comparisons_do_not_mix(data):
    with pytest.raises(InputError, match="problem: there is no such key"):
        study_of(data | {"problem": [{"name": "beale"}]})


@pytest.mark.parametrize("name", [pytest.param("optax_parity", marks=pytest.mark.slow), "accuracy"])
def test_experiments_compare_every_rule(name):
    path = Path(__file__).parents[2] / f"experiments/{name}.toml"
    pairs = comparisons(tomllib.loads(path.read_text(encoding="utf-8"))).pairs
    assert {pair.arguments["left"].name for pair in pairs} == {f"adamlab.{rule}" for rule in RULES}
