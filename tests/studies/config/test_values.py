"""Values of arguments: decays by their complements, choices, and numbers that are computed from others."""

import numpy as np
import pytest

import adamlab as al
from adamlab.calls import Symbol
from adamlab.plots import PLOTS_OF
from adamlab.specs import parse
from adamlab.studies.config.errors import ConfigError
from adamlab.studies.config.runs import read_study
from adamlab.studies.engine.block_sizes import Sizes
from adamlab.studies.engine.program import Runs, columns_of
from tests.analysis.examples import dataset

PLOTS = PLOTS_OF["runs"]


def config(*optimizers, **keys):
    return {"name": "values", "steps": 5, "problem": [{"name": "quadratic"}], "optimizer": [*optimizers]} | keys


def adam(**numbers):
    return {"name": "adamlab.adam", "learning_rate": 0.1} | numbers


def read(*optimizers, **keys):
    return read_study(config(*optimizers, **keys), PLOTS).optimizers


def numbers(optimizer):
    return {name: column.tolist() for name, column in optimizer.numbers().items()}


def mistakes(*optimizers, **keys) -> dict[str, str]:
    with pytest.raises(ConfigError) as told:
        read(*optimizers, **keys)
    return {mistake.key: mistake.message for mistake in told.value.mistakes}


def test_a_decay_is_given_by_its_complement():
    ours, optax = read(
        *(
            {"name": f"{library}.adam", "learning_rate": 0.1} | {"b2": {"complement": {"log": [1e-4, 1e-1, 4]}}}
            for library in ("adamlab", "optax")
        )
    )
    for optimizer in (ours, optax):
        assert numbers(optimizer)["1-b2"] == [1e-4, 1e-3, 1e-2, 1e-1]
        assert numbers(optimizer)["b2"] == [0.9999, 0.999, 0.99, 0.9]
    assert ours.specs()[1] == "adamlab.adam(learning_rate=0.1, b2=1-0.001)"
    assert parse(ours.specs()[1]).arguments["b2"].complement == 0.001
    assert parse(optax.specs()[1]).arguments["b2"] == 0.999  # Optax has no complements to be given


def test_one_complement_and_those_of_a_design():
    (single,) = read(adam(b2={"complement": 1e-9}))
    assert single.specs() == ["adamlab.adam(learning_rate=0.1, b2=1-1e-09)"]
    assert numbers(single) == {"learning_rate": [0.1], "b2": [0.999999999], "1-b2": [1e-9]}
    (drawn,) = read(adam(b2={"complement": {"loguniform": [1e-6, 1e-1]}}), design={"sobol": 64})
    logarithms = np.log10(numbers(drawn)["1-b2"])
    assert np.bincount(np.floor(logarithms * 16 / 5 + 19.2).astype(int)).tolist() == [4] * 16  # 16 equal parts
    assert read(adam(b2={"complement": {"choice": [0.1, 0.01]}}))[0].count == 2


@pytest.mark.optimized(False)
def test_runs_have_the_complement_exactly():
    """RMSProp's first step is η / √(1 − b): a complement that was taken from b in double would be 1e-8 off."""
    complements = [1.23456789e-9, 3.21e-10]
    rmsprop = {"name": "adamlab.rmsprop", "learning_rate": 1e-6, "eps": 0.0, "decay": {"complement": complements}}
    (written, _) = read(rmsprop)[0].specs()
    runs = al.run(config(rmsprop, {"spec": written}, steps=1, dtype="float64"))["quadratic"].ds
    step = np.abs(np.diff(runs.params.values, axis=1)).max(axis=(1, 2))
    np.testing.assert_allclose(step, 1e-6 / np.sqrt([*complements, complements[0]]), rtol=2e-12)


def test_rates_by_their_complements_are_those_of_the_decimals(x64):
    """1 − 0.7 is not the double of 0.3."""
    (optimizer,) = read(adam(b2={"complement": [0.7, 0.9]}))
    runs = Runs(optimizer.template, optimizer.columns, np.zeros(2, np.uint32))
    (decays,) = columns_of(runs, np.arange(2), Sizes(2, 2)).numbers.values()
    assert decays.rate.tolist() == [[0.3, 0.1]]


