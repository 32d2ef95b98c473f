"""Configs: the settings that they become, and the message for every mistake in them."""

import copy
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adamlab.plots import PLOTS
from adamlab.problems import PROBLEMS, get
from adamlab.specs import parse
from adamlab.studies.config.errors import ConfigError
from adamlab.studies.config.runs import read_study
from adamlab.studies.config.study import Evaluation
from adamlab.studies.config.toml import override, read_config
from adamlab.studies.engine.recording import recorded_steps


def mistakes(data, plots=PLOTS) -> dict[str, str]:
    with pytest.raises(ConfigError) as error:
        read_study(data, plots)
    return {mistake.key: mistake.message for mistake in error.value.mistakes}


def columns(optimizer) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in optimizer.columns.items()}


def changed(config, **keys):
    return copy.deepcopy(config) | keys


def test_a_config_becomes_settings(config):
    study = read_study(config, PLOTS)
    assert study.head.seeds == (0, 1)
    assert [p.name for p in study.problems] == ["rosenbrock", "digits_softmax"]
    adam, theirs, sgd = study.optimizers
    assert adam.specs() == [
        f"adamlab.adam(learning_rate={rate}, b2={b2})" for rate in (0.01, 0.1) for b2 in (0.9, 0.99)
    ]
    assert str(theirs.template) == "optax.adam(learning_rate=lr, b2=decay)"
    assert sgd.specs() == ["adamlab.sgd(learning_rate=inverse_sqrt(init=0.001), momentum=0.9)"]


def test_ranges_flags_and_schedules_are_swept(config):
    config["optimizer"] = [
        {"name": "adamlab.rmsprop", "learning_rate": {"log": [1e-3, 0.1, 3]}, "centered": [True, False]},
        {"name": "optax.sgd", "learning_rate": {"schedule": "cosine", "init": {"linear": [0.1, 0.3, 3]}, "steps": 9}},
    ]
    centered, plain, sgd = read_study(config, PLOTS).optimizers
    assert columns(centered) == columns(plain) == {"learning_rate": [0.001, 0.01, 0.1]}
    assert (centered.label, plain.label) == ("adamlab.rmsprop (centered=true)", "adamlab.rmsprop (centered=false)")
    assert columns(sgd) == {"learning_rate.init": [0.1, 0.2, 0.3]}


def test_a_number_that_is_asked_to_be_compiled_in_is_in_the_label_though_it_is_the_only_one(config):
    optimizers = [{"name": "optax.sgd", "learning_rate": rate} for rate in ({"compiled": [0.2]}, 0.2)]
    read = read_study(config | {"output": [], "optimizer": optimizers}, PLOTS).optimizers
    assert [optimizer.label for optimizer in read] == ["optax.sgd (learning_rate=0.2)", "optax.sgd"]
    assert read[0].specs() == read[1].specs() == ["optax.sgd(learning_rate=0.2)"]


def test_whole_numbers_of_schedules_are_swept_and_stay_whole(config):
    config["optimizer"] = [
        {"name": "optax.sgd", "learning_rate": {"schedule": "cosine", "init": 0.1, "steps": [9, 12]}},
        {"spec": "optax.adam(linear(0.1, 0, n), b1=b)", "n": {"log": [1, 100, 3]}, "b": 0.5},
        {"name": "adamlab.sgd", "learning_rate": {"schedule": "piecewise", "init": [0.1, 0.2], "boundaries": [3, 5]}},
    ]
    cosine, adam, piecewise = read_study(config | {"output": []}, PLOTS).optimizers
    assert cosine.specs() == [f"optax.sgd(learning_rate=cosine(init=0.1, steps={n}))" for n in (9, 12)]
    assert adam.specs() == [
        f"optax.adam(learning_rate=linear(init=0.1, end=0, steps={n}), b1=0.5)" for n in (1, 10, 100)
    ]
    assert piecewise.specs() == [
        f"adamlab.sgd(learning_rate=piecewise(init={init}, boundaries=[3, 5]))" for init in (0.1, 0.2)
    ]
    assert [str(parse(spec)) for spec in adam.specs()] == adam.specs()


