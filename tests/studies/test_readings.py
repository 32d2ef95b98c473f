"""Configs of readings: formulas and weights are those of al.unroll and al.closed_form; every mistake is told."""

import shutil
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sympy import Eq, Symbol, sqrt, sympify

import adamlab as al
from adamlab.analysis import weight_rows
from adamlab.errors import InputError
from adamlab.running import study_of
from adamlab.studies.config.errors import ConfigError
from adamlab.studies.config.readings import Readings
from adamlab.symbolic.letters import INDICES, G
from adamlab.symbolic.notation.printing import latex, mathml, text
from adamlab.symbolic.solving.weights import NoWeightsError, weights

CONFIG = """
name = "moments"
steps = 3

[[reading]]
label = "Adam"
spec = "optax.adam"
state = ["mu", "nu"]
b1 = 0.5
b2 = [0.9, 0.75]
lags = 6

[[reading]]
spec = "optax.rmsprop(0.1, decay=d, initial_scale=scale)"
d = { linear = [0.5, 0.75, 2] }
scale = [2.0]
lags = 4
"""

STEPS = ["1", "2", "3", "t"]


@pytest.fixture
def data():
    return tomllib.loads(CONFIG)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("readings")


@pytest.fixture(scope="module")
def dataset(folder) -> xr.Dataset:
    """The results, as the run that wrote the folder returned them."""
    return al.run(tomllib.loads(CONFIG), folder)["readings"].to_dataset()


def readings(data) -> Readings:
    study = study_of(data)
    assert isinstance(study, Readings)
    return study


def test_a_number_is_fixed_and_a_list_stays_a_symbol(data):
    adam, rmsprop = readings(data).reads
    assert (adam.fixed, adam.swept) == ({"b1": 0.5}, {"b2": (0.9, 0.75)})
    assert (rmsprop.label, rmsprop.fixed) == ("optax.rmsprop(0.1, decay=d, initial_scale=scale)", {})
    assert rmsprop.settings() == [{"d": 0.5, "scale": 2.0}, {"d": 0.75, "scale": 2.0}]
    assert (adam.states, rmsprop.states) == (("mu", "nu"), ("nu",))


def test_formulas_are_those_that_python_reads(dataset):
    unrolled, closed = al.unroll("optax.adam", 3, {"b1": 0.5}), al.closed_form("optax.adam", {"b1": 0.5})
    assert dataset.step.values.tolist() == STEPS
    for row, (field, letter) in enumerate([("mu", "m"), ("nu", "v")]):
        pairs = [(Symbol(f"{letter}_{t + 1}", real=True), unrolled.states[t][field]) for t in range(3)]
        pairs.append((Symbol(f"{letter}_t"), closed.states[field]))
        assert dataset.text.values[row].tolist() == [f"{text(a)} = {text(b)}" for a, b in pairs]
        assert dataset.latex.values[row].tolist() == [f"{latex(a)} = {latex(b)}" for a, b in pairs]
        assert dataset.mathml.values[row].tolist() == [mathml(Eq(a, b, evaluate=False)) for a, b in pairs]
    assert dataset.text.sel(step="t").values[1] == "v_t = (1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·g_i²"
    assert all(ElementTree.fromstring(formula) is not None for formula in dataset.mathml.values.flat)


def test_superscripts_are_written_where_they_are_asked_for(data):
    del data["reading"][1]
    above = al.run(data | {"superscripts": True})["readings"].ds
    assert above.text.sel(step="2").values[1] == "v² = (1 - β₂)·(β₂·(g¹)² + (g²)²)"