def test_twins_are_joined_whatever_way_the_decay_is_written():
    specs = {
        "ours": ["adamlab.adam(learning_rate=0.1, b2=1-0.1)", "adamlab.adam(learning_rate=0.1, b2=1-0.001)"],
        "fixed": ["adamlab.adam(0.1, b2=0.99)"],
        "optax": [f"optax.adam(learning_rate=0.1, b2={b2})" for b2 in ("0.999", "1-0.01", "0.9")],
    }
    runs = dataset([(label, spec, 0, [1, 1, 1], -1) for label, each in specs.items() for spec in each])
    assert al.analysis.with_agreement(runs).optax_run.values.tolist() == [5, 3, 4, -1, -1, -1]


def test_a_choice_is_a_list_in_a_grid_and_drawn_from_elsewhere():
    choices = {"learning_rate": [0.1, 0.2], "nesterov": [True, False], "arithmetic": ["accurate", "optax"]}
    as_lists, as_choices = choices, {name: {"choice": values} for name, values in choices.items()}
    for design in ("grid", {"random": 20}, {"sobol": 20}):
        lists, drawn = (read(adam(**each), design=design) for each in (as_lists, as_choices))
        assert [(o.label, o.specs()) for o in drawn] == [(o.label, o.specs()) for o in lists]
        assert sum(o.count for o in drawn) == 8 if design == "grid" else sum(o.count for o in drawn) > 4
    assert len(read(adam(nesterov={"choice": [True, False]}))) == 2


def test_numbers_are_computed_from_others():
    (coupled,) = read(adam(learning_rate="a * eps", a=[1.0, 10.0], eps=[1e-4, 1e-3]))
    assert numbers(coupled) == {
        "learning_rate": [1e-4, 1e-3, 1e-3, 1e-2],
        "eps": [1e-4, 1e-3, 1e-4, 1e-3],
        "a": [1.0, 1.0, 10.0, 10.0],
    }
    assert coupled.specs()[0] == "adamlab.adam(learning_rate=0.0001, eps=0.0001)"
    assert {symbol for symbol, _ in coupled.template.symbols()} == {Symbol("learning_rate"), Symbol("eps")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a * (1 - b2)", [3e-3, 3e-13]),  # in decimal: no 1.0000000000000009
        ("a/4", [0.75, 0.75]),
        ("a ÷ 4 × 2 − 1", [0.5, 0.5]),
        ("2^a", [8, 8]),
        ("2**-a + c", [0.125 + 0.5, 0.125 + 0.5]),
        ("-a + 4", [1, 1]),
        ("a", [3, 3]),
        ("0.1 + 0.2", [0.3, 0.3]),
        ("d * (1 - b2)^0.5", [6 * 10**-1.5, 6e-6 * np.sqrt(0.1)]),
        ("b1", [1 - 1e-3, 1 - 1e-13]),
    ],
)
def test_expressions_mean_what_they_do_on_paper(text, expected):
    table = adam(learning_rate=text, a=3, c=0.5, d="2 * a", b2={"complement": [1e-3, 1e-13]}, b1="b2")
    used = {
        name: value
        for name, value in table.items()
        if name not in "acd" or name in text or (name == "a" and "d" in text)
    }
    (optimizer,) = read(used)
    assert numbers(optimizer)["learning_rate"] == pytest.approx(expected, rel=4e-16)


def test_schedules_and_complements_can_be_computed_too():
    schedule = {"schedule": "cosine", "init": "a / 10", "steps": "2 * n"}
    (optimizer,) = read(adam(learning_rate=schedule, a=[1, 2], n=[3, 4], b2={"complement": "a / 1e9"}), design="zip")
    assert optimizer.specs() == [
        "adamlab.adam(learning_rate=cosine(init=0.1, steps=6), b2=1-1e-09)",
        "adamlab.adam(learning_rate=cosine(init=0.2, steps=8), b2=1-2e-09)",
    ]


def test_numbers_of_flags_and_specs_are_computed_for_each_form():
    table = {"spec": "optax.sgd(lr, momentum=m)", "lr": "c * (1 - m)", "c": [0.1, 0.2], "m": [0.0, 0.9]}
    assert numbers(read(table)[0])["learning_rate"] == [0.1, 0.01, 0.2, 0.02]
    first, second = read(adam(learning_rate="a", a=[0.1, 0.2], nesterov=[True, False]))
    assert numbers(first) == numbers(second) == {"learning_rate": [0.1, 0.2], "a": [0.1, 0.2]}