def test_numbers_are_all_that_the_config_sets(config):
    adam, _, sgd = read_study(config, PLOTS).optimizers
    numbers = {name: values.tolist() for name, values in adam.numbers().items()}
    assert numbers == {"learning_rate": [0.01, 0.01, 0.1, 0.1], "b2": [0.9, 0.99, 0.9, 0.99]}
    assert {name: values.tolist() for name, values in sgd.numbers().items()} == {
        "learning_rate.init": [0.001],
        "momentum": [0.9],
    }
    assert (adam.count, sgd.count) == (4, 1)
    assert [str(parse(spec)) for spec in adam.specs()] == adam.specs()


def test_what_a_spec_leaves_open_is_told_by_its_argument(config):
    config["optimizer"] = [{"spec": "optax.adam(inverse_sqrt(lr), b1=b, b2=b)", "lr": [0.1, 0.2], "b": 0.5}]
    (adam,) = read_study(config, PLOTS).optimizers
    assert {name: values.tolist() for name, values in adam.numbers().items()} == {
        "learning_rate.init": [0.1, 0.2],
        "b1": [0.5, 0.5],
        "b2": [0.5, 0.5],
    }


def test_a_hundred_thousand_specs_are_written_in_no_time(config):
    rates = {"schedule": "cosine", "init": {"log": [1e-3, 1.0, 1000]}, "steps": {"linear": [1, 100, 100]}}
    (adam,) = read_study(config | {"optimizer": [{"name": "optax.adam", "learning_rate": rates}]}, PLOTS).optimizers
    before = process_time()
    specs = adam.specs()
    assert process_time() - before < 2  # a tenth of that on a quiet machine; one by one it is 5 seconds
    assert len(set(specs)) == adam.count == 100_000
    assert specs[-1] == "optax.adam(learning_rate=cosine(init=1.0, steps=100))"


def test_steps_are_recorded_evenly_or_by_their_logarithms(config):
    assert read_study(config, PLOTS).recorded.tolist() == [0, 10, 20, 25]
    config["record"]["every"] = {"log": 6}
    recorded = read_study(config | {"steps": 100_000}, PLOTS).recorded
    assert recorded.tolist() == [0, 1, 10, 100, 1000, 10_000, 100_000]
    assert recorded.dtype == np.int32
    assert recorded_steps(12, 5).tolist() == [0, 5, 10, 12]
    assert recorded_steps(10, 5).tolist() == [0, 5, 10]
    assert recorded_steps(3, {"log": 50}).tolist() == [0, 1, 2, 3]
    assert recorded_steps(7, {"log": 1}).tolist() == [0, 1, 7]


def test_an_evaluation_has_fresh_seeds(config):
    assert read_study(config, PLOTS).evaluation is None
    counted = read_study(config | {"seeds": [3, 9], "evaluation": {"seeds": 3}}, PLOTS).evaluation
    assert counted == Evaluation((10, 11, 12), "final_loss")
    config["problem"] = config["problem"][1:]
    listed = read_study(config | {"evaluation": {"seeds": [7, 5], "by": "best_test_accuracy"}}, PLOTS).evaluation
    assert listed == Evaluation((7, 5), "best_test_accuracy")


@pytest.mark.parametrize("by", ["best_loss", "steps_to_target", "final_gradient_norm", "best_distance"])
def test_settings_are_compared_by_whatever_is_recorded(config, by):
    config["record"] = {"what": ["gradient_norm", "distance", "steps_to_target", "params"], "target": 1}
    config["problem"] = config["problem"][:1]
    assert read_study(config | {"by": by}, PLOTS).by == by
    assert read_study(config | {"by": by, "evaluation": {"seeds": 3}}, PLOTS).by == by
    assert read_study(config | {"evaluation": {"seeds": 3, "by": by}}, PLOTS).by == by
    assert read_study(config, PLOTS).by is None


