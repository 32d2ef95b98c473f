"""Sound configs, each broken at a single key in every way that was thought of: it is refused at that key."""

import contextlib
import copy
import datetime
import math
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adamlab.plots import PLOTS
from adamlab.studies.config.comparisons import read_comparisons
from adamlab.studies.config.errors import ConfigError, join
from adamlab.studies.config.readings import read_readings
from adamlab.studies.config.runs import read_study
from adamlab.studies.engine.recording import QUANTITIES

EVERYTHING = {
    "name": "everything",
    "question": "What if all keys are there?",
    "steps": 60,
    "seeds": 3,
    "dtype": "float64",
    "design": {"random": 8, "seed": 1},
    "record": {"every": {"log": 10}, "what": [*QUANTITIES, "test_accuracy"], "target": 1e-3, "costly_every": 2},
    "evaluation": {"seeds": [7, 8], "by": "best_loss"},
    "problem": [
        {"name": "quadratic", "label": "bowl", "condition": [10, 100.5], "dim": 3, "starts": {"sobol": 4, "seed": 2}},
        {"name": "beale", "spread": 0.0, "starts": [[0, 1], [1.5, 2]]},
        {"name": "rosenbrock", "starts": {"grid": 3}},
        {"name": "digits_softmax", "batch_size": 8},
    ],
    "optimizer": [
        {
            "name": "adamlab.adam",
            "label": "in step",
            "design": "zip",
            "learning_rate": [0.1, 0.1, 0.2],
            "b2": {"linear": [0.9, 0.99, 3]},
            "nesterov": [True, False, True],
            "arithmetic": "optax",
            "mu_dtype": "float32",
        },
        {"spec": "optax.rmsprop(lr, decay=d)", "lr": {"loguniform": [0.01, 1.0]}, "d": {"uniform": [0.9, 0.999]}},
        {
            "name": "adamlab.sgd",
            "design": {"sobol": 8},
            "momentum": 0.9,
            "learning_rate": {
                "schedule": "warmup_cosine",
                "peak": {"loguniform": [0.01, 1]},
                "warmup": {"uniform": [1, 5]},
                "steps": 60,
            },
        },
        {
            "name": "optax.sgd",
            "design": "grid",
            "learning_rate": {
                "schedule": "piecewise",
                "init": {"uniform": [0.1, 0.2, 3]},
                "boundaries": [20, 40],
                "factor": 0.1,
            },
        },
        {"name": "optax.adam", "learning_rate": {"schedule": "exponential", "init": 0.1, "rate": 0.9, "every": 10}},
    ],
    "output": [
        {"kind": "curves", "what": "gradient_norm", "problem": "beale"},
        {"kind": "sensitivity", "setting": "learning_rate.peak"},
    ],
}

LOADERS = {"compare": read_comparisons, "reading": read_readings}
EXPERIMENTS = sorted((Path(__file__).parents[3] / "experiments").glob("*.toml"))

SMALL = {
    "name": "small",
    "steps": 60,
    "problem": [{"name": "beale"}],
    "optimizer": [{"name": "optax.sgd", "learning_rate": 0.1}],
}

PARTS: list[tuple[dict[str, Any], tuple[str, ...]]] = [  # sound configs, and what is to be broken in them
    (
        {**EVERYTHING, **SMALL, "problem": EVERYTHING["problem"][1:4:2], "output": EVERYTHING["output"][:1]},
        tuple(key for key in EVERYTHING if key not in ("problem", "optimizer")),
    ),
    *((SMALL | {"problem": [table]}, ("problem",)) for table in EVERYTHING["problem"]),
    *(
        (SMALL | {"optimizer": [{"design": {"random": 8}} | table]}, ("optimizer",))
        for table in EVERYTHING["optimizer"]
    ),
]

WRONG = (math.nan, -math.inf, 10**400, "", "wat?", [], [[[]]], {}, {"a": 1}, datetime.date(2015, 5, 7))
"""Values that are wrong nearly everywhere, of every type that TOML has."""

SOME = (math.nan, "", [[[]]], {"a": 1})
"""Of these one of each type that a key can have: the gate's."""

RIGHT: dict[Any, tuple[Any, ...]] = {  # but not here
    "question": ("", "wat?"),
    "label": ("wat?",),
    "output": ([],),
    "record": ({},),
    "what": ([],),
}