def test_weights_are_the_factors_in_the_formula(dataset):
    assert dataset.weight.sizes == {"setting": 6, "lag": 6}
    assert dataset.reading_of.values.tolist() == [0, 0, 1, 1, 2, 2]
    assert dataset.power.values.tolist() == [1, 1, 2, 2, 2, 2]
    np.testing.assert_allclose(dataset.weight.values[0], 0.5 ** np.arange(1, 7), rtol=1e-15)
    for row, rate in ((2, 0.9), (3, 0.75)):
        np.testing.assert_allclose(dataset.weight.values[row], (1 - rate) * rate ** np.arange(6), rtol=1e-15)
    np.testing.assert_allclose(dataset.weight.values[4], [0.5, 0.25, 0.125, 0.0625, np.nan, np.nan], rtol=1e-15)


def test_weights_add_up_to_the_state_that_runs(dataset):
    """From the formula's weights the state of Optax's own code on some gradients, in exact arithmetic."""
    gradients = ["1", "-2", "3", "0.5", "4", "-1"]
    state = al.exact("optax.adam", gradients, {"learning_rate": "1", "b2": "0.9"}).states[-1]["nu"]
    squares = np.array([float(g) ** 2 for g in gradients])
    assert float(state) == pytest.approx(dataset.weight.values[2] @ squares[::-1], rel=1e-14)


def decayed(rate: float, factor: Any = 1, power: int = 1):
    """The closed form of a decayed sum of powers of the gradients."""
    return factor * al.closed_form("optax.sgd(0.1, momentum=b)", {"b": rate}).states["trace"].xreplace(
        {G[INDICES[0]]: G[INDICES[0]] ** power}
    )


def test_weights_of_a_sum_are_the_sums_of_the_weights():
    """Also where a gradient stands in two terms, as a root and a ratio are not one number."""
    several = [decayed(0.5), decayed(0.25, sqrt(2)), decayed(0.75, -sqrt(3))]
    together = weights(sympify(sum(several)), 6)
    np.testing.assert_allclose(together.values, sum(weights(form, 6).values for form in several), rtol=1e-14)
    assert (together.power, together.start) == (1, 0)


def test_what_has_no_weights_says_why():
    for form, why in [
        (decayed(0.5) + decayed(0.5, power=2), "it adds up different powers of the gradients"),
        (sympify(2), "no gradient is in it"),
    ]:
        with pytest.raises(NoWeightsError, match=why):
            weights(form, 6)


def test_unlike_a_decayed_sum_adagrads_does_not_forget(data):
    table = {"spec": "optax.adagrad(0.1, initial_accumulator_value=0.0)", "lags": 5}
    flat = al.run(data | {"reading": [table]})["readings"].ds
    assert flat.weight.values.tolist() == [[1.0] * 5]
    assert flat.text.sel(step="t").values.tolist() == ["G_t = Σ_{i=1}^{t} g_i²"]


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(
    ("spec", "note"),
    [
        ("optax.adamax(0.1, b1=0.5, b2=0.5)", "it is no sum of the gradients' powers"),
        ("optax.adabelief(0.1, b1=0.5, b2=0.5)", "it is no weighted sum of the gradients"),
        ("optax.adadelta(0.1, rho=0.5)", "it has no closed form that was found"),
        ("optax.adam(0.1)", "the weights depend on β₂, and no number is given for it"),
    ],
)
def test_a_state_without_weights_says_why(data, spec, note):
    data = data | {"reading": [{"spec": spec, "label": "it", "lags": 5}]}
    left = al.run(data)["readings"].to_dataset()
    assert left.power.values[-1] == 0
    assert left.note.values[-1] == note
    assert np.isnan(left.weight.values[-1]).all()
    assert len(weight_rows(left)) == (left.power.values > 0).sum()


def test_what_has_no_closed_form_shows_its_recurrence(data):
    left = al.run(data | {"reading": [{"spec": "optax.adadelta(0.1, rho=0.5)"}]})["readings"].ds
    assert left.solved.values.tolist() == [True, False]
    closed = al.closed_form("optax.adadelta(0.1, rho=0.5)")
    assert left.text.sel(step="t").values[1] == f"{text(Symbol('e_x_t'))} = {text(closed.recurrences['e_x'].rhs)}"