def test_criteria_that_do_not_fit_are_told(config):
    config["record"] = {"what": ["test_accuracy", "distance"]}
    told = mistakes(config | {"by": "final_test_accuracy"})
    assert told == {
        "by": 'there is no "final_test_accuracy" recorded of every problem; valid here: final_loss, best_loss'
    }
    assert list(mistakes(config | {"by": "final_distance"})) == ["by"]
    assert (
        "no second criterion"
        in mistakes(config | {"by": "best_loss", "evaluation": {"seeds": 2, "by": "final_loss"}})["evaluation.by"]
    )


def test_a_target_comes_with_what_it_is_for(config):
    config["record"] = {"what": ["loss", "steps_to_target", "distance"], "target": 1}
    study = read_study(config, PLOTS)
    record = study.head.record
    assert (record.target, record.what) == (1.0, ["loss", "steps_to_target", "distance"])


def test_several_values_of_an_option_are_several_problems(config, monkeypatch):
    monkeypatch.setitem(PROBLEMS, "wide", lambda scale=1.0: get("beale"))
    config["record"] = {}
    config["problem"] = [
        {"name": "quadratic", "condition": [10, 2.5], "dim": [2, 3], "spread": 0.0},
        {"name": "rosenbrock", "label": "valley", "spread": [0.0, 1e-5]},
        {"name": "wide", "scale": [1e16, -1.5]},
    ]
    problems = read_study(config, PLOTS).problems
    assert [problem.name for problem in problems] == [
        *(f"quadratic-condition={c}-dim={d}" for c in ("10", "2.5") for d in (2, 3)),
        *("valley-spread=0", "valley-spread=1e-05"),
        *("wide-scale=1e16", "wide-scale=-1.5"),
    ]
    assert [problem.dimension for problem in problems] == [2, 3, 2, 3, 2, 2, 2, 2]


def test_one_design_is_for_all_tables_that_have_none(config):
    rate = {"loguniform": [0.01, 1.0]}
    config["optimizer"] = [
        {"name": "adamlab.adam", "learning_rate": rate},
        {"name": "adamlab.adam", "label": "more", "learning_rate": rate, "b2": [0.9, 0.99], "design": {"random": 9}},
        {"name": "adamlab.sgd", "learning_rate": [0.1, 0.2], "momentum": [0.1, 0.2], "design": "grid"},
    ]
    few, more, grid = read_study(config | {"design": {"random": 5}}, PLOTS).optimizers
    assert (few.count, more.count, grid.count) == (5, 9, 4)
    assert more.columns["learning_rate"][:5].tolist() == few.columns["learning_rate"].tolist()


def test_flags_are_part_of_a_design(config):
    table = {"name": "adamlab.adam", "learning_rate": [0.1, 0.2, 0.3], "nesterov": [True, False, True]}
    first, second = read_study(config | {"design": "zip", "optimizer": [table]}, PLOTS).optimizers
    assert first.specs() == [f"adamlab.adam(learning_rate={rate}, nesterov=true)" for rate in (0.1, 0.3)]
    assert second.specs() == ["adamlab.adam(learning_rate=0.2, nesterov=false)"]
    table["nesterov"] = [True, False]
    drawn = read_study(config | {"design": {"random": 64}, "optimizer": [table]}, PLOTS).optimizers
    assert [o.label for o in drawn] == ["adamlab.adam (nesterov=true)", "adamlab.adam (nesterov=false)"]
    assert [o.count for o in drawn] == [3, 3]


def test_one_problem_can_stand_twice_under_labels(config):
    config["problem"] = [{"name": "rosenbrock"}, {"name": "rosenbrock", "dim": 5, "label": "rosenbrock_5"}]
    config["record"] = {}
    assert [p.name for p in read_study(config, PLOTS).problems] == ["rosenbrock", "rosenbrock_5"]


