"""A made-up rule, in one file and one row of the registry, is everywhere: listed, compared, read exactly, swept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.computing import XLA_FLAGS

PACKAGE = Path(__file__).parents[1] / "adamlab"

MADE_UP = '''
"""Sign descent with a moving average, which is signum."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from adamlab.lifting import chain, lift
from adamlab.rules.learning_rate import scale_by_learning_rate
from adamlab.types import rule


class ScaleByMadeUpState(NamedTuple):
    mu: Any


@rule(ScaleByMadeUpState, decays=("b1",))
def made_up_rule(g, w, s, *, b1):
    m, _ = b1.average(s.mu, g, corrected=False)
    return jnp.sign(m), s._replace(mu=m)


def made_up(learning_rate: float, b1: float = 0.9, *, arithmetic: str = "accurate"):
    """Made up for a test."""
    return chain(
        lift(made_up_rule, arithmetic=arithmetic, b1=b1),
        scale_by_learning_rate(learning_rate, arithmetic=arithmetic),
    )
'''


ROW = "from adamlab.rules.made_up import made_up as made_up\n"

USE = """
import sys

import numpy as np

import adamlab as al
from adamlab.cli import main

c = al.compare("adamlab.made_up(0.1, b1=0.5)", "optax.signum(0.1, beta=0.5)", steps=20)
assert c.kind in ("bit-identical", "same formula"), c.verdict

e = al.exact(al.made_up, np.array([1.0, -0.25, -1.0]), {"learning_rate": "0.1", "b1": "0.5"})
assert [float(u) for u in e.updates] == [-0.1, -0.1, 0.1], e.updates

v = al.prove("adamlab.made_up(lr, b1=b)", "optax.signum(lr, beta=b)")
assert (v.status, v.horizon) == ("proved", None), v

config = {
    "name": "made_up",
    "steps": 20,
    "problem": [{"name": "beale"}],
    "optimizer": [{"name": "adamlab.made_up", "learning_rate": [0.01, 0.02, 0.04], "b1": 0.5}],
}
runs = al.run(config)["beale"].to_dataset()
assert len(np.unique(runs.final_params.values, axis=0)) == 3

sys.argv = ["adamlab", "list", "optimizers"]
main()
"""


def test_a_made_up_rule_is_everywhere(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "adamlab", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "adamlab/rules/made_up.py").write_text(MADE_UP)
    registry = tmp_path / "adamlab/rules/__init__.py"
    registry.write_text(registry.read_text().replace("from adamlab.rules.nadam", ROW + "from adamlab.rules.nadam", 1))
    (tmp_path / "use.py").write_text(USE)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "XLA_FLAGS": XLA_FLAGS}
    done = subprocess.run(
        [sys.executable, "use.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "adamlab.made_up" in done.stdout
    assert "Made up for a test." in done.stdout