REQUIRED = {"name", "spec", "steps", "schedule", "kind", "init", "peak", "warmup", "rate"}
REQUIRED |= {"lr", "d", "boundaries", "target", "learning_rate", "seeds", "left", "right"}

Path_ = tuple[str | int, ...]


def load(data: dict[str, Any]) -> Any:
    loader = next((loader for table, loader in LOADERS.items() if table in data), read_study)
    return loader(data, PLOTS, "the config")


def keys_in(data: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The path of every key and of every item of a list."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*path, key)
        yield from keys_in(value, (*path, key))


def at(data: Any, path: Path_) -> Any:
    for key in path:
        data = data[key]
    return data


def changed(data: dict[str, Any], path: Path_, value: Any) -> dict[str, Any]:
    broken = copy.deepcopy(data)
    at(broken, path[:-1])[path[-1]] = value
    return broken


def without(data: dict[str, Any], path: Path_) -> dict[str, Any]:
    broken = copy.deepcopy(data)
    del at(broken, path[:-1])[path[-1]]
    return broken


def misspelt(data: dict[str, Any], path: Path_) -> dict[str, Any]:
    broken = without(data, path)
    at(broken, path[:-1])[f"{path[-1]}z"] = at(data, path)
    return broken


def is_required(data: dict[str, Any], path: Path_) -> bool:
    if len(path) == 1:
        return path[0] in ("name", "steps", "problem", "optimizer") and (path[0] == "name" or "optimizer" in data)
    return path[-1] in REQUIRED


def is_refused(broken: dict[str, Any], path: Path_) -> bool:
    """Whether the config is refused, with a mistake at this key, within it, or at a table around it."""
    key = join(*path)
    try:
        load(broken)
    except ConfigError as error:
        told = [mistake.key for mistake in error.mistakes]
        return any(other and (key.startswith(other) or other.startswith(key)) for other in told)
    return False


def small(path: Path) -> dict[str, Any]:
    """A config of experiments/, cut down to a table of each kind, three of [[problem]], and short lists."""

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cut(inner) for key, inner in value.items()}
        return value[:2] if isinstance(value, list) and len(value) > 3 else value

    data = tomllib.loads(path.read_text(encoding="utf-8"))
    tables = {
        key: value[:3] if key == "problem" else [cut(value[0])] for key, value in data.items() if type(value) is list
    }
    return data | tables


def breakages(
    data: dict[str, Any], within: Collection[str], wrong=WRONG
) -> Iterator[tuple[str, dict[str, Any], Path_]]:
    """A config for each way to break a key: misspelt, left out where it is required, and given every wrong value."""
    for path in keys_in({key: value for key, value in data.items() if key in within}):
        if isinstance(path[-1], str):
            yield f"{join(*path)} misspelt", misspelt(data, path), (*path[:-1], f"{path[-1]}z")
            if is_required(data, path):
                yield f"{join(*path)} left out", without(data, path), path
        for value in wrong:
            if not any(type(value) is type(right) and value == right for right in RIGHT.get(path[-1], ())):
                yield f"{join(*path)} = {value!r:.20}", changed(data, path, value), path


def test_the_config_with_every_key_is_sound():
    study = read_study(EVERYTHING, PLOTS)
    assert len(study.optimizers) == 6
    assert [*study.starts] == ["bowl-condition=10", "bowl-condition=100.5", "beale", "rosenbrock"]


@pytest.mark.one_case_in(5)
@pytest.mark.parametrize(("data", "within"), PARTS, ids=range(len(PARTS)))
@pytest.mark.parametrize("wrong", [SOME, pytest.param(WRONG, marks=pytest.mark.slow)], ids=["some", "all"])
def test_every_key_broken_in_every_way_is_refused_at_that_key(data, within, wrong):
    load(data)
    cases = list(breakages(data, within, wrong))
    assert len(cases) > 3 * len(wrong)
    assert not [case for case, broken, path in cases if not is_refused(broken, path)]


@pytest.mark.one_case_in(10)
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_the_experiments_broken_in_every_way_are_refused(path):
    data = small(path)
    load(data)
    cases = list(breakages(data, data, wrong=(math.nan, {"a": 1})))
    assert len(cases) > 20
    assert not [case for case, broken, where in cases if not is_refused(broken, where)]


def sgd(**numbers: Any) -> dict[str, Any]:
    return {"optimizer": [{"name": "optax.sgd", "learning_rate": 0.1} | numbers]}


def rate(schedule: str, **numbers: Any) -> dict[str, Any]:
    return sgd(learning_rate={"schedule": schedule} | numbers)