BROKEN = {
    "unknown key": ({"stepz": 3}, "stepz", 'did you mean "steps"?'),
    "wrong type": ({"steps": "many"}, "steps", 'expected a whole number; got "many"'),
    "boolean for a number": ({"steps": True}, "steps", "expected a whole number; got true"),
    "out of range": ({"steps": 0}, "steps", "greater than or equal to 1; got 0"),
    "no seeds": ({"seeds": []}, "seeds", "a list of different seeds"),
    "same seed twice": ({"seeds": [1, 1]}, "seeds", "a list of different seeds"),
    "bad name": ({"name": "a/b"}, "name", "letters, digits"),
    "bad float type": ({"dtype": "float16"}, "dtype", "'float32' or 'float64'"),
    "nested unknown key": ({"record": {"evry": 3}}, "record.evry", 'did you mean "every"?'),
    "recorded too seldom": ({"record": {"every": 26}}, "record.every", "at most the number of steps, 25; got 26"),
    "unknown quantity": ({"record": {"what": ["los"]}}, "record.what[0]", 'did you mean "loss"?'),
    "no problems": ({"problem": []}, "problem", "expected at least one; got []"),
    "problem no table": ({"problem": ["rosenbrock"]}, "problem[0]", "expected a table; got"),
    "unknown problem": ({"problem": [{"name": "rosenbrok"}]}, "problem[0].name", 'did you mean "rosenbrock"?'),
    "nameless problem": ({"problem": [{"dim": 3}]}, "problem[0].name", "is missing"),
    "unknown option": ({"problem": [{"name": "beale", "dim": 3}]}, "problem[0].dim", "there is no such key"),
    "option out of range": ({"problem": [{"name": "rastrigin", "dim": 0}]}, "problem[0]", "dim must be from 1 to"),
    "swept option": (
        {"problem": [{"name": "rastrigin", "dim": [1, 2.5]}]},
        "problem[0].dim",
        "expected a whole number, or a list of such; got [1, 2.5]",
    ),
    "problem twice": ({"problem": [{"name": "beale"}, {"name": "beale"}]}, "problem", "give each its own label"),
    "unknown optimizer": ({"optimizer": [{"name": "optax.adm"}]}, "optimizer[0].name", 'did you mean "optax.adam"?'),
    "bare optimizer": ({"optimizer": [{"name": "adam"}]}, "optimizer[0].name", "write adamlab.adam or optax.adam"),
    "neither name nor spec": ({"optimizer": [{"learning_rate": 1}]}, "optimizer[0]", "either name"),
    "code in a spec": ({"optimizer": [{"spec": "optax.adam(exec('1'))"}]}, "optimizer[0].spec", 'no schedule "exec"'),
    "open symbol": ({"optimizer": [{"spec": "optax.adam(lr)"}]}, "optimizer[0].lr", "is missing"),
    "not in the spec": (
        {"optimizer": [{"spec": "optax.adam(lr)", "lr": 1, "b1": 0.9}]},
        "optimizer[0].b1",
        "there is no such key; valid here: lr",
    ),
    "no learning rate": ({"optimizer": [{"name": "optax.adam"}]}, "optimizer[0].learning_rate", "is missing"),
    "unknown hyper-parameter": (
        {"optimizer": [{"name": "optax.adam", "learning_rate": 1, "epsilon": 1}]},
        "optimizer[0].epsilon",
        'did you mean "eps"?',
    ),
    "optimizer twice": (
        {"optimizer": [{"name": "optax.sgd", "learning_rate": 1}, {"name": "optax.sgd", "learning_rate": 2}]},
        "optimizer",
        "give each its own label",
    ),
    "unknown plot": ({"output": [{"kind": "trajectory"}]}, "output[0].kind", 'did you mean "trajectories"?'),
    "unknown plot option": ({"output": [{"kind": "curves", "wat": "loss"}]}, "output[0].wat", 'did you mean "what"?'),
    "spec without its learning rate": (
        {"optimizer": [{"spec": "optax.adam()"}]},
        "optimizer[0].spec",
        "needs learning_rate",
    ),
    "reserved name": ({"optimizer": [{"spec": "optax.sgd(label)"}]}, "optimizer[0].spec", "a key of its own"),
    "label that cannot be shown": (
        {"optimizer": [{"name": "optax.sgd", "learning_rate": 1, "label": "a\u0001"}]},
        "optimizer[0].label",
        "a printable text",
    ),
    "problem label that is no name": (
        {"problem": [{"name": "beale", "label": "zarr.json"}]},
        "problem[0].label",
        "expected letters, digits",
    ),
    "combinator": ({"optimizer": [{"name": "optax.chain"}]}, "optimizer[0].name", "made of optimizers: write spec"),
    "more than float32 holds": (
        {"dtype": "float32", "optimizer": [{"name": "optax.sgd", "learning_rate": 1e300}]},
        "optimizer[0]",
        "numbers that float32 holds",
    ),
    "recorded twice": ({"record": {"what": ["loss", "loss"]}}, "record.what[1]", '"loss" is given twice'),
    "no tables": ({"problem": {"name": "beale"}}, "problem", "double brackets, such as [[problem]]"),
    "plot of one quantity that is not recorded": (
        {"output": [{"kind": "curves", "what": ["loss", "v_hat[1]"]}]},
        "output[0].what",
        'no "v_hat" is recorded over steps',
    ),
    "plot of no quantity": (
        {"output": [{"kind": "curves", "what": []}]},
        "output[0].what",
        "a text or a list of texts",
    ),
    "panels of what is not set": (
        {"output": [{"kind": "sensitivity", "panels": "b3"}]},
        "output[0].panels",
        'no optimizer is given a "b3"',
    ),
    "two panels, of which one is not set": (
        {"output": [{"kind": "sensitivity", "panels": ["learning_rate", "b3"]}]},
        "output[0].panels",
        'no optimizer is given a "b3"',
    ),
    "axes": ({"output": [{"kind": "curves", "ax": "x"}]}, "output[0].ax", "there is no such key"),
    "quantity that is no list": ({"record": {"what": "test_accuracy"}}, "record.what", 'such as ["test_accuracy"]'),
    "plot of what is not recorded": (
        {"output": [{"kind": "curves", "what": "test_accuracy"}]},
        "output[0].what",
        'no "test_accuracy" is recorded over steps; valid here: loss',
    ),
    "plot over what is not set": (
        {"output": [{"kind": "sensitivity", "setting": "lr"}]},
        "output[0].setting",
        'no optimizer is given a "lr"',
    ),
    "plot of a list": ({"output": [{"kind": "curves", "problem": [1]}]}, "output[0].problem", "[1] is not run"),
    "plot of no problem": (
        {"output": [{"kind": "curves", "problem": "beal"}]},
        "output[0].problem",
        '"beal" is not run',
    ),
}