def test_how_weights_fade_is_told(dataset):
    table = weight_rows(dataset)
    assert table.columns.tolist() == ["label", "state", "b2", "d", "scale", "gradients", "sum", "halved_after"]
    assert table.gradients.tolist() == [6, 6, 6, 6, 4, 4]
    assert table["sum"].tolist() == pytest.approx([1 - 0.5**6] * 2 + [1 - 0.9**6, 1 - 0.75**6, 1 - 0.5**4, 1 - 0.75**4])
    assert table.halved_after.tolist() == ["1", "1", "more than 5", "3", "1", "3"]
    mirrored = weight_rows(dataset.assign(weight=-dataset.weight))
    assert mirrored["sum"].tolist() == (-table["sum"]).tolist()
    assert mirrored.drop(columns="sum").equals(table.drop(columns="sum"))


def test_the_folder_has_everything_and_is_taken_as_it_is(data, dataset, folder, monkeypatch):
    assert {path.name for path in folder.iterdir()} == {"results.zarr", "summary.csv", "figures", "report.html"}
    assert {path.name for path in (folder / "figures").iterdir()} == {f"readings-weights.{e}" for e in ("png", "svg")}
    xr.testing.assert_identical(al.load(folder)["readings"].to_dataset(), dataset)
    table = pd.read_csv(folder / "summary.csv")
    assert table.step.tolist() == STEPS * 3
    assert table.latex.tolist() == dataset.latex.values.ravel().tolist()
    monkeypatch.setattr("adamlab.studies.readings.closed_form_of", None)  # nothing is read again
    xr.testing.assert_identical(al.run(data, folder)["readings"].to_dataset(), dataset)


def test_the_report_shows_step_by_step_then_the_closed_form_then_weights_and_picture(dataset, folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    formulas = dataset.mathml.values.ravel().tolist()
    shown = [page.index(formula) for formula in formulas]
    assert shown == sorted(shown)
    assert shown[-1] < page.index("Weights</h3>") < page.index("<figure")
    assert page.count("<math ") == page.count("</math>") == len(shown) == 12
    assert page.count("For every t:") == 3


def test_labels_in_the_report_are_text(data, tmp_path):
    data["reading"] = [{"spec": "optax.adam", "label": "<b>&", "state": "nu", "b2": [0.5], "lags": 2}]
    al.run(data, tmp_path)
    assert "<b>&" not in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("spec", "optax.adm", 'reading[0].spec: there is no optimizer "optax.adm"; did you mean "optax.adam"?'),
        ("spec", 3, "reading[0].spec: expected a text in quotes; got 3"),
        ("spec", None, "reading[0].spec: is missing"),
        ("spec", "optax.adam(sum)", '"sum" cannot name a number, since it has a meaning of its own'),
        ("spec", "optax.adagrad", "reading[0].b1: there is no such key; valid here: learning_rate"),
        ("state", "nuu", 'reading[0].state[0]: there is no state "nuu"; did you mean "nu"?'),
        ("state", ["mu", "count"], 'reading[0].state[1]: there is no state "count"; valid here: mu, nu'),
        ("state", [], "reading[0].state: expected at least one"),
        ("state", ["nu", "nu"], 'reading[0]: nu of "Adam" is read already'),
        ("lags", 0, "reading[0].lags: expected"),
        ("lags", "many", "reading[0].lags: expected a whole number"),
        ("label", 3, "reading[0].label: expected a text in quotes"),
        ("b3", 0.9, 'reading[0].b3: there is no such key; did you mean "b2"?'),
        ("b2", "high", "reading[0].b2: expected a number"),
        ("b2", [], "reading[0].b2: expected a number"),
        ("b2", [0.9, 0.9], "reading[0].b2: expected values that differ"),
        ("b2", [0.9, 1.0], "reading[0].b2: expected numbers between 0 and 1, as a rate is; got [0.9, 1.0]"),
        ("eps", [0.0], "reading[0].eps: expected numbers greater than 0; got [0.0]"),
        ("b2", {"complement": [0.1]}, "reading[0].b2: expected a number"),
        ("nesterov", True, "reading[0].nesterov: there is no such key"),
    ],
)
def test_mistakes_are_told_by_their_keys(data, key, value, message):
    table = data["reading"][0]
    if value is None:
        del table[key]
    else:
        table[key] = value
    with pytest.raises(InputError) as told:
        study_of(data)
    assert message in str(told.value)