def test_a_setting_that_several_numbers_give_is_there_once():
    (optimizer,) = read(adam(learning_rate="a * b", a=[1, 2], b=[1, 2]))
    assert numbers(optimizer) == {"learning_rate": [1, 2, 4], "a": [1, 1, 2], "b": [1, 2, 2]}


@pytest.mark.optimized(False)
def test_results_have_the_numbers_that_others_were_computed_from():
    runs = al.run(config(adam(learning_rate="a * eps", a=[1.0, 2.0], eps=[0.1, 0.2])))["quadratic"].ds
    assert runs.attrs["settings"] == ["learning_rate", "eps", "a"]
    assert runs.a.values.tolist() == [1, 1, 2, 2]
    over = al.analysis.sensitivity_to(runs, "adamlab.adam", "a")
    assert over.value.values.tolist() == [1, 2]


BROKEN = {
    "unknown name": ({"learning_rate": "a * epsi", "a": 1}, "learning_rate", 'there is no "epsi" here for "a * epsi"'),
    "unknown name alone": ({"learning_rate": "wat"}, "learning_rate", 'expected a number, got "wat"'),
    "unused name": ({"learning_rate": "a * 2", "a": 1, "c": 2}, "c", "no such key, and no expression uses it"),
    "circle": ({"learning_rate": "a * 2", "a": "learning_rate"}, "learning_rate", "is computed from itself"),
    "itself": ({"learning_rate": "learning_rate * 2"}, "learning_rate", "from learning_rate"),
    "division by zero": ({"learning_rate": "1 / a", "a": [1, 0]}, "learning_rate", '"1 / a" divides by zero at a = 0'),
    "out of range": ({"b2": "1 - a", "a": [0.5, 2]}, "b2", 'a number in [0, 1]; "1 - a" is -1 at a = 2'),
    "no root": ({"learning_rate": "a ** 0.5", "a": -1}, "learning_rate", "has no value at a = -1"),
    "too large": ({"learning_rate": "9 ^ 9 ^ 9 ^ 9 * a", "a": 1}, "learning_rate", "is too large"),
    "no number": ({"learning_rate": "nesterov * 2", "nesterov": True}, "learning_rate", "which is no number"),
    "a call": ({"learning_rate": "abs(a)"}, "learning_rate", "an expression such as"),
    "code": ({"learning_rate": "__import__('os').remove('x')"}, "learning_rate", "an expression such as"),
    "an attribute": ({"learning_rate": "a.real", "eps": 1.0}, "learning_rate", "an expression such as"),
    "not finished": ({"learning_rate": "eps *", "eps": 1.0}, "learning_rate", "an expression such as"),
    "endless": ({"learning_rate": "+".join(["eps"] * 10000), "eps": 1.0}, "learning_rate", "an expression such as"),
    "nested": ({"learning_rate": "(" * 240 + "eps" + ")" * 240, "eps": 1.0}, "learning_rate", "an expression such as"),
    "no decay": ({"eps": {"complement": [0.1]}}, "eps", "adamlab.adam has no decay here"),
    "complement beyond 1": ({"b2": {"complement": [0.1, 2]}}, "b2", "expected a number in [0, 1]"),
    "complement of a complement": ({"b2": {"complement": {"complement": 0.1}}}, "b2", "expected a number in [0, 1]"),
    "empty choice": ({"b2": {"choice": []}}, "b2", "expected a number in [0, 1]"),
    "no choice": ({"b2": {"choice": 0.9}}, "b2", "expected a number in [0, 1]"),
    "a flag of three": ({"nesterov": {"choice": [True, 2]}}, "nesterov", "expected true or false"),
    "a name of results": ({"learning_rate": "loss", "loss": [1, 2]}, "loss", "give it another name"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_mistakes_are_told_by_their_keys(case):
    table, key, message = BROKEN[case]
    told = mistakes(adam(**table))
    assert [*told] == [f"optimizer[0].{key}"]
    assert message in told[f"optimizer[0].{key}"]


def test_steps_that_are_computed_are_whole():
    schedule = {"schedule": "cosine", "init": 1.0, "steps": "n / 2"}
    told = mistakes(adam(learning_rate=schedule, n=[4, 5]))
    assert told == {
        "optimizer[0].learning_rate.steps": 'expected a whole number of steps from 1; "n / 2" is 2.5 at n = 5'
    }