BROKEN_NUMBERS = {
    "text": ("0.1", "expected a number, a list of numbers"),
    "empty list": ([], "expected a number, a list of numbers"),
    "same number twice": ([0.1, 0.1], "expected values that differ; got [0.1, 0.1]"),
    "same number in two forms": ([1, 1.0], "expected values that differ"),
    "list with a text": ([0.1, "x"], "expected a number"),
    "not finite": (float("nan"), "expected a number"),
    "unknown range": ({"lag": [1, 2, 3]}, "{ log = [low, high, count] }"),
    "range upside down": ({"log": [1.0, 0.1, 3]}, "with low < high"),
    "range of no width": ({"linear": [0.1, 0.1, 3]}, "with low < high"),
    "log from zero": ({"log": [0.0, 0.1, 3]}, "with low > 0"),
    "no whole count": ({"linear": [0.0, 0.1, 2.5]}, "a whole count from 1 to 1,000,000"),
    "more points than the range has": ({"linear": [0.1, 0.1 + 1e-16, 3]}, "expected"),
    "an integer of 400 digits": (10**400, "expected a number"),
    "a table": ({"value": 3}, "expected a number"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_mistake_is_told_by_key_with_a_remedy(config, case):
    keys, key, message = BROKEN[case]
    told = mistakes(changed(config, record={}) | keys)
    assert list(told) == [key]
    assert message in told[key]


@pytest.mark.parametrize("case", BROKEN_NUMBERS)
def test_what_is_no_number_or_sweep_is_told(config, case):
    value, message = BROKEN_NUMBERS[case]
    told = mistakes(changed(config, optimizer=[{"name": "adamlab.adam", "learning_rate": value}]))
    assert list(told) == ["optimizer[0].learning_rate"]
    assert message in told["optimizer[0].learning_rate"]


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ({"schedule": "inverse_sqr", "init": 1}, "schedule", 'did you mean "inverse_sqrt"?'),
        ({"schedule": ["x"]}, "schedule", "there is no schedule"),
        ({"schedule": "inverse_sqrt"}, "init", "is missing"),
        ({"schedule": "inverse_sqrt", "init": "x"}, "init", "expected a number"),
        ({"schedule": "inverse_sqrt", "init": 1, "inti": 1}, "inti", 'did you mean "init"?'),
        ({"schedule": "piecewise", "init": 1, "boundaries": [[3], [4]]}, "boundaries", "cannot be swept"),
        ({"schedule": "cosine", "init": 1, "steps": [3, 0]}, "steps", "a whole number of steps from 1"),
    ],
)
def test_mistakes_in_a_schedule_are_told_by_their_own_keys(config, table, key, message):
    told = mistakes(changed(config, optimizer=[{"name": "optax.sgd", "learning_rate": table}]))
    assert list(told) == [f"optimizer[0].learning_rate.{key}"]
    assert message in told[f"optimizer[0].learning_rate.{key}"]