def test_all_mistakes_are_told_at_once(data):
    data["reading"][0] |= {"state": "nuu", "lags": 0}
    data["reading"][1]["d"] = [1.5]
    data |= {"steps": 0, "stepz": 3, "output": [{"kind": "weight"}, {"kind": "weights", "problem": "Adam"}]}
    with pytest.raises(ConfigError) as told:
        study_of(data)
    assert {mistake.key for mistake in told.value.mistakes} == {
        "steps",
        "stepz",
        "reading[0].lags",
        "reading[1].d",
        "output[0].kind",
        "output[1].problem",
    }


def test_an_optimizer_that_cannot_be_read_is_a_mistake(data, tmp_path):
    data["reading"] = [{"spec": "optax.adafactor(0.1)"}, {"spec": "optax.adam", "b2": [0.5]}]
    with pytest.raises(ConfigError, match=r"reading\[0\]: .* keeps an array of shape"):
        al.run(data, tmp_path / "beside")
    assert {*al.load(tmp_path / "beside")["readings"].ds.label.values} == {"optax.adam"}
    data["reading"] = [{"spec": "optax.sgd"}, {"spec": "optax.noisy_sgd(0.1, 1.0, 0.5, 3)"}]
    with pytest.raises(ConfigError, match=r"reading\[0\]\.spec: optax\.sgd keeps no state to read"):
        al.run(data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_reading_that_cannot_be_added_leaves_the_others(data, folder, dataset, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "out")

    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    before, given = contents(), data["reading"]
    data["reading"] = [*given, {"spec": "optax.adafactor(0.1)"}]
    with pytest.raises(ConfigError, match=r"reading\[2\]: .* keeps an array of shape"):
        al.run(data, folder)
    assert contents() == before
    xr.testing.assert_identical(al.load(folder)["readings"].to_dataset(), dataset)
    data["reading"] = [*given, {"spec": "optax.adagrad", "lags": 2}, {"spec": "optax.adafactor(0.1)"}]
    with pytest.raises(ConfigError, match=r"reading\[3\]: .* keeps an array of shape"):
        al.run(data, folder)
    assert [*al.load(folder)["readings"].ds.label.values][-1] == "optax.adagrad"


def test_readings_and_other_tables_do_not_mix(data):
    with pytest.raises(InputError, match="problem: there is no such key"):
        study_of(data | {"problem": [{"name": "beale"}]})
    with pytest.raises(InputError, match="there is no such key"):
        study_of(data | {"compare": [{"left": "optax.sgd(0.1)", "right": "optax.sgd(0.1)"}]})


def test_the_experiment_is_the_second_moment():
    path = Path(__file__).parents[2] / "experiments/second_moment.toml"
    study = readings(tomllib.loads(path.read_text(encoding="utf-8")))
    (read,) = study.reads
    assert (study.head.steps, read.spec, read.states) == (5, "optax.adam", ("nu",))
    assert read.swept == {"b2": (0.9, 0.99, 0.999)}
    dataset = al.run(path, overrides=["reading.0.lags=3"])["readings"].ds
    assert dataset.text.values[0, [0, 1, -1]].tolist() == [
        "v¹ = (1 - β₂)·(g¹)²",
        "v² = (1 - β₂)·(β₂·(g¹)² + (g²)²)",
        "v^t = (1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·(g^i)²",
    ]