def beale(**options: Any) -> dict[str, Any]:
    return {"problem": [{"name": "beale"} | options]}


def evaluated(**keys: Any) -> dict[str, Any]:
    return {"evaluation": {"seeds": 2} | keys}


BROKEN: list[tuple[dict[str, Any], str, str]] = [  # what is out of range, or does not go together; the key; the words
    ({"steps": 0}, "steps", "greater than or equal to 1; got 0"),
    ({"steps": 2**31}, "steps", "less than or equal to 2147483646"),
    ({"seeds": 0}, "seeds", "how many seeds"),
    ({"seeds": -1}, "seeds", "how many seeds"),
    ({"seeds": [1, 1]}, "seeds", "a list of different seeds"),
    ({"seeds": [2**32]}, "seeds", "a list of different seeds"),
    ({"seeds": [True]}, "seeds", "a list of different seeds"),
    ({"dtype": "float16"}, "dtype", "'float32' or 'float64'"),
    ({"name": "../x"}, "name", "letters, digits"),
    ({"name": "zarr.json"}, "name", "letters, digits"),
    ({"design": "gird"}, "design", 'expected "grid", "zip", { random = 64 }'),
    ({"design": {"random": 0}}, "design.random", "a whole number from 1 to 1,000,000; got 0"),
    ({"design": {"sobol": 10**6 + 1}}, "design.sobol", "from 1 to 1,000,000"),
    ({"design": {"sobol": True}}, "design.sobol", "a whole number"),
    ({"design": {"sobol": 8, "seed": -1}}, "design.seed", "from 0 to 4,294,967,295"),
    ({"design": {"sobol": 8, "random": 8}}, "design", 'expected "grid"'),
    ({"design": {"seed": 8}}, "design", 'expected "grid"'),
    ({"record": {"every": 0}}, "record.every", "a whole number from 1"),
    ({"record": {"every": 61}}, "record.every", "at most the number of steps, 60"),
    ({"record": {"every": {"log": 0}}}, "record.every", "{ log = 50 }"),
    ({"record": {"every": {"lin": 5}}}, "record.every", "{ log = 50 }"),
    ({"record": {"what": ["loss", "loss"]}}, "record.what[1]", "given twice"),
    ({"record": {"what": ["m_hut"]}}, "record.what[0]", 'did you mean "m_hat"?'),
    ({"record": {"what": ["steps_to_target"]}}, "record.target", "is missing"),
    ({"output": [{"kind": "curves", "over": "seconds"}]}, "output[0].over", 'put "seconds" among record.what'),
    ({"record": {"target": 0.1}}, "record.target", 'is for "steps_to_target" alone'),
    ({"record": {"what": ["steps_to_target"], "target": 1e39}}, "record.target", "numbers that float32 holds"),
    (
        {"record": {"what": ["distance"]}, "problem": [{"name": "digits_softmax"}]},
        "record.what[0]",
        "no problem here has known minima",
    ),
    ({"record": {"what": ["gradient_noise_scale"]}}, "record.what[0]", "no problem here has minibatches"),
    (
        {"record": {"costly_every": 3}},
        "record.costly_every",
        'for "sharpness", "preconditioned_sharpness", "gradient_noise_scale" alone',
    ),
    ({"record": {"what": ["sharpness"], "costly_every": 0}}, "record.costly_every", "1"),
    (evaluated(seeds=0), "evaluation.seeds", "how many seeds"),
    (evaluated(seeds=[0]), "evaluation.seeds", "expected fresh seeds; got 0"),
    (evaluated(seeds=[4, 4]), "evaluation.seeds", "a list of different seeds"),
    (evaluated() | {"seeds": [2**32 - 1]}, "evaluation.seeds", "there are not so many seeds after"),
    (evaluated(by="loss"), "evaluation.by", "did you mean one of final_loss, best_loss?"),
    (evaluated(by="final_params"), "evaluation.by", "there is no"),
    (
        evaluated(by="best_test_accuracy")
        | {"record": {"what": ["test_accuracy"]}, "problem": [{"name": "beale"}, {"name": "digits_softmax"}]},
        "evaluation.by",
        'there is no "best_test_accuracy" recorded of every problem',
    ),
    (beale(spread=-1.0), "problem[0]", "spread must be from 0"),
    (beale(spread=[0.0, 0.0]), "problem[0].spread", "values that differ"),
    (beale(spread=[0.0, -1.0]), "problem[0]", "spread must be from 0"),
    (beale(spread={"log": [0.1, 1.0, 3]}), "problem[0].spread", "a number, or a list of such"),
    (beale(spread=[i / 1e4 for i in range(101)]), "problem[0]", "at most 100 problems"),
    (beale(label="a/b"), "problem[0].label", "letters, digits"),
    ({"problem": [{"name": "beale"}, {"name": "beale"}]}, "problem", "give each its own label"),
    (
        {"problem": [{"name": "beale", "spread": [0.0, 0.1]}, {"name": "beale", "label": "beale-spread=0.1"}]},
        "problem",
        '2 of them are called "beale-spread=0.1"',
    ),
    (beale(starts=[[1.0]]), "problem[0].starts[0]", "a list of 2 finite numbers; got [1.0]"),
    (beale(starts=[[0, 0], [1.0, math.inf]]), "problem[0].starts[1]", "2 finite numbers"),
    (beale(starts=[[0, 0], [0.0, 0.0]]), "problem[0].starts[1]", "given twice"),
    (beale(starts=[[0, True]]), "problem[0].starts[0]", "2 finite numbers"),
    (beale(starts=[[0, 1e39]]), "problem[0].starts", "numbers that float32 holds"),
    (beale(starts=[1.0]), "problem[0].starts[0]", "a list of 2 finite numbers"),
    (beale(starts={"grid": 1}), "problem[0].starts.grid", "from 2"),
    (beale(starts={"grid": 1001}), "problem[0].starts.grid", "2 dimensions take at most 1,000; got 1,001"),
    (beale(starts={"grid": 3, "seed": 1}), "problem[0].starts", "expected a list of points"),
    (beale(starts={"random": 0}), "problem[0].starts.random", "from 1"),
    (beale(starts={"random": 3, "seed": 0.5}), "problem[0].starts.seed", "a whole number"),
    ({"problem": [{"name": "digits_softmax", "starts": {"random": 3}}]}, "problem[0].starts", "not one vector"),
    ({"problem": [{"name": "wilson", "starts": {"random": 3}}]}, "problem[0].starts", "has no domain"),
    (
        {"problem": [{"name": "rosenbrock", "dim": 30000, "starts": {"sobol": 3}}]},
        "problem[0].starts.sobol",
        "take at most 0",
    ),
    (sgd(learning_rate=[0.1, 0.1]), "optimizer[0].learning_rate", "values that differ"),
    (sgd(learning_rate={"log": [0.0, 1.0, 3]}), "optimizer[0].learning_rate", "low > 0"),
    (sgd(learning_rate={"loguniform": [-1.0, 1.0, 3]}), "optimizer[0].learning_rate", "low > 0"),
    (sgd(learning_rate={"uniform": [1.0, 0.1, 3]}), "optimizer[0].learning_rate", "low < high"),
    (sgd(learning_rate={"uniform": [0.1, 1.0]}), "optimizer[0].learning_rate", "uniform = [low, high, count]"),
    (sgd(learning_rate={"uniform": [0.1, 1.0, 0]}), "optimizer[0].learning_rate", "a whole count from 1"),
    (sgd(learning_rate={"uniform": [-1e308, 1e308, 3]}), "optimizer[0].learning_rate", "finite bounds"),
    (sgd(learning_rate={"uniform": [0.1, 1.0, 3]}, design={"random": 3}), "optimizer[0].learning_rate", "how many"),
    (sgd(learning_rate={"log": [0.1, 1.0]}, design={"random": 3}), "optimizer[0].learning_rate", "[low, high, count]"),
    (sgd(learning_rate=[0.1, 0.2], momentum=[0.1, 0.2, 0.3], design="zip"), "optimizer[0]", "need as many values"),
    (sgd(learning_rate=[0.1, 0.1], momentum=[0.5, 0.5], design="zip"), "optimizer[0]", "the same setting comes twice"),
    (
        sgd(learning_rate={"log": [0.1, 1.0, 1001]}, momentum={"linear": [0.0, 0.9, 1000]}),
        "optimizer[0]",
        "at most 1,000,000 settings; got 1,001 × 1,000 = 1,001,000",
    ),
    (sgd(learning_rate=1e39), "optimizer[0]", "numbers that float32 holds"),
    (sgd(learning_rate={"uniform": [1e38, 1e39, 9]}), "optimizer[0]", "numbers that float32 holds"),
    (rate("cosine", init=0.1, steps=0), "optimizer[0].learning_rate.steps", "a whole number of steps from 1"),
    (rate("cosine", init=0.1, steps=[9, 0]), "optimizer[0].learning_rate.steps", "got [9, 0]"),
    (rate("cosine", init=0.1, steps=[9, 9.5]), "optimizer[0].learning_rate.steps", "got [9, 9.5]"),
    (rate("cosine", init=0.1, steps=2**31), "optimizer[0].learning_rate.steps", "a whole number of steps from 1"),
    (rate("cosine", init=0.1, steps={"log": [0.5, 9, 3]}), "optimizer[0].learning_rate.steps", "of whole numbers"),
    (rate("cosine", init=0.1, steps={"linear": [1, 3, 9]}), "optimizer[0].learning_rate.steps", "values that differ"),
    (rate("warmup_cosine", peak=0.1, warmup=9, steps=9), "optimizer[0].learning_rate", "greater than warmup"),
    (rate("warmup_cosine", peak=0.1, warmup=[3, 9], steps=[9, 12]), "optimizer[0].learning_rate", "greater than"),
    (rate("piecewise", init=0.1, boundaries=[9, 3]), "optimizer[0].learning_rate.boundaries", "each greater than"),
    (rate("piecewise", init=0.1, boundaries=[0, 3]), "optimizer[0].learning_rate.boundaries", "each greater than"),
    (rate("piecewise", init=0.1, boundaries=[3.0]), "optimizer[0].learning_rate.boundaries", "each greater than"),
    (rate("piecewise", init=0.1, boundaries=3), "optimizer[0].learning_rate.boundaries", "a list of whole numbers"),
    (rate("piecewise", init=0.1, boundaries=[[3], [4]]), "optimizer[0].learning_rate.boundaries", "cannot be swept"),
    ({"optimizer": [{"spec": "optax.sgd(cosine(0.1, 0))"}]}, "optimizer[0].spec", "steps must be a whole number"),
    ({"optimizer": [{"spec": "optax.sgd(warmup_cosine(0.1, 5, 5))"}]}, "optimizer[0].spec", "greater than warmup"),
    ({"optimizer": [{"spec": "optax.sgd(cosine(0.1, n))", "n": [5, 0]}]}, "optimizer[0].n", "steps from 1"),
    ({"optimizer": [{"spec": "optax.sgd(cosine(n, n))", "n": 0.5}]}, "optimizer[0].n", "steps from 1"),
    ({"optimizer": [{"spec": "optax.sgd(design)", "design": "zip"}]}, "optimizer[0].spec", "a key of its own"),
    ({"optimizer": [{"spec": "optax.sgd([0.1])"}]}, "optimizer[0].spec", "learning_rate must be a number"),
    ({"optimizer": [{"name": "adamlab.adam", "learning_rate": 0.1, "b2": 1.1}]}, "optimizer[0].b2", "in [0, 1]"),
    (
        {"optimizer": [{"name": "adamlab.adam", "learning_rate": 0.1, "b2": {"uniform": [0.9, 1.1, 3]}}]},
        "optimizer[0].b2",
        "in [0, 1]",
    ),
    ({"output": [{"kind": "curves", "what": "distance"}]}, "output[0].what", "is recorded over steps"),
    ({"output": [{"kind": "sensitivity", "setting": "lr"}]}, "output[0].setting", "no optimizer is given"),
    ({"output": [{"kind": "curves", "problem": "rosenbrock"}]}, "output[0].problem", "is not run"),
]


@pytest.mark.parametrize(("keys", "key", "words"), BROKEN, ids=lambda value: str(value)[:50])
def test_what_is_out_of_range_or_does_not_go_together_is_told(keys, key, words):
    with pytest.raises(ConfigError) as error:
        load(SMALL | keys)
    (told,) = error.value.mistakes
    assert told.key == key
    assert words in told.message


VALUES = st.recursive(
    st.booleans() | st.floats() | st.text() | st.integers() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
HEAD, _ = PARTS[0]


@given(st.sampled_from(sorted(keys_in(HEAD), key=str)), VALUES)
def test_whatever_stands_under_any_key_is_read_or_refused(path, value):
    broken = changed(HEAD, path, value)
    with contextlib.suppress(ConfigError):
        load(broken)


def test_they_are_many():
    assert len(BROKEN) + sum(len(list(breakages(data, within))) for data, within in PARTS) > 1000