def test_every_setting_is_the_number_that_was_written(config):
    config["optimizer"] = [{"name": "adamlab.adam", "learning_rate": 0.1, "b2": {"linear": [0.9999999999999, 1.0, 2]}}]
    assert columns(read_study(config, PLOTS).optimizers[0]) == {"b2": [0.9999999999999, 1.0]}


def test_settings_keep_the_order_of_the_file(config):
    config["optimizer"] = [{"name": "adamlab.adam", "b2": [0.9, 0.99], "learning_rate": [0.1, 0.2]}]
    assert list(read_study(config, PLOTS).optimizers[0].columns) == ["b2", "learning_rate"]


def test_only_what_can_be_a_schedule_takes_one(config):
    table = {"name": "adamlab.adam", "learning_rate": 0.1, "eps": {"schedule": "inverse_sqrt", "init": 1}}
    assert "expected a number" in mistakes(changed(config, optimizer=[table]))["optimizer[0].eps"]


def test_all_mistakes_are_told_at_once(config):
    broken = changed(config, steps=-1, stepz=1, record={"what": ["los"]}, output=[{"kind": "x"}])
    broken["problem"] += [{"name": "beal"}]
    broken["optimizer"] += [{"name": "adamlab.adam", "b1": 3, "learning_rat": 1}]
    assert set(mistakes(broken)) == {
        "steps",
        "stepz",
        "record.what[0]",
        "output[0].kind",
        "problem[2].name",
        "optimizer[3].b1",
        "optimizer[3].learning_rate",
        "optimizer[3].learning_rat",
    }


def test_mistakes_in_pictures_are_told_with_those_in_optimizers(config):
    """What a number of a wrong optimizer would be called is not known, and so not told."""
    outputs = [{"kind": "curves", "what": "v_hat"}, {"kind": "sensitivity", "setting": "lr"}]
    broken = changed(config, steps=-1, output=outputs)
    assert {*mistakes(broken)} == {"steps", "output[0].what", "output[1].setting"}
    broken["optimizer"] = [{"name": "optax.adm", "lr": [1, 2]}]
    assert {*mistakes(broken)} == {"steps", "output[0].what", "optimizer[0].name"}


