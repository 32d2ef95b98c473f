"""Formulas, proofs, derivations and flat optimizers with types checked at each call, in a process of its own.

Their other tests run without the checks, which would take most of the time at millions of calls.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def right_calls() -> dict[str, Any]:
    """Each public function as it is meant to be called."""
    import numpy as np
    import optax

    import adamlab as al
    from adamlab import layers
    from adamlab.derivations import DERIVATIONS
    from adamlab.relations import RELATIONS, decide, verdict_rows
    from adamlab.symbolic.functions import pulled_back, read, symbols
    from adamlab.symbolic.solving.weights import weights

    adagrad = "optax.adagrad(learning_rate, initial_accumulator_value=0.0, eps=0.0)"
    falling = "optax.adam(inverse_sqrt(learning_rate), b1=0.0, b2=b2, eps=0.0)"
    x, d = symbols("x", 2, 2), symbols("d", 2, 2)
    return {
        "unroll": lambda: al.unroll(optax.adam, steps=2, hyper={"b1": "0.9"}, symbols=["eps_root"]).states,
        "unroll on an array": lambda: al.unroll(optax.lamb, 1, shape=(2,)).updates,
        "unroll a schedule": lambda: al.unroll("adamlab.sgd(inverse_sqrt(lr), momentum=mu)", 2).params,
        "written": lambda: [al.unroll(optax.adam).text(superscripts=True), al.unroll(optax.adam).mathml()],
        "closed form": lambda: al.closed_form("adamlab.adamax").latex(),
        "closed form of a pair": lambda: al.closed_form(optax.amsgrad).to_dict(),
        "limit": lambda: al.closed_form("optax.rmsprop(lr, eps=0.0)").limit(decay=0),
        "weights": lambda: weights(al.closed_form("optax.adam", {"b2": "0.5"}).states["nu"], 3),
        "prove": lambda: al.prove("optax.sgd(lr, momentum=mu)", "adamlab.sgd(lr, momentum=mu)").to_dict(),
        "refute": lambda: al.prove(optax.sgd, "optax.sgd(rate)").text(),
        "prove a limit": lambda: al.prove(falling, adagrad, limit={"b2": 1}).latex(),
        "prove a limit in time": lambda: al.prove("optax.adam(lr)", "optax.sgd(lr)", limit={"t": "oo"}).mathml(),
        "prove a step": lambda: al.prove("optax.adam(eps=0.0)", "optax.sign_sgd", given={"t": 1}),
        "prove with a rising maximum": lambda: al.prove("optax.amsgrad", "optax.adam", given={"nu_max": "rising"}),
        "prove by induction": lambda: al.prove(al.adadelta, optax.adadelta),
        "exact": lambda: al.exact(optax.adam, np.array([[0.5, 1.0]]), {"learning_rate": "0.1"}, digits=30),
        "exact of a spec": lambda: al.exact("adamlab.adam(lr)", ["0.5"], {"lr": 1}, params="0.25", values=[1.0]),
        "derive": lambda: [al.derive(name).text() for name in DERIVATIONS if name not in SLOW],
        "relation": lambda: decide(RELATIONS["heavy-ball-to-sgd"], "adamlab"),
        "relations as rows": lambda: verdict_rows(["adam-to-rmsprop", "qhadam-to-nadam"]),
        "stability": lambda: al.stability("optax.adamw(lr)", {"b1": 0.9}).largest_rate_at(hhat=2, weight_decay=0.1),
        "best numbers": lambda: al.stability("optax.sgd(lr, momentum=b)").best(),
        "influence": lambda: al.influence("optax.adam", {"b1": 0.9, "b2": 0.5}).shares_at(3, of="nu"),
        "shares": lambda: al.dynamics.shares(["optax.sgd(lr, momentum=b)"], {"b": 0.5}, ages=3),
        "flat": lambda: al.flat(optax.adam(0.1)).init(al.ravel({"w": np.ones(2)})),
        "layer": lambda: [read(layers.relu, x), pulled_back(layers.softmax, x, cotangent=d)],
    }


SLOW = ("softmax-cross-entropy", "batch-norm")
"""Derivations of which each takes half a minute with types checked."""


def wrong_calls() -> dict[str, Any]:
    """A wrong type in each."""
    import adamlab as al
    from adamlab.relations import RELATIONS, decide, verdict_rows
    from adamlab.symbolic.functions import pulled_back, symbols

    wrong: Any = 3
    z = symbols("z", 2)
    return {
        "unroll": lambda: al.unroll("optax.sgd", steps=wrong / 2),
        "closed form": lambda: al.closed_form("optax.sgd", wrong),
        "limit": lambda: al.closed_form(wrong),
        "prove": lambda: al.prove("optax.sgd", "optax.sgd", given=wrong),
        "exact": lambda: al.exact("optax.sgd(1.0)", ["1"], digits=wrong / 2),
        "derive": lambda: al.derive(wrong),
        "relation": lambda: decide(RELATIONS["heavy-ball-to-sgd"], wrong),
        "relations as rows": lambda: verdict_rows(wrong),
        "stability": lambda: al.stability("optax.sgd", wrong),
        "influence": lambda: al.influence("optax.sgd", wrong),
        "flat": lambda: al.flat(wrong),
        "layer": lambda: pulled_back(wrong, z, cotangent=z),
    }


def raised(call: Any) -> str:
    """The name of the error that a call raises; none if it works."""
    try:
        call()
    except Exception as error:
        return type(error).__name__ if type(error).__name__ == "TypeCheckError" else repr(error)
    return ""


def errors() -> dict[str, dict[str, str]]:
    calls = {"right": right_calls(), "wrong": wrong_calls()}
    return {kind: {name: raised(call) for name, call in some.items()} for kind, some in calls.items()}


CHECKED = """
import json
from jaxtyping import install_import_hook

install_import_hook("adamlab", "beartype.beartype")
from tests.test_typed import errors

print(json.dumps(errors()))
"""


@pytest.fixture(scope="module")
def checked() -> dict[str, dict[str, str]]:
    command = [sys.executable, "-W", "error", "-c", CHECKED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_module_is_checked_here_or_in_all_tests():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    (named,) = (text for text in options["addopts"] if text.startswith("--jaxtyping-packages="))
    in_all_tests = {name.removeprefix("adamlab.") for name in named.partition("=")[2].split(",")} - {
        "beartype.beartype"
    }
    modules = {
        path.stem for path in (ROOT / "adamlab").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    here = {"symbolic", "interpret", "derivations", "relations", "dynamics", "flattening"}
    assert in_all_tests | here == modules - {"__init__", "__main__"}
    assert not in_all_tests & here


@pytest.mark.slow
def test_right_calls_have_right_types_all_the_way_down(checked):
    assert {name: error for name, error in checked["right"].items() if error} == {}


@pytest.mark.slow
def test_a_wrong_type_is_refused(checked):
    assert {name: error for name, error in checked["wrong"].items() if error != "TypeCheckError"} == {}