@pytest.mark.parametrize("what", ["v_hat", ["v_hat[1]", "loss"], "layer_norms[params]", "params", "test_loss"])
def test_curves_take_all_that_is_recorded(config, what):
    config["record"] = {"what": ["params", "v_hat", "layer_norms", "test_loss"]}
    config["problem"] = [{"name": "beale"}, {"name": "digits_softmax"}]
    config["output"] = [{"kind": "curves", "what": what}]
    given = tuple(what) if isinstance(what, list) else what
    assert read_study(config, PLOTS).outputs[0]["options"] == {"what": given}


def test_missing_keys_are_told():
    assert set(mistakes({})) == {"name", "steps", "problem", "optimizer"}


def test_a_rule_added_to_the_registry_can_be_swept(config, monkeypatch):
    import adamlab as al
    from adamlab.rules import RULES

    monkeypatch.setitem(RULES, "signed", lambda learning_rate=0.1: al.sgd(learning_rate))
    optimizer = {"name": "adamlab.signed", "learning_rate": [0.1, 0.2]}
    assert len(read_study(changed(config, optimizer=[optimizer]), PLOTS).optimizers[0].specs()) == 2


def test_files_that_cannot_be_read_are_told(tmp_path):
    (tmp_path / "broken.toml").write_text("name = ")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 5000)
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    for name, message in [
        ("none.toml", "there is no such file"),
        ("broken.toml", "is not valid TOML: Invalid value"),
        ("deep.toml", "is not valid TOML"),
        ("latin.toml", "is not UTF-8"),
        (".", "cannot be read: Is a directory"),
    ]:
        with pytest.raises(ConfigError, match=message):
            read_config(tmp_path / name)


def test_overrides_are_written_into_a_copy(config):
    before = copy.deepcopy(config)
    data = read_config(config, ["steps=7", "record.every=2", "optimizer.0.learning_rate=[1.0]", "question=who?"])
    assert (data["steps"], data["record"]["every"], data["question"]) == (7, 2, "who?")
    assert data["optimizer"][0]["learning_rate"] == [1.0]
    assert config == before
    two_lines = "1\nsteps = 2"
    assert read_config(config, [f"question={two_lines}"]) == config | {"question": two_lines}
    for text in ("steps", "optimizer.9.name=x", "optimizer.².name=x", "steps.x=3"):
        with pytest.raises(ConfigError, match="--set"):
            override(read_config(config), [text])


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
        max_leaves=5,
    ),
    st.sampled_from(["name", "steps", "seeds", "dtype", "record", "problem", "optimizer", "output"]),
)
def test_whatever_stands_under_a_key_is_read_or_refused(value, key):
    data = {
        "name": "x",
        "steps": 1,
        "problem": [{"name": "beale"}],
        "optimizer": [{"name": "optax.sgd", "learning_rate": 0.1}],
    }
    try:
        read_study(data | {key: value}, PLOTS)
    except ConfigError as error:
        elsewhere = [mistake for mistake in error.mistakes if key not in mistake.key]
    else:
        elsewhere = []
    assert not elsewhere


@pytest.mark.parametrize(
    ("table", "key", "hint"),
    [
        ({"problem": [{"name": "beale", "start": [[0, 0]]}]}, "problem[0].start", 'did you mean "starts"?'),
        ({"problem": [{"name": "beale", "lable": "b"}]}, "problem[0].lable", 'did you mean "label"?'),
        ({"problem": [{"name": "beale", "strats": [[0, 0]]}]}, "problem[0].strats", 'did you mean "starts"?'),
        ({"optimizer": [{"sepc": "a", "name": "optax.adam", "learning_rate": 1}]}, "optimizer[0].sepc", 'mean "spec"?'),
        ({"optimizer": [{"name": "optax.adam", "learning_rate": 0.1, "lable": "a"}]}, "optimizer[0].lable", '"label"?'),
        ({"optimizer": [{"spec": "optax.adam(lr)", "lr": 0.1, "desing": "zip"}]}, "optimizer[0].desing", '"design"?'),
    ],
)
def test_hints_name_the_keys_of_the_table_itself(config, table, key, hint):
    told = mistakes(config | {"output": []} | table)
    assert hint in told.pop(key)
    assert told == {}
